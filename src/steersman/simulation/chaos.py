"""Stages of a cluster in which things go wrong."""

from __future__ import annotations

import msgspec

from steersman.api.types.core_v1 import Pod

from . import pod_status
from .general import (
    GENERAL,
    NODE_INITIALIZE,
    POD_COMPLETE,
    POD_START,
    is_backing_off,
    is_unwell,
    may_complete,
    may_start,
    start,
)
from .shape import NOT_READY, unready_status
from .stage import Outcome, Stage, Subject, Tell
from .timing import at_random, between

PARTS = 1000
"""Likelihoods are told in so many parts."""

FIRST_BACKOFF, LAST_BACKOFF = 10.0, 300.0
"""Seconds between restarts: the kubelet's."""


def _runs(subject: Subject) -> bool:
    """Whether a pod runs and is ready: one crashes after that, not instead."""
    pod = subject.pod
    return (
        pod.status.phase == "Running"
        and pod.metadata.deletion_timestamp is None
        and any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
    )


def _crash(subject: Subject) -> Outcome:
    """One of the containers that run ends badly: it waits to be started again, or the pod has failed."""
    pod = subject.pod
    running = [each.name for each in pod.status.container_statuses if each.state.running is not None]
    if pod.spec.restart_policy == "Never":
        return Outcome(status=pod_status.ended(pod, subject.instant, 1))
    name = subject.rng.choice(running)
    event = Tell("Warning", "BackOff", f"Back-off restarting failed container {name} in pod {_full_name(pod)}")
    return Outcome(acts=(event,), status=pod_status.crashed(pod, name, _backoff(pod, name), subject.instant))


def _full_name(pod: Pod) -> str:
    return f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"


def _backoff(pod: Pod, name: str) -> float:
    restarts = next((each.restart_count for each in pod.status.container_statuses if each.name == name), 0)
    return float(min(LAST_BACKOFF, FIRST_BACKOFF * 2 ** min(restarts, 10)))


def _waits(subject: Subject) -> bool:
    pod = subject.pod
    return pod.status.phase == "Running" and pod.metadata.deletion_timestamp is None and is_backing_off(pod)


def _waiting(subject: Subject) -> float:
    """The first restart is immediate, as the kubelet has it."""
    counts = [each.restart_count for each in subject.pod.status.container_statuses if each.state.waiting is not None]
    if not max(counts, default=0):
        return between("pod-restart", 0.1, 1.0)(subject)
    seconds = min(LAST_BACKOFF, FIRST_BACKOFF * 2 ** min(max(counts) - 1, 10))
    return between("pod-restart", seconds, seconds)(subject)


def _restart(subject: Subject) -> Outcome:
    return Outcome(status=pod_status.restarted(subject.pod, subject.instant))


def _fail_to_pull(subject: Subject) -> Outcome:
    image = subject.pod.spec.containers[0].image
    event = Tell("Warning", "Failed", f'Failed to pull image "{image}": not found')
    return Outcome(acts=(event,), status=pod_status.not_pulled(subject.pod))


def _pulls_again(subject: Subject) -> bool:
    pod = subject.pod
    return pod.status.phase == "Pending" and pod.metadata.deletion_timestamp is None and is_backing_off(pod)


def _fail(subject: Subject) -> Outcome:
    return Outcome(status=pod_status.ended(subject.pod, subject.instant, 1))


def _is_ready(subject: Subject) -> bool:
    return not is_unwell(subject)


def _sicken(subject: Subject) -> Outcome:
    return Outcome(status=unready_status(subject.node, subject.instant))


def _is_sick(subject: Subject) -> bool:
    return any(each.type == "Ready" and each.reason == NOT_READY for each in subject.node.status.conditions)


def chaos(
    *,
    lifetime: float = 600.0,
    pull_failures: float = 0.05,
    job_failures: float = 0.1,
    node_lifetime: float = 3600.0,
) -> tuple[Stage, ...]:
    """The general stages, and what goes wrong.

    ``lifetime`` is the mean of the seconds until a pod's container crashes, ``node_lifetime`` of those until a node is
    not ready, for half a minute or one and a half; the others are likelihoods.  Raises ValueError.
    """
    for name, mean in (("lifetime", lifetime), ("node_lifetime", node_lifetime)):
        if not mean > 0:
            raise ValueError(f"{name}: must be more than 0 seconds, not {mean!r}")
    for name, likelihood in (("pull_failures", pull_failures), ("job_failures", job_failures)):
        if not 0 <= likelihood <= 1:
            raise ValueError(f"{name}: must be from 0 to 1, not {likelihood!r}")
    replaced = {NODE_INITIALIZE, POD_START, POD_COMPLETE}

    def share(likelihood: float) -> int:
        return round(likelihood * PARTS)

    bad_pull, bad_job = share(pull_failures), share(job_failures)
    return (
        *(stage for stage in GENERAL if stage not in replaced),
        msgspec.structs.replace(NODE_INITIALIZE, matches=lambda subject: is_unwell(subject) and not _is_sick(subject)),
        Stage(
            name="node-fail",
            kind="Node",
            matches=_is_ready,
            next=_sicken,
            delay=at_random("node-fail", node_lifetime),
        ),
        Stage(
            name="node-recover",
            kind="Node",
            matches=_is_sick,
            next=NODE_INITIALIZE.next,
            delay=between("node-recover", 30.0, 90.0),
        ),
        msgspec.structs.replace(POD_START, weight=lambda _: PARTS - bad_pull),
        Stage(
            name="pod-pull-failed",
            kind="Pod",
            matches=may_start,
            next=_fail_to_pull,
            weight=lambda _: bad_pull,
            delay=between("pod-pull-failed", 0.3, 2.5),
        ),
        Stage(
            name="pod-pull-again",
            kind="Pod",
            matches=_pulls_again,
            next=start,
            delay=between("pod-pull-again", 10.0, 20.0),
        ),
        msgspec.structs.replace(POD_COMPLETE, weight=lambda _: PARTS - bad_job),
        Stage(
            name="pod-job-failed",
            kind="Pod",
            matches=may_complete,
            next=_fail,
            weight=lambda _: bad_job,
            delay=between("pod-job-failed", 1.0, 5.0),
        ),
        Stage(
            name="pod-crash",
            kind="Pod",
            matches=lambda subject: _runs(subject) and not may_complete(subject),
            next=_crash,
            delay=at_random("pod-crash", lifetime),
        ),
        Stage(name="pod-restart", kind="Pod", matches=_waits, next=_restart, delay=_waiting),
    )
