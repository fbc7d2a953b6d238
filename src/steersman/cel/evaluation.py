"""Makes a checked tree closures, once: each takes the frame, and gives a value.

What a tree costs whatever the data is added up when it is compiled and charged where branches begin; only what depends
on sizes is counted as it runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import checked, construction
from .calls import UNTIL, WHOLE, Compiled, Evaluate, Frame, copying, counted, many, two
from .checked import CheckedExpression
from .errors import (
    FAULTS,
    CELError,
    CompileError,
    CostExceeded,
    TimeExceeded,
    as_value,
    no_such_key,
    no_such_overload,
)
from .listtypes import concatenate, same
from .operators import IMPLEMENTATIONS
from .types import Decl
from .values import NONE, Optional, TypeValue, UInt, decoded, timestamp, to_duration

UNSET: Any = object()
_RESULT = "@result"
"""What macros call what they build; no expression can name it."""

_GROWING = frozenset(("_+_", "replace"))
"""What makes much of little, at the cost of the little."""

_clock = time.monotonic
_LIST_COST, _MAP_COST, _OBJECT_COST = 10, 30, 40
_OBSERVED: dict[str, Callable[[Any], Any]] = {
    "double": float,
    "timestamp": lambda text: timestamp(text if "T" in text else text + "T00:00:00Z"),
    "duration": to_duration,
    "bytes": decoded,
}
_RAW = {"double": int, "timestamp": str, "duration": str, "bytes": str}
_HASHED = frozenset((bool, int, UInt, float, str))
_CONVERSIONS = frozenset(("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint"))
_CONSTANT_SIZED = frozenset(("bool", "int", "uint", "double", "timestamp", "duration"))


class Evaluator:
    """Compiles one tree; ``slots`` tells where in the frame each variable has its place."""

    def __init__(self, tree: CheckedExpression, variables: Mapping[str, Decl]) -> None:
        self._tree = tree
        self.slots = {name: index for index, name in enumerate(variables, 2)}
        self.width = 2 + len(self.slots)
        self._scope: dict[str, tuple[int, Decl | None]] = {
            name: (self.slots[name], declared) for name, declared in variables.items()
        }
        self._growing: set[int] = set()
        """Where the lists are that macros build: nobody else has them, so that they may be changed."""
        self.compiled = self._expression(tree.root)

    def _expression(self, node: Any) -> Compiled:
        return {
            "const_expr": self._constant,
            "ident_expr": self._identifier,
            "select_expr": self._select,
            "call_expr": self._call,
            "list_expr": self._list,
            "struct_expr": self._map,
            "comprehension_expr": self._comprehension,
        }[checked.form(node)](node)

    def _constant(self, node: Any) -> Compiled:
        value = checked.constant(node.const_expr)
        if node.const_expr.HasField("uint64_value"):
            value = UInt(value)
        return Compiled(lambda _: value, 0, fixed=True)

    def _identifier(self, node: Any) -> Compiled:
        name = node.ident_expr.name
        if name not in self._scope:
            name = self._tree.reference(node) or name
        if name not in self._scope:
            named = TypeValue(name)
            return Compiled(lambda _: named, 0)
        return self._variable(node, name)

    def _variable(self, node: Any, name: str) -> Compiled:
        slot, declared = self._scope[name]

        def identifier(frame: Frame) -> Any:
            value = frame[slot]
            if value is UNSET:
                raise CELError(f"no such attribute(s): {name}")
            if value.__class__ is CELError:
                raise value
            return value

        return Compiled(self._observed(node, identifier), 1, declared, bare=True)

    def _observed(self, node: Any, run: Evaluate) -> Evaluate:
        """Reads JSON's text or number as what the schema says it is."""
        kind = self._tree.type_of(node)
        if kind not in _OBSERVED:
            return run
        convert, raw = _OBSERVED[kind], _RAW[kind]

        def observed(frame: Frame) -> Any:
            value = run(frame)
            return convert(value) if value.__class__ is raw else value

        return observed

    def _select(self, node: Any) -> Compiled:
        select = node.select_expr
        if (name := self._tree.reference(node)) and name in self._scope:
            return self._variable(node, name)
        operand = self._expression(select.operand)
        key, declared = _field(operand.declared, select.field)
        strict = operand.declared is not None and operand.declared.hides_nulls
        if select.test_only:
            # Upstream keeps the cost of presence tests at none.
            return Compiled(_present(operand.run, key, strict), operand.cost)
        run, name = operand.run, select.field
        convert = _reader(declared)

        def chosen(frame: Frame) -> Any:
            value = run(frame)
            try:
                found = value[key]
            except KeyError:
                raise no_such_key(name) from None
            except TypeError:
                if value.__class__ is Optional:
                    return _through(value, key, strict, convert)
                raise no_such_overload() from None
            if found is None and strict:  # what is null is not there
                raise no_such_key(name)
            return found

        return Compiled(self._observed(node, chosen), operand.cost + 1, declared, bare=operand.bare)

    def _select_optional(self, arguments: Any) -> Compiled:
        operand = self._expression(arguments[0])
        key, declared = _field(operand.declared, arguments[1].const_expr.string_value)
        strict = operand.declared is not None and operand.declared.hides_nulls
        run, convert = operand.run, _reader(declared)

        def chosen(frame: Frame) -> Any:
            value = run(frame)
            return _through(value if value.__class__ is Optional else Optional(True, value), key, strict, convert)

        return Compiled(chosen, operand.cost + 1, declared)

    def _list(self, node: Any) -> Compiled:
        items = [self._expression(item) for item in node.list_expr.elements]
        optional = frozenset(node.list_expr.optional_indices)
        runs = [item.run for item in items]
        cost = _LIST_COST + sum(item.cost for item in items)
        if not optional:
            made = Compiled(lambda frame: [run(frame) for run in runs], cost)
            return _folded(made) if all(item.fixed for item in items) else made

        def build(frame: Frame) -> list[Any]:
            built: list[Any] = []
            for position, run in enumerate(runs):
                value = run(frame)
                if position not in optional:
                    built.append(value)
                elif value.present:
                    built.append(value.value)
            return built

        return Compiled(build, cost)

    def _map(self, node: Any) -> Compiled:
        if node.struct_expr.message_name:
            return self._object(node.struct_expr)
        entries = [
            (self._expression(entry.map_key), self._expression(entry.value), entry.optional_entry)
            for entry in node.struct_expr.entries
        ]
        parts = [(key.run, value.run, optional) for key, value, optional in entries]

        def build(frame: Frame) -> dict[Any, Any]:
            built: dict[Any, Any] = {}
            for key, run, optional in parts:
                name, value = key(frame), run(frame)
                if optional:
                    if not value.present:
                        continue
                    value = value.value
                if name in built:
                    raise CELError(f"Failed with repeated key: {name}")
                built[name] = value
            return built

        made = Compiled(build, _MAP_COST + sum(key.cost + value.cost for key, value, _ in entries))
        same_always = all(key.fixed and value.fixed and not optional for key, value, optional in entries)
        return _folded(made) if same_always else made

    def _object(self, struct: Any) -> Compiled:
        name = self._tree.built.get(struct.message_name, struct.message_name)
        if name != construction.PATCH and struct.message_name not in self._tree.built:
            raise CompileError(f"compilation failed: undeclared reference to '{name}' (in container '')")
        entries = [(entry.field_key, self._expression(entry.value), entry.optional_entry) for entry in struct.entries]
        parts = [(field, value.run, optional) for field, value, optional in entries]

        def make(frame: Frame) -> Any:
            fields: dict[str, Any] = {}
            for field, run, optional in parts:
                value = run(frame)
                if not optional:
                    fields[field] = value
                elif value.present:
                    fields[field] = value.value
            return construction.build(name, fields)

        return Compiled(make, _OBJECT_COST + sum(value.cost for _, value, _ in entries))

    def _call(self, node: Any) -> Compiled:
        call = node.call_expr
        special = _SPECIAL.get(call.function)
        if special is not None:
            return special(self, call.args)
        name = call.function
        arguments = list(call.args)
        if call.HasField("target"):
            qualified = checked.qualified(call.target)
            if qualified and f"{qualified}.{name}" in IMPLEMENTATIONS and qualified not in self._scope:
                name = f"{qualified}.{name}"
            else:
                arguments.insert(0, call.target)
        if name == "_+_" and (slot := self._grown(arguments[0])) is not None:
            return self._append(slot, arguments)
        if name in ("or", "orValue"):
            return self._alternative(arguments, name == "orValue")
        if name not in IMPLEMENTATIONS:
            raise CompileError(f"compilation failed: undeclared reference to '{name}'")
        compute, cost = IMPLEMENTATIONS[name]
        items = [self._expression(item) for item in arguments]
        if name in _CONVERSIONS and items[0].fixed:
            return _folded(Compiled(many(compute, items), 1))
        if name == "@in" and items[1].fixed and _simple(items[1].run([])):
            return Compiled(two(compute, items), items[0].cost)
        fixed = sum(item.cost for item in items)
        declared = next((item.declared for item in items if item.declared), None)
        if name == "_[_]":
            element = items[0].declared.element if items[0].declared else None
            cost = items[0].cost + items[1].charged() + 1
            return Compiled(self._observed(node, two(compute, items)), cost, element, bare=items[0].bare)
        if declared is not None and declared.list_type in ("set", "map"):
            if name in ("_==_", "_!=_"):
                compute = same(name == "_==_")
            elif name == "_+_":
                compute = concatenate(declared)
        kinds = {self._tree.type_of(item) for item in arguments}
        if kinds == {"int"} and name in WHOLE:
            return Compiled(WHOLE[name](items[0].run, items[1].run), fixed + 1)
        if callable(cost) and len(items) == 2 and name[0] == "_" and kinds <= _CONSTANT_SIZED:
            cost = 1
        if callable(cost):
            run = counted(compute, cost, items)
            if name in _GROWING:
                run = copying(run)
            return Compiled(run, fixed, declared if name == "_+_" else None)
        run = two(compute, items) if len(items) == 2 else many(compute, items)
        return Compiled(run, fixed + cost)

    def _grown(self, node: Any) -> int | None:
        if checked.form(node) != "ident_expr" or node.ident_expr.name != _RESULT:
            return None
        slot = self._scope[_RESULT][0] if _RESULT in self._scope else -1
        return slot if slot in self._growing else None

    def _append(self, slot: int, arguments: list[Any]) -> Compiled:
        """Adds to the list that a macro builds: to copy it each time would take the square of its length."""
        compute, _ = IMPLEMENTATIONS["_+_"]
        first, second = map(self._expression, arguments)
        run = second.run

        def append(frame: Frame) -> Any:
            built = frame[slot]
            if built.__class__ is CELError:
                raise built
            more = run(frame)
            frame[0] += 1
            if frame[0] > frame[1]:
                raise CostExceeded
            if built.__class__ is not list or more.__class__ is not list:
                return compute(built, more)
            built += more
            return built

        return Compiled(append, first.cost + second.cost)

    def _alternative(self, arguments: list[Any], unwrapped: bool) -> Compiled:
        first, second = map(self._expression, arguments)
        run, other, later = first.run, second.run, second.cost

        def alternative(frame: Frame) -> Any:
            value = run(frame)
            if value.present:
                return value.value if unwrapped else value
            frame[0] += later
            return other(frame)

        return Compiled(alternative, first.cost + 1)

    def _and(self, arguments: Any) -> Compiled:
        return self._logical(arguments, False)

    def _or(self, arguments: Any) -> Compiled:
        return self._logical(arguments, True)

    def _logical(self, arguments: Any, decisive: bool) -> Compiled:
        first, second = map(self._expression, arguments)
        run, other, later = first.run, second.run, second.cost

        def logical(frame: Frame) -> Any:
            try:
                left = run(frame)
            except FAULTS as error:
                frame[0] += later
                if other(frame) is decisive:
                    return decisive
                raise as_value(error) from None
            if left is decisive:
                return decisive
            frame[0] += later
            right = other(frame)
            if left.__class__ is bool and right.__class__ is bool:
                return right
            if right is decisive:
                return decisive
            raise no_such_overload()

        return Compiled(logical, first.cost)

    def _conditional(self, arguments: Any) -> Compiled:
        condition, yes, no = map(self._expression, arguments)
        run, first, second = condition.run, yes.run, no.run
        cost_first, cost_second = yes.charged(), no.charged()

        def conditional(frame: Frame) -> Any:
            decided = run(frame)
            if decided is True:
                frame[0] += cost_first
                return first(frame)
            if decided is False:
                frame[0] += cost_second
                return second(frame)
            raise no_such_overload()

        return Compiled(conditional, condition.cost, yes.declared)

    def _not_strictly_false(self, arguments: Any) -> Compiled:
        inner = self._expression(arguments[0])
        run = inner.run

        def lenient(frame: Frame) -> bool:
            try:
                value = run(frame)
            except FAULTS:
                return True
            return value is not False

        return Compiled(lenient, inner.cost + 1)

    def _comprehension(self, node: Any) -> Compiled:
        fold = node.comprehension_expr
        source = self._expression(fold.iter_range)
        start = self._expression(fold.accu_init)
        slot, second, accu = self.width, self.width + 1, self.width + 2
        self.width += 3
        outer = dict(self._scope)
        element = source.declared.element if source.declared else None
        keyed = self._tree.type_of(fold.iter_range) == "map"
        self._scope[fold.iter_var] = (slot, None if fold.iter_var2 or keyed else element)
        if fold.iter_var2:
            self._scope[fold.iter_var2] = (second, element)
        self._scope[fold.accu_var] = (accu, start.declared)
        condition = self._expression(fold.loop_condition)
        begin = start.run
        if fold.accu_var == _RESULT and checked.is_empty_list(fold.accu_init):
            self._growing.add(accu)
            begin = _new_list
        step = self._expression(fold.loop_step)
        self._growing.discard(accu)
        self._scope = dict(outer)
        self._scope[fold.accu_var] = (accu, start.declared)
        result = self._expression(fold.result)
        self._scope = outer
        over, proceed, advance, finish = source.run, condition.run, step.run, result.run
        before, after, pairs = condition.cost, step.cost, bool(fold.iter_var2)

        def loop(frame: Frame) -> Any:
            items: Any = over(frame)
            if items.__class__ is not list and not isinstance(items, Mapping):
                raise no_such_overload()
            numbered: Iterable[Any] = items
            if pairs:
                numbered = items.items() if isinstance(items, Mapping) else enumerate(items)
            value: Any = _start(begin, frame)
            limit = frame[1]
            for item in numbered:
                frame[accu] = value
                if pairs:
                    frame[slot], frame[second] = item
                else:
                    frame[slot] = item
                cost = frame[0] = frame[0] + before
                if cost > limit:
                    raise CostExceeded
                if _clock() > frame[UNTIL]:
                    raise TimeExceeded
                if not proceed(frame):
                    break
                frame[0] += after
                try:
                    value = advance(frame)
                except FAULTS as error:
                    value = as_value(error)
            frame[accu] = value
            if value.__class__ is CELError:
                raise value
            return finish(frame)

        return Compiled(loop, source.cost + start.cost + result.cost)


def _folded(compiled: Compiled) -> Compiled:
    """What is the same always, computed now; what fails then is left for later."""
    try:
        value = compiled.run([0, 0])
    except FAULTS:
        return compiled
    return Compiled(lambda _: value, 0, fixed=True)


def _simple(items: Any) -> bool:
    """Whether cel-go looks into a list that is written out as into a set, at no cost."""
    return items.__class__ is list and all(item.__class__ in _HASHED for item in items)


def _new_list(_: Frame) -> list[Any]:
    return []


def _start(begin: Evaluate, frame: Frame) -> Any:
    try:
        return begin(frame)
    except FAULTS as error:
        return as_value(error)


def _present(run: Evaluate, key: str, strict: bool) -> Evaluate:
    """Whether a member is there; ``strict``: in an object, where what is null is not."""

    def present(frame: Frame) -> Any:
        value = run(frame)
        if value.__class__ is Optional:
            if not value.present:
                return False
            value = value.value
        if isinstance(value, Mapping):
            return key in value and not (strict and value[key] is None)
        raise no_such_overload()

    return present


def _through(value: Optional, key: str, strict: bool, convert: Callable[[Any], Any] | None) -> Optional:
    if not value.present:
        return NONE
    if not isinstance(value.value, Mapping):
        raise no_such_overload()
    if key not in value.value:
        return NONE
    found = value.value[key]
    if found is None and strict:
        return NONE
    return Optional(True, convert(found) if convert is not None else found)


def _reader(declared: Decl | None) -> Callable[[Any], Any] | None:
    """What reads JSON as the schema means it, inside of optional values."""
    kind = declared.kind if declared is not None else ""
    if kind not in _OBSERVED:
        return None
    convert, raw = _OBSERVED[kind], _RAW[kind]
    return lambda value: convert(value) if value.__class__ is raw else value


def _field(declared: Decl | None, name: str) -> tuple[str, Decl | None]:
    if declared is None:
        return name, None
    if declared.kind == "object":
        return declared.fields.get(name, (name, None))
    return name, declared.element


_SPECIAL: dict[str, Callable[[Evaluator, Any], Compiled]] = {
    "_&&_": Evaluator._and,
    "_||_": Evaluator._or,
    "_?_:_": Evaluator._conditional,
    "_?._": Evaluator._select_optional,
    "@not_strictly_false": Evaluator._not_strictly_false,
}
