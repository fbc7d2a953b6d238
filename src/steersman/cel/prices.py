"""What calls may cost by the sizes of what they are given, as Kubernetes's cost estimator has it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

MOST = 2**64 - 1
Range = tuple[int, int]
"""The least and the most; what is beyond :data:`MOST` is that."""
UNKNOWN: Range = (0, MOST)
_TRAVERSAL, _PATTERN = 0.1, 0.25
_LONGEST_FORMAT_PATTERN = 128
_CONSTANT_EQUALITY = frozenset(
    (
        "net.IP",
        "net.CIDR",
        "kubernetes.Quantity",
        "kubernetes.Semver",
        "kubernetes.URL",
        "kubernetes.authorization.Authorizer",
        "kubernetes.authorization.PathCheck",
        "kubernetes.authorization.GroupCheck",
        "kubernetes.authorization.ResourceCheck",
        "kubernetes.authorization.Decision",
    )
)


class Item(NamedTuple):
    """An argument."""

    kind: str
    size: Range
    element: Range = UNKNOWN
    """The sizes of its elements."""
    element_kind: str = "dyn"
    literal: Any = None


Price = Callable[[Sequence[Item]], tuple[Range, Range | None]]
"""The cost of the call alone, and the size of its result where it is known."""


def fixed(number: int) -> Range:
    return number, number


def plus(*ranges: Range) -> Range:
    return min(MOST, sum(each[0] for each in ranges)), min(MOST, sum(each[1] for each in ranges))


def times(one: Range, other: Range) -> Range:
    return min(MOST, one[0] * other[0]), min(MOST, one[1] * other[1])


def union(one: Range, other: Range) -> Range:
    return min(one[0], other[0]), max(one[1], other[1])


def scaled(size: Range, factor: float) -> Range:
    return _scaled(size[0], factor), _scaled(size[1], factor)


def _scaled(number: int, factor: float) -> int:
    return min(MOST, math.ceil(float(number) * factor))


def _read(items: Sequence[Item]) -> tuple[Range, Range | None]:
    """The first argument is read."""
    return scaled(items[0].size, _TRAVERSAL), None


def _rewritten(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return scaled(items[0].size, _TRAVERSAL), items[0].size


def _elements(items: Sequence[Item]) -> tuple[Range, Range | None]:
    first = items[0]
    if first.kind == "string":
        return scaled(first.size, _TRAVERSAL), None
    each = fixed(1)
    if first.element_kind in ("string", "bytes"):
        each = plus(each, scaled(first.element, _TRAVERSAL))
    return times(first.size, each), None


def _replaced(items: Sequence[Item]) -> tuple[Range, Range | None]:
    size, old, new = (item.size for item in items[:3])
    least = _least_replaced(size[0], old[1], new[0])
    return scaled(size, 2 * _TRAVERSAL), (least, _most_replaced(size[1], old[0], new[1]))


def _most_replaced(size: int, old: int, new: int) -> int:
    if old == 0:  # around each character
        return min(MOST, (size + 1) * new + size)
    return size if new <= old else min(MOST, math.ceil(size / old) * new)


def _least_replaced(size: int, old: int, new: int) -> int:
    if old == 0:
        return min(MOST, (size + 1) * new + size)
    return size if old <= new else math.ceil(size / old) * new


def _split(items: Sequence[Item]) -> tuple[Range, Range | None]:
    most = items[0].size[1]
    if len(items) > 2 and isinstance(items[2].literal, int) and items[2].literal >= 0:
        most = items[2].literal
    return scaled(items[0].size, 2 * _TRAVERSAL), (0, most)


def _joined(items: Sequence[Item]) -> tuple[Range, Range | None]:
    count = items[0].size
    size = times(count, items[0].element)
    if len(items) > 1:
        size = plus(size, times(items[1].size, (max(0, count[0] - 1), max(0, count[1] - 1))))
    return scaled(size, _TRAVERSAL), size


def _pattern_cost(items: Sequence[Item]) -> Range:
    text = scaled(plus(items[0].size, fixed(1)), _TRAVERSAL)
    return times(text, scaled(items[1].size, _PATTERN))


def _found(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return _pattern_cost(items), (0, items[0].size[1])


def _matched(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return _pattern_cost(items), None


def _contained(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return times(scaled(items[0].size, _TRAVERSAL), scaled(items[1].size, _TRAVERSAL)), None


def _affix(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return scaled(items[1].size, _TRAVERSAL), None


def _smaller(items: Sequence[Item]) -> tuple[Range, Range | None]:
    """Of two that are compared."""
    if items[0].kind == items[1].kind and items[0].kind in _CONSTANT_EQUALITY:
        return fixed(1), None
    most = min(items[0].size[1], items[1].size[1])
    return scaled((1 if most else 0, most), _TRAVERSAL), None


def _within(items: Sequence[Item]) -> tuple[Range, Range | None]:
    if items[1].kind == "map":
        return fixed(1), None
    return (union(items[1].size, fixed(1)) if items[1].kind == "dyn" else items[1].size), None


def _bytes(items: Sequence[Item]) -> tuple[Range, Range | None]:
    if items[0].kind != "string":
        return fixed(1), items[0].size
    low, high = items[0].size
    return scaled((low, high), _TRAVERSAL), (low, min(MOST, high * 4))


def _string(items: Sequence[Item]) -> tuple[Range, Range | None]:
    if items[0].kind != "bytes":
        return fixed(1), None
    low, high = items[0].size
    return scaled((low, high), _TRAVERSAL), (low // 4, high)


def _quoted(items: Sequence[Item]) -> tuple[Range, Range | None]:
    low, high = items[0].size
    return scaled((low, high), _TRAVERSAL), (low + 2, min(MOST, high * 2 + 2))


def _address(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return (scaled(items[0].size, _TRAVERSAL) if items[0].kind == "string" else fixed(1)), None


def _canonical(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return scaled(items[0].size, 2 * _TRAVERSAL), None


def _parsed(items: Sequence[Item]) -> Range:
    return scaled(items[1].size, _TRAVERSAL) if items[1].kind in ("string", "dyn") else fixed(0)


def _holds_address(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return plus(scaled((8, 32), _TRAVERSAL), _parsed(items)), None


def _holds_network(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return plus(scaled((8, 32), _TRAVERSAL), scaled((4, 16), _TRAVERSAL), fixed(1), _parsed(items)), None


def _validated(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return scaled(scaled(items[1].size, _TRAVERSAL), _LONGEST_FORMAT_PATTERN * _PATTERN), None


def _selector(items: Sequence[Item]) -> tuple[Range, Range | None]:
    size = items[1].size
    return plus(fixed(10), scaled(size, _TRAVERSAL), scaled(scaled(size, 0.5), 50)), None


def _checked(_: Sequence[Item]) -> tuple[Range, Range | None]:
    return fixed(350_000), None


def _sets(factor: int) -> Price:
    def price(items: Sequence[Item]) -> tuple[Range, Range | None]:
        return plus(fixed(1), times(fixed(factor), times(items[0].size, items[1].size))), None

    return price


def _allocated(size: Range, factor: float = 1) -> tuple[Range, Range | None]:
    """A new list, whose size cel-go takes for that of the work."""
    return plus(fixed(11), scaled(size, factor)), size


def _literal(item: Item, otherwise: int) -> int:
    """A number as it is written; a negative one is none."""
    return max(item.literal, 0) if item.literal.__class__ is int else otherwise


def _reversed(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return _allocated(items[0].size)


def _cut(items: Sequence[Item]) -> tuple[Range, Range | None]:
    start, end = _literal(items[1], 0), _literal(items[2], items[0].size[1])
    return _allocated(fixed((end - start) & MOST))


def _counted(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return _allocated(fixed(_literal(items[0], MOST)))


def _flattened(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return _allocated(items[0].size, _literal(items[1], MOST) if len(items) > 1 else 1)


def _distinct(items: Sequence[Item]) -> tuple[Range, Range | None]:
    return _allocated(times(items[0].size, items[0].size), 2)


def _sorted(items: Sequence[Item]) -> tuple[Range, Range | None]:
    """By the elements themselves, or by keys of theirs."""
    keys = items[-1]
    texts = keys.element_kind in ("string", "bytes")
    return _allocated(times(keys.size, keys.size), 2 + _TRAVERSAL if texts else 2)


PRICES: dict[str, Price] = {
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _elements),
    **dict.fromkeys(("url", "jsonpatch.escapeKey", "lowerAscii", "upperAscii", "substring", "trim"), _rewritten),
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _read),
    **dict.fromkeys(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"), _smaller),
    **dict.fromkeys(("sort", "@sortByAssociatedKeys"), _sorted),
    **dict.fromkeys(("fieldSelector", "labelSelector"), _selector),
    **dict.fromkeys(("find", "findAll"), _found),
    **dict.fromkeys(("startsWith", "endsWith"), _affix),
    "@in": _within,
    "bytes": _bytes,
    "check": _checked,
    "contains": _contained,
    "containsCIDR": _holds_network,
    "containsIP": _holds_address,
    "distinct": _distinct,
    "flatten": _flattened,
    "format": _rewritten,
    "ip": _address,
    "ip.isCanonical": _canonical,
    "join": _joined,
    "lists.range": _counted,
    "matches": _matched,
    "replace": _replaced,
    "reverse": _reversed,
    "sets.contains": _sets(1),
    "sets.equivalent": _sets(2),
    "sets.intersects": _sets(1),
    "slice": _cut,
    "split": _split,
    "string": _string,
    "strings.quote": _quoted,
    "validate": _validated,
}
