"""The REST table and the generated types against the OpenAPI document that upstream publishes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from steersman.api.resources import RETURNS_DELETED, TABLE, builtin_scheme
from steersman.apiserver.endpoints.openapi import OpenAPI
from steersman.apiserver.endpoints.openapi.schemas import definition_name
from steersman.apiserver.http.messages import Request

ORACLE = Path(__file__).resolve().parents[4] / "shared/kubernetes-v1.35/swagger.json.gz"


@pytest.fixture(scope="module")
def oracle() -> dict[str, Any]:
    if not ORACLE.exists():
        pytest.skip(f"{ORACLE} is not there")
    with gzip.open(ORACLE) as file:
        document: dict[str, Any] = json.load(file)
    return document


def _facts(value: Any) -> Any:
    """A part of a document without its sentences, and without the media types that are not served yet."""
    if isinstance(value, dict):
        return {
            key: sorted(member) if key == "required" and isinstance(member, list) else _facts(member)
            for key, member in value.items()
            if not (key == "description" and isinstance(member, str))
        }
    if isinstance(value, list):
        return [_facts(member) for member in value if not isinstance(member, str) or _is_served(member)]
    return value


def _is_served(media_type: str) -> bool:
    return "protobuf" not in media_type and "cbor" not in media_type


def _resolved(document: dict[str, Any]) -> dict[str, Any]:
    """The paths of a document with shared parameters put in, in one order."""

    def resolve(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        shared = document["parameters"]
        given = [shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in parameters]
        return sorted((_facts(each) for each in given), key=lambda each: (each["in"], each["name"]))

    result = {}
    for path, item in document["paths"].items():
        operations = {method: _facts(operation) for method, operation in item.items() if method != "parameters"}
        for method, operation in operations.items():
            operation["parameters"] = resolve(item[method].get("parameters", []))
        result[path] = operations | {"parameters": resolve(item.get("parameters", []))}
    return result


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    openapi = OpenAPI(builtin_scheme(), is_served=lambda resource: True)
    response = openapi.respond(Request("GET", "/openapi/v2", "/openapi/v2", "", {}))
    assert response is not None
    assert isinstance(response.body, bytes)
    document: dict[str, Any] = json.loads(response.body)
    return document


def test_every_operation_is_upstreams(oracle: dict[str, Any], ours: dict[str, Any]) -> None:
    """Paths, parameters, bodies, answers, actions, kinds, ids."""
    theirs, described = _resolved(oracle), _resolved(ours)
    assert theirs.keys() - described.keys() == {"/logs/", "/logs/{logpath}"}, "the server's log files are not served"
    differing = {
        f"{method} {path}": (operation, theirs.get(path, {}).get(method))
        for path, item in described.items()
        for method, operation in item.items()
        if operation != theirs.get(path, {}).get(method)
    }
    assert not differing
    assert {path: item.keys() for path, item in described.items()} == {
        path: item.keys() for path, item in theirs.items() if path in described
    }


def test_every_definition_is_upstreams(oracle: dict[str, Any], ours: dict[str, Any]) -> None:
    theirs = oracle["definitions"]
    assert ours["definitions"].keys() == theirs.keys()
    differing = [name for name, schema in ours["definitions"].items() if _facts(schema) != _facts(theirs[name])]
    assert not differing
    for name in ("swagger", "security"):
        assert ours[name] == oracle[name]
    assert _facts(ours["securityDefinitions"]) == _facts(oracle["securityDefinitions"])


def test_what_a_deletion_answers_is_upstreams(oracle: dict[str, Any]) -> None:
    for resource in TABLE:
        if "delete" not in resource.verbs:
            continue
        path = resource.path("{namespace}" if resource.namespaced else "", "{name}")
        answer = oracle["paths"][path]["delete"]["responses"]["200"]["schema"]["$ref"].rpartition(".")[2]
        expected = resource.kind if resource.qualified_name in RETURNS_DELETED else "Status"
        assert answer == expected, resource


def test_scope_is_upstreams(oracle: dict[str, Any]) -> None:
    for resource in TABLE:
        base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
        assert (f"{base}/namespaces/{{namespace}}/{resource.name}" in oracle["paths"]) == resource.namespaced, resource


def test_every_watched_resource_has_the_verb(oracle: dict[str, Any]) -> None:
    for resource in TABLE:
        base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
        assert (f"{base}/watch/{resource.name}" in oracle["paths"]) == ("watch" in resource.verbs), resource


def test_every_kind_has_a_type() -> None:
    for resource in TABLE:
        assert definition_name(resource.type).endswith(f".{resource.kind}")
