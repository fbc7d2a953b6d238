"""``IntOrString``: numbers, percentages, and the names of ports."""

from __future__ import annotations

import re

_PERCENT = re.compile(r"([0-9]+)%", re.ASCII)


def percentage(value: int | str) -> int | None:
    """The number before the percent sign; None where the value is no percentage."""
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        return int(match[1])
    return None


def scaled(value: int | str | None, total: int, *, round_up: bool, default: int | str = 0) -> int:
    """An absolute number: the integer itself, or the percentage of ``total``.

    ``default`` stands for None.  Raises ValueError for a string that is no percentage.
    """
    if value is None:
        value = default
    if isinstance(value, int):
        return value
    percent = percentage(value)
    if percent is None:
        raise ValueError(f'invalid value for IntOrString: invalid type: string is not a percentage: "{value}"')
    product = percent * total
    return -(-product // 100) if round_up else product // 100
