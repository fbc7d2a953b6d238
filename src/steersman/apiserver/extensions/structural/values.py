"""What a schema demands of a value itself: its type, format, bounds and members.  Each demand is a closure.

``otherwise`` is what looks at values of a type that a demand does not concern.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import findings, formats, patterns
from .correlation import by_keys
from .findings import ABSENT, Check, Found, add, below, body
from .kinds import identity, is_number, is_whole, kind, same
from .nodes import Node

_CLASSES: Mapping[str, type] = {"string": str, "boolean": bool, "object": dict, "array": list, "number": float}
_NONE: dict[str, Any] = {}
_GO_FORMATS = {"integer": "int64", "number": "float64"}


def of_type(types: tuple[str, ...], format_: str, *, nullable: bool) -> Check | None:
    """One of some types; ``format_`` is one that the type knows, or empty."""
    if not types and not format_:
        return None
    judge = _type_judge(types, format_, nullable)
    class_ = class_of(types)
    if class_ is None:
        return judge

    def plain(value: Any, old: Any) -> Found:
        return None if value.__class__ is class_ else judge(value, old)

    return plain


def class_of(types: tuple[str, ...]) -> type | None:
    """The class that all values of it are right for some types; others may be so, too."""
    return _CLASSES.get(types[0]) if len(types) == 1 else None


def _type_judge(types: tuple[str, ...], format_: str, nullable: bool) -> Check:
    names = ",".join(types)
    integral = "integer" in types
    numeric = integral or "number" in types

    def judge(value: Any, old: Any) -> Found:
        if value is None:
            return None if nullable or not types else add(None, findings.mistyped(names, "null"))
        given = kind(value)
        if given in types:
            return None
        if (integral and given == "number" and is_whole(value)) or (given == "integer" and "number" in types):
            return None
        if format_ and given in ("string", "array"):
            if not numeric:
                return None  # upstream leaves these to the format, which looks at texts only
        elif format_:
            go_format = _GO_FORMATS.get(given, "")
            return None if go_format == format_ else add(None, findings.mistyped(format_, go_format))
        return add(None, findings.mistyped(names, given)) if types else None

    return judge


def of_enum(values: Sequence[Any]) -> Check:
    """One of some values."""
    allowed = frozenset(identity(value) for value in values if value is not None)

    def check(value: Any, old: Any) -> Found:
        if value is not None and (value if value.__class__ is str else identity(value)) in allowed:
            return None
        return add(None, findings.not_among(value, values))

    return check


def of_text(schema: Mapping[str, Any], otherwise: Check | None = None) -> Check:
    """Bounds of a text in code points, and what must occur in it; the first fault is told."""
    longest, shortest, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")

    def check(value: Any, old: Any) -> Found:
        if value.__class__ is not str:
            return otherwise(value, old) if otherwise is not None else None
        if longest is not None and len(value) > longest:
            return add(None, findings.too_long(longest))
        if shortest is not None and len(value) < shortest:
            return add(None, body(value, f"should be at least {shortest} chars long"))
        if pattern:
            try:
                if patterns.matches(pattern, value):
                    return None
            except ValueError as error:
                return add(None, body(value, f"should match '{pattern}, but pattern is invalid: {error}'"))
            return add(None, body(value, f"should match '{pattern}'"))
        return None

    return check


def of_format(name: str) -> Check | None:
    """A text of a form."""
    if formats.text_format(name) is None:
        return None

    def check(value: Any, old: Any) -> Found:
        if not isinstance(value, str) or formats.accepts(name, value):
            return None
        return add(None, findings.mistyped(name, value))

    return check


def of_number(schema: Mapping[str, Any]) -> Check:
    """Bounds of a number; for integers those are cut off to integers."""
    factor, lowest, highest = schema.get("multipleOf"), schema.get("minimum"), schema.get("maximum")
    over, under = bool(schema.get("exclusiveMaximum")), bool(schema.get("exclusiveMinimum"))

    def check(value: Any, old: Any) -> Found:
        if not is_number(value):
            return None
        fit: Callable[[float], float] = int if kind(value) == "integer" else float
        found: Found = None
        if factor is not None and not _is_multiple(value, factor):
            found = add(found, body(value, f"should be a multiple of {findings.number(factor)}"))
        if lowest is not None and (value <= fit(lowest) if under else value < fit(lowest)):
            bound = "greater than" if under else "greater than or equal to"
            found = add(found, body(value, f"should be {bound} {findings.number(fit(lowest))}"))
        if highest is not None and (value >= fit(highest) if over else value > fit(highest)):
            bound = "less than" if over else "less than or equal to"
            found = add(found, body(value, f"should be {bound} {findings.number(fit(highest))}"))
        return found

    return check


def _is_multiple(value: float, factor: float) -> bool:
    # Upstream cuts the factors of integers off to integers, and divides by zero for those below one.
    if factor <= 0:
        return factor == 0 and value == 0
    if isinstance(value, int) and is_whole(factor):
        return value % int(factor) == 0
    return is_whole(1 / factor * value if factor < 1 else value / factor)


def of_list(item: Check | None, schema: Mapping[str, Any], otherwise: Check | None = None) -> Check:
    """The elements of a list and their number; old elements correspond where the list is a map."""
    least, most, unique = schema.get("minItems"), schema.get("maxItems"), schema.get("uniqueItems")
    is_map = schema.get("x-kubernetes-list-type") == "map"
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ()) if is_map else ()

    def check(value: Any, old: Any) -> Found:
        if value.__class__ is not list:
            return otherwise(value, old) if otherwise is not None else None
        found: Found = None
        if item is not None:
            former = by_keys(old, keys) if keys and old.__class__ is list else None
            for index, each in enumerate(value):
                was = former(each) if former is not None else ABSENT
                inner = item(each, was)
                if inner is not None and (was is ABSENT or not same(each, was)):
                    found = below(found, f"[{index}]", inner)
        size = len(value)
        if least is not None and size < least:
            found = add(found, body(size, f"should have at least {least} items"))
        if most is not None and size > most:
            found = add(found, findings.too_many(size, most))
        if unique and len({identity(each) for each in value}) < size:
            found = add(found, body("", "shouldn't contain duplicates"))
        return found

    return check


def of_object(
    members: Mapping[str, Node], additional: Check | None, schema: Mapping[str, Any], otherwise: Check | None = None
) -> Check:
    """The members of an object and their number; where that is wrong, nothing more is said."""
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    required = tuple(schema.get("required") or ())
    closed = schema.get("additionalProperties") is False
    checks = {name: member.check for name, member in members.items()}
    # Most members are to be of a class and nothing else, which is seen without a call.
    classes = {name: member.class_ for name, member in members.items() if member.class_ is not None}

    def check(value: Any, old: Any) -> Found:
        if value.__class__ is not dict:
            return otherwise(value, old) if otherwise is not None else None
        size = len(value)
        if least is not None and size < least:
            return add(None, body(size, f"should have at least {least} properties"))
        if most is not None and size > most:
            return add(None, findings.too_many(size, most))
        found: Found = None
        former = old if old.__class__ is dict else _NONE
        for name, each in value.items():
            if each.__class__ is classes.get(name, _NONE):
                continue
            inspect = checks.get(name, additional)
            if inspect is not None:
                was = former.get(name, ABSENT) if former else ABSENT
                inner = inspect(each, was)
                if inner is not None and (was is ABSENT or not same(each, was)):
                    found = below(found, f".{name}", inner)
            elif closed and name not in checks:
                found = add(found, _forbidden(name))
        for name in required:
            if name not in value:
                found = add(found, findings.missing, f".{name}")
        return found

    return check


def _forbidden(key: str) -> findings.Say:
    return lambda name: findings.fault(
        name,
        "FieldValueInvalid",
        f"Invalid value: {findings.shown(key)}: {name}.{key} in body is a forbidden property",
    )
