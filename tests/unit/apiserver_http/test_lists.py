"""Collections as bytes: what is said of their size, and that they are never whole in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import ListMeta
from steersman.api.unstructured import unstructured_type
from steersman.apiserver.endpoints.lists import Joined, list_response
from steersman.apiserver.endpoints.representation import PLAIN, Form
from steersman.apiserver.http.messages import Request
from steersman.apiserver.registry.contract import Page
from steersman.storage.watch_cache import Entry

RESOURCE = builtin_scheme().by_name("", "v1", "configmaps")
assert RESOURCE is not None
REQUEST = Request("GET", "/", "/", "", {})


def entry(number: int, start: str = '"kind":"ConfigMap","apiVersion":"v1",') -> Entry[Any]:
    assert RESOURCE is not None
    raw = f'{{{start}"metadata":{{"resourceVersion":"{number}","name":"c{number}"}}}}'.encode()
    return Entry(f"/registry/configmaps/default/c{number}", number, raw, RESOURCE.decoder.decode)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
@pytest.mark.parametrize("start", ['"kind":"ConfigMap","apiVersion":"v1",', '"apiVersion":"v1","kind":"ConfigMap",'])
async def test_the_size_is_known_before_the_bytes(count: int, start: str) -> None:
    assert RESOURCE is not None
    joined = await Joined.of(RESOURCE, [entry(n, start) for n in range(count)], ListMeta(resource_version="9"))
    data = b"".join(joined)
    assert len(data) == joined.size
    tree = json.loads(data)
    assert (tree["kind"], tree["apiVersion"]) == ("ConfigMapList", "v1")
    assert [item["metadata"]["name"] for item in tree["items"]] == [f"c{n}" for n in range(count)]
    assert all(set(item) - {"kind", "apiVersion"} == {"metadata"} for item in tree["items"])


@pytest.mark.parametrize("count", [0, 1, 65])
async def test_items_of_custom_resources_keep_kind_and_version(count: int) -> None:
    resource = Resource(
        "e.io", "v1", "widgets", "Widget", type_=unstructured_type("Widget", "e.io/v1"), storage_version="e.io/v1"
    )
    joined = await Joined.of(
        resource, [entry(n, '"kind":"Widget","apiVersion":"e.io/v1",') for n in range(count)], ListMeta()
    )
    data = b"".join(joined)
    assert len(data) == joined.size
    items = json.loads(data)["items"]
    assert [(item["kind"], item["apiVersion"], item["metadata"]["name"]) for item in items] == [
        ("Widget", "e.io/v1", f"c{n}") for n in range(count)
    ]


async def test_buffers_of_a_long_list_are_made_one_by_one() -> None:
    assert RESOURCE is not None
    joined = await Joined.of(RESOURCE, [entry(n) for n in range(10_000)], ListMeta())
    assert joined.size > 500_000
    assert max(map(len, joined)) < 100_000


@pytest.mark.parametrize("shape", ["Table", "PartialObjectMetadataList"])
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("count", [0, 1, 64, 130])
async def test_other_shapes(shape: Any, version: str, count: int) -> None:
    assert RESOURCE is not None
    page = Page([entry(n) for n in range(count)], "9", "token", 5)
    answer = await list_response(RESOURCE, page, REQUEST, Form(shape=shape, version=version))
    tree = json.loads(b"".join(answer.body))  # type: ignore[arg-type]
    assert (tree["kind"], tree["apiVersion"]) == (shape, f"meta.k8s.io/{version}")
    assert tree["metadata"] == {"resourceVersion": "9", "continue": "token", "remainingItemCount": 5}
    items = [row["object"] for row in tree["rows"]] if shape == "Table" else tree["items"]
    assert [item["metadata"]["name"] for item in items] == [f"c{n}" for n in range(count)]


async def test_pretty_lists_are_whole() -> None:
    assert RESOURCE is not None
    request = Request("GET", "/", "/", "pretty=true", {})
    answer = await list_response(RESOURCE, Page([entry(1)], "9"), request, PLAIN)
    assert isinstance(answer.body, bytes)
    assert answer.body.count(b"\n") > 5
