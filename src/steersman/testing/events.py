"""The cluster's events, as lines for people."""

from __future__ import annotations

from collections.abc import Iterable

from steersman.api.types.core_v1 import Event


def lines(events: Iterable[Event], most: int) -> list[str]:
    """The newest of the events, oldest first, a line each: type, reason, object, message, how often."""
    return [_line(event) for event in sorted(events, key=_instant)[-most:]]


def _instant(event: Event) -> tuple[str, int]:
    instant = event.last_timestamp or event.event_time or event.first_timestamp or event.metadata.creation_timestamp
    return str(instant or ""), int(event.metadata.resource_version or 0)


def _line(event: Event) -> str:
    about = event.involved_object
    where = f"{about.namespace}/{about.name}" if about.namespace else about.name
    times = (event.series.count if event.series else None) or event.count or 1
    often = f" (x{times})" if times > 1 else ""
    return f"{event.type:<8}{event.reason:<20} {about.kind.lower()} {where}: {event.message.strip()}{often}"
