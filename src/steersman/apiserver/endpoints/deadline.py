"""How long a caller wants to wait: the ``timeout`` parameter, in Go's notation of durations."""

from __future__ import annotations

import re

from steersman.api.errors import bad_request
from steersman.apiserver.http.messages import Request

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TERM = re.compile(r"([0-9]*)(\.[0-9]*)?([^0-9.]*)")
_LONGEST = 2**63 / 1e9


class DurationError(ValueError):
    """A text that is no duration; the message is Go's."""


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``1m30s`` or ``-0.5h``."""
    quoted = f'"{text}"'
    invalid = DurationError(f"time: invalid duration {quoted}")
    sign, rest = (-1.0, text[1:]) if text[:1] == "-" else (1.0, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    if not rest or len(rest) > 1000:
        raise invalid
    total, position = 0.0, 0
    while position < len(rest):
        match = _TERM.match(rest, position)
        assert match is not None
        whole, fraction, unit = match.groups()
        if not whole and (fraction is None or fraction == "."):
            raise invalid
        if not unit:
            raise DurationError(f"time: missing unit in duration {quoted}")
        if unit not in _UNITS:
            raise DurationError(f'time: unknown unit "{unit}" in duration {quoted}')
        total += float(f"{whole or '0'}{fraction or ''}") * _UNITS[unit]
        position = match.end()
    if total > _LONGEST:
        raise invalid
    return sign * total


def deadline(request: Request) -> float | None:
    """The seconds that a request may take by its own word, None where it says nothing or no limit; raises 400."""
    if "timeout" not in request.query_string or not (text := request.parameter("timeout")):
        return None
    try:
        seconds = parse_duration(text)
    except DurationError as error:
        raise bad_request(f"invalid timeout specified in the request URL - {error}") from None
    return seconds if seconds > 0 else None
