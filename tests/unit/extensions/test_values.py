"""Each keyword of a schema: what it refuses, at which field, for which cause, in upstream's words."""

from typing import Any

import pytest

from steersman.api.json_text import load_json
from steersman.api.types.apiextensions_v1 import JSONSchemaProps
from steersman.apiserver.extensions.structural import compile_schema

S: dict[str, Any] = {"type": "string"}
N: dict[str, Any] = {"type": "number"}
INTEGER: dict[str, Any] = {"type": "integer"}
LIST: dict[str, Any] = {"type": "array", "items": S}
MAP: dict[str, Any] = {"type": "object", "additionalProperties": S}
EITHER: dict[str, Any] = {"x-kubernetes-int-or-string": True}


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    compiled = compile_schema({"type": "object", "properties": {"f": schema}})
    return [str(error) for error in compiled.validate({"f": value})]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (INTEGER, "x", 'f: Invalid value: "string": f in body must be of type integer: "string"'),
        (INTEGER, True, 'f: Invalid value: "boolean": f in body must be of type integer: "boolean"'),
        (INTEGER, 1.5, 'f: Invalid value: "number": f in body must be of type integer: "number"'),
        (INTEGER, 2**63, 'f: Invalid value: "number": f in body must be of type integer: "number"'),
        (S, {"a": 1}, 'f: Invalid value: "object": f in body must be of type string: "object"'),
        (S, 1, 'f: Invalid value: "integer": f in body must be of type string: "integer"'),
        (S, None, 'f: Invalid value: "null": f in body must be of type string: "null"'),
        (EITHER, True, 'f: Invalid value: "boolean": f in body must be of type integer,string: "boolean"'),
        (INTEGER | {"format": "int32"}, 1.5, 'f: Invalid value: "float64": f in body must be of type int32: "float64"'),
        (S | {"format": "date"}, 3, 'f: Invalid value: "int64": f in body must be of type date: "int64"'),
        (S | {"format": "uuid"}, "x", 'f: Invalid value: "x": f in body must be of type uuid: "x"'),
        (S | {"enum": ["a", "b"]}, "c", 'f: Unsupported value: "c": supported values: "a", "b"'),
        (INTEGER | {"enum": [1, 2]}, 3, 'f: Unsupported value: 3: supported values: "1", "2"'),
        (S | {"enum": ["a"], "nullable": True}, None, 'f: Unsupported value: "null": supported values: "a"'),
        (S | {"maxLength": 2}, "abc", "f: Too long: may not be more than 2 bytes"),
        (S | {"minLength": 2}, "ä", 'f: Invalid value: "ä": f in body should be at least 2 chars long'),
        (S | {"pattern": "^a+$"}, "b", "f: Invalid value: \"b\": f in body should match '^a+$'"),
        (N | {"minimum": 1.5}, 1.0, "f: Invalid value: 1: f in body should be greater than or equal to 1.5"),
        (INTEGER | {"minimum": 1.0}, 0, "f: Invalid value: 0: f in body should be greater than or equal to 1"),
        (
            INTEGER | {"minimum": 1, "exclusiveMinimum": True},
            1,
            "f: Invalid value: 1: f in body should be greater than 1",
        ),
        (INTEGER | {"maximum": 1}, 2, "f: Invalid value: 2: f in body should be less than or equal to 1"),
        (N | {"maximum": 1, "exclusiveMaximum": True}, 1.0, "f: Invalid value: 1: f in body should be less than 1"),
        (INTEGER | {"multipleOf": 3}, 4, "f: Invalid value: 4: f in body should be a multiple of 3"),
        (N | {"multipleOf": 0.1}, 0.25, "f: Invalid value: 0.25: f in body should be a multiple of 0.1"),
        (INTEGER | {"multipleOf": 2.5}, 4, "f: Invalid value: 4: f in body should be a multiple of 2.5"),
        (LIST | {"minItems": 1}, [], "f: Invalid value: 0: f in body should have at least 1 items"),
        (LIST | {"maxItems": 2}, ["a", "b", "c"], "f: Too many: 3: must have at most 2 items"),
        (LIST | {"uniqueItems": True}, ["a", "a"], 'f: Invalid value: "": f in body shouldn\'t contain duplicates'),
        (LIST, ["a", 1], 'f[1]: Invalid value: "integer": f[1] in body must be of type string: "integer"'),
        (MAP | {"minProperties": 1}, {}, "f: Invalid value: 0: f in body should have at least 1 properties"),
        (MAP | {"maxProperties": 1}, {"a": "", "b": ""}, "f: Too many: 2: must have at most 1 item"),
        (MAP, {"a": 1}, 'f.a: Invalid value: "integer": f.a in body must be of type string: "integer"'),
        ({"type": "object", "required": ["a"]}, {}, "f.a: Required value"),
        (
            {"type": "object", "additionalProperties": False},
            {"a": 1},
            'f: Invalid value: "a": f.a in body is a forbidden property',
        ),
        ({"not": {"enum": ["a"]}}, "a", '<nil>: Invalid value: "": "f" must not validate the schema (not)'),
        (LIST | {"x-kubernetes-list-type": "set"}, ["a", "b", "a", "a"], 'f[2]: Duplicate value: "a"'),
    ],
)
def test_one_fault(schema: dict[str, Any], value: Any, expected: str) -> None:
    assert faults(schema, value) == [expected]


def test_lists_that_are_maps_have_each_key_once() -> None:
    port = {"type": "object", "properties": {"port": INTEGER, "protocol": S, "name": S}}
    schema = {"type": "array", "items": port, "x-kubernetes-list-type": "map"}
    several = schema | {"x-kubernetes-list-map-keys": ["port", "protocol"]}
    entries = [{"port": 1, "protocol": "TCP"}, {"port": 1, "protocol": "UDP"}, {"port": 1, "protocol": "TCP"}]
    assert faults(several, entries) == ['f[2]: Duplicate value: {"port":1,"protocol":"TCP"}']
    one = schema | {"x-kubernetes-list-map-keys": ["name"]}
    assert faults(one, [{"name": "a"}, {}, {}]) == ["f[2]: Duplicate value: {}"]


def test_keys_of_maps_stand_in_brackets_where_duplicates_are_told() -> None:
    schema = {"type": "object", "additionalProperties": LIST | {"x-kubernetes-list-type": "set"}}
    assert faults(schema, {"k": ["a", "a"]}) == ['f[k][1]: Duplicate value: "a"']


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (INTEGER, 1.0),
        (N, 1),
        (S | {"nullable": True}, None),
        (S | {"format": "no-such-format"}, "x"),
        (S | {"maxLength": 1}, "ä"),
        (S | {"pattern": "b"}, "abc"),
        (INTEGER | {"enum": [1.0]}, 1),
        (EITHER, "50%"),
        (EITHER | {"anyOf": [INTEGER, S]}, 1),
        (EITHER | {"nullable": True, "anyOf": [INTEGER, S]}, None),
        (N | {"multipleOf": 0.1}, 0.3),
        (INTEGER | {"multipleOf": 2.5}, 5),
        ({}, {"any": ["thing"]}),
    ],
)
def test_no_fault(schema: dict[str, Any], value: Any) -> None:
    assert faults(schema, value) == []


def test_all_faults_are_told_at_once_with_their_causes() -> None:
    schema = JSONSchemaProps(
        type="object",
        required=["spec"],
        properties={
            "spec": JSONSchemaProps(
                type="object",
                required=["name"],
                properties={
                    "replicas": JSONSchemaProps(type="integer", minimum=1.0),
                    "name": JSONSchemaProps(type="string"),
                },
            )
        },
    )
    errors = compile_schema(schema).validate({"spec": {"replicas": 0}})
    assert [(error.field, error.type) for error in errors] == [
        ("spec.replicas", "FieldValueInvalid"),
        ("spec.name", "FieldValueRequired"),
    ]
    (mistyped,) = compile_schema(schema).validate({"spec": []})
    assert mistyped.type == "FieldValueTypeInvalid"


def test_one_of_says_how_many_hold_and_what_is_nearest() -> None:
    schema = {
        "type": "object",
        "properties": {"a": S, "b": S},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    text = '<nil>: Invalid value: "": "f" must validate one and only one schema (oneOf). '
    assert faults(schema, {}) == [f"{text}Found none valid", "f.a: Required value"]
    assert faults(schema, {"a": "", "b": ""}) == [f"{text}Found 2 valid alternatives"]
    assert faults(schema, {"b": ""}) == []


def test_any_of_tells_of_the_alternative_with_most_in_common() -> None:
    schema = {
        "type": "object",
        "properties": {"kind": S, "size": INTEGER},
        "anyOf": [
            {"properties": {"kind": {"enum": ["small"]}}},
            {"properties": {"kind": {"enum": ["large"]}, "size": {"minimum": 10}}},
        ],
    }
    assert faults(schema, {"kind": "huge", "size": 1}) == [
        '<nil>: Invalid value: "": "f" must validate at least one schema (anyOf)',
        'f.kind: Unsupported value: "huge": supported values: "large"',
        "f.size: Invalid value: 1: f.size in body should be greater than or equal to 10",
    ]


def test_all_of_tells_of_each() -> None:
    schema = INTEGER | {"allOf": [{"minimum": 5}, {"multipleOf": 2}]}
    assert faults(schema, 3) == [
        "f: Invalid value: 3: f in body should be greater than or equal to 5",
        "f: Invalid value: 3: f in body should be a multiple of 2",
        '<nil>: Invalid value: "": "f" must validate all the schemas (allOf). None validated',
    ]


def test_a_pattern_is_of_go_s_dialect() -> None:
    assert faults(S | {"pattern": r"^\pL+\z"}, "äb") == []
    (fault,) = faults(S | {"pattern": "(?=a)"}, "a")
    assert "but pattern is invalid" in fault


FORMATS = {
    "bsonobjectid": (["5f50c31e8a7d4b1e8c9d7a3f"], ["5f50"]),
    "uri": (["https://example.com/a?b=c", "/path", "urn:x"], ["", "example.com", "http://a b", "http://[::1"]),
    "email": (["a@example.com", "A <a@example.com>"], ["a", "@example.com", "a@"]),
    "hostname": (["example.com", "a", "1.example.com"], ["-a.com", "a_b.com", "a..b", "x" * 64]),
    "ipv4": (["10.0.0.1"], ["10.0.0", "::1", "256.0.0.1"]),
    "ipv6": (["::1", "2001:db8::1"], ["10.0.0.1", ":::"]),
    "cidr": (["10.0.0.0/8", "10.0.0.1/8", "2001:db8::/32"], ["10.0.0.0", "10.0.0.0/33"]),
    "mac": (["01:23:45:67:89:ab", "01-23-45-67-89-AB", "0123.4567.89ab"], ["01:23:45", "01:23-45:67:89:ab"]),
    "uuid": (["a8098c1a-f86e-11da-bd1a-00112444be1e", "A8098C1AF86E11DABD1A00112444BE1E"], ["a8098c1a"]),
    "uuid3": (["bcd02e22-68f0-3046-a512-327cca9def8f"], ["bcd02e22-68f0-4046-a512-327cca9def8f"]),
    "uuid4": (["025b0d74-00a2-4048-bf57-227c5111bb34"], ["025b0d74-00a2-4048-0f57-227c5111bb34"]),
    "uuid5": (["886313e1-3b8a-5372-9b90-0c9aee199e5d"], ["886313e1-3b8a-4372-9b90-0c9aee199e5d"]),
    "isbn": (["0321751043", "978-0321751041"], ["0321751044"]),
    "isbn10": (["0-321-75104-3"], ["978-0321751041"]),
    "isbn13": (["978-0321751041"], ["0321751043"]),
    "creditcard": (["4111-1111-1111-1111"], ["4111-1111-1111-1112"]),
    "ssn": (["111-11-1111", "111111111"], ["11-111-1111"]),
    "hexcolor": (["#FFFFFF", "fff"], ["#FFFF"]),
    "rgbcolor": (["rgb(255, 0, 1)"], ["rgb(256,0,0)"]),
    "byte": (["aGVsbG8="], ["aGVsbG8", ""]),
    "password": ([""], []),
    "date": (["2024-02-29"], ["2023-02-29", "2024-2-9"]),
    "date-time": (["2014-12-15T19:30:20.000Z", "2014-12-15t19:30:20+01:00"], ["2014-12-15", "2014-12-15T24:00:00Z"]),
    "duration": (["1h30m", "22 ns", "2 days", "0"], ["1", "1 x", ""]),
    "quantity": (["10Gi", "1.5"], ["10Gx", ""]),
    "k8s-short-name": (["web-1"], ["Web", "a.b"]),
    "k8s-long-name": (["web.example"], ["a_b"]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(name: str) -> None:
    good, bad = FORMATS[name]
    schema = S | {"format": name}
    assert [text for text in good if faults(schema, text)] == []
    assert [text for text in bad if not faults(schema, text)] == []


def test_numbers_that_keep_their_text_are_numbers() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": N | {"enum": [1.5], "minimum": 2},
            "s": {"type": "array", "items": {}, "x-kubernetes-list-type": "set"},
            "t": S | {"enum": ["x"]},
        },
    }
    value = load_json(b'{"n": 1.50, "s": [{"a": 1.5}, {"a": 1.5}], "t": [1.5]}')
    assert faults(schema, value) == [
        "f.n: Invalid value: 1.5: f.n in body should be greater than or equal to 2",
        'f.t: Invalid value: "array": f.t in body must be of type string: "array"',
        'f.t: Unsupported value: [1.5]: supported values: "x"',
        'f.s[1]: Duplicate value: {"a":1.5}',
    ]
