"""Requests for custom resources whose definition changes, or goes, while they are under way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.resources import builtin_scheme
from steersman.api.types.apiextensions_v1 import CustomResourceDefinitionNames
from steersman.apiserver.extensions.definitions.rules import LateRules
from steersman.apiserver.extensions.definitions.serving import Served, serve
from steersman.apiserver.extensions.structural import Compiler
from steersman.apiserver.registry.config import RegistryConfig
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.registry.registry import Registry
from steersman.storage.memory import MemoryStore
from steersman.storage.store import Range

from .test_definition_defaults import definition
from .test_reads import Recorder


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


def served(registry: Registry) -> Served:
    widgets = definition(1)
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
        registry.remove(handler.resource)
        async with asyncio.timeout(5):
            with pytest.raises(StatusError, match="could not find the requested resource"):
                await waiting
