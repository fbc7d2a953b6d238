"""Conditions of pods, as the API server itself sets them."""

from __future__ import annotations

from steersman.api.types import core_v1 as v1


def set_condition(conditions: list[v1.PodCondition], condition: v1.PodCondition) -> None:
    """Add a condition, or replace the one of its type; the time of the transition stays where there is none."""
    for index, each in enumerate(conditions):
        if each.type == condition.type:
            if each.status == condition.status and each.last_transition_time is not None:
                condition.last_transition_time = each.last_transition_time
            conditions[index] = condition
            return
    conditions.append(condition)


def is_ready(pod: v1.Pod) -> bool:
    """Whether a pod says that it is ready."""
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
