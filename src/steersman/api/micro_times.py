"""Instants with microseconds that are on the second.

Go writes six digits always, and reads nothing else; msgspec leaves them out where they are zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from .time import rfc3339_micro
from .types import coordination_v1, coordination_v1alpha2, coordination_v1beta1, core_v1, events_v1


class _Place(NamedTuple):
    """A member: the struct it is in (empty for the object itself), its attribute, and the names of both."""

    struct: str
    attribute: str
    names: tuple[str, ...]


_EVENT = (
    _Place("", "event_time", ("eventTime",)),
    _Place("series", "last_observed_time", ("series", "lastObservedTime")),
)
_CANDIDATE = (
    _Place("spec", "ping_time", ("spec", "pingTime")),
    _Place("spec", "renew_time", ("spec", "renewTime")),
)
PLACES: dict[type[Any], tuple[_Place, ...]] = {
    coordination_v1.Lease: (
        _Place("spec", "acquire_time", ("spec", "acquireTime")),
        _Place("spec", "renew_time", ("spec", "renewTime")),
    ),
    coordination_v1alpha2.LeaseCandidate: _CANDIDATE,
    coordination_v1beta1.LeaseCandidate: _CANDIDATE,
    core_v1.Event: _EVENT,
    events_v1.Event: _EVENT,
}
"""By kind: where such instants are."""


def on_the_second(obj: Any, places: tuple[_Place, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The members that would be written too short: their names, and what to write."""
    for place in places:
        owner = getattr(obj, place.struct) if place.struct else obj
        instant: datetime | None = getattr(owner, place.attribute) if owner is not None else None
        if instant is not None and not instant.microsecond:
            yield place.names, rfc3339_micro(instant)
