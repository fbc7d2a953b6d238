"""Where a proxied request goes: the address behind a pod's, a service's or a node's name."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from steersman.api.errors import StatusError, bad_request, service_unavailable
from steersman.api.types.core_v1 import EndpointAddress, Endpoints, Node, Pod, Service

from .node_client import NodeClient, Target

T = TypeVar("T")


class Find(Protocol):
    """Finds an object; raises 404."""

    async def __call__(self, kind: type[T], name: str, namespace: str = "") -> T: ...


class Name(NamedTuple):
    """``[scheme:]name[:port]``, as the path of a ``proxy`` subresource has it."""

    scheme: str
    name: str
    port: str


class Location(NamedTuple):
    """An address; ``kubelet`` where it is a node's kubelet, which has to prove that it is."""

    scheme: str
    host: str
    port: str
    kubelet: Target | None = None

    @property
    def number(self) -> int:
        """The port, by the scheme where none is given; raises OSError for one that is none.

        Whatever is no number MUST NOT reach a URL: ``1@elsewhere`` would make the address a password.
        """
        if not self.port:
            return 443 if self.scheme == "https" else 80
        if not (self.port.isascii() and self.port.isdigit()):
            raise OSError(f"dial tcp: lookup tcp/{self.port}: unknown port")
        if len(self.port.lstrip("0")) > 5 or int(self.port) > 65535:
            raise OSError(f"dial tcp: address {self.port}: invalid port")
        return int(self.port)

    @property
    def authority(self) -> str:
        """The host and the port as a URL has them; raises OSError as ``number`` does."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.number}" if self.port else host


def split_name(text: str, kind: str) -> Name:
    """Take a name apart; raises 400."""
    match text.split(":"):
        case [name] if name:
            return Name("", name, "")
        case [name, port] if name:
            return Name("", name, port)
        case ["" | "http" | "https" as scheme, name, port] if name:
            return Name(scheme, name, port)
    raise bad_request(f'invalid {kind} request "{text}"')


def is_proxyable(address: str) -> bool:
    """Whether an address may be connected to: the server's own loopback and link are not for its clients.

    (CVE-2020-8555, CVE-2020-8562, CVE-2021-25737, CVE-2022-3294.)
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    broadcast = ip == ipaddress.IPv4Address("255.255.255.255")
    if getattr(ip, "scope_id", None):
        return False
    return not (ip.is_unspecified or ip.is_loopback or ip.is_multicast or ip.is_link_local or broadcast)


def not_allowed() -> StatusError:
    """400 for an address that is not proxied to."""
    return bad_request("address not allowed")


class Locations:
    """Finds locations.  ``allowed`` says which addresses may be connected to."""

    def __init__(self, find: Find, nodes: NodeClient, allowed: Callable[[str], bool] = is_proxyable) -> None:
        self._find = find
        self._nodes = nodes
        self._allowed = allowed

    async def pod(self, text: str, namespace: str) -> Location:
        """A pod's own address; its first declared port where none is named."""
        scheme, name, port = split_name(text, "pod")
        pod = await self._find(Pod, name, namespace)
        if not port:
            declared = [port for container in pod.spec.containers for port in container.ports[:1]]
            port = str(declared[0].container_port) if declared else ""
        address = pod.status.pod_ips[0].ip if pod.status.pod_ips else pod.status.pod_ip
        if not self._allowed(address):
            raise not_allowed()
        return Location(scheme or "http", address, port)

    async def service(self, text: str, namespace: str) -> Location:
        """One of a service's endpoints, chosen by chance among those whose pods have the addresses they claim."""
        scheme, name, port = split_name(text, "service")
        if port.isascii() and port.isdigit() and len(port) < 20:
            service = await self._find(Service, name, namespace)
            found = next((each for each in service.spec.ports if each.port == int(port)), None)
            if found is None:
                raise service_unavailable(f'no service port {int(port)} found for service "{name}"')
            port = found.name
        endpoints = await self._find(Endpoints, name, namespace)
        if not endpoints.subsets:
            raise service_unavailable(f'no endpoints available for service "{name}"')
        candidates = [
            (address, declared.port)
            for subset in endpoints.subsets
            for declared in subset.ports
            if declared.name == port
            for address in subset.addresses
        ]
        random.shuffle(candidates)
        for address, number in candidates:
            if await self._is_a_pods(address, namespace):
                return Location(scheme or "http", address.ip, str(number))
        raise service_unavailable(f'no endpoints available for service "{text}"')

    async def _is_a_pods(self, address: EndpointAddress, namespace: str) -> bool:
        reference = address.target_ref
        if reference is None or reference.namespace != namespace or not self._allowed(address.ip):
            return False
        try:
            pod = await self._find(Pod, reference.name, namespace)
        except StatusError:
            return False
        return address.ip in (pod.status.pod_ip, *(each.ip for each in pod.status.pod_ips))

    async def node(self, text: str) -> Location:
        """A node's kubelet, or another port of the node."""
        scheme, name, port = split_name(text, "node")
        target = self._nodes.target(await self._find(Node, name))
        if port in ("", str(target.port)):
            return Location("https", target.host, str(target.port), target)
        return Location(scheme or "http", await self._resolved(target.host), port)

    async def _resolved(self, host: str) -> str:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            raise bad_request(f"lookup {host}: {error.strerror}") from error
        addresses = [str(each[4][0]) for each in found]
        if not addresses or not all(map(self._allowed, addresses)):
            raise not_allowed()
        return addresses[0]
