"""The keys that one write of a Service takes and gives up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from steersman.api import codecs, labels
from steersman.api.errors import FieldError, StatusError, internal_error, invalid, invalid_value
from steersman.api.types import core_v1 as v1
from steersman.api.types import networking_v1
from steersman.api.types.meta_v1 import ManagedFieldsEntry
from steersman.api.validation.addresses import parse_address
from steersman.api.validation.services import HEADLESS, family_of, needs_health_check
from steersman.apiserver.registry import metadata
from steersman.apiserver.registry.strategy import Reservation
from steersman.storage.store import Delete, Operation, Put

from . import fields

ADDRESS_PREFIX = "/registry/ipaddresses/"
NODE_PORT_PREFIX = "/registry/ranges/nodeports/"

ADDRESS_TAKEN = "provided IP is already allocated"
PORT_TAKEN = "provided port is already allocated"


_FIELDS = msgspec.Raw(
    msgspec.json.encode(
        {
            "f:metadata": {
                "f:labels": {".": {}, f"f:{labels.ADDRESS_FAMILY}": {}, f"f:{labels.ADDRESS_MANAGED_BY}": {}}
            },
            "f:spec": {"f:parentRef": {".": {}, "f:name": {}, "f:namespace": {}, "f:resource": {}}},
        }
    )
)
"""What the server manages of an ``IPAddress``: all that it writes."""


class Owner(msgspec.Struct, frozen=True):
    """Whose a node port is: the value of its key."""

    namespace: str
    name: str


def address_key(address: str) -> str:
    """The key of the ``IPAddress`` of an address in its usual form."""
    return f"{ADDRESS_PREFIX}{address}"


def port_key(number: int) -> str:
    """The key of a node port."""
    return f"{NODE_PORT_PREFIX}{number}"


def usual(address: str) -> str:
    """An address in its usual form, in which it is a name."""
    return str(parse_address(address) or address)


def held_addresses(spec: v1.ServiceSpec) -> list[str]:
    """The addresses of a Service, in their usual form."""
    if not fields.addressed(spec):
        return []
    return [usual(address) for address in spec.cluster_ips if address not in ("", HEADLESS)]


def held_ports(spec: v1.ServiceSpec) -> set[int]:
    """The node ports of a Service, its health check's too."""
    ports = fields.node_ports(spec) if fields.with_node_ports(spec) else set()
    if needs_health_check(spec) and spec.health_check_node_port:
        ports.add(spec.health_check_node_port)
    return ports


def release(spec: v1.ServiceSpec) -> list[Operation]:
    """What is written when a Service goes."""
    addresses = [Delete(address_key(address)) for address in held_addresses(spec)]
    return [*addresses, *(Delete(port_key(number)) for number in sorted(held_ports(spec)))]


def address_labels(address: str) -> dict[str, str]:
    """The labels of the ``IPAddress`` of a Service."""
    return {labels.ADDRESS_FAMILY: family_of(address), labels.ADDRESS_MANAGED_BY: labels.ADDRESS_ALLOCATOR}


def address_object(service: v1.Service, address: str, now: datetime) -> networking_v1.IPAddress:
    """The ``IPAddress`` of a Service's address."""
    meta = service.metadata
    parent = networking_v1.ParentReference(resource="services", namespace=meta.namespace, name=meta.name)
    obj = networking_v1.IPAddress(spec=networking_v1.IPAddressSpec(parent_ref=parent))
    metadata.fill_new(obj.metadata, now)
    obj.metadata.name = address
    obj.metadata.labels = address_labels(address)
    obj.metadata.managed_fields = [
        ManagedFieldsEntry(
            api_version="networking.k8s.io/v1",
            fields_type="FieldsV1",
            fields_v1=_FIELDS,
            manager="kube-apiserver",
            operation="Update",
            time=now,
        )
    ]
    return obj


def address_fault(spec: v1.ServiceSpec, address: str, reason: str) -> FieldError:
    """An address cannot be had."""
    return invalid_value("spec.clusterIPs", spec.cluster_ips, f"failed to allocate IP {address}: {reason}")


def port_fault(service: v1.Service, number: int, reason: str, index: int | None = None) -> StatusError:
    """A node port cannot be had."""
    spec = service.spec
    if index is None:
        index = next((i for i, port in enumerate(spec.ports) if port.node_port == number), None)
    if index is None:
        return internal_error(f"failed to allocate requested HealthCheck NodePort {number}: {reason}")
    fault = invalid_value(f"spec.ports[{index}].nodePort", number, reason)
    return invalid("Service", service.metadata.name, [fault])


class Allocation(Reservation):
    """The operations, which of the keys were chosen here, and what the writer had left open."""

    def __init__(self, service: v1.Service, now: datetime) -> None:
        self.operations: list[Operation] = []
        self.ports: set[int] = set()
        """The node ports that are taken."""
        self._service = service
        self._now = now
        self._owner = msgspec.json.encode(Owner(service.metadata.namespace, service.metadata.name))
        self._chosen: set[str] = set()
        self.taken: list[tuple[str, bool]] = []
        """Of which networks addresses are taken (empty for a node port), and whether they were chosen here."""
        spec = service.spec
        self._asked = (
            spec.cluster_ip,
            list(spec.cluster_ips),
            [port.node_port for port in spec.ports],
            spec.health_check_node_port,
        )

    def take_address(self, address: str, network: str, *, chosen: bool) -> None:
        """Create an ``IPAddress``."""
        self.taken.append((network, chosen))
        self._take(address_key(address), codecs.encode(address_object(self._service, address, self._now)), chosen)

    def take_port(self, number: int, *, chosen: bool) -> None:
        """Create the record of a node port."""
        self.ports.add(number)
        self.taken.append(("", chosen))
        self._take(port_key(number), self._owner, chosen)

    def _take(self, key: str, value: bytes, chosen: bool) -> None:
        self.operations.append(Put(key, value, 0))
        if chosen:
            self._chosen.add(key)

    def give_up(self, keys: Sequence[str]) -> None:
        """Remove keys that are no longer needed."""
        self.operations.extend(Delete(key) for key in keys)

    def lost(self, keys: Sequence[str]) -> StatusError | None:
        """Refuse what was asked for and is taken; forget what was chosen, so that another try chooses anew."""
        spec = self._service.spec
        faults: list[FieldError] = []
        for key in keys:
            last = key.rpartition("/")[2]
            if key in self._chosen:
                continue
            if key.startswith(NODE_PORT_PREFIX):
                return port_fault(self._service, int(last), PORT_TAKEN)
            if key.startswith(ADDRESS_PREFIX):
                faults.append(address_fault(spec, last, ADDRESS_TAKEN))
        if faults:
            return invalid("Service", self._service.metadata.name, faults)
        spec.cluster_ip, spec.cluster_ips, node_ports, spec.health_check_node_port = self._asked
        for port, number in zip(spec.ports, node_ports, strict=True):
            port.node_port = number
        return None
