"""Controllers of pods: apps, batch, autoscaling, policy, and replication controllers."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from steersman.api import codecs, errors, selectors
from steersman.api.types import apps_v1, autoscaling_v1, autoscaling_v2, batch_v1, core_v1, meta_v1, policy_v1

from . import cron, meta, names
from .faults import Faults, zero
from .pods import template

_ALWAYS = ("Always",)


def _selector(
    faults: Faults, selector: meta_v1.LabelSelector | None, pod: core_v1.PodTemplateSpec, kind: str = "deployment"
) -> None:
    if selector is None:
        faults.append(errors.required("spec.selector"))
        return
    before = len(faults)
    meta.label_selector(faults, selector, "spec.selector")
    if meta.empty_selector(selector):
        faults.invalid("spec.selector", selector, f"empty selector is invalid for {kind}")
    elif len(faults) == before and not selectors.from_label_selector(selector).matches(pod.metadata.labels):
        faults.invalid(
            "spec.template.metadata.labels", pod.metadata.labels, "`selector` does not match template `labels`"
        )


def _template(faults: Faults, pod: core_v1.PodTemplateSpec, kind: str = "ReplicaSet") -> None:
    template(faults, pod, "spec.template")
    if pod.spec.restart_policy != "Always":
        faults.append(errors.not_supported("spec.template.spec.restartPolicy", pod.spec.restart_policy, _ALWAYS))
    if pod.spec.active_deadline_seconds is not None:
        faults.forbidden(
            "spec.template.spec.activeDeadlineSeconds",
            f"activeDeadlineSeconds in {kind} is not Supported",
        )


def deployment(faults: Faults, obj: apps_v1.Deployment) -> None:
    spec = obj.spec
    faults.natural("spec.replicas", spec.replicas)
    _selector(faults, spec.selector, spec.template)
    _template(faults, spec.template)
    faults.one_of("spec.strategy.type", spec.strategy.type, ("Recreate", "RollingUpdate"))
    rolling = spec.strategy.rolling_update
    if spec.strategy.type == "Recreate" and rolling is not None:
        faults.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
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


def selector_update(faults: Faults, new: Any, old: Any) -> None:
    faults.immutable("spec.selector", new.spec.selector, old.spec.selector)


def replica_set(faults: Faults, obj: apps_v1.ReplicaSet) -> None:
    faults.natural("spec.replicas", obj.spec.replicas)
    faults.natural("spec.minReadySeconds", obj.spec.min_ready_seconds)
    _selector(faults, obj.spec.selector, obj.spec.template)
    _template(faults, obj.spec.template)


def replication_controller(faults: Faults, obj: core_v1.ReplicationController) -> None:
    faults.natural("spec.replicas", obj.spec.replicas)
    faults.natural("spec.minReadySeconds", obj.spec.min_ready_seconds)
    labels = obj.spec.template.metadata.labels
    if faults.required("spec.selector", obj.spec.selector) and not obj.spec.selector.items() <= labels.items():
        faults.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    _template(faults, obj.spec.template)


def stateful_set(faults: Faults, obj: apps_v1.StatefulSet) -> None:
    spec = obj.spec
    faults.one_of("spec.podManagementPolicy", spec.pod_management_policy, ("OrderedReady", "Parallel"))
    faults.one_of("spec.updateStrategy.type", spec.update_strategy.type, ("OnDelete", "RollingUpdate"))
    rolling = spec.update_strategy.rolling_update
    if rolling is not None:
        if spec.update_strategy.type == "OnDelete":
            faults.invalid(
                "spec.updateStrategy.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'"
            )
        faults.natural("spec.updateStrategy.rollingUpdate.partition", rolling.partition)
        faults.count_or_percentage("spec.updateStrategy.rollingUpdate.maxUnavailable", rolling.max_unavailable)
    retention = spec.persistent_volume_claim_retention_policy
    if retention is not None:
        place = "spec.persistentVolumeClaimRetentionPolicy"
        faults.one_of(f"{place}.whenDeleted", retention.when_deleted, ("Delete", "Retain"))
        faults.one_of(f"{place}.whenScaled", retention.when_scaled, ("Delete", "Retain"))
    faults.natural("spec.replicas", spec.replicas)
    faults.natural("spec.minReadySeconds", spec.min_ready_seconds)
    faults.natural("spec.revisionHistoryLimit", spec.revision_history_limit)
    if spec.ordinals is not None:
        faults.natural("spec.ordinals.start", spec.ordinals.start)
    _selector(faults, spec.selector, spec.template, "statefulset")
    _template_with_claims(faults, spec)


def _template_with_claims(faults: Faults, spec: apps_v1.StatefulSetSpec) -> None:
    """The claims become volumes of the pods, so mounts may name them."""
    pod = codecs.copy(spec.template)
    present = {volume.name for volume in pod.spec.volumes}
    for claim in spec.volume_claim_templates:
        if claim.metadata.name and claim.metadata.name not in present:
            source = core_v1.PersistentVolumeClaimVolumeSource(claim_name=claim.metadata.name)
            pod.spec.volumes.append(core_v1.Volume(name=claim.metadata.name, persistent_volume_claim=source))
    _template(faults, pod, "StatefulSet")


STATEFUL_SET_FORBIDDEN = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def stateful_set_update(faults: Faults, new: apps_v1.StatefulSet, old: apps_v1.StatefulSet) -> None:
    for name in ("selector", "service_name", "pod_management_policy"):
        if getattr(new.spec, name) != getattr(old.spec, name):
            faults.forbidden("spec", STATEFUL_SET_FORBIDDEN)
            return
    before = [(claim.metadata.name, claim.spec) for claim in old.spec.volume_claim_templates]
    if [(claim.metadata.name, claim.spec) for claim in new.spec.volume_claim_templates] != before:
        faults.forbidden("spec", STATEFUL_SET_FORBIDDEN)


def daemon_set(faults: Faults, obj: apps_v1.DaemonSet) -> None:
    spec = obj.spec
    _selector(faults, spec.selector, spec.template, "daemonset")
    _template(faults, spec.template, "DaemonSet")
    faults.natural("spec.minReadySeconds", spec.min_ready_seconds)
    faults.natural("spec.revisionHistoryLimit", spec.revision_history_limit)
    faults.one_of("spec.updateStrategy.type", spec.update_strategy.type, ("OnDelete", "RollingUpdate"))
    if spec.update_strategy.type != "RollingUpdate":
        return
    rolling = spec.update_strategy.rolling_update
    if rolling is None:
        faults.append(errors.required("spec.updateStrategy.rollingUpdate"))
        return
    place = "spec.updateStrategy.rollingUpdate"
    faults.count_or_percentage(f"{place}.maxUnavailable", rolling.max_unavailable)
    faults.count_or_percentage(f"{place}.maxSurge", rolling.max_surge)
    faults.at_most_100_percent(f"{place}.maxUnavailable", rolling.max_unavailable)
    if not zero(rolling.max_unavailable) and not zero(rolling.max_surge):
        faults.invalid(f"{place}.maxSurge", rolling.max_surge, "may not be set when maxUnavailable is non-zero")
    if zero(rolling.max_unavailable) and zero(rolling.max_surge):
        faults.append(errors.required(f"{place}.maxUnavailable", "cannot be 0 when maxSurge is 0"))


def job(faults: Faults, obj: batch_v1.Job) -> None:
    _job_spec(faults, obj.spec, "spec")
    spec = obj.spec
    if spec.selector is not None:
        meta.label_selector(faults, spec.selector, "spec.selector")
        if not selectors.from_label_selector(spec.selector).matches(spec.template.metadata.labels):
            faults.invalid(
                "spec.template.metadata.labels",
                spec.template.metadata.labels,
                "`selector` does not match template `labels`",
            )


def _job_spec(faults: Faults, spec: batch_v1.JobSpec, path: str) -> None:
    for name, value in (
        ("parallelism", spec.parallelism),
        ("completions", spec.completions),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index),
        ("maxFailedIndexes", spec.max_failed_indexes),
    ):
        faults.natural(f"{path}.{name}", value)
    faults.one_of(f"{path}.completionMode", spec.completion_mode, ("NonIndexed", "Indexed"), optional=True)
    if spec.completion_mode == "Indexed":
        if spec.completions is None:
            faults.append(errors.required(f"{path}.completions", "when completion mode is Indexed"))
    elif spec.backoff_limit_per_index is not None:
        faults.invalid(f"{path}.backoffLimitPerIndex", spec.backoff_limit_per_index, "requires indexed completion mode")
    template(faults, spec.template, f"{path}.template")
    if spec.template.spec.restart_policy not in ("OnFailure", "Never"):
        faults.append(errors.required(f"{path}.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
    elif spec.pod_failure_policy is not None and spec.template.spec.restart_policy != "Never":
        faults.invalid(
            f"{path}.template.spec.restartPolicy",
            spec.template.spec.restart_policy,
            'only "Never" is supported when podFailurePolicy is specified',
        )
    if spec.pod_failure_policy is not None:
        for index, rule in enumerate(spec.pod_failure_policy.rules):
            place = f"{path}.podFailurePolicy.rules[{index}]"
            faults.one_of(f"{place}.action", rule.action, ("Count", "FailIndex", "FailJob", "Ignore"))
            if (rule.on_exit_codes is None) == (not rule.on_pod_conditions):
                faults.invalid(place, "", "specifying one of OnExitCodes and OnPodConditions is required")


def job_update(faults: Faults, new: batch_v1.Job, old: batch_v1.Job) -> None:
    faults.immutable("spec.selector", new.spec.selector, old.spec.selector)
    faults.immutable("spec.completionMode", new.spec.completion_mode, old.spec.completion_mode)
    faults.immutable("spec.podFailurePolicy", new.spec.pod_failure_policy, old.spec.pod_failure_policy)
    faults.immutable("spec.backoffLimitPerIndex", new.spec.backoff_limit_per_index, old.spec.backoff_limit_per_index)
    faults.immutable("spec.managedBy", new.spec.managed_by, old.spec.managed_by)
    indexed = new.spec.completion_mode == "Indexed"
    if new.spec.completions != old.spec.completions:
        if not indexed:
            faults.immutable("spec.completions", new.spec.completions, old.spec.completions)
        elif new.spec.completions != new.spec.parallelism:
            faults.invalid(
                "spec.completions",
                new.spec.completions,
                "can only be modified in tandem with spec.parallelism",
            )
    mine, theirs = codecs.copy(new.spec.template), old.spec.template
    if old.spec.suspend and old.status.start_time is None:
        # A job that has not started yet may still be directed elsewhere.
        for name in ("node_selector", "tolerations", "affinity", "scheduling_gates"):
            setattr(mine.spec, name, getattr(theirs.spec, name))
        mine.metadata = theirs.metadata
    if mine != theirs:
        faults.invalid("spec.template", new.spec.template, "field is immutable")


def _known_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError):
        return False
    return True


def cron_job(faults: Faults, obj: batch_v1.CronJob) -> None:
    spec = obj.spec
    if len(obj.metadata.name) > 52:
        faults.invalid("metadata.name", obj.metadata.name, "must be no more than 52 characters")
    if faults.required("spec.schedule", spec.schedule):
        if fault := cron.fault(spec.schedule):
            faults.invalid("spec.schedule", spec.schedule, fault)
        if "TZ" in spec.schedule:
            faults.invalid(
                "spec.schedule",
                spec.schedule,
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
            )
    if spec.time_zone:
        if spec.time_zone.lower() == "local":
            faults.invalid(
                "spec.timeZone",
                spec.time_zone,
                "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
            )
        elif not _known_zone(spec.time_zone):
            faults.invalid("spec.timeZone", spec.time_zone, f"unknown time zone {spec.time_zone}")
    faults.natural("spec.startingDeadlineSeconds", spec.starting_deadline_seconds)
    faults.one_of("spec.concurrencyPolicy", spec.concurrency_policy, ("Allow", "Forbid", "Replace"))
    faults.natural("spec.successfulJobsHistoryLimit", spec.successful_jobs_history_limit)
    faults.natural("spec.failedJobsHistoryLimit", spec.failed_jobs_history_limit)
    _job_spec(faults, spec.job_template.spec, "spec.jobTemplate.spec")
    if spec.job_template.spec.manual_selector:
        faults.append(errors.not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false")))


def autoscaler(
    faults: Faults, obj: autoscaling_v1.HorizontalPodAutoscaler | autoscaling_v2.HorizontalPodAutoscaler
) -> None:
    spec = obj.spec
    if spec.min_replicas is not None and spec.min_replicas < 1:
        faults.invalid("spec.minReplicas", spec.min_replicas, "must be greater than or equal to 1")
    if spec.max_replicas < 1:
        faults.invalid("spec.maxReplicas", spec.max_replicas, "must be greater than 0")
    if spec.min_replicas is not None and spec.max_replicas < spec.min_replicas:
        faults.invalid("spec.maxReplicas", spec.max_replicas, "must be greater than or equal to `minReplicas`")
    faults.name("spec.scaleTargetRef.kind", spec.scale_target_ref.kind, names.path_segment)
    faults.name("spec.scaleTargetRef.name", spec.scale_target_ref.name, names.path_segment)
    if isinstance(spec, autoscaling_v2.HorizontalPodAutoscalerSpec):
        kinds = ("Object", "Pods", "Resource", "External", "ContainerResource")
        for index, metric in enumerate(spec.metrics):
            faults.one_of(f"spec.metrics[{index}].type", metric.type, kinds)


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
