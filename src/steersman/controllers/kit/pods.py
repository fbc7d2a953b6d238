"""Facts about pods that several controllers decide by, and making pods from templates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from steersman.api import labels
from steersman.api.scheme import Object
from steersman.api.types.core_v1 import Pod, PodCondition, PodTemplateSpec
from steersman.api.types.meta_v1 import ObjectMeta

from .conditions import condition
from .ownership import controller_reference

TERMINAL = ("Succeeded", "Failed")
"""The phases in which all containers have ended for good."""


def is_terminal(pod: Pod) -> bool:
    """Whether all containers have ended for good."""
    return pod.status.phase in TERMINAL


def is_active(pod: Pod) -> bool:
    """Whether the pod runs or may run."""
    return pod.status.phase not in TERMINAL and pod.metadata.deletion_timestamp is None


def is_ready(pod: Pod) -> bool:
    """Whether the pod's Ready condition holds."""
    ready = condition(pod.status.conditions, "Ready")
    return ready is not None and ready.status == "True"


def on_node(pod: Pod) -> tuple[str, ...]:
    """Index function: the node a pod is bound to."""
    return (pod.spec.node_name,) if pod.spec.node_name else ()


def available_in(pod: Pod, min_ready_seconds: int, instant: datetime) -> float | None:
    """After how many seconds the ready pod counts as available (0: it does); None while it is not ready."""
    ready = condition(pod.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        return None
    if not min_ready_seconds:
        return 0.0
    if ready.last_transition_time is None:
        return None
    remaining = ready.last_transition_time + timedelta(seconds=min_ready_seconds) - instant
    return max(remaining.total_seconds(), 0.0)


def set_pod_condition(pod: Pod, wanted: PodCondition, instant: datetime) -> bool:
    """Put a condition into the pod's status (a copy of one's own); whether that changed anything."""
    present = condition(pod.status.conditions, wanted.type)
    if present is None:
        wanted.last_transition_time = instant
        pod.status.conditions.append(wanted)
        return True
    same = (present.status, present.reason, present.message) == (wanted.status, wanted.reason, wanted.message)
    if present.status != wanted.status:
        present.last_transition_time = instant
    present.status, present.reason, present.message = wanted.status, wanted.reason, wanted.message
    return not same


def from_template(template: PodTemplateSpec, owner: Object) -> Pod:
    """A new pod that ``owner`` controls, named after it, to be created as it is: it shares the template's parts."""
    return Pod(
        metadata=ObjectMeta(
            generate_name=f"{owner.metadata.name}-",
            namespace=owner.metadata.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations,
            finalizers=template.metadata.finalizers,
            owner_references=[controller_reference(owner)],
        ),
        spec=template.spec,
    )


def deletion_order(pods: Iterable[Pod], related: Iterable[Pod], instant: datetime) -> list[Pod]:
    """The pods, those that are missed least first.

    Unscheduled before scheduled, pending before unknown before running, unready before ready, the cheaper
    (``pod-deletion-cost``) first, then those on nodes with more of their relatives, the ready for a shorter time
    (in powers of two), with more restarts, the younger.
    """
    crowd: dict[str, int] = {}
    for pod in related:
        if pod.spec.node_name:
            crowd[pod.spec.node_name] = crowd.get(pod.spec.node_name, 0) + 1

    def rank(pod: Pod) -> tuple[Any, ...]:
        ready = condition(pod.status.conditions, "Ready")
        is_ready_ = ready is not None and ready.status == "True"
        since = ready.last_transition_time if ready is not None and is_ready_ else None
        restarts = max((status.restart_count for status in pod.status.container_statuses), default=0)
        return (
            bool(pod.spec.node_name),
            {"Pending": 0, "Unknown": 1}.get(pod.status.phase, 2 if pod.status.phase == "Running" else 0),
            is_ready_,
            deletion_cost(pod),
            -crowd.get(pod.spec.node_name, 0),
            _magnitude(since, instant),
            -restarts,
            _magnitude(pod.metadata.creation_timestamp, instant),
            pod.metadata.name,
        )

    return sorted(pods, key=rank)


def deletion_cost(pod: Pod) -> int:
    """The value of the pod-deletion-cost annotation; 0 where it is absent or malformed."""
    try:
        return int(pod.metadata.annotations.get(labels.POD_DELETION_COST, "0"))
    except ValueError:
        return 0


def _magnitude(since: datetime | None, instant: datetime) -> int:
    return max(int((instant - since).total_seconds()), 0).bit_length() if since is not None else 0
