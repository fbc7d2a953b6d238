"""Gives every node its part of the cluster's pod network (``spec.podCIDR``).

What is taken is read from the nodes themselves, plus what this process has just written and does not see yet;
a single worker allocates, so that two nodes never get the same.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import ClassVar

import msgspec

from steersman.api.types.core_v1 import Node
from steersman.client.client import Patch
from steersman.client.informer import Informer

from .kit import Controller, ControllerContext

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Exhausted(Exception):
    """Every part of a cluster CIDR is taken."""


def free(cluster: Network, prefix: int, taken: Iterable[Network], start: int = 0) -> tuple[Network, int]:
    """The first part of ``cluster`` with this prefix length that overlaps nothing taken, and its number.

    The search begins with part number ``start`` and goes around.  Raises Exhausted.
    """
    count = 1 << (prefix - cluster.prefixlen)
    size = 1 << (cluster.max_prefixlen - prefix)
    base = int(cluster.network_address)
    used: set[int] = set()
    for network in taken:
        if network.version == cluster.version and network.overlaps(cluster):
            first = max((int(network.network_address) - base) // size, 0)
            last = min((int(network.broadcast_address) - base) // size, count - 1)
            used.update(range(first, last + 1))
    for offset in range(count):
        number = (start + offset) % count
        if number not in used:
            address = type(cluster.network_address)(base + number * size)
            return ipaddress.ip_network((address, prefix)), number
    raise Exhausted(str(cluster))


class NodeIPAMController(Controller):
    """Keys are names of nodes."""

    name = "node-ipam-controller"
    service_account = "node-controller"
    component = "cidrAllocator"
    workers: ClassVar[int] = 1

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        config = context.config
        self.clusters = (
            [ipaddress.ip_network(cidr) for cidr in config.cluster_cidrs] if config.allocate_node_cidrs else []
        )
        self.services = [ipaddress.ip_network(cidr) for cidr in config.service_cidrs]
        self.next = [0] * len(self.clusters)
        self.reserved: dict[str, list[Network]] = {}
        self.nodes: Informer[Node] = self.watch(Node, lambda node: [node.metadata.name])

    async def reconcile(self, key: str) -> float | None:
        if not self.clusters:
            return None
        node = self.nodes.lister.get(key)
        if node is None or node.spec.pod_cidr:
            self.reserved.pop(key, None)
            if node is None:
                for other in self.nodes.lister.list():  # what it had may be what another waits for
                    if not other.spec.pod_cidr:
                        self.queue.add(other.metadata.name)
            return None
        if node.metadata.deletion_timestamp is not None:
            return None
        try:
            networks = self.reserved.get(key) or self._allocate()
        except Exhausted:
            self.recorder.event(node, "Normal", "CIDRNotAvailable", f"Node {key} status is now: CIDRNotAvailable")
            raise
        self.reserved[key] = networks
        texts = [str(network) for network in networks]
        body = msgspec.json.encode(
            {"metadata": {"uid": node.metadata.uid}, "spec": {"podCIDR": texts[0], "podCIDRs": texts}}
        )
        await self.client.patch(Node, key, Patch("application/merge-patch+json", body))
        return None

    def _allocate(self) -> list[Network]:
        config = self.context.config
        taken: list[Network] = [*self.services]
        for node in self.nodes.lister.list():
            taken += [ipaddress.ip_network(cidr) for cidr in node.spec.pod_cidrs or [node.spec.pod_cidr] if cidr]
        for networks in self.reserved.values():
            taken += networks
        result: list[Network] = []
        for index, cluster in enumerate(self.clusters):
            size = config.node_cidr_mask_size_ipv4 if cluster.version == 4 else config.node_cidr_mask_size_ipv6
            network, number = free(cluster, size, taken, self.next[index])
            self.next[index] = number + 1
            result.append(network)
        return result
