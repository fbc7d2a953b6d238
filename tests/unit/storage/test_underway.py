"""What was written need not be decoded again; anything else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from steersman.api import codecs
from steersman.api.types.core_v1 import ConfigMap
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.storage.memory import MemoryStore
from steersman.storage.store import Put
from steersman.storage.underway import Underway
from steersman.storage.watch_cache import WatchCache

KEY = "/registry/configmaps/default/a"


def config_map(text: str = "x") -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name="a", namespace="default"), data={"text": text})


def test_the_very_bytes_while_they_are_written() -> None:
    underway, obj = Underway(), config_map()
    value = codecs.encode(obj)
    with underway.expecting(KEY, value, obj):
        kept = underway.take(KEY, value, 7)
        assert kept is not None
        assert kept.metadata == ObjectMeta(name="a", namespace="default", resource_version="7")
        assert kept.data is obj.data
        assert obj.metadata.resource_version == "", "the writer's is not touched"
        assert underway.take(KEY, bytes(bytearray(value)), 7) is None, "equal, but somebody else's"
        assert underway.take(KEY + "b", value, 7) is None
    assert underway.take(KEY, value, 8) is None


def test_the_last_of_several_writers_of_one_key() -> None:
    underway, first, second = Underway(), config_map("1"), config_map("2")
    values = codecs.encode(first), codecs.encode(second)
    with underway.expecting(KEY, values[1], second):
        with underway.expecting(KEY, values[0], first):
            assert underway.take(KEY, values[1], 3) is None
            assert underway.take(KEY, values[0], 3) is not None
        assert underway.take(KEY, values[1], 4) is None, "decoded, which is as right"
    later = Underway()
    one, two = later.expecting(KEY, values[0], first), later.expecting(KEY, values[1], second)
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert later.take(KEY, values[1], 5) is not None, "another writer's end is not this one's"
    two.__exit__(None, None, None)


@pytest.fixture
async def cache() -> AsyncIterator[tuple[MemoryStore, WatchCache[ConfigMap]]]:
    store = MemoryStore()
    cache = WatchCache(store, "/registry/configmaps/", msgspec.json.Decoder(ConfigMap).decode)
    task = asyncio.create_task(cache.run())
    await cache.ready.wait()
    yield store, cache
    task.cancel()
    await asyncio.wait([task])
    await store.close()


async def test_the_cache_has_it_at_once(cache: tuple[MemoryStore, WatchCache[ConfigMap]]) -> None:
    store, known = cache
    obj = config_map()
    value = codecs.encode(obj)
    with known.underway.expecting(KEY, value, obj):
        revision = await store.commit([Put(KEY, value, 0)])
    entry = known.get(KEY)
    assert entry is not None
    kept = entry.peek()
    assert kept is not None
    assert (kept.metadata.resource_version, kept.data) == (str(revision), {"text": "x"})
    assert kept == entry.decoded()
    value = codecs.encode(config_map("y"))
    await store.commit([Put(KEY, value, revision)])
    entry = known.get(KEY)
    assert entry is not None
    assert entry.peek() is None
    assert entry.object.data == {"text": "y"}
