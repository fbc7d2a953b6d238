"""What each part of a node is told: the translation of a ClusterConfig, in one place for ``agent`` and ``down``."""

from __future__ import annotations

from pathlib import Path

from steersman.dns.server import DNSConfig
from steersman.kubelet.config import KubeletConfig
from steersman.kubelet.containerd import ContainerdConfig
from steersman.network.agent import NetworkConfig
from steersman.proxy.proxy import ProxyConfig

from .config import DEFAULT_DATA_DIR, ClusterConfig
from .preflight import CNI_DIRECTORIES


def agent_directory(config: ClusterConfig) -> Path:
    """Where the node keeps what is its own."""
    return config.root / "agent"


def pod_log_root(config: ClusterConfig) -> Path:
    """Where containers' logs go: where log collectors look, or a place of its own for a further cluster."""
    return Path("/var/log/pods") if config.root == DEFAULT_DATA_DIR else config.root / "logs/pods"


def containerd_config(config: ClusterConfig) -> ContainerdConfig:
    """The containerd that the kubelet starts and ``down`` removes."""
    kubelet = kubelet_config(config)
    return ContainerdConfig(
        directory=kubelet.root_dir / "containerd",
        cni_conf_dir=kubelet.cni_conf_dir,
        cni_bin_dirs=kubelet.cni_bin_dirs,
        cgroup_root=kubelet.cgroup_root,
        pods_dir=kubelet.pods_dir,
    )


def kubelet_config(config: ClusterConfig) -> KubeletConfig:
    """The kubelet's settings."""
    return KubeletConfig(
        node_name=config.node_name,
        node_ip=config.node_address,
        root_dir=agent_directory(config),
        pki_dir=config.root / "pki",
        pod_log_root=pod_log_root(config),
        cgroup_root=config.identity,
        cni_conf_dir=agent_directory(config) / "cni",
        cni_bin_dirs=tuple(str(directory) for directory in CNI_DIRECTORIES if directory.is_dir()),
        airgap_images=Path(config.airgap_images) if config.airgap_images else None,
        port=config.kubelet_port,
        cluster_dns=(config.dns_address,),
        cluster_domain=config.cluster_domain,
    )


def network_config(config: ClusterConfig) -> NetworkConfig:
    """The network agent's settings."""
    return NetworkConfig(
        node_name=config.node_name,
        cni_conf_directory=str(agent_directory(config) / "cni"),
        data_directory=str(agent_directory(config) / "network"),
        network=config.identity,
        bridge=config.bridge,
        table=f"{config.identity}-network",
        cluster_cidr=config.cluster_cidr,
    )


def proxy_config(config: ClusterConfig) -> ProxyConfig:
    """The service proxy's settings."""
    return ProxyConfig(
        node_name=config.node_name,
        table=f"{config.identity}-proxy",
        cluster_cidr=config.cluster_cidr,
        service_cidrs=tuple(str(network) for network in config.service_networks if network.version == 4),
    )


def dns_config(config: ClusterConfig) -> DNSConfig:
    """The DNS server's settings."""
    return DNSConfig(
        bind_address=config.node_address,
        port=config.dns_port,
        domain=config.cluster_domain,
        own_addresses=(config.dns_address,),
    )
