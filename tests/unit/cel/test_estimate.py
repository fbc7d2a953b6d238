"""What rules are estimated at, and that none costs more than its estimate."""

import pytest

from steersman.apiserver.extensions.cel import Environment, exceeds, from_schema


def environment(items=None, length=None):
    texts = {"type": "array", "items": {"type": "string"} | ({"maxLength": length} if length else {})}
    properties = {"items": texts | ({"maxItems": items} if items else {}), "count": {"type": "integer"}}
    return Environment({"self": from_schema({"type": "object", "properties": properties})})


@pytest.mark.parametrize(
    ("rule", "most"),
    [
        ("self.count == 2", 3),
        ("true || self.count > 1", 3),
        ("self.count > 1 ? self.count == 1 : true", 6),
        ("self.items.all(i, true)", 2 + 10 * 3 + 1),
        ("self.items.all(i, i.startsWith('ab'))", 2 + 10 * 5 + 1),
        ("self.items.isSorted()", 12),
    ],
)
def test_estimate(rule, most):
    assert environment(10, 20).compile(rule).estimate() == most


@pytest.mark.parametrize(
    "rule",
    [
        "self.items.all(i, i.contains('abcabcabcabc') || i.matches('a+') || i == 'x')",
        "self.items.map(i, i + i).exists(i, i.size() > 3)",
        "self.items.filter(i, i in self.items).size() == 10",
        "self.items.all(i, self.items.exists(j, i.replace('a', 'b') == j.upperAscii()))",
        "[1, 2].all(i, v, self.items.join(',').find('x*') != '')",
    ],
)
def test_no_rule_costs_more_than_estimated(rule):
    program = environment(10, 20).compile(rule)
    for length in (0, 1, 20):
        assert program.evaluate({"self": {"items": ["a" * length] * 10, "count": 1}}).cost <= program.estimate()


def test_rules_without_bounds_are_refused():
    rule = "self.items.all(i, self.items.all(j, i != j))"
    assert exceeds(environment(10, 20).compile(rule).estimate()) is None
    assert exceeds(environment().compile(rule).estimate()).startswith(
        "estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule"
    )
    assert "factor of 1.5x" in exceeds(15_000_000)
