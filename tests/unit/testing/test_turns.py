"""Who comes first is first, on whatever loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from steersman.testing.turns import Turns


def test_one_at_a_time_on_several_loops() -> None:
    turns, inside, most = Turns(), 0, 0

    async def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            async with turns:
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

    async def several() -> None:
        await asyncio.gather(work(), work())

    threads = [threading.Thread(target=lambda: asyncio.run(several())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert (most, inside) == (1, 0)


@pytest.mark.parametrize("given", [False, True])
async def test_who_gives_up_does_not_keep_the_others_waiting(given: bool) -> None:
    turns, came = Turns(), []

    async def come(name: str) -> None:
        async with turns:
            came.append(name)

    await turns.__aenter__()
    impatient, patient = asyncio.create_task(come("impatient")), asyncio.create_task(come("patient"))
    await asyncio.sleep(0)
    if given:  # before it has heard of that
        await turns.__aexit__()
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    if not given:
        await turns.__aexit__()
    async with asyncio.timeout(5):
        await patient
    assert came == ["patient"]


async def test_who_is_gone_with_its_loop_does_not_keep_the_others_waiting() -> None:
    turns = Turns()
    await turns.__aenter__()
    waiting = turns.__aenter__()
    waiting.send(None)
    waiting.close()
    await turns.__aexit__()
    async with asyncio.timeout(5), turns:
        pass
