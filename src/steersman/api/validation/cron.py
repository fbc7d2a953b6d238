"""The grammar of cron schedules: five fields, or a descriptor such as ``@daily``."""

from __future__ import annotations

import re

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
_EVERY = re.compile(r"@every ([0-9.]+(ns|us|µs|ms|s|m|h))+", re.ASCII)


def fault(schedule: str) -> str:
    """What is wrong with a schedule; empty when nothing is."""
    text = schedule.strip()
    if text.startswith("@"):
        known = text in _DESCRIPTORS or _EVERY.fullmatch(text)
        return "" if known else f"unrecognized descriptor: {text}"
    fields = text.split()
    if fields and fields[0].startswith(("TZ=", "CRON_TZ=")):
        fields = fields[1:]
    if len(fields) != 5:
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    for field, (low, high, aliases) in zip(fields, _BOUNDS, strict=True):
        for part in field.split(","):
            if found := _range(part, low, high, aliases):
                return found
    return ""


def _number(text: str, aliases: dict[str, int]) -> int | None:
    if text.lower() in aliases:
        return aliases[text.lower()]
    return int(text) if text.isascii() and text.isdigit() else None


def _range(expression: str, low: int, high: int, aliases: dict[str, int]) -> str:
    span, slash, step = expression.partition("/")
    if "/" in step:
        return f"too many slashes: {expression}"
    if slash:
        size = _number(step, {})
        if size is None:
            return f"failed to parse int from {step}: strconv.Atoi: parsing {_quoted(step)}: invalid syntax"
        if size == 0:
            return f"step of range should be a positive number: {expression}"
    if span in ("*", "?"):
        return ""
    first, dash, last = span.partition("-")
    if "-" in last:
        return f"too many hyphens: {expression}"
    for text in (first, last) if dash else (first,):
        if _number(text, aliases) is None:
            return f"failed to parse int from {text}: strconv.Atoi: parsing {_quoted(text)}: invalid syntax"
    start = _number(first, aliases) or 0
    end = (_number(last, aliases) or 0) if dash else start
    if start < low:
        return f"beginning of range ({start}) below minimum ({low}): {expression}"
    if end > high:
        return f"end of range ({end}) above maximum ({high}): {expression}"
    if start > end:
        return f"beginning of range ({start}) beyond end of range ({end}): {expression}"
    return ""


def _quoted(text: str) -> str:
    return f'"{text}"'
