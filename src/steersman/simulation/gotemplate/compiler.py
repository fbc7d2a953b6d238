"""From syntax to closures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .errors import TemplateError
from .syntax import (
    Action,
    Branch,
    Call,
    Chain,
    Command,
    Dot,
    Function,
    Jump,
    Literal,
    Node,
    Operand,
    Pipeline,
    Text,
    Variable,
)
from .values import NUMBER_METHODS, kind, text, truth

MOST_DEPTH = 100
"""Templates that call each other deeper than this never end."""


class Frame:
    """Where an execution is: dot, the variables in sight, what was written, and what functions may ask."""

    __slots__ = ("context", "depth", "dot", "out", "variables")

    def __init__(self, dot: Any, out: list[str], context: Any, depth: int = 0) -> None:
        self.dot = dot
        self.out = out
        self.context = context
        self.depth = depth
        self.variables: list[tuple[str, Any]] = [("$", dot)]

    def value(self, name: str) -> Any:
        """Of a variable, the innermost of its name."""
        for known, value in reversed(self.variables):
            if known == name:
                return value
        raise AssertionError(name)  # the parser has seen to it

    def assign(self, name: str, value: Any) -> None:
        """Change the innermost variable of a name."""
        for index in range(len(self.variables) - 1, -1, -1):
            if self.variables[index][0] == name:
                self.variables[index] = (name, value)
                return


Evaluate = Callable[[Frame], Any]
Execute = Callable[[Frame], str]
"""Returns ``break`` or ``continue`` where that is to be done further up."""


class Compiler:
    """Compiles the nodes of one text.

    ``contextual`` functions get what the template is executed for before their arguments.
    """

    def __init__(
        self,
        name: str,
        functions: Mapping[str, Callable[..., Any]],
        contextual: Mapping[str, Callable[..., Any]],
    ) -> None:
        self._name = name
        self._functions = functions
        self._contextual = contextual
        self.templates: dict[str, Execute] = {}

    def nodes(self, nodes: Sequence[Node]) -> Execute:
        """Executes one after the other."""
        parts = [self._node(node) for node in nodes]

        def execute(frame: Frame) -> str:
            for part in parts:
                if jump := part(frame):
                    return jump
            return ""

        return execute

    def _node(self, node: Node) -> Execute:
        match node:
            case Text(value):
                return lambda frame: frame.out.append(value) or ""  # type: ignore[func-returns-value]
            case Action(pipeline):
                return self._action(pipeline)
            case Branch(kind="range"):
                return self._range(node)
            case Branch():
                return self._branch(node)
            case Jump(kind_):
                return lambda _: kind_
            case Call():
                return self._call(node)

    def _action(self, pipeline: Pipeline) -> Execute:
        evaluate = self._pipeline(pipeline)

        def execute(frame: Frame) -> str:
            value = evaluate(frame)
            if not pipeline.names:
                frame.out.append(text(value))
            return ""

        return execute

    def _branch(self, node: Branch) -> Execute:
        evaluate, body, otherwise = self._pipeline(node.pipeline), self.nodes(node.body), self.nodes(node.otherwise)
        changes_dot = node.kind == "with"

        def execute(frame: Frame) -> str:
            mark, dot = len(frame.variables), frame.dot
            value = evaluate(frame)
            try:
                if not truth(value):
                    return otherwise(frame)
                if changes_dot:
                    frame.dot = value
                return body(frame)
            finally:
                frame.dot = dot
                del frame.variables[mark:]

        return execute

    def _range(self, node: Branch) -> Execute:
        names = node.pipeline.names
        evaluate = self._pipeline(node.pipeline, declare=False)
        body, otherwise = self.nodes(node.body), self.nodes(node.otherwise)
        declares = node.pipeline.declares

        def execute(frame: Frame) -> str:
            mark, dot = len(frame.variables), frame.dot
            items = self._items(evaluate(frame), node.line)
            try:
                anything = False
                for key, item in items:
                    anything = True
                    del frame.variables[mark:]
                    frame.dot = item
                    values = (key, item) if len(names) == 2 else (item,)
                    for name, value in zip(names, values, strict=False):
                        if declares:
                            frame.variables.append((name, value))
                        else:
                            frame.assign(name, value)
                    if body(frame) == "break":
                        break
                if not anything:
                    frame.dot = dot
                    return otherwise(frame)
            finally:
                frame.dot = dot
                del frame.variables[mark:]
            return ""

        return execute

    def _items(self, value: Any, line: int) -> Iterable[tuple[Any, Any]]:
        match value:
            case None:
                return ()
            case dict():
                return [(key, value[key]) for key in sorted(value)]
            case list() | tuple():
                return enumerate(value)
            case int() if not isinstance(value, bool):
                return ((number, number) for number in range(value))
        raise self._error(line, f"range can't iterate over {text(value)}")

    def _call(self, node: Call) -> Execute:
        evaluate = self._pipeline(node.pipeline) if node.pipeline is not None else None

        def execute(frame: Frame) -> str:
            if (template := self.templates.get(node.name)) is None:
                raise self._error(node.line, f'template "{node.name}" not defined')
            if frame.depth >= MOST_DEPTH:
                raise self._error(node.line, f"exceeded maximum template depth ({MOST_DEPTH})")
            mark = len(frame.variables)
            dot = evaluate(frame) if evaluate is not None else None
            del frame.variables[mark:]
            template(Frame(dot, frame.out, frame.context, frame.depth + 1))
            return ""

        return execute

    # -- expressions -------------------------------------------------------------------------------------------

    def _pipeline(self, pipeline: Pipeline, *, declare: bool = True) -> Evaluate:
        first, *others = (self._command(command) for command in pipeline.commands)
        names, declares = pipeline.names, pipeline.declares

        def evaluate(frame: Frame) -> Any:
            value = first(frame, ())
            for command in others:
                value = command(frame, (value,))
            if declare:
                for name in names:
                    if declares:
                        frame.variables.append((name, value))
                    else:
                        frame.assign(name, value)
            return value

        return evaluate

    def _command(self, command: Command) -> Callable[[Frame, tuple[Any, ...]], Any]:
        head, *rest = command.operands
        if isinstance(head, Function):
            return self._function(head, rest)
        operand = self._operand(head)
        return lambda frame, _: operand(frame)

    def _function(self, function: Function, operands: Sequence[Operand]) -> Callable[[Frame, tuple[Any, ...]], Any]:
        name, line = function.name, function.line
        arguments = [self._operand(operand) for operand in operands]
        if name in ("and", "or"):
            return self._shortcut(name, arguments, line)
        contextual = self._contextual.get(name)
        called = contextual or self._functions[name]

        def call(frame: Frame, last: tuple[Any, ...]) -> Any:
            values = [argument(frame) for argument in arguments]
            try:
                return called(frame.context, *values, *last) if contextual is not None else called(*values, *last)
            except TemplateError as error:
                raise self._error(line, f"error calling {name}: {error}") from None
            except (TypeError, ValueError, KeyError, IndexError, ArithmeticError, AttributeError) as error:
                raise self._error(line, f"error calling {name}: {_fault(error, name)}") from error

        return call

    def _shortcut(self, name: str, arguments: Sequence[Evaluate], line: int) -> Callable[[Frame, tuple[Any, ...]], Any]:
        """``and`` and ``or`` evaluate no more than they need."""
        ends = name == "or"

        def call(frame: Frame, last: tuple[Any, ...]) -> Any:
            if not arguments and not last:
                raise self._error(line, f"wrong number of args for {name}: want at least 1 got 0")
            value: Any = None
            for argument in arguments:
                value = argument(frame)
                if truth(value) == ends:
                    return value
            return last[0] if last else value

        return call

    def _operand(self, operand: Operand) -> Evaluate:
        match operand:
            case Literal(value):
                return lambda _: value
            case Dot():
                return lambda frame: frame.dot
            case Variable(name):
                return lambda frame: frame.value(name)
            case Function():
                call = self._function(operand, ())
                return lambda frame: call(frame, ())
            case Pipeline():
                return self._pipeline(operand)
            case Chain():
                return self._chain(operand)

    def _chain(self, chain: Chain) -> Evaluate:
        inner, fields, line = self._operand(chain.operand), chain.fields, chain.line

        def evaluate(frame: Frame) -> Any:
            value = inner(frame)
            for field in fields:
                if isinstance(value, dict):
                    value = value.get(field)
                elif value is None:
                    raise self._error(line, f"nil pointer evaluating interface {{}}.{field}")
                elif field in NUMBER_METHODS and isinstance(value, int | float) and not isinstance(value, bool):
                    value = NUMBER_METHODS[field](value)
                else:
                    raise self._error(line, f"can't evaluate field {field} in type {kind(value)}")
            return value

        return evaluate

    def _error(self, line: int, message: str) -> TemplateError:
        return TemplateError(f"template: {self._name}:{line}: {message}")


def _fault(error: Exception, name: str) -> str:
    if isinstance(error, TypeError) and ("positional argument" in str(error) or "missing" in str(error)):
        return f"wrong number of args for {name}"
    return str(error) or type(error).__name__
