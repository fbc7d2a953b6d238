"""Pauses before another attempt."""

from __future__ import annotations

import asyncio

from steersman.api.clock import SYSTEM
from steersman.client.pause import Pause
from steersman.testing.turnable_clock import TurnableClock


async def test_it_is_over_in_its_time() -> None:
    pause = Pause(SYSTEM)
    assert not await pause.is_ended_within(0.0)
    assert not pause.lasts
    assert not pause.end()


async def test_it_is_ended_by_who_wants_to_know_sooner() -> None:
    pause = Pause(SYSTEM)
    waiting = asyncio.create_task(pause.is_ended_within(3600))
    while not pause.lasts:
        await asyncio.sleep(0)
    assert pause.end()
    assert not pause.lasts  # whoever waited goes on, and is at work already
    assert await waiting


async def test_it_is_over_by_the_first_of_its_clocks() -> None:
    standing = TurnableClock(frozen=True)
    assert not await Pause(standing, SYSTEM).is_ended_within(0.0)


async def test_who_is_cancelled_waits_no_more() -> None:
    pause = Pause(SYSTEM)
    waiting = asyncio.create_task(pause.is_ended_within(3600))
    while not pause.lasts:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not pause.end()
