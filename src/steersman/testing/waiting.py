"""Waiting for what a control loop brings about: never a sleep, always a deadline."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from steersman.api.errors import StatusError, is_not_found
from steersman.controllers.kit import Manager

T = TypeVar("T")

INTERVAL = 0.01


async def eventually(ask: Callable[[], Awaitable[T | None]], *, within: float = 10.0) -> T:
    """Ask until the answer is true, and return it; NotFound counts as no.  AssertionError after so many seconds."""
    deadline = asyncio.get_running_loop().time() + within
    answer: object = None
    while True:
        try:
            if answer := await ask():
                return answer
        except StatusError as error:
            if not is_not_found(error):
                raise
            answer = error
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {within:g} s; the last answer was {answer!r}")
        await asyncio.sleep(INTERVAL)


@contextlib.asynccontextmanager
async def running(manager: Manager, *, within: float = 10.0) -> AsyncIterator[Manager]:
    """The manager at work, from its being ready until the end of the block."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(manager.run(), name="manager")
        async with asyncio.timeout(within):
            await manager.ready.wait()
        yield manager
        task.cancel()
