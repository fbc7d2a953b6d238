"""NodePorts: a host port is used once on each address of a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from steersman.scheduler.framework import Rejection
from steersman.scheduler.podinfo import PodInfo
from steersman.scheduler.snapshot import Indexes, Snapshot

_ALL = "0.0.0.0"  # noqa: S104


class NodePorts:
    name: ClassVar[str] = "NodePorts"
    dynamic: ClassVar[bool] = True
    events: ClassVar[frozenset[str]] = frozenset({"NodeAdd", "AssignedPodDelete"})

    def filter(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Sequence[Rejection]:
        taken: set[int] = set()
        for protocol, address, port in pod.host_ports:
            for column, addresses in snapshot.ports.get((protocol, port), {}).items():
                if address == _ALL or _ALL in addresses or address in addresses:
                    taken.add(column)
        if not taken:
            return ()
        nodes = np.isin(columns, [*taken])
        return (Rejection(nodes, "node(s) didn't have free ports for the requested pod ports", True),)
