"""The configuration of one API server."""

from __future__ import annotations

from pathlib import Path

import msgspec

from steersman.storage.window import MOST_BYTES

from .http.limits import Limits


class ApiServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What one API server is told.

    ``pki_directory`` holds kubeadm's files (``apiserver.crt``, ``ca.crt``, ``sa.key``, ...); without one the server
    does not listen, and serves local clients alone.  Port 0 takes a free one.  ``advertise_address`` is written into
    the endpoints of the ``kubernetes`` Service; ``shared_store`` says that others may be there too.  Of each resource
    ``history_bytes`` of what has been superseded lately are kept, or as much as there is: what watches resume from.
    ``runtime_config`` names group-versions to serve beside upstream's defaults.  For ``shutdown_delay`` seconds a
    stopping server says that it is not ready, and serves on.  With ``profiling``, ``/debug`` is served.
    """

    bind_address: str = "0.0.0.0"  # noqa: S104 - nodes and clients reach it from elsewhere, over TLS
    secure_port: int = 6443
    pki_directory: Path | None = None
    advertise_address: str = ""
    service_cidr: str = "10.96.0.0/12"
    node_ports: tuple[int, int] = (30000, 32767)
    issuer: str = "https://kubernetes.default.svc.cluster.local"
    shared_store: bool = False
    history_bytes: int = MOST_BYTES
    runtime_config: tuple[str, ...] = ()
    max_read_only_in_flight: int = 400
    max_mutating_in_flight: int = 200
    shutdown_delay: float = 0
    profiling: bool = False
    limits: Limits = Limits()

    @property
    def enables_mutating_policies(self) -> bool:
        """Whether MutatingAdmissionPolicies are carried out: where they are served."""
        return "admissionregistration.k8s.io/v1beta1" in self.runtime_config
