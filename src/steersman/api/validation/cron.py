"""The grammar of cron schedules: five fields, or a descriptor such as ``@daily``."""

from __future__ import annotations

import re

from . import zones

_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: index + 1 for index, name in enumerate(_MONTHS)}),
    (0, 6, {name: index for index, name in enumerate(_DAYS)}),
)
_DURATION = re.compile(r"[-+]?(0|([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_MOST = 1 << 63


def fault(schedule: str) -> str:
    """What is wrong with a schedule; empty when nothing is.  The words are those of ``robfig/cron``."""
    text = schedule
    if text.startswith(("TZ=", "CRON_TZ=")):
        zone, _, text = text.partition(" ")
        text = text.strip()
        name = zone.partition("=")[2]
        if not zones.exists(name):
            return f"provided bad location {name}: unknown time zone {name}"
    if text.startswith("@"):
        return _descriptor_fault(text)
    fields = text.split()
    if len(fields) != len(_BOUNDS):
        return f"expected exactly {len(_BOUNDS)} fields, found {len(fields)}: [{' '.join(fields)}]"
    for field, (low, high, aliases) in zip(fields, _BOUNDS, strict=True):
        for part in filter(None, field.split(",")):
            if found := _range_fault(part, low, high, aliases):
                return found
    return ""


def _descriptor_fault(text: str) -> str:
    if text in _DESCRIPTORS:
        return ""
    if not text.startswith("@every "):
        return f"unrecognized descriptor: {text}"
    duration = text.removeprefix("@every ")
    if _DURATION.fullmatch(duration):
        return ""
    return f"failed to parse duration {text}: time: invalid duration {_quoted(duration)}"


class _Malformed(Exception):
    """A number that is none."""


def _number(text: str, aliases: dict[str, int]) -> int:
    if (alias := aliases.get(text.lower())) is not None:
        return alias
    sign, digits = text[:1] in ("+", "-"), text.lstrip("+-") if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()):
        raise _Malformed(f"failed to parse int from {text}: strconv.Atoi: parsing {_quoted(text)}: invalid syntax")
    number = -int(digits) if sign and text[0] == "-" else int(digits)
    if not -_MOST <= number < _MOST:
        raise _Malformed(f"failed to parse int from {text}: strconv.Atoi: parsing {_quoted(text)}: value out of range")
    if number < 0:
        raise _Malformed(f"negative number ({number}) not allowed: {text}")
    return number


def _range_fault(expression: str, low: int, high: int, aliases: dict[str, int]) -> str:
    """One of a field's ranges: ``*``, ``5``, ``MON-FRI``, perhaps with a step; ``5/2`` goes up to the end."""
    span, *steps = expression.split("/")
    limits = span.split("-")
    try:
        if limits[0] in ("*", "?"):
            start, end = low, high
        else:
            start = _number(limits[0], aliases)
            if len(limits) > 2:
                return f"too many hyphens: {expression}"
            end = _number(limits[1], aliases) if len(limits) > 1 else start
        if len(steps) > 1:
            return f"too many slashes: {expression}"
        step = _number(steps[0], {}) if steps else 1
    except _Malformed as error:
        return str(error)
    if steps and len(limits) == 1:
        end = high
    if start < low:
        return f"beginning of range ({start}) below minimum ({low}): {expression}"
    if end > high:
        return f"end of range ({end}) above maximum ({high}): {expression}"
    if start > end:
        return f"beginning of range ({start}) beyond end of range ({end}): {expression}"
    return f"step of range should be a positive number: {expression}" if step == 0 else ""


def _quoted(text: str) -> str:
    return f'"{text}"'
