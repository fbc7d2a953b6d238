"""Writes through a server that has not yet heard what another one wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, NamedTuple

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.resources import builtin_scheme
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.registry.config import RegistryConfig
from steersman.apiserver.registry.registry import Registry
from steersman.client.client import Patch
from steersman.client.local import LocalClient
from steersman.storage.memory import MemoryStore
from steersman.storage.store import EventBatch

from .conftest import ADMIN, config_map, context, pod


class Behind:
    """A store whose news can be held back, until somebody waits for them."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._held: list[Callable[[], None]] | None = None
        self._at = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def hold(self) -> None:
        self._at, self._held = self._store.current_revision, []

    @property
    def current_revision(self) -> int:
        return self._store.current_revision if self._held is None else self._at

    async def wait_revision(self, revision: int) -> None:
        held, self._held = self._held or [], None
        for deliver in held:
            deliver()
        await self._store.wait_revision(revision)

    async def follow(self, prefix: str, start: int, callback: Callable[[EventBatch], None]) -> Any:
        def deliver(batch: EventBatch) -> None:
            if self._held is None:
                callback(batch)
            else:
                self._held.append(partial(callback, batch))

        return await self._store.follow(prefix, start, deliver)


class Servers(NamedTuple):
    one: LocalClient
    two: LocalClient
    behind: Behind
    registry: Registry
    """The second one's."""


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    store = MemoryStore()
    behind = Behind(store)
    registries = []
    tasks = []
    for number, view in enumerate((store, behind), 1):
        config = RegistryConfig(service_cidr="10.96.0.0/24", advertise_address=f"192.0.2.{number}", shared_store=True)
        wanted: Any = view
        registries.append(Registry(wanted, builtin_scheme(), config))
        tasks.append(asyncio.create_task(registries[-1].run()))
        async with asyncio.timeout(10):
            await registries[-1].ready.wait()
    one, two = registries
    account = v1.ServiceAccount(metadata=ObjectMeta(name="default", namespace="default"))
    await one.handler_of(v1.ServiceAccount).create(context(), "default", account)
    yield Servers(LocalClient(one, ADMIN), LocalClient(two, ADMIN), behind, two)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await store.close()


async def test_a_version_from_another_server_is_no_conflict(servers: Servers) -> None:
    await servers.one.create(config_map(a="1"))
    await servers.two.get(v1.ConfigMap, "cm", "default")
    servers.behind.hold()
    changed = codecs.copy(await servers.one.update(config_map(a="2")))
    changed.data["a"] = "3"
    assert (await servers.two.update(changed)).data == {"a": "3"}


async def test_a_patch_of_a_version_from_another_server_is_no_conflict(servers: Servers) -> None:
    await servers.one.create(config_map(a="1"))
    await servers.two.get(v1.ConfigMap, "cm", "default")
    servers.behind.hold()
    changed = await servers.one.update(config_map(a="2"))
    body = b'{"metadata":{"resourceVersion":"%s"},"data":{"a":"3"}}' % changed.metadata.resource_version.encode()
    patch = Patch("application/merge-patch+json", body)
    assert (await servers.two.patch(v1.ConfigMap, "cm", patch, "default")).data == {"a": "3"}


async def test_what_seems_to_change_nothing_is_written_where_another_server_wrote(servers: Servers) -> None:
    first = await servers.one.create(config_map(a="1"))
    await servers.two.get(v1.ConfigMap, "cm", "default")
    servers.behind.hold()
    await servers.one.update(config_map(a="2"))
    assert (await servers.two.update(config_map(a="1"))).data == {"a": "1"}
    assert (await servers.one.get(v1.ConfigMap, "cm", "default")).data == {"a": "1"}
    servers.behind.hold()
    await servers.one.update(config_map(a="3"))
    with pytest.raises(StatusError) as error:
        await servers.two.update(codecs.copy(first))
    assert error.value.reason == "Conflict"


async def test_what_the_present_state_allows_is_not_refused_for_an_older_one(servers: Servers) -> None:
    await servers.one.create(config_map(a="1"))
    await servers.two.get(v1.ConfigMap, "cm", "default")
    servers.behind.hold()
    await servers.one.update(config_map(a="2"))
    tested = Patch(
        "application/json-patch+json",
        b'[{"op":"test","path":"/data/a","value":"2"},{"op":"replace","path":"/data/a","value":"3"}]',
    )
    assert (await servers.two.patch(v1.ConfigMap, "cm", tested, "default")).data == {"a": "3"}


async def test_the_server_itself_changes_what_is_there(servers: Servers) -> None:
    await servers.one.create(pod())
    handler = servers.registry.handler_of(v1.Pod)
    await servers.two.get(v1.Pod, "p", "default")
    servers.behind.hold()
    await servers.one.patch(
        v1.Pod, "p", Patch("application/merge-patch+json", b'{"metadata":{"labels":{"a":"1"}}}'), "default"
    )

    def unlabel(obj: v1.Pod) -> None:
        obj.metadata.labels = {}

    assert (await handler.amend("default", "p", unlabel)).object.metadata.labels == {}
    assert (await servers.one.get(v1.Pod, "p", "default")).metadata.labels == {}


async def test_who_was_deleted_and_made_anew_is_deleted(servers: Servers) -> None:
    held = config_map()
    held.metadata.finalizers = ["example.com/wait"]
    await servers.one.create(held)
    await servers.one.delete(v1.ConfigMap, "cm", "default")
    await servers.two.get(v1.ConfigMap, "cm", "default")
    servers.behind.hold()
    await servers.one.patch(
        v1.ConfigMap, "cm", Patch("application/merge-patch+json", b'{"metadata":{"finalizers":null}}'), "default"
    )
    await servers.one.create(config_map())
    await servers.two.delete(v1.ConfigMap, "cm", "default")
    with pytest.raises(StatusError, match="not found"):
        await servers.one.get(v1.ConfigMap, "cm", "default")


async def test_trying_to_create_what_another_server_made(servers: Servers) -> None:
    await servers.two.list(v1.ConfigMap, "default")
    servers.behind.hold()
    await servers.one.create(config_map())
    handler = servers.registry.handler_of(v1.ConfigMap)
    with pytest.raises(StatusError) as error:
        await handler.create(context(dry_run=True), "default", config_map())
    assert error.value.reason == "AlreadyExists"
