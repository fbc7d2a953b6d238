"""The group discovery.k8s.io: EndpointSlices."""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import discovery_v1

from . import addresses, names
from .faults import Faults
from .forms import fully_qualified_domain_name
from .rules import Rules

MAX_ENDPOINTS = 1000
MAX_ADDRESSES = 100
MAX_PORTS = 20_000
MAX_HINTS = 8
MAX_TOPOLOGY = 16
_TYPES = ("FQDN", "IPv4", "IPv6")
_FAMILIES = {"IPv4": 4, "IPv6": 6}


def endpoint_slice(faults: Faults, obj: discovery_v1.EndpointSlice) -> None:
    if faults.required("addressType", obj.address_type) and obj.address_type not in _TYPES:
        faults.unsupported("addressType", obj.address_type, _TYPES)
    if faults.fewer("endpoints", len(obj.endpoints), MAX_ENDPOINTS):
        for index, endpoint in enumerate(obj.endpoints):
            _endpoint(faults, endpoint, obj.address_type, f"endpoints[{index}]")
    if faults.fewer("ports", len(obj.ports), MAX_PORTS):
        _ports(faults, obj.ports)


def _endpoint(faults: Faults, endpoint: discovery_v1.Endpoint, kind: str, path: str) -> None:
    if faults.required(f"{path}.addresses", endpoint.addresses, "must contain at least 1 address"):
        faults.fewer(f"{path}.addresses", len(endpoint.addresses), MAX_ADDRESSES)
    for index, address in enumerate(endpoint.addresses):
        _address(faults, address, kind, f"{path}.addresses[{index}]")
    if endpoint.node_name:
        faults.grammar(f"{path}.nodeName", endpoint.node_name, names.dns1123_subdomain)
    topology = endpoint.deprecated_topology
    faults.fewer(f"{path}.deprecatedTopology", len(topology), MAX_TOPOLOGY)
    faults.labels(f"{path}.deprecatedTopology", topology)
    if endpoint.hostname:
        faults.grammar(f"{path}.hostname", endpoint.hostname, names.dns1123_label)
    if endpoint.hints is not None:
        _hints(faults, [zone.name for zone in endpoint.hints.for_zones], f"{path}.hints.forZones", zones=True)
        _hints(faults, [node.name for node in endpoint.hints.for_nodes], f"{path}.hints.forNodes", zones=False)


def _address(faults: Faults, address: str, kind: str, path: str) -> None:
    if kind == "FQDN":
        fully_qualified_domain_name(faults, path, address)
    elif kind in _FAMILIES:
        parsed = addresses.parse_address(address)
        if parsed is None or parsed.version != _FAMILIES[kind]:
            faults.invalid(path, address, f"must be a valid {kind} address")
        faults.grammar(path, address, addresses.special)


def _hints(faults: Faults, hints: list[str], path: str, *, zones: bool) -> None:
    if not faults.fewer(path, len(hints), MAX_HINTS):
        return
    seen: set[str] = set()
    for index, name in enumerate(hints):
        faults.unique(f"{path}[{index}].name", name, seen)
        faults.grammar(f"{path}[{index}].name", name, names.label_value if zones else names.dns1123_subdomain)


def _ports(faults: Faults, ports: list[discovery_v1.EndpointPort]) -> None:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        place = f"ports[{index}]"
        if port.name:
            faults.grammar(f"{place}.name", port.name, names.dns1123_label)
        faults.unique(f"{place}.name", port.name, seen)
        if not port.protocol:
            faults.append(errors.required(f"{place}.protocol"))
        elif port.protocol not in ("SCTP", "TCP", "UDP"):
            faults.unsupported(f"{place}.protocol", port.protocol, ("SCTP", "TCP", "UDP"))
        if port.app_protocol:
            faults.grammar(f"{place}.appProtocol", port.app_protocol, names.qualified_name)


def endpoint_slice_update(faults: Faults, new: discovery_v1.EndpointSlice, old: discovery_v1.EndpointSlice) -> None:
    faults.immutable("addressType", new.address_type, old.address_type)


TABLE: dict[type[Any], Rules] = {
    discovery_v1.EndpointSlice: Rules(endpoint_slice, endpoint_slice_update),
}
