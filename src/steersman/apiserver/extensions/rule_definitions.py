"""What is wrong with the validation rules of a definition: their expressions, and what they may cost (KEP-2876).

A rule below lists and maps is multiplied by how many elements those may have; where one of them has no limit, by how
many of such values a request could hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from steersman.api import errors
from steersman.api.errors import FieldError
from steersman.cel import REQUEST, STATIC_LIMIT, STATIC_TOTAL_LIMIT, exceeds, from_schema

from .validation_rules import Compiler, Rule

_MOST_EXPENSIVE = 4
_ENTIRE = "for entire OpenAPIv3 schema"
_TOTAL = f"x-kubernetes-validations estimated rule cost total {_ENTIRE}"
_CONTRIBUTED = f"contributed to estimated rule cost total exceeding cost limit {_ENTIRE}"
_FIELDS = {
    "Rule": "rule",
    "Message": "message",
    "MessageExpression": "messageExpression",
    "Reason": "reason",
    "FieldPath": "fieldPath",
    "OptionalOldSelf": "optionalOldSelf",
}


class _Place(NamedTuple):
    schema: Mapping[str, Any]
    path: str
    times: int | None = 1
    """How many of such values one object may have at most, ``None`` for no limit."""
    apart: str = ""
    """The path within which no value corresponds to an old one."""
    root: bool = False


class _Cost(NamedTuple):
    path: str
    cost: int


def faults(schema: Mapping[str, Any], path: str) -> list[FieldError]:
    """All faults of the rules of a schema, which is structural; ``path`` is its own."""
    found: list[FieldError] = []
    costs: list[_Cost] = []
    compiler = Compiler()
    for place in _places(_Place(schema, path, root=True)):
        if place.schema.get("x-kubernetes-validations"):
            _check(place, compiler, found, costs)
    total = sum(each.cost for each in costs)
    if total > STATIC_TOTAL_LIMIT:
        expensive = sorted(
            (each for each in costs if each.cost >= STATIC_TOTAL_LIMIT // 100), key=lambda each: -each.cost
        )
        found += [errors.forbidden_field(each.path, _CONTRIBUTED) for each in expensive[:_MOST_EXPENSIVE]]
        found.append(errors.forbidden_field(path, exceeds(total, STATIC_TOTAL_LIMIT, _TOTAL) or ""))
    return found


def _places(place: _Place) -> Iterator[_Place]:
    yield place
    schema, path, count = place.schema, place.path, place.times
    atomic_map = schema.get("x-kubernetes-map-type") == "atomic"
    apart = place.apart or (path if atomic_map else "")
    if isinstance(items := schema.get("items"), Mapping):
        alone = "" if schema.get("x-kubernetes-list-type") == "map" else path
        inside = place.apart or alone
        yield from _places(_Place(items, f"{path}.items", _times(count, schema.get("maxItems")), inside))
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        many = _times(count, schema.get("maxProperties"))
        yield from _places(_Place(values, f"{path}.additionalProperties", many, apart))
    for name, member in (schema.get("properties") or {}).items():
        yield from _places(_Place(member, f"{path}.properties[{name}]", count, apart))


def _times(count: int | None, limit: int | None) -> int | None:
    return None if count is None or limit is None else count * max(limit, 0)


def _check(place: _Place, compiler: Compiler, found: list[FieldError], costs: list[_Cost]) -> None:
    schema = place.schema
    resource = place.root or bool(schema.get("x-kubernetes-embedded-resource"))
    given = schema["x-kubernetes-validations"]
    rules = compiler.compile(schema, given, resource=resource)
    where = f"{place.path}.x-kubernetes-validations"
    if rules.fault:
        found.append(errors.invalid_value(where, "", rules.fault))
        return
    declared = from_schema(schema, resource=resource)
    least = declared.least if declared is not None else 0
    count = place.times if place.times is not None else REQUEST // (least + 1)
    for index, (rule, written) in enumerate(zip(rules.rules, given, strict=True)):
        _check_rule(rule, written, f"{where}[{index}]", count, place.apart, found, costs)


def _check_rule(
    rule: Rule,
    written: Mapping[str, Any],
    where: str,
    count: int,
    apart: str,
    found: list[FieldError],
    costs: list[_Cost],
) -> None:
    if rule.error:
        found.append(errors.invalid_value(f"{where}.rule", _shown(written), rule.error))
    if rule.program is None:
        return
    cost = rule.program.estimate() * count
    if told := exceeds(cost):
        found.append(errors.forbidden_field(f"{where}.rule", told))
    costs.append(_Cost(f"{where}.rule", cost))
    if rule.message_error:
        found.append(errors.invalid_value(f"{where}.messageExpression", _shown(written), rule.message_error))
    elif rule.message_program is not None:
        cost = rule.message_program.estimate()
        if told := exceeds(cost, STATIC_LIMIT, "estimated messageExpression cost"):
            found.append(errors.forbidden_field(f"{where}.messageExpression", told))
        costs.append(_Cost(f"{where}.messageExpression", cost))
    if rule.uses_old and apart:
        detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {apart}"
        found.append(errors.invalid_value(f"{where}.rule", rule.text, detail))
    elif not rule.uses_old and written.get("optionalOldSelf") is not None:
        detail = "may not be set if oldSelf is not used in rule"
        found.append(errors.invalid_value(f"{where}.optionalOldSelf", written["optionalOldSelf"], detail))


def _shown(written: Mapping[str, Any]) -> dict[str, Any]:
    """A rule as messages show it: with the names of upstream's own type."""
    optional = ("reason", "optionalOldSelf")
    return {name: written.get(field, None if field in optional else "") for name, field in _FIELDS.items()}
