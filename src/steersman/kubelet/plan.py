"""What a pod needs next: a pure decision from its spec and its containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from steersman.api.types.core_v1 import Container, Pod

from . import names
from .cri_api import messages as cri
from .qos import is_sidecar


class Kill(msgspec.Struct, frozen=True):
    """A container to stop, and what people are told."""

    container_id: str
    name: str
    message: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The next step.  ``recreate`` ends the sandbox with all that is in it, first."""

    create_sandbox: bool = False
    recreate: bool = False
    start: tuple[str, ...] = ()
    """Containers to start now, in order."""
    kill: tuple[Kill, ...] = ()
    done: bool = False
    """Nothing of the pod will run again by its restart policy: sidecars and the sandbox can go."""


def should_restart(pod: Pod, container: Container, status: cri.ContainerStatus, *, init: bool) -> bool:
    """Whether a container that has ended is run again, by rules and policies."""
    for rule in container.restart_policy_rules:
        codes = rule.exit_codes
        if codes is None or rule.action != "Restart":
            continue
        if (status.exit_code in codes.values) == (codes.operator == "In"):
            return True
    policy = container.restart_policy or pod.spec.restart_policy or "Always"
    if init and not is_sidecar(container) and not container.restart_policy:
        policy = "OnFailure" if policy == "Always" else policy
    if policy == "Never":
        return False
    return policy == "Always" or status.exit_code != 0


def make(
    pod: Pod,
    *,
    sandbox: cri.PodSandbox | None,
    containers: Mapping[str, Sequence[cri.ContainerStatus]],
    started: frozenset[str],
    unhealthy: Mapping[str, str],
) -> Plan:
    """Decide the next step.

    ``containers`` are by name, newest first.  ``started`` are those whose startup probe has succeeded;
    ``unhealthy`` maps containers that a probe condemned to the reason.
    """
    newest = {name: statuses[0] for name, statuses in containers.items() if statuses}
    if sandbox is None or sandbox.state != cri.SANDBOX_READY:
        if finished(pod, newest):
            return Plan(done=True)
        return Plan(create_sandbox=True, recreate=sandbox is not None, start=_first(pod, {}, started))
    kills = []
    for container in [*pod.spec.init_containers, *pod.spec.containers]:
        status = newest.get(container.name)
        if status is None or status.state != cri.CONTAINER_RUNNING:
            continue
        if status.annotations.get(names.HASH) != names.container_hash(container):
            kills.append(
                Kill(status.id, container.name, f"Container {container.name} definition changed, will be restarted")
            )
        elif container.name in unhealthy:
            message = f"Container {container.name} failed {unhealthy[container.name]} probe"
            restarts = (container.restart_policy or pod.spec.restart_policy) != "Never"
            kills.append(Kill(status.id, container.name, message + (", will be restarted" if restarts else "")))
    in_sandbox = {name: status for name, status in newest.items() if status.state != cri.CONTAINER_CREATED}
    if finished(pod, in_sandbox):
        return Plan(done=True)
    visitors = tuple(each.name for each in pod.spec.ephemeral_containers if each.name not in newest)
    return Plan(kill=tuple(kills), start=visitors + _first(pod, in_sandbox, started))


def finished(pod: Pod, newest: Mapping[str, cri.ContainerStatus]) -> bool:
    """Whether all of a pod has ended and nothing is run again."""
    for container in pod.spec.init_containers:
        status = newest.get(container.name)
        if is_sidecar(container) or status is None:
            continue
        failed = status.state == cri.CONTAINER_EXITED and status.exit_code != 0
        if failed and not should_restart(pod, container, status, init=True):
            return True
    for container in pod.spec.containers:
        status = newest.get(container.name)
        if status is None or status.state != cri.CONTAINER_EXITED:
            return False
        if should_restart(pod, container, status, init=False):
            return False
    return bool(pod.spec.containers)


def _first(pod: Pod, newest: Mapping[str, cri.ContainerStatus], started: frozenset[str]) -> tuple[str, ...]:
    """The containers to start now: the next init container, or every one that should run and does not."""

    def wants(container: Container, *, init: bool) -> bool:
        status = newest.get(container.name)
        if status is None:
            return True
        if status.state == cri.CONTAINER_RUNNING:
            return False
        return should_restart(pod, container, status, init=init)

    chosen: list[str] = []
    main_ran = any(container.name in newest for container in pod.spec.containers)
    for container in pod.spec.init_containers:
        status = newest.get(container.name)
        running = status is not None and status.state == cri.CONTAINER_RUNNING
        if is_sidecar(container):
            if wants(container, init=True):
                chosen.append(container.name)
                if not main_ran:
                    return tuple(chosen)
            elif not main_ran and container.name not in started:
                return tuple(chosen)
            continue
        if main_ran:
            continue  # init containers have had their turn
        if running:
            return tuple(chosen)
        if status is None or status.exit_code != 0:
            return (*chosen, container.name) if wants(container, init=True) else tuple(chosen)
    chosen += [container.name for container in pod.spec.containers if wants(container, init=False)]
    return tuple(chosen)
