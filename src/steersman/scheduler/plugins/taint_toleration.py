"""TaintToleration: NoSchedule and NoExecute taints refuse, PreferNoSchedule taints make a node less liked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from steersman.api.tolerations import tolerated
from steersman.scheduler.framework import MAX_SCORE, Rejection
from steersman.scheduler.podinfo import PodInfo
from steersman.scheduler.snapshot import Indexes, Numbers, Snapshot


class TaintToleration:
    name: ClassVar[str] = "TaintToleration"
    dynamic: ClassVar[bool] = False
    events: ClassVar[frozenset[str]] = frozenset({"NodeAdd", "NodeTaint"})

    def filter(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Sequence[Rejection]:
        refused = np.array(
            [
                any(
                    taint[2] in ("NoSchedule", "NoExecute") and not tolerated(pod.tolerations, *taint)
                    for taint in taints
                )
                for taints in snapshot.taint_sets
            ]
        )
        return (Rejection(refused[snapshot.taint_column[columns]], "node(s) had untolerated taint(s)"),)

    def score(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Numbers | None:
        soft = [item for item in pod.tolerations if item.effect in ("", "PreferNoSchedule")]
        counts = np.array(
            [
                sum(taint[2] == "PreferNoSchedule" and not tolerated(soft, *taint) for taint in taints)
                for taints in snapshot.taint_sets
            ],
            np.int64,
        )[snapshot.taint_column[columns]]
        most = int(counts.max(initial=0))
        if not most:
            return np.full(columns.size, MAX_SCORE, np.int64)
        scores: Numbers = MAX_SCORE - MAX_SCORE * counts // most
        return scores
