"""CEL in stages: expressions of ``self``, the object, typed as its kind.

A member that is not there is an error, as in policies: ``has(self.status.podIP)`` asks first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from steersman.api.scheme import Resource

from .stage import StageFault, Subject

if TYPE_CHECKING:
    from steersman.cel import Environment


@cache
def _environment(resource: Resource[Any]) -> Environment:
    from steersman.cel import DYN, Environment
    from steersman.cel.kind_types import type_of

    return Environment({"self": type_of(resource) or DYN})


def compile_cel(text: str, resource: Resource[Any], result: str) -> Callable[[Subject], Any]:
    """``result`` is the type it must have, ``one|other``; raises ValueError.  What is returned raises StageFault."""
    from steersman.cel import CompileError

    try:
        program = _environment(resource).compile(text, f"{result}|dyn")
    except CompileError as error:
        fault, _, _ = str(error).partition("\n")  # what follows shows the text once more
        raise ValueError(f"{text!r}: {fault}") from None

    def evaluate(subject: Subject) -> Any:
        found = program.evaluate({"self": subject.tree})
        if found.error is not None:
            raise StageFault(f"{text!r}: {found.error}")
        return found.value

    return evaluate


def compile_condition(text: str, resource: Resource[Any]) -> Callable[[Subject], bool]:
    """Whether it holds."""
    evaluate = compile_cel(text, resource, "bool")

    def holds(subject: Subject) -> bool:
        value = evaluate(subject)
        if not isinstance(value, bool):
            raise StageFault(f"{text!r}: gives no bool, but {value!r}")
        return value

    return holds


def compile_number(text: str, resource: Resource[Any]) -> Callable[[Subject], int]:
    """A whole number."""
    evaluate = compile_cel(text, resource, "int")

    def number(subject: Subject) -> int:
        value = evaluate(subject)
        if not isinstance(value, int) or isinstance(value, bool):
            raise StageFault(f"{text!r}: gives no int, but {value!r}")
        return value

    return number


def compile_seconds(text: str, resource: Resource[Any]) -> Callable[[Subject], float]:
    """A duration, or how long it is until a timestamp."""
    from steersman.cel.values import Duration, Timestamp

    evaluate = compile_cel(text, resource, "duration|google.protobuf.Duration|timestamp|google.protobuf.Timestamp")

    def seconds(subject: Subject) -> float:
        match evaluate(subject):
            case Duration(nanoseconds):
                return nanoseconds / 1e9
            case Timestamp(nanoseconds):
                return nanoseconds / 1e9 - subject.instant.timestamp()
            case value:
                raise StageFault(f"{text!r}: gives no duration, but {value!r}")

    return seconds
