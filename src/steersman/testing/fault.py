"""What can befall requests and the store: one class for each kind of fault."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Literal, Self, TypedDict

from steersman.api import errors
from steersman.api.errors import StatusError
from steersman.apiserver.http.messages import Answer, Response, Severed, Stream, StreamWriter

from .faulty_store import Mishap
from .selection import Asked, Pattern, Selection, Where, fits
from .streams import FLUSH, End

_PARTS = 100
"""So often a second a slow body gets on."""


class Standing:
    """The faults that stand, and what they need of others."""

    def __init__(
        self, touch: Callable[[Asked], Awaitable[None]], cut: Callable[[Selection, bool], None], seed: int
    ) -> None:
        self.faults: list[Fault] = []
        self.rng = random.Random(seed)
        self.touch = touch
        self.cut = cut


class Often(TypedDict, total=False):
    """How often: the next ``times`` after ``skip`` that are let pass, and of those a share (``rate``, 0 to 1)."""

    times: int
    skip: int
    rate: float


class Whom(Where, Often, total=False):
    """Which requests, how often, and whether also those of components ``inside``."""

    inside: bool


class Fault:
    """One that stands.  ``hits`` counts whom it has befallen."""

    def __init__(self, standing: Standing, *, times: int = 0, skip: int = 0, rate: float = 1.0) -> None:
        self.hits = 0
        self._standing = standing
        self._times = times
        self._skip = skip
        self._rate = rate

    @property
    def stands(self) -> bool:
        """Whether it may befall somebody yet."""
        return self in self._standing.faults

    def stop(self) -> None:
        """Let it befall nobody any more."""
        with contextlib.suppress(ValueError):
            self._standing.faults.remove(self)

    def hit(self) -> bool:
        """Whether it befalls somebody now, whom it could."""
        if not self.stands:  # it ended while another one was delaying them
            return False
        if self._skip > 0:
            self._skip -= 1
            return False
        if self._rate < 1.0 and self._standing.rng.random() >= self._rate:
            return False
        self.hits += 1
        if self.hits == self._times:
            self.stop()
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class RequestFault(Fault):
    """One that befalls requests; by itself it does nothing."""

    def __init__(self, standing: Standing, whom: Whom) -> None:
        where: Where = {key: value for key, value in whom.items() if key in Where.__optional_keys__}  # type: ignore[assignment]
        often: Often = {key: value for key, value in whom.items() if key in Often.__optional_keys__}  # type: ignore[assignment]
        if unknown := whom.keys() - where.keys() - often.keys() - {"inside"}:
            raise TypeError(f"nothing is selected by {', '.join(sorted(unknown))}")
        super().__init__(standing, **often)
        self.inside = whom.get("inside", False)
        self.selection = Selection(**where)

    def befalls(self, asked: Asked) -> bool:
        """Whether it befalls a request."""
        return self.selection.chooses(asked) and self.hit()

    async def before(self, asked: Asked, *, inside: bool = False) -> None:
        """Before the request is carried out: waits, or raises."""

    def after(self, asked: Asked, answer: Answer) -> Answer:
        """What becomes of its answer."""
        return answer

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.selection}: {self.hits} hits>"


class Delay(RequestFault):
    """Requests wait before they are carried out."""

    def __init__(self, standing: Standing, whom: Whom, seconds: float, jitter: float) -> None:
        super().__init__(standing, whom)
        self._seconds = seconds
        self._jitter = jitter

    async def before(self, asked: Asked, *, inside: bool = False) -> None:
        await asyncio.sleep(self._seconds + self._jitter * self._standing.rng.random())


class Refusal(RequestFault):
    """Requests are answered by an error, and not carried out."""

    def __init__(self, standing: Standing, whom: Whom, make: Callable[[Asked], StatusError]) -> None:
        super().__init__(standing, whom)
        self._make = make

    async def before(self, asked: Asked, *, inside: bool = False) -> None:
        raise self._make(asked)


class Race(RequestFault):
    """Somebody writes the object just before a request that would."""

    async def before(self, asked: Asked, *, inside: bool = False) -> None:
        await self._standing.touch(asked)


class Partition(RequestFault):
    """Connections are cut in place of an answer."""

    async def before(self, asked: Asked, *, inside: bool = False) -> None:
        if inside:
            raise errors.service_unavailable("connect: connection refused")
        raise Severed


class ShortWatch(RequestFault):
    """Watches end after so many events."""

    def __init__(self, standing: Standing, whom: Whom, events: int, how: End) -> None:
        super().__init__(standing, whom)
        self.limit = (events, how)

    def befalls(self, asked: Asked) -> bool:
        return asked.verb == "watch" and super().befalls(asked)


class Slow(RequestFault):
    """Bodies leave slowly, or in part, after which the connection is cut."""

    def __init__(self, standing: Standing, whom: Whom, rate: float, share: float) -> None:
        super().__init__(standing, whom)
        self._bytes_per_second = rate
        self._share = share

    def after(self, asked: Asked, answer: Answer) -> Answer:
        if not isinstance(answer, Response) or answer.status in (204, 304):
            return answer
        later = answer.later
        body = b"" if later is not None else _joined(answer)

        async def run(writer: StreamWriter) -> None:
            await self._write(writer, body if later is None else await asyncio.to_thread(later))

        length = len(body) if later is None else None
        return Stream(run, answer.content_type, answer.status, answer.headers, length=length)

    async def _write(self, writer: StreamWriter, body: bytes) -> None:
        end = int(len(body) * self._share)
        part = max(1, int(self._bytes_per_second / _PARTS)) if self._bytes_per_second else len(body) or 1
        for start in range(0, end, part):
            writer.write(body[start : min(start + part, end)])
            await writer.drain()
            if self._bytes_per_second:
                await asyncio.sleep(part / self._bytes_per_second)
        if end < len(body):
            await asyncio.sleep(FLUSH)
            raise Severed


class StoreFault(Fault):
    """Something befalls the store."""

    def __init__(self, standing: Standing, often: Often, mishap: Mishap, key: Pattern, reads: bool) -> None:
        super().__init__(standing, **often)
        self._mishap: Mishap = mishap
        self._key = key
        self._reads = reads

    def befall(self, operation: Literal["read", "write"], key: str) -> Mishap | None:
        """What it does to an operation."""
        if operation == "read" and not self._reads:
            return None
        return self._mishap if fits(self._key, key) and self.hit() else None


def _joined(response: Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b"".join(response.body)
