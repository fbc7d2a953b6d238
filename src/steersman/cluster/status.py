"""``steersman status``: what runs, whether it serves, how much memory it takes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from steersman.api import labels
from steersman.api.errors import StatusError
from steersman.api.types.core_v1 import Node, Pod
from steersman.client import kubeconfig
from steersman.client.http import HTTPClient

from . import process
from .config import ClusterConfig

TIMEOUT = 5.0
"""Seconds that the API server has to answer."""


class ProcessReport(msgspec.Struct, frozen=True, rename="camel"):
    """A process under supervision; ``memory_bytes`` is what is resident."""

    name: str
    pid: int
    restarts: int
    memory_bytes: int


class NodeReport(msgspec.Struct, frozen=True, rename="camel"):
    """A node of the cluster."""

    name: str
    ready: bool
    simulated: bool = False


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """The state of a cluster; ``error`` says why the API server does not answer."""

    data_dir: str
    server: str
    running: bool
    serving: bool
    ready: bool
    processes: list[ProcessReport]
    nodes: list[NodeReport]
    pods: int = 0
    error: str = ""


def report(config: ClusterConfig) -> Report:
    """Ask the processes and the API server."""
    state = process.supervisor(config.root)
    processes = []
    if state is not None:
        processes.append(ProcessReport("supervisor", state.pid, 0, _resident(state.pid)))
        processes += [
            ProcessReport(name, child.pid, child.restarts, _resident(child.pid))
            for name, child in state.children.items()
        ]
    nodes: list[NodeReport] = []
    pods, error = 0, ""
    try:
        nodes, pods = asyncio.run(asyncio.wait_for(_ask(config), TIMEOUT))
    except (StatusError, kubeconfig.KubeconfigError, TimeoutError) as problem:
        error = str(problem) or "the API server does not answer"
    return Report(
        data_dir=config.data_dir,
        server=config.server_url,
        running=state is not None,
        serving=not error,
        ready=not error and _has_a_node(nodes),
        processes=processes,
        nodes=nodes,
        pods=pods,
        error=error,
    )


def _has_a_node(nodes: list[NodeReport]) -> bool:
    """Whether one is ready: a simulated one counts where there are no others."""
    real = [node for node in nodes if not node.simulated]
    return any(node.ready for node in real or nodes)


async def _ask(config: ClusterConfig) -> tuple[list[NodeReport], int]:
    client = HTTPClient(kubeconfig.load(config.root / "admin.conf"))
    try:
        nodes = (await client.list(Node)).items
        first = await client.list(Pod, limit=1)
    finally:
        await client.close()
    reports = [
        NodeReport(
            node.metadata.name,
            any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions),
            labels.SIMULATED_NODE in node.metadata.annotations,
        )
        for node in nodes
    ]
    return reports, len(first.items) + (first.remaining_item_count or 0)


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)


def as_json(result: Report) -> str:
    """The report for programs."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode()


def as_text(result: Report) -> str:
    """The report for people."""
    lines = [f"cluster    {result.data_dir}"]
    if result.serving:
        lines.append(f"api        serving at {result.server}, {result.pods} pods")
    else:
        error = result.error.removeprefix(f"cannot reach {result.server}: ")
        lines.append(f"api        does not answer at {result.server}: {error}")
    if not result.running:
        lines.append(f"processes  none under supervision; start them with: steersman up --data-dir {result.data_dir}")
    for item in result.processes:
        restarts = f", restarted {item.restarts}x" if item.restarts else ""
        lines.append(f"process    {item.name}: pid {item.pid}, {item.memory_bytes / 2**20:.0f} MiB{restarts}")
    real = [node for node in result.nodes if not node.simulated]
    lines += [f"node       {node.name}: {'Ready' if node.ready else 'NotReady'}" for node in real]
    if simulated := [node.ready for node in result.nodes if node.simulated]:
        lines.append(f"simulated  {len(simulated)} nodes, {simulated.count(True)} Ready")
    return "\n".join(lines)
