"""Which names a Service has, and what they answer: pure, by the Kubernetes DNS specification 1.1.0."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable

import msgspec

from steersman.api.types.core_v1 import Service
from steersman.api.types.discovery_v1 import Endpoint, EndpointSlice

from . import wire

Records = dict[tuple[str, int], list[bytes]]
"""(name in lower case without the final dot, type) → records with the question's name as owner."""


class ServiceRecords(msgspec.Struct):
    """Everything one Service contributes.  ``alias`` is the target of an ExternalName Service."""

    records: Records
    alias: str = ""
    name: str = ""


def is_headless(service: Service) -> bool:
    """Whether the service's name stands for its endpoints."""
    return service.spec.cluster_ip == "None"


def service_records(service: Service, slices: Iterable[EndpointSlice], domain: str, ttl: int) -> ServiceRecords:
    """The records of one service under the cluster's domain."""
    name = f"{service.metadata.name}.{service.metadata.namespace}.svc.{domain}".lower()
    result = ServiceRecords({}, name=name)
    spec = service.spec
    if spec.type == "ExternalName":
        if spec.external_name:
            result.alias = spec.external_name.rstrip(".")
        return result
    if is_headless(service):
        _headless(result, service, slices, ttl)
        return result
    addresses = [ip for ip in (spec.cluster_ips or [spec.cluster_ip]) if ip]
    for ip in addresses:
        _add_address(result.records, name, ip, ttl)
        _add(result.records, reverse_name(ip), wire.PTR, ttl, wire.encode_name(name))
    if addresses:
        for port in spec.ports:
            data = struct.pack("!HHH", 0, 100, port.port) + wire.encode_name(name)
            _add_service(result.records, name, port.name, port.protocol, ttl, data)
    return result


def _headless(result: ServiceRecords, service: Service, slices: Iterable[EndpointSlice], ttl: int) -> None:
    publish_all = bool(service.spec.publish_not_ready_addresses)
    name = result.name
    targets: dict[tuple[str, int, str, str], None] = {}
    for item in slices:
        for endpoint in item.endpoints:
            if not publish_all and not _ready(endpoint):
                continue
            for address in endpoint.addresses:
                host = f"{endpoint_name(endpoint, address)}.{name}"
                _add_address(result.records, name, address, ttl)
                _add_address(result.records, host, address, ttl)
                _add(result.records, reverse_name(address), wire.PTR, ttl, wire.encode_name(host))
                for port in item.ports:
                    if port.port:
                        targets[port.name, port.port, port.protocol or "TCP", host] = None
    weights: dict[tuple[str, str], int] = {}
    for port_name, _, protocol, _ in targets:
        weights[port_name, protocol] = weights.get((port_name, protocol), 0) + 1
    for port_name, number, protocol, host in targets:
        weight = max(1, 100 // weights[port_name, protocol])
        data = struct.pack("!HHH", 0, weight, number) + wire.encode_name(host)
        _add_service(result.records, name, port_name, protocol, ttl, data)


def _ready(endpoint: Endpoint) -> bool:
    conditions = endpoint.conditions
    return conditions is None or conditions.ready is None or conditions.ready


def endpoint_name(endpoint: Endpoint, address: str) -> str:
    """The label of an endpoint: its hostname, or its address with dashes."""
    return (endpoint.hostname or address.replace(".", "-").replace(":", "-")).lower()


def reverse_name(address: str) -> str:
    """The name under ``in-addr.arpa`` or ``ip6.arpa``."""
    return ipaddress.ip_address(address).reverse_pointer


def pod_address(label: str) -> str | None:
    """The address that the first label of a pod's name spells, or None."""
    for text in (label.replace("-", "."), label.replace("-", ":")):
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            continue
    return None


def address_record(address: str, ttl: int) -> tuple[int, bytes]:
    """Type and record of an address."""
    parsed = ipaddress.ip_address(address)
    type_ = wire.A if parsed.version == 4 else wire.AAAA
    return type_, wire.record(wire.QUESTION, type_, ttl, parsed.packed)


def _add(records: Records, name: str, type_: int, ttl: int, data: bytes) -> None:
    entries = records.setdefault((name, type_), [])
    entry = wire.record(wire.QUESTION, type_, ttl, data)
    if entry not in entries:
        entries.append(entry)


def _add_address(records: Records, name: str, address: str, ttl: int) -> None:
    type_, entry = address_record(address, ttl)
    entries = records.setdefault((name, type_), [])
    if entry not in entries:
        entries.append(entry)


def _add_service(records: Records, name: str, port_name: str, protocol: str, ttl: int, data: bytes) -> None:
    _add(records, name, wire.SRV, ttl, data)
    if port_name:
        _add(records, f"_{port_name}._{(protocol or 'TCP').lower()}.{name}", wire.SRV, ttl, data)
