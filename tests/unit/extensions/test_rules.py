"""The seam to validation rules: where they are evaluated, with which old value, within which budget."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from steersman.api import errors
from steersman.apiserver.extensions.structural import ABSENT, Budget, Compiler, RuleFault, compile_schema

SEEN = list[tuple[str, Any, Any]]


class Recorder:
    """Rules named ``fail`` and ``transition fail`` are broken; evaluating one costs 10."""

    def __init__(self) -> None:
        self.seen: SEEN = []
        self.resources: list[bool] = []

    def compile(self, schema: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], *, resource: bool) -> "Recorded":
        self.resources.append(resource)
        return Recorded(self, [rule["rule"] for rule in rules])


class Recorded:
    def __init__(self, recorder: Recorder, rules: list[str]) -> None:
        self.recorder = recorder
        self.rules = rules

    def evaluate(self, value: Any, old: Any, path: str, budget: Budget) -> Iterable[RuleFault]:
        self.recorder.seen.append((path, value, old))
        for rule in self.rules:
            budget.remaining -= 10
            if budget.remaining < 0:
                yield RuleFault(errors.FieldError(path, "FieldValueInvalid", "out of budget"), ratcheted=False)
                return
            transition = rule.startswith("transition")
            if "fail" in rule and not (transition and old is ABSENT):
                yield RuleFault(errors.invalid_value(path, "object", rule), ratcheted=not transition)


def ruled(schema: dict[str, Any], rule: str) -> dict[str, Any]:
    return schema | {"x-kubernetes-validations": [{"rule": rule}]}


S = {"type": "string"}
ENTRY = {"type": "object", "properties": {"name": S, "v": S}}
PROPERTIES = {
    "map": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": ruled(ENTRY, "ok"),
    },
    "list": {"type": "array", "items": ruled(S, "ok")},
    "free": {"type": "object", "additionalProperties": ruled(S, "ok")},
    "atomic": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": ruled(S, "ok")}},
}


def test_rules_are_evaluated_where_they_stand_with_what_corresponds() -> None:
    recorder = Recorder()
    schema = compile_schema(ruled({"type": "object", "properties": PROPERTIES}, "ok"), Compiler(recorder))
    old = {"map": [{"name": "a", "v": "1"}], "list": ["x"], "free": {"k": "1"}, "atomic": {"a": "1"}}
    new = {"map": [{"name": "b"}, {"name": "a"}], "list": ["x"], "free": {"k": "2"}, "atomic": {"a": "1"}}
    assert schema.validate_update(new, old) == []
    assert recorder.seen == [
        ("", new, old),
        ("map[0]", {"name": "b"}, ABSENT),
        ("map[1]", {"name": "a"}, {"name": "a", "v": "1"}),
        ("list[0]", "x", ABSENT),
        ("free[k]", "2", "1"),
        ("atomic.a", "1", ABSENT),
    ]
    assert recorder.resources.count(True) == 1  # the root alone is a resource


def test_broken_rules_are_told_unless_the_value_is_unchanged() -> None:
    part = {"type": "object", "properties": {"x": ruled(S, "fail"), "y": ruled(S, "transition fail")}}
    schema = compile_schema(ruled(part, "fail"), Compiler(Recorder()))
    assert [error.field for error in schema.validate({"x": "1", "y": "1"})] == ["<nil>", "x"]
    same = schema.validate_update({"x": "1", "y": "1"}, {"x": "1", "y": "1"})
    assert [error.field for error in same] == ["y"]
    other = schema.validate_update({"x": "2", "y": "1"}, {"x": "1", "y": "1"})
    assert [error.field for error in other] == ["<nil>", "x", "y"]


def test_rules_wait_for_types_and_sizes_to_be_right() -> None:
    recorder = Recorder()
    schema = compile_schema(
        {"type": "object", "properties": {"x": ruled(S, "fail"), "n": {"type": "integer", "minimum": 1}}},
        Compiler(recorder),
    )
    assert [str(error) for error in schema.validate({"x": 1})] == [
        'x: Invalid value: "integer": x in body must be of type string: "integer"',
        '<nil>: Invalid value: "null": some validation rules were not checked because the object was invalid; '
        "correct the existing errors to complete validation",
    ]
    assert recorder.seen == []
    assert [error.field for error in schema.validate({"x": "", "n": 0})] == ["n", "x"]


def test_an_exhausted_budget_ends_evaluation() -> None:
    recorder = Recorder()
    schema = compile_schema({"type": "object", "additionalProperties": ruled(S, "ok")}, Compiler(recorder))
    found = schema.validate(dict.fromkeys("abcdef", ""), budget=Budget(25))
    assert [error.message for error in found] == ["out of budget"]
    assert len(recorder.seen) == 3
