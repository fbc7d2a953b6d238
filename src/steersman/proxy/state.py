"""From Services and EndpointSlices to what each service port shall do on this node: pure decisions."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from steersman.api import labels
from steersman.api.types.core_v1 import Service, ServicePort
from steersman.api.types.discovery_v1 import Endpoint as SliceEndpoint
from steersman.api.types.discovery_v1 import EndpointSlice

DEFAULT_AFFINITY_SECONDS = 10800


class NodeView(msgspec.Struct, frozen=True):
    """What the decisions depend on of the node the proxy runs on."""

    name: str
    zone: str = ""


class Endpoint(NamedTuple):
    """One address and port that serves."""

    address: str
    port: int


class _Candidate(NamedTuple):
    endpoint: Endpoint
    ready: bool
    serving: bool
    terminating: bool
    local: bool
    zones: frozenset[str]
    nodes: frozenset[str]


class PortState(msgspec.Struct, frozen=True):
    """One port of one service, decided.

    ``cluster`` and ``local`` are the endpoints for each traffic policy, sorted; a policy the service does not use
    has none.  ``has_any`` says that some node has an endpoint, so that a policy without endpoints *here* drops
    rather than rejects.  ``affinity`` is ClientIP affinity's timeout in seconds, 0 for none.
    """

    namespace: str
    service: str
    name: str
    protocol: str
    cluster_ip: str
    port: int
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity: int = 0
    internal_local: bool = False
    external_local: bool = False
    cluster: tuple[Endpoint, ...] = ()
    local: tuple[Endpoint, ...] = ()
    has_any: bool = False

    @property
    def internal_endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints of traffic to the cluster IP."""
        return self.local if self.internal_local else self.cluster

    @property
    def external_endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints of traffic to external addresses and node ports."""
        return self.local if self.external_local else self.cluster

    @property
    def all_endpoints(self) -> tuple[Endpoint, ...]:
        """Every endpoint that some traffic may reach from here."""
        return tuple(sorted({*self.cluster, *self.local}))


class ServiceState(msgspec.Struct, frozen=True):
    """All ports of a service, and the health check a load balancer asks for (``health_check_node_port`` 0: none)."""

    namespace: str
    name: str
    ports: tuple[PortState, ...]
    health_check_node_port: int = 0
    local_endpoints: int = 0


def is_proxied(service: Service) -> bool:
    """Whether this proxy is responsible for a service: it has a cluster IP and names no other proxy."""
    spec = service.spec
    if spec.type == "ExternalName" or spec.cluster_ip in ("", "None"):
        return False
    return labels.SERVICE_PROXY_NAME not in service.metadata.labels


def service_state(service: Service, slices: Iterable[EndpointSlice], node: NodeView) -> ServiceState | None:
    """What a service shall do on this node; None where the proxy is not responsible, or it has no IPv4 address."""
    if not is_proxied(service):
        return None
    cluster_ip = next((ip for ip in (service.spec.cluster_ips or [service.spec.cluster_ip]) if _is_ipv4(ip)), "")
    if not cluster_ip:
        return None
    ipv4 = [
        item for item in slices if item.address_type == "IPv4" and labels.HEADLESS_SERVICE not in item.metadata.labels
    ]
    ports = tuple(_port_state(service, port, cluster_ip, ipv4, node) for port in service.spec.ports)
    spec = service.spec
    health_port = 0
    local_count = 0
    if spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local" and spec.health_check_node_port:
        health_port = spec.health_check_node_port
        local_count = len({endpoint.address for port in ports for endpoint in port.local})
    return ServiceState(
        namespace=service.metadata.namespace,
        name=service.metadata.name,
        ports=ports,
        health_check_node_port=health_port,
        local_endpoints=local_count,
    )


def _is_ipv4(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4
    except ValueError:
        return False


def _is_ipv4_range(text: str) -> bool:
    try:
        return ipaddress.ip_network(text.strip(), strict=False).version == 4
    except ValueError:
        return False


def _port_state(
    service: Service, port: ServicePort, cluster_ip: str, slices: Sequence[EndpointSlice], node: NodeView
) -> PortState:
    spec = service.spec
    protocol = port.protocol or "TCP"
    node_port = port.node_port or 0
    external_ips = tuple(ip for ip in spec.external_ips if _is_ipv4(ip))
    load_balancer_ips: tuple[str, ...] = ()
    if spec.type == "LoadBalancer":
        load_balancer_ips = tuple(
            ingress.ip
            for ingress in service.status.load_balancer.ingress
            if _is_ipv4(ingress.ip) and ingress.ip_mode != "Proxy"
        )
    affinity = 0
    if spec.session_affinity == "ClientIP":
        client_ip = spec.session_affinity_config.client_ip if spec.session_affinity_config else None
        affinity = (client_ip.timeout_seconds if client_ip else None) or DEFAULT_AFFINITY_SECONDS
    externally_reachable = bool(node_port or external_ips or load_balancer_ips)
    internal_local = spec.internal_traffic_policy == "Local"
    external_local = externally_reachable and spec.external_traffic_policy == "Local"
    # Local external traffic still needs them: pods and this node short-cut to any endpoint.
    uses_cluster = not internal_local or externally_reachable
    uses_local = internal_local or external_local
    candidates = list(_candidates(slices, port.name, protocol, node.name))
    cluster, local, has_any = _categorize(candidates, uses_cluster, uses_local, node)
    return PortState(
        namespace=service.metadata.namespace,
        service=service.metadata.name,
        name=port.name,
        protocol=protocol.lower(),
        cluster_ip=cluster_ip,
        port=port.port,
        node_port=node_port,
        external_ips=external_ips,
        load_balancer_ips=load_balancer_ips,
        source_ranges=tuple(text.strip() for text in spec.load_balancer_source_ranges if _is_ipv4_range(text)),
        affinity=affinity,
        internal_local=internal_local,
        external_local=external_local,
        cluster=cluster,
        local=local,
        has_any=has_any,
    )


def _candidates(slices: Iterable[EndpointSlice], port_name: str, protocol: str, node_name: str) -> Iterable[_Candidate]:
    seen: set[Endpoint] = set()
    for item in slices:
        number = next(
            (port.port for port in item.ports if port.name == port_name and (port.protocol or "TCP") == protocol), None
        )
        if number is None:
            continue
        for endpoint in item.endpoints:
            if not endpoint.addresses or not _is_ipv4(endpoint.addresses[0]):
                continue  # one address that the kernel refuses would keep the whole table from being written
            key = Endpoint(endpoint.addresses[0], number)
            if key in seen:  # an endpoint may stand in two slices while it moves
                continue
            seen.add(key)
            yield _candidate(key, endpoint, node_name)


def _candidate(key: Endpoint, endpoint: SliceEndpoint, node_name: str) -> _Candidate:
    conditions = endpoint.conditions
    ready = conditions is None or conditions.ready is None or conditions.ready
    serving = ready if conditions is None or conditions.serving is None else conditions.serving
    hints = endpoint.hints
    return _Candidate(
        endpoint=key,
        ready=ready,
        serving=serving,
        terminating=bool(conditions and conditions.terminating),
        local=bool(endpoint.node_name) and endpoint.node_name == node_name,
        zones=frozenset(hint.name for hint in hints.for_zones) if hints else frozenset(),
        nodes=frozenset(hint.name for hint in hints.for_nodes) if hints else frozenset(),
    )


def _categorize(
    candidates: Sequence[_Candidate], uses_cluster: bool, uses_local: bool, node: NodeView
) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...], bool]:
    """The endpoints for the Cluster policy, for the Local policy, and whether there are any anywhere.

    Ready endpoints serve; where a policy has none, those that terminate but still serve do (KEP-1669).
    """
    ready = [item for item in candidates if item.ready]
    fallback = [item for item in candidates if not item.ready and item.serving and item.terminating]
    cluster: Sequence[_Candidate] = ()
    local: Sequence[_Candidate] = ()
    if uses_cluster:
        cluster = _near(ready, node) or fallback
    if uses_local:
        local = [item for item in ready if item.local] or [item for item in fallback if item.local]
    return _endpoints(cluster), _endpoints(local), bool(ready or fallback)


def _near(ready: Sequence[_Candidate], node: NodeView) -> Sequence[_Candidate]:
    """Heed topology hints where every endpoint has one and some endpoint is for here; the node's before the zone's."""
    for hints, here in ((_node_hints, node.name), (_zone_hints, node.zone)):
        if here and ready and all(hints(item) for item in ready):
            near = [item for item in ready if here in hints(item)]
            if near:
                return near
    return ready


_Hints = Callable[[_Candidate], frozenset[str]]


def _node_hints(item: _Candidate) -> frozenset[str]:
    return item.nodes


def _zone_hints(item: _Candidate) -> frozenset[str]:
    return item.zones


def _endpoints(items: Iterable[_Candidate]) -> tuple[Endpoint, ...]:
    return tuple(sorted(item.endpoint for item in items))
