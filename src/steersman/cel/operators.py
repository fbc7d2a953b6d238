"""What the operators and standard functions compute and cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from .errors import CELError, no_such_key, no_such_overload
from .functions import Cost, Function, guarded, matching, tenth, traversal
from .library import FUNCTIONS, MUTATING
from .library.regexes import matches
from .values import (
    INT_MIN,
    NONE,
    Duration,
    Optional,
    Timestamp,
    TypeValue,
    UInt,
    alike,
    comparable,
    cost_size,
    equal,
    integer,
    size,
    span,
    stamp,
    to_bool,
    to_bytes,
    to_double,
    to_duration,
    to_int,
    to_string,
    to_timestamp,
    to_uint,
    type_name,
    unsigned,
)

_PARTS: dict[str, Callable[[Any], int]] = {
    "getFullYear": lambda t: t.year,
    "getMonth": lambda t: t.month - 1,
    "getDate": lambda t: t.day,
    "getDayOfMonth": lambda t: t.day - 1,
    "getDayOfWeek": lambda t: (t.weekday() + 1) % 7,
    "getDayOfYear": lambda t: t.timetuple().tm_yday - 1,
    "getHours": lambda t: t.hour,
    "getMinutes": lambda t: t.minute,
    "getSeconds": lambda t: t.second,
    "getMilliseconds": lambda t: t.microsecond // 1000,
}
_SPANS = {"getHours": 3600 * 10**9, "getMinutes": 60 * 10**9, "getSeconds": 10**9, "getMilliseconds": 10**6}


def add(left: Any, right: Any) -> Any:
    kind, other = left.__class__, right.__class__
    if kind is other and kind in (str, bytes, list, float):
        return left + right
    if kind is other and kind is int:
        return integer(left + right)
    if kind is other and kind is UInt:
        return unsigned(left + right)
    if kind is Duration and other is Duration:
        return span(left.nanoseconds + right.nanoseconds)
    if {kind, other} == {Timestamp, Duration}:
        return stamp(left.nanoseconds + right.nanoseconds)
    raise no_such_overload()


def subtract(left: Any, right: Any) -> Any:
    kind, other = left.__class__, right.__class__
    if kind is Timestamp and other is Duration:
        return stamp(left.nanoseconds - right.nanoseconds)
    if kind is other and kind in (Timestamp, Duration):
        return span(left.nanoseconds - right.nanoseconds)
    return _arithmetic(left, right, left - right if _numbers(left, right) else None)


def multiply(left: Any, right: Any) -> Any:
    return _arithmetic(left, right, left * right if _numbers(left, right) else None)


def divide(left: Any, right: Any) -> Any:
    _numbers(left, right)
    if left.__class__ is float:
        if right == 0:
            negative = math.copysign(1, left) * math.copysign(1, right) < 0
            return math.nan if left == 0 or left != left else (-math.inf if negative else math.inf)
        return left / right
    if right == 0:
        raise CELError("division by zero")
    quotient = abs(left) // abs(right)
    return _arithmetic(left, right, -quotient if (left < 0) != (right < 0) else quotient)


def modulo(left: Any, right: Any) -> Any:
    _numbers(left, right)
    if left.__class__ is float:
        raise no_such_overload()
    if right == 0:
        raise CELError("modulus by zero")
    if left == INT_MIN and right == -1:
        raise CELError("integer overflow")
    rest = abs(left) % abs(right)
    return _arithmetic(left, right, -rest if left < 0 else rest)


def _numbers(left: Any, right: Any) -> bool:
    if left.__class__ is right.__class__ and left.__class__ in (int, UInt, float):
        return True
    raise no_such_overload()


def _arithmetic(left: Any, _right: Any, result: Any) -> Any:
    if left.__class__ is int:
        return integer(result)
    return unsigned(result) if left.__class__ is UInt else result


def negate(value: Any) -> Any:
    if value.__class__ is int:
        return integer(-value)
    if value.__class__ is float:
        return -value
    raise no_such_overload()


def invert(value: Any) -> bool:
    if value.__class__ is bool:
        return not value
    raise no_such_overload()


def less(left: Any, right: Any) -> bool:
    comparable(left, right)
    if left.__class__ is not right.__class__:
        left, right = alike(left, right)
    return bool(left < right)


def less_equal(left: Any, right: Any) -> bool:
    comparable(left, right)
    if left.__class__ is not right.__class__:
        left, right = alike(left, right)
    return bool(left <= right)


def within(item: Any, items: Any) -> bool:
    if isinstance(items, dict):
        return item.__class__ in (str, int, bool, UInt, float) and item in items
    if items.__class__ is list:
        return any(equal(item, one) for one in items)
    raise no_such_overload()


def index(items: Any, key: Any) -> Any:
    if items.__class__ is list:
        if key.__class__ is float and key == int(key):
            key = int(key)
        if key.__class__ not in (int, UInt):
            raise no_such_overload()
        if 0 <= key < len(items):
            return items[key]
        raise CELError(f"index out of bounds: {key}")
    if items.__class__ is Optional:
        return optional_index(items, key)
    if not isinstance(items, Mapping):
        raise no_such_overload()
    try:
        return items[key]
    except KeyError:
        raise no_such_key(key) from None
    except TypeError:
        raise no_such_overload() from None


def optional_index(items: Any, key: Any) -> Optional:
    if items.__class__ is Optional:
        if not items.present:
            return NONE
        items = items.value
    if items.__class__ is list:
        return Optional(True, items[key]) if key.__class__ is int and 0 <= key < len(items) else NONE
    if not isinstance(items, Mapping):
        raise no_such_overload()
    return Optional(True, items[key]) if key in items else NONE


def _calendar(name: str) -> Callable[..., int]:
    part = _PARTS[name]

    def compute(value: Any, zone: str = "UTC") -> int:
        if value.__class__ is Duration:
            whole = abs(value.nanoseconds) // _SPANS[name]
            return whole if value.nanoseconds >= 0 else -whole
        return part(value.moment().astimezone(_zone(zone)))

    return compute


def _zone(text: str) -> Any:
    if text == "UTC":
        return UTC
    try:
        if text[:1] in "+-0123456789" and ":" in text:
            hours, minutes = text.lstrip("+-").split(":")
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            return timezone(-offset if text[0] == "-" else offset)
        return ZoneInfo(text)
    except (ValueError, KeyError, OSError) as error:
        raise CELError(f"unknown time zone {text}") from error


def _unwrapped(value: Optional) -> Any:
    if value.present:
        return value.value
    raise CELError("optional.none() dereference")


def _zero(value: Any) -> bool:
    return value is None or (value.__class__ in (int, UInt, float, bool, str, bytes, list, dict) and not value)


def _shorter(arguments: Sequence[Any], _result: Any) -> int:
    return tenth(min(cost_size(arguments[0]), cost_size(arguments[1])))


def _both(arguments: Sequence[Any], _result: Any) -> int:
    if arguments[0].__class__ in (str, bytes):
        return tenth(cost_size(arguments[0]) + cost_size(arguments[1]))
    return 1


def _searched(arguments: Sequence[Any], _result: Any) -> int:
    return cost_size(arguments[1]) if arguments[1].__class__ is list else 1


def _contained(arguments: Sequence[Any], _result: Any) -> int:
    return tenth(cost_size(arguments[0])) * tenth(cost_size(arguments[1]))


def _from(kind: type[str] | type[bytes]) -> Callable[[Sequence[Any], Any], int]:
    def cost(arguments: Sequence[Any], _result: Any) -> int:
        return tenth(cost_size(arguments[0])) if arguments[0].__class__ is kind else 1

    return cost


def _library(functions: Sequence[Function]) -> dict[str, tuple[Callable[..., Any], Cost]]:
    signatures: dict[str, list[str]] = {}
    for function in functions:
        signatures.setdefault(function.name, []).extend(function.signatures)
    return {
        name: (guarded(compute, signatures[name]) if declared else compute, cost)
        for name, compute, declared, cost, _ in functions
    }


_TEXTS = ("string string",)
IMPLEMENTATIONS: dict[str, tuple[Callable[..., Any], Cost]] = {
    **_library((*FUNCTIONS, *MUTATING)),
    **{name: (_calendar(name), 1) for name in _PARTS},
    "_+_": (add, _both),
    "_-_": (subtract, 1),
    "_*_": (multiply, 1),
    "_/_": (divide, 1),
    "_%_": (modulo, 1),
    "-_": (negate, 1),
    "!_": (invert, 1),
    "_==_": (equal, _shorter),
    "_!=_": (lambda a, b: not equal(a, b), _shorter),
    "_<_": (less, _shorter),
    "_<=_": (less_equal, _shorter),
    "_>_": (lambda a, b: less(b, a), _shorter),
    "_>=_": (lambda a, b: less_equal(b, a), _shorter),
    "@in": (within, _searched),
    "_[_]": (index, 1),
    "_[?_]": (optional_index, 1),
    "size": (size, 1),
    "contains": (guarded(lambda a, b: b in a, _TEXTS), _contained),
    "startsWith": (guarded(lambda a, b: a.startswith(b), _TEXTS), traversal),
    "endsWith": (guarded(lambda a, b: a.endswith(b), _TEXTS), traversal),
    "matches": (guarded(matches, _TEXTS), matching),
    "int": (to_int, 1),
    "uint": (to_uint, 1),
    "double": (to_double, 1),
    "string": (to_string, _from(bytes)),
    "bool": (to_bool, 1),
    "bytes": (to_bytes, _from(str)),
    "timestamp": (to_timestamp, 1),
    "duration": (to_duration, 1),
    "type": (lambda value: TypeValue(type_name(value)), 1),
    "dyn": (lambda value: value, 1),
    "optional.of": (lambda value: Optional(True, value), 1),
    "optional.none": (lambda: NONE, 1),
    "optional.ofNonZeroValue": (lambda value: NONE if _zero(value) else Optional(True, value), 1),
    "hasValue": (lambda value: value.present, 1),
    "value": (_unwrapped, 1),
    "cel.@mapInsert": (lambda known, *new: {**known, **(new[0] if len(new) == 1 else {new[0]: new[1]})}, 1),
}
