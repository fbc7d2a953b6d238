"""How far a rollout got: the deployment's status and its conditions, as functions of snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from steersman.api.types.apps_v1 import (
    Deployment,
    DeploymentCondition,
    DeploymentStatus,
    ReplicaSet,
)
from steersman.controllers.kit.conditions import condition

from .planning import replicas_of, surge_and_unavailable

NO_DEADLINE = 2**31 - 1


def has_deadline(deployment: Deployment) -> bool:
    """Whether the rollout must make progress within some time."""
    seconds = deployment.spec.progress_deadline_seconds
    return seconds is not None and seconds != NO_DEADLINE


def set_condition(
    conditions: list[DeploymentCondition], type_: str, status: str, reason: str, message: str, instant: datetime
) -> list[DeploymentCondition]:
    """The conditions with one set; one that has the same status and reason stays untouched."""
    present = condition(conditions, type_)
    if present is not None and present.status == status and present.reason == reason:
        return conditions
    wanted = DeploymentCondition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        last_update_time=instant,
        last_transition_time=instant,
    )
    if present is not None and present.status == status:
        wanted.last_transition_time = present.last_transition_time
    return [*without(conditions, type_), wanted]


def without(conditions: list[DeploymentCondition], type_: str) -> list[DeploymentCondition]:
    """The conditions but those of a type."""
    return [item for item in conditions if item.type != type_]


def calculate(
    deployment: Deployment, new: ReplicaSet | None, replica_sets: Sequence[ReplicaSet], instant: datetime
) -> DeploymentStatus:
    """The counts and the Available condition; other conditions are carried over."""
    available = sum(item.status.available_replicas or 0 for item in replica_sets)
    unavailable = max(sum(map(replicas_of, replica_sets)) - available, 0)
    if available >= replicas_of(deployment) - surge_and_unavailable(deployment)[1]:
        verdict = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        verdict = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    return DeploymentStatus(
        observed_generation=deployment.metadata.generation,
        replicas=sum(item.status.replicas for item in replica_sets) or None,
        updated_replicas=(new.status.replicas if new is not None else 0) or None,
        ready_replicas=sum(item.status.ready_replicas or 0 for item in replica_sets) or None,
        available_replicas=available or None,
        unavailable_replicas=unavailable or None,
        terminating_replicas=sum(item.status.terminating_replicas or 0 for item in replica_sets),
        collision_count=deployment.status.collision_count,
        conditions=set_condition(deployment.status.conditions, "Available", *verdict, instant),
    )


def complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Whether all pods are of the new template and available."""
    wanted = replicas_of(deployment)
    return (
        (status.updated_replicas or 0) == wanted
        and (status.replicas or 0) == wanted
        and (status.available_replicas or 0) == wanted
        and (status.observed_generation or 0) >= (deployment.metadata.generation or 0)
    )


def progressed(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    """Whether anything moved forward between two statuses."""

    def outdated(status: DeploymentStatus) -> int:
        return (status.replicas or 0) - (status.updated_replicas or 0)

    return (
        (new.updated_replicas or 0) > (old.updated_replicas or 0)
        or outdated(new) < outdated(old)
        or (new.ready_replicas or 0) > (old.ready_replicas or 0)
        or (new.available_replicas or 0) > (old.available_replicas or 0)
    )


def timed_out(deployment: Deployment, status: DeploymentStatus, instant: datetime) -> bool:
    """Whether there was no progress for longer than the deadline allows."""
    present = condition(status.conditions, "Progressing")
    if present is None or not has_deadline(deployment) or present.reason == "NewReplicaSetAvailable":
        return False
    if present.reason == "ProgressDeadlineExceeded":
        return True
    if present.last_update_time is None:
        return False
    return instant > present.last_update_time + timedelta(seconds=deployment.spec.progress_deadline_seconds or 0)


def rollout(
    deployment: Deployment, new: ReplicaSet | None, replica_sets: Sequence[ReplicaSet], instant: datetime
) -> DeploymentStatus:
    """The complete status, with the Progressing and ReplicaFailure conditions."""
    status = calculate(deployment, new, replica_sets, instant)
    present = condition(status.conditions, "Progressing")
    if not has_deadline(deployment):
        status.conditions = without(status.conditions, "Progressing")
    settled = (
        (status.replicas or 0) == (status.updated_replicas or 0)
        and present is not None
        and present.reason == "NewReplicaSetAvailable"
    )
    if has_deadline(deployment) and not settled:
        who = f'ReplicaSet "{new.metadata.name}"' if new is not None else f'Deployment "{deployment.metadata.name}"'
        if complete(deployment, status):
            verdict = ("True", "NewReplicaSetAvailable", f"{who} has successfully progressed.")
            status.conditions = set_condition(status.conditions, "Progressing", *verdict, instant)
        elif progressed(deployment.status, status):
            # Its update time must move with every step, or the deadline would count from the first one.
            wanted = DeploymentCondition(
                type="Progressing",
                status="True",
                reason="ReplicaSetUpdated",
                message=f"{who} is progressing.",
                last_update_time=instant,
                last_transition_time=instant,
            )
            if present is not None and present.status == "True":
                wanted.last_transition_time = present.last_transition_time
            status.conditions = [*without(status.conditions, "Progressing"), wanted]
        elif timed_out(deployment, status, instant):
            verdict = ("False", "ProgressDeadlineExceeded", f"{who} has timed out progressing.")
            status.conditions = set_condition(status.conditions, "Progressing", *verdict, instant)
    status.conditions = _failure(status.conditions, new, replica_sets)
    return status


def _failure(
    conditions: list[DeploymentCondition], new: ReplicaSet | None, replica_sets: Sequence[ReplicaSet]
) -> list[DeploymentCondition]:
    for item in (*([new] if new is not None else []), *replica_sets):
        found = condition(item.status.conditions, "ReplicaFailure")
        if found is not None:
            wanted = DeploymentCondition(
                type="ReplicaFailure",
                status=found.status,
                reason=found.reason,
                message=found.message,
                last_transition_time=found.last_transition_time,
                last_update_time=found.last_transition_time,
            )
            return [*without(conditions, "ReplicaFailure"), wanted]
    return without(conditions, "ReplicaFailure")


def check_again(deployment: Deployment, status: DeploymentStatus, instant: datetime) -> float | None:
    """After how many seconds the deadline must be looked at, if the rollout is under way."""
    present = condition(status.conditions, "Progressing")
    if (
        present is None
        or not has_deadline(deployment)
        or deployment.spec.paused
        or complete(deployment, status)
        or present.reason in ("ProgressDeadlineExceeded", "NewReplicaSetAvailable")
        or present.last_update_time is None
    ):
        return None
    due = present.last_update_time + timedelta(seconds=deployment.spec.progress_deadline_seconds or 0)
    return max((due - instant).total_seconds(), 0.0) + 1.0


def with_status(deployment: Deployment, status: DeploymentStatus) -> Deployment:
    """A deployment that differs from this one in its status."""
    return msgspec.structs.replace(deployment, status=status)
