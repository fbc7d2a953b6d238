"""What can be wrong between Services, their addresses and their node ports, and what mends it (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec

from steersman.api import codecs, labels
from steersman.api.scheme import Object
from steersman.api.types import core_v1 as v1
from steersman.api.types import networking_v1
from steersman.api.validation.addresses import Network, parse_address
from steersman.api.validation.services import family_of
from steersman.storage.store import Check, Delete, KeyValue, Operation, Put
from steersman.storage.watch_cache import Entry

from . import ranges
from .reservation import (
    NODE_PORT_PREFIX,
    Owner,
    address_key,
    address_labels,
    address_object,
    held_addresses,
    held_ports,
    port_key,
)

ServiceEntry = Entry[v1.Service]
AddressEntry = Entry[networking_v1.IPAddress]


class Damage(NamedTuple):
    """What is wrong with an object, and what mends it; where nothing can, people are told."""

    subject: Object
    reason: str
    message: str
    repair: tuple[Operation, ...] = ()


def of_service(
    entry: ServiceEntry,
    address: Callable[[str], AddressEntry | None],
    service: Callable[[str, str], ServiceEntry | None],
    networks: Iterable[Network],
    now: datetime,
) -> Iterator[Damage]:
    """What is wrong with the addresses of a Service."""
    obj, known = entry.object, list(networks)
    namespace, name = obj.metadata.namespace, obj.metadata.name
    for text in held_addresses(obj.spec):
        shown = f"[{family_of(text)}]: {text}"
        parsed = parse_address(text)
        if parsed is None:
            message = f"Cluster IP {text} is not a valid IP; please recreate Service"
            yield Damage(obj, "ClusterIPNotValid", message)
            continue
        if not any(ranges.contains(network, parsed) for network in known):
            message = f"Cluster IP {shown} is not within any configured Service CIDR; please recreate service"
            yield Damage(obj, "ClusterIPOutOfRange", message)
            continue
        found = address(text)
        if found is None:
            message = f"Cluster IP {shown} is not allocated; repairing"
            yield Damage(obj, "ClusterIPNotAllocated", message, _allocated(entry, text, 0, now))
            continue
        parent = found.object.spec.parent_ref
        ours = (parent.group, parent.resource, parent.namespace, parent.name) == ("", "services", namespace, name)
        if not ours:
            other = service(parent.namespace, parent.name) if parent.resource == "services" else None
            if other is not None and text in held_addresses(other.object.spec):
                message = f"Cluster IP {shown} was assigned to multiple services; please recreate service"
                yield Damage(obj, "ClusterIPAlreadyAllocated", message)
            else:
                message = f"the ClusterIP {shown} for Service {namespace}/{name} has a wrong reference; repairing"
                yield Damage(obj, "ClusterIPNotAllocated", message, _allocated(entry, text, found.revision, now))
        elif not address_labels(text).items() <= found.object.metadata.labels.items():
            message = f"the ClusterIP {shown} for Service {namespace}/{name} has wrong labels; repairing"
            yield Damage(obj, "ClusterIPNotAllocated", message, _allocated(entry, text, found.revision, now))


def _allocated(entry: ServiceEntry, address: str, revision: int, now: datetime) -> tuple[Operation, ...]:
    value = codecs.encode(address_object(entry.object, address, now))
    return Check(entry.key, entry.revision), Put(address_key(address), value, revision)


def of_address(
    entry: AddressEntry, service: Callable[[str, str], ServiceEntry | None], service_key: Callable[[str, str], str]
) -> Damage | None:
    """What is wrong with an ``IPAddress`` that was made for a Service."""
    obj = entry.object
    if obj.metadata.labels.get(labels.ADDRESS_MANAGED_BY) != labels.ADDRESS_ALLOCATOR:
        return None
    name, parent = obj.metadata.name, obj.spec.parent_ref
    remove = Delete(entry.key, entry.revision)
    if parent.group or parent.resource != "services":
        shown = msgspec.json.encode(parent).decode()
        message = f"IPAddress {name} appears to have been modified, not referencing a Service {shown}: cleaning up"
        return Damage(obj, "IPAddressNotAllocated", message, (remove,))
    owner = service(parent.namespace, parent.name)
    about = f"IPAddress: {name} for Service {parent.namespace}/{parent.name}"
    if owner is None:
        absent = Check(service_key(parent.namespace, parent.name), 0)
        return Damage(obj, "IPAddressNotAllocated", f"{about} appears to have leaked: cleaning up", (remove, absent))
    if name not in held_addresses(owner.object.spec):
        as_it_is = Check(owner.key, owner.revision)
        return Damage(obj, "IPAddressWrongReference", f"{about} has a wrong reference; cleaning up", (remove, as_it_is))
    return None


class PortAudit:
    """Compares the records of node ports with the Services, each of which is shown to it once."""

    def __init__(self, stored: Iterable[KeyValue], service_key: Callable[[str, str], str], valid: ranges.Range) -> None:
        self._records = {item.key: item for item in stored}
        self._service_key = service_key
        self._valid = valid
        self._held: set[int] = set()
        self._revisions: dict[str, int] = {}

    def of_service(self, entry: ServiceEntry) -> Iterator[Damage]:
        """What is wrong with the node ports of a Service."""
        obj = entry.object
        self._revisions[entry.key] = entry.revision
        for number in sorted(held_ports(obj.spec)):
            if not self._valid.first <= number <= self._valid.last:
                within = f"{self._valid.first}-{self._valid.last}"
                message = f"Port {number} is not within the port range {within}; please recreate service"
                yield Damage(obj, "PortOutOfRange", message)
            elif number in self._held:
                message = f"Port {number} was assigned to multiple services; please recreate service"
                yield Damage(obj, "PortAlreadyAllocated", message)
            else:
                self._held.add(number)
                value = msgspec.json.encode(Owner(obj.metadata.namespace, obj.metadata.name))
                record = self._records.get(port_key(number))
                if record is None or record.value != value:
                    put = Put(port_key(number), value, record.mod_revision if record is not None else 0)
                    message = f"Port {number} is not allocated; repairing"
                    yield Damage(obj, "PortNotAllocated", message, (Check(entry.key, entry.revision), put))

    def leaks(self) -> Iterator[tuple[Operation, ...]]:
        """What removes the records of ports that no Service has; asked for when all were shown."""
        for key, record in self._records.items():
            if int(key.removeprefix(NODE_PORT_PREFIX)) in self._held:
                continue
            try:
                owner = msgspec.json.decode(record.value, type=Owner)
            except msgspec.DecodeError:
                yield (Delete(key, record.mod_revision),)
                continue
            place = self._service_key(owner.namespace, owner.name)
            yield (Delete(key, record.mod_revision), Check(place, self._revisions.get(place, 0)))
