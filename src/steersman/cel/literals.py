"""What is said of literals when an expression is compiled: the checks that Kubernetes has cel-go do beside the types.

Elements of a list, and keys and values of a map, have one type; durations, timestamps and patterns that are written out
can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from . import checked
from .checked import CheckedExpression
from .errors import CELError, CompileError
from .library.regexes import pattern
from .values import duration, timestamp

_READERS = {"duration": duration, "timestamp": timestamp}
_MIXING = "format"
"""Takes arguments of any types."""
_PATTERNS = frozenset(("find", "findAll"))


class _Fault(NamedTuple):
    place: int
    text: str


def check(tree: CheckedExpression, expression: str) -> None:
    """Raises :class:`.errors.CompileError` with all faults, each with its place."""
    faults = sorted(_faults(tree, tree.root), key=lambda fault: fault.place)
    if faults:
        raise CompileError("compilation failed: " + "\n".join(_shown(fault, expression) for fault in faults))


def _shown(fault: _Fault, expression: str) -> str:
    start = expression.rfind("\n", 0, fault.place) + 1
    line = expression[start:].split("\n", 1)[0]
    column = fault.place - start
    number = expression.count("\n", 0, fault.place) + 1
    return f"ERROR: <input>:{number}:{column + 1}: {fault.text}\n | {line}\n | {'.' * column}^"


def _faults(tree: CheckedExpression, node: Any, *, mixed: bool = False) -> Iterator[_Fault]:
    form = checked.form(node)
    if form == "list_expr" and not mixed:
        elements = list(node.list_expr.elements)
        optional = frozenset(node.list_expr.optional_indices)
        yield from _alike(tree, [each for index, each in enumerate(elements) if index not in optional])
    elif form == "struct_expr" and not mixed and not node.struct_expr.message_name:
        entries = list(node.struct_expr.entries)
        yield from _alike(tree, [entry.map_key for entry in entries])
        yield from _alike(tree, [entry.value for entry in entries if not entry.optional_entry])
    elif form == "call_expr":
        yield from _argument(tree, node.call_expr)
        mixed = mixed or node.call_expr.function == _MIXING
    for below in checked.children(node):
        yield from _faults(tree, below, mixed=mixed)


def _alike(tree: CheckedExpression, nodes: list[Any]) -> Iterator[_Fault]:
    if not nodes:
        return
    known = tree.exact_type(nodes[0])
    for node in nodes[1:]:
        other = tree.exact_type(node)
        if not checked.assignable(known, other):
            text = f"expected type '{checked.spelled(known)}' but found '{checked.spelled(other)}'"
            yield _Fault(tree.place(node), text)


def _argument(tree: CheckedExpression, call: Any) -> Iterator[_Fault]:
    name = call.function
    if name in _PATTERNS and (text := _text(call.args[0])) is not None:
        try:
            pattern(text)
        except CELError as error:
            raise CompileError(f"program instantiation failed: {error}") from None
    read = pattern if name == "matches" else _READERS.get(name)
    if read is None or not call.args or (text := _text(call.args[-1])) is None:
        return
    try:
        read(text)
    except CELError:
        yield _Fault(tree.place(call.args[-1]), f"invalid {name} argument")


def _text(node: Any) -> str | None:
    """A text that is written out."""
    value = checked.constant(node.const_expr) if checked.form(node) == "const_expr" else None
    return value if isinstance(value, str) else None
