"""Validation rules of schemas, on objects that are created and updated."""

import pytest

from steersman.apiserver.extensions.structural import Budget, compile_schema
from steersman.apiserver.extensions.structural import Compiler as SchemaCompiler
from steersman.apiserver.extensions.validation_rules import Compiler, field_path

COMPILER = SchemaCompiler(Compiler())
INT, STRING = {"type": "integer"}, {"type": "string"}


def schema(rules=(), **properties):
    spec = {"type": "object", "properties": properties}
    if rules:
        spec["x-kubernetes-validations"] = [{"rule": each} if isinstance(each, str) else each for each in rules]
    return compile_schema({"type": "object", "properties": {"spec": spec}}, COMPILER)


def told(errors):
    return [str(error) for error in errors]


def created(compiled, **spec):
    return told(compiled.validate({"spec": spec}))


def updated(compiled, old, **spec):
    return told(compiled.validate_update({"spec": spec}, {"spec": old}))


def test_a_broken_rule_is_told_with_its_text_or_its_message():
    plain = schema(["self.least <= self.replicas"], least=INT, replicas=INT)
    assert created(plain, least=1, replicas=2) == []
    assert created(plain, least=3, replicas=2) == ["spec: Invalid value: failed rule: self.least <= self.replicas"]
    worded = schema([{"rule": "self.least <= self.replicas", "message": " too few "}], least=INT, replicas=INT)
    assert created(worded, least=3, replicas=2) == ["spec: Invalid value: too few"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'only ' + string(self.replicas)", "only 2"),
        ("'two\\nlines'", "given"),
        ("'  '", "given"),
        ("string(1 / (self.replicas - 2))", "given"),
        ("'x'.replace('x', 'y') + self.missing", "given"),
    ],
)
def test_a_message_is_made_by_an_expression(expression, message):
    rule = {"rule": "self.replicas > 2", "messageExpression": expression, "message": "given"}
    assert created(schema([rule], replicas=INT), replicas=2) == [f"spec: Invalid value: {message}"]


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("FieldValueInvalid", "Invalid value: no"),
        ("FieldValueForbidden", "Forbidden: no"),
        ("FieldValueRequired", "Required value: no"),
        ("FieldValueDuplicate", "Duplicate value"),
    ],
)
def test_reason_and_field(reason, text):
    labels = {"type": "object", "additionalProperties": STRING}
    rule = {"rule": "false", "message": "no", "reason": reason, "fieldPath": ".labels['a.b']"}
    assert created(schema([rule], labels=labels), labels={}) == [f"spec.labels[a.b]: {text}"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (".a.b", "a.b"),
        (".a['b']", "a.b"),
        ("['a'].m['x\\'y']", "a.m[x'y]"),
        (".a.m['x\\'y']", "a.m[x'y]"),
        (".nowhere", None),
        (".a.items[0]", None),
        ("a", None),
    ],
)
def test_paths_of_fields(path, wanted):
    inner = {"type": "object", "properties": {"b": STRING, "m": {"type": "object", "additionalProperties": STRING}}}
    assert field_path(path, {"type": "object", "properties": {"a": inner}}) == wanted


@pytest.mark.parametrize(
    ("rule", "spec", "text"),
    [
        ("self.count / 0 == 1", {"count": 1}, "division by zero evaluating rule: self.count / 0 == 1"),
        ("self.count == 1", {}, "no such key: count evaluating rule: self.count == 1"),
        (
            "self.either > 1",
            {"either": "a"},
            "'no such overload': call arguments did not match a supported operator, function or macro signature for "
            "rule: self.either > 1",
        ),
        ("self.count", {"count": 1}, "rule compile error: cel expression must evaluate to a bool"),
    ],
)
def test_a_rule_that_cannot_be_evaluated(rule, spec, text):
    compiled = schema([rule], count=INT, either={"x-kubernetes-int-or-string": True})
    assert created(compiled, **spec) == [f'spec: Invalid value: "object": {text}']


def test_a_rule_that_does_not_compile():
    (error,) = created(schema(["self.nope == 1"], count=INT), count=1)
    assert error.startswith(
        'spec: Invalid value: "object": rule compile error: compilation failed: ERROR: <input>:1:5: undefined field'
    )


def test_transition_rules_need_what_was_before():
    compiled = schema(["self.count >= oldSelf.count"], count=INT)
    assert created(compiled, count=1) == []
    assert updated(compiled, {"count": 2}, count=1) == ["spec: Invalid value: failed rule: self.count >= oldSelf.count"]
    assert told(compiled.validate_update({"spec": {"count": 1}}, {})) == []


def test_a_transition_rule_may_do_without():
    rule = {
        "rule": "oldSelf.hasValue() ? self.count >= oldSelf.value().count : self.count == 0",
        "optionalOldSelf": True,
    }
    compiled = schema([rule], count=INT)
    assert created(compiled, count=0) == []
    assert len(created(compiled, count=1)) == 1
    assert updated(compiled, {"count": 0}, count=5) == []
    assert len(updated(compiled, {"count": 6}, count=5)) == 1


def test_elements_correspond_by_their_keys():
    item = {
        "type": "object",
        "properties": {"name": STRING, "size": INT},
        "x-kubernetes-validations": [{"rule": "self.size >= oldSelf.size"}],
    }
    disks = {
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    compiled = schema(disks=disks)
    old = {"disks": [{"name": "a", "size": 1}, {"name": "b", "size": 5}]}
    new = [{"name": "b", "size": 4}, {"name": "a", "size": 2}, {"name": "c", "size": 0}]
    assert updated(compiled, old, disks=new) == ["spec.disks[0]: Invalid value: failed rule: self.size >= oldSelf.size"]


def test_what_was_broken_before_is_let_be():
    compiled = schema(part={**INT, "x-kubernetes-validations": [{"rule": "self < 3"}]}, other=INT)
    assert updated(compiled, {"part": 7}, part=7, other=1) == []
    assert updated(compiled, {"part": 7}, part=8) == ["spec.part: Invalid value: 8: failed rule: self < 3"]


def test_rules_share_a_budget():
    numbers = {"type": "array", "items": INT}
    compiled = schema(["self.a.all(x, x == 1)", "self.a.size() > 0", "self.a.size() > 1"], a=numbers)
    budget = Budget(60)
    errors = compiled.validate({"spec": {"a": [1] * 15}}, budget=budget)
    exhausted = "validation failed due to running out of cost budget, no further validation rules will be run"
    assert told(errors) == [f'spec: Invalid value: "object": {exhausted}']
    assert budget.remaining < 0
    spent = Budget()
    assert compiled.validate({"spec": {"a": [1] * 15}}, budget=spent) == []
    assert 10_000_000 - 200 < spent.remaining < 10_000_000


def test_one_rule_may_not_cost_all():
    rule = "self.a.all(x, self.a.all(y, self.a.all(z, x + y + z > 0)))"
    compiled = schema([rule, "false"], a={"type": "array", "items": INT})
    assert created(compiled, a=[1] * 150) == [
        "spec: Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no further validation "
        f"rules will be run due to call cost exceeds limit for rule: {rule}"
    ]


def test_rules_of_the_root_see_names_only():
    rules = [{"rule": "self.metadata.name.startsWith('a') && self.kind == 'K'"}]
    compiled = compile_schema({"type": "object", "x-kubernetes-validations": rules}, COMPILER)
    meta = {"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "b"}}
    assert told(compiled.validate(meta)) == [f"<nil>: Invalid value: failed rule: {rules[0]['rule']}"]
    hidden = compile_schema(
        {"type": "object", "x-kubernetes-validations": [{"rule": "self.metadata.labels.size() > 0"}]}, COMPILER
    )
    assert "rule compile error" in told(hidden.validate(meta))[0]


def test_null_breaks_no_rule():
    part = {**INT, "nullable": True, "x-kubernetes-validations": [{"rule": "self > 3"}]}
    assert created(schema(part=part), part=None) == []
