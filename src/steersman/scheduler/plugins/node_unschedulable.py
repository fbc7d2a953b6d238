"""NodeUnschedulable: cordoned nodes are refused, unless their taint is tolerated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from steersman.api.labels import TAINT_UNSCHEDULABLE
from steersman.api.tolerations import tolerated
from steersman.scheduler.framework import Rejection
from steersman.scheduler.podinfo import PodInfo
from steersman.scheduler.snapshot import Indexes, Snapshot


class NodeUnschedulable:
    name: ClassVar[str] = "NodeUnschedulable"
    dynamic: ClassVar[bool] = False
    events: ClassVar[frozenset[str]] = frozenset({"NodeAdd", "NodeTaint"})

    def filter(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Sequence[Rejection]:
        if tolerated(pod.tolerations, TAINT_UNSCHEDULABLE, "", "NoSchedule"):
            return ()
        return (Rejection(snapshot.unschedulable[columns], "node(s) were unschedulable"),)
