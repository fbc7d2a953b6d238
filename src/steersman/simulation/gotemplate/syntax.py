"""What templates consist of."""

from __future__ import annotations

from typing import Any

import msgspec


class Literal(msgspec.Struct, frozen=True):
    """A constant; None is ``nil``."""

    value: Any
    line: int


class Dot(msgspec.Struct, frozen=True):
    """The data that is looked at."""

    line: int


class Variable(msgspec.Struct, frozen=True):
    """``$`` or ``$name``, with the dollar."""

    name: str
    line: int


class Function(msgspec.Struct, frozen=True):
    """A name where a function may stand."""

    name: str
    line: int


class Chain(msgspec.Struct, frozen=True):
    """Members of an operand, one after the other."""

    operand: Operand
    fields: tuple[str, ...]
    line: int


class Command(msgspec.Struct, frozen=True):
    """Operands: the first one is called where it is a function."""

    operands: tuple[Operand, ...]
    line: int


class Pipeline(msgspec.Struct, frozen=True):
    """Commands, each with the result of the one before as its last argument; ``names`` get the result."""

    commands: tuple[Command, ...]
    line: int
    names: tuple[str, ...] = ()
    declares: bool = True


Operand = Literal | Dot | Variable | Function | Chain | Pipeline


class Text(msgspec.Struct, frozen=True):
    """As it is."""

    value: str


class Action(msgspec.Struct, frozen=True):
    """The value of a pipeline."""

    pipeline: Pipeline


class Branch(msgspec.Struct, frozen=True):
    """``if``, ``with`` or ``range``."""

    kind: str
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    line: int


class Jump(msgspec.Struct, frozen=True):
    """``break`` or ``continue``."""

    kind: str


class Call(msgspec.Struct, frozen=True):
    """A template of a name, with the value of a pipeline for its dot."""

    name: str
    pipeline: Pipeline | None
    line: int


Node = Text | Action | Branch | Jump | Call
