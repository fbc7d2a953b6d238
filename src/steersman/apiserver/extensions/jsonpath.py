r"""JSONPath as definitions of custom resources use it: ``.status.conditions[?(@.type=="Ready")].status``.

Members (``.a``, ``['a']``, ``.a\.b``), wildcards, indices, slices, unions, filters and recursive descent, as in
client-go's dialect; a path is one expression, without braces and templates.  What is missing yields nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Select = Callable[[Any], Iterator[Any]]
"""From one value to those that a step leads to."""

MOST_STEPS = 100

_NAME = re.compile(r"(?:\\.|[^\\\s.\[\](){}'\"?@=<>!,:*])+")
_INTEGER = re.compile(r"[-+]?\d+")
_OPERATOR = re.compile(r"\s*(==|!=|<=|>=|<|>)\s*")
_LITERAL = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|([-+]?\d+(?:\.\d+)?)|(true|false)|(null)")


class JSONPathError(ValueError):
    """A text that is no path."""


class JSONPath:
    """A compiled path; ``simple`` ones have members alone."""

    __slots__ = ("_steps", "members", "text")

    def __init__(self, text: str) -> None:
        parser = _Parser(text)
        self.text = text
        self._steps, names = parser.path(end=len(text))
        self.members = names
        """The members along the path; None where there is anything else in it."""

    def find(self, obj: Any) -> list[Any]:
        """All values that the path leads to, in order; none in what is nested too deeply to be walked."""
        try:
            return list(_walk(self._steps, obj))
        except RecursionError:
            return []

    def first(self, obj: Any, default: Any = None) -> Any:
        """The first value."""
        try:
            return next(_walk(self._steps, obj), default)
        except RecursionError:
            return default

    def set(self, obj: dict[str, Any], value: Any) -> None:
        """Put a value where a simple path leads; objects on the way are made.

        Raises :class:`JSONPathError` where a value on the way is no object.
        """
        if not self.members:
            raise JSONPathError(f"{self.text} is not a simple path")
        *way, last = self.members
        for name in way:
            obj = obj.setdefault(name, {})
            if not isinstance(obj, dict):
                raise JSONPathError(f"value cannot be set because {self.text} is not a map[string]interface{{}}")
        obj[last] = value


def _walk(steps: Sequence[Select], obj: Any) -> Iterator[Any]:
    if not steps:
        yield obj
        return
    for value in steps[0](obj):
        yield from _walk(steps[1:], value)


def member(name: str) -> Select:
    """A member of an object."""

    def select(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return select


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _index(at: int) -> Select:
    def select(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= at < len(value):
            yield value[at]

    return select


def _slice(part: slice) -> Select:
    def select(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value[part]

    return select


def _union(parts: Sequence[Select]) -> Select:
    def select(value: Any) -> Iterator[Any]:
        for part in parts:
            yield from part(value)

    return select


def _descend(value: Any) -> Iterator[Any]:
    yield value
    for each in _every(value):
        yield from _descend(each)


def _where(condition: Callable[[Any], bool]) -> Select:
    def select(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from (each for each in value if condition(each))

    return select


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}


def _comparable(left: Any, right: Any) -> bool:
    """Go compares what is of one type: texts, numbers, booleans."""
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool)
    if isinstance(left, str):
        return isinstance(right, str)
    return isinstance(left, int | float) and isinstance(right, int | float)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def path(self, end: int | None = None) -> tuple[list[Select], tuple[str, ...] | None]:
        """Steps until the end, or until what is no step."""
        steps: list[Select] = []
        names: list[str] | None = []
        while self._at < len(self._text):
            if self._take(".."):
                steps.append(_descend)
                names = None
                if not self._starts("["):
                    steps.append(self._member()[0])
            elif self._take("."):
                if self._at == len(self._text) and not steps:
                    break  # the whole object
                step, name = self._member()
                steps.append(step)
                names = [*names, name] if names is not None and name else None
            elif self._take("["):
                steps.append(self._bracket())
                names = None
            else:
                break
            if len(steps) > MOST_STEPS:
                raise self._error("too many steps")
        if end is not None and (self._at < end or not self._text):
            raise self._error("unexpected")
        return steps, tuple(names) if names is not None else None

    def _member(self) -> tuple[Select, str]:
        if self._take("*"):
            return _every, ""
        found = _NAME.match(self._text, self._at)
        if found is None:
            raise self._error("a name is missing")
        self._at = found.end()
        name = re.sub(r"\\(.)", r"\1", found[0])
        return member(name), name

    def _bracket(self) -> Select:
        if self._take("?("):
            condition = self._condition()
            self._expect(")]")
            return _where(condition)
        parts = [self._part()]
        while self._take(","):
            parts.append(self._part())
        self._expect("]")
        return parts[0] if len(parts) == 1 else _union(parts)

    def _part(self) -> Select:
        self._blanks()
        if self._take("*"):
            part: Select = _every
        elif self._starts("'", '"'):
            part = member(self._literal())
        else:
            numbers = [self._integer()]
            while len(numbers) < 3 and self._take(":"):
                numbers.append(self._integer())
            if len(numbers) == 1:
                if numbers[0] is None:
                    raise self._error("an index is missing")
                part = _index(numbers[0])
            elif numbers[-1] == 0 and len(numbers) == 3:
                raise self._error("step must be > 0")
            else:
                part = _slice(slice(*numbers))
        self._blanks()
        return part

    def _condition(self) -> Callable[[Any], bool]:
        left = self._operand()
        operator = _OPERATOR.match(self._text, self._at)
        if operator is None:
            return lambda value: bool(left(value))
        self._at = operator.end()
        right = self._operand()
        compare = _COMPARE[operator[1]]

        def holds(value: Any) -> bool:
            lefts, rights = left(value), right(value)
            if len(lefts) != 1 or len(rights) != 1 or not _comparable(lefts[0], rights[0]):
                return False
            return compare(lefts[0], rights[0])

        return holds

    def _operand(self) -> Callable[[Any], list[Any]]:
        self._blanks()
        if self._take("@"):
            steps, _ = self.path()
            self._blanks()
            return lambda value: list(_walk(steps, value))
        literal = self._literal()
        self._blanks()
        return lambda _: [literal]

    def _literal(self) -> Any:
        found = _LITERAL.match(self._text, self._at)
        if found is None:
            raise self._error("a value is missing")
        self._at = found.end()
        double, single, number, boolean, null = found.groups()
        if number is not None:
            return float(number) if "." in number else int(number)
        if boolean is not None:
            return boolean == "true"
        if null is not None:
            return None
        return re.sub(r"\\(.)", r"\1", double if double is not None else single)

    def _integer(self) -> int | None:
        self._blanks()
        found = _INTEGER.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        if len(found[0]) > 10:
            raise self._error("an index is out of range")
        return int(found[0])

    def _starts(self, *marks: str) -> bool:
        return self._text.startswith(marks, self._at)

    def _take(self, mark: str) -> bool:
        if self._text.startswith(mark, self._at):
            self._at += len(mark)
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise self._error(f"{mark} is missing")

    def _blanks(self) -> None:
        while self._take(" "):
            pass

    def _error(self, problem: str) -> JSONPathError:
        return JSONPathError(f"{problem} at {self._at} in {self._text!r}")
