"""What the registry is told about its cluster."""

from __future__ import annotations

import ipaddress

import msgspec

from steersman.storage.window import MOST_BYTES

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RegistryConfig(msgspec.Struct, frozen=True):
    """``advertise_address`` and ``secure_port`` are where the API server itself is reached; empty: not announced.

    ``service_cidr`` is one network, or one of each family with a comma between, the default family's first.
    ``shared_store`` says that other servers may be on the same store.  ``history_bytes`` is what a resource's
    :class:`~steersman.storage.window.Window` has to spare.
    """

    service_cidr: str = "10.96.0.0/12"
    node_ports: tuple[int, int] = (30000, 32767)
    advertise_address: str = ""
    secure_port: int = 6443
    event_ttl_seconds: int = 3600
    max_token_expiration_seconds: int = 2**32
    shared_store: bool = False
    history_bytes: int = MOST_BYTES

    @property
    def service_networks(self) -> tuple[Network, ...]:
        """The networks of ``service_cidr``."""
        return tuple(ipaddress.ip_network(text.strip()) for text in self.service_cidr.split(","))
