"""Requests for custom resources: those under way while their definition changes, or goes, and those that cost much."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.resources import builtin_scheme
from steersman.api.types.apiextensions_v1 import (
    CustomResourceDefinitionNames,
    CustomResourceValidation,
    JSONSchemaProps,
)
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.endpoints.bodies import Bodies
from steersman.apiserver.extensions.definitions.rules import LateRules
from steersman.apiserver.extensions.definitions.serving import Served, serve
from steersman.apiserver.extensions.structural import Compiler
from steersman.apiserver.http.messages import Request
from steersman.apiserver.registry.config import RegistryConfig
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.registry.registry import Registry
from steersman.storage.memory import MemoryStore
from steersman.storage.store import Put, Range

from .conftest import context
from .test_definition_defaults import definition
from .test_reads import Recorder
from .test_responsiveness import LIMIT, longest_turn


class Slow(MemoryStore):
    """A store that takes its time to read widgets."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def range(self, prefix: str, **options: Any) -> Range:
        if "widgets" in prefix:
            self.asked.set()
            await asyncio.Event().wait()
        return await super().range(prefix, **options)


@contextlib.asynccontextmanager
async def run(store: MemoryStore) -> AsyncIterator[Registry]:
    registry = Registry(store, builtin_scheme(), RegistryConfig())
    task = asyncio.create_task(registry.run())
    await registry.ready.wait()
    yield registry
    task.cancel()
    await asyncio.wait([task])
    await store.close()


def served(registry: Registry, schema: JSONSchemaProps | None = None) -> Served:
    widgets = definition(1)
    if schema is not None:
        widgets.spec.versions[0].schema = CustomResourceValidation(open_apiv3_schema=schema)
    widgets.status.accepted_names = CustomResourceDefinitionNames(
        plural="widgets", kind="Widget", list_kind="WidgetList"
    )
    made = serve(widgets, codecs.encode(widgets), registry, Compiler(LateRules()))
    for resource, handler in made.handlers.items():
        registry.add(resource, handler)
    return made


@pytest.mark.parametrize("asking", ["list", "watch"])
async def test_who_waits_for_what_goes_is_told(asking: str) -> None:
    store = Slow()
    async with run(store) as registry:
        made = served(registry)
        handler = made.stored
        waiting: asyncio.Future[Any] = asyncio.ensure_future(
            handler.list("default", ListOptions())
            if asking == "list"
            else handler.watch("default", ListOptions(), Recorder())
        )
        await store.asked.wait()
        registry.patience = 0.01
        registry.remove(handler.resource)
        async with asyncio.timeout(5):
            with pytest.raises(StatusError, match="could not find the requested resource"):
                await waiting


async def test_requests_under_way_go_on_and_watches_end() -> None:
    async with run(MemoryStore()) as registry:
        handler = served(registry).stored
        sink = Recorder()
        await handler.watch("default", ListOptions(), sink)
        registry.remove(handler.resource)
        await asyncio.sleep(0)
        assert sink.ended
        widget = handler.resource.type(ObjectMeta(name="w", namespace="default"), {"a": 1})
        await handler.create(context(), "default", widget)
        assert (await handler.get("default", "w")).object.content == {"a": 1}
        late = Recorder()
        await handler.watch("default", ListOptions(), late)
        assert late.ended


async def test_costly_rules_are_evaluated_elsewhere() -> None:
    schema = codecs.from_builtins(
        JSONSchemaProps,
        {
            "type": "object",
            "properties": {"items": {"type": "array", "maxItems": 300, "items": {"type": "integer"}}},
            "x-kubernetes-validations": [{"rule": "self.items.all(x, self.items.all(y, x >= 0 || y >= 0))"}],
        },
    )
    async with run(MemoryStore()) as registry:
        handler = served(registry, schema).stored

        async def create() -> None:
            widget = handler.resource.type(ObjectMeta(generate_name="w-"), {"items": list(range(300))})
            await handler.create(context(), "default", widget)

        await create()  # compiles the rules
        assert await longest_turn(create) < LIMIT


@pytest.mark.parametrize("way", ["store", "body"])
async def test_schemas_are_compiled_elsewhere(way: str) -> None:
    rules = {
        f"f{number}": {
            "type": "integer",
            "x-kubernetes-validations": [{"rule": f"self != {number} || self == {number}"}],
        }
        for number in range(20)
    }
    schema = codecs.from_builtins(JSONSchemaProps, {"type": "object", "properties": rules})
    async with run(MemoryStore()) as registry:

        async def work() -> None:
            handler = served(registry, schema).stored
            if way == "store":
                await handler.list("default", ListOptions())
            else:
                body = b'{"kind":"Widget","apiVersion":"example.com/v1","metadata":{"name":"w"},"f1":1}'
                request = Request("POST", "/", "/", "", {"content-type": "application/json"}, body)
                await Bodies().read(request, handler.resource, context())
            registry.remove(handler.resource)

        assert await longest_turn(work) < LIMIT


@pytest.mark.parametrize("who", ["this server", "another one"])
async def test_large_objects_are_read_elsewhere(who: str) -> None:
    item = {"type": "object", "properties": {"name": {"type": "string"}, "number": {"type": "integer", "default": 1}}}
    schema = codecs.from_builtins(
        JSONSchemaProps, {"type": "object", "properties": {"items": {"type": "array", "items": item}}}
    )
    store = MemoryStore()
    async with run(store) as registry:
        handler = served(registry, schema).stored
        small = handler.resource.type(ObjectMeta(name="small", namespace="default"), {})
        await handler.create(context(), "default", small)  # compiles the schema
        large = {"items": [{"name": f"n{number}", "number": number} for number in range(30_000)]}
        numbers = itertools.count()

        async def work() -> None:
            widget = handler.resource.type(ObjectMeta(name=f"w{next(numbers)}", namespace="default"), large)
            if who == "this server":
                entry = await handler.create(context(weight=1 << 20), "default", widget)
            else:
                key = handler.resource.key("default", widget.metadata.name)
                await store.commit([Put(key, await asyncio.to_thread(codecs.encode, widget), 0)])
                entry = await handler.get("default", widget.metadata.name)
            assert len(entry.raw) > 900_000

        assert await longest_turn(work) < LIMIT
