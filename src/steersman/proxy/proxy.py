"""The proxy as a component: watches, collects what changed, and has it written."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess

import msgspec

from steersman.api import labels
from steersman.api.time import now, rfc3339
from steersman.api.types.core_v1 import Node, Service
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.client.client import Client, Selectors
from steersman.client.informer import Informer

from . import conntrack
from .health import Answer, HealthServer, NodePortHealth
from .nftables import NftablesError
from .rules import EMPTY, Fragment, Layout, fragment
from .state import NodeView, PortState, ServiceState, service_state
from .sync import Table

log = logging.getLogger(__name__)

_SLICE = 25
"""Services decided before the event loop gets its turn."""


class ProxyConfig(msgspec.Struct, frozen=True):
    """Configuration of :class:`Proxy`.

    ``nodeport_addresses``: addresses on which NodePorts answer; empty means the node's InternalIPs, and ``("*",)``
    every local address but loopback.  ``healthz_port`` 0 means none.  Periods are in seconds.
    """

    node_name: str
    table: str = "steersman-proxy"
    cluster_cidr: str = "10.244.0.0/16"
    service_cidrs: tuple[str, ...] = ("10.96.0.0/12",)
    nodeport_addresses: tuple[str, ...] = ()
    masquerade_all: bool = False
    masquerade_bit: int = 14
    min_sync_period: float = 0.05
    full_sync_period: float = 3600.0
    check_period: float = 30.0
    healthz_address: str = "127.0.0.1"
    healthz_port: int = 0


class Proxy:
    """Keeps this node's service rules.  ``ready`` is set once the first whole table is in the kernel."""

    def __init__(self, config: ProxyConfig, client: Client) -> None:
        self.ready = asyncio.Event()
        self._config = config
        self._table = Table()
        self._services: Informer[Service] = Informer(client, Service)
        self._slices: Informer[EndpointSlice] = Informer(client, EndpointSlice)
        name = Selectors(fields=f"metadata.name={config.node_name}")
        self._nodes: Informer[Node] = Informer(client, Node, selectors=name)
        self._slices.lister.add_index("service", lambda item: [_service_key(item)])
        self._dirty: set[str] = set()
        self._all_dirty = True
        self._changed = asyncio.Event()
        self._states: dict[str, ServiceState] = {}
        self._node_ports = NodePortHealth()
        self._last_sync = ""
        self._seen: tuple[NodeView, Layout] | None = None

    async def run(self) -> None:
        """Work until cancelled.  The rules stay when it ends, and traffic goes on; :func:`teardown` removes them."""
        self._services.add_handler(
            lambda obj: self._touch(_key(obj)),
            lambda _, obj: self._touch(_key(obj)),
            lambda obj: self._touch(_key(obj)),
        )
        self._slices.add_handler(self._touch_slice, self._update_slice, self._touch_slice)
        self._nodes.add_handler(self._touch_node, lambda _, obj: self._touch_node(obj), self._touch_node)
        healthz = HealthServer(self._healthz)
        if self._config.healthz_port:
            await healthz.start(self._config.healthz_address, self._config.healthz_port)
        try:
            async with asyncio.TaskGroup() as group:
                for informer in (self._services, self._slices, self._nodes):
                    group.create_task(informer.run(), name=f"proxy informer {informer.resource.name}")
                group.create_task(self._sync_loop(), name="proxy sync")
        finally:
            healthz.close()
            self._node_ports.close()
            await self._table.close()

    def _touch(self, key: str) -> None:
        self._dirty.add(key)
        self._changed.set()

    def _touch_slice(self, item: EndpointSlice) -> None:
        self._touch(_service_key(item))

    def _update_slice(self, old: EndpointSlice, new: EndpointSlice) -> None:
        self._touch(_service_key(old))
        self._touch(_service_key(new))

    def _touch_node(self, _: Node) -> None:
        view, layout = self._view()
        if (view, layout) != self._seen:  # heartbeats change neither
            self._seen = (view, layout)
            self._all_dirty = True
            self._changed.set()

    def _view(self) -> tuple[NodeView, Layout]:
        config = self._config
        node = self._nodes.lister.get(config.node_name)
        zone = node.metadata.labels.get(labels.TOPOLOGY_ZONE, "") if node else ""
        addresses = config.nodeport_addresses
        if addresses == ("*",):
            addresses = ()
        elif not addresses:
            found = node.status.addresses if node else []
            internal = tuple(item.address for item in found if item.type == "InternalIP" and ":" not in item.address)
            addresses = internal or ("127.0.0.1",)
        layout = Layout(
            table=config.table,
            service_cidrs=config.service_cidrs,
            cluster_cidr=config.cluster_cidr,
            nodeport_ips=addresses,
            masquerade_mark=1 << config.masquerade_bit,
            masquerade_all=config.masquerade_all,
        )
        return NodeView(name=config.node_name, zone=zone), layout

    async def _sync_loop(self) -> None:
        for informer in (self._services, self._slices, self._nodes):
            await informer.synced()
        loop = asyncio.get_running_loop()
        last_full = loop.time()
        backoff = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(backoff or self._config.check_period):
                    await self._changed.wait()
            if backoff:
                await asyncio.sleep(backoff)
            self._changed.clear()
            everything = loop.time() - last_full >= self._config.full_sync_period or not self.ready.is_set()
            started = loop.time()
            try:
                if not self._changed_keys():
                    await self._table.check(self._view()[1])
                await self._sync(everything)
            except NftablesError as error:
                backoff = min(max(backoff * 2, 0.5), 30.0)
                log.error("cannot write nftables table %s, trying again: %s", self._config.table, error)
                continue
            backoff = 0.0
            if everything:
                last_full = loop.time()
            self._last_sync = rfc3339(now())
            self.ready.set()
            await asyncio.sleep(max(0.0, started + self._config.min_sync_period - loop.time()))

    def _changed_keys(self) -> bool:
        return self._all_dirty or bool(self._dirty)

    async def _sync(self, everything: bool) -> None:
        view, layout = self._view()
        if self._all_dirty:
            self._all_dirty = False
            self._dirty |= {*self._states, *(_key(service) for service in self._services.lister.list())}
        keys, self._dirty = self._dirty, set()
        changes: dict[str, Fragment] = {}
        datagrams = False
        for number, key in enumerate(keys, 1):
            old, new = self._states.get(key), self._decide(key, view)
            if new is None:
                self._states.pop(key, None)
            else:
                self._states[key] = new
            changes[key] = EMPTY if new is None else fragment(layout, new)
            datagrams = datagrams or (old != new and any(port.protocol == "udp" for port in _ports(old, new)))
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        await self._table.apply(layout, changes, everything=everything)
        health = {
            state.health_check_node_port: (state.namespace, state.name, state.local_endpoints)
            for state in self._states.values()
            if state.health_check_node_port
        }
        await self._node_ports.update(health)
        if datagrams or everything:
            # After the rules: a flow that is removed before them would choose among the old endpoints again.
            try:
                await asyncio.to_thread(conntrack.clean, conntrack.frontends([*self._states.values()]))
            except (OSError, subprocess.SubprocessError) as error:
                log.warning("cannot remove stale UDP flows: %s", error)

    def _decide(self, key: str, view: NodeView) -> ServiceState | None:
        service = self._services.lister.by_key(key)
        return None if service is None else service_state(service, self._slices.lister.by_index("service", key), view)

    def _healthz(self, path: str) -> Answer:
        if path not in ("/healthz", "/livez"):
            return 404, {}, {}
        code = 200 if self.ready.is_set() else 503
        return code, {"lastUpdated": self._last_sync, "currentTime": rfc3339(now()), "nodeEligible": True}, {}


def _key(service: Service) -> str:
    return f"{service.metadata.namespace}/{service.metadata.name}"


def _service_key(item: EndpointSlice) -> str:
    return f"{item.metadata.namespace}/{item.metadata.labels.get(labels.SERVICE_NAME, '')}"


def _ports(*states: ServiceState | None) -> list[PortState]:
    return [port for state in states if state is not None for port in state.ports]
