"""Time zones, by the names of the IANA database."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def exists(name: str) -> bool:
    """Whether a zone has this name."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        return False
    return True
