"""Stages by name."""

from __future__ import annotations

from pathlib import Path

from steersman.api.types.core_v1 import PodStatus

from . import pod_status
from .shape import ready_status
from .stage import Outcome, Stage, Subject
from .stage_files import load_stages

KILLED = 143
"""The exit code of what ends by SIGTERM."""


def _may_start(subject: Subject) -> bool:
    pod = subject.pod
    return pod.status.phase == "Pending" and not pod.status.pod_ip and pod.metadata.deletion_timestamp is None


def _run(subject: Subject) -> Outcome:
    pod, place = subject.pod, subject.place
    addresses = [place.address] if pod.spec.host_network else subject.addresses
    return Outcome(status=pod_status.running(pod, place.address, addresses, subject.instant))


def _may_complete(subject: Subject) -> bool:
    pod = subject.pod
    return pod.status.phase == "Running" and pod.metadata.deletion_timestamp is None and pod_status.owned_by(pod, "Job")


def _complete(subject: Subject) -> Outcome:
    return Outcome(status=pod_status.ended(subject.pod, subject.instant, 0))


def _goes(subject: Subject) -> bool:
    """Whether a pod is to go and has not begun to: with a grace period of 0 it goes by itself."""
    metadata = subject.pod.metadata
    return metadata.deletion_timestamp is not None and metadata.deletion_grace_period_seconds != 0


def _go(subject: Subject) -> Outcome:
    """Whoever holds the pod by a finalizer wants to know how it ended."""
    pod = subject.pod
    status: PodStatus | None = None
    if pod.metadata.finalizers and pod.status.phase not in pod_status.TERMINAL:
        status = pod_status.ended(pod, subject.instant, KILLED)
    return Outcome(status=status, delete=True)


def _is_unwell(subject: Subject) -> bool:
    return not any(each.type == "Ready" and each.status == "True" for each in subject.node.status.conditions)


def _recover(subject: Subject) -> Outcome:
    return Outcome(status=ready_status(subject.node, subject.place.address, subject.instant))


NODE_INITIALIZE = Stage(name="node-initialize", kind="Node", matches=_is_unwell, next=_recover)
POD_READY = Stage(name="pod-ready", kind="Pod", matches=_may_start, next=_run)
POD_COMPLETE = Stage(name="pod-complete", kind="Pod", matches=_may_complete, next=_complete)
POD_DELETE = Stage(name="pod-delete", kind="Pod", matches=_goes, next=_go)

FAST = (NODE_INITIALIZE, POD_READY, POD_COMPLETE, POD_DELETE)
"""Pods run at once, those of Jobs succeed at once, those that are deleted go at once."""

DEFAULT_STAGES = FAST

PROFILES = {"fast": FAST}


def stages_of(*names: str) -> tuple[Stage, ...]:
    """The stages of profiles and files; of a kind for which there are none, the default ones.  Raises ValueError."""
    found: list[Stage] = []
    for name in names:
        if name in PROFILES:
            found += PROFILES[name]
        elif Path(name).exists():
            found += load_stages(Path(name))
        else:
            raise ValueError(f"there are no stages {name!r}; choose of {', '.join(PROFILES)}, or name a file")
    kinds = {stage.kind for stage in found}
    return (*found, *(stage for stage in DEFAULT_STAGES if stage.kind not in kinds))
