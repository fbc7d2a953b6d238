from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource
from steersman.api.unstructured import unstructured_type
from steersman.apiserver.endpoints.openapi import OpenAPI
from steersman.apiserver.endpoints.openapi.enums import ENUMS
from steersman.apiserver.endpoints.openapi.schemas import Descriptions
from steersman.apiserver.http.messages import Request, Response

PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


def get(openapi: OpenAPI, url: str, accept: str = "") -> Response | None:
    path, _, query = url.partition("?")
    return openapi.respond(Request("GET", path, path, query, {"accept": accept}))


def data(response: Response | None) -> bytes:
    assert response is not None
    assert isinstance(response.body, bytes)
    return response.body


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("$ref"), str):
            yield tree["$ref"]
        for value in tree.values():
            yield from references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from references(value)


def test_v2_is_complete() -> None:
    document = json.loads(data(get(OpenAPI(builtin_scheme()), "/openapi/v2")))
    assert document["swagger"] == "2.0"
    for reference in set(references(document)):
        _, part, name = reference.split("/")
        assert name in document[part]
    identifiers = [
        item[method]["operationId"] for item in document["paths"].values() for method in item if method != "parameters"
    ]
    assert len(identifiers) == len(set(identifiers))


def test_v3_index_leads_to_every_document() -> None:
    openapi = OpenAPI(builtin_scheme())
    listed = get(openapi, "/openapi/v3")
    index = json.loads(data(listed))["paths"]
    assert listed is not None
    assert listed.headers["ETag"]
    assert {"api", "api/v1", "apis", "apis/apps", "apis/apps/v1", "version"} <= index.keys()
    for name, entry in index.items():
        response = get(openapi, entry["serverRelativeURL"])
        document = json.loads(data(response))
        assert response is not None
        assert "immutable" in response.headers["Cache-Control"]
        for reference in set(references(document)):
            assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], name


def test_an_outdated_hash_redirects() -> None:
    response = get(OpenAPI(builtin_scheme()), "/openapi/v3/apis/apps/v1?hash=OLD")
    assert response is not None
    assert response.status == 301
    assert response.headers["Location"].startswith("/openapi/v3/apis/apps/v1?hash=")


def test_the_hash_tells_whether_there_are_descriptions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A client that cached the document without them asks for it again when there are some."""
    source = tmp_path / "definitions.json"
    source.write_text('{"$defs": {"io.k8s.api.apps.v1.Deployment": {"description": "said"}}}')
    urls = []
    for found in (None, source):
        monkeypatch.setattr(Descriptions, "source", staticmethod(lambda found=found: found))
        openapi = OpenAPI(builtin_scheme())
        urls.append(json.loads(data(get(openapi, "/openapi/v3")))["paths"]["apis/apps/v1"]["serverRelativeURL"])
        schemas = json.loads(data(get(openapi, urls[-1])))["components"]["schemas"]
        said = schemas["io.k8s.api.apps.v1.Deployment"].get("description")
        assert said == ("said" if found else None)
    assert urls[0] != urls[1]


def test_kubectl_finds_what_it_looks_for() -> None:
    document = json.loads(data(get(OpenAPI(builtin_scheme()), "/openapi/v3/apis/apps/v1")))
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "kind": "Deployment", "version": "v1"}
    deployment = document["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]
    assert deployment["x-kubernetes-group-version-kind"] == [{"group": "apps", "kind": "Deployment", "version": "v1"}]


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    position = 0

    def varint() -> int:
        nonlocal position
        result = shift = 0
        while True:
            byte = message[position]
            position += 1
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result

    while position < len(message):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        else:
            assert tag & 7 == 2
            size = varint()
            yield tag >> 3, message[position : position + size]
            position += size
            assert position <= len(message)


def test_v2_protobuf_says_the_same() -> None:
    openapi = OpenAPI(builtin_scheme())
    document = json.loads(data(get(openapi, "/openapi/v2")))
    response = get(openapi, "/openapi/v2", PROTOBUF)
    assert response is not None
    assert response.content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    fields = dict(_fields(data(response)))
    assert fields[1] == b"2.0"
    definitions, paths = fields[9], fields[8]
    assert isinstance(definitions, bytes)
    assert isinstance(paths, bytes)
    named = [dict(_fields(entry)) for _, entry in _fields(definitions) if isinstance(entry, bytes)]
    assert [str(each[1], "utf-8") for each in named if isinstance(each[1], bytes)] == list(document["definitions"])
    assert len(list(_fields(paths))) == len(document["paths"])


def test_documents_are_kept_until_what_they_describe_changes() -> None:
    scheme = builtin_scheme()
    openapi = OpenAPI(scheme)
    first = data(get(openapi, "/openapi/v3/apis/apps/v1"))
    assert data(get(openapi, "/openapi/v3/apis/apps/v1")) is first
    scheme.changed()
    assert data(get(openapi, "/openapi/v3/apis/apps/v1")) is first
    scheme.add(Resource("apps", "v1", "others", "Other", module="apps_v1", type_=unstructured_type("Other", "apps/v1")))
    assert data(get(openapi, "/openapi/v3/apis/apps/v1")) != first


async def test_others_have_their_turn_while_a_document_is_built() -> None:
    """Two ask for the same: it is built once, in many steps."""
    openapi, turns = OpenAPI(builtin_scheme()), 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    request = Request("GET", "/openapi/v2", "/openapi/v2", "", {})
    task = asyncio.create_task(others())
    first, second = await asyncio.gather(openapi.answer(request), openapi.answer(request))
    task.cancel()
    assert turns > 500
    assert data(first) is data(second)


def test_every_enumeration_is_of_a_field() -> None:
    openapi = OpenAPI(builtin_scheme())
    found: set[tuple[str, str]] = set()
    for name in json.loads(data(get(openapi, "/openapi/v3")))["paths"]:
        schemas = json.loads(data(get(openapi, f"/openapi/v3/{name}")))["components"]["schemas"]
        for definition, schema in schemas.items():
            for member, described in schema.get("properties", {}).items():
                values = described.get("enum") or described.get("items", {}).get("enum")
                if values is None:
                    continue
                found.add((definition, member))
                assert values == sorted(set(values))
                assert described["type"] in ("string", "array")
    assert found == ENUMS.keys()


def test_defaults() -> None:
    document = json.loads(data(get(OpenAPI(builtin_scheme()), "/openapi/v3/api/v1")))
    schemas = document["components"]["schemas"]

    def member(definition: str, name: str) -> dict[str, Any]:
        described: dict[str, Any] = schemas[f"io.k8s.api.core.v1.{definition}"]["properties"][name]
        described.pop("description", None)
        return described

    prefix = "#/components/schemas/io.k8s.api.core.v1."
    assert member("Pod", "spec") == {"allOf": [{"$ref": f"{prefix}PodSpec"}], "default": {}}
    assert member("PodSpec", "affinity").get("default") is None
    assert member("Container", "name") == {"type": "string", "default": ""}
    assert member("Container", "image") == {"type": "string"}
    assert member("Container", "command")["items"] == {"type": "string", "default": ""}
    assert member("PodSpec", "containers")["items"] == {"allOf": [{"$ref": f"{prefix}Container"}], "default": {}}
    assert member("ContainerPort", "protocol")["default"] == "TCP"
    assert member("ContainerPort", "containerPort") == {"type": "integer", "format": "int32", "default": 0}
