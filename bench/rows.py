"""The table of what is measured.  Budgets and what each row means: docs/bench.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from . import api, converting, extending, large, node, rules, simulating, starting, testing, turning, waiting
from .result import Row
from .setting import Setting


class Group(NamedTuple):
    """Rows that are measured together."""

    names: tuple[str, ...]
    measure: Callable[[Setting], Iterator[Row]]


GROUPS = (
    Group(starting.NAMES, starting.measure),
    Group(testing.NAMES, testing.measure),
    Group(api.NAMES, api.measure),
    Group(large.NAMES, large.measure),
    Group(waiting.NAMES, waiting.measure),
    Group(extending.NAMES, extending.measure),
    Group(converting.NAMES, converting.measure),
    Group(rules.NAMES, rules.measure),
    Group(simulating.NAMES, simulating.measure),
    Group(turning.NAMES, turning.measure),
    Group(node.NAMES, node.measure),
)
