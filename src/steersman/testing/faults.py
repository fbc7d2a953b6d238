"""Faults that a test may let happen: to answers, connections, watches, the store, the server.

    with cluster.faults.error(503, verb="list", resource="pods", times=2) as fault:
        operator.step()
    assert fault.hits == 2

A fault that stands begins at once, and ends with its block, by :meth:`Fault.stop`, after ``times`` hits, or by
:meth:`StandingFaults.clear`.  The first that stands is asked first.  Clients over HTTPS are hit; with ``inside``, the
components in the cluster's own process, too, by all that can befall who uses no connection.
"""

from __future__ import annotations

from typing import Unpack

from steersman.api.errors import StatusError

from . import numbers
from .faces import Face, awaitable, blocking
from .fault import (
    Delay,
    Fault,
    Often,
    Partition,
    Race,
    Refusal,
    ShortWatch,
    Slow,
    Standing,
    StoreFault,
    Whom,
)
from .fault_errors import refused, reworded
from .fault_injection import FaultInjection
from .faulty_store import Mishap
from .selection import Asked, Pattern
from .thread import LoopThread

__tracebackhide__ = True  # pytest shows what the test asked for


class StandingFaults:
    """Sets up what stands; from any thread."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def delay(self, seconds: float, jitter: float = 0.0, **whom: Unpack[Whom]) -> Fault:
        """Let requests wait so long, and up to ``jitter`` seconds more, before they are carried out."""
        return self._stand(Delay(self._standing, whom, seconds, jitter))

    def error(
        self, code: int = 500, *, reason: str = "", message: str = "", retry_after: int = 0, **whom: Unpack[Whom]
    ) -> Fault:
        """Answer by an error, in upstream's words unless a ``message`` is given.  ``retry_after`` is in seconds."""
        numbers.whole("retry_after", retry_after)

        def make(asked: Asked) -> StatusError:
            return reworded(refused(code, asked), reason, message, retry_after)

        return self._stand(Refusal(self._standing, whom, code, make))

    def conflict(self, *, injected: bool = False, **whom: Unpack[Whom]) -> Fault:
        """Let the next update, or patch, be too late: somebody has just written the object.

        A writer that says which version it means gets a 409; the object has a new resource version, and nothing else
        of it is new.  ``injected``: nobody writes, and whoever would write gets the 409.
        """
        whom.setdefault("verb", ("update", "patch"))
        whom.setdefault("times", 1)
        if injected:
            return self._stand(Refusal(self._standing, whom, 409, lambda asked: refused(409, asked)))
        return self._stand(Race(self._standing, whom))

    def partition(self, **whom: Unpack[Whom]) -> Fault:
        """Cut somebody off: watches that are open now, and every connection that asks for something."""
        fault = Partition(self._standing, whom)
        self._stand(fault)
        self._standing.cut(fault.selection, fault.inside)
        return fault

    def drop_watches_after(self, events: int, *, clean: bool = False, **whom: Unpack[Whom]) -> Fault:
        """Let watches that begin from now on end after so many events: cut, or as if their time were up."""
        return self._stand(ShortWatch(self._standing, whom, events, "clean" if clean else "cut"))

    def slow(self, bytes_per_second: float, **whom: Unpack[Whom]) -> Fault:
        """Let bodies of answers leave slowly."""
        if not bytes_per_second:
            raise ValueError("bytes_per_second is 0: who is to get nothing is cut off by partition()")
        return self._stand(Slow(self._standing, whom, bytes_per_second, 1.0))

    def partial(self, share: float = 0.5, **whom: Unpack[Whom]) -> Fault:
        """Cut the connection when this share of an answer's body has left."""
        return self._stand(Slow(self._standing, whom, 0.0, share))

    def store(
        self, mishap: Mishap = "timeout", *, key: Pattern = "*", reads: bool = False, **often: Unpack[Often]
    ) -> Fault:
        """Let writes to the store fail, and reads past the caches where that is asked for.

        ``timeout``: it takes too long, and nothing is written; ``lost``: it is written, and nobody hears of it;
        ``full``: there is no space left; ``away``: nobody answers.
        """
        return self._stand(StoreFault(self._standing, often, mishap, key, reads))

    @property
    def last(self) -> list[Fault]:
        """The last that were set up, whether they stand or not."""
        return [*self._standing.last]

    def clear(self) -> None:
        """Let none of them stand any more."""
        self._standing.faults.clear()

    def _stand(self, fault: Fault) -> Fault:
        self._standing.faults.append(fault)
        self._standing.last.append(fault)
        return fault


class BlockingFaults(StandingFaults, Face[FaultInjection]):
    """``cluster.faults``."""

    def __init__(self, thread: LoopThread, inner: FaultInjection) -> None:
        Face.__init__(self, thread, inner)
        StandingFaults.__init__(self, inner.standing)

    drop_watches = blocking(FaultInjection.drop_watches)
    compact = blocking(FaultInjection.compact)
    restart = blocking(FaultInjection.restart)


class AsyncFaults(StandingFaults, Face[FaultInjection]):
    """``cluster.faults``, with what happens once to be awaited."""

    def __init__(self, thread: LoopThread, inner: FaultInjection) -> None:
        Face.__init__(self, thread, inner)
        StandingFaults.__init__(self, inner.standing)

    drop_watches = awaitable(FaultInjection.drop_watches)
    compact = awaitable(FaultInjection.compact)
    restart = awaitable(FaultInjection.restart)
