"""Asking upstream resolvers: UDP, then TCP where an answer is truncated; a cache of at most 30 seconds."""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import wire
from .wire import Query

log = logging.getLogger(__name__)

MAX_TTL = 30
MAX_ENTRIES = 10_000
MAX_PENDING = 1000
"""Questions under way upstream; more are answered SERVFAIL at once."""


class Upstream(NamedTuple):
    """The address of a resolver."""

    host: str
    port: int = 53


class UpstreamError(Exception):
    """No upstream resolver answered."""


class _Cached(NamedTuple):
    message: bytes
    offsets: Sequence[int]
    stored: float
    expires: float


class _Datagram(asyncio.DatagramProtocol):
    def __init__(self, accepts: Callable[[bytes], bool]) -> None:
        self._accepts = accepts
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.answer.done() and self._accepts(data):
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:  # port unreachable: no need to wait for the time-out
        if not self.answer.done():
            self.answer.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc or OSError("closed"))


class Forwarder:
    """Asks the upstream resolvers in turn, remembers what they said, and asks the same question once at a time."""

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        *,
        timeout: float = 2.0,
        attempts: int = 2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.upstreams = tuple(upstreams)
        """Whom to ask, in this order; may be replaced at any time."""
        self._timeout = timeout
        self._attempts = attempts
        self._clock = clock
        self._cache: OrderedDict[tuple[bytes, bool, bool], _Cached] = OrderedDict()
        self._pending: dict[tuple[bytes, bool, bool], asyncio.Future[_Cached]] = {}

    def cached(self, query: Query) -> bytes | None:
        """The answer from the cache, its TTLs counted down; None where there is none."""
        key = (query.key, query.dnssec, bool(query.flags & wire.CD))
        entry = self._cache.get(key)
        if entry is None:
            return None
        if (instant := self._clock()) >= entry.expires:
            del self._cache[key]
            return None
        return _personal(entry, query, int(instant - entry.stored))

    async def resolve(self, query: Query) -> bytes:
        """The complete answer for a query, cached or asked for; raises UpstreamError."""
        if (known := self.cached(query)) is not None:
            return known
        key = (query.key, query.dnssec, bool(query.flags & wire.CD))
        pending = self._pending.get(key)
        if pending is None:
            if not self.upstreams:
                raise UpstreamError("there is no upstream resolver")
            if len(self._pending) >= MAX_PENDING:
                raise UpstreamError("too many questions are under way")
            pending = asyncio.get_running_loop().create_future()
            self._pending[key] = pending
            try:
                entry = self._store(key, await self._ask(query))
            except BaseException as error:
                fault = error if isinstance(error, UpstreamError) else UpstreamError("the question was given up")
                pending.set_exception(fault)
                pending.exception()  # seen: nobody else may be waiting
                raise
            else:
                pending.set_result(entry)
            finally:
                del self._pending[key]
        else:
            entry = await asyncio.shield(pending)
        return _personal(entry, query, 0)

    def _store(self, key: tuple[bytes, bool, bool], message: bytes) -> _Cached:
        try:
            offsets, ttl = wire.ttl_offsets(message)
        except wire.WireError as error:
            raise UpstreamError("an upstream resolver sent a malformed answer") from error
        instant = self._clock()
        ttl = min(ttl, MAX_TTL)
        entry = _Cached(message, offsets, instant, instant + ttl)
        code = message[3] & 15
        if ttl > 0 and code in (wire.NOERROR, wire.NXDOMAIN):
            self._cache[key] = entry
            self._cache.move_to_end(key)
            if len(self._cache) > MAX_ENTRIES:
                self._cache.popitem(last=False)
        return entry

    async def _ask(self, query: Query) -> bytes:
        fault: Exception = UpstreamError("no upstream resolver answered")
        for _ in range(self._attempts):
            for upstream in self.upstreams:
                try:
                    async with asyncio.timeout(self._timeout):
                        answer = await self._udp(upstream, query)
                        if answer[2] & 2:
                            answer = await self._tcp(upstream, query)
                except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                    log.debug("upstream %s: %s", upstream.host, error or "timed out")
                    fault = error
                    continue
                if answer[3] & 15 in (wire.SERVFAIL, wire.REFUSED) and len(self.upstreams) > 1:
                    fault = UpstreamError(f"{upstream.host} answered with code {answer[3] & 15}")
                    continue
                return answer
        raise UpstreamError(f"no upstream resolver answered: {fault or 'timed out'}") from fault

    def _message(self, query: Query) -> bytes:
        # A random id and a fresh socket (so a random port) for each question: what keeps forged answers out.
        flags = wire.RD | (query.flags & wire.CD)
        header = struct.pack("!HHHHHH", secrets.randbits(16), flags, 1, 0, 0, 1)
        opt = b"\x00\x00\x29" + struct.pack("!HIH", wire.EDNS_LIMIT, 0x8000 if query.dnssec else 0, 0)
        return header + query.question + opt

    async def _udp(self, upstream: Upstream, query: Query) -> bytes:
        message = self._message(query)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: _Datagram(lambda data: _answers(data, message, query)), remote_addr=(upstream.host, upstream.port)
        )
        try:
            transport.sendto(message)
            return await protocol.answer
        finally:
            if not protocol.answer.done():
                protocol.answer.cancel()
            transport.close()

    async def _tcp(self, upstream: Upstream, query: Query) -> bytes:
        message = self._message(query)
        reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
        try:
            writer.write(len(message).to_bytes(2, "big") + message)
            length = int.from_bytes(await reader.readexactly(2), "big")
            answer = await reader.readexactly(length)
        finally:
            writer.close()
        if not _answers(answer, message, query):
            raise OSError("the answer is to another question")
        return answer


def _answers(data: bytes, message: bytes, query: Query) -> bool:
    end = 12 + len(query.question)
    return (
        len(data) >= end
        and data[:2] == message[:2]
        and bool(data[2] & 0x80)
        and data[4:6] == b"\0\x01"
        and data[12:end].lower() == query.question.lower()
    )


def _personal(entry: _Cached, query: Query, age: int) -> bytes:
    """The stored answer as this query's: its id, its spelling of the name, TTLs counted down and capped."""
    message = bytearray(entry.message)
    message[0:2] = query.id.to_bytes(2, "big")
    flags = int.from_bytes(message[2:4], "big")
    flags = (flags & ~(wire.AA | wire.RD)) | (query.flags & wire.RD) | wire.RA
    message[2:4] = flags.to_bytes(2, "big")
    message[12 : 12 + len(query.question)] = query.question
    for offset in entry.offsets:
        (ttl,) = struct.unpack_from("!I", message, offset)
        struct.pack_into("!I", message, offset, max(0, min(ttl, MAX_TTL) - age))
    return bytes(message)


def parse_resolv_conf(text: str) -> list[str]:
    """The addresses of the ``nameserver`` lines."""
    result = []
    for line in text.splitlines():
        words = line.split("#", 1)[0].split(";", 1)[0].split()
        if len(words) >= 2 and words[0] == "nameserver":
            result.append(words[1])
    return result
