"""Rules over data of a schema: types, names, kinds of lists, cost and its limits."""

import pytest

from steersman.cel import CompileError, CostExceeded, Environment, escape, from_schema, optional

SCHEMA = {
    "type": "object",
    "properties": {
        "minReplicas": {"type": "integer"},
        "replicas": {"type": "integer"},
        "items": {"type": "array", "items": {"type": "string"}},
        "when": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "a-b": {"type": "string"},
        "in": {"type": "string"},
        "port": {"x-kubernetes-int-or-string": True},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "map": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}},
        },
        "share": {"type": "number"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "matrix": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
    },
}
OBJECT = {
    "minReplicas": 1,
    "replicas": 2,
    "items": ["a", "b"],
    "when": "2024-01-01T00:00:00Z",
    "day": "2024-01-02",
    "a-b": "dash",
    "in": "word",
    "port": "80%",
    "set": ["a", "b"],
    "map": [{"k": "a", "v": 1}, {"k": "b", "v": 2}],
    "share": 1,
    "labels": {"k": "v"},
    "matrix": [[1], [2]],
    "metadata": {"name": "n"},
}
ENVIRONMENT = Environment({"self": from_schema(SCHEMA, resource=True)})


@pytest.mark.parametrize(
    "rule",
    [
        "self.minReplicas <= self.replicas && self.items.all(i, i.size() < 10)",
        "self.when.getFullYear() == 2024 && self.day > self.when",
        "self.a__dash__b == 'dash' && self.__in__ == 'word'",
        "self.port == '80%' && type(self.port) == string",
        "self.set == ['b', 'a'] && self.set + ['c', 'b'] == ['c', 'a', 'b']",
        "self.map + self.map == self.map",
        "self.share == 1.0 && self.share / 2.0 == 0.5",
        "self.labels.k == 'v' && has(self.labels.k) && !has(self.labels.z) && 'k' in self.labels",
        "self.?labels[?'z'].orValue('none') == 'none'",
        "self.matrix.all(row, row.size() == 1)",
        "self.labels.exists(k, v, v == 'v')",
        "self.metadata.name == 'n'",
    ],
)
def test_rule_holds(rule):
    assert ENVIRONMENT.compile(rule).evaluate({"self": OBJECT})[::2] == (True, None)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (
            "self.replicas < self.share && self.share > self.replicas && 1 < 2.5 && 2u >= 2",
            {"replicas": 1, "share": 1.5},
        ),
        ("!has(self.part.count) && has(self.part.text)", {"part": {"count": None, "text": "a"}}),
        ("!self.?part.?count.hasValue() && self.?part.text.hasValue()", {"part": {"count": None, "text": "a"}}),
        ("'a' in self.loose && type(self.loose['a']) == null_type && self.loose.size() == 1", {"loose": {"a": None}}),
        (
            "self.?when.orValue(timestamp('2000-01-01T00:00:00Z')).getFullYear() == 2024",
            {"when": "2024-05-05T00:00:00Z"},
        ),
        ("self.?a__dash__b.value() == 'x' && self.?a__dash__b == optional.of('x')", {"a-b": "x"}),
        ("self.namespace == 'n' && self.__namespace__ == 'n' && self.if == 1", {"namespace": "n", "if": 1}),
        ("self.port != 1 && self.port != ['a'] && (self.port == 1 || self.port == '1%')", {"port": "1%"}),
        ("type(self.port) == int ? self.port == 1 : double(self.port.replace('%', '')) == 1.0", {"port": "1%"}),
        ("self.loose == {'a': 'b'} && self.part == self.part", {"loose": {"a": "b"}, "part": {"text": "a"}}),
        ("self.parts.exists(p, p.count == 3) && !self.parts.all(p, p.count != 3)", {"parts": [{}, {"count": 3}]}),
        ("self.loose.map(k, self.loose[k]).exists(v, v == '1')", {"loose": {"@": "1"}}),
    ],
)
def test_rule_holds_for(rule, value):
    part = {
        "type": "object",
        "properties": {"count": {"type": "integer", "nullable": True}, "text": {"type": "string"}},
    }
    more = {
        "part": part,
        "parts": {"type": "array", "items": part},
        "loose": {"type": "object", "additionalProperties": {"type": "string", "nullable": True}},
        "namespace": {"type": "string"},
        "if": {"type": "integer"},
    }
    declared = from_schema(SCHEMA | {"properties": SCHEMA["properties"] | more})
    assert Environment({"self": declared}).compile(rule).evaluate({"self": value})[::2] == (True, None)


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("self.map.all(m, m.v == 9)", "no such key: v"),
        ("self.map.exists_one(m, m.v == 9)", "no such key: v"),
        ("self.map.filter(m, m.v == 9).size() == 1", "no such key: v"),
        ("self.labels['c'] == 'a'", "no such key: c"),
        ("self.items[100] == 'a'", "index out of bounds: 100"),
        ("self.a__dash__b == ''", "no such key: a__dash__b"),
    ],
)
def test_rule_fails(rule, error):
    value = {"map": [{"k": "a"}, {"k": "b", "v": 9}], "labels": {}, "items": []}
    assert str(ENVIRONMENT.compile(rule).evaluate({"self": value}).error) == error


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("self.labels == null", "found no matching overload for '_==_' applied to '(map(string, string), null)'"),
        ("self.metadata['name'] == 'a'", "found no matching overload for '_[_]'"),
        (
            "self.metadata == {'name': 'a'}",
            "found no matching overload for '_==_' applied to '(object, map(string, string))'",
        ),
        ("has(self.metadata.labels)", "undefined field 'labels'"),
        ("self.share == self.replicas", "found no matching overload for '_==_' applied to '(double, int)'"),
        ("self.nope", "compilation failed: ERROR: <input>:1:5: undefined field 'nope'\n | self.nope\n | ....^"),
        ("self.replicas", "must evaluate to bool but got int"),
        ("nope", "undeclared reference to 'nope' (in container '')"),
        ("self.replicas == 'a'", "found no matching overload for '_==_' applied to '(int, string)'"),
    ],
)
def test_rule_is_refused(rule, message):
    with pytest.raises(CompileError) as refused:
        ENVIRONMENT.compile(rule)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("rule", "cost"),
    [
        ("self.replicas == 2", 3),
        ("self.minReplicas < self.replicas", 5),
        ("[1, 2, 3].all(x, true)", 10),
        ("true || self.replicas / 0 == 1", 0),
        ("self.items[0] == 'a'", 4),
    ],
)
def test_cost_is_what_cel_go_counts(rule, cost):
    assert ENVIRONMENT.compile(rule).evaluate({"self": OBJECT}).cost == cost


def test_no_evaluation_costs_more_than_its_limit():
    rule = "self.items.all(a, self.items.all(b, self.items.all(c, a + b + c != '')))"
    result = ENVIRONMENT.compile(rule).evaluate({"self": {"items": ["x"] * 200}})
    assert isinstance(result.error, CostExceeded)
    assert str(result.error) == "operation cancelled: actual cost limit exceeded"
    assert 1_000_000 < result.cost < 1_000_100
    small = ENVIRONMENT.compile("self.items.all(a, a != '')")
    assert isinstance(small.evaluate({"self": OBJECT}, 5).error, CostExceeded)


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("a", "a"),
        ("a.b", "a__dot__b"),
        ("a/b-c", "a__slash__b__dash__c"),
        ("a__b", "a__underscores__b"),
        ("namespace", "__namespace__"),
        ("1a", None),
        ("a b", None),
    ],
)
def test_escape(name, escaped):
    assert escape(name) == escaped


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("oldSelf.?n.orValue(1) > self.n && oldSelf.optMap(o, o.t).orValue('') == 'oldSelf'", ""),
        ("self.oldSelf == 1 || self.?oldSelf.hasValue()", ""),
        ("self == oldSelf.orValue(self) || oldSelf == optional.none()", ""),
        ("oldSelf.?m.orValue(1) == 1", "1:8: undefined field 'm'"),
        (
            "oldSelf.orValue('x') == 'x'",
            "1:16: found no matching overload for 'orValue' applied to '(optional_type(object",
        ),
        ("self.n > oldSelf.n", "1:8: found no matching overload for '_>_' applied to '(int, optional_type(int))'"),
    ],
)
def test_what_was_before_has_a_type_where_it_may_be_absent(expression, told):
    integer = {"type": "integer"}
    declared = from_schema(
        {"type": "object", "properties": {"n": integer, "t": {"type": "string"}, "oldSelf": integer}}
    )
    environment = Environment({"self": declared, "oldSelf": optional(declared)})
    if not told:
        assert environment.compile(expression).uses("oldSelf") == (not expression.startswith("self.oldSelf"))
        return
    with pytest.raises(CompileError) as refused:
        environment.compile(expression)
    assert f"ERROR: <input>:{told}" in str(refused.value)
    assert expression in str(refused.value)
