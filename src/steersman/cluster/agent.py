"""The node: network agent, kubelet, service proxy and DNS server in one process, each with its own identity."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import msgspec

from steersman.client import kubeconfig
from steersman.client.http import HTTPClient
from steersman.dns.server import DNSServer
from steersman.kubelet.kubelet import Kubelet
from steersman.network.agent import NetworkAgent
from steersman.proxy.proxy import Proxy

from . import lock, parts, preflight, running
from .config import ClusterConfig

log = logging.getLogger(__name__)


def run(config: ClusterConfig, *, verbose: bool = False) -> None:
    """Run the node in the foreground."""
    preflight.use_system_path()
    preflight.check_node()
    with lock.held(config, "agent", lock.PATIENCE):
        running.run(lambda: serve(config), verbose=verbose)


async def _announce(name: str, ready: asyncio.Event) -> None:
    await ready.wait()
    log.info("%s is ready", name)


USER_AGENTS = {"kubelet": "kubelet", "proxy": "kube-proxy", "dns": "coredns"}
"""Whom the API server takes each part's writes to be managed by."""


def _client(path: Path, user_agent: str) -> HTTPClient:
    return HTTPClient(msgspec.structs.replace(kubeconfig.load(path), user_agent=user_agent))


async def serve(config: ClusterConfig) -> None:
    """Run the node's parts until cancelled; pods go on without them."""
    root = config.root
    for name in USER_AGENTS:
        while not (root / f"{name}.conf").exists():  # the server writes them at its first start
            await asyncio.sleep(0.02)
    clients = {name: _client(root / f"{name}.conf", agent) for name, agent in USER_AGENTS.items()}
    try:
        async with asyncio.TaskGroup() as group:
            components: dict[str, NetworkAgent | Kubelet | Proxy | DNSServer] = {
                "network agent": NetworkAgent(parts.network_config(config), clients["kubelet"]),
                "kubelet": Kubelet(parts.kubelet_config(config), clients["kubelet"]),
                "proxy": Proxy(parts.proxy_config(config), clients["proxy"]),
                "DNS server": DNSServer(parts.dns_config(config), clients["dns"]),
            }
            for name, component in components.items():
                group.create_task(component.run(), name=name)
                group.create_task(_announce(name, component.ready), name=f"announce {name}")
    finally:
        for client in clients.values():
            await client.close()
