"""How many cluster IPs and node ports are given out, and how many are left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from steersman.api.types.core_v1 import Service
from steersman.api.types.networking_v1 import IPAddress, ServiceCIDR
from steersman.api.validation.addresses import parse_address
from steersman.apiserver.registry.services import ranges
from steersman.apiserver.registry.services.reservation import ADDRESS_PREFIX, NODE_PORT_PREFIX
from steersman.apiserver.registry.strategies.services import ServiceStrategy

if TYPE_CHECKING:
    from steersman.apiserver.registry.registry import Registry

_ADDRESSES = "kube_apiserver_clusterip_allocator"
_PORTS = "kube_apiserver_nodeport_allocator"


class Allocated:
    """Counted by :meth:`measure`, before each answer."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._networks: dict[str, tuple[int, int]] = {}
        self._ports = 0

    async def measure(self) -> None:
        """Count what is given out of each network, and the node ports."""
        networks = ranges.networks(await self._registry.list(ServiceCIDR))
        handler = self._registry.handler_of(IPAddress)
        await handler.ready()
        counts = dict.fromkeys(networks, 0)
        for entry in handler.cache.list().entries:
            address = parse_address(entry.key.removeprefix(ADDRESS_PREFIX))
            for network in networks:
                if address is not None and address in network:
                    counts[network] += 1
        self._networks = {
            str(network): (count, ranges.address_range(network).size - count) for network, count in counts.items()
        }
        page = await self._registry.store.range(NODE_PORT_PREFIX, limit=1)
        self._ports = len(page.items) + page.remaining

    def collect(self) -> Iterator[Metric]:
        """As Prometheus has it."""
        taken = GaugeMetricFamily(f"{_ADDRESSES}_allocated_ips", "Cluster IPs given out.", labels=("cidr",))
        left = GaugeMetricFamily(f"{_ADDRESSES}_available_ips", "Cluster IPs left.", labels=("cidr",))
        for cidr, (count, rest) in self._networks.items():
            taken.add_metric((cidr,), count)
            left.add_metric((cidr,), rest)
        size = ranges.port_range(*self._registry.config.node_ports).size
        yield from (taken, left)
        yield GaugeMetricFamily(f"{_PORTS}_allocated_ports", "Node ports given out.", value=self._ports)
        yield GaugeMetricFamily(f"{_PORTS}_available_ports", "Node ports left.", value=size - self._ports)
        yield from self._counts()

    def _counts(self) -> Iterator[Metric]:
        strategy = self._registry.handler_of(Service).strategy
        assert isinstance(strategy, ServiceStrategy)
        counts, first = strategy.allocator.counts, str(self._registry.config.service_networks[0])
        addresses = CounterMetricFamily(f"{_ADDRESSES}_allocation_total", "Found.", labels=("cidr", "scope"))
        ports = CounterMetricFamily(f"{_PORTS}_allocation_total", "Found.", labels=("scope",))
        for found, count in list(counts.found.items()):
            scope = "static" if found.static else "dynamic"
            if found.network:
                addresses.add_metric((found.network, scope), count)
            else:
                ports.add_metric((scope,), count)
        failed = CounterMetricFamily(f"{_ADDRESSES}_allocation_errors_total", "Not found.", labels=("cidr", "scope"))
        failed_ports = CounterMetricFamily(f"{_PORTS}_allocation_errors_total", "Not found.", labels=("scope",))
        for (of_addresses, static), count in list(counts.failures.items()):
            scope = "static" if static else "dynamic"
            if of_addresses:
                failed.add_metric((first, scope), count)
            else:
                failed_ports.add_metric((scope,), count)
        yield from (addresses, ports, failed, failed_ports)
