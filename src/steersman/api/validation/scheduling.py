"""The groups scheduling.k8s.io and node.k8s.io: PriorityClasses, Workloads, RuntimeClasses."""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import core_v1, node_v1, scheduling_v1, scheduling_v1alpha1

from . import names
from .faults import Faults
from .placement import tolerations
from .resources import requirements
from .rules import Rules

HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
MAX_POD_GROUPS = 8


def priority_class(faults: Faults, obj: scheduling_v1.PriorityClass) -> None:
    name = obj.metadata.name
    if name.startswith("system-"):
        if reason := _unknown_system_class(obj):
            faults.forbidden(
                "metadata.name",
                f"priority class names with 'system-' prefix are reserved for system use only. error: {reason}",
            )
    elif obj.value > HIGHEST_USER_PRIORITY:
        faults.forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}")
    faults.one_of("preemptionPolicy", obj.preemption_policy, ("Never", "PreemptLowerPriority"), optional=True)


def _unknown_system_class(obj: scheduling_v1.PriorityClass) -> str:
    value = SYSTEM_CLASSES.get(obj.metadata.name)
    if value is None:
        return f"{obj.metadata.name} is not a known system priority class"
    if obj.value != value:
        return f"value of {obj.metadata.name} PriorityClass must be {value}"
    if obj.global_default:
        return f"globalDefault of {obj.metadata.name} PriorityClass must be false"
    return ""


def priority_class_update(faults: Faults, new: scheduling_v1.PriorityClass, old: scheduling_v1.PriorityClass) -> None:
    if new.value != old.value:
        faults.forbidden("value", "may not be changed in an update.")
    faults.immutable("preemptionPolicy", new.preemption_policy, old.preemption_policy)


def workload(faults: Faults, obj: scheduling_v1alpha1.Workload) -> None:
    """KEP-4671."""
    reference = obj.spec.controller_ref
    if reference is not None:
        if reference.api_group:
            faults.grammar("spec.controllerRef.apiGroup", reference.api_group, names.dns1123_subdomain)
        faults.name("spec.controllerRef.kind", reference.kind, names.path_segment)
        faults.name("spec.controllerRef.name", reference.name, names.path_segment)
    if not faults.required("spec.podGroups", obj.spec.pod_groups, "must have at least one item"):
        return
    if not faults.fewer("spec.podGroups", len(obj.spec.pod_groups), MAX_POD_GROUPS):
        return
    seen: set[str] = set()
    for index, group in enumerate(obj.spec.pod_groups):
        place = f"spec.podGroups[{index}]"
        faults.grammar(f"{place}.name", group.name, names.dns1123_label)
        faults.unique(f"{place}.name", group.name, seen)
        basic, gang = group.policy.basic, group.policy.gang
        if (basic is None) == (gang is None):
            given = (
                "must specify one of: `basic`, `gang`"
                if basic is None
                else "must specify exactly one of: `basic`, `gang`"
            )
            faults.broken(f"{place}.policy", given)
        if gang is not None:
            faults.positive(f"{place}.policy.gang.minCount", gang.min_count)


def workload_update(faults: Faults, new: scheduling_v1alpha1.Workload, old: scheduling_v1alpha1.Workload) -> None:
    if old.spec.controller_ref is not None:
        faults.immutable("spec.controllerRef", new.spec.controller_ref, old.spec.controller_ref)
    faults.immutable("spec.podGroups", new.spec.pod_groups, old.spec.pod_groups)


def runtime_class(faults: Faults, obj: node_v1.RuntimeClass) -> None:
    faults.grammar("handler", obj.handler, names.dns1123_label)
    if obj.overhead is not None:
        requirements(faults, core_v1.ResourceRequirements(limits=obj.overhead.pod_fixed), "overhead")
    if obj.scheduling is None:
        return
    faults.labels("scheduling.nodeSelector", obj.scheduling.node_selector)
    tolerations(faults, obj.scheduling.tolerations, "scheduling.tolerations")
    seen: list[core_v1.Toleration] = []
    for index, toleration in enumerate(obj.scheduling.tolerations):
        if toleration in seen:
            faults.append(errors.duplicate(f"scheduling.tolerations[{index}]", toleration))
        seen.append(toleration)


def runtime_class_update(faults: Faults, new: node_v1.RuntimeClass, old: node_v1.RuntimeClass) -> None:
    faults.immutable("handler", new.handler, old.handler)


TABLE: dict[type[Any], Rules] = {
    node_v1.RuntimeClass: Rules(runtime_class, runtime_class_update, recheck=False),
    scheduling_v1.PriorityClass: Rules(priority_class, priority_class_update, recheck=False),
    scheduling_v1alpha1.Workload: Rules(workload, workload_update),
}
