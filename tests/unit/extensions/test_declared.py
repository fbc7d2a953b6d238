"""What is said of the defaults of a schema."""

from __future__ import annotations

import pytest

from steersman.api import codecs
from steersman.api.types.apiextensions_v1 import JSONSchemaProps
from steersman.api.yaml import load_yaml
from steersman.apiserver.extensions.structural import default_faults

EMBEDDED = "type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true"

ROWS: list[tuple[str, list[str]]] = [
    ("type: integer, default: 1", []),
    ("type: object, properties: {b: {type: string}}, default: {b: x}", []),
    ("type: object, default: {b: 1}, x-kubernetes-preserve-unknown-fields: true", []),
    ("type: object, default: {b: 1}, additionalProperties: {type: integer}", []),
    ("type: integer, default: x", [
        'a.default: Invalid value: "string":  in body must be of type integer: "string"'
    ]),
    ("type: string, enum: [a, b], default: z", ['a.default: Unsupported value: "z": supported values: "a", "b"']),
    ("type: object, default: {b: 1}", ['a.default: Invalid value: {"b":1}: must not have unknown fields']),
    ("type: object, properties: {b: {type: string, minLength: 2}}, default: {b: x}", [
        'a.default.b: Invalid value: "x": b in body should be at least 2 chars long'
    ]),
    ("type: array, items: {type: integer, default: x}", [
        'a.items.default: Invalid value: "string":  in body must be of type integer: "string"'
    ]),
    ("type: array, items: {type: integer}, default: [1, x]", [
        'a.default[1]: Invalid value: "string": [1] in body must be of type integer: "string"'
    ]),
    ("type: object, required: [b], properties: {b: {type: string}}, default: {}", ["a.default.b: Required value"]),
    (f"{EMBEDDED}, default: {{kind: A}}", [
        "a.default.apiVersion: Required value"
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), ROWS)
def test_what_is_said_of_a_default(text: str, said: list[str]) -> None:
    schema = codecs.from_builtins(JSONSchemaProps, {"type": "object", "properties": {"a": load_yaml(f"{{{text}}}")}})
    root = "spec.validation.openAPIV3Schema"
    found = [
        str(fault).removeprefix(f"{root}.properties[").replace("]", "", 1) for fault in default_faults(schema, root)
    ]
    assert found == said
