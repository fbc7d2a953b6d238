"""What a writer of a Service left out and gets from before, and what goes when the type changes (pure)."""

from __future__ import annotations

from steersman.api.types import core_v1 as v1
from steersman.api.validation.services import externally_accessible, needs_health_check

_WITH_PORTS = ("NodePort", "LoadBalancer")


def addressed(spec: v1.ServiceSpec) -> bool:
    """Whether the type has cluster IPs, of which ``None`` is one."""
    return spec.type != "ExternalName"


def with_node_ports(spec: v1.ServiceSpec) -> bool:
    """Whether the type has node ports."""
    return spec.type in _WITH_PORTS


def node_ports(spec: v1.ServiceSpec) -> set[int]:
    """The node ports of the Service's ports."""
    return {port.node_port for port in spec.ports if port.node_port}


def carry_over(spec: v1.ServiceSpec, before: v1.ServiceSpec) -> None:
    """What was chosen for the writer, and what they did not send back, stays as it is."""
    if addressed(before) and addressed(spec):
        spec.cluster_ip = spec.cluster_ip or before.cluster_ip
        spec.cluster_ips = spec.cluster_ips or list(before.cluster_ips)
    if with_node_ports(before) and with_node_ports(spec):
        kept = node_ports(before) & node_ports(spec)
        held = {port.name: port.node_port for port in before.ports}
        for port in spec.ports:
            if not port.node_port and (known := held.get(port.name)) not in kept:
                port.node_port = known
    if needs_health_check(before) and needs_health_check(spec):
        spec.health_check_node_port = spec.health_check_node_port or before.health_check_node_port


def agree(spec: v1.ServiceSpec, before: v1.ServiceSpec | None) -> None:
    """Let ``clusterIPs`` follow ``clusterIP`` where a writer knows the latter alone."""
    if before is None:
        if spec.cluster_ip and not spec.cluster_ips:
            spec.cluster_ips = [spec.cluster_ip]
        return
    if before.cluster_ips and not spec.cluster_ips and spec.cluster_ip == before.cluster_ip:
        spec.cluster_ips = list(before.cluster_ips)
    if spec.cluster_ip != before.cluster_ip and spec.cluster_ips == before.cluster_ips:
        spec.cluster_ips = [spec.cluster_ip] if spec.cluster_ip else []


def drop(spec: v1.ServiceSpec, before: v1.ServiceSpec) -> None:
    """What only the old type had goes with it, unless the writer changed it too: then validation refuses."""
    if addressed(before) and not addressed(spec):
        if (spec.cluster_ip, spec.cluster_ips) == (before.cluster_ip, before.cluster_ips):
            spec.cluster_ip, spec.cluster_ips = "", []
        if spec.ip_families == before.ip_families:
            spec.ip_families = []
        if spec.ip_family_policy == before.ip_family_policy:
            spec.ip_family_policy = ""
    if with_node_ports(before) and not with_node_ports(spec) and node_ports(spec) <= node_ports(before):
        for port in spec.ports:
            port.node_port = None
    same_check = spec.health_check_node_port == before.health_check_node_port
    if needs_health_check(before) and not needs_health_check(spec) and same_check:
        spec.health_check_node_port = None
    if before.type == "LoadBalancer" and spec.type != "LoadBalancer":
        if spec.allocate_load_balancer_node_ports == before.allocate_load_balancer_node_ports:
            spec.allocate_load_balancer_node_ports = None
        if spec.load_balancer_class == before.load_balancer_class:
            spec.load_balancer_class = ""
    same_policy = spec.external_traffic_policy == before.external_traffic_policy
    if externally_accessible(before) and not externally_accessible(spec) and same_policy:
        spec.external_traffic_policy = ""
