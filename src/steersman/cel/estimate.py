"""What an expression may cost, at least and at most, by the sizes that the schema allows; found without any data.

The rules are cel-go's (``checker/cost.go``) with the prices of Kubernetes's libraries: definitions are refused by them,
so that a rule has the same estimate here as upstream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from . import checked
from .checked import CheckedExpression
from .operators import IMPLEMENTATIONS
from .prices import MOST, PRICES, UNKNOWN, Item, Range, fixed, plus, scaled, times, union
from .types import Decl

STATIC_LIMIT = 10_000_000
"""What a single rule may be estimated at, in a definition."""
STATIC_TOTAL_LIMIT = 100_000_000
"""What all the rules of one definition may be estimated at."""
_ADVICE = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings "
    "are declared)"
)
_SCALARS = frozenset(("bool", "int", "uint", "double", "timestamp", "duration"))
_NO_SELECTION = frozenset(("dyn", "optional_type", "optional"))
_COMPARISONS = frozenset(("_<_", "_<=_", "_>_", "_>=_"))


def exceeds(cost: int, limit: int = STATIC_LIMIT, what: str = "estimated rule cost") -> str | None:
    """Upstream's words for an estimate that is beyond the limit."""
    if cost <= limit:
        return None
    factor = cost / limit
    times_ = "more than 100x" if factor > 100 else f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{what} exceeds budget by factor of {times_} {_ADVICE}"


def estimate(tree: CheckedExpression, variables: Mapping[str, Decl]) -> Range:
    return _Estimator(tree, variables).of(tree.root).cost


class _Known(NamedTuple):
    """A node: what it costs, and what is known of its value."""

    cost: Range
    size: Range | None = None
    entry: tuple[Range, Range] | None = None
    """The sizes of the keys and of the elements of what the expression itself builds."""
    declared: Decl | None = None


class _Estimator:
    def __init__(self, tree: CheckedExpression, variables: Mapping[str, Decl]) -> None:
        self._tree = tree
        self._scope = {name: _Known(fixed(1), (0, each.size), None, each) for name, each in variables.items()}

    def of(self, node: Any) -> _Known:
        match checked.form(node):
            case "const_expr":
                value = checked.constant(node.const_expr)
                return _Known(fixed(0), fixed(len(value) if isinstance(value, str | bytes) else 1))
            case "ident_expr":
                return self._identifier(node, node.ident_expr.name)
            case "select_expr":
                return self._select(node)
            case "list_expr":
                items = [self.of(item) for item in node.list_expr.elements]
                size = fixed(len(items))
                return _Known(plus(fixed(10), *_costs(items)), size, (fixed(1), _spanned(items)))
            case "struct_expr":
                return self._struct(node)
            case "comprehension_expr":
                return self._comprehension(node)
        return self._call(node)

    def _identifier(self, node: Any, name: str) -> _Known:
        known = self._scope.get(name) or self._scope.get(self._tree.reference(node))
        if known is None:
            return _Known(fixed(1), self._by_type(node))
        if known.declared is not None:
            return known
        return known._replace(size=self._by_type(node) or known.size)

    def _by_type(self, node: Any) -> Range | None:
        return fixed(1) if self._tree.type_of(node) in _SCALARS else None

    def _select(self, node: Any) -> _Known:
        if (name := self._tree.reference(node)) and name in self._scope:
            return self._identifier(node, name)
        operand = self.of(node.select_expr.operand)
        if node.select_expr.test_only:
            return _Known(operand.cost, fixed(1))
        cost = operand.cost
        if self._tree.type_of(node.select_expr.operand) not in _NO_SELECTION:
            cost = plus(cost, fixed(1))
        return self._part(node, cost, _member(operand.declared, node.select_expr.field))

    def _part(self, node: Any, cost: Range, declared: Decl | None, size: Range | None = None) -> _Known:
        """A value that is found in another one."""
        if size is None:
            size = (0, declared.size) if declared is not None else self._by_type(node)
        return _Known(cost, size, None, declared)

    def _struct(self, node: Any) -> _Known:
        struct = node.struct_expr
        values = [self.of(entry.value) for entry in struct.entries]
        if struct.message_name:
            return _Known(plus(fixed(40), *_costs(values)))
        keys = [self.of(entry.map_key) for entry in struct.entries]
        cost = plus(fixed(30), *_costs(keys), *_costs(values))
        return _Known(cost, fixed(len(values)), (_spanned(keys), _spanned(values)))

    def _call(self, node: Any) -> _Known:
        call = node.call_expr
        name = call.function
        arguments = list(call.args)
        if call.HasField("target"):
            qualified = checked.qualified(call.target)
            if qualified and qualified not in self._scope and f"{qualified}.{name}" in IMPLEMENTATIONS:
                name = f"{qualified}.{name}"
            else:
                arguments.insert(0, call.target)
        known = [self.of(argument) for argument in arguments]
        spent = plus(*_costs(known))
        if name == "dyn":
            return known[0]._replace(cost=plus(spent, fixed(1)))
        if name in ("_&&_", "_||_"):
            return _Known((known[0].cost[0], plus(*_costs(known))[1]), fixed(1))
        if name == "_?_:_":
            return _chosen(known)
        if name in ("_[_]", "_[?_]", "_?._"):
            return self._index(node, name, known, spent)
        items = [self._item(argument, each) for argument, each in zip(arguments, known, strict=True)]
        if name == "_+_":
            return self._sum(node, items, known, spent)
        price = PRICES.get(name)
        if price is None or (name in _COMPARISONS and not _texts(items)):
            return _Known(plus(spent, fixed(1)), self._by_type(node))
        cost, size = price(items)
        return _Known(plus(spent, cost), size or self._by_type(node))

    def _item(self, node: Any, known: _Known) -> Item:
        element = known.declared.element if known.declared is not None else None
        literal = checked.constant(node.const_expr) if checked.form(node) == "const_expr" else None
        size = known.size if known.size is not None else UNKNOWN
        inner = (0, element.size) if element is not None else UNKNOWN
        return Item(self._tree.type_of(node), size, inner, self._tree.element_of(node), literal)

    def _index(self, node: Any, name: str, known: list[_Known], spent: Range) -> _Known:
        source = known[0]
        if name == "_?._":
            return _Known(plus(spent, fixed(1)), None, None, source.declared)
        element = source.declared.element if source.declared is not None else None
        return self._part(node, plus(spent, fixed(1)), element, source.entry[1] if source.entry else None)

    def _sum(self, node: Any, items: list[Item], known: list[_Known], spent: Range) -> _Known:
        kinds = {item.kind for item in items}
        if kinds <= _SCALARS:
            return _Known(plus(spent, fixed(1)), fixed(1))
        size = plus(items[0].size, items[1].size)
        cost = scaled(size, 0.1)
        if "list" in kinds:
            cost = fixed(1)
        elif "dyn" in kinds:
            cost = union(cost, fixed(1))
        one, other = known[0].entry, known[1].entry
        entry = (union(one[0], other[0]), union(one[1], other[1])) if one and other else None
        return _Known(plus(spent, cost), size, entry)

    def _comprehension(self, node: Any) -> _Known:
        fold = node.comprehension_expr
        source, start = self.of(fold.iter_range), self.of(fold.accu_init)
        outer = dict(self._scope)
        self._scope[fold.accu_var] = start._replace(cost=fixed(1))
        if checked.is_binding(fold):
            result = self.of(fold.result)
            self._scope = outer
            return result._replace(cost=plus(source.cost, start.cost, result.cost))
        keyed = self._tree.type_of(fold.iter_range) == "map"
        element = source.declared.element if source.declared is not None else None
        sizes = source.entry or (None, None)
        item = _Known(fixed(1), (0, element.size) if element is not None else sizes[1], None, element)
        key = _Known(fixed(1), sizes[0] if source.declared is None else (0, _KEY) if keyed else None)
        self._scope[fold.iter_var] = key if keyed or fold.iter_var2 else item
        if fold.iter_var2:
            self._scope[fold.iter_var2] = item
        step = self.of(fold.loop_step)
        each = plus(self.of(fold.loop_condition).cost, step.cost)
        self._scope = {**outer, fold.accu_var: start._replace(cost=fixed(1))}
        result = self.of(fold.result)
        self._scope = outer
        count = source.size if source.size is not None else UNKNOWN
        cost = plus(source.cost, start.cost, result.cost, times(count, each))
        if checked.form(fold.accu_init) == "const_expr":
            return _Known(cost, start.size)
        return _Known(cost, count, step.entry)


_KEY = 3 * 1024 * 1024 - 2
"""Characters of the key of a map at most."""


def _costs(known: list[_Known]) -> list[Range]:
    return [each.cost for each in known]


def _spanned(known: list[_Known]) -> Range:
    """The sizes that any of some may have."""
    sizes = [each.size if each.size is not None else UNKNOWN for each in known]
    return (min(size[0] for size in sizes), max(size[1] for size in sizes)) if sizes else (0, 0)


def _member(declared: Decl | None, field: str) -> Decl | None:
    """What a selection leads to; cel-go knows nothing of what is selected from a map."""
    return declared.fields[field][1] if declared is not None and field in declared.fields else None


def _chosen(known: list[_Known]) -> _Known:
    condition, yes, no = known
    entry = None
    if yes.entry and no.entry:
        entry = (union(yes.entry[0], no.entry[0]), union(yes.entry[1], no.entry[1]))
    return _Known(plus(condition.cost, union(yes.cost, no.cost)), _spanned([yes, no]), entry)


def _texts(items: list[Item]) -> bool:
    return any(item.kind in ("string", "bytes", "dyn") for item in items)


__all__ = ("MOST", "STATIC_LIMIT", "STATIC_TOTAL_LIMIT", "estimate", "exceeds")
