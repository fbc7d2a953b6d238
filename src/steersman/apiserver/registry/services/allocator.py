"""Chooses addresses and node ports for Services, and refuses those that cannot be had."""

from __future__ import annotations

import random

from steersman.api.errors import internal_error, invalid
from steersman.api.types import core_v1 as v1
from steersman.api.types import networking_v1
from steersman.api.validation.addresses import Network, parse_address
from steersman.api.validation.services import needs_health_check
from steersman.apiserver.registry.reading import unavailable
from steersman.apiserver.registry.strategy import Handlers
from steersman.storage.store import StoreError

from . import fields, ranges
from .counts import Counts
from .reservation import (
    NODE_PORT_PREFIX,
    PORT_TAKEN,
    Allocation,
    address_fault,
    address_key,
    held_addresses,
    held_ports,
    port_fault,
    port_key,
    usual,
)

_RANDOM_PORTS = 8
_NOTHING = v1.ServiceSpec(type="ExternalName")
_MISMATCH = "the provided network does not match the current range"


class Allocator:
    """Looks at what is free now; whether it still is decides the commit."""

    def __init__(self, cluster: Handlers) -> None:
        self._cluster = cluster
        self._random = random.Random()
        self._ports = ranges.port_range(*cluster.config.node_ports)
        self.counts = Counts()

    async def reserve(self, new: v1.Service, old: v1.Service | None) -> Allocation | None:
        """Choose what was left open, and take and give up the keys that the change needs."""
        if old is not None and new.spec == old.spec and _complete(new.spec):
            return None
        before = old.spec if old is not None else _NOTHING
        allocation = Allocation(new, self._cluster.now())
        with self.counts.of_addresses(allocation):
            await self._reserve_addresses(new, before, allocation)
        held = held_ports(before)
        with self.counts.of_ports(allocation):
            if fields.with_node_ports(new.spec):
                if old is None:
                    await self._create_ports(new, allocation)
                else:
                    await self._update_ports(new, fields.node_ports(before), allocation)
            if needs_health_check(new.spec):
                await self._reserve_health_check(new, before, allocation)
        allocation.give_up([port_key(number) for number in sorted(held - held_ports(new.spec))])
        return allocation

    # -- addresses -----------------------------------------------------------------------------------------------

    async def _reserve_addresses(self, new: v1.Service, before: v1.ServiceSpec, allocation: Allocation) -> None:
        spec = new.spec
        held = set(held_addresses(before))
        if fields.addressed(spec) and spec.cluster_ip != "None":
            wanted = spec.cluster_ips + [""] * (len(spec.ip_families) - len(spec.cluster_ips))
            fresh = [address for address in wanted if not address or usual(address) not in held]
            if fresh:
                cidrs = await self._cluster.list(networking_v1.ServiceCIDR)
                available = ranges.networks(cidr for cidr in cidrs if ranges.is_ready(cidr))
                for address in fresh:
                    if address:
                        self._check_address(new, address, available)
                        allocation.take_address(usual(address), _network(address, available), chosen=False)
                for index, address in enumerate(wanted):
                    if not address:
                        wanted[index] = await self._free_address(spec.ip_families[index], available)
                        allocation.take_address(wanted[index], _network(wanted[index], available), chosen=True)
            spec.cluster_ips = wanted
            spec.cluster_ip = wanted[0] if wanted else ""
        present = set(held_addresses(spec))
        allocation.give_up([address_key(address) for address in sorted(held - present)])

    def _check_address(self, service: v1.Service, text: str, available: list[Network]) -> None:
        address = parse_address(text)
        if address is None or not any(ranges.contains(network, address) for network in available):
            raise invalid("Service", service.metadata.name, [address_fault(service.spec, text, _MISMATCH)])

    async def _free_address(self, family: str, available: list[Network]) -> str:
        handler = self._cluster.handler_of(networking_v1.IPAddress)
        await handler.ready()
        for last_try in (False, True):
            for address in ranges.choices(available, family, self._random):
                if handler.cache.get(address_key(address)) is None:
                    return address
            if not last_try:
                await handler.consistent()  # another server may just have let one go
        raise internal_error("failed to allocate a serviceIP: range is full")

    # -- node ports ----------------------------------------------------------------------------------------------

    async def _create_ports(self, new: v1.Service, allocation: Allocation) -> None:
        """The protocols of one port share a number, unless they were told otherwise."""
        shared: dict[int, int] = {}
        for index, port in enumerate(new.spec.ports):
            if not port.node_port and not _wants_ports(new.spec):
                continue
            number = shared.get(port.port)
            if number is None:
                number = next((p.node_port for p in new.spec.ports if p.port == port.port and p.node_port), None)
                if number:
                    self._take(new, number, index, allocation)
                else:
                    number = await self._free_port(allocation, "a nodePort")
                    allocation.take_port(number, chosen=True)
                shared[port.port] = port.node_port = number
            elif not port.node_port:
                port.node_port = number
            elif port.node_port != number:
                self._take(new, port.node_port, index, allocation)

    async def _update_ports(self, new: v1.Service, held: set[int], allocation: Allocation) -> None:
        for index, port in enumerate(new.spec.ports):
            if port.node_port:
                if port.node_port not in held and port.node_port not in allocation.ports:
                    self._take(new, port.node_port, index, allocation)
            elif _wants_ports(new.spec):
                port.node_port = await self._free_port(allocation, "a nodePort", held)
                allocation.take_port(port.node_port, chosen=True)

    def _take(self, new: v1.Service, number: int, index: int | None, allocation: Allocation) -> None:
        if number in allocation.ports:
            raise port_fault(new, number, PORT_TAKEN, index)
        if not self._ports.first <= number <= self._ports.last:
            low, high = self._ports.first, self._ports.last
            reason = f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
            raise port_fault(new, number, reason, index)
        allocation.take_port(number, chosen=False)

    async def _reserve_health_check(self, new: v1.Service, before: v1.ServiceSpec, allocation: Allocation) -> None:
        spec = new.spec
        if spec.health_check_node_port:
            if not needs_health_check(before):
                self._take(new, spec.health_check_node_port, None, allocation)
            return
        held = held_ports(before)
        spec.health_check_node_port = await self._free_port(allocation, "a HealthCheck NodePort 0", held)
        allocation.take_port(spec.health_check_node_port, chosen=True)

    async def _free_port(self, allocation: Allocation, what: str, held: set[int] | None = None) -> int:
        """A free number; the store is asked for a few by chance, and for all of them when that was in vain."""
        store = self._cluster.store
        used = allocation.ports | (held or set())
        try:
            for _ in range(_RANDOM_PORTS):
                number = self._candidate(used)
                if number is not None and await store.get(port_key(number)) is None:
                    return number
            everything = (await store.range(NODE_PORT_PREFIX)).items
        except StoreError as error:
            raise unavailable(error) from error
        number = self._candidate(used | {int(item.key.removeprefix(NODE_PORT_PREFIX)) for item in everything})
        if number is None:
            raise internal_error(f"failed to allocate {what}: range is full")
        return number

    def _candidate(self, used: set[int]) -> int | None:
        return next((number for number in self._ports.candidates(self._random) if number not in used), None)


def _network(text: str, available: list[Network]) -> str:
    """The network that an address is of."""
    address = parse_address(text)
    assert address is not None
    return next(str(network) for network in available if ranges.contains(network, address))


def _wants_ports(spec: v1.ServiceSpec) -> bool:
    return spec.type == "NodePort" or (
        spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False
    )


def _complete(spec: v1.ServiceSpec) -> bool:
    """Whether there is nothing left to choose."""
    if _wants_ports(spec) and not all(port.node_port for port in spec.ports):
        return False
    if needs_health_check(spec) and not spec.health_check_node_port:
        return False
    if not fields.addressed(spec) or spec.cluster_ip == "None":
        return True
    return bool(spec.cluster_ip) and len(spec.cluster_ips) >= len(spec.ip_families)
