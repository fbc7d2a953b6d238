"""Plain code that lacks something for which one has to wait: it is fetched, and the code is run again.

So what decides stays a function of what it is given, although somebody far away must be asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_MOST = 100
"""No code lacks more than this, one after the other."""


class Lacking(Exception):
    """What is raised by code that can go on once it has been supplied."""

    async def supply(self) -> None:
        """Fetch it; raises StatusError where it cannot be had."""
        raise NotImplementedError


async def supplied(work: Callable[[], T], run: Callable[[Callable[[], T]], Awaitable[T]] | None = None) -> T:
    """The result of work that MUST be such that it can be begun again; ``run`` does it elsewhere."""
    for _ in range(_MOST):
        try:
            return await run(work) if run is not None else work()
        except Lacking as lacking:
            await lacking.supply()
    raise RuntimeError("what was supplied did not suffice")
