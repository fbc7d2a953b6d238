"""What a kubelet is told: one frozen object, nothing global."""

from __future__ import annotations

from pathlib import Path

import msgspec

from .images import PAUSE_IMAGE


class KubeletConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A node.

    ``root_dir`` holds pods' volumes and containerd's data; ``cri_socket`` empty means that the kubelet configures
    and starts a containerd of its own below ``root_dir``.  Times are in seconds, sizes in bytes.
    """

    node_name: str
    node_ip: str
    root_dir: Path
    pki_dir: Path | None = None
    cri_socket: str = ""
    pod_log_root: Path = Path("/var/log/pods")
    cgroup_root: str = "steersman"
    cni_conf_dir: Path = Path("/etc/cni/net.d")
    cni_bin_dirs: tuple[str, ...] = ("/opt/cni/bin", "/usr/lib/cni")
    airgap_images: Path | None = None
    bind_address: str = "0.0.0.0"  # noqa: S104 - the API server and metrics scrapers reach it from elsewhere
    port: int = 10250
    cluster_dns: tuple[str, ...] = ("10.96.0.10",)
    cluster_domain: str = "cluster.local"
    resolv_conf: Path = Path("/etc/resolv.conf")
    master_service_namespace: str = "default"
    node_labels: dict[str, str] = {}
    node_taints: tuple[str, ...] = ()
    max_pods: int = 110
    pod_pids_limit: int = -1
    system_reserved: dict[str, str] = {}
    kube_reserved: dict[str, str] = {}
    eviction_memory_available: str = "100Mi"
    eviction_nodefs_available_percent: float = 10.0
    image_gc_high_percent: int = 85
    image_gc_low_percent: int = 80
    image_minimum_gc_age: float = 120.0
    container_log_max_size: int = 10 << 20
    container_log_max_files: int = 5
    max_containers_per_pod_container: int = 1
    sync_frequency: float = 60.0
    node_status_update_frequency: float = 10.0
    node_status_report_frequency: float = 300.0
    lease_duration: int = 40
    relist_period: float = 1.0
    backoff_initial: float = 10.0
    backoff_max: float = 300.0
    max_parallel_starts: int = 8
    pause_image: str = PAUSE_IMAGE

    @property
    def pods_dir(self) -> Path:
        """Where pods keep their volumes, hosts files and termination messages."""
        return self.root_dir / "pods"
