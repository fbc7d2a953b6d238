"""What is wrong with a value, found before its path is known: the path is put together only where there is a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from steersman.api import errors
from steersman.api.errors import FieldError

from .kinds import text_of

Say = Callable[[str], FieldError]
"""The fault, given the name of the field that it is about (``spec.items[0].name``; empty for the whole)."""

NOWHERE = "<nil>"
"""The field of faults that concern the whole object, as upstream writes it."""


class Finding:
    """A fault and the steps to it, which those who hold the value prepend (``.name``, ``[0]``)."""

    __slots__ = ("path", "say")

    def __init__(self, say: Say, path: str = "") -> None:
        self.say = say
        self.path = path

    def error(self) -> FieldError:
        """The fault with its field."""
        return self.say(self.path.removeprefix("."))


Found = list[Finding] | None
Check = Callable[[Any, Any], Found]
"""Looks at a value and the old one that it corresponds to (or ``ABSENT``); None where all is well."""


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()
"""There is no such value; ``None`` is JSON's null."""


def add(found: Found, say: Say, path: str = "") -> list[Finding]:
    """One more fault."""
    finding = Finding(say, path)
    if found is None:
        return [finding]
    found.append(finding)
    return found


def below(found: Found, step: str, inner: list[Finding]) -> list[Finding]:
    """The faults of a part, as faults of the whole."""
    for finding in inner:
        finding.path = step + finding.path
    if found is None:
        return inner
    found += inner
    return found


def number(value: float) -> str:
    """A number as Go prints it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value) if isinstance(value, int) else repr(float(value))


def shown(value: Any) -> str:
    """A value as messages show it."""
    if value is None:
        return '"null"'
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return text_of(value).decode()


def fault(name: str, type_: str, text: str) -> FieldError:
    """A fault of a field, or of the whole."""
    return FieldError(name or NOWHERE, type_, text)


def body(value: Any, detail: str) -> Say:
    """A value that breaks a rule; ``detail`` follows ``in body``."""
    return lambda name: fault(name, "FieldValueInvalid", f"Invalid value: {shown(value)}: {name} in body {detail}")


def whole(detail: Callable[[str], str]) -> Say:
    """A fault of logical operators, which name the field in their text only."""
    return lambda name: fault("", "FieldValueInvalid", f'Invalid value: "": {detail(errors.go_value(name))}')


def mistyped(wanted: str, given: str) -> Say:
    """A value of another type; ``given`` is the name of its own."""
    quoted = errors.go_value(given)

    def say(name: str) -> FieldError:
        text = f"Invalid value: {quoted}: {name} in body must be of type {wanted}: {quoted}"
        return fault(name, "FieldValueTypeInvalid", text)

    return say


def missing(name: str) -> FieldError:
    """A required value that is not there."""
    return fault(name, "FieldValueRequired", "Required value")


def not_among(value: Any, allowed: Iterable[Any]) -> Say:
    """A value that an enumeration does not have."""
    texts = [each if isinstance(each, str) else text_of(each).decode() for each in allowed]
    values = ", ".join(errors.go_value(text) for text in texts)
    text = f"Unsupported value: {shown(value)}: supported values: {values}"
    return lambda name: fault(name, "FieldValueNotSupported", text)


def too_long(limit: int) -> Say:
    """A text over its limit."""
    return lambda name: errors.too_long(name or NOWHERE, limit)


def too_many(count: int, limit: int) -> Say:
    """A list or an object over its limit."""
    return lambda name: errors.too_many(name or NOWHERE, count, limit)


def duplicated(value: Any) -> Say:
    """An element that occurs again."""
    return lambda name: fault(name, "FieldValueDuplicate", f"Duplicate value: {shown(value)}")


def invalid(value: Any, detail: str) -> Say:
    """A value that is not what it must be, in words that do not name the field."""
    return lambda name: fault(name, "FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}")
