"""The replicated store: a real etcd, spoken to over gRPC.

One etcd watch over all keys feeds every follower.  As each revision of etcd changes some key, having seen a revision's
events is having seen everything up to it: nothing here depends on etcd's progress notifications, which older releases
let overtake events.  The most recent events are kept, so that those who begin to follow a little in the past cost
etcd nothing.

A commit returns when its own events have come back through that watch (or after a second, should it be broken), so
writers read their own writes from the watch caches.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio

from steersman.api import protobuf

from .followers import Followers, FollowerTask, StoreWatch, prefix_end
from .store import (
    Check,
    Compacted,
    CompareFailed,
    Event,
    EventBatch,
    FutureRevision,
    KeyValue,
    NoSpace,
    Operation,
    Put,
    Range,
    StoreError,
    StoreUnusableError,
    TooManyOperations,
)

log = logging.getLogger(__name__)

API = protobuf.load("steersman.storage", "etcd.proto")

BARRIER = "/steersman/barrier"
"""Written to when a follower must be brought up to date and no event is in sight."""

MAX_OPERATIONS = 128
"""etcd's own default limit of the operations in a transaction."""

_TIMEOUT = 10.0
_EVERYTHING = b"\0"
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    ("grpc.use_local_subchannel_pool", 1),
)


class EtcdTLS(NamedTuple):
    """Files in PEM: the authority of etcd's certificates, and our client certificate with its key."""

    ca_file: str | Path | None = None
    cert_file: str | Path | None = None
    key_file: str | Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """For gRPC; raises StoreUnusableError when a file cannot be read."""
        try:
            ca, cert, key = (Path(file).read_bytes() if file else None for file in self)
        except OSError as error:
            raise StoreUnusableError(f"cannot read the TLS files for etcd: {error}") from error
        return grpc.ssl_channel_credentials(ca, key, cert)


class _Member:
    def __init__(self, endpoint: str, tls: EtcdTLS) -> None:
        scheme, _, address = endpoint.rpartition("://")
        if scheme not in ("", "http", "https") or not address:
            raise StoreUnusableError(
                f"invalid etcd endpoint {endpoint!r}: http://HOST:PORT or https://HOST:PORT expected"
            )
        address = address.rstrip("/")
        if scheme == "https":
            self.channel = grpc.aio.secure_channel(address, tls.credentials(), _OPTIONS)
        else:
            self.channel = grpc.aio.insecure_channel(address, _OPTIONS)
        self.endpoint = endpoint
        self.kv = API.stub("KV", self.channel)
        self.watch = API.stub("Watch", self.channel)
        self.maintenance = API.stub("Maintenance", self.channel)


class _Shared:
    """A read of which one is under way at a time: whoever asks meanwhile shares the next one.

    Nobody may share the one that is under way: it may have looked before they asked.
    """

    def __init__(self, read: Callable[[], Awaitable[int]]) -> None:
        self._read = read
        self._current: asyncio.Task[int] | None = None
        self._next: asyncio.Task[int] | None = None

    async def __call__(self) -> int:
        if self._next is None:
            self._next = asyncio.create_task(self._run(self._current), name="etcd revision")
            self._next.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._next)

    async def _run(self, before: asyncio.Task[int] | None) -> int:
        if before is not None:
            await asyncio.wait([before])
        self._current, self._next = self._next, None
        return await self._read()


class EtcdStore:
    """A store in etcd.  ``await EtcdStore.open(["https://…:2379"], EtcdTLS(…))``."""

    def __init__(self, endpoints: Sequence[str], tls: EtcdTLS, recent: int) -> None:
        self._members = [_Member(endpoint, tls) for endpoint in endpoints]
        self._followers = Followers()
        self._recent: deque[Event] = deque()
        self._recent_from = 0  # every event from this revision on is in _recent
        self._capacity = recent
        self._trunk: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._progress: asyncio.Task[None] | None = None
        self._closed = False
        self._revision = _Shared(self._read_revision)

    @classmethod
    async def open(
        cls, endpoints: Sequence[str], tls: EtcdTLS | None = None, *, recent: int = 1024, timeout: float = 30.0
    ) -> EtcdStore:
        """Connect; waits for etcd to answer, raises StoreUnusableError when it does not in time."""
        if not endpoints:
            raise StoreUnusableError("no etcd endpoint given")
        store = cls(endpoints, tls or EtcdTLS(), recent)
        last: Exception | None = None
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        revision = await store.revision()
                        break
                    except StoreError as error:
                        last = error
                        await asyncio.sleep(0.2)
                store._begin_at(max(1, revision - recent))
                store._trunk = asyncio.create_task(store._run_trunk(), name="etcd watch")
                await store._connected.wait()
                await store._catch_up(revision)
        except TimeoutError:
            await store.close()
            raise StoreUnusableError(f"etcd at {', '.join(endpoints)} does not answer: {last}") from None
        except BaseException:
            await store.close()
            raise
        return store

    # -- calls ---------------------------------------------------------------------------------------------------

    async def _read(self, service: str, method: str, request: Any) -> Any:
        """Call whichever member answers."""
        for attempt in range(len(self._members)):
            if self._closed:
                raise StoreError("the store is closed")
            try:
                return await getattr(getattr(self._members[0], service), method)(request, timeout=_TIMEOUT)
            except grpc.aio.AioRpcError as error:
                if error.code() == grpc.StatusCode.UNAVAILABLE and attempt + 1 < len(self._members):
                    self._members.append(self._members.pop(0))
                    continue
                raise self._translate(error) from error
            except asyncio.CancelledError:
                if self._closed:
                    raise StoreError("the store is closed") from None
                raise
        raise AssertionError("unreachable")

    def _translate(self, error: grpc.aio.AioRpcError) -> StoreError:
        details = error.details() or ""
        if "future revision" in details:
            return FutureRevision(details)
        if "database space exceeded" in details:
            return NoSpace(details)
        if error.code() == grpc.StatusCode.UNAVAILABLE and len(self._members) > 1:
            self._members.append(self._members.pop(0))
        return StoreError(f"etcd: {error.code().name}: {details}")

    async def get(self, key: str) -> KeyValue | None:
        """Read the latest version of a key (linearizable)."""
        reply = await self._read("kv", "Range", API.RangeRequest(key=key.encode()))
        return _key_value(reply.kvs[0]) if reply.kvs else None

    async def range(
        self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0, counted: bool = True
    ) -> Range:
        """Read the keys below a prefix in order."""
        first, end = max(prefix, start).encode() or _EVERYTHING, prefix_end(prefix).encode()
        request = API.RangeRequest(key=first, range_end=end, limit=limit, revision=revision)
        try:
            reply = await self._read("kv", "Range", request)
        except StoreError as error:
            if "compacted" in str(error):
                raise Compacted(await self._compact_revision(revision)) from error
            raise
        items = [_key_value(kv) for kv in reply.kvs]
        return Range(items, revision or reply.header.revision, reply.more, reply.count - len(items))

    async def _compact_revision(self, revision: int) -> int:
        """The oldest revision that can be read, which etcd tells those who ask to watch from an older one."""
        with contextlib.suppress(grpc.aio.AioRpcError):
            async with contextlib.aclosing(self._open_watch(revision)) as replies:
                async for reply in replies:
                    if reply.canceled:
                        return max(int(reply.compact_revision), revision + 1)
                    if not reply.created:
                        break
        return revision + 1

    async def revision(self) -> int:
        """The current revision (linearizable); many who ask at a time cost etcd one question."""
        return await self._revision()

    async def _read_revision(self) -> int:
        reply = await self._read("kv", "Range", API.RangeRequest(key=_EVERYTHING, count_only=True))
        return int(reply.header.revision)

    async def commit(self, operations: Sequence[Operation]) -> int:
        """Apply the operations in one transaction.

        When etcd goes away meanwhile, StoreError leaves open whether the commit happened.
        """
        if len({operation.key for operation in operations}) != len(operations):
            raise ValueError("a commit names a key twice")
        if len(operations) > MAX_OPERATIONS:
            raise TooManyOperations(len(operations), MAX_OPERATIONS)
        if self._closed:
            raise StoreError("the store is closed")
        request = API.TxnRequest()
        expected: dict[str, int] = {}
        for operation in operations:
            key = operation.key.encode()
            if operation.expected is not None:
                expected[operation.key] = operation.expected
                request.compare.add(target=API.Compare.MOD, key=key, mod_revision=operation.expected)
                request.failure.add().request_range.key = key
            if isinstance(operation, Put):
                request.success.add(request_put=API.PutRequest(key=key, value=operation.value))
            elif not isinstance(operation, Check):
                request.success.add(request_delete_range=API.DeleteRangeRequest(key=key))
        try:
            reply = await self._members[0].kv.Txn(request, timeout=_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            raise self._translate(error) from error
        if not reply.succeeded:
            current: dict[str, KeyValue | None] = {}
            for (name, revision), response in zip(expected.items(), reply.responses, strict=True):
                found = _key_value(response.response_range.kvs[0]) if response.response_range.kvs else None
                if (found.mod_revision if found is not None else 0) != revision:
                    current[name] = found
            raise CompareFailed(current)
        committed = int(reply.header.revision)
        if self._followers.revision < committed and self._connected.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._followers.wait_revision(committed)
        return committed

    async def compact(self, revision: int) -> None:
        """Forget what was overwritten or deleted before ``revision``."""
        try:
            await self._read("kv", "Compact", API.CompactionRequest(revision=revision))
        except FutureRevision:
            raise
        except StoreError as error:
            if "compacted" in str(error):
                raise Compacted(revision) from error
            raise

    async def size(self) -> int:
        """The bytes of the first member's database."""
        reply = await self._read("maintenance", "Status", API.StatusRequest())
        return int(reply.dbSize)

    # -- the one watch -------------------------------------------------------------------------------------------

    def _begin_at(self, revision: int) -> None:
        self._followers.revision = revision
        self._recent.clear()
        self._recent_from = revision + 1

    async def _open_watch(self, start_revision: int) -> Any:
        """The replies to a watch of all keys; ends when the generator is closed."""
        call = self._members[0].watch.Watch(metadata=(("hasleader", "true"),))
        try:
            create = API.WatchCreateRequest(key=_EVERYTHING, range_end=_EVERYTHING, start_revision=start_revision)
            await call.write(API.WatchRequest(create_request=create))
            async for reply in call:
                yield reply
        finally:
            call.cancel()

    async def _run_trunk(self) -> None:
        delay = 0.05
        while True:
            try:
                async with contextlib.aclosing(self._open_watch(self._followers.revision + 1)) as replies:
                    async for reply in replies:
                        if reply.canceled:
                            if reply.compact_revision:
                                raise Compacted(int(reply.compact_revision))
                            raise StoreError(f"etcd ended the watch: {reply.cancel_reason}")
                        self._connected.set()
                        delay = 0.05
                        await self._receive(reply.events)
                raise StoreError("etcd ended the watch")
            except Compacted as error:
                self._begin_after_compaction(error)
                continue
            except (grpc.aio.AioRpcError, StoreError) as error:
                reason = self._translate(error) if isinstance(error, grpc.aio.AioRpcError) else error
                log.log(
                    logging.WARNING if self._connected.is_set() else logging.DEBUG, "etcd watch broke off: %s", reason
                )
            self._connected.clear()
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)

    def _begin_after_compaction(self, error: Compacted) -> None:
        """Go on at the oldest revision there is, telling those who were following that they missed something."""
        initial = not self._connected.is_set() and not self._recent
        self._begin_at(error.compact_revision)
        self._followers.end(error)
        if not initial:
            log.warning("etcd has compacted what was not yet received: %s", error)

    async def _receive(self, events: Sequence[Any]) -> None:
        for count, (revision, group) in enumerate(groupby(events, key=lambda event: event.kv.mod_revision), 1):
            batch = []
            for event in group:
                kv = event.kv
                key = kv.key.decode("utf-8", "surrogateescape")
                batch.append(Event(key, revision, None if event.type == API.Event.DELETE else _key_value(kv)))
            self._recent += batch
            self._followers.deliver(revision, batch)
            if count % 128 == 0:
                await asyncio.sleep(0)
        while len(self._recent) > self._capacity:
            self._recent_from = self._recent.popleft().revision + 1

    async def _catch_up(self, revision: int) -> None:
        """Wait until a revision has been received, writing something if that is what it takes."""
        try:
            async with asyncio.timeout(0.5):
                await self._followers.wait_revision(revision)
                return
        except TimeoutError:
            pass
        # A tombstone can be compacted away although it is the newest revision.
        await self._connected.wait()
        await self.commit([Put(BARRIER, b"")])
        await self._followers.wait_revision(revision)

    # -- following -----------------------------------------------------------------------------------------------

    @property
    def current_revision(self) -> int:
        """Every change up to this revision has been delivered to the followers."""
        return self._followers.revision

    async def wait_revision(self, revision: int) -> None:
        """Wait until ``current_revision`` has reached a revision."""
        await self._followers.wait_revision(revision)

    async def follow(self, prefix: str, start_revision: int, callback: Callable[[EventBatch], None]) -> FollowerTask:
        """Call back with every change below the prefix."""
        if self._closed:
            raise StoreError("the store is closed")
        return await self._followers.follow(prefix, start_revision, callback, self._replay)

    async def _replay(self, prefix: str, first: int, last: int, callback: Callable[[EventBatch], None]) -> None:
        if first >= self._recent_from:
            past = [event for event in self._recent if first <= event.revision <= last]
        else:
            past = await self._read_past(first, last)
        for revision, group in groupby(past, key=lambda event: event.revision):
            if events := [event for event in group if event.key.startswith(prefix)]:
                callback(EventBatch(events, revision))

    async def _read_past(self, first: int, last: int) -> list[Event]:
        """The events of older revisions, from etcd."""
        past: list[Event] = []
        barrier = False
        replies = self._open_watch(first)
        try:
            while True:
                try:
                    async with asyncio.timeout(None if barrier else 2.0):
                        reply = await anext(replies)
                except TimeoutError:
                    barrier = True  # the last revisions were tombstones, compacted away
                    await self.commit([Put(BARRIER, b"")])
                    replies = self._open_watch(first)
                    past.clear()
                    continue
                if reply.canceled:
                    if reply.compact_revision:
                        raise Compacted(int(reply.compact_revision))
                    raise StoreError(f"etcd ended the watch: {reply.cancel_reason}")
                for event in reply.events:
                    if event.kv.mod_revision > last:
                        return past
                    current = None if event.type == API.Event.DELETE else _key_value(event.kv)
                    key = event.kv.key.decode("utf-8", "surrogateescape")
                    past.append(Event(key, event.kv.mod_revision, current))
                if past and past[-1].revision == last:
                    return past
        except grpc.aio.AioRpcError as error:
            raise self._translate(error) from error
        except StopAsyncIteration:
            raise StoreError("etcd ended the watch") from None
        finally:
            await replies.aclose()

    async def watch(self, prefix: str, *, start_revision: int) -> StoreWatch:
        """Deliver every change below the prefix from a revision on."""
        return await StoreWatch(self, prefix, start_revision).open()

    async def request_progress(self) -> None:
        """Make sure that the current revision is received soon."""
        if self._progress is None or self._progress.done():
            self._progress = asyncio.create_task(self._request_progress(), name="etcd progress")

    async def _request_progress(self) -> None:
        with contextlib.suppress(StoreError):
            await self._catch_up(await self.revision())

    async def close(self) -> None:
        """Close the connections; open watches end."""
        if self._closed:
            return
        self._closed = True
        for task in (self._trunk, self._progress):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        self._followers.end(None)
        for member in self._members:
            await member.channel.close()


def _key_value(kv: Any) -> KeyValue:
    return KeyValue(kv.key.decode("utf-8", "surrogateescape"), kv.value, kv.create_revision, kv.mod_revision)
