"""Sets of a Job's indexes as text: ``1,3-5,7``."""

from __future__ import annotations

from collections.abc import Iterator

from steersman.api import errors


def count(text: str, completions: int) -> int:
    """How many indexes a text has; ValueError says what is wrong with it."""
    return sum(last - first + 1 for first, last in _ordered(text, completions))


def _ordered(text: str, completions: int) -> Iterator[tuple[int, int]]:
    previous: int | None = None
    for fragment in text.split(",") if text else ():
        first, last = _interval(fragment, completions)
        if previous is not None and previous >= first:
            raise ValueError(f"non-increasing order, previous: {previous}, current: {first}")
        yield first, last
        previous = last


def _interval(fragment: str, completions: int) -> tuple[int, int]:
    parts = fragment.split("-")
    if len(parts) > 2:
        raise ValueError(
            f"the fragment {errors.go_value(fragment)} violates the requirement that an index interval can have at "
            "most two parts separated by '-'"
        )
    numbers = []
    for part in parts:
        if not (part.isascii() and part.removeprefix("+").isdigit()):
            raise ValueError(f"cannot convert string to integer for index: {errors.go_value(part)}")
        if int(part) >= completions:
            raise ValueError(f"too large index: {errors.go_value(part)}")
        numbers.append(int(part))
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise ValueError(f"non-increasing order, previous: {numbers[0]}, current: {numbers[1]}")
    return numbers[0], numbers[-1]


def overlap(one: str, other: str, completions: int) -> int | None:
    """The first index that two texts share; what is malformed in them is passed over."""
    left, right = _valid(one, completions), _valid(other, completions)
    here, there = next(left, None), next(right, None)
    while here is not None and there is not None:
        if here[0] <= there[1] and there[0] <= here[1]:
            return max(here[0], there[0])
        if here[0] <= there[0]:
            here = next(left, None)
        else:
            there = next(right, None)
    return None


def _valid(text: str, completions: int) -> Iterator[tuple[int, int]]:
    for fragment in text.split(",") if text else ():
        try:
            yield _interval(fragment, completions)
        except ValueError:
            continue
