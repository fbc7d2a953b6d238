"""``steersman down``: end the processes, then remove what they made; works although everything was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from steersman.client import kubeconfig

from . import config as configuration
from . import process
from .config import ClusterConfig, ConfigError
from .up import kubeconfig_path

Say = Callable[[str], None]


def down(data_dir: Path, say: Say, *, delete_data: bool = False) -> None:
    """End a cluster.  Its data directory stays unless told otherwise; without a cluster there, nothing happens."""
    config = configuration.load(data_dir)
    if config is None:
        say(f"There is no cluster in {data_dir}.")
        return
    if os.geteuid() != 0:
        raise ConfigError("a node's network, mounts and cgroups are root's to remove; run this with sudo")
    stopped = process.stop_supervisor(data_dir)
    say("  processes       ended" if stopped else "  processes       none ran")
    _remove_node(config)
    say("  node            containers, mounts, interfaces, rules and cgroups removed")
    path, _ = kubeconfig_path()
    with contextlib.suppress(kubeconfig.KubeconfigError, OSError):
        kubeconfig.remove_context(path, config.identity)
    if delete_data:
        shutil.rmtree(data_dir)
        say(f"  data            {data_dir} removed")
    else:
        say(f"  data            kept in {data_dir}; remove it with: steersman down --data-dir {data_dir} --delete-data")


def _remove_node(config: ClusterConfig) -> None:
    """Remove the node's traces in the order in which they depend on each other: containers hold the network."""
    from steersman.kubelet import containerd
    from steersman.network import agent as network
    from steersman.proxy import sync as proxy

    from . import parts

    containerd.teardown(parts.containerd_config(config))
    proxy.teardown(parts.proxy_config(config).table)
    network.teardown(parts.network_config(config))
