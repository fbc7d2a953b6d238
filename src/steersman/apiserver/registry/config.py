"""What the registry is told about its cluster."""

from __future__ import annotations

import msgspec


class RegistryConfig(msgspec.Struct, frozen=True):
    """``advertise_address`` and ``secure_port`` are where the API server itself is reached; empty: not announced."""

    service_cidr: str = "10.96.0.0/12"
    node_ports: tuple[int, int] = (30000, 32767)
    advertise_address: str = ""
    secure_port: int = 6443
    event_ttl_seconds: int = 3600
    max_token_expiration_seconds: int = 2**32
