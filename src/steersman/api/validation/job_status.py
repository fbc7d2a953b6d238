"""What the status of a Job may become (KEP-4368): Jobs may be managed by others, whose mistakes are refused here.

A rule is applied where what it is about has changed, so that an object that breaks it already can still be written.
"""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import batch_v1

from . import indexes
from .faults import Faults

_CONDITIONS = "status.conditions"


class _Facts:
    """The conditions of a Job that are true."""

    def __init__(self, job: batch_v1.Job) -> None:
        true = {each.type for each in job.status.conditions if each.status == "True"}
        self.complete = "Complete" in true
        self.failed = "Failed" in true
        self.failure_target = "FailureTarget" in true
        self.success = "SuccessCriteriaMet" in true
        self.finished = self.complete or self.failed
        self.true = true


def job_status_update(faults: Faults, new: batch_v1.Job, old: batch_v1.Job) -> None:
    members = {
        "active": "active",
        "succeeded": "succeeded",
        "failed": "failed",
        "ready": "ready",
        "terminating": "terminating",
    }
    faults.naturals("status", new.status, members)
    _uncounted(faults, new.status.uncounted_terminated_pods)
    now, before = _Facts(new), _Facts(old)

    def changed(*attributes: str) -> bool:
        return any(getattr(new.status, name) != getattr(old.status, name) for name in attributes)

    def turned(*facts: str) -> bool:
        return any(getattr(now, name) != getattr(before, name) for name in facts)

    _conditions(faults, new, now, turned)
    _times(faults, new, now, changed, turned)
    _numbers(faults, new, now, changed, turned)
    _index_sets(faults, new, changed)
    _transitions(faults, new, old, now, before)


def _uncounted(faults: Faults, pods: batch_v1.UncountedTerminatedPods | None) -> None:
    if pods is None:
        return
    seen: set[str] = set()
    for name, uids in (("succeeded", pods.succeeded), ("failed", pods.failed)):
        for index, uid in enumerate(uids):
            place = f"status.uncountedTerminatedPods.{name}[{index}]"
            if not uid:
                faults.invalid(place, uid, "must not be empty")
            else:
                faults.unique(place, uid, seen)


def _conditions(faults: Faults, new: batch_v1.Job, now: _Facts, turned: Any) -> None:
    if turned("complete", "failed") and now.complete and now.failed:
        faults.broken(_CONDITIONS, "cannot set Complete=True and Failed=true conditions")
    if turned("complete", "failure_target") and now.complete and now.failure_target:
        faults.broken(_CONDITIONS, "cannot set Complete=True and FailureTarget=true conditions")
    if turned("failed", "failure_target") and now.failed and not now.failure_target:
        faults.broken(_CONDITIONS, "cannot set Failed=True condition without the FailureTarget=true condition")
    if turned("complete", "success") and now.complete and not now.success:
        faults.broken(_CONDITIONS, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
    if now.success and now.failed:
        faults.broken(_CONDITIONS, "cannot set SuccessCriteriaMet=True and Failed=true conditions")
    if now.success and now.failure_target:
        faults.broken(_CONDITIONS, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
    if new.spec.success_policy is not None and now.complete and not now.success:
        detail = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        faults.broken(_CONDITIONS, detail)


def _times(faults: Faults, new: batch_v1.Job, now: _Facts, changed: Any, turned: Any) -> None:
    status = new.status
    completion, start = status.completion_time, status.start_time
    if turned("complete") or changed("completion_time"):
        if completion is not None and not now.complete:
            detail = "cannot set completionTime when there is no Complete=True condition"
            faults.invalid("status.completionTime", completion, detail)
        if completion is None and now.complete:
            faults.append(errors.required("status.completionTime", "completionTime is required for Complete jobs"))
    ended = start is not None and completion is not None and completion < start
    if ended and changed("start_time", "completion_time"):
        faults.invalid("status.completionTime", completion, "must be equal to or after `startTime`")
    if (turned("finished") or changed("start_time")) and start is None and now.finished:
        faults.append(errors.required("status.startTime", "startTime is required for finished job"))


def _numbers(faults: Faults, new: batch_v1.Job, now: _Facts, changed: Any, turned: Any) -> None:
    status = new.status
    active = status.active or 0
    if now.finished:
        if (turned("finished") or changed("active")) and active > 0:
            faults.invalid("status.active", active, "active>0 is invalid for finished job")
        pods = status.uncounted_terminated_pods
        if (turned("finished") or changed("uncounted_terminated_pods")) and pods and (pods.failed or pods.succeeded):
            faults.invalid("status.uncountedTerminatedPods", pods, "must be empty for finished job")
        if (turned("finished") or changed("terminating")) and (status.terminating or 0) > 0:
            faults.invalid("status.terminating", status.terminating, "terminating>0 is invalid for finished job")
    if changed("ready", "active") and (status.ready or 0) > active:
        faults.invalid("status.ready", status.ready, "cannot set more ready pods than active")


def _index_sets(faults: Faults, new: batch_v1.Job, changed: Any) -> None:
    spec, status = new.spec, new.status
    completed, failed = status.completed_indexes, status.failed_indexes
    completions = spec.completions
    for name, text, concerned in (
        ("completedIndexes", completed, changed("completed_indexes")),
        ("failedIndexes", failed, changed("failed_indexes") and spec.backoff_limit_per_index is not None),
    ):
        if concerned and completions is not None:
            try:
                indexes.count(text, completions)
            except ValueError as error:
                faults.invalid(f"status.{name}", text, f"error parsing {name}: {error}")
    if changed("completed_indexes") and completed and spec.completion_mode != "Indexed":
        detail = "cannot set non-empty completedIndexes when non-indexed completion mode"
        faults.invalid("status.completedIndexes", completed, detail)
    if changed("failed_indexes") and failed and spec.backoff_limit_per_index is None:
        detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        faults.invalid("status.failedIndexes", failed, detail)
    if changed("completed_indexes", "failed_indexes") and completions is not None:
        shared = indexes.overlap(completed, failed, completions)
        if shared is not None:
            detail = f"failedIndexes and completedIndexes overlap at index: {shared}"
            faults.invalid("status.failedIndexes", failed, detail)


def _transitions(faults: Faults, new: batch_v1.Job, old: batch_v1.Job, now: _Facts, before: _Facts) -> None:
    for kind in ("Failed", "Complete", "FailureTarget"):
        if kind in before.true and kind not in now.true:
            faults.broken(_CONDITIONS, f"cannot disable the terminal {kind}=True condition")
    mine, theirs, spec = new.status, old.status, new.spec
    if (mine.failed or 0) < (theirs.failed or 0):
        faults.invalid("status.failed", mine.failed or 0, "cannot decrease the failed counter")
    # An Indexed Job whose completions and parallelism are one number can be scaled down.
    elastic = spec.completion_mode == "Indexed" and spec.completions == spec.parallelism
    if not elastic and (mine.succeeded or 0) < (theirs.succeeded or 0):
        faults.invalid("status.succeeded", mine.succeeded or 0, "cannot decrease the succeeded counter")
    if mine.completion_time is not None and theirs.completion_time not in (None, mine.completion_time):
        faults.invalid("status.completionTime", mine.completion_time, "completionTime cannot be mutated")
    resumed = "Suspended" in before.true and "Suspended" not in now.true
    if theirs.start_time not in (None, mine.start_time) and not spec.suspend and not resumed:
        faults.append(errors.required("status.startTime", "startTime cannot be removed for unsuspended job"))
    if before.success and not now.success:
        faults.broken(_CONDITIONS, "cannot disable the SuccessCriteriaMet=True condition")
    if before.complete and not before.success and now.success:
        detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        faults.broken(_CONDITIONS, detail)
