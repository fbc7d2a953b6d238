import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steersman.api.clock import within
from steersman.testing import turnable_clock
from steersman.testing.turnable_clock import TurnableClock

START = datetime(2030, 1, 1, tzinfo=UTC)


async def test_timers_come_in_order_each_at_its_own_instant() -> None:
    clock, seen = TurnableClock(START, frozen=True), []

    def note(name: str) -> None:
        seen.append((name, (clock.now() - START).total_seconds()))

    clock.call_later(20, lambda: note("late"))
    clock.call_later(10, lambda: note("early"))
    clock.call_later(15, lambda: note("cancelled")).cancel()
    clock.call_later(100, lambda: note("never"))
    await clock.advance(timedelta(minutes=1))
    assert seen == [("early", 10), ("late", 20)]
    assert clock.now() == START + timedelta(minutes=1)
    assert clock.monotonic() == 60


@pytest.mark.parametrize(("by", "seconds"), [(90, 90), (timedelta(minutes=2), 120), ("1h30m", 5400), ("1.5s", 1.5)])
async def test_how_long(by: float | timedelta | str, seconds: float) -> None:
    clock = TurnableClock(START, frozen=True)
    await clock.advance(by)
    assert clock.monotonic() == seconds


@pytest.mark.parametrize(
    ("by", "error", "said"),
    [
        ("an hour", ValueError, "'an hour' is no span of time: write such as '1h30m', '90s', seconds or a timedelta"),
        (float("inf"), ValueError, "a span of time is inf, which has no end"),
        (None, TypeError, "a span of time is None, no number"),
        (-1, ValueError, "time does not go back"),
        ("-1h", ValueError, "time does not go back"),
    ],
)
async def test_what_is_no_time(by: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        await TurnableClock(START, frozen=True).advance(by)


async def test_what_a_timer_sets_off_happens_before_the_next_one() -> None:
    clock, beats = TurnableClock(START, frozen=True), []

    async def beat() -> None:
        while True:
            await clock.sleep(10)
            beats.append(clock.monotonic())

    async def look() -> list[int]:
        found = []
        await clock.sleep(5)
        for _ in range(6):
            await clock.sleep(600)
            found.append(len(beats))
        return found

    beating, looking = asyncio.create_task(beat()), asyncio.create_task(look())
    await clock.advance(3605)
    assert await looking == [60, 120, 180, 240, 300, 360]
    assert beats == [10.0 * number for number in range(1, 361)]
    beating.cancel()


async def test_it_waits_until_all_has_settled() -> None:
    settled = []

    async def settle() -> None:
        await asyncio.sleep(0)
        settled.append(clock.monotonic())

    clock = TurnableClock(START, frozen=True, settle=settle)
    for delay in (1, 2, 2, 5):
        clock.call_later(delay, lambda: None)
    await clock.advance(10)
    assert settled == [0, 1, 2, 5]  # at the beginning, too: for what is under way


async def test_a_timer_may_cancel_another_of_its_instant_and_may_fail() -> None:
    clock, seen, errors = TurnableClock(START, frozen=True), [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))

    def fail() -> None:
        second.cancel()
        raise ValueError("it broke")

    clock.call_later(1, fail)
    second = clock.call_later(1, lambda: seen.append("second"))
    clock.call_later(1, lambda: seen.append("third"))
    await clock.advance(1)
    assert seen == ["third"]
    assert [str(error) for error in errors] == ["it broke"]


async def test_it_goes_as_real_time_does_until_it_is_turned() -> None:
    clock, rung = TurnableClock(), asyncio.Event()
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 1
    clock.call_later(0.01, rung.set)
    async with asyncio.timeout(5):
        await rung.wait()
    rung.clear()
    clock.call_later(3600.01, rung.set)
    await clock.advance(3600)
    assert not rung.is_set()
    async with asyncio.timeout(5):
        await rung.wait()  # what is left of it passes by itself
    assert abs((clock.now() - datetime.now(UTC)).total_seconds() - 3600) < 1


async def test_no_time_passes_by_itself_while_it_is_turned() -> None:
    clock, seen = TurnableClock(), []

    async def slow() -> None:
        await asyncio.sleep(0.02)

    clock.settle = slow
    began, before = time.perf_counter(), clock.monotonic()
    clock.call_later(3600, lambda: seen.append(clock.stands))
    await clock.advance(7200)
    passed, real = clock.monotonic() - before, time.perf_counter() - began
    assert seen == [True]
    assert 7200 <= passed < 7200 + real - 0.04  # it settled twice


async def test_an_instant_may_be_the_goal() -> None:
    clock = TurnableClock(START, frozen=True)
    await clock.advance_to(START + timedelta(days=1))
    assert clock.monotonic() == 86400
    with pytest.raises(ValueError, match="2030-01-01 00:00:00 is over"):
        await clock.advance_to(START)
    with pytest.raises(ValueError, match="does not go back"):
        await clock.advance(-1)


async def test_what_it_shows_can_be_set_and_no_timer_minds() -> None:
    clock, seen = TurnableClock(START, frozen=True), []
    clock.call_later(10, lambda: seen.append(clock.now()))
    clock.set(START - timedelta(days=365))
    assert clock.monotonic() == 0
    await clock.advance(10)
    assert seen == [START - timedelta(days=365) + timedelta(seconds=10)]


async def test_limits_by_a_clock() -> None:
    clock = TurnableClock(START, frozen=True)

    async def wait() -> str:
        try:
            async with within(30, clock):
                await asyncio.Event().wait()
        except TimeoutError:
            return f"over at {clock.monotonic():g}"
        return ""

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    await clock.advance(29)
    assert not waiting.done()
    await clock.advance(1)
    assert await waiting == "over at 30"
    async with within(5, clock):
        pass
    await clock.advance(10)  # which reaches nobody who is done


async def test_timers_of_another_loop_get_their_turn() -> None:
    clock, seen, stop = TurnableClock(START, frozen=True), [], threading.Event()
    ready = threading.Event()

    async def elsewhere() -> None:
        async def tick() -> None:
            while True:
                await clock.sleep(60)
                seen.append((threading.current_thread().name, clock.monotonic()))

        ticking = asyncio.create_task(tick())
        await asyncio.sleep(0)
        ready.set()
        await asyncio.to_thread(stop.wait)
        ticking.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()), name="elsewhere", daemon=True)
    thread.start()
    await asyncio.to_thread(ready.wait)
    await clock.advance(300)
    assert seen == [("elsewhere", 60.0 * number) for number in range(1, 6)]
    stop.set()
    await asyncio.to_thread(thread.join)
    await clock.advance(300)  # nobody is there any more


async def test_an_hour_of_heartbeats_takes_no_time() -> None:
    clock, beats = TurnableClock(START, frozen=True), 0

    async def beat(offset: float) -> None:
        nonlocal beats
        await clock.sleep(offset)
        while True:
            beats += 1
            await clock.sleep(10)

    tasks = [asyncio.create_task(beat(number / 7)) for number in range(3)]
    started = time.perf_counter()
    await clock.advance(3600)
    assert beats == 3 * 360 + 1
    assert time.perf_counter() - started < 1
    for task in tasks:
        task.cancel()


async def test_a_loop_that_waits_for_the_clock_itself_does_not_hold_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnable_clock, "ELSEWHERE", 0.05)
    clock, seen = TurnableClock(START, frozen=True), []
    clock.call_later(10, lambda: seen.append("here"))

    def turn() -> float:
        began = time.perf_counter()
        asyncio.run(clock.advance(60))
        return time.perf_counter() - began

    waited = []
    thread = threading.Thread(target=lambda: waited.append(turn()), daemon=True)
    thread.start()
    thread.join(10)  # on this loop, which has a timer
    assert waited
    assert waited[0] < 5
    await asyncio.sleep(0)
    assert seen == ["here"]
    assert clock.monotonic() == 60


@pytest.mark.parametrize("frozen", [False, True])
async def test_it_shows_again_what_it_would_and_goes_on(frozen: bool) -> None:
    clock, rung = TurnableClock(START, frozen=frozen), []
    clock.call_later(7200, lambda: rung.append(clock.monotonic()))
    mark = clock.mark()
    await clock.advance(timedelta(hours=1))
    clock.set(START + timedelta(days=400))
    clock.show_again(mark)
    assert timedelta() <= clock.now() - START < timedelta(minutes=1)
    assert 3600 <= clock.monotonic() < 3660
    await clock.advance(timedelta(hours=1))
    assert len(rung) == 1
