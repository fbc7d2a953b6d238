"""The group apps: Deployments, ReplicaSets, StatefulSets, DaemonSets and the revisions of the latter two."""

from __future__ import annotations

from typing import Any

from steersman.api import codecs, errors, selectors
from steersman.api.types import apps_v1, core_v1, meta_v1

from . import meta, names
from .faults import Faults, zero
from .pods import template
from .rules import Rules

_RESTART = ("Always",)
_ROLLING = ("RollingUpdate", "OnDelete")


def workload_selector(
    faults: Faults, selector: meta_v1.LabelSelector | None, pod: core_v1.PodTemplateSpec, kind: str
) -> bool:
    """A selector must be there, and choose the pods of the template; says whether it means anything."""
    before = len(faults)
    if selector is None:
        if kind != "daemonset":
            faults.append(errors.required("spec.selector"))
    else:
        meta.label_selector(faults, selector, "spec.selector")
        if len(faults) > before:
            return False
        if meta.empty_selector(selector):
            faults.invalid("spec.selector", selector, f"empty selector is invalid for {kind}")
            return True
    if selector is None or not selectors.from_label_selector(selector).matches(pod.metadata.labels):
        faults.invalid(
            "spec.template.metadata.labels", pod.metadata.labels, "`selector` does not match template `labels`"
        )
    return True


def workload_template(faults: Faults, pod: core_v1.PodTemplateSpec, kind: str = "ReplicaSet") -> None:
    """The template of pods that run forever."""
    template(faults, pod, "spec.template")
    if pod.spec.restart_policy != "Always":
        faults.append(errors.not_supported("spec.template.spec.restartPolicy", pod.spec.restart_policy, _RESTART))
    if pod.spec.active_deadline_seconds is not None:
        faults.forbidden(
            "spec.template.spec.activeDeadlineSeconds", f"activeDeadlineSeconds in {kind} is not Supported"
        )


def _replicated(faults: Faults, selector: meta_v1.LabelSelector | None, pod: core_v1.PodTemplateSpec) -> None:
    """The template is looked at only if the selector means something."""
    if workload_selector(faults, selector, pod, "deployment"):
        workload_template(faults, pod)
    else:
        faults.invalid("spec.selector", selector, "invalid label selector")


def _shares(faults: Faults, status: Any, members: dict[str, str], ready: str = "readyReplicas") -> None:
    """Counts of replicas of some sort: none exceeds the count of all, and only ready ones are available."""
    for attribute, name in members.items():
        if (value := getattr(status, attribute) or 0) > (status.replicas or 0):
            faults.invalid(f"status.{name}", value, "cannot be greater than status.replicas")
    if (status.available_replicas or 0) > (status.ready_replicas or 0):
        faults.invalid("status.availableReplicas", status.available_replicas, f"cannot be greater than {ready}")


def _collisions(faults: Faults, new: Any, old: Any) -> None:
    before, now = old.status.collision_count, new.status.collision_count
    if before is not None and (now is None or now < before):
        faults.invalid("status.collisionCount", now or 0, "cannot be decremented")


# -- Deployment ------------------------------------------------------------------------------------------------------


def deployment(faults: Faults, obj: apps_v1.Deployment) -> None:
    spec = obj.spec
    faults.natural("spec.replicas", spec.replicas)
    _replicated(faults, spec.selector, spec.template)
    rolling = spec.strategy.rolling_update
    if spec.strategy.type == "Recreate":
        if rolling is not None:
            faults.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    elif spec.strategy.type != "RollingUpdate":
        faults.unsupported("spec.strategy", spec.strategy, ("Recreate", "RollingUpdate"))
    elif rolling is not None:
        place = "spec.strategy.rollingUpdate"
        faults.count_or_percentage(f"{place}.maxUnavailable", rolling.max_unavailable)
        faults.count_or_percentage(f"{place}.maxSurge", rolling.max_surge)
        if zero(rolling.max_unavailable) and zero(rolling.max_surge):
            faults.invalid(f"{place}.maxUnavailable", rolling.max_unavailable, "may not be 0 when `maxSurge` is 0")
        faults.at_most_100_percent(f"{place}.maxUnavailable", rolling.max_unavailable)
    faults.natural("spec.minReadySeconds", spec.min_ready_seconds)
    faults.natural("spec.revisionHistoryLimit", spec.revision_history_limit)
    deadline = spec.progress_deadline_seconds
    faults.natural("spec.progressDeadlineSeconds", deadline)
    if deadline is not None and deadline <= (spec.min_ready_seconds or 0):
        faults.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def deployment_status(faults: Faults, new: apps_v1.Deployment, old: apps_v1.Deployment) -> None:
    shares = {
        "updated_replicas": "updatedReplicas",
        "ready_replicas": "readyReplicas",
        "available_replicas": "availableReplicas",
    }
    rest = {
        "observed_generation": "observedGeneration",
        "replicas": "replicas",
        "unavailable_replicas": "unavailableReplicas",
        "terminating_replicas": "terminatingReplicas",
        "collision_count": "collisionCount",
    }
    faults.naturals("status", new.status, rest | shares)
    _shares(faults, new.status, shares)
    _collisions(faults, new, old)


def selector_update(faults: Faults, new: Any, old: Any) -> None:
    faults.immutable("spec.selector", new.spec.selector, old.spec.selector)


# -- ReplicaSet ------------------------------------------------------------------------------------------------------


def replica_set(faults: Faults, obj: apps_v1.ReplicaSet) -> None:
    faults.natural("spec.replicas", obj.spec.replicas)
    faults.natural("spec.minReadySeconds", obj.spec.min_ready_seconds)
    _replicated(faults, obj.spec.selector, obj.spec.template)


def replica_set_status(faults: Faults, new: apps_v1.ReplicaSet, old: apps_v1.ReplicaSet) -> None:
    shares = {
        "fully_labeled_replicas": "fullyLabeledReplicas",
        "ready_replicas": "readyReplicas",
        "available_replicas": "availableReplicas",
    }
    rest = {
        "replicas": "replicas",
        "observed_generation": "observedGeneration",
        "terminating_replicas": "terminatingReplicas",
    }
    faults.naturals("status", new.status, rest | shares)
    _shares(faults, new.status, shares)


# -- StatefulSet -----------------------------------------------------------------------------------------------------


def stateful_set(faults: Faults, obj: apps_v1.StatefulSet) -> None:
    spec = obj.spec
    policy = spec.pod_management_policy
    if faults.required("spec.podManagementPolicy", policy) and policy not in ("OrderedReady", "Parallel"):
        faults.invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")
    _stateful_set_strategy(faults, spec.update_strategy)
    retention = spec.persistent_volume_claim_retention_policy
    if retention is not None:
        place = "spec.persistentVolumeClaimRetentionPolicy"
        for name, value in (("whenDeleted", retention.when_deleted), ("whenScaled", retention.when_scaled)):
            if value not in ("Retain", "Delete"):
                faults.unsupported(f"{place}.{name}", value, ("Retain", "Delete"))
    faults.natural("spec.replicas", spec.replicas)
    faults.natural("spec.minReadySeconds", spec.min_ready_seconds)
    if spec.ordinals is not None:
        faults.natural("spec.ordinals.start", spec.ordinals.start)
    if not workload_selector(faults, spec.selector, spec.template, "statefulset"):
        faults.invalid("spec.selector", spec.selector, "")
    _template_with_claims(faults, spec)


def _stateful_set_strategy(faults: Faults, strategy: apps_v1.StatefulSetUpdateStrategy) -> None:
    place = "spec.updateStrategy"
    rolling = strategy.rolling_update
    if not strategy.type:
        faults.append(errors.required(place))
    elif strategy.type == "OnDelete":
        if rolling is not None:
            faults.invalid(f"{place}.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'")
    elif strategy.type != "RollingUpdate":
        faults.invalid(place, strategy, "must be 'RollingUpdate' or 'OnDelete'")
    elif rolling is not None:
        faults.natural(f"{place}.rollingUpdate.partition", rolling.partition)
        most = rolling.max_unavailable
        if most is not None:
            faults.count_or_percentage(f"{place}.rollingUpdate.maxUnavailable", most)
            if zero(most):
                faults.invalid(f"{place}.rollingUpdate.maxUnavailable", most, "cannot be 0")
            faults.at_most_100_percent(f"{place}.rollingUpdate.maxUnavailable", most)


def _template_with_claims(faults: Faults, spec: apps_v1.StatefulSetSpec) -> None:
    """The claims become volumes of the pods, so mounts may name them."""
    pod = codecs.copy(spec.template)
    present = {volume.name for volume in pod.spec.volumes}
    for claim in spec.volume_claim_templates:
        if claim.metadata.name and claim.metadata.name not in present:
            source = core_v1.PersistentVolumeClaimVolumeSource(claim_name=claim.metadata.name)
            pod.spec.volumes.append(core_v1.Volume(name=claim.metadata.name, persistent_volume_claim=source))
    workload_template(faults, pod, "StatefulSet")


STATEFUL_SET_FORBIDDEN = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def stateful_set_update(faults: Faults, new: apps_v1.StatefulSet, old: apps_v1.StatefulSet) -> None:
    for name in ("selector", "service_name", "pod_management_policy", "volume_claim_templates"):
        if getattr(new.spec, name) != getattr(old.spec, name):
            faults.forbidden("spec", STATEFUL_SET_FORBIDDEN)
            return


def stateful_set_status(faults: Faults, new: apps_v1.StatefulSet, old: apps_v1.StatefulSet) -> None:
    shares = {
        "ready_replicas": "readyReplicas",
        "current_replicas": "currentReplicas",
        "updated_replicas": "updatedReplicas",
        "available_replicas": "availableReplicas",
    }
    rest = {
        "replicas": "replicas",
        "observed_generation": "observedGeneration",
        "collision_count": "collisionCount",
    }
    faults.naturals("status", new.status, rest | shares)
    _shares(faults, new.status, shares, "status.readyReplicas")
    _collisions(faults, new, old)


# -- DaemonSet -------------------------------------------------------------------------------------------------------


def daemon_set(faults: Faults, obj: apps_v1.DaemonSet) -> None:
    spec = obj.spec
    workload_selector(faults, spec.selector, spec.template, "daemonset")
    workload_template(faults, spec.template, "DaemonSet")
    faults.natural("spec.minReadySeconds", spec.min_ready_seconds)
    _daemon_set_strategy(faults, spec.update_strategy)
    faults.natural("spec.revisionHistoryLimit", spec.revision_history_limit)


def _daemon_set_strategy(faults: Faults, strategy: apps_v1.DaemonSetUpdateStrategy) -> None:
    if strategy.type == "OnDelete":
        return
    if strategy.type != "RollingUpdate":
        faults.unsupported("spec.updateStrategy", strategy, _ROLLING)
        return
    rolling = strategy.rolling_update
    place = "spec.updateStrategy.rollingUpdate"
    if rolling is None:
        faults.append(errors.required(place))
        return
    faults.count_or_percentage(f"{place}.maxUnavailable", rolling.max_unavailable)
    faults.count_or_percentage(f"{place}.maxSurge", rolling.max_surge)
    faults.at_most_100_percent(f"{place}.maxUnavailable", rolling.max_unavailable)
    faults.at_most_100_percent(f"{place}.maxSurge", rolling.max_surge)
    if not zero(rolling.max_unavailable) and not zero(rolling.max_surge):
        faults.invalid(f"{place}.maxSurge", rolling.max_surge, "may not be set when maxUnavailable is non-zero")
    if zero(rolling.max_unavailable) and zero(rolling.max_surge):
        faults.append(errors.required(f"{place}.maxUnavailable", "cannot be 0 when maxSurge is 0"))


def daemon_set_status(faults: Faults, new: apps_v1.DaemonSet, old: apps_v1.DaemonSet) -> None:
    members = {
        "current_number_scheduled": "currentNumberScheduled",
        "number_misscheduled": "numberMisscheduled",
        "desired_number_scheduled": "desiredNumberScheduled",
        "number_ready": "numberReady",
        "observed_generation": "observedGeneration",
        "updated_number_scheduled": "updatedNumberScheduled",
        "number_available": "numberAvailable",
        "number_unavailable": "numberUnavailable",
        "collision_count": "collisionCount",
    }
    faults.naturals("status", new.status, members)
    _collisions(faults, new, old)


# -- ControllerRevision ----------------------------------------------------------------------------------------------


def controller_revision(faults: Faults, obj: apps_v1.ControllerRevision) -> None:
    if not obj.data:
        faults.append(errors.required("data", "data is mandatory"))
    faults.natural("revision", obj.revision)


def controller_revision_update(
    faults: Faults, new: apps_v1.ControllerRevision, old: apps_v1.ControllerRevision
) -> None:
    faults.immutable("data", new.data, old.data)


TABLE: dict[type[Any], Rules] = {
    apps_v1.ControllerRevision: Rules(controller_revision, controller_revision_update),
    apps_v1.DaemonSet: Rules(daemon_set, selector_update, subresources={"status": daemon_set_status}),
    apps_v1.Deployment: Rules(deployment, selector_update, subresources={"status": deployment_status}),
    apps_v1.ReplicaSet: Rules(replica_set, selector_update, subresources={"status": replica_set_status}),
    apps_v1.StatefulSet: Rules(
        stateful_set, stateful_set_update, names.dns1123_label, subresources={"status": stateful_set_status}
    ),
}
