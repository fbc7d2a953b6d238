"""A few tasks that do the work of many objects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Crew(Generic[T]):
    """Does pieces of work in their order, a bounded number at a time.

    The queue holds no more than there are objects: who puts work in sees to it that each is there once.
    """

    def __init__(self, name: str, size: int, work: Callable[[T], Awaitable[None]]) -> None:
        self._name = name
        self._size = size
        self._work = work
        self._queue: asyncio.Queue[T] = asyncio.Queue()
        self._at_work = 0

    @property
    def pending(self) -> int:
        """How many pieces wait or are being done."""
        return self._queue.qsize() + self._at_work

    def unfinished(self) -> Iterator[str]:
        """Whether there is anything to do or being done."""
        if self.pending:
            yield f"{self._name}: {self.pending} to be written"

    def add(self, item: T) -> None:
        """Have this done."""
        self._queue.put_nowait(item)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._size):
                group.create_task(self._member(), name=f"{self._name} {number}")

    async def _member(self) -> None:
        while True:
            item = await self._queue.get()
            self._at_work += 1
            try:
                await self._work(item)
            finally:
                self._at_work -= 1
