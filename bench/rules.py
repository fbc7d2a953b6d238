"""Validation rules of custom resources: compiled and evaluated in this process, without a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from .result import Row
from .setting import Setting

NAMES = ("rules-compile", "rule")

_RULES = 100
_ROUNDS = 20_000


def measure(setting: Setting) -> Iterator[Row]:
    """A schema with many rules; then one rule on one object, as often as it takes."""
    from steersman.apiserver.extensions.validation_rules import Compiler
    from steersman.cel import Environment, from_schema

    setting.say("compiling validation rules")
    fields: dict[str, Any] = {f"f{number}": {"type": "integer"} for number in range(_RULES)}
    schema = {"type": "object", "properties": {**fields, "names": {"type": "array", "items": {"type": "string"}}}}
    rules = [
        {"rule": f"self.f{number} > {number} && self.names.all(n, n.size() < {number})"} for number in range(_RULES)
    ]
    started = time.perf_counter()
    Compiler().compile(schema, rules, resource=False)
    taken = time.perf_counter() - started
    yield Row("rules-compile", taken * 1e3, "ms", 50, "lower", f"{_RULES} rules of one schema, checked and compiled")
    declared = from_schema(schema)
    assert declared is not None
    program = Environment({"self": declared}).compile("self.f1 <= self.f2")
    variables = {"self": {"f1": 1, "f2": 2}}
    best = min(_round(program, variables) for _ in range(5))
    yield Row("rule", best * 1e6, "µs", 5, "lower", "self.f1 <= self.f2, best of five")


def _round(program: Any, variables: dict[str, Any]) -> float:
    started = time.perf_counter()
    for _ in range(_ROUNDS):
        program.evaluate(variables)
    return (time.perf_counter() - started) / _ROUNDS
