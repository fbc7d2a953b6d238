"""The validation rules of an object, at every place that has some."""

from __future__ import annotations

from typing import Any

import msgspec

from steersman.api.errors import FieldError

from .correlation import by_keys
from .findings import ABSENT, NOWHERE
from .kinds import same
from .nodes import Node
from .rules import Budget

_BLOCKING = frozenset(("FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"))

UNCHECKED = FieldError(
    NOWHERE,
    "FieldValueInvalid",
    'Invalid value: "null": some validation rules were not checked because the object was invalid; '
    "correct the existing errors to complete validation",
)


def blocked(errors: list[FieldError]) -> bool:
    """Whether an object is so wrong that its rules cannot be evaluated, or only at too high a cost."""
    return any(error.type in _BLOCKING for error in errors)


def evaluate(value: Any, old: Any, node: Node, budget: Budget, *, ratchet: bool = True) -> list[FieldError]:
    """The broken rules; ``old`` is ``ABSENT`` for an object that is created.

    ``ratchet``: what is as it was may break rules that are not about the change.
    """
    errors: list[FieldError] = []
    _evaluate(value, old, node, "", budget, errors, ratchet)
    return errors


def _evaluate(
    value: Any, old: Any, node: Node, path: str, budget: Budget, errors: list[FieldError], ratchet: bool
) -> None:
    if not node.has_rules or budget.remaining < 0:
        return
    if node.rules is not None:
        faults = list(node.rules.evaluate(value, old, path, budget))
        unchanged = ratchet and bool(faults) and old is not ABSENT and same(value, old)
        for fault in faults:
            if not (unchanged and fault.ratcheted):
                error = fault.error
                errors.append(error if error.field else msgspec.structs.replace(error, field=NOWHERE))
        if budget.remaining < 0:
            return
    if value.__class__ is dict:
        former = old if old.__class__ is dict and node.map_type in ("", "granular") else {}
        for name, each in value.items():
            member = node.properties.get(name)
            step = f"{path}.{name}" if path else name
            if member is None and node.additional is not None:
                member, step = node.additional, f"{path}[{name}]"
            if member is not None and member.has_rules:
                _evaluate(each, former.get(name, ABSENT), member, step, budget, errors, ratchet)
    elif value.__class__ is list and node.items is not None and node.items.has_rules:
        find = by_keys(old, node.keys if node.list_type == "map" else ())
        for index, each in enumerate(value):
            _evaluate(each, find(each), node.items, f"{path}[{index}]", budget, errors, ratchet)
