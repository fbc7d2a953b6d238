"""A pod's status, computed from what is: pure functions, no runtime and no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

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
    VolumeMountStatus,
)

from . import containers, names
from .cri_api import messages as cri
from .qos import is_sidecar, qos_class

READY_TO_START = "PodReadyToStartContainers"
LOST_AT_END = "The container could not be located when the pod was terminated"
LOST_RUNNING = "The container could not be located when the pod was deleted.  The container used to be Running"
OWNED_CONDITIONS = (READY_TO_START, "Initialized", "Ready", "ContainersReady")


class Waiting(msgspec.Struct, frozen=True):
    """Why a container does not run yet."""

    reason: str
    message: str = ""


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a status is computed from, besides the pod itself."""

    containers: Mapping[str, Sequence[cri.ContainerStatus]] = {}
    """By container name, newest first."""
    sandbox_ready: bool = False
    pod_ips: tuple[str, ...] = ()
    host_ips: tuple[str, ...] = ()
    waiting: Mapping[str, Waiting] = {}
    ready: frozenset[str] = frozenset()
    started: frozenset[str] = frozenset()
    messages: Mapping[str, str] = {}
    """Termination messages by container id."""
    terminated: bool = False
    """The pod was stopped for good: nothing of it will run again."""
    failure: Waiting | None = None
    """Why the kubelet ended or refused the pod: becomes its phase Failed with this reason."""


EPOCH = datetime.fromtimestamp(0, UTC)
"""What upstream writes for an instant that never was, such as the start of a container that could not be started."""


def instant(nanoseconds: int) -> datetime | None:
    """An instant of the runtime, None where it has none."""
    if nanoseconds <= 0:
        return None
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)


def container_state(status: cri.ContainerStatus, message: str = "") -> ContainerState:
    """What the runtime says of one container."""
    if status.state == cri.CONTAINER_RUNNING:
        return ContainerState(running=ContainerStateRunning(started_at=instant(status.started_at)))
    if status.state == cri.CONTAINER_CREATED:
        return ContainerState(waiting=ContainerStateWaiting(reason="ContainerCreating"))
    reason = status.reason or ("Completed" if status.exit_code == 0 else "Error")
    if status.state == cri.CONTAINER_UNKNOWN:
        reason = "ContainerStatusUnknown"
    return ContainerState(
        terminated=ContainerStateTerminated(
            exit_code=137 if status.state == cri.CONTAINER_UNKNOWN else status.exit_code,
            reason=reason,
            message=message or status.message,
            started_at=instant(status.started_at) or EPOCH,
            finished_at=instant(status.finished_at) or EPOCH,
            container_id=f"containerd://{status.id}",
        )
    )


def restart_count(statuses: Sequence[cri.ContainerStatus], previous: ContainerStatus | None) -> int:
    """How often a container was restarted, from its annotations or, when none is left, from the API."""
    if statuses:
        return int(statuses[0].annotations.get(names.RESTART_COUNT, "0"))
    return previous.restart_count if previous is not None else 0


def container_status(
    pod: Pod, container: Container, previous: ContainerStatus | None, seen: Observation, *, init: bool
) -> ContainerStatus:
    """The status of one container."""
    statuses = seen.containers.get(container.name, ())
    result = ContainerStatus(
        name=container.name, image=container.image, restart_count=restart_count(statuses, previous)
    )
    waiting = seen.waiting.get(container.name)
    if statuses:
        newest = statuses[0]
        result.state = container_state(newest, seen.messages.get(newest.id, ""))
        result.image = newest.image.image if _readable(newest.image.image) else container.image
        result.image_id = newest.image_ref
        result.container_id = f"containerd://{newest.id}"
        if len(statuses) > 1:
            older = container_state(statuses[1], seen.messages.get(statuses[1].id, ""))
            if older.terminated is not None:
                result.last_state = older
        if result.state.waiting is not None and waiting is not None:
            result.state = ContainerState(waiting=ContainerStateWaiting(reason=waiting.reason, message=waiting.message))
        elif waiting is not None and result.state.terminated is not None:
            result.last_state = result.state
            result.state = ContainerState(waiting=ContainerStateWaiting(reason=waiting.reason, message=waiting.message))
    elif previous is not None and (seen.terminated or previous.state.terminated is not None) and not waiting:
        result = _without_record(previous, terminated=seen.terminated)
    else:
        if waiting is None:
            initializing = bool(pod.spec.init_containers) and not init
            waiting = Waiting("PodInitializing" if initializing else "ContainerCreating")
        result.state = ContainerState(waiting=ContainerStateWaiting(reason=waiting.reason, message=waiting.message))
        if previous is not None:
            result.last_state = previous.last_state
            if previous.state.running is not None and previous.last_state.terminated is None:
                result.last_state = ContainerState(terminated=_lost(LOST_RUNNING))
                if pod.metadata.deletion_timestamp is None:
                    result.restart_count += 1  # it is about to be started again
    running = result.state.running is not None
    result.started = running and container.name in seen.started
    if init and not is_sidecar(container):
        result.ready = result.state.terminated is not None and result.state.terminated.exit_code == 0
    else:
        result.ready = running and container.name in seen.ready
    if container.resources.requests:
        result.allocated_resources = dict(container.resources.requests)
    if container.resources.requests or container.resources.limits:
        result.resources = container.resources
    result.volume_mounts = [
        VolumeMountStatus(
            name=mount.name,
            mount_path=mount.mount_path,
            read_only=True if mount.read_only else None,
            recursive_read_only="Disabled" if mount.read_only else "",
        )
        for mount in container.volume_mounts
    ]
    return result


def _readable(image: str) -> bool:
    return bool(image) and not image.startswith("sha256:")


def _without_record(previous: ContainerStatus, *, terminated: bool) -> ContainerStatus:
    """The status of a container that the runtime has forgotten."""
    result = msgspec.structs.replace(previous, started=False, ready=False)
    if previous.state.terminated is None and terminated:
        result.state = ContainerState(terminated=_lost(LOST_AT_END))
    return result


def _lost(message: str) -> ContainerStateTerminated:
    """The end of a container that nobody saw."""
    return ContainerStateTerminated(reason="ContainerStatusUnknown", message=message, exit_code=137)


def phase(pod: Pod, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus], *, terminated: bool) -> str:
    """A pod's phase from its containers."""
    failed_init = pending_init = 0
    for container, status in zip(pod.spec.init_containers, init, strict=True):
        last = status.last_state.terminated
        if is_sidecar(container):
            pending_init += not status.started and status.state.terminated is None
            continue
        if status.state.terminated is not None:
            failed_init += status.state.terminated.exit_code != 0
        elif status.state.waiting is not None and last is not None:
            failed_init += last.exit_code != 0
            pending_init += last.exit_code == 0
        else:
            pending_init += 1
    running = waiting = stopped = succeeded = 0
    sidecars = [s for c, s in zip(pod.spec.init_containers, init, strict=True) if is_sidecar(c)]
    for status in main:
        if status.state.running is not None:
            running += 1
        elif status.state.terminated is not None:
            stopped += 1
            succeeded += status.state.terminated.exit_code == 0
        elif status.last_state.terminated is not None:
            stopped += 1
        else:
            waiting += 1
    if failed_init and pod.spec.restart_policy == "Never":
        return "Failed"
    regular_started = any(s.state.running or s.state.terminated or s.last_state.terminated for s in main)
    if (pending_init or failed_init) and not regular_started and not terminated:
        return "Pending"
    if waiting and not terminated:
        return "Pending"
    if running:
        return "Running"
    if stopped:
        if terminated:
            return "Succeeded" if stopped == succeeded == len(main) else "Failed"
        if pod.spec.restart_policy in ("", "Always"):
            return "Running"
        if any(status.state.running for status in sidecars):
            return "Running"
        if stopped == succeeded:
            return "Succeeded"
        return "Failed" if pod.spec.restart_policy == "Never" else "Running"
    return "Failed" if terminated else "Pending"


def compute(pod: Pod, seen: Observation, now: datetime) -> PodStatus:
    """The whole status.  Conditions of others (readiness gates, the scheduler's) are kept."""
    old = pod.status
    everyone = [*old.init_container_statuses, *old.container_statuses, *old.ephemeral_container_statuses]
    before = {status.name: status for status in everyone}
    init = [
        container_status(pod, container, before.get(container.name), seen, init=True)
        for container in pod.spec.init_containers
    ]
    main = [
        container_status(pod, container, before.get(container.name), seen, init=False)
        for container in pod.spec.containers
    ]
    result = PodStatus(
        phase=phase(pod, init, main, terminated=seen.terminated),
        init_container_statuses=init,
        container_statuses=main,
        start_time=old.start_time or now,
        qos_class=qos_class(pod),
        host_ip=seen.host_ips[0] if seen.host_ips else "",
        host_ips=[HostIP(ip=ip) for ip in seen.host_ips],
        pod_ip=seen.pod_ips[0] if seen.pod_ips else "",
        pod_ips=[PodIP(ip=ip) for ip in seen.pod_ips],
        observed_generation=pod.metadata.generation,
        ephemeral_container_statuses=[
            container_status(pod, container, before.get(container.name), seen, init=False)
            for container in containers.ephemeral(pod)
        ],
        resource_claim_statuses=old.resource_claim_statuses,
        nominated_node_name=old.nominated_node_name,
    )
    if old.phase in ("Failed", "Succeeded"):
        result.phase = old.phase  # a terminal phase is never left
        result.reason, result.message = old.reason, old.message
    elif seen.failure is not None:
        result.phase, result.reason, result.message = "Failed", seen.failure.reason, seen.failure.message
    result.conditions = conditions(pod, result, seen, now)
    return result


def conditions(pod: Pod, status: PodStatus, seen: Observation, now: datetime) -> list[PodCondition]:
    """The kubelet's conditions, followed by those of others."""
    own = [
        PodCondition(type=READY_TO_START, status=_truth(seen.sandbox_ready)),
        _initialized(pod, status),
        *_readiness(pod, status),
    ]
    before = {condition.type: condition for condition in pod.status.conditions}
    for condition in own:
        condition.observed_generation = pod.metadata.generation
        earlier = before.get(condition.type)
        same = earlier is not None and earlier.status == condition.status
        condition.last_transition_time = earlier.last_transition_time if same and earlier is not None else now
    others = [condition for condition in pod.status.conditions if condition.type not in OWNED_CONDITIONS]
    if "PodScheduled" not in before:
        others.append(
            PodCondition(
                type="PodScheduled",
                status="True",
                last_transition_time=now,
                observed_generation=pod.metadata.generation,
            )
        )
    return [*own, *others]


def _initialized(pod: Pod, status: PodStatus) -> PodCondition:
    if status.phase == "Succeeded":
        return PodCondition(type="Initialized", status="True", reason="PodCompleted")
    if any(
        each.state.running or each.last_state.terminated or each.state.terminated for each in status.container_statuses
    ):
        return PodCondition(type="Initialized", status="True")
    incomplete = [
        container.name
        for container, each in zip(pod.spec.init_containers, status.init_container_statuses, strict=True)
        if not (each.started if is_sidecar(container) else each.ready)
    ]
    if incomplete:
        return PodCondition(
            type="Initialized",
            status="False",
            reason="ContainersNotInitialized",
            message=f"containers with incomplete status: {_go_list(incomplete)}",
        )
    return PodCondition(type="Initialized", status="True")


def _readiness(pod: Pod, status: PodStatus) -> list[PodCondition]:
    if status.phase in ("Succeeded", "Failed"):
        reason = "PodCompleted" if status.phase == "Succeeded" else "PodFailed"
        return [PodCondition(type=kind, status="False", reason=reason) for kind in ("Ready", "ContainersReady")]
    sidecars = {container.name for container in pod.spec.init_containers if is_sidecar(container)}
    watched = [each for each in status.init_container_statuses if each.name in sidecars]
    unready = [each.name for each in [*watched, *status.container_statuses] if not each.ready]
    if unready:
        message = f"containers with unready status: {_go_list(unready)}"
        return [
            PodCondition(type=kind, status="False", reason="ContainersNotReady", message=message)
            for kind in ("Ready", "ContainersReady")
        ]
    faults = []
    before = {condition.type: condition for condition in pod.status.conditions}
    for gate in pod.spec.readiness_gates:
        condition = before.get(gate.condition_type)
        if condition is None:
            faults.append(f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.')
        elif condition.status != "True":
            faults.append(
                f'the status of pod readiness gate "{gate.condition_type}" is not "True", but {condition.status}'
            )
    ready = PodCondition(type="Ready", status="True")
    if faults:
        ready = PodCondition(type="Ready", status="False", reason="ReadinessGatesNotReady", message=", ".join(faults))
    return [ready, PodCondition(type="ContainersReady", status="True")]


def _go_list(items: Iterable[str]) -> str:
    return f"[{' '.join(items)}]"


def _truth(value: bool) -> str:
    return "True" if value else "False"
