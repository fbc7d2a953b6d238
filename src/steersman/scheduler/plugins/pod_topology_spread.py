"""PodTopologySpread: pods of a kind are spread over domains, within a maximal skew or as well as it goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from steersman.api import selectors
from steersman.api.types.core_v1 import TopologySpreadConstraint
from steersman.scheduler.framework import MAX_SCORE, Rejection
from steersman.scheduler.podinfo import PodInfo
from steersman.scheduler.snapshot import Group, Indexes, Mask, Numbers, Snapshot

from .domains import count, domain_of, per_domain
from .node_affinity import NodeAffinity
from .taint_toleration import TaintToleration

REASON = "node(s) didn't match pod topology spread constraints"
MISSING_LABEL = f"{REASON} (missing required label)"


class PodTopologySpread:
    name: ClassVar[str] = "PodTopologySpread"
    dynamic: ClassVar[bool] = True
    events: ClassVar[frozenset[str]] = frozenset(
        {"NodeAdd", "NodeLabel", "NodeTaint", "AssignedPodAdd", "AssignedPodDelete"}
    )

    def relates(self, pod: PodInfo, snapshot: Snapshot) -> bool:
        return bool(pod.spread)

    def filter(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Sequence[Rejection]:
        constraints = [item for item in pod.spread if item.when_unsatisfiable == "DoNotSchedule"]
        if not constraints:
            return ()
        missing = np.zeros(columns.size, np.bool_)
        skewed = np.zeros(columns.size, np.bool_)
        every = np.flatnonzero(snapshot.active)
        for item in constraints:
            chosen = _selects(item, pod)
            here = domain_of(snapshot, item.topology_key, columns)
            eligible = every[_eligible(item, constraints, pod, snapshot, every)]
            counts = _counts(item, chosen, snapshot, eligible)
            domains = np.unique(domain_of(snapshot, item.topology_key, eligible))
            least = int(counts[domains].min()) if domains.size else 0
            if domains.size < (item.min_domains or 1):
                least = 0
            own = int(chosen((pod.namespace, pod.labels, False)))
            missing |= here < 0
            skewed |= (here >= 0) & (counts[here] + own - least > item.max_skew)
        return (Rejection(missing, MISSING_LABEL), Rejection(skewed & ~missing, REASON, True))

    def score(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Numbers | None:
        constraints = [item for item in pod.spread if item.when_unsatisfiable == "ScheduleAnyway"]
        if not constraints or not columns.size:
            return None
        total = np.zeros(columns.size)
        ignored = np.zeros(columns.size, np.bool_)
        every = np.flatnonzero(snapshot.active)
        for item in constraints:
            here = domain_of(snapshot, item.topology_key, columns)
            ignored |= here < 0
            eligible = every[_eligible(item, constraints, pod, snapshot, every)]
            counts = _counts(item, _selects(item, pod), snapshot, eligible)
            weight = math.log(np.unique(here[here >= 0]).size + 2)  # few domains shall not outweigh many
            total += counts[here] * weight + (item.max_skew - 1)
        scores: Numbers = np.round(total).astype(np.int64)
        if ignored.all():
            return None
        high, low = int(scores[~ignored].max()), int(scores[~ignored].min())
        result: Numbers = np.full(columns.size, MAX_SCORE, np.int64)
        if high:
            result = MAX_SCORE * (high + low - scores) // high
        result[ignored] = 0
        return result


def _selects(item: TopologySpreadConstraint, pod: PodInfo) -> Callable[[Group], bool]:
    """Which pods a constraint counts: of the pod's namespace, selected, and alike in ``matchLabelKeys``."""
    selector = selectors.from_label_selector(item.label_selector)
    none = item.label_selector is None
    own = dict(pod.labels)
    alike = {key: own[key] for key in item.match_label_keys if key in own}

    def chosen(group: Group) -> bool:
        namespace, labels, terminating = group
        if none or terminating or namespace != pod.namespace:
            return False
        mapping = dict(labels)
        return selector.matches(mapping) and all(mapping.get(key) == value for key, value in alike.items())

    return chosen


def _eligible(
    item: TopologySpreadConstraint,
    constraints: Sequence[TopologySpreadConstraint],
    pod: PodInfo,
    snapshot: Snapshot,
    columns: Indexes,
) -> Mask:
    """The nodes whose pods and domains count: with every topology key, and as the two policies say."""
    result: Mask = np.ones(columns.size, np.bool_)
    for other in constraints:
        result &= domain_of(snapshot, other.topology_key, columns) >= 0
    if item.node_affinity_policy != "Ignore":
        for rejection in NodeAffinity().filter(pod, snapshot, columns):
            result &= ~rejection.nodes
    if item.node_taints_policy == "Honor":
        for rejection in TaintToleration().filter(pod, snapshot, columns):
            result &= ~rejection.nodes
    return result


def _counts(
    item: TopologySpreadConstraint, chosen: Callable[[Group], bool], snapshot: Snapshot, eligible: Indexes
) -> Numbers:
    counts = count(snapshot, chosen)
    allowed = set(eligible.tolist())
    for column in [column for column in counts if column not in allowed]:
        del counts[column]
    return per_domain(snapshot, item.topology_key, counts)
