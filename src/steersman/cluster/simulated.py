"""Simulated nodes: in the server's process, or in one of their own that joins any cluster."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import msgspec

from steersman.api.errors import StatusError
from steersman.client import kubeconfig
from steersman.client.client import Client
from steersman.client.connecting import load_config
from steersman.client.http import HTTPClient
from steersman.client.kubeconfig import ClientConfig, KubeconfigError
from steersman.client.leader_election import lead
from steersman.simulation import NodeShape, SimulatedNodes, SimulationConfig, parse_shape, stages_of, usages_of
from steersman.simulation.ownership import FAKE, check_mark, holder, lease_name

from . import running
from .config import ClusterConfig, ConfigError, default_address

log = logging.getLogger(__name__)

NAME = "simulated-{}"
USER_AGENT = "kubelet"


def config_of(config: ClusterConfig) -> SimulationConfig:
    """The simulated nodes of a cluster of ours; raises ConfigError."""
    shape = shape_of(
        config.simulated_shape,
        count=config.simulated_nodes,
        name=NAME,
        zones=config.simulated_zones,
        taints=(config.simulated_taint,) if config.simulated_taint else (),
    )
    return simulation((shape,), config.simulated_stages.split(","))


def shape_of(
    text: str,
    *,
    count: int,
    name: str,
    zones: int = 0,
    labels: Sequence[str] = (),
    taints: Sequence[str] = (),
) -> NodeShape:
    """A shape of what the command line says; raises ConfigError."""
    marks = {}
    for label in labels:
        key, equals, value = label.partition("=")
        if not key or not equals:
            raise ConfigError(f"{label!r} is no label: write key=value")
        marks[key] = value
    try:
        return msgspec.structs.replace(
            parse_shape(text),
            count=count,
            name=name,
            zones=tuple(f"zone-{number}" for number in range(zones)),
            labels=marks,
            taints=tuple(taints),
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def simulation(shapes: tuple[NodeShape, ...], stages: Sequence[str], mark: str = FAKE) -> SimulationConfig:
    """Nodes of shapes that go through stages, by name or file; raises ConfigError."""
    names = [each for each in stages if each]
    try:
        check_mark(mark)
        return SimulationConfig(mark=mark, nodes=shapes, stages=stages_of(*names), usages=usages_of(*names))
    except (ValueError, OSError) as error:
        raise ConfigError(str(error)) from error


def check_metrics(address: str) -> str:
    """Where metrics can be served; raises ConfigError."""
    if ipaddress.ip_address(address).is_loopback:
        raise ConfigError(f"metrics cannot be served at {address}: a Service leads to no loopback address")
    return address


async def serve(config: SimulationConfig, client: Client, identity: str, *, metrics: str = "") -> None:
    """Look after the nodes of a mark until cancelled, while nobody else does; at ``metrics``, tell what they use."""
    with contextlib.suppress(StatusError):
        other = await holder(client, config.mark)
        if other not in ("", identity):
            log.warning(
                "the nodes marked %r are looked after by %s: waiting for its end; --mark makes nodes of another mark",
                config.mark,
                other,
            )
    await lead(client, lease_name(config.mark), identity, lambda: _serve(config, client, identity, metrics))


async def _serve(config: SimulationConfig, client: Client, identity: str, metrics: str) -> None:
    nodes = SimulatedNodes(config, client)
    async with asyncio.TaskGroup() as group:
        group.create_task(nodes.run(), name="simulated nodes")
        await nodes.ready.wait()
        if metrics:
            group.create_task(_serve_metrics(config, client, identity, metrics), name="simulated metrics")
        log.info("%d simulated nodes are ready", sum(shape.count for shape in config.nodes))


async def _serve_metrics(config: SimulationConfig, client: Client, identity: str, address: str) -> None:
    """Those of all simulated nodes, whoever looks after them: one process does, and another when that ends."""
    from steersman.simulation.metrics import Metrics

    from . import simulated_metrics

    async def serve() -> None:
        await simulated_metrics.serve(client, Metrics(client, config.usages), address)
        await asyncio.Event().wait()  # somebody else serves the group: it was said once

    await lead(client, simulated_metrics.NAME, identity, serve)


def run(access: ClientConfig, config: SimulationConfig, *, metrics: bool = False, verbose: bool = False) -> None:
    """Run simulated nodes for a cluster in the foreground."""
    address = check_metrics(default_address()) if metrics else ""

    async def main() -> None:
        client = HTTPClient(msgspec.structs.replace(access, user_agent=USER_AGENT))
        try:
            await serve(config, client, f"{socket.gethostname()}_{os.getpid()}", metrics=address)
        finally:
            await client.close()

    running.run(main, verbose=verbose)


def access_to(path: Path | None, context: str) -> ClientConfig:
    """How a cluster is reached; raises ConfigError."""
    try:
        return kubeconfig.load(path, context) if path is not None else load_config(context)
    except (KubeconfigError, OSError) as error:
        raise ConfigError(str(error)) from error
