"""Label and field selectors: upstream's grammar, matching, and errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import msgspec

from .errors import StatusError, bad_request, go_value
from .types import meta_v1
from .validation import names

Operator = Literal["in", "notin", "=", "!=", "exists", "!", "gt", "lt"]

_OPERATORS = {"=": "=", "==": "=", "!=": "!=", "in": "in", "notin": "notin", ">": "gt", "<": "lt"}
_EXPECTED = "in, notin, =, ==, !=, gt, lt"
_END = ""
_SIMPLE = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
"""What is a name and a value without further questions."""

LONGEST = 64 * 1024
"""Characters of a selector: reading more would keep everybody else waiting."""


_FEW = 8
_MET_BY_ABSENCE = ("!=", "notin", "!")


class Requirement(msgspec.Struct, frozen=True):
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy this condition."""
        present = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return present is not None and present in self.values
            case "!=" | "notin":
                return present is None or present not in self.values
            case "exists":
                return present is not None
            case "!":
                return present is None
            case _:
                try:
                    number, limit = int(present or ""), int(self.values[0])
                except ValueError:
                    return False
                return number > limit if self.operator == "gt" else number < limit

    def matcher(self) -> Callable[[Mapping[str, str]], bool]:
        """:meth:`matches` for labels that have the key, in a time that does not grow with the values."""
        if len(self.values) <= _FEW:
            return self.matches
        key, values, wanted = self.key, frozenset(self.values), self.operator == "in"
        return lambda labels: (labels[key] in values) == wanted

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{self.values[0]}"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


class LabelSelector(msgspec.Struct, frozen=True):
    """All of some conditions; without any it matches everything, unless ``nothing`` is set."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy every condition."""
        if self.nothing:
            return False
        for requirement in self.requirements:  # noqa: SIM110 - the loop is the faster form
            if not requirement.matches(labels):
                return False
        return True

    def matcher(self) -> Callable[[Mapping[str, str]], bool]:
        """:meth:`matches`, for selectors of thousands of conditions in time that grows with an object's labels."""
        if sum(1 + len(each.values) for each in self.requirements) <= _FEW or self.nothing:
            return self.matches
        conditions: dict[str, list[Callable[[Mapping[str, str]], bool]]] = {}
        for requirement in dict.fromkeys(self.requirements):
            conditions.setdefault(requirement.key, []).append(requirement.matcher())
        required = {each.key for each in self.requirements if each.operator not in _MET_BY_ABSENCE}

        def matches(labels: Mapping[str, str]) -> bool:
            if len(required) > len(labels) or not all(key in labels for key in required):
                return False
            return all(condition(labels) for key in labels for condition in conditions.get(key, ()))

        return matches

    @property
    def empty(self) -> bool:
        """Whether it matches everything."""
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(nothing=True)


def parse_labels(text: str) -> LabelSelector:
    """Read a selector such as ``app=web,tier in (a,b),!legacy``; raises a 400 in upstream's words."""
    if not text:
        return EVERYTHING
    _check_length(text, "label")
    try:
        requirements = list(_LabelParser(text).parse())
    except ValueError as error:
        raise bad_request(str(error)) from None
    return LabelSelector(tuple(sorted(requirements, key=lambda requirement: requirement.key)))


def _check_length(text: str, kind: str) -> None:
    if len(text) > LONGEST:
        raise bad_request(f"the {kind} selector is too long: may not be more than {LONGEST} characters")


def from_set(labels: Mapping[str, str]) -> LabelSelector:
    """The selector of exactly these labels, as Services and ReplicationControllers mean it."""
    return LabelSelector(tuple(Requirement(key, "=", (value,)) for key, value in sorted(labels.items())))


_FROM_SPEC: dict[str, Operator] = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def from_label_selector(selector: meta_v1.LabelSelector | None) -> LabelSelector:
    """The selector of a spec: None matches nothing, an empty one everything.

    Raises ValueError for an operator that does not exist.
    """
    if selector is None:
        return NOTHING
    requirements = list(from_set(selector.match_labels).requirements)
    for expression in selector.match_expressions:
        operator = _FROM_SPEC.get(expression.operator)
        if operator is None:
            raise ValueError(f'"{expression.operator}" is not a valid label selector operator')
        requirements.append(Requirement(expression.key, operator, tuple(expression.values)))
    return LabelSelector(tuple(requirements))


_TOKEN = re.compile(r"[ \t\r\n]*(?:(==|!=|[=!(),><])|([^=!(),><\ \t\r\n]+))")


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Literals in order, each with whether it is an operator; the last is the end of the string."""
    for match in _TOKEN.finditer(text):
        operator, literal = match.groups()
        yield (literal, False) if operator is None else (operator, True)
    yield _END, True


class _LabelParser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._position = 0

    def _peek(self) -> tuple[str, bool]:
        return self._tokens[min(self._position, len(self._tokens) - 1)]

    def _next(self) -> tuple[str, bool]:
        token = self._peek()
        self._position += 1
        return token

    def parse(self) -> Iterator[Requirement]:
        while True:
            literal, special = self._peek()
            if special and literal == _END:
                return
            if special and literal != "!":
                raise ValueError(f"found '{literal}', expected: !, identifier, or 'end of string'")
            try:
                yield self._requirement()
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from None
            literal, special = self._next()
            if special and literal == _END:
                return
            if (literal, special) != (",", True):
                raise ValueError(f"found '{literal}', expected: ',' or 'end of string'")
            literal, special = self._peek()
            if special and literal != "!":
                raise ValueError(f"found '{literal}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        literal, special = self._next()
        negated = special and literal == "!"
        if negated:
            literal, special = self._next()
        if special:
            raise ValueError(f"found '{literal}', expected: identifier")
        key = literal
        if not _SIMPLE.fullmatch(key):
            _check(names.qualified_name(key), "<nil>", key)
        literal, special = self._peek()
        if negated:
            return Requirement(key, "!")
        if special and literal in (_END, ","):
            return Requirement(key, "exists")
        literal, _ = self._next()
        operator = _OPERATORS.get(literal)
        if operator is None:
            raise ValueError(f"found '{literal}', expected: {_EXPECTED}")
        values = self._values() if operator in ("in", "notin") else (self._exact(),)
        if operator in ("gt", "lt"):
            try:
                int(values[0])
            except ValueError:
                fault = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise ValueError(f"<nil>: Invalid value: {go_value(values[0])}: {fault}") from None
        for value in values:
            if not _SIMPLE.fullmatch(value):
                _check(names.label_value(value), f"[{key}]", value)
        return Requirement(key, operator, values)  # type: ignore[arg-type]

    def _values(self) -> tuple[str, ...]:
        literal, special = self._next()
        if (literal, special) != ("(", True):
            raise ValueError(f"found '{literal}' expected: '('")
        literal, special = self._peek()
        if special and literal not in (",", ")"):
            raise ValueError(f"found '{literal}', expected: ',', ')' or identifier")
        values: set[str] = set()
        pending = True  # a comma or the opening parenthesis came last: what follows may be an empty value
        while True:
            literal, special = self._next()
            if not special:
                if not pending:
                    raise ValueError(f"found '{literal}', expected: ',' or ')'")
                values.add(literal)
                pending = False
            elif literal in (",", ")"):
                if pending:
                    values.add("")
                pending = True
                if literal == ")":
                    return tuple(sorted(values))
            elif pending:
                raise ValueError(f"found '{literal}', expected: ',', or identifier")
            else:
                raise ValueError(f"found '{literal}', expected: ',' or ')'")

    def _exact(self) -> str:
        literal, special = self._peek()
        if special and literal in (_END, ","):
            return ""
        self._position += 1
        if special:
            raise ValueError(f"found '{literal}', expected: identifier")
        return literal


def _check(faults: Iterator[str], path: str, value: str) -> None:
    if found := "; ".join(faults):
        raise ValueError(f"{path}: Invalid value: {go_value(value)}: {found}")


class FieldRequirement(msgspec.Struct, frozen=True):
    """One condition on one field."""

    field: str
    operator: Literal["=", "!="]
    value: str

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{_escape(self.value)}"


class FieldSelector(msgspec.Struct, frozen=True):
    """All of some conditions on the fields that a resource lets one select by."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether fields satisfy every condition; an absent field is empty."""
        return all(
            (fields.get(requirement.field, "") == requirement.value) == (requirement.operator == "=")
            for requirement in self.requirements
        )

    @property
    def empty(self) -> bool:
        """Whether it matches everything."""
        return not self.requirements

    def required_value(self, field: str) -> str | None:
        """The value that a field must have, where one condition says so."""
        for requirement in self.requirements:
            if requirement.field == field and requirement.operator == "=":
                return requirement.value
        return None

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


_ESCAPED = re.compile(r"[\\,=]")


def _unescape(value: str) -> str:
    if not _ESCAPED.search(value):
        return value
    result, characters = [], iter(value)
    for character in characters:
        if character == "\\":
            following = next(characters, None)
            if following is None or following not in "\\,=":
                shown = "\\" + (following or "")
                raise ValueError(f"invalid field selector: invalid escape sequence: {shown}")
            result.append(following)
        elif character in ",=":
            raise ValueError(f"invalid field selector: unescaped character in value: {character}")
        else:
            result.append(character)
    return "".join(result)


_TERM = re.compile(r"(?:\\.|[^\\,])*\\?", re.DOTALL)
_OPERATOR = re.compile(r"!=|==|=")


def _terms(text: str) -> Iterator[str]:
    """What unescaped commas separate."""
    position = 0
    while position <= len(text):
        match = _TERM.match(text, position)
        assert match is not None
        yield match[0]
        position = match.end() + 1


def _operator(term: str) -> tuple[str, str, str] | None:
    match = _OPERATOR.search(term)
    return None if match is None else (term[: match.start()], match[0], term[match.end() :])


def parse_fields(text: str, transform: Callable[[str, str], tuple[str, str]] | None = None) -> FieldSelector:
    """Read a selector such as ``spec.nodeName=a,status.phase!=Failed``; raises a 400 in upstream's words.

    ``transform`` may rename a field and its value, and refuse it with a StatusError.
    """
    _check_length(text, "field")
    requirements = []
    for term in _terms(text):
        if not term:
            continue
        parts = _operator(term)
        if parts is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        field, operator, raw = parts
        try:
            value = _unescape(raw)
        except ValueError as error:
            raise bad_request(str(error)) from None
        if transform is not None:
            field, value = transform(field, value)
        requirements.append(FieldRequirement(field, "!=" if operator == "!=" else "=", value))
    return FieldSelector(tuple(requirements))


__all__ = [
    "EVERYTHING",
    "NOTHING",
    "FieldRequirement",
    "FieldSelector",
    "LabelSelector",
    "Requirement",
    "StatusError",
    "from_label_selector",
    "from_set",
    "parse_fields",
    "parse_labels",
]
