"""The status of pods that run nothing: pure functions, on the model of the kubelet's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from steersman.api.pods import is_sidecar
from steersman.api.types.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
)

READY_TO_START = "PodReadyToStartContainers"
TERMINAL = ("Succeeded", "Failed")


def creating(pod: Pod, host_ip: str, instant: datetime) -> PodStatus:
    """The kubelet has seen it; nothing of it runs."""
    reason = "PodInitializing" if pod.spec.init_containers else "ContainerCreating"
    return msgspec.structs.replace(
        pod.status,
        phase="Pending",
        conditions=_conditions(pod, instant, {"Initialized": not pod.spec.init_containers}),
        init_container_statuses=[_status(each, _waiting(reason), ready=False) for each in pod.spec.init_containers],
        container_statuses=[_status(each, _waiting(reason), ready=False) for each in pod.spec.containers],
        start_time=instant,
        host_ip=host_ip,
        host_ips=[HostIP(ip=host_ip)] if host_ip else [],
        observed_generation=pod.metadata.generation,
    )


def initialized(pod: Pod, addresses: Sequence[str], instant: datetime) -> PodStatus:
    """Those that initialize have done so, and those that stay beside run."""
    return msgspec.structs.replace(
        pod.status,
        conditions=_conditions(pod, instant, {READY_TO_START: True, "Initialized": True}),
        init_container_statuses=_initialized(pod, instant),
        pod_ip=addresses[0] if addresses else "",
        pod_ips=[PodIP(ip=each) for each in addresses],
    )


def running(pod: Pod, host_ip: str, addresses: Sequence[str], instant: datetime, *, ready: bool = True) -> PodStatus:
    """Every container runs; those that initialize have done so."""
    state = _running(instant)
    return msgspec.structs.replace(
        pod.status,
        phase="Running",
        reason="",
        message="",
        conditions=_conditions(pod, instant, _ALL if ready else _UP),
        init_container_statuses=pod.status.init_container_statuses
        if _is_initialized(pod)
        else _initialized(pod, instant),
        container_statuses=[_status(each, state, ready=ready) for each in pod.spec.containers],
        start_time=pod.status.start_time or instant,
        host_ip=host_ip,
        host_ips=[HostIP(ip=host_ip)] if host_ip else [],
        pod_ip=addresses[0] if addresses else "",
        pod_ips=[PodIP(ip=each) for each in addresses],
        observed_generation=pod.metadata.generation,
    )


def ready(pod: Pod, instant: datetime) -> PodStatus:
    """Every container that runs is ready."""
    return msgspec.structs.replace(
        pod.status,
        conditions=_conditions(pod, instant, _ALL),
        container_statuses=[
            msgspec.structs.replace(each, ready=each.state.running is not None)
            for each in pod.status.container_statuses
        ],
    )


def not_pulled(pod: Pod) -> PodStatus:
    """The images of its containers are not there, and are asked for again later."""
    images = {each.name: each.image for each in pod.spec.containers}
    return msgspec.structs.replace(
        pod.status,
        container_statuses=[
            msgspec.structs.replace(
                each, state=_waiting("ImagePullBackOff", f'Back-off pulling image "{images.get(each.name, "")}"')
            )
            for each in pod.status.container_statuses
        ],
    )


def crashed(pod: Pod, container: str, backoff: float, instant: datetime) -> PodStatus:
    """A container has ended badly, and waits to be started again."""
    meta = pod.metadata
    message = (
        f"back-off {_go_duration(backoff)} restarting failed container={container} "
        f"pod={meta.name}_{meta.namespace}({meta.uid})"
    )
    statuses = []
    for each in pod.status.container_statuses:
        if each.name == container:
            last = _stopped(each, instant, 1, "").state
            waiting = _waiting("CrashLoopBackOff", message)
            each = msgspec.structs.replace(each, ready=False, started=False, state=waiting, last_state=last)
        statuses.append(each)
    unready = [each.name for each in statuses if not each.ready]
    return msgspec.structs.replace(
        pod.status, conditions=_conditions(pod, instant, _UP, unready=unready), container_statuses=statuses
    )


def restarted(pod: Pod, instant: datetime) -> PodStatus:
    """What waited to be started again runs again."""
    state = _running(instant)
    return msgspec.structs.replace(
        pod.status,
        conditions=_conditions(pod, instant, _ALL),
        container_statuses=[
            msgspec.structs.replace(each, ready=True, started=True, state=state, restart_count=each.restart_count + 1)
            if each.state.waiting is not None
            else each
            for each in pod.status.container_statuses
        ],
    )


def ended(pod: Pod, instant: datetime, exit_code: int, reason: str = "") -> PodStatus:
    """Every container that ran has ended; the pod has succeeded or failed."""
    phase = "Succeeded" if exit_code == 0 else "Failed"
    condition = "PodCompleted" if exit_code == 0 else "PodFailed"
    return msgspec.structs.replace(
        pod.status,
        phase=phase,
        conditions=_conditions(pod, instant, {"Initialized": True}, reason=condition),
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


def _initialized(pod: Pod, instant: datetime) -> list[ContainerStatus]:
    return [
        _status(each, _running(instant) if is_sidecar(each) else _ended(instant, instant, 0), ready=True)
        for each in pod.spec.init_containers
    ]


def _is_initialized(pod: Pod) -> bool:
    statuses = pod.status.init_container_statuses
    return len(statuses) == len(pod.spec.init_containers) and all(each.ready for each in statuses)


def _running(instant: datetime) -> ContainerState:
    return ContainerState(running=ContainerStateRunning(started_at=instant))


def _waiting(reason: str, message: str = "") -> ContainerState:
    return ContainerState(waiting=ContainerStateWaiting(reason=reason, message=message))


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


_UP = {READY_TO_START: True, "Initialized": True}
_ALL = {**_UP, "Ready": True, "ContainersReady": True}


def _conditions(
    pod: Pod, instant: datetime, true: Mapping[str, bool], *, reason: str = "", unready: Sequence[str] | None = None
) -> list[PodCondition]:
    """The kubelet's conditions and the readiness gates', followed by those of others.

    ``reason`` is why a pod that has ended is not ready.
    """
    before = {each.type: each for each in pod.status.conditions}
    generation = pod.metadata.generation
    wanted = [
        _condition(READY_TO_START, true),
        _condition("Initialized", true, "ContainersNotInitialized", "incomplete", _names(pod.spec.init_containers)),
        *(
            _condition(each, true, "ContainersNotReady", "unready", unready or _names(pod.spec.containers))
            for each in ("Ready", "ContainersReady")
        ),
    ]
    if reason:
        wanted[1].reason = "PodCompleted" if reason == "PodCompleted" else ""
        for each in wanted[2:]:
            each.reason, each.message = reason, ""
    if true.get("Ready"):
        wanted += [PodCondition(type=gate.condition_type, status="True") for gate in pod.spec.readiness_gates]
    if "PodScheduled" not in before:
        wanted.append(PodCondition(type="PodScheduled", status="True"))
    for each in wanted:
        earlier = before.get(each.type)
        same = earlier is not None and earlier.status == each.status
        each.last_transition_time = earlier.last_transition_time if same and earlier is not None else instant
        each.observed_generation = generation
    types = {each.type for each in wanted}
    return [*wanted, *(each for each in pod.status.conditions if each.type not in types)]


def _condition(
    type_: str, true: Mapping[str, bool], reason: str = "", what: str = "", containers: Sequence[str] = ()
) -> PodCondition:
    if true.get(type_):
        return PodCondition(type=type_, status="True")
    message = f"containers with {what} status: [{' '.join(containers)}]" if what else ""
    return PodCondition(type=type_, status="False", reason=reason, message=message)


def _names(containers: Iterable[Container]) -> list[str]:
    return [each.name for each in containers]


def _go_duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
