"""What an expression may cost at most, by the sizes that the schema allows; found without any data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from . import checked
from .checked import CheckedExpression
from .functions import tenth
from .operators import IMPLEMENTATIONS
from .types import DYN, Decl
from .values import Sized

STATIC_LIMIT = 10_000_000
"""What a single rule may be estimated at, in a definition."""
STATIC_TOTAL_LIMIT = 100_000_000
"""What all the rules of one definition may be estimated at."""
MOST = 2**64 - 1
_ADVICE = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings "
    "are declared)"
)
_SIZED = frozenset(("string", "bytes", "list", "map", "dyn"))
_CALLS: dict[str, Callable[[list[int]], int]] = {
    "@in": lambda sizes: sizes[1],
    "_+_": lambda sizes: max(1, tenth(sum(sizes))),
    "indexOf": lambda sizes: sizes[0],
    "lastIndexOf": lambda sizes: sizes[0],
    "ip": lambda sizes: max(1, tenth(sizes[0])),
    "containsIP": lambda sizes: 4 + tenth(sizes[1]),
    "containsCIDR": lambda sizes: 7 + tenth(sizes[1]),
    "string": lambda sizes: max(1, tenth(sizes[0])),
    "bytes": lambda sizes: max(1, tenth(sizes[0])),
}


class Estimate(NamedTuple):
    cost: int
    size: int = 1
    declared: Decl | None = None


def exceeds(cost: int, limit: int = STATIC_LIMIT) -> str | None:
    """Upstream's words for a rule whose estimate is beyond the limit."""
    if cost <= limit:
        return None
    factor = cost / limit
    times = "more than 100x" if factor > 100 else f"{factor:.1f}x"
    return f"estimated rule cost exceeds budget by factor of {times} {_ADVICE}"


def estimate(tree: CheckedExpression, variables: Mapping[str, Decl]) -> int:
    return min(MOST, _Estimator(tree, variables).of(tree.root).cost)


class _Estimator:
    def __init__(self, tree: CheckedExpression, variables: Mapping[str, Decl]) -> None:
        self._tree = tree
        self._scope: dict[str, Estimate] = {name: _declared(1, declared) for name, declared in variables.items()}

    def of(self, node: Any) -> Estimate:
        form = checked.form(node)
        if form == "const_expr":
            value = checked.constant(node.const_expr)
            return Estimate(0, len(value) if isinstance(value, str | bytes) else 1)
        if form == "ident_expr":
            return self._scope.get(node.ident_expr.name, Estimate(1))
        if form == "select_expr":
            return self._select(node)
        if form == "list_expr":
            items = [self.of(item) for item in node.list_expr.elements]
            size = max((item.size for item in items), default=1)
            return Estimate(
                10 + sum(item.cost for item in items), len(items), Decl("list", element=Decl("dyn", size=size))
            )
        if form == "struct_expr":
            entries = node.struct_expr.entries
            return Estimate(
                30 + sum(self.of(each.map_key).cost + self.of(each.value).cost for each in entries), len(entries)
            )
        return self._comprehension(node) if form == "comprehension_expr" else self._call(node)

    def _select(self, node: Any) -> Estimate:
        operand = self.of(node.select_expr.operand)
        declared = operand.declared
        if declared is None or declared.kind == "dyn":
            return self._unknown(node, operand.cost + 1)
        found = declared.fields.get(node.select_expr.field, ("", declared.element))[1]
        return _declared(operand.cost + 1, found) if found is not None else self._unknown(node, operand.cost + 1)

    def _call(self, node: Any) -> Estimate:
        call = node.call_expr
        name = call.function
        items = [self.of(item) for item in call.args]
        if call.HasField("target"):
            items.insert(0, self.of(call.target))
        cost = sum(item.cost for item in items)
        if name == "_?_:_":
            larger = max(items[1:], key=lambda item: item.size)
            return Estimate(items[0].cost + max(items[1].cost, items[2].cost), larger.size, larger.declared)
        if name in ("_&&_", "_||_"):
            return Estimate(cost)
        declared = items[0].declared if items else None
        if name == "_[_]" and declared is not None and declared.element is not None:
            return _declared(cost + 1, declared.element)
        sizes = [item.size for item in items]
        if name == "join":
            element = declared.element if declared is not None else None
            return Estimate(cost + _built(sizes, element), _joined(sizes, element))
        if name == "replace":
            return Estimate(cost + max(1, tenth(2 * sizes[0])), sizes[0] + (sizes[0] + 1) * sizes[2])
        price = IMPLEMENTATIONS.get(name, (None, 1))[1]
        if name in _CALLS:
            cost += _CALLS[name](sizes)
        elif callable(price):
            cost += price([Sized(size) for size in sizes], Sized(sizes[0] if sizes else 1))
        else:
            cost += price
        if name == "_+_":
            return Estimate(cost, sum(sizes), declared)
        if self._tree.type_of(node) in _SIZED:
            return Estimate(cost, max(sizes, default=1))
        return Estimate(cost)

    def _comprehension(self, node: Any) -> Estimate:
        fold = node.comprehension_expr
        source, start = self.of(fold.iter_range), self.of(fold.accu_init)
        element = source.declared.element if source.declared else None
        keys = self._tree.type_of(fold.iter_range) == "map"
        outer = dict(self._scope)
        item = _declared(1, element or DYN)
        key = Estimate(1, DYN.size) if keys else Estimate(1)
        self._scope[fold.iter_var] = key if keys or fold.iter_var2 else item
        if fold.iter_var2:
            self._scope[fold.iter_var2] = item
        self._scope[fold.accu_var] = Estimate(1, start.size, start.declared)
        each = self.of(fold.loop_condition).cost + self.of(fold.loop_step).cost
        self._scope = outer
        built = self._tree.type_of(node) in ("list", "map")
        self._scope = {**outer, fold.accu_var: Estimate(1)}
        result = self.of(fold.result)
        self._scope = outer
        cost = source.cost + start.cost + source.size * each + result.cost
        return Estimate(cost, source.size if built else result.size, source.declared if built else None)

    def _unknown(self, node: Any, cost: int) -> Estimate:
        return Estimate(cost, DYN.size if self._tree.type_of(node) in _SIZED else 1)


def _declared(cost: int, declared: Decl) -> Estimate:
    return Estimate(cost, declared.size if declared.kind in _SIZED else 1, declared)


def _joined(sizes: list[int], element: Decl | None) -> int:
    return sizes[0] * ((element or DYN).size + (sizes[1] if len(sizes) > 1 else 0))


def _built(sizes: list[int], element: Decl | None) -> int:
    return max(1, tenth(2 * _joined(sizes, element)))
