"""What is wrong with the rules of definitions, in upstream's words."""

import pytest

from steersman.apiserver.extensions.rule_definitions import faults

ROOT = "spec.validation.openAPIV3Schema"
ADVICE = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings "
    "are declared)"
)
WHOLE = "for entire OpenAPIv3 schema"


def told(**properties):
    schema = {"type": "object", "properties": properties}
    return [str(fault) for fault in faults(schema, ROOT)]


def ruled(schema, *rules):
    return schema | {"x-kubernetes-validations": [{"rule": each} if isinstance(each, str) else each for each in rules]}


NUMBERS = {"type": "array", "items": {"type": "integer"}}
QUADRATIC = "self.all(x, self.all(y, true))"
PLACE = f"{ROOT}.properties[x].x-kubernetes-validations[0]"


def test_a_rule_without_bounds_is_refused():
    first, second, third = told(x=ruled(NUMBERS, QUADRATIC), y=ruled({"type": "integer"}, "self > 3"))
    assert first == f"{PLACE}.rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x {ADVICE}"
    assert second == f"{PLACE}.rule: Forbidden: contributed to estimated rule cost total exceeding cost limit {WHOLE}"
    assert third == (
        f"{ROOT}: Forbidden: x-kubernetes-validations estimated rule cost total {WHOLE} "
        f"exceeds budget by factor of more than 100x {ADVICE}"
    )
    assert told(x=ruled(NUMBERS | {"maxItems": 100}, QUADRATIC)) == []


def test_a_rule_counts_for_each_element():
    inner = ruled({"type": "string", "maxLength": 1000}, "self.contains('keyword')")
    assert told(x={"type": "array", "maxItems": 10, "items": inner}) == []
    unbounded = told(x={"type": "array", "items": inner})
    assert unbounded[0].startswith(
        f"{ROOT}.properties[x].items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by"
    )
    assert told(x={"type": "object", "maxProperties": 5, "additionalProperties": inner}) == []


@pytest.mark.parametrize(
    ("rule", "start"),
    [
        ({"rule": "self.y == 1"}, "rule: Invalid value: "),
        ({"rule": "'a'"}, "rule: Invalid value: "),
        ({"rule": "oldSelf.?y.orValue(1) == 1", "optionalOldSelf": True}, "rule: Invalid value: "),
        ({"rule": "true", "messageExpression": "1"}, "messageExpression: Invalid value: "),
        ({"rule": "true", "messageExpression": "self.y"}, "messageExpression: Invalid value: "),
        (
            {"rule": "true", "optionalOldSelf": True},
            "optionalOldSelf: Invalid value: true: may not be set if oldSelf",
        ),
    ],
)
def test_an_expression_that_is_none(rule, start):
    (fault,) = told(x=ruled({"type": "object"}, rule))
    assert fault.startswith(f"{PLACE}.{start}")


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        ({"rule": "'a'"}, "cel expression must evaluate to a bool"),
        ({"rule": "true", "messageExpression": "1"}, "messageExpression must evaluate to a string"),
    ],
)
def test_an_expression_of_another_type(rule, end):
    (fault,) = told(x=ruled({"type": "object"}, rule))
    assert fault.endswith(end)


def test_transition_rules_need_values_that_correspond():
    item = ruled({"type": "object", "properties": {"k": {"type": "string"}}}, "self == oldSelf")
    listed = {"type": "array", "maxItems": 9, "items": item}
    detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {ROOT}.properties[x]"
    assert any(fault.endswith(detail) for fault in told(x=listed))
    by_key = listed | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    assert not any(fault.endswith(detail) for fault in told(x=by_key))


def test_texts_that_are_made_count_as_unbounded():
    """As upstream's issue 124234 has it, and what its users do instead."""
    number = {"type": "object", "properties": {"n": {"type": "integer"}}}
    for expression, count in (("'n: ' + string(self.n)", 3), ("'n: %d'.format([self.n])", 0)):
        found = told(x=ruled(number, {"rule": "self.n >= 0", "messageExpression": expression}))
        assert len(found) == count
        assert not found or ".messageExpression: Forbidden: estimated messageExpression cost exceeds budget" in found[0]


def test_a_schema_that_rules_cannot_see():
    (fault,) = told(x=ruled({"type": "array", "items": {}}, "true"))
    assert "rule declared on schema that does not support validation rules type: 'array'" in fault
