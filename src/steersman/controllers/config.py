"""What the controllers can be told."""

from __future__ import annotations

import msgspec


class ControllerManagerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a controller manager; durations are in seconds, defaults are upstream's."""

    controllers: tuple[str, ...] = ("*",)
    """Which to run: names, ``*`` for all, ``-name`` for not that one."""

    leader_elect: bool = False
    identity: str = ""
    """Who holds the lease; the host's name and a random part where empty."""

    use_service_account_credentials: bool = True
    """Over HTTP: give each controller the identity of its own service account."""

    root_ca: bytes = b""
    """PEM: what ``kube-root-ca.crt`` shall contain; without it none is published."""

    allocate_node_cidrs: bool = True
    cluster_cidrs: tuple[str, ...] = ("10.244.0.0/16",)
    service_cidrs: tuple[str, ...] = ("10.96.0.0/12",)
    node_cidr_mask_size_ipv4: int = 24
    node_cidr_mask_size_ipv6: int = 64

    node_monitor_period: float = 5.0
    node_monitor_grace_period: float = 50.0
    node_startup_grace_period: float = 60.0
    node_eviction_rate: float = 0.1
    secondary_node_eviction_rate: float = 0.01
    large_cluster_size_threshold: int = 50
    unhealthy_zone_threshold: float = 0.55

    terminated_pod_gc_threshold: int = 12500
    pod_gc_period: float = 20.0
    pod_gc_quarantine: float = 40.0

    max_endpoints_per_slice: int = 100
