"""``steersman down``: end the processes, then remove what they made; works although everything was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from steersman.client import kubeconfig

from . import config as configuration
from . import lock, process
from .config import ClusterConfig, ConfigError
from .up import kubeconfig_path

Say = Callable[[str], None]


def down(data_dir: Path, say: Say, *, delete_data: bool = False) -> None:
    """End a cluster.  Its data directory stays unless told otherwise; without a cluster there, nothing happens.

    Raises ConfigError where something could not be ended or removed; running it again goes on from there.
    """
    config = configuration.load(data_dir)
    if config is None:
        say(f"There is no cluster in {data_dir}.")
        return
    if os.geteuid() != 0:
        raise ConfigError("a node's network, mounts and cgroups are root's to remove; run this with sudo")
    root = config.root
    stopped = process.stop_supervisor(root)
    # Nobody starts anything there while it is being removed.
    with _claimed(root), lock.held(config, "server", lock.PATIENCE), lock.held(config, "agent", lock.PATIENCE):
        say("  processes       ended" if stopped else "  processes       none ran")
        _remove_node(config)
        say("  node            containers, mounts, interfaces, rules and cgroups removed")
        path, _ = kubeconfig_path()
        with contextlib.suppress(kubeconfig.KubeconfigError, OSError):
            kubeconfig.remove_context(path, config.identity)
        if delete_data:
            _remove_data(root)
            say(f"  data            {root} removed")
        else:
            say(f"  data            kept in {root}; remove it with: steersman down --data-dir {root} --delete-data")


@contextlib.contextmanager
def _claimed(root: Path) -> Iterator[None]:
    claim = process.claim(root)
    if claim is None:
        raise ConfigError(f"somebody starts the cluster in {root} just now; run this again")
    try:
        yield
    finally:
        os.close(claim)


def _remove_node(config: ClusterConfig) -> None:
    """Remove the node's traces in the order in which they depend on each other: containers hold the network.

    Every step is tried; raises ConfigError with what failed.
    """
    from steersman.kubelet import containerd
    from steersman.network import agent as network
    from steersman.proxy import sync as proxy

    from . import parts

    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("containers", lambda: containerd.teardown(parts.containerd_config(config))),
        ("service rules", lambda: proxy.teardown(parts.proxy_config(config).table)),
        ("pod network", lambda: network.teardown(parts.network_config(config))),
    )
    faults = []
    for name, step in steps:
        try:
            step()
        except Exception as error:  # whatever it is: what can be removed is removed
            faults.append(f"{name}: {error}")
    if faults:
        raise ConfigError(f"the node could not be removed whole ({'; '.join(faults)}); mend that and run this again")


def _remove_data(root: Path) -> None:
    """Remove the data directory, but never through a mount into something that is not the cluster's."""
    from steersman.kubelet.mounts import mounts_below

    if mounts := [point for point in mounts_below(root) if point != str(root)]:
        raise ConfigError(
            f"the data stays, because something is mounted in it: {', '.join(mounts)}; unmount that first"
        )
    try:
        shutil.rmtree(root)
    except OSError as error:
        # A data directory that is a mount point of its own is emptied and stays.
        if not root.is_mount() or any(root.iterdir()):
            raise ConfigError(f"cannot remove {root}: {error}") from error
