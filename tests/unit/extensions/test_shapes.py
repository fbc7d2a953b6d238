"""What schemas make of objects before they are validated: pruning, defaults, nulls, embedded metadata."""

import copy
from typing import Any

import pytest

from steersman.api.errors import StatusError
from steersman.apiserver.extensions.structural import (
    Compiler,
    NotCoercible,
    SchemaTooDeep,
    StructuralSchema,
    compile_schema,
)

S: dict[str, Any] = {"type": "string"}


def schema(**properties: Any) -> StructuralSchema:
    return compile_schema({"type": "object", "properties": properties})


def pruned(compiled: StructuralSchema, obj: Any) -> tuple[Any, list[str]]:
    tree = copy.deepcopy(obj)
    paths = compiled.prune(tree)
    return tree, paths


PRESERVE = {"x-kubernetes-preserve-unknown-fields": True}


@pytest.mark.parametrize(
    ("field", "value", "left", "paths"),
    [
        ({"type": "object", "properties": {"a": S}}, {"a": "1", "b": 2}, {"a": "1"}, ["f.b"]),
        ({"type": "object", "additionalProperties": S}, {"a": "1"}, {"a": "1"}, []),
        ({"type": "object", "additionalProperties": True}, {"a": {"b": 1}, "c": 1}, {"a": {}, "c": 1}, ["f.a.b"]),
        (
            {"type": "array", "items": {"type": "object", "properties": {"a": S}}},
            [{"a": "1"}, {"b": 2}],
            [{"a": "1"}, {}],
            ["f[1].b"],
        ),
        ({"type": "object"} | PRESERVE, {"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 1}]}}, []),
        (
            {"type": "object", "properties": {"a": {"type": "object", "properties": {"x": S}}}} | PRESERVE,
            {"a": {"x": "1", "y": 2}, "b": {"z": 1}},
            {"a": {"x": "1"}, "b": {"z": 1}},
            ["f.a.y"],
        ),
        (
            {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "object"}}}} | PRESERVE,
            [{"a": {"b": 1}, "c": 1}],
            [{"a": {}, "c": 1}],
            ["f[0].a.b"],
        ),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}},
            {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a", "odd": 1}, "spec": {"b": 1}, "c": 1},
            {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "spec": {}},
            ["f.c", "f.spec.b", "f.metadata.odd"],
        ),
    ],
)
def test_pruning(field: Any, value: Any, left: Any, paths: list[str]) -> None:
    assert pruned(schema(f=field), {"f": value}) == ({"f": left}, paths)


def test_the_object_s_own_metadata_is_left_alone() -> None:
    obj = {"apiVersion": "a/v1", "kind": "A", "metadata": {"name": "x", "odd": 1}, "status": {}}
    left, paths = pruned(schema(spec=S), obj)
    assert (left, paths) == ({"apiVersion": "a/v1", "kind": "A", "metadata": {"name": "x", "odd": 1}}, ["status"])


EMBEDDED = {"type": "object", "x-kubernetes-embedded-resource": True} | PRESERVE


def test_embedded_metadata_must_be_readable() -> None:
    bad = {"f": {"apiVersion": "v1", "kind": "X", "metadata": {"labels": {"a": 1}, "name": "n"}}}
    with pytest.raises(NotCoercible) as refusal:
        schema(f=EMBEDDED).prune(copy.deepcopy(bad))
    assert refusal.value.error.field == "f.metadata"
    stored = copy.deepcopy(bad)
    schema(f=EMBEDDED).prune(stored, drop=True)
    assert stored["f"]["metadata"] == {"name": "n"}


def test_embedded_resources_are_validated() -> None:
    errors = schema(f=EMBEDDED).validate({"f": {"apiVersion": "a/b/c", "metadata": {"namespace": "No"}}})
    assert [str(error) for error in errors][:2] == [
        'f.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
        "f.kind: Required value",
    ]
    assert errors[2].field == "f.metadata.namespace"


DEEP = {"type": "object", "default": {}, "properties": {"b": {"type": "integer", "default": 1}}}


@pytest.mark.parametrize(
    ("properties", "before", "after"),
    [
        ({"a": S | {"default": "x"}}, {}, {"a": "x"}),
        ({"a": S | {"default": "x"}}, {"a": "y"}, {"a": "y"}),
        ({"a": S | {"default": "x"}}, {"a": None}, {"a": "x"}),
        ({"a": S | {"default": "x", "nullable": True}}, {"a": None}, {"a": None}),
        ({"a": S}, {"a": None}, {}),
        ({"a": S | {"nullable": True}}, {"a": None}, {"a": None}),
        ({"a": S | {"default": ""}}, {}, {"a": ""}),
        ({"a": {"type": "boolean", "default": False}}, {}, {"a": False}),
        ({"a": DEEP}, {}, {"a": {"b": 1}}),
        ({"a": DEEP}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"type": "object", "properties": {"b": S | {"default": "x"}}}}, {}, {}),
        ({"l": {"type": "array", "items": DEEP}}, {"l": [{}, None]}, {"l": [{"b": 1}, {"b": 1}]}),
        ({"m": {"type": "object", "additionalProperties": DEEP}}, {"m": {"k": None}}, {"m": {"k": {"b": 1}}}),
        ({"m": {"type": "object", "additionalProperties": S}}, {"m": {"k": None}}, {"m": {}}),
    ],
)
def test_defaults_and_nulls(properties: Any, before: Any, after: Any) -> None:
    obj = copy.deepcopy(before)
    schema(**properties).default(obj)
    assert obj == after


def test_defaults_are_copies() -> None:
    compiled = schema(a={"type": "object", "default": {"l": []}, "properties": {"l": {"type": "array", "items": S}}})
    one: dict[str, Any] = {}
    other: dict[str, Any] = {}
    compiled.default(one)
    compiled.default(other)
    one["a"]["l"].append("x")
    assert other == {"a": {"l": []}}


def test_equal_parts_are_compiled_once() -> None:
    compiler = Compiler()
    part = {"type": "object", "properties": {"a": S | {"pattern": "^a"}, "b": {"type": "integer", "minimum": 1}}}
    one = compile_schema({"type": "object", "properties": {"x": part, "y": part | {"description": "Y"}}}, compiler)
    other = compile_schema({"type": "object", "properties": {"z": part}}, compiler)
    nodes = {id(one.node.properties["x"]), id(one.node.properties["y"]), id(other.node.properties["z"])}
    assert len(nodes) == 1


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: dict[str, Any] = S
    for _ in range(300):
        deep = {"type": "array", "items": deep}
    with pytest.raises(SchemaTooDeep):
        schema(a=deep)
    value: Any = {}
    for _ in range(3000):
        value = [value]
    with pytest.raises(StatusError, match="max depth"):
        schema(a={"type": "array"}).prune({"a": value})
