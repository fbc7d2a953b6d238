"""Events: what a component tells people about an object (``kubectl describe``).

:meth:`EventRecorder.event` never waits; :meth:`EventRecorder.run` sends in the background.  Alike events are
counted on one Event object instead of filling the store, many similar ones are combined, and a source that floods
an object is cut off, by the rules of client-go's event correlator.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec

from steersman.api.clock import SYSTEM, Clock
from steersman.api.errors import StatusError, is_not_found
from steersman.api.scheme import Object
from steersman.api.time import now, rfc3339
from steersman.api.types.core_v1 import Event, EventSource, ObjectReference
from steersman.api.types.meta_v1 import ObjectMeta

from .client import Client, Patch
from .pause import Pause

log = logging.getLogger(__name__)

QUEUE_LENGTH = 1000
CACHE_SIZE = 4096
SPAM_BURST = 25
SPAM_REFILL_SECONDS = 300.0
SIMILAR_EVENTS = 10
SIMILAR_SECONDS = 600.0
ATTEMPTS = 12
FIRST_RETRY, LAST_RETRY = 0.2, 10.0

_Subject = tuple[str, str, str, str, str, str]


class _Pending(NamedTuple):
    reference: ObjectReference
    type: str
    reason: str
    message: str
    time: datetime


class _Known(NamedTuple):
    """What was last written of an event."""

    name: str
    namespace: str
    times: int
    first: datetime


class _Bucket:
    __slots__ = ("stamp", "tokens")

    def __init__(self, stamp: float) -> None:
        self.tokens = float(SPAM_BURST)
        self.stamp = stamp


class _Similar:
    __slots__ = ("messages", "stamp")

    def __init__(self, stamp: float) -> None:
        self.messages: set[str] = set()
        self.stamp = stamp


def reference(obj: Object | ObjectReference) -> ObjectReference:
    """What an event says about the object it concerns."""
    if isinstance(obj, ObjectReference):
        return obj
    metadata = obj.metadata
    return ObjectReference(
        kind=obj.kind,
        api_version=obj.api_version,
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
    )


class EventRecorder:
    """Records events of one component.

    At most ``QUEUE_LENGTH`` events wait to be sent; more are dropped and counted in ``dropped``.
    Nothing is sent until :meth:`run` runs; what was recorded before is kept.
    """

    def __init__(self, client: Client, component: str, host: str = "", *, clock: Clock = SYSTEM) -> None:
        self.dropped = 0
        self._client = client
        self._component = component
        self._host = host
        self._clock = clock
        self._queue: deque[_Pending] = deque()
        self._wakeup = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._pause = Pause(clock)
        self._failed = ""
        """What is tried again after the pause."""
        self._known: OrderedDict[tuple[_Subject, str], _Known] = OrderedDict()
        self._buckets: OrderedDict[_Subject, _Bucket] = OrderedDict()
        self._similar: OrderedDict[tuple[_Subject, str, str], _Similar] = OrderedDict()

    def event(self, obj: Object | ObjectReference, type_: str, reason: str, message: str) -> None:
        """Record that something happened to an object; ``type_`` is ``Normal`` or ``Warning``."""
        if len(self._queue) >= QUEUE_LENGTH:
            self.dropped += 1
            return
        self._queue.append(_Pending(reference(obj), type_, reason, message[:1024], now(self._clock)))
        self._idle.clear()
        self._wakeup.set()

    def unfinished(self) -> Iterator[str]:
        """Whether something that was recorded is being sent; while one waits to be tried again, nothing is."""
        if not self._idle.is_set() and not self._pause.lasts:
            yield f"{self._component}: {len(self._queue)} events to send, and one being sent"

    def hurry(self) -> list[str]:
        """Try again at once to send what could not be sent, and all that waits behind it; returns what that is."""
        return [f"{self._component}: event {self._failed}, and {len(self._queue)} more"] if self._pause.end() else []

    async def flushed(self) -> None:
        """Wait until everything recorded so far was sent or given up."""
        await self._idle.wait()

    async def run(self) -> None:
        """Send recorded events until cancelled."""
        while True:
            while self._queue:
                pending = self._queue.popleft()
                try:
                    await self._record(pending)
                except Exception:  # an event must never take its component down
                    log.exception("cannot record event %s", pending.reason)
            self._idle.set()
            self._wakeup.clear()
            await self._wakeup.wait()

    async def _record(self, pending: _Pending) -> None:
        ref = pending.reference
        subject = (ref.api_version, ref.kind, ref.namespace, ref.name, ref.uid, ref.field_path)
        if not self._admit(subject):
            self.dropped += 1
            return
        message = pending.message
        key = (subject, "\0".join((pending.type, pending.reason, message)))
        if self._combine(subject, pending):
            message = f"(combined from similar events): {message}"
            key = (subject, "\0".join((pending.type, pending.reason)))
        attempt = 0
        while attempt < ATTEMPTS:
            try:
                await self._write(key, pending, message)
                return
            except StatusError as error:
                if error.code != 429 and error.code < 500:
                    # A terminating namespace, say: the event has no place any more.
                    log.debug("event %s of %s %s rejected: %s", pending.reason, ref.kind, ref.name, error)
                    return
                self._failed = f"{pending.reason} of {ref.kind} {ref.name}"
                if not await self._pause.is_ended_within(min(FIRST_RETRY * 2**attempt, LAST_RETRY)):
                    attempt += 1
        self.dropped += 1
        log.warning("gave up sending event %s of %s %s", pending.reason, ref.kind, ref.name)

    async def _write(self, key: tuple[_Subject, str], pending: _Pending, message: str) -> None:
        known = self._known.get(key)
        if known is not None:
            count = known.times + 1
            body = msgspec.json.encode({"count": count, "lastTimestamp": rfc3339(pending.time), "message": message})
            patch = Patch("application/strategic-merge-patch+json", body)
            try:
                await self._client.patch(Event, known.name, patch, known.namespace)
            except StatusError as error:
                if not is_not_found(error):
                    raise
            else:
                self._remember(key, known._replace(times=count))
                return
        ref = pending.reference
        count, first = (known.times + 1, known.first) if known is not None else (1, pending.time)
        namespace = ref.namespace or "default"
        # The machine's time, whatever the clock says: names are to differ.
        name = f"{ref.name}.{time.time_ns():x}"
        await self._client.create(
            Event(
                metadata=ObjectMeta(name=name, namespace=namespace),
                involved_object=ref,
                reason=pending.reason,
                message=message,
                type=pending.type,
                count=count,
                first_timestamp=first,
                last_timestamp=pending.time,
                source=EventSource(component=self._component, host=self._host),
                reporting_component=self._component,
                reporting_instance=self._host,
            )
        )
        self._remember(key, _Known(name, namespace, count, first))

    def _remember(self, key: tuple[_Subject, str], known: _Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        if len(self._known) > CACHE_SIZE:
            self._known.popitem(last=False)

    def _admit(self, subject: _Subject) -> bool:
        """Take one of the object's tokens, of which there are 25 and a new one every five minutes."""
        stamp = self._clock.monotonic()
        bucket = self._buckets.get(subject)
        if bucket is None:
            bucket = self._buckets[subject] = _Bucket(stamp)
            if len(self._buckets) > CACHE_SIZE:
                self._buckets.popitem(last=False)
        bucket.tokens = min(SPAM_BURST, bucket.tokens + (stamp - bucket.stamp) / SPAM_REFILL_SECONDS)
        bucket.stamp = stamp
        self._buckets.move_to_end(subject)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _combine(self, subject: _Subject, pending: _Pending) -> bool:
        """Whether events that differ in their message alone have become too many."""
        stamp = self._clock.monotonic()
        key = (subject, pending.type, pending.reason)
        similar = self._similar.get(key)
        if similar is None or stamp - similar.stamp > SIMILAR_SECONDS:
            similar = self._similar[key] = _Similar(stamp)
            if len(self._similar) > CACHE_SIZE:
                self._similar.popitem(last=False)
        similar.stamp = stamp
        self._similar.move_to_end(key)
        if len(similar.messages) < SIMILAR_EVENTS:
            similar.messages.add(pending.message)
            return len(similar.messages) >= SIMILAR_EVENTS
        return True
