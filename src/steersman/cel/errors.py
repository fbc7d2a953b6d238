"""What goes wrong with an expression: when it is compiled, when it is evaluated, when it costs too much."""

from __future__ import annotations


class CompileError(ValueError):
    """The expression is no CEL, or not of these types; the message is upstream's."""


class CELError(Exception):
    """A CEL value that is an error: ``&&``, ``||`` and ``@not_strictly_false`` may absorb it."""


class ResultTypeError(CompileError):
    """The expression is well, but gives something of another type."""


class CostExceeded(Exception):
    """One evaluation cost more than it may; nothing absorbs it."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


class TimeExceeded(CostExceeded):
    """One evaluation took longer than it may, as what costs little by upstream's measure can; said in its words."""


def no_such_key(key: object) -> CELError:
    return CELError(f"no such key: {key}")


def no_such_overload() -> CELError:
    return CELError("no such overload")


FAULTS = (CELError, TypeError, AttributeError, ValueError, LookupError, ArithmeticError, RecursionError)
"""What evaluation raises.  Data that contradict their declared types make Python's own operations fail."""


def as_value(fault: BaseException) -> CELError:
    """The error that CEL has for a fault: ``no such overload`` where a function got what it has no overload for."""
    if isinstance(fault, RecursionError):
        return CELError("value is nested too deeply")
    return fault if isinstance(fault, CELError) else no_such_overload()
