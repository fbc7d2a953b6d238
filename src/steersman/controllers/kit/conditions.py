"""Conditions: what is said of an object at a glance (API conventions, "Typical status properties")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from steersman.api.time import now
from steersman.api.types.meta_v1 import Condition

C = TypeVar("C", bound=Any)


def condition(conditions: Iterable[C], type_: str) -> C | None:
    """The condition of a type, or None."""
    for item in conditions:
        if item.type == type_:
            return item
    return None


def is_true(conditions: Iterable[Any], type_: str) -> bool:
    """Whether the condition of a type is there, and holds."""
    found = condition(conditions, type_)
    return found is not None and found.status == "True"


def with_condition(
    conditions: Sequence[Condition], wanted: Condition, *, instant: datetime | None = None
) -> list[Condition]:
    """The conditions with this one in the place of that of its type.

    Its transition is now, unless its status is what it was.
    """
    present = condition(conditions, wanted.type)
    since = wanted.last_transition_time or instant or now()
    if present is not None and present.status == wanted.status:
        since = present.last_transition_time or since
    wanted = msgspec.structs.replace(wanted, last_transition_time=since)
    if present is None:
        return [*conditions, wanted]
    return [wanted if item is present else item for item in conditions]
