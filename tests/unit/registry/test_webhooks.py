"""What webhooks make of objects: the answers are given here, all else is the server's own."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from steersman.api.errors import StatusError
from steersman.api.types import admissionregistration_v1 as admission
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.extensions.webhooks.client import Address, CallFailed, WebhookClient
from steersman.apiserver.extensions.webhooks.plugins import admission_webhooks
from steersman.apiserver.registry.config import RegistryConfig
from steersman.apiserver.registry.registry import Registry

from .conftest import config_map, context, running


class Answering(WebhookClient):
    """A client whose webhooks are a function: from the request of a review to the members of the response."""

    answer: Callable[[dict[str, Any]], dict[str, Any]]

    async def post(self, address: Address, body: bytes, timeout: float) -> bytes:
        asked = json.loads(body)["request"]
        response = {"uid": asked["uid"], "allowed": True, **self.answer(asked)}
        return json.dumps(
            {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        ).encode()


def patching(*operations: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return lambda _: {"patch": patch, "patchType": "JSONPatch"}


LABELLING = patching({"op": "add", "path": "/metadata/labels", "value": {"seen": "yes"}})


class Server:
    def __init__(self, registry: Registry, client: Answering) -> None:
        self.registry = registry
        self.client = client
        self.maps = registry.handler_of(v1.ConfigMap)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running(RegistryConfig(service_cidr="10.96.0.0/24", advertise_address="192.0.2.1")) as registry:
        client = Answering(registry)
        registry.admission.add(*admission_webhooks(registry, client))
        hook = admission.MutatingWebhook(
            name="hook.example.com",
            client_config=admission.WebhookClientConfig(url="https://127.0.0.1/x"),
            rules=[
                admission.RuleWithOperations(
                    operations=["*"], api_groups=["*"], api_versions=["*"], resources=["configmaps"]
                )
            ],
            admission_review_versions=["v1"],
            side_effects="None",
        )
        configuration = admission.MutatingWebhookConfiguration(metadata=ObjectMeta(name="hooks"), webhooks=[hook])
        handler = registry.handler_of(admission.MutatingWebhookConfiguration)
        await handler.create(context(), "", configuration)
        yield Server(registry, client)


async def test_what_a_webhook_changes_is_still_the_servers_object(server: Server) -> None:
    server.client.answer = LABELLING
    made = (await server.maps.create(context(), "default", config_map("a"))).object
    assert made.metadata.labels == {"seen": "yes"}
    assert made.metadata.uid
    assert made.metadata.creation_timestamp is not None
    changed = (await server.maps.modify(context(), "default", "a", lambda obj: obj.data.update(x="y"))).object
    assert (changed.metadata.uid, changed.data) == (made.metadata.uid, {"x": "y"})


async def test_a_changed_object_gets_a_generated_name(server: Server) -> None:
    server.client.answer = LABELLING
    wanted = config_map("")
    wanted.metadata.generate_name = "gen-"
    made = (await server.maps.create(context(), "default", wanted)).object
    assert made.metadata.name.startswith("gen-")
    assert (await server.maps.get("default", made.metadata.name)).object.metadata.labels == {"seen": "yes"}


@pytest.mark.parametrize("verb", ["create", "update"])
async def test_no_webhook_moves_an_object_to_another_namespace(server: Server, verb: str) -> None:
    server.client.answer = lambda _: {}
    if verb == "update":
        await server.maps.create(context(), "default", config_map("a"))
    server.client.answer = patching({"op": "replace", "path": "/metadata/namespace", "value": "kube-system"})
    writing: Any = (
        server.maps.create(context(), "default", config_map("a"))
        if verb == "create"
        else server.maps.modify(context(), "default", "a", lambda obj: obj.data.update(x="y"))
    )
    with pytest.raises(StatusError, match=r"does not match the namespace sent on the request") as refused:
        await writing
    assert refused.value.status.code == 400
    assert server.registry.handler_of(v1.ConfigMap).cache.get("/registry/configmaps/kube-system/a") is None


async def test_no_webhook_renames_what_there_is(server: Server) -> None:
    server.client.answer = lambda _: {}
    await server.maps.create(context(), "default", config_map("a"))
    server.client.answer = patching({"op": "replace", "path": "/metadata/name", "value": "b"})
    with pytest.raises(StatusError, match=r"metadata.name: Invalid value.*field is immutable") as refused:
        await server.maps.modify(context(), "default", "a", lambda obj: obj.data.update(x="y"))
    assert refused.value.status.code == 422


async def test_null_in_an_answer_says_nothing(server: Server) -> None:
    server.client.answer = lambda _: {"status": {"message": None}, "patch": None, "warnings": None, "uid": _["uid"]}
    await server.maps.create(context(), "default", config_map("a"))


async def test_a_broken_answer_is_a_failed_call(server: Server) -> None:
    server.client.answer = lambda _: {"warnings": "no list"}
    with pytest.raises(StatusError, match=r'failed calling webhook "hook\.example\.com"') as refused:
        await server.maps.create(context(), "default", config_map("a"))
    assert refused.value.status.code == 500


async def test_an_answer_that_breaks_off_is_a_failed_call(registry: Registry) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
        writer.close()

    backend = await asyncio.start_server(answer, "127.0.0.1", 0)
    client = WebhookClient(registry)
    async with backend:
        url = f"http://127.0.0.1:{backend.sockets[0].getsockname()[1]}/"
        with pytest.raises(CallFailed, match="unexpected EOF"):
            await client.post(Address(url=url), b"{}", 5)
    await client.close()
