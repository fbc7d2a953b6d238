"""What a PKI must say, and how its files are replaced; nothing here needs ``cryptography``."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

DNS_USER = "steersman:dns"
"""The user of the cluster's DNS server; upstream's CoreDNS is a service account instead."""


class PKIError(Exception):
    """A file of the PKI cannot be used; the message names it and the cure."""


class PKIConfig(msgspec.Struct, frozen=True):
    """What the certificates must say.

    ``addresses`` are those under which the API server is reached, ``service_cidr`` adds the ``kubernetes`` Service's.
    ``server`` is the URL written into the kubeconfigs.
    """

    directory: Path
    node_name: str
    node_address: str
    server: str
    addresses: tuple[str, ...] = ()
    service_cidr: str = "10.96.0.0/12"
    cluster_domain: str = "cluster.local"
    cluster_name: str = "steersman"


def write_private(path: Path, data: bytes) -> None:
    """Replace a file atomically, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
