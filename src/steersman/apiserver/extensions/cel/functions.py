"""What a function of a library is: how the checker knows it, what computes it, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .values import cost_size

Cost = int | Callable[[Sequence[Any], Any], int]


class Function(NamedTuple):
    """All overloads of a name; they are told apart by the values."""

    name: str
    compute: Callable[..., Any]
    signatures: tuple[str, ...]
    """``PARAMETER … -> RESULT``, types separated by spaces."""
    cost: Cost = 1
    member: bool = False


def member(name: str, compute: Callable[..., Any], *signatures: str, cost: Cost = 1) -> Function:
    """A function that is called on its first parameter."""
    return Function(name, compute, signatures, cost, True)


def free(name: str, compute: Callable[..., Any], *signatures: str, cost: Cost = 1) -> Function:
    return Function(name, compute, signatures, cost, False)


def tenth(count: int) -> int:
    """The cost of reading so many characters."""
    return -(-count // 10)


def traversal(arguments: Sequence[Any], _result: Any) -> int:
    """Of the first argument's characters."""
    return tenth(cost_size(arguments[0]))


def rebuilding(arguments: Sequence[Any], _result: Any) -> int:
    """Of reading the first argument and building as much."""
    return tenth(2 * cost_size(arguments[0]))


def elements(arguments: Sequence[Any], _result: Any) -> int:
    return cost_size(arguments[0])


def matching(arguments: Sequence[Any], _result: Any) -> int:
    return tenth(1 + cost_size(arguments[0])) * -(-cost_size(arguments[1]) // 4)
