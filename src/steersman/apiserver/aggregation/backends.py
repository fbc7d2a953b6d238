"""Where the server of an APIService is, and how a connection to it is secured."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from steersman.api.types.apiregistration_v1 import APIServiceSpec, ServiceReference
from steersman.api.types.core_v1 import Service
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.apiserver.endpoints.connecting.locations import is_proxyable
from steersman.apiserver.outgoing import TLS

_OURS = ("default", "kubernetes")
"""The Service of the API servers themselves: who passes requests on to it asks themselves, without end."""


class Address(NamedTuple):
    """A host, which is a name where the Service is only that, and a port."""

    host: str
    port: int

    @property
    def authority(self) -> str:
        """As a URL has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def addresses(reference: ServiceReference, service: Service | None, slices: Sequence[EndpointSlice]) -> list[Address]:
    """Where the server may be; raises OSError where it is nowhere.  Pure.

    Names in slices are nobody's: what they mean is decided elsewhere, and can be changed after they were looked at.
    """
    name, port = reference.name, reference.port or 443
    if service is None:
        raise OSError(f'service "{name}" not found')
    if (reference.namespace, name) == _OURS:
        raise OSError(f'service "{name}" is this server itself')
    if service.spec.type == "ExternalName":
        return [Address(service.spec.external_name, port)]
    declared = next((each for each in service.spec.ports if each.port == port), None)
    if declared is None:
        raise OSError(f'no service port {port} found for service "{name}"')
    found = {
        Address(endpoint.addresses[0], each.port): None
        for part in slices
        if part.address_type != "FQDN"
        for each in part.ports
        if (each.name or "") == declared.name and each.port
        for endpoint in part.endpoints
        if endpoint.addresses and (endpoint.conditions is None or endpoint.conditions.ready is not False)
    }
    if not found:
        raise OSError(f'no endpoints available for service "{name}"')
    return list(found)


async def resolved(address: Address, allowed: Callable[[str], bool] = is_proxyable) -> Address:
    """An address of numbers, which may be connected to; raises OSError.

    What was looked at is what is connected to: a name that is asked for twice may mean something else then.
    """
    if allowed(address.host):
        return address
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise OSError(f"dial tcp: lookup {address.host}: {error.strerror}") from error
    hosts = [str(each[4][0]) for each in found]
    if not hosts or not all(map(allowed, hosts)):
        raise OSError("address not allowed")
    return Address(hosts[0], address.port)


def chosen(found: Sequence[Address]) -> Address:
    """One of them."""
    return random.choice(found)


class Identity(NamedTuple):
    """Files of the certificate by which other servers know this one as a front proxy."""

    certificate: Path
    key: Path


class Trusting:
    """Contexts for connections to the servers of APIServices: one for each, as the pool tells them apart by it."""

    def __init__(self, identity: Identity | None) -> None:
        self._identity = identity
        self._unverified: ssl.SSLContext | None = None

    async def unverified(self) -> TLS:
        """For a look at whether anybody is there."""
        if self._unverified is None:
            self._unverified = await asyncio.to_thread(self._make, None, False)
        return TLS(self._unverified)

    async def of(self, spec: APIServiceSpec) -> TLS:
        """For requests; raises ValueError for authorities that cannot be read."""
        assert spec.service is not None
        verified = not spec.insecure_skip_tls_verify
        context = await asyncio.to_thread(self._make, spec.ca_bundle, verified)
        return TLS(context, f"{spec.service.name}.{spec.service.namespace}.svc")

    def _make(self, authorities: bytes | None, verified: bool) -> ssl.SSLContext:
        """Reading the machine's own authorities takes some 10 ms."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = verified
        context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
        if verified and authorities:
            try:
                context.load_verify_locations(cadata=authorities.decode("ascii"))
            except (ssl.SSLError, ValueError):
                raise ValueError("unable to load root certificates: unable to parse bytes as PEM block") from None
        elif verified:
            context.load_default_certs()
        if self._identity is not None and self._identity.certificate.exists():
            context.load_cert_chain(self._identity.certificate, self._identity.key)
        return context
