"""Requests as they come, through their classification to the registry: what is authorized is what is done."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError, forbidden
from steersman.api.types import core_v1 as v1
from steersman.api.types.coordination_v1 import Lease, LeaseSpec
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.endpoints.metrics import Metrics
from steersman.apiserver.endpoints.pipeline import Pipeline
from steersman.apiserver.endpoints.request_info import RequestInfo, request_info
from steersman.apiserver.endpoints.resources import Resources
from steersman.apiserver.http.messages import Request, Response
from steersman.apiserver.registry.registry import Registry
from steersman.apiserver.seams import Decision
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


async def test_who_may_update_alone_does_not_create_by_it(registry: Registry, client: LocalClient) -> None:
    asked = 0

    async def may_create() -> None:
        nonlocal asked
        asked += 1
        raise forbidden("leases", "l", "may not create", "coordination.k8s.io")

    async def put(name: str) -> Response:
        body = codecs.encode(Lease(metadata=ObjectMeta(name=name), spec=LeaseSpec(holder_identity="a")))
        made = request("PUT", f"/apis/coordination.k8s.io/v1/namespaces/default/leases/{name}", body)
        answer = await Resources(registry.scheme, registry.handler).handle(made, request_info(made), may_create)
        assert isinstance(answer, Response)
        return answer

    with pytest.raises(StatusError) as caught:
        await put("l")
    assert (caught.value.code, asked) == (403, 1)
    await client.create(Lease(metadata=ObjectMeta(name="l", namespace="default")))
    with pytest.raises(StatusError) as caught:
        await put("l")
    assert (caught.value.code, asked) == (422, 1)  # exists: the version is missing, nobody asks about creating


class Everybody:
    """Authenticates everybody as the administrator, and lets them do everything."""

    async def authenticate(self, request: Request) -> User:
        return ADMIN

    async def authorize(self, attributes: Any) -> Decision:
        return Decision(allowed=True)

    def rules(self, user: User, namespace: str) -> Any:
        raise NotImplementedError


async def test_requests_for_what_does_not_exist_are_counted_as_one(registry: Registry) -> None:
    metrics, anybody = Metrics(), Everybody()
    resources = Resources(registry.scheme, registry.handler)
    pipeline = Pipeline(anybody, anybody, resources, metrics)  # type: ignore[arg-type]
    for number in range(20):
        for path in (f"/api/v1/nonsense{number}", f"/apis/g{number}/v1/x", f"/api/v1/nodes/a/sub{number}"):
            answer = await pipeline.handle(request("GET", path))
            assert isinstance(answer, Response)
            assert answer.status == 404
    await pipeline.handle(request("GET", "/api/v1/nodes"))
    answer = await metrics.respond(request("GET", "/metrics"))
    assert answer is not None
    body = answer.body
    assert isinstance(body, bytes)
    series = [line for line in body.decode().splitlines() if line.startswith("apiserver_request_total{")]
    assert len(series) == 3
    assert b"nonsense" not in body
    assert any('resource="nodes"' in line for line in series)


@pytest.mark.parametrize(("shape", "items"), [("Table", "rows"), ("PartialObjectMetadataList", "items")])
async def test_long_lists_in_other_shapes_let_others_run(
    shape: str, items: str, registry: Registry, client: LocalClient
) -> None:
    for number in range(300):
        await client.create(config_map(f"cm{number:03}"))
    asked = request("GET", "/api/v1/namespaces/default/configmaps")
    asked.headers = {"accept": f"application/json;as={shape};v=v1;g=meta.k8s.io"}
    answering = asyncio.create_task(Resources(registry.scheme, registry.handler).handle(asked, request_info(asked)))
    turns = 0
    while not answering.done():
        turns += 1
        await asyncio.sleep(0)
    answer = await answering
    assert isinstance(answer, Response)
    assert not isinstance(answer.body, bytes)
    assert turns >= 4
    shown = [each.get("object", each)["metadata"]["name"] for each in json.loads(b"".join(answer.body))[items]]
    assert shown == [f"cm{number:03}" for number in range(300)]
