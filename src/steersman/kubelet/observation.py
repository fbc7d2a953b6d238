"""Looking at the runtime: what stands of a pod, and what its containers left as their last words."""

from __future__ import annotations

import asyncio
from pathlib import Path

from . import logs, names
from .cri_api import messages as cri
from .record import PodRecord
from .runtime import RuntimeNotFound

MAX_TERMINATION_MESSAGE = 4096
MAX_LOG_LINES, MAX_LOG_MESSAGE = 80, 2048

_OVER = (cri.CONTAINER_EXITED, cri.CONTAINER_UNKNOWN)


async def observe(record: PodRecord) -> None:
    """Bring sandbox, containers, messages and addresses of a record up to date; raises RuntimeFailure."""
    runtime, selector = record.host.runtime, {names.POD_UID: record.uid}
    sandboxes = sorted(await runtime.list_sandboxes(selector), key=lambda each: -each.created_at)
    ready = (each for each in sandboxes if each.state == cri.SANDBOX_READY)
    record.sandbox = next(ready, sandboxes[0] if sandboxes else None)
    known = {each.id: each for statuses in record.containers.values() for each in statuses}
    found: dict[str, list[cri.ContainerStatus]] = {}
    for container in await runtime.list_containers(selector):
        elsewhere = record.sandbox is not None and container.pod_sandbox_id != record.sandbox.id
        if elsewhere and container.state not in _OVER:
            continue
        name = container.labels.get(names.CONTAINER_NAME, container.metadata.name)
        status = known.get(container.id)
        if status is None or status.state != container.state or container.state == cri.CONTAINER_UNKNOWN:
            try:
                status = await runtime.container_status(container.id)
            except RuntimeNotFound:
                continue
            if status.state == cri.CONTAINER_EXITED and (text := await _last_words(status)):
                record.messages[status.id] = text
        found.setdefault(name, []).append(status)
    for statuses in found.values():
        statuses.sort(key=lambda each: -each.created_at)
    record.containers = found
    seen = {each.id for statuses in found.values() for each in statuses}
    record.messages = {id_: text for id_, text in record.messages.items() if id_ in seen}
    await learn_addresses(record)


async def learn_addresses(record: PodRecord) -> None:
    """Ask for the pod's addresses where they are not known."""
    if record.pod.spec.host_network:
        record.pod_ips = list(record.host.host_ips)
    elif record.sandbox is not None and record.sandbox_ready and not record.pod_ips:
        seen = await record.host.runtime.sandbox_status(record.sandbox.id)
        addresses = [seen.network.ip, *(extra.ip for extra in seen.network.additional_ips)]
        record.pod_ips = [address for address in addresses if address]


async def _last_words(container: cri.ContainerStatus) -> str:
    """A container's termination message, by its path and policy."""
    path = container.annotations.get(names.TERMINATION_PATH, "")
    policy = container.annotations.get(names.TERMINATION_POLICY, "File")
    text = ""
    for mount in container.mounts:
        if path and mount.container_path == path:
            try:
                text = await asyncio.to_thread(_beginning, Path(mount.host_path), MAX_TERMINATION_MESSAGE)
            except OSError as error:
                text = f"Error on reading termination log {mount.host_path}: {error}"
    if not text and policy == "FallbackToLogsOnError" and container.exit_code != 0:
        text = await asyncio.to_thread(logs.tail, Path(container.log_path), MAX_LOG_LINES, MAX_LOG_MESSAGE)
    return text


def _beginning(path: Path, limit: int) -> str:
    with path.open("rb") as file:
        return file.read(limit).decode(errors="replace")
