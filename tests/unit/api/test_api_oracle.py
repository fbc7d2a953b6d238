"""The REST table and the generated types against the OpenAPI document that upstream publishes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from steersman.api.resources import RETURNS_DELETED, TABLE, builtin_scheme
from steersman.apiserver.endpoints.openapi.paths import paths
from steersman.apiserver.endpoints.openapi.schemas import Descriptions, Schemas, definition_name

ORACLE = Path(__file__).resolve().parents[4] / "shared/kubernetes-v1.35/swagger.json.gz"
METHODS = ("get", "post", "put", "patch", "delete")
BROAD = {"io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent"}


@pytest.fixture(scope="module")
def oracle() -> dict[str, Any]:
    if not ORACLE.exists():
        pytest.skip(f"{ORACLE} is not there")
    with gzip.open(ORACLE) as file:
        document: dict[str, Any] = json.load(file)
    return document


def _ours() -> dict[tuple[str, str], tuple[str, tuple[str, str, str]]]:
    return {
        (item.path, operation.method): (operation.action, operation.kind)
        for resource in TABLE
        for item in paths(resource)
        for operation in item.operations
    }


def _upstreams(oracle: dict[str, Any]) -> dict[tuple[str, str], tuple[str, tuple[str, str, str]]]:
    result = {}
    for path, item in oracle["paths"].items():
        if not path.startswith(("/api/", "/apis/")) or "/watch/" in path or path.endswith(("/", "/{path}")):
            continue
        for method in METHODS:
            operation = item.get(method)
            if operation is None or "x-kubernetes-action" not in operation:
                continue
            kind = operation["x-kubernetes-group-version-kind"]
            result[path, method] = (operation["x-kubernetes-action"], (kind["group"], kind["version"], kind["kind"]))
    return result


def test_every_path_method_action_and_kind_is_upstreams(oracle: dict[str, Any]) -> None:
    ours, theirs = _ours(), _upstreams(oracle)
    assert {key: ours.get(key) for key in theirs} == theirs
    assert set(ours) == set(theirs)


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


def _facts(value: Any) -> Any:
    """A schema without its sentences and without what has no bearing on objects."""
    if isinstance(value, dict):
        dropped = ("default", "x-kubernetes-unions", "enum")
        return {
            key: _facts(member)
            for key, member in value.items()
            if key not in dropped and not (key == "description" and isinstance(member, str))
        }
    if isinstance(value, list):
        return [_facts(member) for member in value]
    return value


def test_every_definition_is_upstreams(oracle: dict[str, Any]) -> None:
    schemas = Schemas("v2", Descriptions())
    schemas.add(resource.type for resource in builtin_scheme())
    differing = {}
    for name, ours in schemas.definitions.items():
        if name in BROAD:
            continue
        theirs = _facts(oracle["definitions"][name])
        facts = _facts(ours)
        if "required" in theirs:
            theirs["required"] = sorted(theirs["required"])
        if facts != theirs:
            members = facts.get("properties", {}).keys() | theirs.get("properties", {}).keys()
            differing[name] = {
                member: (facts.get("properties", {}).get(member), theirs.get("properties", {}).get(member))
                for member in members
                if facts.get("properties", {}).get(member) != theirs.get("properties", {}).get(member)
            } or (facts, theirs)
    assert not differing


def test_every_kind_has_a_type() -> None:
    for resource in TABLE:
        assert definition_name(resource.type).endswith(f".{resource.kind}")
