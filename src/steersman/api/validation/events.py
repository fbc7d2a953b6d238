"""Events, as the core group has always taken them and as ``events.k8s.io/v1`` wants them."""

from __future__ import annotations

from steersman.api import errors
from steersman.api.types import core_v1 as v1

from . import names
from .faults import Faults

GROUP_VERSION = "events.k8s.io/v1"
"""Where the stricter rules hold."""

_SHORT = 128
_LONG = 1024
_DISAGREES = "does not match event.namespace"


def event(faults: Faults, obj: v1.Event) -> None:
    """What holds of every event; those with an event time are of the new sort and tell more."""
    namespace, involved = obj.metadata.namespace, obj.involved_object.namespace
    if obj.event_time is None:
        if namespace != involved and not (involved == "" and namespace == "default"):
            faults.invalid("involvedObject.namespace", involved, _DISAGREES)
    else:
        if not involved and namespace not in ("default", "kube-system"):
            faults.invalid("involvedObject.namespace", involved, _DISAGREES)
        if faults.required("reportingController", obj.reporting_component):
            faults.grammar("reportingController", obj.reporting_component, names.qualified_name)
        for name, value in (
            ("reportingInstance", obj.reporting_instance),
            ("action", obj.action),
            ("reason", obj.reason),
        ):
            if faults.required(name, value):
                _at_most(faults, name, value, _SHORT)
        _at_most(faults, "message", obj.message, _LONG)
    faults.grammar("namespace", namespace, names.dns1123_subdomain)


def _at_most(faults: Faults, path: str, value: str, limit: int) -> None:
    if len(value.encode()) > limit:
        faults.invalid(path, "", f"can have at most {limit} characters")


_OLD_MEMBERS = {"first_timestamp": "firstTimestamp", "last_timestamp": "lastTimestamp", "count": "count"}
_IMMUTABLE = {
    "involved_object": "involvedObject",
    "reason": "reason",
    "message": "message",
    "source": "source",
    **_OLD_MEMBERS,
    "type": "type",
    "event_time": "eventTime",
    "action": "action",
    "related": "related",
    "reporting_component": "reportingController",
    "reporting_instance": "reportingInstance",
}


def new_event(faults: Faults, obj: v1.Event) -> None:
    """What ``events.k8s.io/v1`` asks of new events beside."""
    _series(faults, obj)
    if obj.event_time is None:
        faults.append(errors.required("eventTime"))
    if obj.type not in ("Normal", "Warning"):
        faults.invalid("type", "", f"has invalid value: {obj.type}")
    for attribute, name in _OLD_MEMBERS.items():
        if getattr(obj, attribute):
            faults.invalid(name, "", "needs to be unset")
    if obj.source.component or obj.source.host:
        faults.invalid("source", "", "needs to be unset")


def changed_event(faults: Faults, new: v1.Event, old: v1.Event) -> None:
    """Through ``events.k8s.io/v1`` only the series of an event goes on."""
    if new.series != old.series:
        _series(faults, new)
    for attribute, name in _IMMUTABLE.items():
        faults.immutable(name, getattr(new, attribute), getattr(old, attribute))


def _series(faults: Faults, obj: v1.Event) -> None:
    if obj.series is None:
        return
    if (obj.series.count or 0) < 2:
        faults.invalid("series.count", "", "should be at least 2")
    if obj.series.last_observed_time is None:
        faults.append(errors.required("series.lastObservedTime"))
