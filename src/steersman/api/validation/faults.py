"""The collector of faults, and the constraints that recur: each method checks one value at one path."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from steersman.api import errors, intstr, quantity
from steersman.api.errors import FieldError

from . import names

Grammar = Callable[[str], Iterable[str]]

IMMUTABLE = "field is immutable"
_SHORT = 128
_NUMBER = re.compile(r"[-+]?[0-9]+", re.ASCII)
NEGATIVE = "must be greater than or equal to 0"


def verdict(grammar: Grammar, text: str) -> tuple[str, ...]:
    """The faults of a text; remembered for short ones, because the same names come again and again."""
    return _remembered(grammar, text) if len(text) <= _SHORT else tuple(grammar(text))


@lru_cache(maxsize=8192)
def _remembered(grammar: Grammar, text: str) -> tuple[str, ...]:
    return tuple(grammar(text))


class Faults(list[FieldError]):
    """Everything that is wrong with an object, in the order in which it was found."""

    def invalid(self, path: str, value: Any, detail: str) -> None:
        """Malformed, or against a rule."""
        self.append(errors.invalid_value(path, value, detail))

    def broken(self, path: str, detail: str) -> None:
        """Against a rule that spans more than one value, so that none is shown."""
        self.append(FieldError(path, "FieldValueInvalid", f"Invalid value: {detail}"))

    def unsupported(self, path: str, value: Any, supported: Iterable[str]) -> None:
        """Not of an enumeration, whose members are shown in the order given."""
        shown = ", ".join(errors.go_value(each) for each in supported)
        text = f"Unsupported value: {errors.go_value(value)}: supported values: {shown}"
        self.append(FieldError(path, "FieldValueNotSupported", text))

    def forbidden(self, path: str, detail: str) -> None:
        """May not be set here."""
        self.append(errors.forbidden_field(path, detail))

    def required(self, path: str, value: Any, detail: str = "") -> bool:
        """Must not be empty; says whether it is there."""
        if value is None or value in ("", [], {}, b""):
            self.append(errors.required(path, detail))
            return False
        return True

    def grammar(self, path: str, value: str, grammar: Grammar) -> None:
        """Must be a name of a certain form."""
        for fault in verdict(grammar, value):
            self.invalid(path, value, fault)

    def joined(self, path: str, value: str, grammar: Grammar, intro: str = "", shown: str | None = None) -> None:
        """Must be a name of a certain form; all that is wrong with it makes one fault."""
        if found := verdict(grammar, value):
            self.invalid(path, value if shown is None else shown, intro + ",".join(found))

    def shorter(self, path: str, value: str | bytes, limit: int) -> None:
        """Must not exceed a number of bytes."""
        if len(value.encode() if isinstance(value, str) else value) > limit:
            self.append(errors.too_long(path, limit))

    def fewer(self, path: str, count: int, limit: int) -> bool:
        """Must not exceed a number of items; says whether it does not."""
        if count > limit:
            self.append(errors.too_many(path, count, limit))
        return count <= limit

    def name(self, path: str, value: str, grammar: Grammar, detail: str = "") -> None:
        """Must be there, and be a name of a certain form."""
        if self.required(path, value, detail):
            self.grammar(path, value, grammar)

    def one_of(self, path: str, value: str, allowed: Collection[str], *, optional: bool = False) -> None:
        """Must be one of an enumeration."""
        if not value:
            if not optional:
                self.append(errors.required(path))
        elif value not in allowed:
            self.append(errors.not_supported(path, value, sorted(allowed)))

    def enum(self, path: str, value: str, values: Sequence[str]) -> None:
        """Must be one of an enumeration that is shown in its own order."""
        if not value:
            self.append(errors.required(path))
        elif value not in values:
            self.append(errors.not_supported(path, value, values))

    def natural(self, path: str, value: int | None) -> None:
        """Must not be negative."""
        if value is not None and value < 0:
            self.invalid(path, value, NEGATIVE)

    def naturals(self, path: str, obj: Any, members: Mapping[str, str]) -> None:
        """Members, by attribute and JSON name, that must not be negative."""
        for attribute, name in members.items():
            self.natural(f"{path}.{name}", getattr(obj, attribute))

    def positive(self, path: str, value: int | None) -> None:
        """Must be greater than zero."""
        if value is not None and value <= 0:
            self.invalid(path, value, "must be greater than 0")

    def between(self, path: str, value: int | None, low: int, high: int) -> None:
        """Must lie within inclusive bounds."""
        if value is not None and not low <= value <= high:
            self.invalid(path, value, f"must be between {low} and {high}, inclusive")

    def port(self, path: str, value: int | str | None) -> None:
        """A port's number, or its name."""
        if isinstance(value, str):
            self.grammar(path, value, names.port_name)
        elif value is not None:
            self.between(path, value, 1, 65535)

    def unique(self, path: str, value: Hashable, seen: set[Any], shown: Any = None) -> None:
        """Must not have been seen before."""
        if value in seen:
            self.append(errors.duplicate(path, value if shown is None else shown))
        seen.add(value)

    def forbid(self, path: str, obj: Any, members: Mapping[str, str], detail: str) -> None:
        """None of these members may be set; ``members`` maps attributes to JSON names."""
        for attribute, name in members.items():
            if getattr(obj, attribute):
                self.forbidden(f"{path}.{name}", detail)

    def immutable(self, path: str, new: Any, old: Any) -> None:
        """Must be as it was."""
        if new != old:
            self.invalid(path, new, IMMUTABLE)

    def amount(self, path: str, value: str) -> None:
        """A quantity that is not negative."""
        if value and quantity.parse(value) < 0:
            self.invalid(path, value, NEGATIVE)

    def positive_amount(self, path: str, value: str) -> None:
        """A quantity greater than zero."""
        if not value or quantity.parse(value) <= 0:
            self.invalid(path, value, "must be greater than zero")

    def count_or_percentage(self, path: str, value: int | str | None) -> None:
        """A number that is not negative, or a percentage."""
        if isinstance(value, str):
            self.grammar(path, value, names.percent)
        else:
            self.natural(path, value)

    def at_most_100_percent(self, path: str, value: int | str | None) -> None:
        """A percentage must not exceed the whole."""
        percentage = intstr.percentage(value) if value is not None else None
        if percentage is not None and percentage > 100:
            self.invalid(path, value, "must not be greater than 100%")

    def labels(self, path: str, values: Mapping[str, str]) -> None:
        """The keys and values of labels."""
        for key, value in values.items():
            for fault in verdict(names.qualified_name, key):
                self.invalid(path, key, fault)
            for fault in verdict(names.label_value, value):
                self.invalid(path, value, fault)

    def exactly_one(self, path: str, obj: Any, members: Mapping[str, str], what: str) -> str:
        """One member of a union must be set; ``members`` maps attributes to JSON names.  Returns it, or empty."""
        present = [name for name in members if getattr(obj, name) is not None]
        if not present:
            self.append(errors.required(path, f"must specify {what}"))
            return ""
        for name in present[1:]:
            self.forbidden(f"{path}.{members[name]}", f"may not specify more than 1 {what.removeprefix('a ')}")
        return present[0]


def zero(value: int | str | None) -> bool:
    """Whether a count or percentage means none; a text that is neither does."""
    if isinstance(value, str):
        percentage = intstr.percentage(value)
        return percentage == 0 if percentage is not None else not _NUMBER.fullmatch(value) or int(value) == 0
    return not value
