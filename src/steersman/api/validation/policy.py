"""The group policy: PodDisruptionBudgets."""

from __future__ import annotations

from typing import Any

from steersman.api.types import policy_v1

from . import meta
from .faults import Faults
from .forms import conditions
from .rules import Rules


def budget(faults: Faults, obj: policy_v1.PodDisruptionBudget) -> None:
    spec = obj.spec
    if spec.min_available is not None and spec.max_unavailable is not None:
        faults.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for name, value in (("minAvailable", spec.min_available), ("maxUnavailable", spec.max_unavailable)):
        faults.count_or_percentage(f"spec.{name}", value)
        faults.at_most_100_percent(f"spec.{name}", value)
    meta.label_selector(faults, spec.selector, "spec.selector")
    faults.one_of(
        "spec.unhealthyPodEvictionPolicy",
        spec.unhealthy_pod_eviction_policy,
        ("AlwaysAllow", "IfHealthyBudget"),
        optional=True,
    )


def budget_status(faults: Faults, new: policy_v1.PodDisruptionBudget, old: policy_v1.PodDisruptionBudget) -> None:
    conditions(faults, new.status.conditions, "status.conditions")
    members = {
        "disruptions_allowed": "disruptionsAllowed",
        "current_healthy": "currentHealthy",
        "desired_healthy": "desiredHealthy",
        "expected_pods": "expectedPods",
    }
    faults.naturals("status", new.status, members)


TABLE: dict[type[Any], Rules] = {
    policy_v1.PodDisruptionBudget: Rules(budget, subresources={"status": budget_status}),
}
