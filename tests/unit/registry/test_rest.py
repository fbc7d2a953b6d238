"""Requests as they come, through their classification to the registry: what is authorized is what is done."""

from __future__ import annotations

from typing import Any

import pytest

from steersman.api.errors import StatusError
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.endpoints.request_info import RequestInfo, request_info
from steersman.apiserver.endpoints.resources import Resources
from steersman.apiserver.http.messages import Request, Response
from steersman.apiserver.registry.registry import Registry
from steersman.client.local import LocalClient

from .conftest import ADMIN, config_map


def request(method: str, target: str, body: bytes = b"") -> Request:
    path, _, query = target.partition("?")
    made = Request(method, path, path, query, {}, body)
    made.user = ADMIN
    return made


async def serve(registry: Registry, method: str, target: str, body: bytes = b"") -> tuple[RequestInfo, Any]:
    asked = request(method, target, body)
    info = request_info(asked)
    answer = await Resources(registry.scheme, registry.handler).handle(asked, info)
    assert isinstance(answer, Response)
    return info, answer


async def refused(registry: Registry, method: str, target: str, body: bytes = b"") -> int:
    with pytest.raises(StatusError) as caught:
        await serve(registry, method, target, body)
    return caught.value.code


@pytest.mark.parametrize("prefix", ["watch", "proxy"])
async def test_a_verb_in_the_path_is_no_way_to_another_verb(
    prefix: str, registry: Registry, client: LocalClient
) -> None:
    await client.create(config_map())
    one = f"/api/v1/{prefix}/namespaces/default/configmaps/cm"
    for method in ("DELETE", "PUT", "PATCH"):
        assert await refused(registry, method, one, b"{}") in (404, 405)
    assert await refused(registry, "POST", f"/api/v1/{prefix}/namespaces/default/configmaps", b"{}") in (404, 405)
    assert await refused(registry, "DELETE", f"/api/v1/{prefix}/namespaces/default/configmaps") in (404, 405)
    assert (await client.get(v1.ConfigMap, "cm", "default")).metadata.name == "cm"


async def test_no_namespace_is_reached_through_another_one(registry: Registry, client: LocalClient) -> None:
    await client.create(v1.Namespace(metadata=ObjectMeta(name="other")))
    for method in ("GET", "DELETE"):
        assert await refused(registry, method, "/api/v1/namespaces/default/namespaces/other") == 404
    assert await refused(registry, "GET", "/api/v1/namespaces/default/namespaces") == 404
    _, answer = await serve(registry, "GET", "/api/v1/namespaces/other")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ("metadata.name=a", "a"),
        ("metadata.name==a,metadata.namespace!=b", "a"),
        ("metadata.name!=a", ""),
        (r"metadata.namespace!=x\,metadata.name=a", ""),
        (r"metadata.namespace!=x\,metadata.name\=a", ""),
        ("metadata.name=a/b", ""),
        ("nonsense", ""),
    ],
)
def test_the_name_a_list_is_authorized_by_is_the_one_that_restricts_it(selector: str, name: str) -> None:
    assert request_info(request("GET", f"/api/v1/secrets?fieldSelector={selector}")).name == name


def test_deleting_a_collection_is_never_authorized_by_a_name() -> None:
    info = request_info(request("DELETE", "/api/v1/namespaces/a/secrets?fieldSelector=metadata.name=a"))
    assert (info.verb, info.name) == ("deletecollection", "")
