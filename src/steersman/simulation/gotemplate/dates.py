"""The functions of sprig that deal with time; instants are RFC 3339's texts, or seconds since 1970."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from steersman.simulation.durations import parse_duration

_DIRECTIVES = {
    "2006": "%Y", "06": "%y", "January": "%B", "Jan": "%b", "01": "%m", "1": "%m", "Monday": "%A", "Mon": "%a",
    "02": "%d", "_2": "%d", "2": "%d", "15": "%H", "03": "%I", "3": "%I", "04": "%M", "4": "%M", "05": "%S", "5": "%S",
    "PM": "%p", "MST": "%Z", "Z07:00": "%z", "-07:00": "%z", "-0700": "%z", "%": "%%",
}  # fmt: skip
"""The elements of Go's layouts."""

_ELEMENT = re.compile("January|Jan(?![a-z])|Monday|Mon(?![a-z])|Z07:00|-07:00|-0700|MST|2006|PM|15|0[1-6]|_2|[1-5]|%")

_ROUNDED = (("y", 365 * 86400), ("mo", 30 * 86400), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def _instant(value: Any) -> datetime:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return datetime.fromtimestamp(int(value), UTC)


def _told(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _told_by(instant: datetime) -> Callable[[re.Match[str]], str]:
    """What an element of a layout is written as."""

    def element(found: re.Match[str]) -> str:
        name = found[0]
        shown = instant.strftime(_DIRECTIVES[name])
        if name in ("Z07:00", "-07:00"):
            return "Z" if name[0] == "Z" and not instant.utcoffset() else f"{shown[:3]}:{shown[3:]}"
        if name == "_2":
            return shown.lstrip("0").rjust(2)
        return (shown.lstrip("0") or "0") if len(name) == 1 else shown

    return element


def date(layout: str, instant: Any, zone: str = "UTC") -> str:
    """As Go's layouts say."""
    return _ELEMENT.sub(_told_by(_instant(instant).astimezone(ZoneInfo(zone))), layout)


def _modified(change: str, instant: Any) -> str:
    return _told(_instant(instant) + timedelta(seconds=parse_duration(change)))


def _parsed(layout: str, text: str) -> str:
    instant = datetime.strptime(text, _ELEMENT.sub(lambda found: _DIRECTIVES[found[0]], layout))
    return _told(instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC))


def duration(value: Any) -> str:
    """So many seconds, as Go writes them."""
    left = int(value)
    if not left:
        return "0s"
    sign, left = ("-", -left) if left < 0 else ("", left)
    hours, minutes, rest = left // 3600, left % 3600 // 60, left % 60
    return sign + (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest}s"


def _rounded(value: Any) -> str:
    """In the greatest unit of which it is more than one, as sprig has it: an hour is 60m."""
    left = abs(parse_duration(value) if isinstance(value, str) else float(value))
    return next((f"{int(left // size)}{unit}" for unit, size in _ROUNDED if left > size), "0s")


DATES: dict[str, Callable[..., Any]] = {
    "date": lambda layout, instant: date(layout, instant),
    "dateInZone": date,
    "htmlDate": lambda instant: date("2006-01-02", instant),
    "dateModify": _modified,
    "mustDateModify": _modified,
    "toDate": _parsed,
    "mustToDate": _parsed,
    "unixEpoch": lambda instant: str(int(_instant(instant).timestamp())),
    "duration": duration,
    "durationRound": _rounded,
}
