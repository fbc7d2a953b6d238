"""Custom resources that a webhook converts: on every way in and out, and when it does not."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import admissionregistration_v1 as admission
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition, CustomResourceDefinitionNames
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.apiserver.extensions.customresources import following
from steersman.apiserver.extensions.customresources.converter import WebhookConverter
from steersman.apiserver.extensions.definitions.rules import LateRules
from steersman.apiserver.extensions.definitions.serving import Served, serve
from steersman.apiserver.extensions.plugins import configured_plugins
from steersman.apiserver.extensions.structural import Compiler
from steersman.apiserver.extensions.webhook_client import Address, CallFailed, WebhookClient
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.registry.registry import Registry
from steersman.client.client import Patch
from steersman.storage.memory import MemoryStore
from steersman.storage.store import Put, Unconvertible

from .conftest import context
from .test_custom_requests import run
from .test_reads import Recorder

GROUP = "example.com"
V1, V2, V3 = (f"{GROUP}/{name}" for name in ("v1", "v2", "v3"))
APPLY, MERGE, JSON = "application/apply-patch+yaml", "application/merge-patch+json", "application/json-patch+json"

SIZE = {"type": "integer", "maximum": 100}


def object_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


STATUS = object_of(phase={"type": "string"}, size=SIZE)
SCHEMAS = {
    "v1": object_of(spec=object_of(size=SIZE, old={"type": "string", "default": "v1"}), status=STATUS),
    "v2": object_of(
        spec=object_of(shape=object_of(size=SIZE), old={"type": "string"}, new={"type": "string", "default": "v2"}),
        status=STATUS,
    ),
    "v3": object_of(spec=object_of(shape=object_of(size=SIZE), old={"type": "string"}), status=STATUS),
}


class Converter:
    """A webhook: in v1, sizes are a member of the spec, and one of its shape in the others."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.failure: Exception | None = None
        self.poisoned = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    async def post(self, address: Address, body: bytes, timeout: float) -> bytes:
        assert (address.url, timeout) == ("https://converter.example.com/", 30.0)
        request = msgspec.json.decode(body)["request"]
        self.asked.append((request["desiredAPIVersion"], len(request["objects"])))
        self.entered.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        result = {"status": "Success"}
        if any(each["metadata"]["name"] == self.poisoned for each in request["objects"]):
            result = {"status": "Failure", "message": f"{self.poisoned} is broken"}
        objects = [self.convert(each, request["desiredAPIVersion"]) for each in request["objects"]]
        response = {"uid": request["uid"], "result": result, "convertedObjects": objects}
        return json.dumps(
            {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1", "response": response}
        ).encode()

    @staticmethod
    def convert(obj: dict[str, Any], target: str) -> dict[str, Any]:
        spec = obj.get("spec", {})
        size = spec.pop("size", None) if obj["apiVersion"] == V1 else spec.pop("shape", {}).get("size")
        if size is not None:
            spec |= {"size": size} if target == V1 else {"shape": {"size": size}}
        obj["metadata"].setdefault("labels", {})["seen-in"] = target.replace("/", ".")
        return {**obj, "apiVersion": target}


def definition(stored: str = "v1", generation: int = 1) -> CustomResourceDefinition:
    scale = {"specReplicasPath": ".spec.shape.size", "statusReplicasPath": ".status.size"}
    versions = [
        {
            "name": name,
            "served": True,
            "storage": name == stored,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}, **({"scale": scale} if name != "v1" else {})},
            "selectableFields": [{"jsonPath": ".spec.size" if name == "v1" else ".spec.shape.size"}],
            "additionalPrinterColumns": [
                {"name": "Size", "type": "integer", "jsonPath": ".spec.size" if name == "v1" else ".spec.shape.size"}
            ],
        }
        for name, schema in SCHEMAS.items()
    ]
    names = {"plural": "widgets", "kind": "Widget", "listKind": "WidgetList"}
    found: CustomResourceDefinition = codecs.from_builtins(
        CustomResourceDefinition,
        {
            "metadata": {"name": "widgets.example.com", "generation": generation},
            "spec": {
                "group": GROUP,
                "scope": "Namespaced",
                "names": names,
                "versions": versions,
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {
                        "conversionReviewVersions": ["v1"],
                        "clientConfig": {"url": "https://converter.example.com/"},
                    },
                },
            },
        },
    )
    found.status.accepted_names = CustomResourceDefinitionNames(plural="widgets", kind="Widget", list_kind="WidgetList")
    return found


class World:
    """A kind of three versions, served; ``handlers`` are by version."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.converter = Converter()
        self.observed: list[tuple[str, str, str]] = []
        self.generation = 0
        self.made: Served | None = None
        self.serve()

    def serve(self, stored: str = "v1") -> None:
        """As the definition is now."""
        if self.made is not None:
            for resource in (*self.made.handlers, self.made.stored.resource):
                self.registry.remove(resource)
        self.generation += 1
        widgets = definition(stored, self.generation)
        self.made = serve(
            widgets, codecs.encode(widgets), self.registry, Compiler(LateRules()), self.converter, self._observe
        )
        self.handlers = {resource.version: handler for resource, handler in self.made.handlers.items()}
        for resource, handler in self.made.handlers.items():
            self.registry.add(resource, handler)

    def _observe(self, name: str, source: str, target: str, seconds: float, failure: str) -> None:
        assert name == "widgets.example.com"
        assert seconds >= 0
        self.observed.append((source, target, failure))

    async def create(self, version: str, name: str = "w", **fields: Any) -> dict[str, Any]:
        handler = self.handlers[version]
        tree = {"metadata": {"name": name, "namespace": "default"}, **fields}
        obj, _ = codecs.decode_body(handler.resource, msgspec.json.encode(tree), "application/json", "Strict")
        entry = await handler.create(context(field_manager=f"by-{version}"), "default", obj)
        return tree_of(entry.raw)

    async def get(self, version: str, name: str = "w") -> dict[str, Any]:
        return tree_of((await self.handlers[version].get("default", name)).raw)

    async def names(self, version: str, **options: Any) -> list[str]:
        page = await self.handlers[version].list("default", ListOptions(**options))
        return [entry.object.metadata.name for entry in page.entries]

    async def patch(self, version: str, patch: Any, type_: str = MERGE, *, subresource: str = "", **fields: Any) -> Any:
        body = msgspec.json.encode(patch)
        sent = Patch(type=type_, body=body, field_manager=f"by-{version}", force=fields.pop("force", False))
        told = context(field_manager=f"by-{version}", **fields)
        entry, _ = await self.handlers[version].patch(told, "default", "w", sent, subresource=subresource)
        return tree_of(entry.raw)

    async def stored(self, name: str = "w") -> dict[str, Any]:
        item = await self.registry.store.get(self.handlers["v1"].resource.key("default", name))
        assert item is not None
        return tree_of(item.value)


def tree_of(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(raw)
    return found


def applied(version: str, **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "default"},
        **fields,
    }


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with run(MemoryStore()) as registry:
        yield World(registry)


@contextlib.asynccontextmanager
async def refused(text: str, code: int = 500) -> AsyncIterator[None]:
    with pytest.raises(StatusError) as error:
        yield
    assert (error.value.code, error.value.reason) == (code, "")
    assert text in str(error.value), str(error.value)


FAILED = "conversion webhook for example.com/v1, Kind=Widget failed: no route"


# -- ways in and out ---------------------------------------------------------------------------------------------------


async def test_what_is_written_is_stored_in_the_storage_version_and_answered_as_it_is_read(world: World) -> None:
    created = await world.create("v2", spec={"shape": {"size": 3}})
    # Defaults: those of the version that was asked for are set (v1 cannot hold this one), those of the stored one seen.
    assert created["spec"] == {"shape": {"size": 3}, "old": "v1"}
    assert created["metadata"]["labels"] == {"seen-in": "example.com.v2"}
    stored = await world.stored()
    assert (stored["apiVersion"], stored["spec"]) == (V1, {"size": 3})
    assert stored["metadata"]["labels"] == {"seen-in": "example.com.v1"}
    assert (await world.get("v1"))["spec"] == {"size": 3, "old": "v1"}
    assert (await world.get("v3"))["spec"] == {"shape": {"size": 3}, "old": "v1"}


async def test_conversions_cost_one_question_each(world: World) -> None:
    asked = world.converter.asked
    for number in range(20):
        await world.create("v1", f"w{number:02}", spec={"size": number})
    assert asked == []
    assert len(await world.names("v2")) == 20
    assert asked == [(V2, 20)]
    sinks = [Recorder() for _ in range(5)]
    for sink in sinks:
        await world.handlers["v2"].watch("default", ListOptions(resource_version="0"), sink)
    await world.create("v1", "late", spec={"size": 1})
    await world.names("v2")
    assert asked == [(V2, 20), (V2, 1)]
    assert all(sink.events[-1] == ("ADDED", "late") for sink in sinks)
    # There and back again; its own cache, and who reads it, know both by then.
    asked.clear()
    await world.create("v2", "more", spec={"shape": {"size": 1}})
    assert (await world.get("v2", "more"))["spec"]["shape"] == {"size": 1}
    assert asked == [(V1, 1), (V2, 1)]
    assert world.observed[-2:] == [("v2", "v1", ""), ("v1", "v2", "")]


async def test_every_way_to_write(world: World) -> None:
    await world.create("v1", spec={"size": 1})
    assert (await world.patch("v2", {"spec": {"shape": {"size": 2}}}))["spec"]["shape"] == {"size": 2}
    operations = [{"op": "replace", "path": "/spec/shape/size", "value": 3}]
    assert (await world.patch("v3", operations, JSON))["spec"]["shape"] == {"size": 3}
    assert (await world.stored())["spec"]["size"] == 3
    changed = await world.patch("v2", {"status": {"phase": "Up", "size": 1}}, subresource="status")
    assert (changed["status"], changed["metadata"]["generation"]) == ({"phase": "Up", "size": 1}, 3)
    v2 = world.handlers["v2"]
    scale = await v2.get_subresource("default", "w", "scale")
    assert (scale.spec.replicas, scale.status.replicas) == (3, 1)
    patch = Patch(type=MERGE, body=b'{"spec":{"replicas":7}}')
    assert (await v2.patch_subresource(context(), "default", "w", "scale", patch)).spec.replicas == 7
    assert (await world.get("v1"))["spec"]["size"] == 7
    entry = await v2.get("default", "w")
    obj = codecs.copy(entry.object)
    obj.content["spec"]["shape"]["size"] = 101
    with pytest.raises(StatusError, match=r"spec\.shape\.size: Invalid value: 101"):
        await v2.update(context(), "default", "w", obj)
    obj.content["spec"]["shape"]["size"] = 8
    await v2.update(context(), "default", "w", obj)
    assert (await world.stored())["spec"]["size"] == 8
    await v2.delete(context(), "default", "w", DeleteOptions())
    assert await world.names("v1") == await world.names("v2") == []


async def test_dry_runs_convert_and_write_nothing(world: World) -> None:
    await world.create("v1", spec={"size": 1})
    changed = await world.patch("v2", {"spec": {"shape": {"size": 2}}}, dry_run=True)
    assert changed["spec"] == {"shape": {"size": 2}, "old": "v1"}
    assert (await world.stored())["spec"]["size"] == 1
    world.converter.failure = CallFailed("no route")
    async with refused("conversion webhook for example.com/v2, Kind=Widget failed: no route"):
        await world.patch("v2", {"spec": {"shape": {"size": 3}}}, dry_run=True)


async def test_selectors_and_columns_see_the_version_that_was_asked_for(world: World) -> None:
    await world.create("v1", "a", spec={"size": 1})
    await world.create("v2", "b", spec={"shape": {"size": 2}})
    assert await world.names("v1", field_selector="spec.size=2") == ["b"]
    assert await world.names("v2", field_selector="spec.shape.size=1") == ["a"]
    printer = world.handlers["v2"].resource.printer
    assert printer is not None
    entry = await world.handlers["v2"].get("default", "a")
    assert printer.row(entry.object, world.registry.now()) == ["a", 1]


async def test_managers_own_in_their_own_versions(world: World) -> None:
    await world.patch("v1", applied("v1", spec={"size": 1, "old": "mine"}), APPLY)
    with pytest.raises(StatusError, match=r'Apply failed with 1 conflict: conflict with "by-v1": \.spec\.size'):
        await world.patch("v2", applied("v2", spec={"shape": {"size": 2}}), APPLY)
    forced = await world.patch("v2", applied("v2", spec={"shape": {"size": 2}}), APPLY, force=True)
    owned = {each["manager"]: (each["apiVersion"], each["fieldsV1"]) for each in forced["metadata"]["managedFields"]}
    assert owned["by-v2"] == (V2, {"f:spec": {"f:shape": {"f:size": {}}}})
    assert owned["by-v1"] == (V1, {"f:spec": {"f:old": {}}})
    # Who applied in another version gives up what is no longer said there.
    again = await world.patch("v2", applied("v2", spec={}), APPLY)
    assert again["spec"] == {"old": "mine"}


@pytest.mark.parametrize("stored", ["v2", "v3"])
async def test_writing_nothing_moves_an_object_to_the_storage_version(world: World, stored: str) -> None:
    await world.create("v1", spec={"size": 1})
    world.serve(stored)
    before = await world.get("v1")
    after = await world.patch("v1", {})
    assert (await world.stored())["apiVersion"] == f"{GROUP}/{stored}"
    assert after["spec"] == before["spec"]
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    assert (await world.patch("v1", {}))["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


async def test_long_lists_are_converted_in_parts(world: World) -> None:
    text = "x" * 100_000
    for number in range(12):
        await world.create("v1", f"w{number:02}", spec={"size": 1, "old": text})
    assert len(await world.names("v2")) == 12
    assert world.converter.asked == [(V2, 10), (V2, 2)]


async def test_servers_that_take_little_are_asked_for_little(world: World) -> None:
    post, most = world.converter.post, 3

    async def limited(address: Address, body: bytes, timeout: float) -> bytes:
        if len(msgspec.json.decode(body)["request"]["objects"]) > most:
            raise CallFailed("too large", 413)
        return await post(address, body, timeout)

    world.converter.post = limited  # type: ignore[method-assign]
    for number in range(10):
        await world.create("v1", f"w{number}", spec={"size": number})
    assert len(await world.names("v2")) == 10
    assert sum(count for _, count in world.converter.asked) == 10


async def test_servers_that_are_late_are_asked_for_less_the_next_time() -> None:
    webhook = Converter()
    post, counts = webhook.post, []

    async def slow(address: Address, body: bytes, timeout: float) -> bytes:
        counts.append(len(msgspec.json.decode(body)["request"]["objects"]))
        if counts[-1] > 3:
            raise CallFailed("context deadline exceeded", late=True)
        return await post(address, body, timeout)

    webhook.post = slow  # type: ignore[method-assign]
    declared = definition().spec.conversion
    assert declared is not None
    assert declared.webhook is not None
    converter = WebhookConverter("widgets.example.com", declared.webhook, webhook)
    trees = [{"apiVersion": V1, "kind": "Widget", "metadata": {"name": f"w{number}"}} for number in range(10)]
    with pytest.raises(Unconvertible, match="context deadline exceeded"):
        await converter.convert(trees, V2)
    assert len(await converter.convert(trees, V2)) == 10
    assert counts == [10, 2, 2, 2, 2, 2]


# -- webhooks that do not convert --------------------------------------------------------------------------------------

Way = Callable[[World], Awaitable[Any]]

WAYS: dict[str, Way] = {
    "get": lambda world: world.get("v2"),
    "list": lambda world: world.names("v2"),
    "create": lambda world: world.create("v2", "other", spec={}),
    "create again": lambda world: world.create("v2", spec={}),
    "merge patch": lambda world: world.patch("v2", {"spec": {"old": "x"}}),
    "apply": lambda world: world.patch("v2", applied("v2", spec={"old": "x"}), APPLY, force=True),
    "status": lambda world: world.patch("v2", {"status": {"phase": "x"}}, subresource="status"),
    "scale": lambda world: world.handlers["v2"].get_subresource("default", "w", "scale"),
    "delete": lambda world: world.handlers["v2"].delete(context(), "default", "w", DeleteOptions()),
    "deletecollection": lambda world: world.handlers["v2"].delete_collection(
        context(), "default", ListOptions(), DeleteOptions()
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_failures_are_told_and_end_with_their_cause(world: World, way: str) -> None:
    await world.create("v1", spec={"size": 1})
    world.converter.failure = CallFailed("no route")
    source = "v2" if way.startswith("create") else "v1"
    for _ in range(2):
        async with refused(f"conversion webhook for example.com/{source}, Kind=Widget failed: no route"):
            await WAYS[way](world)
    assert (await world.get("v1"))["spec"]["size"] == 1
    assert await world.names("v1") == ["w"]
    world.converter.failure = None
    if way != "create again":
        await WAYS[way](world)


async def test_one_object_that_cannot_be_converted(world: World) -> None:
    await world.create("v1", "bad", spec={"size": 1})
    await world.create("v1", spec={"size": 2})
    world.converter.poisoned = "bad"
    broken = "conversion webhook for example.com/v1, Kind=Widget failed: bad is broken"
    for _ in range(2):
        async with refused(broken):
            await world.names("v2")
        async with refused(broken):
            await world.get("v2", "bad")
        # The others can be read, written and deleted all the same.
        assert (await world.get("v2"))["spec"]["shape"] == {"size": 2}
        changed = await world.patch("v2", {"spec": {"shape": {"size": 3}}})
        assert changed["spec"]["shape"] == {"size": 3}
        await world.patch("v2", {"spec": {"shape": {"size": 2}}})
    await world.create("v2", "third", spec={"shape": {"size": 4}})
    await world.handlers["v2"].delete(context(), "default", "third", DeleteOptions())
    await world.handlers["v1"].delete(context(), "default", "bad", DeleteOptions())
    assert await world.names("v2") == ["w"]


async def test_watches_wait_for_a_webhook_and_go_on(world: World) -> None:
    await world.create("v1", "first", spec={"size": 1})
    assert await world.names("v2") == ["first"]
    mine, other = Recorder(), Recorder()
    await world.handlers["v2"].watch("default", ListOptions(resource_version="0"), mine)
    await world.handlers["v1"].watch("default", ListOptions(resource_version="0"), other)
    world.converter.failure = CallFailed("no route")
    for name in ("second", "third"):
        await world.create("v1", name, spec={"size": 1})
    async with refused(FAILED):
        await world.names("v2")
    assert await world.names("v2", resource_version="0") == ["first"]
    # What is known is told.  So is what happens to it, once all before that can be told.
    assert (await world.get("v2", "first"))["spec"]["shape"] == {"size": 1}
    await world.handlers["v1"].delete(context(), "default", "first", DeleteOptions())
    assert [name for _, name in mine.events] == ["first"]
    assert [name for _, name in other.events] == ["first", "second", "third", "first"]
    world.converter.failure = None
    assert await world.names("v2") == ["second", "third"]
    assert mine.events == [("ADDED", "first"), ("ADDED", "second"), ("ADDED", "third"), ("DELETED", "first")]
    assert not mine.ended


async def test_a_webhook_that_hangs_holds_up_nobody_else(world: World) -> None:
    await world.create("v1", spec={"size": 1})
    converter = world.converter
    converter.gate.clear()
    waiting = [asyncio.ensure_future(world.names("v2")) for _ in range(3)]
    await converter.entered.wait()
    async with asyncio.timeout(1):
        await world.create("v1", "second", spec={"size": 1})
        assert await world.names("v1") == ["second", "w"]
    converter.failure = CallFailed("context deadline exceeded", late=True)
    converter.gate.set()
    for each in waiting:
        async with refused("context deadline exceeded"):
            await each
    converter.failure = None
    assert await world.names("v2") == ["second", "w"]


async def test_one_object_does_not_wait_for_what_becomes_of_others(world: World) -> None:
    await world.create("v1", spec={"size": 1})
    assert await world.names("v2") == ["w"]
    world.handlers["v2"].promptness = 0.01
    world.converter.gate.clear()
    await world.create("v1", "slow", spec={"size": 2})
    async with asyncio.timeout(5):
        assert (await world.get("v2"))["spec"]["shape"] == {"size": 1}
        await world.handlers["v2"].delete(context(), "default", "w", DeleteOptions())
        with pytest.raises(StatusError, match="not found"):
            await world.get("v2")
    world.converter.gate.set()
    assert await world.names("v2") == ["slow"]


async def test_a_definition_that_changes_is_asked_anew(world: World) -> None:
    await world.create("v1", spec={"size": 1})
    world.converter.failure = CallFailed("no route")
    async with refused(FAILED):
        await world.names("v2")
    world.converter = Converter()
    world.serve()
    assert await world.names("v2") == ["w"]


async def test_what_cannot_be_read_again_is_not_written(world: World) -> None:
    convert = Converter.convert

    def one_way(obj: dict[str, Any], target: str) -> dict[str, Any]:
        return {**convert(obj, target), **({"kind": "Gadget"} if target == V2 else {})}

    world.converter.convert = one_way  # type: ignore[method-assign]
    told = "returned invalid object at index 0: invalid kind (expected Widget, received Gadget)"
    async with refused(f"conversion webhook for example.com/v1, Kind=Widget {told}"):
        await world.create("v2", spec={})
    assert await world.names("v1") == []


async def test_what_was_overwritten_is_skipped(world: World) -> None:
    assert await world.names("v2") == []
    sink = Recorder()
    await world.handlers["v2"].watch("default", ListOptions(resource_version="0"), sink)
    world.converter.poisoned = "bad"
    await world.create("v1", "bad", spec={"size": 1})
    await world.create("v1", "good", spec={"size": 1})
    async with refused("bad is broken"):
        await world.names("v2")
    await world.handlers["v1"].delete(context(), "default", "bad", DeleteOptions())
    assert await world.names("v2") == ["good"]
    assert sink.events == [("ADDED", "good")]


async def test_more_changes_than_can_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_CAPACITY", 2000)
    assert await world.names("v2") == []
    sink = Recorder()
    await world.handlers["v2"].watch("default", ListOptions(resource_version="0"), sink)
    world.converter.failure = CallFailed("no route")
    names = [f"w{number:02}" for number in range(20)]
    for name in names:
        await world.create("v1", name, spec={"size": 1})
    async with refused(FAILED):
        await world.names("v2")
    world.converter.failure = None
    assert await world.names("v2") == names
    assert [name for _, name in sink.events] == names


async def test_versions_that_are_gone_cannot_be_converted(world: World) -> None:
    await world.create("v1", spec={"size": 1})
    key = world.handlers["v1"].resource.key("default", "w")
    item = await world.registry.store.get(key)
    assert item is not None
    await world.registry.store.commit([Put(key, item.value.replace(b"example.com/v1", b"example.com/v0"))])
    async with refused("request to convert CR from an invalid group/version: example.com/v0"):
        await world.get("v2")


# -- admission in another version --------------------------------------------------------------------------------------


class Admission(WebhookClient):
    """Answers admission reviews with a patch; those of conversion are answered elsewhere."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.told: list[dict[str, Any]] = []

    async def post(self, address: Address, body: bytes, timeout: float) -> bytes:
        request = msgspec.json.decode(body)["request"]
        self.told.append(request)
        patch = base64.b64encode(b'[{"op":"replace","path":"/spec/size","value":5}]').decode()
        response = {"uid": request["uid"], "allowed": True, "patchType": "JSONPatch", "patch": patch}
        return json.dumps(
            {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response}
        ).encode()


async def test_webhooks_and_policies_hear_of_the_version_that_they_know(world: World) -> None:
    registry = world.registry
    client = Admission(registry)
    registry.admission.add(*configured_plugins(registry, client))
    rule = {"operations": ["*"], "apiGroups": [GROUP], "apiVersions": ["v1"], "resources": ["widgets"]}
    for type_, tree in (
        (
            admission.MutatingWebhookConfiguration,
            {
                "webhooks": [
                    {
                        "name": "hook.example.com",
                        "clientConfig": {"url": "https://127.0.0.1/x"},
                        "rules": [rule],
                        "admissionReviewVersions": ["v1"],
                        "sideEffects": "None",
                    }
                ]
            },
        ),
        (
            admission.ValidatingAdmissionPolicy,
            {
                "spec": {
                    "matchConstraints": {"resourceRules": [rule]},
                    "validations": [{"expression": "object.spec.old != 'never'", "message": "never"}],
                }
            },
        ),
        (
            admission.ValidatingAdmissionPolicyBinding,
            {"spec": {"policyName": "it", "validationActions": ["Deny"]}},
        ),
    ):
        obj = codecs.from_builtins(type_, {"metadata": {"name": "it"}, **tree})
        await registry.handler_of(type_).create(context(), "", obj)
    created = await world.create("v2", spec={"shape": {"size": 1}})
    (told,) = client.told
    assert (told["kind"]["version"], told["requestKind"]["version"]) == ("v1", "v2")
    assert (told["object"]["apiVersion"], told["object"]["spec"]["size"]) == (V1, 1)
    assert created["spec"]["shape"] == {"size": 5}
    with pytest.raises(StatusError, match="denied request: never"):
        await world.patch("v2", {"spec": {"old": "never"}})
    world.converter.failure = CallFailed("no route")
    with pytest.raises(StatusError) as refused:
        await world.create("v2", "other", spec={})
    assert refused.value.status.reason == "InternalError"
    assert str(refused.value) == (
        "Internal error occurred: conversion webhook for example.com/v2, Kind=Widget failed: no route"
    )
