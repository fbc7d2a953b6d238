"""What goes wrong with an expression: when it is compiled, when it is evaluated, when it costs too much."""

from __future__ import annotations


class CompileError(ValueError):
    """The expression is no CEL, or not of these types; the message is upstream's."""


class CELError(Exception):
    """A CEL value that is an error: ``&&``, ``||`` and ``@not_strictly_false`` may absorb it."""


class CostExceeded(Exception):
    """One evaluation cost more than it may; nothing absorbs it."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def no_such_key(key: object) -> CELError:
    return CELError(f"no such key: {key}")


def no_such_overload() -> CELError:
    return CELError("no such overload")
