"""Work on large objects, which must not keep the loop from serving everybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LARGE = 24 * 1024
"""The :func:`weight`, of body and present object together, beyond which an object is worked on in a thread.

What is lighter takes a few milliseconds at most: less than it takes to be noticed.
"""

SMALL = 4 * 1024
"""So little text is light where that is all there is: it is decoded in 3 ms even where it has nothing but objects."""

_OBJECT = 128
_ITEM = 16
_OTHER = 6


def weight(text: bytes) -> int:
    """How much work there is in an object's text, in bytes of a long string.

    What costs is its objects, of which each has defaults and rules, then its members and items.  Empty members, of
    which managed fields are full, cost nothing more.  YAML and protobuf do not tell, and are taken for heavy.
    """
    if text[:1] not in (b"{", b"["):
        return _OTHER * len(text)
    objects = text.count(b"{") - text.count(b'":{}')
    return len(text) + _OBJECT * objects + _ITEM * text.count(b",")


def is_large(text: bytes, besides: int = 0) -> bool:
    """Whether an object's text, and what else there is, weigh more than LARGE.

    Most are small, or weigh so much less that their empty members need not be counted to tell.
    """
    if not besides and len(text) <= SMALL:
        return False
    most = besides + len(text) + _OBJECT * text.count(b"{") + _ITEM * text.count(b",")
    if most <= LARGE and text[:1] in (b"{", b"["):
        return False
    return besides + weight(text) > LARGE


class HeavyWork:
    """Does the work for one large object at a time: a second thread would only share the interpreter with the first.

    It belongs to one event loop.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def do(self, work: Callable[[], T]) -> T:
        """Do it in a thread.  What is worked on MUST belong to the caller, or be changed by nobody."""
        await self._turn.acquire()
        # A caller that is cancelled cannot stop the thread: the next one waits for it.
        done = asyncio.get_running_loop().run_in_executor(None, work)
        done.add_done_callback(lambda _: self._turn.release())
        try:
            return await asyncio.shield(done)
        finally:
            del done  # a failure's traceback leads here: it would hold itself, and what was worked on
