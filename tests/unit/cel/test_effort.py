"""What expressions take beside what they cost: time and memory, of which upstream's costs do not tell."""

from __future__ import annotations

import time
from typing import Any

import pytest

from steersman.apiserver.extensions.expressions import Evaluation, Expression, TooSlow
from steersman.cel import DYN, Environment
from steersman.cel.errors import CostExceeded, TimeExceeded
from steersman.cel.types import from_schema

ENVIRONMENT = Environment({"self": DYN})


def seconds(text: str, value: Any) -> float:
    """The best of three."""
    program = ENVIRONMENT.compile(text)
    found = []
    for _ in range(3):
        started = time.thread_time()
        assert program.evaluate({"self": value}).value is True
        found.append(time.thread_time() - started)
    return min(found)


@pytest.mark.parametrize("text", ["self.map(x, x).size() > 0", "self.filter(x, x >= 0).size() > 0"])
def test_lists_are_built_in_the_time_that_their_length_takes(text: str) -> None:
    assert seconds(text, list(range(40_000))) < 10 * seconds(text, list(range(10_000)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("self.map(x, self.map(y, y + x))", [[2, 3], [3, 4]]),
        ("self.map(x, x > 1, [x]) + self.filter(x, x > 1)", [[2], 2]),
        ("[[0], []].map(a, self.map(x, a + [x]))", [[[0, 1], [0, 2]], [[1], [2]]]),
        ("self.map(x, self.map(y, self))[0]", [[1, 2], [1, 2]]),
    ],
)
def test_no_list_that_is_built_is_seen_by_another(text: str, value: Any) -> None:
    program = ENVIRONMENT.compile(text, "dyn")
    given = [1, 2]
    assert [program.evaluate({"self": given}).value for _ in range(2)] == [value, value]
    assert given == [1, 2]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[self]" + ".map(a, a + a)" * 26 + "[0].size() > 0", [1] * 1000),
        ("[1, 2, 3, 4, 5, 6, 7, 8, 9].map(n, self.replace('a', self)).size() > 0", "a" * 9000),
    ],
)
def test_what_grows_beyond_all_bounds_costs_too_much(text: str, value: Any) -> None:
    assert isinstance(ENVIRONMENT.compile(text).evaluate({"self": value}).error, CostExceeded)


DEAR = "self.all(x, [self, self, self] == [self, self, self])"


def test_loops_end_in_time() -> None:
    program = ENVIRONMENT.compile(DEAR)
    started = time.monotonic()
    result = program.evaluate({"self": list(range(5000))}, until=started + 0.01)
    assert isinstance(result.error, TimeExceeded)
    assert time.monotonic() - started < 1


def test_what_costs_little_and_takes_long_is_too_slow_for_the_loop() -> None:
    expression, value = Expression(DEAR, ENVIRONMENT), {"self": list(range(3000))}
    with pytest.raises(TooSlow):
        Evaluation(value, 10_000_000, quick=True).evaluate(expression)


def test_large_sets_are_compared_whatever_their_order() -> None:
    schema = {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}
    declared = from_schema(schema)
    assert declared is not None
    program = Environment({"self": declared, "oldSelf": declared}).compile("self == oldSelf && self + oldSelf == self")
    names = [f"n{number}" for number in range(20_000)]
    started = time.monotonic()
    assert program.evaluate({"self": names, "oldSelf": names[::-1]}).value is True
    assert program.evaluate({"self": names, "oldSelf": [*names[1:], "x"]}).value is False
    assert time.monotonic() - started < 2
