"""What webhooks make of objects: the answers are given here, all else is the server's own."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from steersman.api.errors import StatusError
from steersman.api.types import admissionregistration_v1 as admission
from steersman.api.types import core_v1 as v1
from steersman.api.types.apps_v1 import ReplicaSet, ReplicaSetSpec
from steersman.api.types.meta_v1 import LabelSelector, ObjectMeta
from steersman.apiserver.endpoints.request_info import RequestInfo, request_info
from steersman.apiserver.endpoints.resources import Resources
from steersman.apiserver.extensions.plugins import configured_plugins
from steersman.apiserver.extensions.webhook_client import Address, CallFailed, WebhookClient
from steersman.apiserver.http.messages import Request as HTTPRequest
from steersman.apiserver.http.messages import Response
from steersman.apiserver.registry.config import RegistryConfig
from steersman.apiserver.registry.registry import Registry
from steersman.client.client import Patch

from .conftest import ADMIN, config_map, context, pod, running
from .test_responsiveness import LIMIT, longest_turn


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
        registry.admission.add(*configured_plugins(registry, client))
        hook = admission.MutatingWebhook(
            name="hook.example.com",
            client_config=admission.WebhookClientConfig(url="https://127.0.0.1/x"),
            rules=[
                admission.RuleWithOperations(
                    operations=["*"],
                    api_groups=["*"],
                    api_versions=["*"],
                    resources=[
                        "configmaps",
                        "pods/binding",
                        "pods/exec",
                        "pods/portforward",
                        "pods/log",
                        "*/proxy",
                        "*/scale",
                    ],
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


async def test_null_in_the_lists_of_an_answer_is_an_empty_one(server: Server) -> None:
    server.client.answer = lambda _: {
        "warnings": [None, "careful"],
        "auditAnnotations": {"a": None, "b": "c"},
        "status": {"details": {"causes": [None, {"message": "m"}]}},
    }
    given = context()
    await server.maps.create(given, "default", config_map("a"))
    assert given.warnings == ["", "careful"]
    assert given.annotations["hook.example.com/b"] == "c"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"x": [{}] * 500_000}, id="what nobody asked for"),
        pytest.param(
            patching(
                *({"op": "add", "path": f"/metadata/annotations/{n}", "value": "y"} for n in range(2_000)),
                {"op": "add", "path": "/metadata/annotations", "value": {}},
            )({}),
            id="a patch of many operations",
        ),
    ],
)
async def test_an_answer_of_any_size_holds_nobody_up(server: Server, answer: dict[str, Any]) -> None:
    response = {"allowed": True, "uid": "UID"} | answer
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    text = json.dumps(review).encode()

    async def post(address: Address, body: bytes, timeout: float) -> bytes:
        return text.replace(b"UID", body[body.index(b'"uid":"') + 7 :][:36])

    server.client.post = post  # type: ignore[method-assign]
    numbers = itertools.count()

    async def create() -> None:
        made = config_map(f"c{next(numbers)}")
        made.metadata.annotations = {"a": "b"}
        await server.maps.create(context(), "default", made)

    assert await longest_turn(create) < LIMIT


async def test_what_webhooks_do_is_noted_for_the_audit_log(server: Server) -> None:
    server.client.answer = LABELLING
    given = context()
    await server.maps.create(given, "default", config_map("a"))
    place = "webhook.admission.k8s.io/round_0_index_0"
    about = '{"configuration":"hooks","webhook":"hook.example.com"'
    assert given.annotations.at("Metadata") == {f"mutation.{place}": about + ',"mutated":true}'}
    patch = '"patch":[{"op":"add","path":"/metadata/labels","value":{"seen":"yes"}}],"patchType":"JSONPatch"}'
    assert given.annotations.at("Request")[f"patch.{place}"] == f"{about},{patch}"


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
async def test_a_condition_that_does_not_compile_any_more_is_a_failure(
    server: Server, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    asked: list[Any] = []
    server.client.answer = lambda each: asked.append(each) or {}
    handler = server.registry.handler_of(admission.MutatingWebhookConfiguration)
    # As an older server may have stored it.
    monkeypatch.setattr(handler.strategy, "validate_update", lambda *_: [])

    def break_(configuration: admission.MutatingWebhookConfiguration) -> None:
        [hook] = configuration.webhooks
        hook.match_conditions = [admission.MatchCondition(name="a", expression="object.x +")]
        hook.failure_policy = policy

    await handler.modify(context(), "", "hooks", break_)
    if policy == "Ignore":
        await server.maps.create(context(), "default", config_map("a"))
    else:
        with pytest.raises(StatusError, match=r'configmaps "a" is forbidden: compilation error: compilation failed'):
            await server.maps.create(context(), "default", config_map("a"))
    assert asked == []


async def test_a_broken_answer_is_a_failed_call(server: Server) -> None:
    server.client.answer = lambda _: {"warnings": "no list"}
    with pytest.raises(StatusError, match=r'failed calling webhook "hook\.example\.com"') as refused:
        await server.maps.create(context(), "default", config_map("a"))
    assert refused.value.status.code == 500


async def test_a_patch_after_which_an_object_is_none(server: Server) -> None:
    server.client.answer = patching({"op": "add", "path": "/data", "value": 7})
    with pytest.raises(StatusError) as refused:
        await server.maps.create(context(), "default", config_map("a"))
    assert str(refused.value) == (
        "Internal error occurred: json: cannot unmarshal number into Go struct field ConfigMap.data "
        "of type map[string]string"
    )


async def test_what_is_posted_below_a_resource_is_of_its_own_kind(server: Server) -> None:
    seen: list[dict[str, Any]] = []

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        seen.append(asked)
        return patching({"op": "add", "path": "/metadata/annotations", "value": {"by": "hook"}})(asked)

    server.client.answer = answer
    pods = server.registry.handler_of(v1.Pod)
    await pods.create(context(), "default", pod())
    binding = v1.Binding(metadata=ObjectMeta(name="p"), target=v1.ObjectReference(kind="Node", name="n"))
    await pods.create_subresource(context(), "default", "p", "binding", binding)
    bound = (await pods.get("default", "p")).object
    assert (bound.spec.node_name, bound.metadata.annotations) == ("n", {"by": "hook"})
    assert [(each["kind"], each["requestKind"], each["resource"], each["subResource"]) for each in seen] == [
        (
            {"group": "", "version": "v1", "kind": "Binding"},
            {"group": "", "version": "v1", "kind": "Binding"},
            {"group": "", "version": "v1", "resource": "pods"},
            "binding",
        )
    ]


async def test_webhooks_hear_of_a_scale_as_one(server: Server) -> None:
    seen: list[dict[str, Any]] = []

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        seen.append(asked)
        return patching({"op": "replace", "path": "/spec/replicas", "value": 3})(asked)

    server.client.answer = answer
    template = v1.PodTemplateSpec(metadata=ObjectMeta(labels={"app": "x"}), spec=pod().spec)
    selector = LabelSelector(match_labels={"app": "x"})
    sets = server.registry.handler_of(ReplicaSet)
    wanted = ReplicaSet(
        metadata=ObjectMeta(name="r", namespace="default"),
        spec=ReplicaSetSpec(replicas=1, selector=selector, template=template),
    )
    await sets.create(context(), "default", wanted)
    patch = Patch("application/merge-patch+json", b'{"spec":{"replicas":5}}')
    scaled = await sets.patch_subresource(context(), "default", "r", "scale", patch)
    assert scaled.spec.replicas == 3
    assert (await sets.get("default", "r")).object.spec.replicas == 3
    assert [
        (each["kind"]["kind"], each["resource"]["resource"], each["subResource"], each["object"]["spec"])
        for each in seen
    ] == [("Scale", "replicasets", "scale", {"replicas": 5})]
    assert seen[0]["oldObject"]["spec"] == {"replicas": 1}


class Reached:
    """Whatever is connected."""

    def __init__(self) -> None:
        self.requests: list[HTTPRequest] = []

    def serves(self, resource: Any, subresource: str) -> bool:
        return subresource in ("exec", "log", "portforward", "proxy")

    async def connect(self, request: HTTPRequest, info: RequestInfo, path: str | None = None) -> Response:
        self.requests.append(request)
        return Response(b"")


CONNECTED = {
    "pods/p/exec?command=rm&command=-r&stdin=1": (
        "pods", "exec",
        {"kind": "PodExecOptions", "apiVersion": "v1", "stdin": True, "command": ["rm", "-r"]},
    ),
    "pods/p/portforward?ports=80": (
        "pods", "portforward", {"kind": "PodPortForwardOptions", "apiVersion": "v1", "ports": [80]},
    ),
    "services/p/proxy/a/b": ("services", "proxy", {"kind": "ServiceProxyOptions", "apiVersion": "v1", "path": "/a/b"}),
}  # fmt: skip


@pytest.mark.parametrize("target", CONNECTED)
async def test_webhooks_hear_of_connections(server: Server, target: str) -> None:
    reached, seen = Reached(), list[dict[str, Any]]()
    admit = server.registry.admission.admit
    resources = Resources(server.registry.scheme, server.registry.handler, connector=reached, admit=admit)

    def refuse(asked: dict[str, Any]) -> dict[str, Any]:
        seen.append(asked)
        return {"allowed": False, "status": {"message": "not today", "code": 403}}

    async def connect() -> None:
        path, _, query = f"/api/v1/namespaces/default/{target}".partition("?")
        request = HTTPRequest("GET", path, path, query, {}, b"")
        request.user = ADMIN
        await resources.handle(request, request_info(request))

    server.client.answer = refuse
    with pytest.raises(StatusError, match="not today"):
        await connect()
    assert reached.requests == []
    resource, subresource, options = CONNECTED[target]
    assert [
        (each["operation"], each["resource"]["resource"], each["subResource"], each["name"], each["object"])
        for each in seen
    ] == [("CONNECT", resource, subresource, "p", options)]
    server.client.answer = lambda _: {}
    await connect()
    assert len(reached.requests) == 1


async def test_webhooks_choose_the_container(server: Server) -> None:
    reached = Reached()
    admit = server.registry.admission.admit
    resources = Resources(server.registry.scheme, server.registry.handler, connector=reached, admit=admit)
    server.client.answer = patching({"op": "add", "path": "/container", "value": "c"})
    path = "/api/v1/namespaces/default/pods/p/exec"
    request = HTTPRequest("GET", path, path, "command=ls", {}, b"")
    request.user = ADMIN
    await resources.handle(request, request_info(request))
    assert (request.query["container"], request.query["command"]) == (["c"], ["ls"])


async def test_logs_are_read_without_asking(server: Server) -> None:
    reached = Reached()
    admit = server.registry.admission.admit
    resources = Resources(server.registry.scheme, server.registry.handler, connector=reached, admit=admit)
    server.client.answer = lambda _: {"allowed": False}
    path = "/api/v1/namespaces/default/pods/p/log"
    request = HTTPRequest("GET", path, path, "", {}, b"")
    await resources.handle(request, request_info(request))
    assert len(reached.requests) == 1


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
