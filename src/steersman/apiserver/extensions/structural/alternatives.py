"""``allOf``, ``anyOf``, ``oneOf`` and ``not``.

Null passes: whether it is allowed is for the type to say.  Where no alternative holds, the faults of that one are
told with which the value has most in common, by a count of what was looked at and found well (as go-openapi does it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .findings import Check, Finding, Found, add, whole
from .kinds import is_number, kind

Branch = tuple[Check | None, Mapping[str, Any]]
"""An alternative: what checks it, and its schema."""


def all_of(branches: Sequence[Branch]) -> Check:
    """Every one must hold."""
    checks = [check for check, _ in branches if check is not None]
    free = len(branches) - len(checks)

    def judge(value: Any, old: Any) -> Found:
        if value is None:
            return None
        found: Found = None
        valid = free
        for check in checks:
            inner = check(value, old)
            if inner is None:
                valid += 1
            else:
                found = inner if found is None else found + inner
        if found is None:
            return None
        none = "" if valid else ". None validated"
        return add(found, whole(lambda name: f"{name} must validate all the schemas (allOf){none}"))

    return judge


def any_of(branches: Sequence[Branch]) -> Check | None:
    """One must hold, at least."""
    if any(check is None for check, _ in branches):
        return None
    texts = any(schema == {"type": "string"} for _, schema in branches)  # as nearly all have it

    def judge(value: Any, old: Any) -> Found:
        if value is None or (texts and value.__class__ is str):
            return None
        failed: list[list[Finding]] = []
        for check, _ in branches:
            inner = check(value, old) if check is not None else None
            if inner is None:
                return None
            failed.append(inner)
        found = add(None, whole(lambda name: f"{name} must validate at least one schema (anyOf)"))
        return found + _nearest(branches, failed, value)

    return judge


def one_of(branches: Sequence[Branch]) -> Check:
    """Exactly one must hold."""

    def judge(value: Any, old: Any) -> Found:
        if value is None:
            return None
        failed: list[list[Finding]] = []
        for check, _ in branches:
            if check is not None and (inner := check(value, old)) is not None:
                failed.append(inner)
        valid = len(branches) - len(failed)
        if valid == 1:
            return None
        why = f"Found {valid} valid alternatives" if valid else "Found none valid"
        found = add(None, whole(lambda name: f"{name} must validate one and only one schema (oneOf). {why}"))
        return found if valid else found + _nearest(branches, failed, value)

    return judge


def not_(check: Check | None) -> Check:
    """May not hold."""

    def judge(value: Any, old: Any) -> Found:
        if value is None:
            return None
        if check is not None and check(value, old) is not None:
            return None
        return add(None, whole(lambda name: f"{name} must not validate the schema (not)"))

    return judge


def _nearest(branches: Sequence[Branch], failed: list[list[Finding]], value: Any) -> list[Finding]:
    scores = [_score(schema, value) for _, schema in branches]
    return failed[scores.index(max(scores))]


def _score(schema: Mapping[str, Any], value: Any) -> int:
    """How much of a value a schema has something to say about that is well."""
    types = ("integer", "string") if schema.get("x-kubernetes-int-or-string") else (schema.get("type"),)
    typed = types != (None,)
    fits = not typed or kind(value) in types or (kind(value) == "integer" and "number" in types)
    if value is None:
        return int(not typed or bool(schema.get("nullable")))
    total = 4 + (1 + fits if typed else 0)
    for name, best in (("anyOf", True), ("oneOf", True), ("allOf", False)):
        scores = [_score(each, value) for each in schema.get(name) or ()]
        if scores:
            total += max(scores) if best else sum(scores)
    if isinstance(value, str):
        total += 1
    elif is_number(value):
        total += 2
    elif isinstance(value, list):
        items = schema.get("items")
        total += 2 + (sum(_score(items, each) for each in value) if items else 0)
    elif isinstance(value, dict):
        properties = schema.get("properties") or {}
        total += 1 + sum(_score(properties[name], each) for name, each in value.items() if name in properties)
    return total
