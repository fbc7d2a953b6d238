"""Services, endpoints, ingresses and network policies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from steersman.api.types import core_v1, discovery_v1, networking_v1

from .printer import NONE, UNSET, Printer, aged, label_selector, labels, some


def _points(ingress: Iterable[Any]) -> list[str]:
    """The addresses of a load balancer, each once."""
    return sorted({each.ip or each.hostname for each in ingress if each.ip or each.hostname})


def _external_ip(obj: core_v1.Service) -> str:
    spec = obj.spec
    if spec.type == "ExternalName":
        return spec.external_name
    if spec.type == "LoadBalancer":
        return ",".join([*_points(obj.status.load_balancer.ingress), *spec.external_ips]) or "<pending>"
    return ",".join(spec.external_ips) or NONE


def _service_ports(ports: Iterable[core_v1.ServicePort]) -> str:
    return (
        ",".join(
            f"{port.port}:{port.node_port}/{port.protocol}" if port.node_port else f"{port.port}/{port.protocol}"
            for port in ports
        )
        or NONE
    )


def _service(obj: core_v1.Service) -> list[Any]:
    spec = obj.spec
    cluster_ip = spec.cluster_ips[0] if spec.cluster_ips else spec.cluster_ip
    return [spec.type, cluster_ip or NONE, _external_ip(obj), _service_ports(spec.ports)]


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _addresses(obj: core_v1.Endpoints) -> Iterator[str]:
    for subset in obj.subsets:
        if not subset.ports:
            yield from (address.ip for address in subset.addresses)
        for port in subset.ports:
            for address in subset.addresses:
                yield _join(address.ip, port.port)


def _slice(obj: discovery_v1.EndpointSlice) -> list[Any]:
    ports = [str(port.port) if port.port is not None else port.name or "*" for port in obj.ports]
    addresses = [address for endpoint in obj.endpoints for address in endpoint.addresses]
    return [obj.address_type, some(ports, empty=UNSET), some(addresses, empty=UNSET)]


def _hosts(hosts: list[str]) -> str:
    """The first three that are named; rules without a host count among those that are left out."""
    named = [number for number, host in enumerate(hosts, 1) if host][:3]
    shown = ",".join(hosts[number - 1] for number in named) or "*"
    left_out = len(named) == 3 and len(hosts) > named[-1]
    return f"{shown} + {len(hosts) - 3} more..." if left_out else shown


def _ingress(obj: networking_v1.Ingress) -> list[Any]:
    return [
        obj.spec.ingress_class_name or NONE,
        _hosts([rule.host for rule in obj.spec.rules]),
        ",".join(_points(obj.status.load_balancer.ingress)),
        "80, 443" if obj.spec.tls else "80",
    ]


def _ingress_class(obj: networking_v1.IngressClass) -> list[Any]:
    parameters = obj.spec.parameters
    if parameters is None:
        return [obj.spec.controller, NONE]
    group = f".{parameters.api_group}" if parameters.api_group else ""
    return [obj.spec.controller, f"{parameters.kind}{group}/{parameters.name}"]


def _parent(obj: networking_v1.IPAddress) -> list[Any]:
    parent = obj.spec.parent_ref
    if not parent.name:
        return [NONE]
    group = f".{parent.group}" if parent.group else ""
    return ["/".join(part for part in (f"{parent.resource}{group}".lower(), parent.namespace, parent.name) if part)]


TABLE: dict[tuple[str, str], Printer] = {
    ("", "Service"): aged(
        ("Type", "Cluster-IP", "External-IP", "Port(s)", "Selector+"), _service, lambda obj: [labels(obj.spec.selector)]
    ),
    ("", "Endpoints"): aged(("Endpoints",), lambda obj: [some(_addresses(obj))]),
    ("discovery.k8s.io", "EndpointSlice"): aged(("AddressType", "Ports", "Endpoints"), _slice),
    ("networking.k8s.io", "Ingress"): aged(("Class", "Hosts", "Address", "Ports"), _ingress),
    ("networking.k8s.io", "IngressClass"): aged(("Controller", "Parameters"), _ingress_class),
    ("networking.k8s.io", "NetworkPolicy"): aged(
        ("Pod-Selector",), lambda obj: [label_selector(obj.spec.pod_selector)]
    ),
    ("networking.k8s.io", "IPAddress"): aged(("ParentRef",), _parent),
    ("networking.k8s.io", "ServiceCIDR"): aged(("CIDRs",), lambda obj: [",".join(obj.spec.cidrs)]),
}
