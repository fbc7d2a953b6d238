"""Instants as the API writes them: UTC, seconds for ``Time``, microseconds for ``MicroTime``."""

from __future__ import annotations

from datetime import UTC, datetime

from .clock import SYSTEM, Clock


def now(clock: Clock = SYSTEM) -> datetime:
    """The current instant with the resolution of the API's ``Time``."""
    return clock.now().replace(microsecond=0)


def now_micro(clock: Clock = SYSTEM) -> datetime:
    """The current instant for a ``MicroTime`` field; its microseconds are never zero, so they are always written."""
    instant = clock.now()
    return instant if instant.microsecond else instant.replace(microsecond=1)


def rfc3339(instant: datetime) -> str:
    """An instant as the API writes a ``Time``: ``2026-01-02T03:04:05Z``."""
    # Years before 1000 have four digits, too, which `strftime` does not know everywhere.
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def rfc3339_micro(instant: datetime) -> str:
    """An instant as the API writes a ``MicroTime``: ``2026-01-02T03:04:05.000006Z``."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_rfc3339(text: str) -> datetime:
    """Read an instant; raises ValueError where the text is none or lacks a zone."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return instant.astimezone(UTC)
