"""CEL's values: JSON data as they are, and light types for what JSON has none of; equality, order and conversions."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .errors import CELError, no_such_overload

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_SPAN = re.compile(r"([-+]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_SPAN_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_STAMPS = (-62135596800 * 10**9, 253402300800 * 10**9)


class UInt(int):
    """An unsigned integer: no JSON value is one."""


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    nanoseconds: int

    def __str__(self) -> str:
        whole, rest = divmod(abs(self.nanoseconds), 10**9)
        sign = "-" if self.nanoseconds < 0 else ""
        return f"{sign}{whole}" + (f".{rest:09d}".rstrip("0") if rest else "") + "s"


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    nanoseconds: int
    """Since 1970."""

    def moment(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.nanoseconds // 1000)

    def __str__(self) -> str:
        rest = self.nanoseconds % 10**9
        text = self.moment().strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
        return text + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


@dataclass(frozen=True, slots=True)
class Optional:
    present: bool
    value: Any = None


NONE = Optional(False)


@dataclass(frozen=True, slots=True)
class TypeValue:
    name: str


def duration(text: str) -> Duration:
    if text in ("0", "+0", "-0"):
        return Duration(0)
    if not _SPAN.fullmatch(text):
        raise CELError(f'time: invalid duration "{text}"')
    total = 0
    for number, unit in _SPAN_PART.findall(text):
        whole, _, rest = number.partition(".")
        total += int(whole or 0) * _UNITS[unit] + (int(rest) * _UNITS[unit] // 10 ** len(rest) if rest else 0)
    return _span(-total if text[0] == "-" else total)


def timestamp(text: str) -> Timestamp:
    match = _STAMP.fullmatch(text)
    if match is None:
        raise CELError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse')
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{match[4].upper().replace('Z', '+00:00')}")
    except ValueError as error:
        raise CELError(f'parsing time "{text}": {error}') from error
    return Timestamp(((moment - _EPOCH) // timedelta(seconds=1)) * 10**9 + int((match[3] or "0").ljust(9, "0")))


def _span(nanoseconds: int) -> Duration:
    if INT_MIN <= nanoseconds <= INT_MAX:
        return Duration(nanoseconds)
    raise CELError("integer overflow")


def stamp(nanoseconds: int) -> Timestamp:
    if _STAMPS[0] <= nanoseconds < _STAMPS[1]:
        return Timestamp(nanoseconds)
    raise CELError("timestamp overflow")


span = _span


def integer(number: int) -> int:
    if INT_MIN <= number <= INT_MAX:
        return number
    raise CELError("integer overflow")


def unsigned(number: int) -> UInt:
    if 0 <= number <= UINT_MAX:
        return UInt(number)
    raise CELError("unsigned integer overflow")


def type_name(value: Any) -> str:
    kind = value.__class__
    if kind in _NAMES:
        return _NAMES[kind]
    if (name := getattr(value, "type_name", None)) is not None:
        return str(name)
    return "map" if isinstance(value, Mapping) else str(getattr(value, "cel_type", kind.__name__))


_NAMES: dict[type, str] = {
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    type(None): "null_type",
    Duration: "google.protobuf.Duration",
    Timestamp: "google.protobuf.Timestamp",
    Optional: "optional_type",
    TypeValue: "type",
}


def equal(left: Any, right: Any) -> bool:
    """Equality over all types: numbers by value, others only with their own type."""
    kind, other = left.__class__, right.__class__
    if kind is other:
        if kind is list:
            return len(left) == len(right) and all(map(equal, left, right))
        if isinstance(left, dict):
            if len(left) != len(right) or getattr(left, "type_name", "") != getattr(right, "type_name", ""):
                return False
            return all(key in right and equal(value, right[key]) for key, value in left.items())
        return bool(left == right)
    if kind in _NUMBERS and other in _NUMBERS:
        left, right = alike(left, right)
        return bool(left == right)
    return False


def alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Two numbers as they are compared: a whole one loses precision before a double, as in cel-go."""
    if left.__class__ is float:
        return left, float(right)
    return (float(left), right) if right.__class__ is float else (left, right)


_NUMBERS: frozenset[type] = frozenset((int, UInt, float))
_ORDERED = frozenset((bool, str, bytes, Duration, Timestamp))


def comparable(left: Any, right: Any) -> None:
    """Raises unless one of the two is less, or they are equal, or one is no number."""
    kind, other = left.__class__, right.__class__
    if (kind is other and kind in _ORDERED) or (kind in _NUMBERS and other in _NUMBERS):
        return
    raise no_such_overload()


def size(value: Any) -> int:
    if value.__class__ in (str, bytes, list, dict) or isinstance(value, Mapping):
        return len(value)
    raise no_such_overload()


def cost_size(value: Any) -> int:
    """How large a value counts: its elements, characters or bytes, one for anything else."""
    if value.__class__ in (str, bytes, list, dict):
        return len(value)
    return 1


def double_text(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    text = repr(number)
    mantissa, _, exponent = text.partition("e")
    if exponent:
        power = int(exponent)
        return f"{mantissa.removesuffix('.0')}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return text.removesuffix(".0") if abs(number) < 1e21 else text


def to_int(value: Any) -> int:
    kind: type = value.__class__
    if kind is int:
        return int(value)
    if kind is UInt:
        return integer(int(value))
    if kind is float:
        if math.isfinite(value) and -9.223372036854775808e18 < value < 9.223372036854775807e18:
            return int(value)
        raise CELError("integer overflow")
    if kind is str:
        if re.fullmatch(r"[+-]?\d+", value, re.ASCII) and INT_MIN <= int(value) <= INT_MAX:
            return int(value)
        raise CELError(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    if kind is Timestamp:
        return int(value.nanoseconds // 10**9)
    if kind is Duration:
        return int(value.nanoseconds)
    raise no_such_overload()


def to_uint(value: Any) -> UInt:
    kind = value.__class__
    if kind is UInt or kind is int:
        return unsigned(value)
    if kind is float:
        if math.isfinite(value) and 0 <= value < 1.8446744073709552e19:
            return UInt(int(value))
        raise CELError("unsigned integer overflow")
    if kind is str:
        if re.fullmatch(r"\d+", value, re.ASCII) and int(value) <= UINT_MAX:
            return UInt(value)
        raise CELError(f'strconv.ParseUint: parsing "{value}": invalid syntax')
    raise no_such_overload()


def to_double(value: Any) -> float:
    kind: type = value.__class__
    if kind in _NUMBERS:
        return float(value)
    if value.__class__ is str:
        text: Any = value
        try:
            return float(text)
        except ValueError:
            raise CELError(f'strconv.ParseFloat: parsing "{value}": invalid syntax') from None
    raise no_such_overload()


def to_string(value: Any) -> str:
    kind = value.__class__
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is UInt:
        return str(int(value))
    if kind is float:
        return double_text(value)
    if kind is bytes:
        try:
            return str(value.decode())
        except UnicodeDecodeError:
            raise CELError("invalid UTF-8 in bytes, cannot convert to string") from None
    if kind in (Timestamp, Duration) or hasattr(value, "cel_type"):
        return str(value)
    raise no_such_overload()


def to_bool(value: Any) -> bool:
    if value.__class__ is bool:
        return bool(value)
    if value in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if value in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise CELError(f'strconv.ParseBool: parsing "{value}": invalid syntax')


def to_bytes(value: Any) -> bytes:
    return bytes(value) if value.__class__ is bytes else str(value).encode()


def decoded(text: str) -> bytes:
    """What a text of the format ``byte`` stands for."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise CELError("failed to decode byte string: illegal base64 data") from error


def to_timestamp(value: Any) -> Timestamp:
    if value.__class__ is str:
        return timestamp(value)
    return value if value.__class__ is Timestamp else stamp(int(value) * 10**9)


def to_duration(value: Any) -> Duration:
    if value.__class__ is str:
        return duration(value)
    return value if value.__class__ is Duration else span(int(value))
