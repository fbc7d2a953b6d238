"""What a function of a library is: how the checker knows it, what computes it, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .errors import no_such_overload
from .values import Duration, Timestamp, UInt, cost_size

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


_CLASSES: dict[str, type] = {
    "string": str,
    "bytes": bytes,
    "int": int,
    "uint": UInt,
    "double": float,
    "bool": bool,
    "timestamp": Timestamp,
    "duration": Duration,
}


def guarded(compute: Callable[..., Any], signatures: Sequence[str]) -> Callable[..., Any]:
    """Takes what one of the overloads takes, and has no overload for anything else: data may contradict their types."""
    overloads = [signature.partition("->")[0].split() for signature in signatures]
    known: dict[tuple[type, ...], bool] = {}

    def call(*arguments: Any) -> Any:
        classes = tuple([argument.__class__ for argument in arguments])
        taken = known.get(classes)
        if taken is None:
            taken = known[classes] = any(_takes(overload, classes) for overload in overloads)
        if not taken:
            raise no_such_overload()
        return compute(*arguments)

    return call


def _takes(overload: Sequence[str], classes: Sequence[type]) -> bool:
    return len(overload) == len(classes) and all(map(_fits, overload, classes))


def _fits(kind: str, given: type) -> bool:
    if kind in _CLASSES:
        return given is _CLASSES[kind]
    if kind.startswith("list<"):
        return given is list
    named = getattr(given, "cel_type", None)
    return kind == "dyn" or (named is not None and (named == kind or not isinstance(named, str)))


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
    """Of going through all that the first argument has: text counts by its bytes, rounded down."""
    return _within(arguments[0])


def _within(value: Any) -> int:
    kind = value.__class__
    if kind is str:
        return int(len(value.encode(errors="surrogatepass")) * 0.1)
    if kind is bytes:
        return int(len(value) * 0.1)
    if kind is list:
        return sum(map(_within, value))
    if kind is dict:
        return sum(_within(key) + _within(item) for key, item in value.items())
    return 1


def matching(arguments: Sequence[Any], _result: Any) -> int:
    return tenth(1 + cost_size(arguments[0])) * -(-cost_size(arguments[1]) // 4)
