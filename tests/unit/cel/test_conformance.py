"""Expressions by the chapters of cel-spec's conformance suite give what the official evaluator gives.

They are in ``conformance.cel``, one a line; both must fail, or both give the same value.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cel_expr_python import cel

from steersman.cel import CompileError, Environment
from steersman.cel.values import Duration, Timestamp

DIFFERENT: list[tuple[str, Any]] = [
    # Kubernetes turns on cel-go's check that what a literal holds is of one type.
    ("[1, [2]]", "fails"),
    ("{1: 'a', 'b': 'c'}", "fails"),
    ("{'a': [1, {'b': 2}]}", "fails"),
    # Go's texts of times and spans, and their ranges.
    ("string(timestamp('2009-02-13T23:31:30.5Z'))", "2009-02-13T23:31:30.5Z"),
    ("string(duration('1.5ms'))", "0.0015s"),
    ("duration('315576000000s')", "fails"),
    ("timestamp('1972-12-31T23:59:60Z')", "fails"),
    ("duration('123.321s').getMilliseconds()", 123321),
    # The official evaluator's extension has no maps that are transformed, and later functions of strings.
    ("{'a': 1}.transformMap(k, v, v + 1)", {"a": 2}),
    ("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, k)", {"b": "b"}),
    ("{'a': 'x'}.transformMapEntry(k, v, {v: k})", {"x": "a"}),
    ("'a'.reverse()", "fails"),
]
"""What cel-go, as Kubernetes sets it up, has otherwise."""

OURS = Environment({})
THEIRS = cel.NewEnv(
    config=cel.NewEnvConfigFromYaml(
        "extensions:\n- name: optional\n- name: lists\n- name: two-var-comprehensions\n- name: strings\n"
    )
)


def _lines() -> list[Any]:
    chapter, found = "", []
    for line in Path(__file__).with_name("conformance.cel").read_text().splitlines():
        if line.startswith("# "):
            chapter = line[2:]
        elif line:
            found.append(pytest.param(line, id=f"{chapter}: {line}"))
    return found


def _theirs(expression: str) -> Any:
    try:
        value = THEIRS.compile(expression).eval(data={})
    except RuntimeError:
        return "fails"
    return "fails" if value.type() == cel.Type.ERROR else _plain(value.plain_value())


def _ours(expression: str) -> Any:
    try:
        result = OURS.compile(expression, "dyn").evaluate({})
    except CompileError:
        return "fails"
    return "fails" if result.error is not None else _plain(result.value)


def _plain(value: Any) -> Any:
    """As Python has it."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Duration):
        return timedelta(microseconds=value.nanoseconds // 1000)
    if isinstance(value, Timestamp):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value.nanoseconds // 1000)
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(each) for key, each in value.items()}
    return value


@pytest.mark.parametrize("expression", _lines())
def test_the_official_evaluator_says_the_same(expression: str) -> None:
    ours, theirs = _ours(expression), _theirs(expression)
    assert ours == theirs
    assert isinstance(ours, bool) is isinstance(theirs, bool)


@pytest.mark.parametrize(("expression", "value"), DIFFERENT)
def test_what_cel_go_has_otherwise(expression: str, value: Any) -> None:
    assert _ours(expression) == value
