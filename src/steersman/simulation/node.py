"""A simulated node, as the simulation remembers it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from steersman.api.types.coordination_v1 import Lease
from steersman.api.types.core_v1 import Node

from .addresses import AddressPool


class SimulatedNode:
    """The place of a node and its pods; see :class:`.stage.Place`."""

    __slots__ = ("_cidrs", "_elsewhere", "_pools", "address", "lease", "name", "ready", "recovered", "started", "uid")

    def __init__(self, node: Node, address: str, elsewhere: AddressPool, started: datetime) -> None:
        self.name = node.metadata.name
        self.uid = node.metadata.uid
        self.address = address
        self.started = started
        self.lease: Lease | None = None
        """As last written; None where it must be looked for."""
        self.ready = False
        self.recovered: datetime | None = None
        """Since when it is ready again; None where it is not, or always was."""
        self._elsewhere = elsewhere
        self._cidrs: list[str] = []
        self._pools: list[AddressPool] = []
        self.update(node)

    def update(self, node: Node) -> None:
        """Take note of the networks that the node has, and of how it is."""
        self.ready, self.recovered = False, None
        for condition in node.status.conditions:
            if condition.type == "Ready" and condition.status == "True":
                self.ready = True
                since, created = condition.last_transition_time, node.metadata.creation_timestamp
                if since is not None and created is not None and since > created:
                    self.recovered = since
        cidrs = node.spec.pod_cidrs or ([node.spec.pod_cidr] if node.spec.pod_cidr else [])
        if cidrs != self._cidrs:
            self._cidrs = cidrs
            self._pools = [AddressPool(cidr) for cidr in cidrs]

    def take_addresses(self, owner: str) -> list[str]:
        """An address of each of the node's networks; of the common one where it has none.  Raises Exhausted."""
        return [pool.take(owner) for pool in self._pools or [self._elsewhere]]

    def mark_addresses(self, addresses: Iterable[str], owner: str) -> None:
        """A pod has these."""
        for address in addresses:
            for pool in (*self._pools, self._elsewhere):
                pool.mark(address, owner)

    def release_addresses(self, addresses: Iterable[str], owner: str) -> None:
        """A pod has these no more; nothing where others have them."""
        for address in addresses:
            for pool in (*self._pools, self._elsewhere):
                pool.release(address, owner)

    def retain_addresses(self, has: Callable[[str], bool]) -> None:
        """Take those of the node's own networks back from pods that are not there any more."""
        for pool in self._pools:
            pool.retain(has)
