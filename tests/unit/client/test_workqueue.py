from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from steersman.client.workqueue import ShutDown, WorkQueue
from steersman.testing.turnable_clock import TurnableClock


async def take(queue: WorkQueue[str]) -> str:
    async with asyncio.timeout(2):
        return await queue.get()


async def test_adding_twice_coalesces() -> None:
    queue = WorkQueue[str]()
    queue.add("a")
    queue.add("b")
    queue.add("a")
    assert [await take(queue), await take(queue)] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_is_never_with_two_workers_and_no_change_is_lost() -> None:
    queue = WorkQueue[str]()
    queue.add("a")
    assert await take(queue) == "a"
    queue.add("a")
    assert len(queue) == 0  # it is being processed
    queue.done("a")
    assert await take(queue) == "a"
    queue.done("a")
    assert not queue.busy


async def test_the_earliest_of_several_delays_counts() -> None:
    queue = WorkQueue[str]()
    loop = asyncio.get_running_loop()
    start = loop.time()
    queue.add_after("a", 10)
    queue.add_after("a", 0.02)
    queue.add_after("b", 0.01)
    assert await take(queue) == "b"
    assert await take(queue) == "a"
    assert 0.02 <= loop.time() - start + 0.001 < 5
    queue.shut_down()


async def test_failures_double_the_delay_until_forgotten() -> None:
    queue = WorkQueue[str](base_delay=0.001, max_delay=0.004)
    for expected in (1, 2, 3, 4):
        queue.add_rate_limited("a")
        assert queue.num_requeues("a") == expected
        queue.done(await take(queue))
    queue.forget("a")
    assert queue.num_requeues("a") == 0


async def test_shutting_down_drains_then_ends() -> None:
    queue = WorkQueue[str]()
    queue.add("a")
    waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.shut_down()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [item for item in results if item == "a"] == ["a"]
    assert sum(isinstance(item, ShutDown) for item in results) == 2


async def test_a_getter_that_is_being_cancelled_is_passed_over() -> None:
    queue = WorkQueue[str]()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    first.cancel()
    queue.add("a")  # before the task has run: its place in the queue is gone when it gives it up
    async with asyncio.timeout(2):
        assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_cancelled_getter_passes_its_wakeup_on() -> None:
    queue = WorkQueue[str]()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    async with asyncio.timeout(2):
        assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_how_long_keys_wait_and_take_is_counted() -> None:
    queue: WorkQueue[str] = WorkQueue("q")
    queue.add("a")
    assert await queue.get() == "a"
    assert len(queue.ages()) == 1
    queue.add("a")
    queue.done("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert queue.ages() == []
    assert (sum(queue.waited.counts), sum(queue.worked.counts), queue.adds) == (2, 2, 2)


async def test_delays_of_what_fails_double_by_the_clock() -> None:
    clock = TurnableClock(frozen=True)
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    came: list[float] = []

    async def fail() -> None:
        while True:
            key = await queue.get()
            came.append(clock.monotonic())
            queue.add_rate_limited(key)
            queue.done(key)

    failing = asyncio.create_task(fail())
    queue.add("a")
    await clock.advance(timedelta(hours=2))
    failing.cancel()
    delays = [round(after - before, 3) for before, after in pairwise(came)]
    assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
    assert delays[16:21] == [327.68, 655.36, 1000.0, 1000.0, 1000.0]


async def test_hurried_what_failed_comes_at_once_and_what_is_far_in_its_time() -> None:
    clock = TurnableClock(frozen=True)
    queue = WorkQueue[str]("q", base_delay=100.0, clock=clock)
    queue.add_after("near", 5.0)
    queue.add_after("far", 50.0)
    queue.add_rate_limited("failed")
    queue.add_rate_limited("failed")  # the second delay is twice the first, which counts
    assert sorted(queue.hurry(10.0)) == ["failed", "near"]
    assert {await take(queue), await take(queue)} == {"failed", "near"}
    assert queue.hurry(10.0) == []
    for key in ("failed", "near"):
        queue.done(key)
    assert queue.num_requeues("failed") == 1  # this try was the second
    await clock.advance(51.0)
    assert await take(queue) == "far"
    queue.done("far")
    await clock.advance(500.0)
    assert not queue.busy  # nothing comes a second time


async def test_paused_it_takes_in_and_hands_nothing_out() -> None:
    queue = WorkQueue[str]("q")
    queue.add("begun")
    assert await take(queue) == "begun"
    waiting = asyncio.create_task(take(queue))
    await asyncio.sleep(0)
    queue.pause(True)
    queue.add("a")
    await asyncio.sleep(0)
    assert not waiting.done()
    assert [*queue.unfinished()] == ["q: begun"]
    queue.done("begun")
    assert [*queue.unfinished()] == []
    queue.pause(False)
    assert [*queue.unfinished()] == ["q: a"]
    assert await waiting == "a"
