"""NodeResourcesFit with the LeastAllocated strategy, and NodeResourcesBalancedAllocation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from steersman.scheduler.framework import MAX_SCORE, Rejection
from steersman.scheduler.podinfo import PodInfo
from steersman.scheduler.snapshot import CPU, MEMORY, PODS, Indexes, Numbers, Snapshot


class Fit:
    name: ClassVar[str] = "NodeResourcesFit"
    dynamic: ClassVar[bool] = True
    events: ClassVar[frozenset[str]] = frozenset({"NodeAdd", "NodeAllocatable", "AssignedPodDelete"})

    def filter(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Sequence[Rejection]:
        result = []
        full = snapshot.requested[PODS, columns] + 1 > snapshot.allocatable[PODS, columns]
        if full.any():
            result.append(Rejection(full, "Too many pods", True))
        for resource, value in pod.requests.items():
            if (row := snapshot.resources.get(resource)) is None:  # whoever makes pods chooses the names
                result.append(Rejection(np.ones(columns.size, np.bool_), f"Insufficient {resource}"))
                continue
            allocatable = snapshot.allocatable[row, columns]
            lacking = value > allocatable - snapshot.requested[row, columns]
            if lacking.any():
                # Where the pod exceeds the node itself, removing others does not help.
                result.append(Rejection(lacking, f"Insufficient {resource}", value <= allocatable))
        return result

    def score(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Numbers | None:
        """The mean share of CPU and memory that stays free."""
        allocatable = snapshot.allocatable[:2, columns]
        wanted = snapshot.nonzero[:, columns]
        wanted[0] += pod.nonzero_cpu
        wanted[1] += pod.nonzero_memory
        known = allocatable > 0
        free = np.maximum(allocatable - wanted, 0) * MAX_SCORE // np.maximum(allocatable, 1)
        scores: Numbers = free.sum(axis=0) // np.maximum(known.sum(axis=0), 1)
        return scores


class BalancedAllocation:
    name: ClassVar[str] = "NodeResourcesBalancedAllocation"
    dynamic: ClassVar[bool] = True

    def score(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Numbers | None:
        """How alike the used shares of CPU and memory would be.  Pods without requests are not judged."""
        cpu, memory = pod.requests.get("cpu", 0), pod.requests.get("memory", 0)
        if not cpu and not memory:
            return None
        allocatable = snapshot.allocatable[:2, columns]
        wanted = snapshot.requested[:2, columns]
        wanted[CPU] += cpu
        wanted[MEMORY] += memory
        share = np.minimum(wanted / np.maximum(allocatable, 1), 1.0)
        deviation = np.abs(share[0] - share[1]) / 2
        deviation[(allocatable == 0).any(axis=0)] = 0.0
        scores: Numbers = ((1 - deviation) * MAX_SCORE).astype(np.int64)
        return scores
