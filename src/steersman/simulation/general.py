"""Stages with the delays of real kubelets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from steersman.api.types.core_v1 import Pod, PodStatus, Probe

from . import pod_status
from .shape import ready_status
from .stage import Outcome, Stage, Subject
from .timing import between

KILLED = 143
"""The exit code of what ends by SIGTERM."""

MARKING = timedelta(seconds=5)
"""The last pods of a node may still be marked when it is ready again."""

BACKING_OFF = frozenset({"ImagePullBackOff", "CrashLoopBackOff"})


def is_new(subject: Subject) -> bool:
    """Whether no kubelet has looked at a pod yet."""
    pod = subject.pod
    return pod.status.phase == "Pending" and pod.status.start_time is None and _stays(pod)


def create(subject: Subject) -> Outcome:
    """The kubelet has seen it, and makes its sandbox."""
    return Outcome(status=pod_status.creating(subject.pod, subject.place.address, subject.instant))


def may_initialize(subject: Subject) -> bool:
    """Whether a pod's init containers run."""
    pod = subject.pod
    return _begins(pod) and not _holds(pod, "Initialized")


def initialize(subject: Subject) -> Outcome:
    """Its init containers have ended well."""
    return Outcome(status=pod_status.initialized(subject.pod, addresses(subject), subject.instant))


def may_start(subject: Subject) -> bool:
    """Whether a pod's images are pulled and its containers started."""
    pod = subject.pod
    return _begins(pod) and _holds(pod, "Initialized") and not is_backing_off(pod)


def start(subject: Subject) -> Outcome:
    """Its containers run; those that are asked first are not ready yet."""
    pod = subject.pod
    ready = not any(each.readiness_probe or each.startup_probe for each in pod.spec.containers)
    status = pod_status.running(pod, subject.place.address, addresses(subject), subject.instant, ready=ready)
    return Outcome(status=status)


def may_get_ready(subject: Subject) -> bool:
    """Whether a pod's containers run, and have not said that they are ready."""
    pod = subject.pod
    starts = pod.status.phase == "Running" and not _holds(pod, "ContainersReady")
    return starts and _stays(pod) and not is_backing_off(pod)


def get_ready(subject: Subject) -> Outcome:
    """It is."""
    return Outcome(status=pod_status.ready(subject.pod, subject.instant))


def is_forsaken(subject: Subject) -> bool:
    """Whether a pod is marked as not ready since its node was not, which is again.

    The node lifecycle controller marks pods; a kubelet finds its own pods' status other than it knows, and mends it.
    """
    pod, recovered = subject.pod, subject.place.recovered
    if recovered is None or pod.status.phase != "Running" or not _stays(pod):
        return False
    if not all(_holds(pod, each) for each in ("ContainersReady", *_gates(pod))):
        return False
    marked = next((each for each in pod.status.conditions if each.type == "Ready" and each.status != "True"), None)
    since = marked.last_transition_time if marked is not None else None
    return since is not None and since <= recovered + MARKING


def probed(subject: Subject) -> float:
    """Seconds until the slowest probe has succeeded."""
    probes = [probe for each in subject.pod.spec.containers for probe in (each.startup_probe, each.readiness_probe)]
    return max((_probed(probe, subject) for probe in probes if probe is not None), default=0.0)


def _probed(probe: Probe, subject: Subject) -> float:
    delay, period, times = probe.initial_delay_seconds or 0, probe.period_seconds or 10, probe.success_threshold or 1
    return float(delay + period * (times - 1) + subject.rng.uniform(0.0, min(1.0, period)))


def may_complete(subject: Subject) -> bool:
    """Whether a pod does what a Job wants."""
    pod = subject.pod
    return pod.status.phase == "Running" and _stays(pod) and pod_status.owned_by(pod, "Job")


def complete(subject: Subject) -> Outcome:
    """It has done it."""
    return Outcome(status=pod_status.ended(subject.pod, subject.instant, 0))


def goes(subject: Subject) -> bool:
    """Whether a pod is to go and has not begun to: with a grace period of 0 it goes by itself."""
    metadata = subject.pod.metadata
    return metadata.deletion_timestamp is not None and metadata.deletion_grace_period_seconds != 0


def go(subject: Subject) -> Outcome:
    """It goes; whoever holds it by a finalizer wants to know how it ended."""
    pod = subject.pod
    status: PodStatus | None = None
    if pod.metadata.finalizers and pod.status.phase not in pod_status.TERMINAL:
        status = pod_status.ended(pod, subject.instant, KILLED)
    return Outcome(status=status, delete=True)


def is_unwell(subject: Subject) -> bool:
    """Whether a node does not say that it is ready."""
    return not any(each.type == "Ready" and each.status == "True" for each in subject.node.status.conditions)


def recover(subject: Subject) -> Outcome:
    """It says so."""
    return Outcome(status=ready_status(subject.node, subject.place.address, subject.instant))


def addresses(subject: Subject) -> list[str]:
    """A pod's addresses: those it has, its node's, or new ones."""
    pod = subject.pod
    if pod.status.pod_ip:
        return [each.ip for each in pod.status.pod_ips]
    return [subject.place.address] if pod.spec.host_network else subject.addresses


def is_backing_off(pod: Pod) -> bool:
    """Whether a container waits to be tried again."""
    return any(
        each.state.waiting is not None and each.state.waiting.reason in BACKING_OFF
        for each in pod.status.container_statuses
    )


def _stays(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is None


def _begins(pod: Pod) -> bool:
    return pod.status.phase == "Pending" and pod.status.start_time is not None and _stays(pod)


def _gates(pod: Pod) -> Iterator[str]:
    return (gate.condition_type for gate in pod.spec.readiness_gates)


def _holds(pod: Pod, condition: str) -> bool:
    return any(each.type == condition and each.status == "True" for each in pod.status.conditions)


def _initializing(subject: Subject) -> float:
    one = between("pod-initialize", 0.5, 2.0)
    return sum(one(subject) for _ in subject.pod.spec.init_containers)


def _going(subject: Subject) -> float:
    """No longer than its grace period."""
    metadata = subject.pod.metadata
    drawn = between("pod-delete", 0.1, 1.5)(subject)
    if metadata.deletion_timestamp is None:
        return drawn
    return min(drawn, (metadata.deletion_timestamp - subject.instant).total_seconds())


NODE_INITIALIZE = Stage(name="node-initialize", kind="Node", matches=is_unwell, next=recover)
POD_CREATE = Stage(name="pod-create", kind="Pod", matches=is_new, next=create, delay=between("pod-create", 0.01, 0.1))
POD_INITIALIZE = Stage(name="pod-initialize", kind="Pod", matches=may_initialize, next=initialize, delay=_initializing)
POD_START = Stage(name="pod-start", kind="Pod", matches=may_start, next=start, delay=between("pod-start", 0.3, 2.5))
POD_READY = Stage(name="pod-ready", kind="Pod", matches=may_get_ready, next=get_ready, delay=probed)
POD_RECOVER = Stage(name="pod-recover", kind="Pod", matches=is_forsaken, next=get_ready)
POD_COMPLETE = Stage(
    name="pod-complete", kind="Pod", matches=may_complete, next=complete, delay=between("pod-complete", 1.0, 5.0)
)
POD_DELETE = Stage(name="pod-delete", kind="Pod", matches=goes, next=go, delay=_going, delay_moves=True)


GENERAL = (NODE_INITIALIZE, POD_CREATE, POD_INITIALIZE, POD_START, POD_READY, POD_RECOVER, POD_COMPLETE, POD_DELETE)
"""Pods take a second or three until they run, those of Jobs some seconds more, those that are deleted a second."""
