"""CEL in stages: expressions of ``self``, the object, typed as its kind.

A member that is not there is an error, as in policies: ``has(self.status.podIP)`` asks first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from steersman.api.scheme import Resource

from .stage import StageFault, Subject

if TYPE_CHECKING:
    from steersman.cel import Environment


T = TypeVar("T")


@cache
def _environment(resource: Resource[Any]) -> Environment:
    from steersman.cel import DYN, Environment
    from steersman.cel.kind_types import type_of

    return Environment({"self": type_of(resource) or DYN})


def _compile(text: str, resource: Resource[Any], result: str) -> Callable[[Subject], Any]:
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
    return _exactly(bool, text, resource)


def compile_number(text: str, resource: Resource[Any]) -> Callable[[Subject], int]:
    """A whole number."""
    return _exactly(int, text, resource)


def _exactly(type_: type[T], text: str, resource: Resource[Any]) -> Callable[[Subject], T]:
    """A value of a type that is called the same here and in CEL."""
    evaluate = _compile(text, resource, type_.__name__)

    def checked(subject: Subject) -> T:
        value = evaluate(subject)
        if type(value) is not type_:
            raise StageFault(f"{text!r}: gives no {type_.__name__}, but {value!r}")
        return value

    return checked


def compile_seconds(text: str, resource: Resource[Any]) -> Callable[[Subject], float]:
    """A duration, or how long it is until a timestamp."""
    from steersman.cel.values import Duration, Timestamp

    evaluate = _compile(text, resource, "duration|google.protobuf.Duration|timestamp|google.protobuf.Timestamp")

    def seconds(subject: Subject) -> float:
        match evaluate(subject):
            case Duration(nanoseconds):
                return nanoseconds / 1e9
            case Timestamp(nanoseconds):
                return nanoseconds / 1e9 - subject.instant.timestamp()
            case value:
                raise StageFault(f"{text!r}: gives no duration, but {value!r}")

    return seconds
