"""Work on large objects in threads."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref

import pytest

from steersman.api.types import core_v1 as v1
from steersman.apiserver.registry.config import RegistryConfig
from steersman.apiserver.registry.heavy import LARGE, SMALL, HeavyWork, is_large, weight

from .conftest import config_map, context, running

OBJECTS = b'{"items":[' + b'{"a":"b"},' * 150 + b"{}]}"
FIELDS = b'{"f:data":{' + b'"f:a":{},' * 1000 + b'"f:b":{}}}'
"""Hundreds of objects, all but two of them the empty members of which managed fields are full."""


async def test_one_at_a_time_even_when_callers_go() -> None:
    heavy = HeavyWork()
    begun, release = asyncio.Event(), threading.Event()
    loop, running_now, most = asyncio.get_running_loop(), 0, 0

    def work() -> int:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        loop.call_soon_threadsafe(begun.set)
        release.wait(10)
        running_now -= 1
        return most

    first = asyncio.create_task(heavy.do(work))
    await begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(heavy.do(work))
    await asyncio.sleep(0)
    release.set()
    assert await second == 1


async def test_a_failure_holds_nothing() -> None:
    class Work:
        def __call__(self) -> None:
            raise ValueError("no")

    work = Work()
    gone = weakref.ref(work)
    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            await HeavyWork().do(work)
        del work
        async with asyncio.timeout(5):
            while gone() is not None:  # the thread lets go of it a moment later
                await asyncio.sleep(0.001)
    finally:
        gc.enable()


def test_servers_of_several_loops_in_one_process() -> None:
    async def create() -> int:
        async with running(RegistryConfig(advertise_address="192.0.2.1")) as registry:
            maps = registry.handler_of(v1.ConfigMap)
            large = [config_map(f"m{number}", a="x" * 2 * LARGE) for number in range(3)]
            await asyncio.gather(*(maps.create(context(weight=2 * LARGE), "default", each) for each in large))
            return len(maps.cache)

    assert [asyncio.run(create()) for _ in range(2)] == [3, 3]


@pytest.mark.parametrize(
    "text", [b"", b"{}", OBJECTS, FIELDS, b"[%s]" % FIELDS, b"- {}\n" * 1000, b'{"a":"%s"}' % (b"x" * LARGE)]
)
def test_large_is_what_weighs_more_than_that(text: bytes) -> None:
    room = LARGE - weight(text)
    for besides in (0, room - 1, room, room + 1, LARGE, LARGE + 1):
        assert is_large(text, besides) == (besides + weight(text) > LARGE)


def test_little_text_is_light_where_that_is_all_there_is() -> None:
    little, more = (b"[%s{}]" % (b"{}," * (count - 1)) for count in (SMALL // 3, SMALL // 3 + 1))
    assert len(little) <= SMALL < len(more)
    assert weight(little) > LARGE
    assert not is_large(little)
    assert is_large(little, 1)
    assert is_large(more)


def test_empty_members_cost_nothing_more() -> None:
    assert is_large(OBJECTS, LARGE - 10_000)
    assert not is_large(FIELDS, LARGE - weight(FIELDS))
