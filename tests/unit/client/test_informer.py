from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fixtures.fake_client import FakeClient
from steersman.api import codecs
from steersman.api.errors import TOO_LARGE_RESOURCE_VERSION, StatusError
from steersman.api.types.core_v1 import ConfigMap
from steersman.api.types.meta_v1 import ObjectMeta, Status, StatusCause, StatusDetails
from steersman.client.client import ObjectList, Selectors
from steersman.client.informer import Informer, InformerFactory


def config_map(name: str, namespace: str = "default", **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace=namespace, labels={"app": name}), data=data)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(informer: Informer[ConfigMap]) -> AsyncIterator[None]:
    task = asyncio.create_task(informer.run())
    try:
        async with asyncio.timeout(5):
            await informer.synced()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_of_one_namespace_whenever_somebody_asks() -> None:
    client = FakeClient()
    await client.create(config_map("a"))
    await client.create(config_map("a", "other"))
    informer = Informer(client, ConfigMap)
    async with running(informer):

        def there(namespace: str) -> list[str]:
            return [obj.metadata.name for obj in informer.lister.list(namespace)]

        assert (there("default"), there("other"), there("nowhere")) == (["a"], ["a"], [])
        await client.create(config_map("b", "other"))
        await until(lambda: len(informer.lister) == 3)
        assert (there("default"), there("other")) == (["a"], ["a", "b"])
        await client.delete(ConfigMap, "a", "default")
        await until(lambda: len(informer.lister) == 2)
        assert (there("default"), there("other")) == ([], ["a", "b"])


async def test_lists_then_follows() -> None:
    client = FakeClient()
    await client.create(config_map("a"))
    informer = Informer(client, ConfigMap)
    log: list[tuple[str, ...]] = []
    informer.add_handler(
        lambda obj: log.append(("add", obj.metadata.name)),
        lambda old, new: log.append(("update", new.metadata.name, old.data.get("k", ""), new.data.get("k", ""))),
        lambda obj: log.append(("delete", obj.metadata.name)),
    )
    async with running(informer):
        assert log == [("add", "a")]
        await client.create(config_map("b", "other"))
        changed = codecs.copy(await client.get(ConfigMap, "a", "default"))
        changed.data["k"] = "v"
        await client.update(changed)
        await client.delete(ConfigMap, "b", "other")
        await until(lambda: len(log) == 4)
        assert log[1:] == [("add", "b"), ("update", "a", "", "v"), ("delete", "b")]
        assert [obj.data for obj in informer.lister.list("default")] == [{"k": "v"}]
        late: list[str] = []
        informer.add_handler(lambda obj: late.append(obj.metadata.name))
        assert late == ["a"]


async def test_lists_again_when_the_version_is_gone() -> None:
    client = FakeClient()
    for name in "abc":
        await client.create(config_map(name))
    informer = Informer(client, ConfigMap)
    gone: list[str] = []
    informer.add_handler(on_delete=lambda obj: gone.append(obj.metadata.name))
    async with running(informer):
        # Behind the watch's back: what happened is not in the history any more.
        del client.objects["configmaps", "default", "b"]
        await client.create(config_map("d"))
        client.compact()
        await until(lambda: gone == ["b"] and informer.lister.get("d", "default") is not None)


class RestoredClient(FakeClient):
    """The client of a server whose store was restored after the first list: what that saw lies in the future."""

    lists = 0

    async def list(self, which: Any, namespace: str = "", **options: Any) -> ObjectList[Any]:
        self.lists += 1
        page = await super().list(which, namespace, **options)
        return page._replace(resource_version="999") if self.lists == 1 else page

    async def watch(self, which: Any, namespace: str = "", **options: Any) -> AsyncIterator[Any]:
        if options["resource_version"] == "999":
            cause = StatusCause(reason=TOO_LARGE_RESOURCE_VERSION)
            raise StatusError(Status(status="Failure", code=504, details=StatusDetails(causes=[cause])))
        async for event in super().watch(which, namespace, **options):
            yield event


async def test_lists_again_when_the_version_is_of_a_future_that_was_lost() -> None:
    client = RestoredClient()
    informer = Informer(client, ConfigMap)
    async with running(informer):
        await client.create(config_map("a"))
        await until(lambda: informer.lister.get("a", "default") is not None)


async def test_indexes_follow_changes() -> None:
    client = FakeClient()
    informer = Informer(client, ConfigMap)
    informer.lister.add_index("key", lambda obj: obj.data)
    async with running(informer):
        await client.create(config_map("a", x="1", y="1"))
        await until(lambda: len(informer.lister) == 1)
        assert [obj.metadata.name for obj in informer.lister.by_index("key", "y")] == ["a"]
        await client.update(config_map("a", x="1"))
        await until(lambda: informer.lister.by_index("key", "y") == [])
        assert len(informer.lister.by_index("key", "x")) == 1


async def test_selectors_and_a_handler_that_fails() -> None:
    client = FakeClient()
    informer = Informer(client, ConfigMap, selectors=Selectors(labels="app=a"))

    def broken(obj: ConfigMap) -> None:
        raise ValueError

    informer.add_handler(broken)
    seen: list[str] = []
    registration = informer.add_handler(lambda obj: seen.append(obj.metadata.name))
    async with running(informer):
        await client.create(config_map("b"))
        await client.create(config_map("a"))
        await until(lambda: seen == ["a"])
        registration.remove()
        await client.create(config_map("a", "other"))
        await until(lambda: len(informer.lister) == 2)
        assert seen == ["a"]


async def test_a_factory_shares_and_starts_late_ones() -> None:
    client = FakeClient()
    factory = InformerFactory(client)
    informer = factory.informer(ConfigMap)
    assert factory.informer(ConfigMap) is informer
    task = asyncio.create_task(factory.run())
    async with asyncio.timeout(5):
        await factory.synced()
        late = factory.metadata(client.scheme.for_type(ConfigMap))
        await late.synced()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
