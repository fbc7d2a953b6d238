"""NodeAffinity: ``nodeSelector`` and required terms refuse, preferred terms weigh."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from steersman.api.types.core_v1 import NodeSelectorRequirement, NodeSelectorTerm
from steersman.scheduler.framework import MAX_SCORE, Rejection
from steersman.scheduler.podinfo import PodInfo
from steersman.scheduler.snapshot import Indexes, Mask, Numbers, Snapshot

REASON = "node(s) didn't match Pod's node affinity/selector"


class NodeAffinity:
    name: ClassVar[str] = "NodeAffinity"
    dynamic: ClassVar[bool] = False
    events: ClassVar[frozenset[str]] = frozenset({"NodeAdd", "NodeLabel"})

    def filter(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Sequence[Rejection]:
        affinity = pod.affinity.node_affinity if pod.affinity else None
        required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
        if not pod.node_selector and required is None:
            return ()
        matching = np.ones(columns.size, np.bool_)
        for key, value in pod.node_selector.items():
            matching &= _has(snapshot, key, [value], columns)
        if required is not None:
            any_term = np.zeros(columns.size, np.bool_)
            for term in required.node_selector_terms:
                any_term |= matches(term, snapshot, columns)
            matching &= any_term
        return (Rejection(~matching, REASON),)

    def score(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Numbers | None:
        affinity = pod.affinity.node_affinity if pod.affinity else None
        terms = affinity.preferred_during_scheduling_ignored_during_execution if affinity else []
        if not terms:
            return None
        scores: Numbers = np.zeros(columns.size, np.int64)
        for term in terms:
            scores += term.weight * matches(term.preference, snapshot, columns)
        most = int(scores.max(initial=0))
        return scores * MAX_SCORE // most if most else scores


def matches(term: NodeSelectorTerm, snapshot: Snapshot, columns: Indexes) -> Mask:
    """The columns that a term matches; a term without requirements matches none."""
    result = np.full(columns.size, bool(term.match_expressions or term.match_fields), np.bool_)
    for requirement in term.match_expressions:
        result &= _expression(requirement, snapshot, columns)
    for requirement in term.match_fields:
        result &= _field(requirement, snapshot, columns)
    return result


def _labels(snapshot: Snapshot, key: str, columns: Indexes) -> Indexes:
    found = snapshot.label_columns.get(key)
    return np.full(columns.size, -1, np.intp) if found is None else found[columns]


def _has(snapshot: Snapshot, key: str, values: Sequence[str], columns: Indexes) -> Mask:
    numbers = snapshot.label_values.get(key, {})
    wanted = [numbers[value] for value in values if value in numbers]
    held = _labels(snapshot, key, columns)
    if len(wanted) == 1:
        found: Mask = held == wanted[0]
        return found
    return np.isin(held, wanted)


def _expression(requirement: NodeSelectorRequirement, snapshot: Snapshot, columns: Indexes) -> Mask:
    key, operator = requirement.key, requirement.operator
    if operator == "In":
        return _has(snapshot, key, requirement.values, columns)
    if operator == "NotIn":
        return ~_has(snapshot, key, requirement.values, columns)
    if operator == "Exists":
        return _labels(snapshot, key, columns) >= 0
    if operator == "DoesNotExist":
        return _labels(snapshot, key, columns) < 0
    if operator in ("Gt", "Lt") and len(requirement.values) == 1:
        bound = _integer(requirement.values[0])
        if bound is not None:
            passes: Callable[[int], bool] = bound.__lt__ if operator == "Gt" else bound.__gt__
            known = snapshot.label_values.get(key, {})
            table = np.array([(number := _integer(text)) is not None and passes(number) for text in known] + [False])
            found: Mask = table[_labels(snapshot, key, columns)]
            return found
    return np.zeros(columns.size, np.bool_)


def _field(requirement: NodeSelectorRequirement, snapshot: Snapshot, columns: Indexes) -> Mask:
    if requirement.key != "metadata.name" or requirement.operator not in ("In", "NotIn"):
        return np.zeros(columns.size, np.bool_)
    found = np.isin(columns, [snapshot.columns[name] for name in requirement.values if name in snapshot.columns])
    return found if requirement.operator == "In" else ~found


def _integer(text: str) -> int | None:
    try:
        return int(text) if text.lstrip("+-").isdigit() else None
    except ValueError:
        return None
