"""How objects go: preconditions, grace periods, finalizers, propagation.  Pure decisions on a copy of the object."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from steersman.api.errors import FieldError, StatusError, conflict, invalid, invalid_value, not_supported
from steersman.api.labels import FINALIZER_FOREGROUND, FINALIZER_ORPHAN
from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import DeleteOptions, ObjectMeta

Policy = Literal["Background", "Orphan"]
Outcome = Literal["unchanged", "update", "expire", "remove"]
"""What becomes of the object; ``expire`` updates it, so that watchers see that its time is up, and then removes it."""

GracePeriod = Callable[[Any, int | None], int | None]
"""The seconds an object is given, from what was asked for; None for kinds that go at once."""

_POLICIES = ("Background", "Foreground", "Orphan")


def check_options(options: DeleteOptions) -> None:
    """Refuse options that contradict themselves."""
    faults: list[FieldError] = []
    policy = options.propagation_policy
    if policy and options.orphan_dependents is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        faults.append(invalid_value("propagationPolicy", policy, detail))
    if policy and policy not in _POLICIES:
        faults.append(not_supported("propagationPolicy", policy, [*_POLICIES, "nil"]))
    if any(each != "All" for each in options.dry_run):
        faults.append(not_supported("dryRun", options.dry_run, ["All"]))
    if faults:
        raise invalid("DeleteOptions", "", faults, "meta.k8s.io")


def check_preconditions(
    resource: Resource[Any], meta: ObjectMeta, revision: int, options: DeleteOptions
) -> StatusError | None:
    """The conflict where the object is not the one that the caller means."""
    wanted = options.preconditions
    if wanted is None:
        return None
    if wanted.uid and wanted.uid != meta.uid:
        detail = (
            f"the UID in the precondition ({wanted.uid}) does not match the UID in record ({meta.uid}). "
            "The object might have been deleted and then recreated"
        )
        return conflict(resource.name, meta.name, detail, resource.group)
    if wanted.resource_version and wanted.resource_version != str(revision):
        detail = (
            f"the ResourceVersion in the precondition ({wanted.resource_version}) does not match "
            f"the ResourceVersion in record ({revision}). The object might have been modified"
        )
        return conflict(resource.name, meta.name, detail, resource.group)
    return None


def begin(
    obj: Any, options: DeleteOptions, *, now: datetime, default: Policy | None, grace_period: GracePeriod
) -> Outcome:
    """Change an object as its deletion demands, and say what to do with it.

    ``default`` is the kind's propagation policy when nobody asks for one; None for kinds that have no dependents.
    """
    meta: ObjectMeta = obj.metadata
    graceful = False
    if meta.deletion_timestamp is not None and meta.deletion_grace_period_seconds is not None:
        present = meta.deletion_grace_period_seconds
        if present == 0:
            # Nothing but finalizers holds it: a second request changes nothing.
            return "unchanged" if meta.finalizers else "remove"
        if options.grace_period_seconds is None or options.grace_period_seconds >= present:
            return "unchanged"
        period = max(options.grace_period_seconds, 0)
        meta.deletion_timestamp += timedelta(seconds=period - present)
        meta.deletion_grace_period_seconds = period
        graceful = True
    else:
        asked = options.grace_period_seconds
        granted = grace_period(obj, 1 if asked is not None and asked < 0 else asked)
        if granted is not None:
            period = 1 if granted < 0 else granted
            _mark(meta, now + timedelta(seconds=period), period)
            graceful = True
        else:
            period = 0
    finalizers = _propagation_finalizers(meta, options, default)
    if finalizers != meta.finalizers:
        meta.finalizers = finalizers
    if meta.finalizers:
        if not graceful:
            _mark(meta, now, 0)
        return "update"
    if not graceful:
        return "remove"
    return "update" if period > 0 else "expire"


def _mark(meta: ObjectMeta, when: datetime, period: int) -> None:
    if meta.deletion_timestamp is None:
        meta.deletion_timestamp = when
        if meta.generation:
            meta.generation += 1
    meta.deletion_grace_period_seconds = period


def _propagation_finalizers(meta: ObjectMeta, options: DeleteOptions, default: Policy | None) -> list[str]:
    """The object's finalizers with those of the garbage collector as the propagation policy wants them."""
    if default is None:
        return meta.finalizers
    orphan = FINALIZER_ORPHAN in meta.finalizers
    foreground = FINALIZER_FOREGROUND in meta.finalizers
    if options.orphan_dependents is not None:
        orphan, foreground = options.orphan_dependents, False
    elif options.propagation_policy:
        orphan, foreground = options.propagation_policy == "Orphan", options.propagation_policy == "Foreground"
    elif not orphan and not foreground:
        orphan = default == "Orphan"
    others = [each for each in meta.finalizers if each not in (FINALIZER_ORPHAN, FINALIZER_FOREGROUND)]
    wanted = others + [FINALIZER_ORPHAN] * orphan + [FINALIZER_FOREGROUND] * foreground
    return meta.finalizers if set(wanted) == set(meta.finalizers) else wanted


def released(meta: ObjectMeta) -> bool:
    """Whether an object that is being deleted has nothing left to wait for."""
    return meta.deletion_timestamp is not None and not meta.finalizers and not meta.deletion_grace_period_seconds
