"""What compiled expressions are, and how functions are applied to what their arguments give.

The frame is ``[cost, limit, variable …, copied, until]``: beside what upstream counts there are how many elements of
lists were copied, which upstream does not do, and the instant at which it is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple

from .errors import FAULTS, CostExceeded, as_value
from .operators import IMPLEMENTATIONS
from .types import Decl
from .values import integer

Frame = list[Any]
Evaluate = Callable[[Frame], Any]
COPIED, UNTIL = -2, -1
"""Where in the frame."""

_MOST_COPIED = 50_000_000
"""Elements of lists: 400 MB.  Upstream's lists share what they are made of, and its costs do not tell of that."""


class Compiled(NamedTuple):
    run: Evaluate
    cost: int
    """Whatever the data, beside what ``run`` itself counts."""
    declared: Decl | None = None
    fixed: bool = False
    """Whether it is the same always."""
    bare: bool = False
    """Whether it is a variable, or selected from one: cel-go charges none where such is a key or a choice."""

    def charged(self) -> int:
        """What it costs as a key or a choice."""
        return 0 if self.bare else self.cost


def copying(run: Evaluate) -> Evaluate:
    """Counts the elements of the lists that are made of others, and the text that is put in a text's place."""

    def watched(frame: Frame) -> Any:
        result = run(frame)
        kind = result.__class__
        if kind is list or kind is str:
            frame[COPIED] += len(result) if kind is list else len(result) >> 3
            if frame[COPIED] > _MOST_COPIED:
                raise CostExceeded
        return result

    return watched


def two(compute: Callable[..., Any], items: list[Compiled]) -> Evaluate:
    first, second = items[0].run, items[1].run
    return lambda frame: compute(first(frame), second(frame))


def many(compute: Callable[..., Any], items: list[Compiled]) -> Evaluate:
    if len(items) == 1:
        first = items[0].run
        return lambda frame: compute(first(frame))
    runs = [item.run for item in items]
    return lambda frame: compute(*[run(frame) for run in runs])


def counted(compute: Callable[..., Any], cost: Callable[..., int], items: list[Compiled]) -> Evaluate:
    runs = [item.run for item in items]

    def call(frame: Frame) -> Any:
        arguments = [run(frame) for run in runs]
        try:
            result = compute(*arguments)
        except FAULTS as fault:
            frame[0] += 1  # what fails is cut short
            raise as_value(fault) from None
        frame[0] += cost(arguments, result)
        if frame[0] > frame[1]:
            raise CostExceeded
        return result

    return call


def _integers(
    quick: Callable[[Any, Any], Any], general: Callable[..., Any]
) -> Callable[[Evaluate, Evaluate], Evaluate]:
    """An operation on what is declared to be whole numbers; data may be of another type for all that."""

    def operation(first: Evaluate, second: Evaluate) -> Evaluate:
        def operate(frame: Frame) -> Any:
            left, right = first(frame), second(frame)
            if left.__class__ is int and right.__class__ is int:
                return quick(left, right)
            return general(left, right)

        return operate

    return operation


WHOLE: dict[str, Callable[[Evaluate, Evaluate], Evaluate]] = {
    name: _integers(quick, IMPLEMENTATIONS[name][0])
    for name, quick in {
        "_+_": lambda a, b: integer(a + b),
        "_<_": lt,
        "_<=_": le,
        "_>_": gt,
        "_>=_": ge,
        "_==_": eq,
        "_!=_": ne,
    }.items()
}
