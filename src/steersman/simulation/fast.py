"""Stages without delays, the default."""

from __future__ import annotations

import msgspec

from . import pod_status
from .general import NODE_INITIALIZE, POD_COMPLETE, POD_DELETE, POD_RECOVER, addresses
from .stage import Outcome, Stage, Subject


def _may_run(subject: Subject) -> bool:
    pod = subject.pod
    return pod.status.phase == "Pending" and not pod.status.pod_ip and pod.metadata.deletion_timestamp is None


def _run(subject: Subject) -> Outcome:
    """From nothing to running and ready in one write."""
    status = pod_status.running(subject.pod, subject.place.address, addresses(subject), subject.instant)
    return Outcome(status=status)


FAST = (
    NODE_INITIALIZE,
    Stage(name="pod-ready", kind="Pod", matches=_may_run, next=_run),
    POD_RECOVER,
    msgspec.structs.replace(POD_COMPLETE, delay=None),
    msgspec.structs.replace(POD_DELETE, delay=None, delay_moves=False),
)
"""Pods run at once, those of Jobs succeed at once, those that are deleted go at once."""
