"""From tokens to syntax."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection

from .errors import TemplateError
from .lexer import Token, tokens
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

_CONSTANTS = {"true": True, "false": False, "nil": None}
_ENDS = frozenset({"end", "else"})


class Parser:
    """Reads one text, which may define further templates; ``functions`` are the names that may be called."""

    def __init__(self, name: str, text: str, functions: Collection[str]) -> None:
        self._name = name
        self._functions = functions
        self._tokens = tokens(name, text)
        self._position = 0
        self._loops = 0
        self._variables = ["$"]
        self.templates: dict[str, tuple[Node, ...]] = {}

    def parse(self) -> tuple[Node, ...]:
        """The text's own nodes; what it defines is in :attr:`templates` then.  Raises TemplateError."""
        nodes, end = self._nodes()
        if end:
            raise self._error(self._tokens[self._position - 1], f"unexpected {{{{{end}}}}}")
        return nodes

    # -- nodes -------------------------------------------------------------------------------------------------

    def _nodes(self) -> tuple[tuple[Node, ...], str]:
        """Up to an ``end`` or an ``else``, which is told and not read further."""
        found: list[Node] = []
        while self._position < len(self._tokens):
            token = self._next()
            if token.type == "text":
                found.append(Text(token.value))
                continue
            keyword = self._peek()
            if keyword.type == "name" and keyword.value in _ENDS:
                self._next()
                return tuple(found), keyword.value
            found += self._action(keyword)
        return tuple(found), ""

    def _action(self, token: Token) -> list[Node]:
        special: dict[str, Callable[[Token], list[Node]]] = {
            "if": self._branch,
            "with": self._branch,
            "range": self._branch,
            "define": self._define,
            "block": self._block,
            "template": self._call,
            "break": self._jump,
            "continue": self._jump,
        }
        if token.type == "name" and token.value in special:
            self._next()
            return special[token.value](token)
        pipeline = self._pipeline("command")
        self._close()
        return [Action(pipeline)]

    def _branch(self, token: Token) -> list[Node]:
        mark = len(self._variables)
        kind = token.value
        pipeline = self._pipeline(kind, two=kind == "range")
        self._close()
        self._loops += kind == "range"
        body, end = self._nodes()
        self._loops -= kind == "range"
        otherwise: tuple[Node, ...] = ()
        if end == "else":
            following = self._peek()
            if following.type == "name" and following.value == kind and kind != "range":
                self._next()
                otherwise = tuple(self._branch(following))  # it reads the end, too
                del self._variables[mark:]
                return [Branch(kind, pipeline, body, otherwise, token.line)]
            if following.type == "name" and following.value == "if" and kind == "with":
                raise self._error(following, "unexpected <if> in else")
            self._close()
            otherwise, end = self._nodes()
        if end != "end":
            raise self._error(token, f"unexpected EOF in {kind}" if not end else f"unexpected {{{{{end}}}}}")
        self._close()
        del self._variables[mark:]
        return [Branch(kind, pipeline, body, otherwise, token.line)]

    def _define(self, token: Token) -> list[Node]:
        name = self._quoted(token.value)
        self._close()
        self._body(name, token)
        return []

    def _block(self, token: Token) -> list[Node]:
        name = self._quoted(token.value)
        pipeline = self._pipeline("block")
        self._close()
        self._body(name, token)
        return [Call(name, pipeline, token.line)]

    def _body(self, name: str, token: Token) -> None:
        outer, self._variables = self._variables, ["$"]
        loops, self._loops = self._loops, 0
        nodes, end = self._nodes()
        if end != "end":
            raise self._error(token, f"unexpected {end or 'EOF'} in {token.value}")
        self._close()
        self._variables, self._loops = outer, loops
        if name in self.templates and any(not isinstance(node, Text) for node in self.templates[name]):
            raise self._error(token, f'multiple definition of template "{name}"')
        self.templates[name] = nodes

    def _call(self, token: Token) -> list[Node]:
        name = self._quoted(token.value)
        pipeline = self._pipeline("template clause") if self._peek().type != "close" else None
        self._close()
        return [Call(name, pipeline, token.line)]

    def _jump(self, token: Token) -> list[Node]:
        if not self._loops:
            raise self._error(token, f"{{{{{token.value}}}}} outside {{{{range}}}}")
        self._close()
        return [Jump(token.value)]

    # -- expressions -------------------------------------------------------------------------------------------

    def _pipeline(self, context: str, *, two: bool = False) -> Pipeline:
        line = self._peek().line
        names, declares = self._declared(two)
        commands = [self._command(context)]
        while self._peek().value == "|" and self._peek().type == "sign":
            self._next()
            commands.append(self._command(context))
        for command in commands[1:]:
            if not isinstance(command.operands[0], Function):
                raise TemplateError(
                    f"template: {self._name}:{command.line}: non executable command in pipeline stage 2"
                )
        if declares:
            self._variables += names
        return Pipeline(tuple(commands), line, tuple(names), declares)

    def _declared(self, two: bool) -> tuple[list[str], bool]:
        """The variables that a pipeline begins with, and whether it declares them."""
        start = self._position
        names: list[str] = []
        while self._peek().type == "variable":
            names.append(self._next().value)
            sign = self._peek()
            if sign.type == "sign" and sign.value in (":=", "="):
                self._next()
                if sign.value == "=" and names[0] not in self._variables:
                    raise self._error(sign, f'undefined variable "{names[0]}"')
                return names, sign.value == ":="
            if not (two and sign.type == "sign" and sign.value == "," and len(names) == 1):
                break
            self._next()
        self._position = start
        return [], True

    def _command(self, context: str) -> Command:
        token = self._peek()
        operands: list[Operand] = []
        while (operand := self._operand()) is not None:
            operands.append(operand)
        if not operands:
            if token.type == "close":
                raise self._error(token, f"missing value for {context}")
            raise self._error(token, f"unexpected {token.value!r} in {context}")
        if len(operands) > 1 and not isinstance(operands[0], Function):
            raise self._error(token, "can't give argument to what is no function")
        return Command(tuple(operands), token.line)

    def _operand(self) -> Operand | None:
        token = self._peek()
        operand = self._term(token)
        if operand is None:
            return None
        fields: list[str] = []
        while (following := self._peek()).type == "field" and not following.spaced:
            fields.append(self._next().value[1:])
        if fields and isinstance(operand, Chain):
            return Chain(operand.operand, (*operand.fields, *fields), token.line)
        return Chain(operand, tuple(fields), token.line) if fields else operand

    def _term(self, token: Token) -> Operand | None:
        line = token.line
        match token.type:
            case "string" | "char":
                operand: Operand = Literal(self._string(token), line)
            case "number":
                operand = Literal(_number(token.value), line)
            case "field":
                operand = Chain(Dot(line), (token.value[1:],), line)
            case "variable":
                if token.value not in self._variables:
                    raise self._error(token, f'undefined variable "{token.value}"')
                operand = Variable(token.value, line)
            case "name" if token.value in _CONSTANTS:
                operand = Literal(_CONSTANTS[token.value], line)
            case "name":
                if token.value not in self._functions:
                    raise self._error(token, f'function "{token.value}" not defined')
                operand = Function(token.value, line)
            case "sign" if token.value == ".":
                operand = Dot(line)
            case "sign" if token.value == "(":
                self._next()
                operand = self._pipeline("parenthesized pipeline")
                if self._peek().value != ")":
                    raise self._error(self._peek(), "unclosed left paren")
            case _:
                return None
        self._next()
        return operand

    # -- tokens ------------------------------------------------------------------------------------------------

    def _peek(self) -> Token:
        if self._position >= len(self._tokens):
            line = self._tokens[-1].line if self._tokens else 1
            raise TemplateError(f"template: {self._name}:{line}: unexpected EOF")
        return self._tokens[self._position]

    def _next(self) -> Token:
        token = self._peek()
        self._position += 1
        return token

    def _close(self) -> None:
        if (token := self._next()).type != "close":
            raise self._error(token, f"unexpected {token.value!r} in command")

    def _quoted(self, context: str) -> str:
        token = self._next()
        if token.type != "string":
            raise self._error(token, f"unexpected {token.value!r} in {context} clause")
        return str(self._string(token))

    def _string(self, token: Token) -> str | int:
        if token.value.startswith("`"):
            return token.value[1:-1]
        try:
            text: str = ast.literal_eval(token.value)
        except (ValueError, SyntaxError):
            raise self._error(token, f"invalid syntax in {token.value}") from None
        return ord(text) if token.type == "char" else text

    def _error(self, token: Token, message: str) -> TemplateError:
        return TemplateError(f"template: {self._name}:{token.line}: {message}")


def _number(text: str) -> int | float:
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return int(text)
    except ValueError:
        return float(text)
