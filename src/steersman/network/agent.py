"""The network agent as a component, and its removal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from steersman.api.types.core_v1 import Node
from steersman.client.client import Client, Selectors
from steersman.client.informer import Informer

from . import cni, host

log = logging.getLogger(__name__)


class NetworkConfig(msgspec.Struct, frozen=True):
    """Configuration of :class:`NetworkAgent`; two clusters on one machine differ in all names and directories.

    ``cni_conf_directory`` is what the container runtime reads; ``data_directory`` holds the addresses handed out
    and the record of changed sysctls.  ``mtu`` 0 takes that of the default route's interface.  An interface name has at
    most 15 characters.
    """

    node_name: str
    cni_conf_directory: str
    data_directory: str
    network: str = "steersman"
    bridge: str = "steersman0"
    table: str = "steersman-network"
    cluster_cidr: str = "10.244.0.0/16"
    mtu: int = 0
    check_period: float = 60.0


class NetworkAgent:
    """Prepares the node for pods.  ``ready`` is set once the CNI configuration is written and the rules are there."""

    def __init__(self, config: NetworkConfig, client: Client) -> None:
        self.ready = asyncio.Event()
        self._config = config
        selectors = Selectors(fields=f"metadata.name={config.node_name}")
        self._nodes: Informer[Node] = Informer(client, Node, selectors=selectors)
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled.  Pods keep their network when it ends; :func:`teardown` removes it."""

        def touch(*_: Node) -> None:
            self._changed.set()

        def changed(old: Node, new: Node) -> None:
            if old.spec != new.spec:  # not at every heartbeat
                self._changed.set()

        self._nodes.add_handler(touch, changed, touch)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._nodes.run(), name="network informer")
            group.create_task(self._keep(), name="network agent")

    async def _keep(self) -> None:
        applied: tuple[str, ...] = ()
        backoff = 0.5
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._config.check_period):
                    await self._changed.wait()
            self._changed.clear()
            node = self._nodes.lister.get(self._config.node_name)
            cidrs = _pod_cidrs(node) if node else ()
            if not cidrs or (cidrs == applied and await asyncio.to_thread(_intact, self._config)):
                continue
            try:
                await asyncio.to_thread(apply, self._config, cidrs)
            except (host.HostError, OSError) as error:
                log.error("cannot set the pod network up, trying again: %s", error)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, 30.0)
                self._changed.set()
                continue
            backoff, applied = 0.5, cidrs
            self.ready.set()


def _pod_cidrs(node: Node) -> tuple[str, ...]:
    """The node's IPv4 pod CIDRs.  The rules are IPv4's alone, and so is what pods get."""
    return tuple(cidr for cidr in node.spec.pod_cidrs or [node.spec.pod_cidr] if cidr and ":" not in cidr)


def _intact(config: NetworkConfig) -> bool:
    """Whether nobody removed our rules (``nft flush ruleset``) or our configuration, or stopped the node's routing."""
    try:
        return (
            host.is_forwarding()
            and host.has_rules(config.table)
            and (Path(config.cni_conf_directory) / cni.CONF_NAME).exists()
        )
    except (host.HostError, OSError) as error:
        log.warning("cannot look at the rules: %s", error)
        return True


def apply(config: NetworkConfig, pod_cidrs: tuple[str, ...]) -> None:
    """Set the node up for pods with addresses of these CIDRs; running it again changes nothing.  Blocks."""
    data = Path(config.data_directory)
    before = host.enable_forwarding(data / "before.json")
    filtered = host.enable_bridge_netfilter()
    host.apply_rules(
        host.rules(
            config.table,
            config.bridge,
            pod_cidrs[0],
            config.cluster_cidr,
            bridge_netfilter=filtered,
            forwarded_before=before,
        )
    )
    host.allow_forwarding(config.bridge)
    mtu = config.mtu or host.default_mtu()
    content = cni.conflist(config.network, config.bridge, pod_cidrs, mtu, str(data / "ipam"))
    # Last: with this file the runtime reports its network ready, and pods start.
    cni.write(Path(config.cni_conf_directory), content)


def teardown(config: NetworkConfig) -> None:
    """Undo everything, as far as it is there; call it when no pod runs any more.  Blocks.

    Every step is tried; raises HostError with what failed.
    """
    data = Path(config.data_directory)
    faults: list[str] = []
    steps: tuple[Callable[[], None], ...] = (
        lambda: (Path(config.cni_conf_directory) / cni.CONF_NAME).unlink(missing_ok=True),
        lambda: host.remove_bridge(config.bridge),
        lambda: host.apply_rules(f"add table ip {config.table}\ndelete table ip {config.table}\n"),
        lambda: host.forbid_forwarding(config.bridge),
        lambda: host.remove_port_mappings(config.network),
        lambda: host.remove_portmap_chains(data / "before.json"),
        lambda: host.restore_forwarding(data / "before.json"),
        lambda: shutil.rmtree(data / "ipam", ignore_errors=True),
    )
    for step in steps:
        try:
            step()
        except (host.HostError, OSError) as error:
            faults.append(str(error))
    if faults:
        raise host.HostError("; ".join(faults))
