"""The shape of plugins, and the algorithm that runs them over all nodes.

Upstream's extension points that exist here: Filter and Score (Bind, Reserve and the queue's order are the
scheduler's own).  A plugin sees all nodes, or the ones it is asked about, at once.
"""

from __future__ import annotations

import random
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from .podinfo import PodInfo
from .snapshot import Indexes, Mask, Numbers, Snapshot

MAX_SCORE = 100


class Rejection(NamedTuple):
    """Nodes (among those asked about) that a filter refuses, and why.

    ``resolvable`` says for each of them whether removing pods could help.
    """

    nodes: Mask
    reason: str
    resolvable: Mask | bool = False


class FilterPlugin(Protocol):
    """Refuses nodes.  ``dynamic`` plugins depend on the pods that run on a node.

    A plugin that looks from one node at the pods of others has a method ``relates(pod, snapshot)``
    (:class:`RelatingPlugin`): pods for which it says yes are placed one by one, everything computed anew.
    """

    name: ClassVar[str]
    dynamic: ClassVar[bool]
    events: ClassVar[frozenset[str]]
    """What can make a pod schedulable that this plugin refused (:mod:`steersman.scheduler.queue`)."""

    def filter(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Sequence[Rejection]:
        """The refused ones among these columns; masks are as long as ``columns``."""
        ...


@runtime_checkable
class RelatingPlugin(Protocol):
    """Looks from one node at the pods of others."""

    def relates(self, pod: PodInfo, snapshot: Snapshot) -> bool:
        """Whether placing a pod like this one may change what other nodes are worth to the next."""
        ...


class ScorePlugin(Protocol):
    """Prefers nodes.  ``dynamic`` plugins depend on the pods that run on a node, and do not normalise."""

    name: ClassVar[str]
    dynamic: ClassVar[bool]

    def score(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Numbers | None:
        """0 to 100 for each of these columns, or None where the plugin has no opinion."""
        ...


class Diagnosis(NamedTuple):
    """Why a pod fits nowhere: (reason → nodes), the plugins that refused, nodes on which removing pods could help."""

    nodes: int
    reasons: Counter[str]
    plugins: frozenset[str]
    resolvable: tuple[str, ...]


class _Work:
    """The feasible nodes for one kind of pod, in order, and their scores, as of so many moves of pods."""

    __slots__ = ("columns", "dynamic", "moves", "snapshot", "totals", "version")

    def __init__(self, snapshot: Snapshot, columns: Indexes, dynamic: Numbers, totals: Numbers) -> None:
        self.snapshot = snapshot
        self.version = snapshot.version
        self.moves = snapshot.moves
        self.columns = columns
        self.dynamic = dynamic
        self.totals = totals


_KINDS = 128
"""Kinds of pods whose work is remembered: as many Deployments may grow at once."""


class Framework:
    """Runs filters in order and adds weighted scores."""

    def __init__(
        self, filters: Sequence[FilterPlugin], scores: Sequence[tuple[ScorePlugin, int]], rng: random.Random
    ) -> None:
        self._filters = filters
        self._scores = scores
        self._rng = rng
        self._works: dict[bytes, _Work] = {}
        """By signature; the one that was used last is the last."""
        self._relating = [plugin for plugin in filters if isinstance(plugin, RelatingPlugin)]

    def relates(self, pod: PodInfo, snapshot: Snapshot) -> bool:
        """Whether pods like this one are placed one by one, everything computed anew."""
        return any(plugin.relates(pod, snapshot) for plugin in self._relating)

    def place(self, pods: Sequence[PodInfo], snapshot: Snapshot) -> list[str | None]:
        """Find nodes for pods of the same signature, in order, and assume them there; None from where none fits."""
        if self.relates(pods[0], snapshot):
            result: list[str | None] = []
            for pod in pods:
                self._works.pop(pod.signature, None)
                result += self._place([pod], snapshot)
            self._works.pop(pods[0].signature, None)
            return result
        return self._place(pods, snapshot)

    def _place(self, pods: Sequence[PodInfo], snapshot: Snapshot) -> list[str | None]:
        """As if one pod came after the other: several at once go to the best nodes where each takes but one of them."""
        first = pods[0]
        work = self._work(first, snapshot)
        result: list[str | None] = []
        together = True
        while len(result) < len(pods):
            if not work.columns.size:
                result += [None] * (len(pods) - len(result))
                break
            most = work.totals.max()
            ties = np.flatnonzero(work.totals == most)
            count = min(ties.size, len(pods) - len(result)) if together else 1
            before = self._rng.getstate() if count > 1 else None
            positions = ties[self._draw(ties.size, count)]
            columns = work.columns[positions]
            names = [snapshot.names[column] for column in columns.tolist()]
            for pod, node in zip(pods[len(result) :], names, strict=False):
                snapshot.add_pod(pod, node)
            full = self._full(first, snapshot, columns)
            scores = self._sum(first, snapshot, columns, dynamic=True)
            totals = work.totals[positions] + scores - work.dynamic[positions]
            if before is not None and (full is not None or totals.max() >= most):
                # One of them would have been worth as much again, or all would have been weighed anew.
                self._rng.setstate(before)
                for pod in pods[len(result) : len(result) + count]:
                    snapshot.remove_pod(pod.uid)
                together = False
                continue
            result += names
            if full is not None:
                # Normalised scores depend on which nodes are left.
                work = self._weigh(first, snapshot, np.delete(work.columns, positions))
            else:
                work.totals[positions] = totals
                work.dynamic[positions] = scores
        work.moves = snapshot.moves
        if len(self._works) >= _KINDS:
            del self._works[next(iter(self._works))]
        self._works[first.signature] = work
        return result

    def _work(self, pod: PodInfo, snapshot: Snapshot) -> _Work:
        """What is known of a kind of pod, brought up to date; or everything anew."""
        work = self._works.pop(pod.signature, None)
        if work is not None and work.snapshot is snapshot and work.version == snapshot.version:
            moved = snapshot.moved_since(work.moves)
            if moved is not None and (work := self._caught_up(pod, work, moved)) is not None:
                return work
        return self._weigh(pod, snapshot, self._feasible(pod, snapshot, np.flatnonzero(snapshot.active)))

    def _feasible(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Indexes:
        for plugin in self._filters:
            refused = _union(plugin.filter(pod, snapshot, columns))
            if refused is not None:
                columns = columns[~refused]
        return columns

    def _caught_up(self, pod: PodInfo, work: _Work, moved: Sequence[int]) -> _Work | None:
        """The work after pods moved on these columns; None where it has to be done anew."""
        snapshot = work.snapshot
        if not moved:
            return work
        columns = np.unique(np.fromiter(moved, np.intp, len(moved)))
        columns = columns[snapshot.active[columns]]
        positions = np.searchsorted(work.columns, columns)
        known = positions < work.columns.size
        known[known] = work.columns[positions[known]] == columns[known]
        if not known.all() and self._feasible(pod, snapshot, columns[~known]).size:
            return None
        columns, positions = columns[known], positions[known]
        if not columns.size:
            return work
        if (full := self._full(pod, snapshot, columns)) is not None:
            return self._weigh(pod, snapshot, np.delete(work.columns, positions[full]))
        scores = self._sum(pod, snapshot, columns, dynamic=True)
        work.totals[positions] += scores - work.dynamic[positions]
        work.dynamic[positions] = scores
        return work

    def _draw(self, size: int, count: int) -> list[int]:
        """So many of the numbers below a size, at random, one after the other, none twice."""
        taken: list[int] = []
        drawn = []
        for left in range(size, size - count, -1):
            number = self._rng.randrange(left) if left > 1 else 0
            for each in taken:  # in order: the number is one of those that are left
                if each > number:
                    break
                number += 1
            insort(taken, number)
            drawn.append(number)
        return drawn

    def _weigh(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> _Work:
        dynamic = self._sum(pod, snapshot, columns, dynamic=True)
        totals = dynamic + self._sum(pod, snapshot, columns, dynamic=False)
        return _Work(snapshot, columns, dynamic, totals)

    def _sum(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes, *, dynamic: bool) -> Numbers:
        total: Numbers = np.zeros(columns.size, np.int64)
        for plugin, weight in self._scores:
            if plugin.dynamic is dynamic:
                scores = plugin.score(pod, snapshot, columns)
                if scores is not None:
                    total += weight * scores
        return total

    def _full(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Mask | None:
        """Which of these columns take no other pod like this one; None where all do."""
        refused: Mask | None = None
        for plugin in self._filters:
            if plugin.dynamic and (found := _union(plugin.filter(pod, snapshot, columns))) is not None:
                refused = found if refused is None else refused | found
        return refused if refused is not None and refused.any() else None

    def diagnose(self, pod: PodInfo, snapshot: Snapshot) -> Diagnosis:
        """Why a pod fits nowhere.  A node counts for the reasons of the first plugin that refuses it."""
        columns = np.flatnonzero(snapshot.active)
        total = int(columns.size)
        reasons: Counter[str] = Counter()
        plugins: set[str] = set()
        resolvable: list[str] = []
        for plugin in self._filters:
            refused = np.zeros(columns.size, np.bool_)
            helps = np.ones(columns.size, np.bool_)
            for rejection in plugin.filter(pod, snapshot, columns):
                if count := int(rejection.nodes.sum()):
                    reasons[rejection.reason] += count
                    plugins.add(plugin.name)
                    refused |= rejection.nodes
                    helps &= ~rejection.nodes | rejection.resolvable
            resolvable += [snapshot.names[column] for column in columns[refused & helps]]
            columns = columns[~refused]
        return Diagnosis(total, reasons, frozenset(plugins), tuple(resolvable))


def _union(rejections: Sequence[Rejection]) -> Mask | None:
    result: Mask | None = None
    for rejection in rejections:
        result = rejection.nodes if result is None else result | rejection.nodes
    return result
