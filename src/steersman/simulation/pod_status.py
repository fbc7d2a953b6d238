"""The status of pods that run nothing: pure functions, on the model of the kubelet's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from steersman.api.pods import is_sidecar
from steersman.api.types.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStatus,
    HostIP,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
)

READY_TO_START = "PodReadyToStartContainers"
OWNED_CONDITIONS = frozenset((READY_TO_START, "Initialized", "Ready", "ContainersReady"))
TERMINAL = ("Succeeded", "Failed")


def running(pod: Pod, host_ip: str, addresses: Sequence[str], instant: datetime) -> PodStatus:
    """Every container runs and is ready; those that initialize have done so."""
    state = ContainerState(running=ContainerStateRunning(started_at=instant))
    spec = pod.spec
    return msgspec.structs.replace(
        pod.status,
        phase="Running",
        reason="",
        message="",
        conditions=_conditions(pod, instant, ready=True),
        init_container_statuses=[
            _status(each, state if is_sidecar(each) else _ended(instant, instant, 0), ready=True)
            for each in spec.init_containers
        ],
        container_statuses=[_status(each, state, ready=True) for each in spec.containers],
        start_time=pod.status.start_time or instant,
        host_ip=host_ip,
        host_ips=[HostIP(ip=host_ip)] if host_ip else [],
        pod_ip=addresses[0] if addresses else "",
        pod_ips=[PodIP(ip=each) for each in addresses],
        observed_generation=pod.metadata.generation,
    )


def ended(pod: Pod, instant: datetime, exit_code: int, reason: str = "") -> PodStatus:
    """Every container that ran has ended; the pod has succeeded or failed."""
    phase = "Succeeded" if exit_code == 0 else "Failed"
    condition = "PodCompleted" if exit_code == 0 else "PodFailed"
    return msgspec.structs.replace(
        pod.status,
        phase=phase,
        conditions=_conditions(pod, instant, ready=False, reason=condition),
        init_container_statuses=[_stopped(each, instant, 0, "") for each in pod.status.init_container_statuses],
        container_statuses=[_stopped(each, instant, exit_code, reason) for each in pod.status.container_statuses],
        observed_generation=pod.metadata.generation,
    )


def owned_by(pod: Pod, kind: str) -> bool:
    """Whether an object of a kind owns a pod."""
    return any(each.kind == kind for each in pod.metadata.owner_references)


def _status(container: Container, state: ContainerState, *, ready: bool) -> ContainerStatus:
    resources = container.resources
    return ContainerStatus(
        name=container.name,
        image=container.image,
        ready=ready,
        started=state.running is not None,
        state=state,
        allocated_resources=resources.requests,
        resources=resources if resources.requests or resources.limits else None,
    )


def _ended(started: datetime | None, instant: datetime, exit_code: int, reason: str = "") -> ContainerState:
    return ContainerState(
        terminated=ContainerStateTerminated(
            exit_code=exit_code,
            reason=reason or ("Completed" if exit_code == 0 else "Error"),
            started_at=started,
            finished_at=instant,
        )
    )


def _stopped(status: ContainerStatus, instant: datetime, exit_code: int, reason: str) -> ContainerStatus:
    if status.state.terminated is not None:
        return status
    started = status.state.running.started_at if status.state.running is not None else None
    state = _ended(started or instant, instant, exit_code, reason)
    return msgspec.structs.replace(status, ready=False, started=False, state=state)


def _conditions(pod: Pod, instant: datetime, *, ready: bool, reason: str = "") -> list[PodCondition]:
    """The kubelet's conditions and the readiness gates', followed by those of others."""
    before = {each.type: each for each in pod.status.conditions}
    generation = pod.metadata.generation
    truth = "True" if ready else "False"
    wanted = [(READY_TO_START, truth, ""), ("Initialized", "True", "PodCompleted" if reason == "PodCompleted" else "")]
    wanted += [("Ready", truth, reason), ("ContainersReady", truth, reason)]
    if ready:
        wanted += [(gate.condition_type, "True", "") for gate in pod.spec.readiness_gates]
    if "PodScheduled" not in before:
        wanted.append(("PodScheduled", "True", ""))
    result = []
    for type_, status, why in wanted:
        earlier = before.get(type_)
        since = earlier.last_transition_time if earlier is not None and earlier.status == status else instant
        result.append(
            PodCondition(
                type=type_, status=status, reason=why, last_transition_time=since, observed_generation=generation
            )
        )
    types = {type_ for type_, *_ in wanted}
    return [*result, *_others(pod.status.conditions, types)]


def _others(conditions: Iterable[PodCondition], types: set[str]) -> Iterable[PodCondition]:
    return (each for each in conditions if each.type not in types)
