"""What can befall requests and the store: one class for each kind of fault."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, get_args

from steersman.api import errors
from steersman.api.errors import StatusError
from steersman.apiserver.http.messages import Answer, Response, Severed, Stream, StreamWriter

from . import numbers
from .faulty_store import Mishap
from .selection import Asked, Pattern, Selection, Where, fits
from .streams import FLUSH, End
from .vocabulary import Vocabulary, texts

__tracebackhide__ = True  # pytest shows what the test asked for

_PARTS = 100
"""So often a second a slow body gets on."""

REMEMBERED = 50
"""So many faults are told of when a test fails."""


class Standing:
    """The faults that stand, and what they need of others."""

    def __init__(
        self,
        touch: Callable[[Asked], Awaitable[None]],
        cut: Callable[[Selection, bool], None],
        vocabulary: Vocabulary,
        seed: int,
    ) -> None:
        self.faults: list[Fault] = []
        self.last: deque[Fault] = deque(maxlen=REMEMBERED)
        """Those that were set up last, whether they stand or not."""
        self.vocabulary = vocabulary
        self.rng = random.Random(seed)
        self.touch = touch
        self.cut = cut


class Often(TypedDict, total=False):
    """How often: the next ``times``, all where it is None, after ``skip`` that are let pass, and of those a share.

    The share is ``rate``, 0 to 1.
    """

    times: int | None
    skip: int
    rate: float


class Whom(Where, Often, total=False):
    """Which requests, how often, and whether also those of components ``inside``."""

    inside: bool


def select(vocabulary: Vocabulary, which: Mapping[str, Any]) -> tuple[Selection, bool]:
    """Which requests are meant, and whether also those inside; raises TypeError, ValueError for what there is not."""
    names = (*Selection.__struct_fields__, "inside")
    if unknown := which.keys() - set(names):
        raise TypeError(f"nothing is chosen by {', '.join(sorted(unknown))}; {', '.join(names)} choose")
    where = {name: value for name, value in which.items() if name != "inside"}
    vocabulary.check(where)
    return Selection(**where), bool(which.get("inside", False))


class Fault:
    """One that stands.  ``hits`` counts whom it has befallen."""

    def __init__(
        self, standing: Standing, said: str, *, times: int | None = None, skip: int = 0, rate: float = 1.0
    ) -> None:
        if times is not None:
            numbers.whole("times", times, 1)
        numbers.whole("skip", skip)
        numbers.number("rate", rate, most=1.0)
        self.hits = 0
        self.begun = time.time()
        self.said = said
        """What was asked for."""
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

    @property
    def told(self) -> str:
        """What became of it, for a report."""
        return f"{f'{self.hits} hit' if self.hits else 'nobody hit':<10} by {self.said}"

    def __repr__(self) -> str:
        return f"<{self.said}: {self.hits} hits>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class RequestFault(Fault):
    """One that befalls requests; by itself it does nothing."""

    def __init__(self, standing: Standing, said: str, whom: Whom) -> None:
        often: Often = {key: value for key, value in whom.items() if key in Often.__optional_keys__}  # type: ignore[assignment]
        which = {key: value for key, value in whom.items() if key not in Often.__optional_keys__}
        self.selection, self.inside = select(standing.vocabulary, which)
        super().__init__(standing, f"{said} of {self.selection}", **often)

    @property
    def told(self) -> str:
        spared = "" if self.hits or self.inside else "  (inside=True: also components of the cluster)"
        return super().told + spared

    def befalls(self, asked: Asked) -> bool:
        """Whether it befalls a request."""
        return self.selection.chooses(asked) and self.hit()

    async def before(self, asked: Asked, *, inside: bool = False) -> None:
        """Before the request is carried out: waits, or raises."""

    def after(self, asked: Asked, answer: Answer) -> Answer:
        """What becomes of its answer."""
        return answer


class Delay(RequestFault):
    """Requests wait before they are carried out."""

    def __init__(self, standing: Standing, whom: Whom, seconds: float, jitter: float) -> None:
        numbers.number("seconds", seconds)
        numbers.number("jitter", jitter)
        super().__init__(standing, f"delay {seconds:g} s", whom)
        self._seconds = seconds
        self._jitter = jitter

    async def before(self, asked: Asked, *, inside: bool = False) -> None:
        await asyncio.sleep(self._seconds + self._jitter * self._standing.rng.random())


class Refusal(RequestFault):
    """Requests are answered by an error, and not carried out."""

    def __init__(self, standing: Standing, whom: Whom, code: int, make: Callable[[Asked], StatusError]) -> None:
        numbers.whole("code", code, 400, 599)
        super().__init__(standing, f"error {code}", whom)
        self._make = make

    async def before(self, asked: Asked, *, inside: bool = False) -> None:
        raise self._make(asked)


class Race(RequestFault):
    """Somebody writes the object just before a request that would."""

    def __init__(self, standing: Standing, whom: Whom) -> None:
        super().__init__(standing, "conflict", whom)

    async def before(self, asked: Asked, *, inside: bool = False) -> None:
        await self._standing.touch(asked)


class Partition(RequestFault):
    """Connections are cut in place of an answer."""

    def __init__(self, standing: Standing, whom: Whom) -> None:
        super().__init__(standing, "partition", whom)

    async def before(self, asked: Asked, *, inside: bool = False) -> None:
        if inside:
            raise errors.service_unavailable("connect: connection refused")
        raise Severed


class ShortWatch(RequestFault):
    """Watches end after so many events."""

    def __init__(self, standing: Standing, whom: Whom, events: int, how: End) -> None:
        numbers.whole("events", events, 1)
        super().__init__(standing, f"end after {events} events", whom)
        self.limit = (events, how)

    def befalls(self, asked: Asked) -> bool:
        return asked.verb == "watch" and super().befalls(asked)


class Slow(RequestFault):
    """Bodies leave slowly, or in part, after which the connection is cut."""

    def __init__(self, standing: Standing, whom: Whom, bytes_per_second: float, share: float) -> None:
        numbers.number("bytes_per_second", bytes_per_second)
        numbers.number("share", share, most=1.0)
        said = f"{bytes_per_second:g} bytes a second" if bytes_per_second else f"{share:.0%} of an answer"
        super().__init__(standing, said, whom)
        self._bytes_per_second = bytes_per_second
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
        if mishap not in get_args(Mishap):
            raise ValueError(f"what befalls the store is {mishap!r}: {', '.join(get_args(Mishap))} are possible")
        if unknown := often.keys() - Often.__optional_keys__:
            raise TypeError(f"the store knows nothing of {', '.join(sorted(unknown))}; a key chooses")
        texts("key", key)
        super().__init__(standing, f"store {mishap!r} at key={key!r}", **often)
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
