"""InterPodAffinity: pods that want, or do not want, to be near others, in both directions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from steersman.api import selectors
from steersman.api.types.core_v1 import PodAffinityTerm, WeightedPodAffinityTerm
from steersman.scheduler.framework import MAX_SCORE, Rejection
from steersman.scheduler.podinfo import PodInfo
from steersman.scheduler.snapshot import Group, Indexes, Numbers, Snapshot

from .domains import count, domain_of, per_domain

HARD_AFFINITY_WEIGHT = 1
"""What a running pod's required affinity to the incoming one is worth in its score."""


class _Term:
    """One term of one pod, ready to be matched."""

    def __init__(self, term: PodAffinityTerm, owner: PodInfo, snapshot: Snapshot) -> None:
        self.key = term.topology_key
        self._selector = selectors.from_label_selector(term.label_selector)
        self._none = term.label_selector is None
        self._namespaces = set(term.namespaces)
        self._namespace_selector = None
        if term.namespace_selector is not None:
            self._namespace_selector = selectors.from_label_selector(term.namespace_selector)
        elif not self._namespaces:
            self._namespaces = {owner.namespace}
        self._snapshot = snapshot

    def matches(self, group: Group) -> bool:
        if self._none:  # a nil selector selects no pod
            return False
        namespace, labels, _ = group
        if namespace not in self._namespaces:
            if self._namespace_selector is None:
                return False
            if not self._namespace_selector.matches(self._snapshot.namespaces.get(namespace, {})):
                return False
        return self._selector.matches(dict(labels))


def _required(pod: PodInfo, *, anti: bool) -> list[PodAffinityTerm]:
    if pod.affinity is None:
        return []
    part = pod.affinity.pod_anti_affinity if anti else pod.affinity.pod_affinity
    return part.required_during_scheduling_ignored_during_execution if part else []


def _preferred(pod: PodInfo, *, anti: bool) -> list[WeightedPodAffinityTerm]:
    if pod.affinity is None:
        return []
    part = pod.affinity.pod_anti_affinity if anti else pod.affinity.pod_affinity
    return part.preferred_during_scheduling_ignored_during_execution if part else []


def _group(pod: PodInfo) -> Group:
    return (pod.namespace, pod.labels, pod.terminating)


class InterPodAffinity:
    name: ClassVar[str] = "InterPodAffinity"
    dynamic: ClassVar[bool] = True
    events: ClassVar[frozenset[str]] = frozenset(
        {"NodeAdd", "NodeLabel", "AssignedPodAdd", "AssignedPodDelete", "NamespaceLabel"}
    )

    def relates(self, pod: PodInfo, snapshot: Snapshot) -> bool:
        own = pod.affinity is not None and bool(pod.affinity.pod_affinity or pod.affinity.pod_anti_affinity)
        return own or any(
            _Term(item, other, snapshot).matches(_group(pod))
            for other, _ in snapshot.affine.values()
            for item in _terms(other)
        )

    def filter(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Sequence[Rejection]:
        if not self.relates(pod, snapshot):
            return ()
        result = []
        left = np.ones(columns.size, np.bool_)
        lonely = ~self._near(pod, snapshot, columns)
        result.append(Rejection(lonely, "node(s) didn't match pod affinity rules"))
        left &= ~lonely
        crowded = left & self._crowded(pod, snapshot, columns)
        result.append(Rejection(crowded, "node(s) didn't match pod anti-affinity rules", True))
        left &= ~crowded
        repelled = left & self._repelled(pod, snapshot, columns)
        result.append(Rejection(repelled, "node(s) didn't satisfy existing pods anti-affinity rules", True))
        return result

    def _near(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> np.typing.NDArray[np.bool_]:
        terms = [_Term(term, pod, snapshot) for term in _required(pod, anti=False)]
        result = np.ones(columns.size, np.bool_)
        if not terms:
            return result
        # Only pods that match every term count for any.
        counts = count(snapshot, lambda group: all(term.matches(group) for term in terms))
        # The first pod of a group that wants to be near itself may start it anywhere.
        first = not counts and all(term.matches(_group(pod)) for term in terms)
        for term in terms:
            domains = domain_of(snapshot, term.key, columns)
            result &= domains >= 0
            if not first:
                result &= per_domain(snapshot, term.key, counts)[domains] > 0
        return result

    def _crowded(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> np.typing.NDArray[np.bool_]:
        result = np.zeros(columns.size, np.bool_)
        for item in _required(pod, anti=True):
            term = _Term(item, pod, snapshot)
            counts = per_domain(snapshot, term.key, count(snapshot, term.matches))
            result |= counts[domain_of(snapshot, term.key, columns)] > 0
        return result

    def _repelled(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> np.typing.NDArray[np.bool_]:
        result = np.zeros(columns.size, np.bool_)
        for other, held in snapshot.affine.values():
            for item in _required(other, anti=True):
                term = _Term(item, other, snapshot)
                if term.matches(_group(pod)):
                    result |= per_domain(snapshot, term.key, held)[domain_of(snapshot, term.key, columns)] > 0
        return result

    def score(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Numbers | None:
        if not self.relates(pod, snapshot):
            return None
        total: Numbers = np.zeros(columns.size, np.int64)
        for sign, anti in ((1, False), (-1, True)):
            for weighted in _preferred(pod, anti=anti):
                term = _Term(weighted.pod_affinity_term, pod, snapshot)
                counts = per_domain(snapshot, term.key, count(snapshot, term.matches))
                total += sign * weighted.weight * counts[domain_of(snapshot, term.key, columns)]
        for item, other, held, weight in _wishes(snapshot):
            term = _Term(item, other, snapshot)
            if term.matches(_group(pod)):
                counts = per_domain(snapshot, term.key, held)
                total += weight * counts[domain_of(snapshot, term.key, columns)]
        if not columns.size:
            return None
        low, high = int(total.min()), int(total.max())
        if low == high:
            return None
        scores: Numbers = MAX_SCORE * (total - low) // (high - low)
        return scores


def _wishes(snapshot: Snapshot) -> Iterator[tuple[PodAffinityTerm, PodInfo, Counter[int], int]]:
    """What running pods prefer about others: term, a pod that has it, where such pods are, weight."""
    for other, held in snapshot.affine.values():
        for item in _required(other, anti=False):
            yield item, other, held, HARD_AFFINITY_WEIGHT
        for weighted in _preferred(other, anti=False):
            yield weighted.pod_affinity_term, other, held, weighted.weight
        for weighted in _preferred(other, anti=True):
            yield weighted.pod_affinity_term, other, held, -weighted.weight


def _terms(pod: PodInfo) -> Iterator[PodAffinityTerm]:
    for anti in (False, True):
        yield from _required(pod, anti=anti)
        for weighted in _preferred(pod, anti=anti):
            yield weighted.pod_affinity_term
