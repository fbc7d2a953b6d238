"""NodeName: a pod that names its node goes there or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from steersman.scheduler.framework import Rejection
from steersman.scheduler.podinfo import PodInfo
from steersman.scheduler.snapshot import Indexes, Snapshot


class NodeName:
    name: ClassVar[str] = "NodeName"
    dynamic: ClassVar[bool] = False
    events: ClassVar[frozenset[str]] = frozenset({"NodeAdd"})

    def filter(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Sequence[Rejection]:
        if not pod.node_name:
            return ()
        nodes = columns != snapshot.columns.get(pod.node_name, -1)
        return (Rejection(nodes, "node(s) didn't match the requested node name"),)
