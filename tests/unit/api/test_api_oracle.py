"""The REST table and the generated types against the OpenAPI document that upstream publishes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from steersman.api.resources import RETURNS_DELETED, TABLE, builtin_scheme
from steersman.apiserver.endpoints.discovery import Discovery
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


_CONNECTED = {"get": "get", "post": "create", "put": "update", "patch": "patch", "delete": "delete"}
_VERBS = {"post": "create", "put": "update"}


def _discoverable(oracle: dict[str, Any], group_version: str) -> dict[str, tuple[bool, str, set[str]]]:
    """What the paths of a group version say of each resource and subresource: scope, kind, verbs."""
    base = f"/apis/{group_version}/" if "/" in group_version else f"/api/{group_version}/"
    found: dict[str, tuple[bool, str, set[str]]] = {}
    for path, item in oracle["paths"].items():
        parts = path.removeprefix(base).split("/")
        if not path.startswith(base) or not parts[0] or path.endswith("/{path}"):
            continue
        watched = parts[0] == "watch"
        parts = parts[1:] if watched else parts
        namespaced = parts[:2] == ["namespaces", "{namespace}"]
        parts = parts[2:] if namespaced else parts
        if len(parts) == 1 and not namespaced and f"{base}namespaces/{{namespace}}/{parts[0]}" in oracle["paths"]:
            continue  # a list over all namespaces
        name = "/".join(part for part in parts if part != "{name}")
        for method, operation in item.items():
            action = operation.get("x-kubernetes-action") if method != "parameters" else None
            verb = _CONNECTED.get(method) if action == "connect" else _VERBS.get(str(action), action)
            if verb is None:
                continue
            kind = operation["x-kubernetes-group-version-kind"]["kind"]
            found.setdefault(name, (namespaced, kind, set()))[2].add("watch" if verb == "watchlist" else verb)
    return found


def test_discovery_is_upstreams(oracle: dict[str, Any]) -> None:
    discovery = Discovery(builtin_scheme(), is_served=lambda resource: True)
    for group_version in discovery.group_versions():
        path = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
        response = discovery.respond(Request("GET", path, path, "", {}))
        assert response is not None
        assert isinstance(response.body, bytes)
        listed = {
            each["name"]: (each["namespaced"], each["kind"], set(each["verbs"]))
            for each in json.loads(response.body)["resources"]
        }
        assert listed == _discoverable(oracle, group_version)
