"""Simulated nodes: in the server's process, or in one of their own that joins any cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from steersman.client import kubeconfig
from steersman.client.client import Client
from steersman.client.connecting import load_config
from steersman.client.http import HTTPClient
from steersman.client.kubeconfig import ClientConfig, KubeconfigError
from steersman.simulation import NodeShape, SimulatedNodes, SimulationConfig, parse_shape, stages_of

from . import running
from .config import ClusterConfig, ConfigError

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
        shape = msgspec.structs.replace(
            parse_shape(text),
            count=count,
            name=name,
            zones=tuple(f"zone-{number}" for number in range(zones)),
            labels=marks,
            taints=tuple(taints),
        )
        shape.check()
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return shape


def simulation(shapes: tuple[NodeShape, ...], stages: Sequence[str]) -> SimulationConfig:
    """Nodes of shapes that go through stages, by name or file; raises ConfigError."""
    try:
        return SimulationConfig(nodes=shapes, stages=stages_of(*filter(None, stages)))
    except (ValueError, OSError) as error:
        raise ConfigError(str(error)) from error


async def serve(config: SimulationConfig, client: Client) -> None:
    """Run simulated nodes until cancelled."""
    nodes = SimulatedNodes(config, client)
    async with asyncio.TaskGroup() as group:
        group.create_task(nodes.run(), name="simulated nodes")
        await nodes.ready.wait()
        log.info("%d simulated nodes are ready", sum(shape.count for shape in config.nodes))


def run(access: ClientConfig, config: SimulationConfig, *, verbose: bool = False) -> None:
    """Run simulated nodes for a cluster in the foreground."""

    async def main() -> None:
        client = HTTPClient(msgspec.structs.replace(access, user_agent=USER_AGENT))
        try:
            await serve(config, client)
        finally:
            await client.close()

    running.run(main, verbose=verbose)


def access_to(path: Path | None, context: str) -> ClientConfig:
    """How a cluster is reached; raises ConfigError."""
    try:
        return kubeconfig.load(path, context) if path is not None else load_config(context)
    except (KubeconfigError, OSError) as error:
        raise ConfigError(str(error)) from error
