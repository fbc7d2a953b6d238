"""Updates: what was wrong before and did not change is not told again (KEP-4008)."""

from typing import Any

from steersman.apiserver.extensions.structural import compile_schema

S: dict[str, Any] = {"type": "string"}
SHORT = S | {"maxLength": 2}
ENTRY = {"type": "object", "properties": {"name": S, "value": SHORT}}
SCHEMA = compile_schema(
    {
        "type": "object",
        "properties": {
            "plain": SHORT,
            "other": SHORT,
            "nested": {"type": "object", "properties": {"a": SHORT, "b": S}, "required": ["c"]},
            "byKey": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": ENTRY,
            },
            "atomic": {"type": "array", "items": SHORT},
            "set": {"type": "array", "items": S, "x-kubernetes-list-type": "set"},
            "free": {"type": "object", "additionalProperties": SHORT},
            "either": {"type": "object", "properties": {"x": SHORT}, "anyOf": [{"properties": {"x": {"enum": ["a"]}}}]},
        },
    }
)


def fields(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [error.field for error in SCHEMA.validate_update(new, old)]


def test_unchanged_values_are_not_told() -> None:
    assert fields({"plain": "long"}, {"plain": "long", "other": "ok"}) == []
    assert fields({"plain": "long"}, {"plain": "longer"}) == ["plain"]
    assert fields({"plain": "long"}, {"plain": "long", "other": "long"}) == ["other"]


def test_a_missing_member_is_told_once_its_object_changes() -> None:
    assert fields({"nested": {"b": "1"}}, {"nested": {"b": "1"}, "other": "x"}) == []
    assert fields({"nested": {"b": "1"}}, {"nested": {"b": "2"}}) == ["nested.c"]
    assert fields({"nested": {"a": "long", "c": 1}}, {"nested": {"a": "long", "b": "2", "c": 1}}) == []


def test_elements_of_map_lists_correspond_by_key() -> None:
    old = {"byKey": [{"name": "a", "value": "long"}, {"name": "b", "value": "ok"}]}
    assert fields(old, {"byKey": [{"name": "b", "value": "ok"}, {"name": "a", "value": "long"}]}) == []
    assert fields(old, {"byKey": [{"name": "c", "value": "long"}, {"name": "a", "value": "long"}]}) == [
        "byKey[0].value"
    ]


def test_other_lists_are_units() -> None:
    assert fields({"atomic": ["long"]}, {"atomic": ["long"], "other": "x"}) == []
    assert fields({"atomic": ["long"]}, {"atomic": ["long", "x"]}) == ["atomic[0]"]


def test_members_of_maps_correspond_by_name() -> None:
    assert fields({"free": {"a": "long"}}, {"free": {"a": "long", "b": "x"}}) == []
    assert fields({"free": {"a": "long"}}, {"free": {"b": "long"}}) == ["free.b"]


def test_true_is_not_one() -> None:
    assert fields({"plain": 1}, {"plain": True}) == ["plain"]


def test_duplicates_are_told_only_where_there_were_none() -> None:
    assert fields({"set": ["a", "a"]}, {"set": ["a", "a", "b", "b"]}) == []
    assert fields({"set": ["a"]}, {"set": ["a", "a"]}) == ["set[1]"]


def test_alternatives_hold_where_what_breaks_them_is_unchanged() -> None:
    assert fields({"either": {"x": "b"}}, {"either": {"x": "b", "y": 1}}) == []
    assert fields({"either": {"x": "b"}}, {"either": {"x": "c"}}) == ["<nil>", "either.x"]
