"""Whole objects of a definition like those that people ship: what becomes of them, and what is said of them."""

import copy
from typing import Any

from steersman.apiserver.extensions.structural import compile_schema
from steersman.apiserver.extensions.structural.schema import MOST_FAULTS

TEXT: dict[str, Any] = {"type": "string"}
CRON = r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"
SCHEMA = compile_schema(
    {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": TEXT,
            "kind": TEXT,
            "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "required": ["cronSpec"],
                "properties": {
                    "cronSpec": TEXT | {"pattern": CRON, "default": "5 0 * * *"},
                    "image": TEXT,
                    "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
                    "policy": TEXT | {"enum": ["Allow", "Forbid"], "default": "Allow"},
                    "ports": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["port", "protocol"],
                        "items": {
                            "type": "object",
                            "required": ["port"],
                            "properties": {
                                "port": {"x-kubernetes-int-or-string": True},
                                "protocol": TEXT | {"default": "TCP"},
                            },
                        },
                    },
                },
            },
        },
    }
)
HEAD: dict[str, Any] = {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "my"}}


def prepared(spec: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    obj = copy.deepcopy(HEAD) | {"spec": spec}
    pruned = SCHEMA.prune(obj)
    SCHEMA.default(obj)
    return obj, pruned


def test_a_good_object_is_completed() -> None:
    obj, pruned = prepared({"image": "i", "someRandomField": 42, "replicas": None, "ports": [{"port": 80, "x": 1}]})
    assert pruned == ["spec.ports[0].x", "spec.someRandomField"]
    assert obj == HEAD | {
        "spec": {
            "image": "i",
            "cronSpec": "5 0 * * *",
            "replicas": 1,
            "policy": "Allow",
            "ports": [{"port": 80, "protocol": "TCP"}],
        }
    }
    assert SCHEMA.validate(obj) == []


def test_a_bad_object_is_told_everything() -> None:
    obj, _ = prepared(
        {
            "cronSpec": "* * * *",
            "replicas": 15,
            "policy": "Replace",
            "image": 1,
            "ports": [{"port": "http"}, {"port": True}, {"port": "http", "protocol": "TCP"}, {}],
        }
    )
    assert [str(error) for error in SCHEMA.validate(obj)] == [
        f"spec.cronSpec: Invalid value: \"* * * *\": spec.cronSpec in body should match '{CRON}'",
        "spec.replicas: Invalid value: 15: spec.replicas in body should be less than or equal to 10",
        'spec.policy: Unsupported value: "Replace": supported values: "Allow", "Forbid"',
        'spec.image: Invalid value: "integer": spec.image in body must be of type string: "integer"',
        'spec.ports[1].port: Invalid value: "boolean": spec.ports[1].port in body must be of type integer,string: '
        '"boolean"',
        "spec.ports[3].port: Required value",
        'spec.ports[2]: Duplicate value: {"port":"http","protocol":"TCP"}',
    ]


def test_the_root_is_named_as_upstream_does() -> None:
    errors = SCHEMA.validate(copy.deepcopy(HEAD))
    assert [str(error) for error in errors] == ["spec: Required value"]


def test_there_is_an_end_to_what_is_told() -> None:
    obj, _ = prepared({"ports": [{}] * (MOST_FAULTS * 2)})
    assert len(SCHEMA.validate(obj)) <= 2 * MOST_FAULTS


def test_many_unknown_members_are_removed_in_no_time() -> None:
    obj, pruned = prepared({f"unknown{number}": None for number in range(50_000)})
    assert len(pruned) == 50_000
    assert set(obj["spec"]) == {"cronSpec", "replicas", "policy"}
