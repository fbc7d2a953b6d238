"""Numbers that tests give: what is none, or out of bounds, is refused where it is given."""

from __future__ import annotations

import math
from datetime import timedelta

from steersman.simulation.durations import parse_duration

__tracebackhide__ = True  # pytest shows what the test asked for


def whole(name: str, value: object, least: int = 0, most: float = math.inf) -> None:
    """Raises TypeError, ValueError for what is no whole number between these."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}, no whole number")
    _within(name, value, least, most)


def number(name: str, value: object, least: float = 0.0, most: float = math.inf) -> None:
    """Raises TypeError, ValueError for what is no number between these."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or math.isnan(value):
        raise TypeError(f"{name} is {value!r}, no number")
    _within(name, value, least, most)


def seconds(value: float | timedelta | str) -> float:
    """A span of time: seconds, a ``timedelta``, or as Go and Kubernetes write it, ``1h30m``.

    Raises TypeError, ValueError.
    """
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError:
            raise ValueError(
                f"{value!r} is no span of time: write such as '1h30m', '90s', seconds or a timedelta"
            ) from None
    number("a span of time", value, least=-math.inf)
    if math.isinf(value):
        raise ValueError(f"a span of time is {value}, which has no end")
    return value


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        bounds = f"at least {least:g}" if most == math.inf else f"{least:g} to {most:g}"
        raise ValueError(f"{name} is {value:g}: {bounds} is possible")
