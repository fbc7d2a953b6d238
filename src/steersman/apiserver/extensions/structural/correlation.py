"""Which old value a value corresponds to (KEP-4008): members by their names, elements of map lists by their keys.

Elements of other lists correspond to nothing; such a list is a unit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .findings import ABSENT
from .kinds import identity


def _nothing(_: Any) -> Any:
    return ABSENT


def by_keys(old: Any, keys: tuple[str, ...]) -> Callable[[Any], Any]:
    """What finds the old element for a new one."""
    if not keys or not isinstance(old, list):
        return _nothing
    former: dict[Any, Any] = {}
    for element in old:
        if isinstance(element, dict):
            former.setdefault(_key(element, keys), element)

    def find(element: Any) -> Any:
        return former.get(_key(element, keys), ABSENT) if isinstance(element, dict) else ABSENT

    return find


def _key(element: dict[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(identity(element[key]) if key in element else ABSENT for key in keys)
