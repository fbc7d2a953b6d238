"""Services: addresses and node ports.

Both are unique because a key is created for each in the very commit that writes the Service: an ``IPAddress`` object
for a cluster IP, and a small record for a node port.  They are removed in the commit that gives them up.  There is no
allocator state that could be lost, and nothing to repair.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.errors import FieldError, StatusError, internal_error, invalid, invalid_value
from steersman.api.types import core_v1 as v1
from steersman.api.types import networking_v1
from steersman.apiserver.registry import metadata
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Handlers, Reservation, Strategy
from steersman.storage.store import Delete, Operation, Put

NODE_PORT_PREFIX = "/registry/ranges/nodeports/"
_WITH_ADDRESS = ("ClusterIP", "NodePort", "LoadBalancer")
_WITH_PORTS = ("NodePort", "LoadBalancer")
_RANDOM_ATTEMPTS = 32


class Allocation(Reservation):
    """The keys that one write of a Service takes and gives up."""

    def __init__(self, service: v1.Service) -> None:
        self.operations: list[Operation] = []
        self._service = service
        self._chosen_address = ""
        self._chosen_ports: dict[int, v1.ServicePort] = {}

    def take_address(self, key: str, value: bytes, address: str, *, chosen: bool) -> None:
        self.operations.append(Put(key, value, 0))
        if chosen:
            self._chosen_address = address

    def take_port(self, value: bytes, port: v1.ServicePort, *, chosen: bool) -> None:
        number = port.node_port or 0
        self.operations.append(Put(f"{NODE_PORT_PREFIX}{number}", value, 0))
        if chosen:
            self._chosen_ports[number] = port

    def lost(self, keys: Sequence[str]) -> StatusError | None:
        faults: list[FieldError] = []
        spec = self._service.spec
        for key in keys:
            last = key.rpartition("/")[2]
            if key.startswith(NODE_PORT_PREFIX):
                if int(last) not in self._chosen_ports:
                    faults.append(_port_taken(spec, int(last)))
            elif key.startswith("/registry/ipaddresses/") and last != self._chosen_address:
                faults.append(_address_fault(spec, last, "provided IP is already allocated"))
        if faults:
            meta = self._service.metadata
            return invalid("Service", meta.name, faults)
        if self._chosen_address:
            spec.cluster_ip, spec.cluster_ips = "", []
        for port in self._chosen_ports.values():
            port.node_port = None
        return None


def _port_taken(spec: v1.ServiceSpec, number: int) -> FieldError:
    index = next((index for index, port in enumerate(spec.ports) if port.node_port == number), 0)
    return invalid_value(f"spec.ports[{index}].nodePort", number, "provided port is already allocated")


def _address_fault(spec: v1.ServiceSpec, address: str, reason: str) -> FieldError:
    return invalid_value("spec.clusterIPs", spec.cluster_ips, f"failed to allocate IP {address}: {reason}")


class ServiceStrategy(Strategy):
    """Allocation, and the fields that come and go with the type."""

    create_on_update = True

    def __init__(self, resource: Any, cluster: Handlers) -> None:
        super().__init__(resource, cluster)
        self._network = ipaddress.ip_network(cluster.config.service_cidr)
        self._family = f"IPv{self._network.version}"

    def prepare_create(self, context: Context, new: v1.Service) -> None:
        new.status = v1.ServiceStatus()
        spec = new.spec
        if spec.cluster_ip and not spec.cluster_ips:
            spec.cluster_ips = [spec.cluster_ip]
        self._families(spec)

    def prepare_update(self, context: Context, new: v1.Service, old: v1.Service) -> None:
        new.status = old.status
        spec, before = new.spec, old.spec
        if spec.cluster_ip != before.cluster_ip and spec.cluster_ips == before.cluster_ips:
            spec.cluster_ips = [spec.cluster_ip] if spec.cluster_ip else []
        elif not spec.cluster_ip and not spec.cluster_ips and _addressed(spec) and _addressed(before):
            spec.cluster_ip, spec.cluster_ips = before.cluster_ip, list(before.cluster_ips)
        elif spec.cluster_ip and not spec.cluster_ips:
            spec.cluster_ips = [spec.cluster_ip]
        self._keep_ports(spec, before)
        self._drop(spec, before)
        if spec.type != "LoadBalancer":
            new.status = v1.ServiceStatus(conditions=old.status.conditions)
        if not spec.ip_families and _addressed(before):
            spec.ip_families, spec.ip_family_policy = list(before.ip_families), before.ip_family_policy
        self._families(spec)

    @staticmethod
    def _keep_ports(spec: v1.ServiceSpec, before: v1.ServiceSpec) -> None:
        """Ports that were not told otherwise keep their node ports."""
        if spec.type not in _WITH_PORTS or before.type not in _WITH_PORTS:
            return
        held = {(port.protocol, port.port): port.node_port for port in before.ports if port.node_port}
        claimed = {port.node_port for port in spec.ports if port.node_port}
        for port in spec.ports:
            known = held.get((port.protocol, port.port))
            if not port.node_port and known and known not in claimed:
                port.node_port = known
        if not spec.health_check_node_port:
            spec.health_check_node_port = before.health_check_node_port

    @staticmethod
    def _drop(spec: v1.ServiceSpec, before: v1.ServiceSpec) -> None:
        """Fields that only the old type had go with it, unless the writer set them anew."""
        if spec.type == "ExternalName" and before.type != "ExternalName":
            if spec.cluster_ips == before.cluster_ips:
                spec.cluster_ip, spec.cluster_ips = "", []
            spec.ip_families, spec.ip_family_policy = [], ""
        if before.type in _WITH_PORTS and spec.type not in _WITH_PORTS:
            held = {port.node_port for port in before.ports}
            for port in spec.ports:
                if port.node_port in held:
                    port.node_port = None
            if spec.external_traffic_policy == before.external_traffic_policy:
                spec.external_traffic_policy = ""
        if before.type == "LoadBalancer" and spec.type != "LoadBalancer":
            spec.allocate_load_balancer_node_ports = None
            spec.load_balancer_class = ""
        if spec.health_check_node_port == before.health_check_node_port and not _needs_health_check(spec):
            spec.health_check_node_port = None

    def _families(self, spec: v1.ServiceSpec) -> None:
        if spec.type == "ExternalName":
            return
        if spec.cluster_ip == "None" and not spec.selector:
            other = "IPv6" if self._family == "IPv4" else "IPv4"
            spec.ip_family_policy = spec.ip_family_policy or "RequireDualStack"
            if not spec.ip_families:
                single = spec.ip_family_policy == "SingleStack"
                spec.ip_families = [self._family] if single else [self._family, other]
            return
        spec.ip_family_policy = spec.ip_family_policy or "SingleStack"
        spec.ip_families = spec.ip_families or [self._family]

    def validate(self, context: Context, new: v1.Service) -> list[FieldError]:
        return super().validate(context, new) or self._family_faults(new.spec)

    def validate_update(self, context: Context, new: Any, old: Any, subresource: str) -> list[FieldError]:
        faults = super().validate_update(context, new, old, subresource)
        return faults or ([] if subresource else self._family_faults(new.spec))

    def _family_faults(self, spec: v1.ServiceSpec) -> list[FieldError]:
        if not _addressed(spec) or spec.cluster_ip == "None":
            return []
        faults = []
        if spec.ip_family_policy == "RequireDualStack":
            detail = "this cluster is not configured for dual-stack services"
            faults.append(invalid_value("spec.ipFamilyPolicy", spec.ip_family_policy, detail))
        for index, family in enumerate(spec.ip_families):
            if family != self._family:
                detail = "not configured on this cluster"
                faults.append(invalid_value(f"spec.ipFamilies[{index}]", family, detail))
        return faults

    async def reserve(self, new: v1.Service, old: v1.Service | None) -> Reservation | None:
        """Choose what was left open, and take and give up the keys that the change needs."""
        if old is not None and new.spec == old.spec and _settled(new.spec):
            return None
        allocation = Allocation(new)
        before = old.spec if old is not None else v1.ServiceSpec(type="ExternalName")
        await self._reserve_address(new, before, allocation)
        await self._reserve_ports(new, before, allocation)
        return allocation

    async def _reserve_address(self, new: v1.Service, before: v1.ServiceSpec, allocation: Allocation) -> None:
        spec = new.spec
        held = set(_addresses(before))
        if _addressed(spec) and spec.cluster_ip != "None":
            chosen = not spec.cluster_ip
            if chosen:
                spec.cluster_ip = await self._free_address()
                spec.cluster_ips = [spec.cluster_ip]
            for address in spec.cluster_ips:
                if address in held:
                    held.discard(address)
                    continue
                self._check_address(new, address)
                allocation.take_address(
                    _address_key(address), self._address_object(new, address), address, chosen=chosen
                )
        allocation.operations.extend(Delete(_address_key(address)) for address in sorted(held))

    def _check_address(self, service: v1.Service, address: str) -> None:
        try:
            inside = ipaddress.ip_address(address) in self._network
        except ValueError:
            inside = False
        if not inside:
            reason = f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self._network}"
            raise invalid("Service", service.metadata.name, [_address_fault(service.spec, address, reason)])

    async def _free_address(self) -> str:
        """A free address, from the part of the range that people do not pick from by hand while there is room."""
        used = {each.metadata.name for each in await self.cluster.list(networking_v1.IPAddress)}
        first = int(self._network.network_address)
        size = min(self._network.num_addresses, 1 << 20)
        static = min(max(16, size // 16), 256) if size > 16 else 1
        for _ in range(_RANDOM_ATTEMPTS):
            offset = random.randrange(static, size - 1) if size - 1 > static else static
            address = str(ipaddress.ip_address(first + offset))
            if address not in used:
                return address
        # The random attempts may fail by bad luck in a full range only: look at every address once.
        for offset in [*range(static, size - 1), *range(1, static)]:
            address = str(ipaddress.ip_address(first + offset))
            if address not in used:
                return address
        raise internal_error("failed to allocate a serviceIP: range is full")

    def _address_object(self, service: v1.Service, address: str) -> bytes:
        meta = service.metadata
        obj = networking_v1.IPAddress(
            spec=networking_v1.IPAddressSpec(
                parent_ref=networking_v1.ParentReference(resource="services", namespace=meta.namespace, name=meta.name)
            )
        )
        metadata.fill_new(obj.metadata, self.cluster.clock())
        obj.metadata.name = address
        obj.metadata.generation = 1
        obj.metadata.labels = {
            "ipaddress.kubernetes.io/ip-family": self._family,
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        }
        return codecs.encode(obj)

    async def _reserve_ports(self, new: v1.Service, before: v1.ServiceSpec, allocation: Allocation) -> None:
        spec, meta = new.spec, new.metadata
        held = _node_ports(before)
        wanted = _node_ports(spec)
        owner = msgspec.json.encode({"namespace": meta.namespace, "name": meta.name})
        low, high = self.cluster.config.node_ports
        taken: set[int] = set()
        for index, port in enumerate(spec.ports):
            number = port.node_port
            if spec.type not in _WITH_PORTS or not number or number in held or number in taken:
                continue
            if not low <= number <= high:
                detail = f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
                raise invalid("Service", meta.name, [invalid_value(f"spec.ports[{index}].nodePort", number, detail)])
            allocation.take_port(owner, port, chosen=False)
            taken.add(number)
        if spec.type == "NodePort" or (
            spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False
        ):
            missing = [port for port in spec.ports if not port.node_port]
            used = (await self._used_ports() | wanted | held) if missing else set()
            shared: dict[int, tuple[int, str]] = {}
            for port in missing:
                # One number serves the protocols of one port.
                twin = next((n for n, (p, proto) in shared.items() if p == port.port and proto != port.protocol), 0)
                if twin:
                    port.node_port = twin
                    continue
                number = _free_port(used, low, high)
                port.node_port = number
                used.add(number)
                shared[number] = (port.port, port.protocol)
                allocation.take_port(owner, port, chosen=True)
        if _needs_health_check(spec) and not spec.health_check_node_port:
            used = await self._used_ports() | _node_ports(spec) | held
            spec.health_check_node_port = _free_port(used, low, high)
            allocation.operations.append(Put(f"{NODE_PORT_PREFIX}{spec.health_check_node_port}", owner, 0))
        elif _needs_health_check(spec) and spec.health_check_node_port not in held:
            allocation.operations.append(Put(f"{NODE_PORT_PREFIX}{spec.health_check_node_port}", owner, 0))
        released = held - _node_ports(spec)
        allocation.operations.extend(Delete(f"{NODE_PORT_PREFIX}{number}") for number in sorted(released))

    async def _used_ports(self) -> set[int]:
        used: set[int] = set()
        for service in await self.cluster.list(v1.Service):
            used |= _node_ports(service.spec)
        return used

    def release(self, old: v1.Service) -> Sequence[Operation]:
        return [
            *(Delete(_address_key(address)) for address in _addresses(old.spec)),
            *(Delete(f"{NODE_PORT_PREFIX}{number}") for number in sorted(_node_ports(old.spec))),
        ]


def _addressed(spec: v1.ServiceSpec) -> bool:
    return spec.type in _WITH_ADDRESS


def _addresses(spec: v1.ServiceSpec) -> list[str]:
    return [address for address in spec.cluster_ips if address not in ("", "None")] if _addressed(spec) else []


def _address_key(address: str) -> str:
    return f"/registry/ipaddresses/{address}"


def _node_ports(spec: v1.ServiceSpec) -> set[int]:
    if spec.type not in _WITH_PORTS:
        return set()
    ports = {port.node_port for port in spec.ports if port.node_port}
    if spec.health_check_node_port:
        ports.add(spec.health_check_node_port)
    return ports


def _needs_health_check(spec: v1.ServiceSpec) -> bool:
    return spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"


def _settled(spec: v1.ServiceSpec) -> bool:
    """Whether there is nothing left to choose."""
    ports = spec.type != "NodePort" or all(port.node_port for port in spec.ports)
    return ports and (not _addressed(spec) or bool(spec.cluster_ip))


def _free_port(used: set[int], low: int, high: int) -> int:
    """A free port, from the part of the range that people do not pick from by hand while there is room."""
    size = high - low + 1
    static = min(max(16, size // 32), 128) if size > 16 else 0
    for _ in range(_RANDOM_ATTEMPTS):
        port = random.randint(low + static, high)
        if port not in used:
            return port
    for candidate in chain(range(low + static, high + 1), range(low, low + static)):
        if candidate not in used:
            return candidate
    raise internal_error("failed to allocate a nodePort: range is full")
