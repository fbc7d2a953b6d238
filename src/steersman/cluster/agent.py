"""The node: network agent, kubelet, service proxy and DNS server in one process, each with its own identity."""

from __future__ import annotations

import asyncio

from steersman.client import kubeconfig
from steersman.client.http import HTTPClient
from steersman.dns.server import DNSServer
from steersman.kubelet.kubelet import Kubelet
from steersman.network.agent import NetworkAgent
from steersman.proxy.proxy import Proxy

from . import lock, parts, preflight, running
from .config import ClusterConfig


def run(config: ClusterConfig, *, verbose: bool = False) -> None:
    """Run the node in the foreground."""
    preflight.use_system_path()
    preflight.check_node()
    with lock.held(config, "agent", lock.PATIENCE):
        running.run(lambda: serve(config), verbose=verbose)


async def serve(config: ClusterConfig) -> None:
    """Run the node's parts until cancelled; pods go on without them."""
    root = config.root
    for name in ("kubelet", "proxy", "dns"):
        while not (root / f"{name}.conf").exists():  # the server writes them at its first start
            await asyncio.sleep(0.02)
    clients = {name: HTTPClient(kubeconfig.load(root / f"{name}.conf")) for name in ("kubelet", "proxy", "dns")}
    try:
        async with asyncio.TaskGroup() as group:
            network = NetworkAgent(parts.network_config(config), clients["kubelet"])
            kubelet = Kubelet(parts.kubelet_config(config), clients["kubelet"])
            group.create_task(network.run(), name="network agent")
            group.create_task(kubelet.run(), name="kubelet")
            group.create_task(Proxy(parts.proxy_config(config), clients["proxy"]).run(), name="proxy")
            group.create_task(DNSServer(parts.dns_config(config), clients["dns"]).run(), name="dns")
    finally:
        for client in clients.values():
            await client.close()
