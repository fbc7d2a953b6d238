"""The group batch: Jobs and CronJobs.  What statuses of Jobs may become is in :mod:`.job_status`."""

from __future__ import annotations

import re
from typing import Any

from steersman.api import codecs, errors, selectors
from steersman.api.types import batch_v1, core_v1

from . import cron, indexes, meta, names, zones
from .faults import Faults
from .forms import domain_prefixed_path
from .job_status import job_status_update
from .pods import template
from .rules import Rules

INDEXED_LIMIT = 100_000
HIGH_COMPLETIONS_LIMIT = 10_000
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_UNLIMITED = 1 << 62

LABELS = {
    "controller-uid": "uid",
    "job-name": "name",
    "batch.kubernetes.io/controller-uid": "uid",
    "batch.kubernetes.io/job-name": "name",
}
"""The labels that tie pods to their Job, and which member of the Job's metadata each repeats."""


def _choices(values: tuple[str, ...]) -> str:
    return f"valid values: [{' '.join(errors.go_value(value) for value in values)}]"


# -- Job -------------------------------------------------------------------------------------------------------------


def job(faults: Faults, obj: batch_v1.Job) -> None:
    """A new Job."""
    spec = obj.spec
    _generated_selector(faults, obj)
    _selecting_spec(faults, spec)
    if spec.completion_mode == "Indexed" and (spec.completions or 0) > 0:
        hostname = f"{obj.metadata.name}-{(spec.completions or 0) - 1}"
        if tuple(names.dns1123_label(hostname)):
            faults.invalid(
                "metadata.name",
                obj.metadata.name,
                f"will not able to create pod with invalid DNS label: {hostname}",
            )


def _selecting_spec(faults: Faults, spec: batch_v1.JobSpec) -> None:
    """The spec, whose selector chooses the pods of its template."""
    job_spec(faults, spec, "spec")
    if spec.selector is None:
        faults.append(errors.required("spec.selector"))
    else:
        before = len(faults)
        meta.label_selector(faults, spec.selector, "spec.selector")
        labels = spec.template.metadata.labels
        if len(faults) == before and not selectors.from_label_selector(spec.selector).matches(labels):
            faults.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")


def _generated_selector(faults: Faults, obj: batch_v1.Job) -> None:
    """Where the server makes the selector, nobody else may have said what it is."""
    spec = obj.spec
    if spec.manual_selector or spec.selector is None:
        return
    expected = {key: getattr(obj.metadata, member) for key, member in LABELS.items()}
    for key, value in expected.items():
        place = "spec.template.metadata.labels"
        if (label := spec.template.metadata.labels.get(key)) is None:
            faults.append(errors.required(place, f"must be '{value}'"))
        elif label != value:
            faults.invalid(place, spec.template.metadata.labels, f"must be '{value}'")
    if _selects_wrongly(spec, expected):
        faults.invalid("spec.selector", spec.selector, "`selector` not auto-generated")


def _selects_wrongly(spec: batch_v1.JobSpec, expected: dict[str, str]) -> bool:
    probe = Faults()
    meta.label_selector(probe, spec.selector, "")
    return not probe and not selectors.from_label_selector(spec.selector).matches(expected)


def job_spec(faults: Faults, spec: batch_v1.JobSpec, path: str) -> None:
    """What Jobs and the templates of CronJobs have in common."""
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
    if spec.max_failed_indexes is not None and spec.backoff_limit_per_index is None:
        faults.append(errors.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if spec.managed_by:
        domain_prefixed_path(faults, f"{path}.managedBy", spec.managed_by)
        faults.shorter(f"{path}.managedBy", spec.managed_by, 63)
    _completion_mode(faults, spec, path)
    if spec.pod_failure_policy is not None:
        _failure_policy(faults, spec, spec.pod_failure_policy, f"{path}.podFailurePolicy.rules")
    if spec.success_policy is not None:
        if spec.completion_mode != "Indexed":
            faults.invalid(f"{path}.successPolicy", spec.success_policy, "requires indexed completion mode")
        else:
            _success_policy(faults, spec, spec.success_policy, f"{path}.successPolicy.rules")
    replacement = spec.pod_replacement_policy
    allowed = ("Failed",) if spec.pod_failure_policy is not None else ("Failed", "TerminatingOrFailed")
    if replacement and replacement not in allowed:
        faults.unsupported(f"{path}.podReplacementPolicy", replacement, allowed)
    template(faults, spec.template, f"{path}.template")
    _restart_policy(faults, spec, f"{path}.template.spec.restartPolicy")


def _restart_policy(faults: Faults, spec: batch_v1.JobSpec, path: str) -> None:
    policy = spec.template.spec.restart_policy
    if policy in ("", "Always"):
        faults.append(errors.required(path, 'valid values: "OnFailure", "Never"'))
    elif policy not in ("OnFailure", "Never"):
        faults.unsupported(path, policy, ("OnFailure", "Never"))
    elif spec.pod_failure_policy is not None and policy != "Never":
        faults.invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')


def _completion_mode(faults: Faults, spec: batch_v1.JobSpec, path: str) -> None:
    mode = spec.completion_mode
    if mode and mode not in ("NonIndexed", "Indexed"):
        faults.unsupported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed"))
        return
    if mode == "Indexed":
        _indexed(faults, spec, path)
        return
    for name, value in (
        ("backoffLimitPerIndex", spec.backoff_limit_per_index),
        ("maxFailedIndexes", spec.max_failed_indexes),
    ):
        if value is not None:
            faults.invalid(f"{path}.{name}", value, "requires indexed completion mode")


def _indexed(faults: Faults, spec: batch_v1.JobSpec, path: str) -> None:
    def at_most(name: str, value: int | None, limit: int, why: str) -> None:
        if value is not None and value > limit:
            faults.invalid(f"{path}.{name}", value, f"must be less than or equal to {why}")

    completions, failed = spec.completions, spec.max_failed_indexes
    if completions is None:
        faults.append(errors.required(f"{path}.completions", "when completion mode is Indexed"))
    at_most("parallelism", spec.parallelism, INDEXED_LIMIT, f"{INDEXED_LIMIT} when completion mode is Indexed")
    if completions is not None:
        at_most("maxFailedIndexes", failed, completions, "completions")
    at_most("maxFailedIndexes", failed, INDEXED_LIMIT, f"{INDEXED_LIMIT}")
    if completions is None or completions <= INDEXED_LIMIT or spec.backoff_limit_per_index is None:
        return
    if failed is None:
        detail = f"must be specified when completions is above {INDEXED_LIMIT}"
        faults.append(errors.required(f"{path}.maxFailedIndexes", detail))
    why = f"{HIGH_COMPLETIONS_LIMIT} when completions are above {INDEXED_LIMIT} and used with backoff limit per index"
    at_most("parallelism", spec.parallelism, HIGH_COMPLETIONS_LIMIT, why)
    at_most("maxFailedIndexes", failed, HIGH_COMPLETIONS_LIMIT, why)


def _failure_policy(faults: Faults, spec: batch_v1.JobSpec, policy: batch_v1.PodFailurePolicy, path: str) -> None:
    faults.fewer(path, len(policy.rules), 20)
    pod = spec.template.spec
    containers = {container.name for container in (*pod.containers, *pod.init_containers)}
    for index, rule in enumerate(policy.rules):
        place = f"{path}[{index}]"
        if not rule.action:
            faults.append(errors.required(f"{place}.action", _choices(_ACTIONS)))
        elif rule.action == "FailIndex":
            if spec.backoff_limit_per_index is None:
                faults.invalid(f"{place}.action", rule.action, "requires the backoffLimitPerIndex to be set")
        elif rule.action not in _ACTIONS:
            faults.unsupported(f"{place}.action", rule.action, _ACTIONS)
        if rule.on_exit_codes is not None:
            _exit_codes(faults, rule.on_exit_codes, f"{place}.onExitCodes", containers)
        if rule.on_pod_conditions:
            _pod_conditions(faults, rule.on_pod_conditions, f"{place}.onPodConditions")
        if rule.on_exit_codes is not None and rule.on_pod_conditions:
            faults.broken(place, "specifying both OnExitCodes and OnPodConditions is not supported")
        if rule.on_exit_codes is None and not rule.on_pod_conditions:
            faults.broken(place, "specifying one of OnExitCodes and OnPodConditions is required")


def _exit_codes(
    faults: Faults, codes: batch_v1.PodFailurePolicyOnExitCodesRequirement, path: str, containers: set[str]
) -> None:
    if not codes.operator:
        faults.append(errors.required(f"{path}.operator", _choices(_OPERATORS)))
    elif codes.operator not in _OPERATORS:
        faults.unsupported(f"{path}.operator", codes.operator, _OPERATORS)
    if codes.container_name and codes.container_name not in containers:
        faults.invalid(
            f"{path}.containerName",
            codes.container_name,
            "must be one of the container or initContainer names in the pod template",
        )
    if not codes.values:
        faults.invalid(f"{path}.values", codes.values, "at least one value is required")
    else:
        faults.fewer(f"{path}.values", len(codes.values), 255)
    seen: set[int] = set()
    for index, value in enumerate(codes.values):
        if codes.operator == "In" and value == 0:
            faults.invalid(f"{path}.values[{index}]", value, "must not be 0 for the In operator")
        faults.unique(f"{path}.values[{index}]", value, seen)
    if codes.values != sorted(codes.values):
        faults.invalid(f"{path}.values", codes.values, "must be ordered")


def _pod_conditions(faults: Faults, patterns: list[batch_v1.PodFailurePolicyOnPodConditionsPattern], path: str) -> None:
    faults.fewer(path, len(patterns), 20)
    for index, pattern in enumerate(patterns):
        faults.grammar(f"{path}[{index}].type", pattern.type, names.qualified_name)
        if not pattern.status:
            faults.append(errors.required(f"{path}[{index}].status", _choices(_STATUSES)))
        elif pattern.status not in _STATUSES:
            faults.unsupported(f"{path}[{index}].status", pattern.status, _STATUSES)


def _success_policy(faults: Faults, spec: batch_v1.JobSpec, policy: batch_v1.SuccessPolicy, path: str) -> None:
    faults.required(path, policy.rules, "at least one rules must be specified when the successPolicy is specified")
    faults.fewer(path, len(policy.rules), 20)
    # Without completions, which is a fault already, any count and any index would do.
    completions = spec.completions if spec.completions is not None else _UNLIMITED
    for number, rule in enumerate(policy.rules):
        place = f"{path}[{number}]"
        count, chosen = rule.succeeded_count, rule.succeeded_indexes
        if count is None and not chosen:
            faults.append(
                errors.required(place, "at least one of succeededCount or succeededIndexes must be specified")
            )
        total = 0
        if chosen:
            faults.shorter(f"{place}.succeededIndexes", chosen, 64 * 1024)
            try:
                total = indexes.count(chosen, completions)
            except ValueError as error:
                faults.invalid(f"{place}.succeededIndexes", chosen, f"error parsing succeededIndexes: {error}")
        if count is None:
            continue
        faults.natural(f"{place}.succeededCount", count)
        for limit, what in (
            (completions, "the number of specified completions"),
            (total if chosen else _UNLIMITED, "the number of indexes in the specified succeededIndexes field"),
        ):
            if count > limit:
                faults.invalid(f"{place}.succeededCount", count, f"must be less than or equal to {limit} ({what})")


def job_update(faults: Faults, new: batch_v1.Job, old: batch_v1.Job) -> None:
    mine, theirs = new.spec, old.spec
    _selecting_spec(faults, mine)
    if mine.completion_mode != "Indexed":
        faults.immutable("spec.completions", mine.completions, theirs.completions)
    elif mine.completions not in (None, theirs.completions, mine.parallelism):
        faults.invalid("spec.completions", mine.completions, "can only be modified in tandem with spec.parallelism")
    faults.immutable("spec.selector", mine.selector, theirs.selector)
    if mine.template != _permitted_template(mine.template, old):
        faults.invalid("spec.template", mine.template, "field is immutable")
    for attribute, name in (
        ("completion_mode", "completionMode"),
        ("pod_failure_policy", "podFailurePolicy"),
        ("backoff_limit_per_index", "backoffLimitPerIndex"),
        ("managed_by", "managedBy"),
        ("success_policy", "successPolicy"),
    ):
        faults.immutable(f"spec.{name}", getattr(mine, attribute), getattr(theirs, attribute))


def _permitted_template(wanted: core_v1.PodTemplateSpec, old: batch_v1.Job) -> core_v1.PodTemplateSpec:
    """The old template, but where pods go as it is wanted, as long as the Job has never run (KEP-2926)."""
    if not old.spec.suspend or old.status.start_time is not None:
        return old.spec.template
    template = codecs.copy(old.spec.template)
    for name in ("node_selector", "tolerations", "scheduling_gates"):
        setattr(template.spec, name, getattr(wanted.spec, name))
    template.metadata.labels = wanted.metadata.labels
    template.metadata.annotations = wanted.metadata.annotations
    there, here = wanted.spec.affinity, template.spec.affinity
    if there is not None:
        here = template.spec.affinity = here or core_v1.Affinity()
        here.node_affinity = there.node_affinity
    elif here is not None:
        here.node_affinity = None
        if here == core_v1.Affinity():
            template.spec.affinity = None
    return template


# -- CronJob ---------------------------------------------------------------------------------------------------------


def cron_job(faults: Faults, obj: batch_v1.CronJob) -> None:
    """A new CronJob."""
    _cron_job(faults, obj, None)
    if len(obj.metadata.name) > 52:
        faults.invalid("metadata.name", obj.metadata.name, names.longer_than(52))


def cron_job_update(faults: Faults, new: batch_v1.CronJob, old: batch_v1.CronJob) -> None:
    _cron_job(faults, new, old)


def _cron_job(faults: Faults, obj: batch_v1.CronJob, old: batch_v1.CronJob | None) -> None:
    spec = obj.spec
    if faults.required("spec.schedule", spec.schedule):
        _schedule(faults, spec, tolerant=old is not None and "TZ" in old.spec.schedule)
    faults.natural("spec.startingDeadlineSeconds", spec.starting_deadline_seconds)
    if spec.time_zone and (old is None or spec.time_zone != old.spec.time_zone):
        _time_zone(faults, spec.time_zone)
    policy = spec.concurrency_policy
    if faults.required("spec.concurrencyPolicy", policy) and policy not in ("Allow", "Forbid", "Replace"):
        faults.unsupported("spec.concurrencyPolicy", policy, ("Allow", "Forbid", "Replace"))
    job_spec(faults, spec.job_template.spec, "spec.jobTemplate.spec")
    selector = spec.job_template.spec.selector
    if selector is not None:
        faults.invalid("spec.jobTemplate.spec.selector", selector, "`selector` will be auto-generated")
    if spec.job_template.spec.manual_selector:
        faults.unsupported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false"))
    faults.natural("spec.successfulJobsHistoryLimit", spec.successful_jobs_history_limit)
    faults.natural("spec.failedJobsHistoryLimit", spec.failed_jobs_history_limit)


def _schedule(faults: Faults, spec: batch_v1.CronJobSpec, *, tolerant: bool) -> None:
    """``tolerant``: the schedule had a zone in it before that was forbidden."""
    if fault := cron.fault(spec.schedule):
        faults.invalid("spec.schedule", spec.schedule, fault)
    if "TZ" not in spec.schedule:
        return
    if not tolerant:
        detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        faults.invalid("spec.schedule", spec.schedule, detail)
    elif spec.time_zone:
        detail = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        faults.invalid("spec.schedule", spec.schedule, detail)


_ZONE_PART = re.compile(r"(?!\.{1,2}$)(?!-)[A-Za-z._0-9+-]{1,14}", re.ASCII)


def _time_zone(faults: Faults, zone: str) -> None:
    known = all(_ZONE_PART.fullmatch(part) for part in zone.split("/"))
    if known and zone.lower() == "local":
        faults.invalid(
            "spec.timeZone",
            zone,
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        )
        if zone == "Local":
            return
    if not known or not zones.exists(zone):
        faults.invalid("spec.timeZone", zone, f"unknown time zone {zone}")


TABLE: dict[type[Any], Rules] = {
    batch_v1.CronJob: Rules(cron_job, cron_job_update, recheck=False),
    batch_v1.Job: Rules(job, job_update, subresources={"status": job_status_update}, recheck=False),
}
