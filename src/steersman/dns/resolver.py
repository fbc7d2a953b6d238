"""What to answer to a question: the hot path, then everything that has no prebuilt answer."""

from __future__ import annotations

import logging
import struct

import dns.exception
import dns.message
import dns.rdatatype

from . import wire
from .forward import Forwarder, UpstreamError
from .records import address_record, pod_address
from .wire import Query
from .zone import Zone

log = logging.getLogger(__name__)

_MAX_ALIASES = 8


class Resolver:
    """Answers messages; knows nothing of sockets."""

    def __init__(self, zone: Zone, forwarder: Forwarder) -> None:
        self._zone = zone
        self._forwarder = forwarder
        self.synced = False
        """Before the first sync, names that are not known are no NXDOMAIN but a SERVFAIL, which clients retry."""

    def answer_nowait(self, data: bytes, limit: int = 0) -> bytes | Query | None:
        """The answer; the parsed query where it takes waiting (:meth:`answer`); None for what deserves no answer.

        ``limit`` is what the transport can carry, 0 for what the query says.
        """
        try:
            query = wire.parse_query(data)
        except (wire.WireError, IndexError):
            return _format_error(data)
        found = self._zone.answers.get(query.key)
        if found is not None and query.version == 0 and not query.flags & 0x7800:
            body = found.body()
            if 12 + len(query.question) + len(body) + 11 <= (limit or query.size):
                return wire.respond(query, wire.NOERROR, found.count, body, flags=wire.AA)
            return wire.truncated(query)
        if query.flags & 0x7800:
            return wire.respond(query, wire.NOTIMP)
        if query.version:
            return wire.respond(query, wire.BADVERS)
        if self._zone.contains(query.name):
            if query.name in self._zone.aliases:
                return query
            return self._local(query)
        if query.key[-2:] != b"\0\x01":
            return wire.respond(query, wire.REFUSED)
        cached = self._forwarder.cached(query)
        return query if cached is None else _fit(cached, query, limit)

    async def answer(self, query: Query, limit: int = 0) -> bytes:
        """The answer to a query that :meth:`answer_nowait` gave back."""
        try:
            if self._zone.contains(query.name):
                return _fit(await self._alias(query), query, limit)
            return _fit(await self._forwarder.resolve(query), query, limit)
        except UpstreamError as error:
            log.debug("%s: %s", ".".join(wire.labels_of(query.name)), error)
            return wire.respond(query, wire.SERVFAIL)

    def _local(self, query: Query) -> bytes:
        zone = self._zone
        if query.key[-2:] != b"\0\x01":
            return wire.respond(query, wire.REFUSED)
        labels = wire.labels_of(query.name[: -len(zone.suffix)] + b"\0")
        if len(labels) == 3 and labels[2] == "pod" and zone.has_namespace(labels[1]):
            address = pod_address(labels[0])
            if address is not None:
                type_, entry = address_record(address, zone.ttl)
                if query.type == type_:
                    return wire.respond(query, wire.NOERROR, 1, entry, flags=wire.AA)
                return self._negative(query, wire.NOERROR)
        if zone.exists(query.name):
            return self._negative(query, wire.NOERROR)
        if not self.synced:
            return wire.respond(query, wire.SERVFAIL)
        return self._negative(query, wire.NXDOMAIN)

    def _negative(self, query: Query, code: int) -> bytes:
        return wire.respond(query, code, 0, self._zone.soa, authorities=1, flags=wire.AA)

    async def _alias(self, query: Query) -> bytes:
        """An ExternalName service: the CNAME, and what its target answers."""
        zone = self._zone
        body, count, owner, name = b"", 0, wire.QUESTION, query.name
        for _ in range(_MAX_ALIASES):
            if name not in zone.aliases:
                break
            target = wire.encode_name(zone.aliases[name])
            body += wire.record(owner, wire.CNAME, zone.ttl, target)
            count += 1
            owner, name = target, target.lower()
            if query.type == wire.CNAME:
                return wire.respond(query, wire.NOERROR, count, body, flags=wire.AA)
        else:
            return wire.respond(query, wire.SERVFAIL)
        tail = struct.pack("!HH", query.type, wire.IN)
        if zone.contains(name):
            found = zone.answers.get(name + tail)
            if found is not None:  # the records' owner points to the question's name: spell the target out instead
                count += found.count
                body += b"".join(owner + entry for entry in _split(found.body(), found.count))
            return wire.respond(query, wire.NOERROR, count, body, flags=wire.AA)
        question = Query(query.id, query.flags, name + tail, owner + tail, True, wire.EDNS_LIMIT, 0, query.dnssec)
        try:
            reply = dns.message.from_wire(await self._forwarder.resolve(question), ignore_trailing=True)
        except (UpstreamError, dns.exception.DNSException) as error:
            log.debug("target of an ExternalName service: %s", error)
            return wire.respond(query, wire.SERVFAIL, count, body, flags=wire.AA)
        for rrset in reply.answer:
            encoded = rrset.name.to_wire()
            for rdata in rrset:
                body += wire.record(encoded or b"\0", int(rrset.rdtype), rrset.ttl, rdata.to_wire() or b"")
                count += 1
        return wire.respond(query, int(reply.rcode()), count, body, flags=wire.AA)


def _split(body: bytes, count: int) -> list[bytes]:
    """Records whose owner is the two bytes of a pointer, without it."""
    result = []
    position = 0
    for _ in range(count):
        (length,) = struct.unpack_from("!H", body, position + 10)
        result.append(body[position + 2 : position + 12 + length])
        position += 12 + length
    return result


def _fit(message: bytes, query: Query, limit: int) -> bytes:
    """The message, or a truncated one where it is longer than the sender takes; without OPT for who sent none."""
    if not query.edns and message[10:12] != b"\0\0":
        try:
            parsed = dns.message.from_wire(message, ignore_trailing=True)
            parsed.use_edns(False)
            message = parsed.to_wire(max_size=65535)
        except dns.exception.DNSException:
            return wire.respond(query, wire.SERVFAIL)
    if len(message) <= (limit or query.size):
        return message
    return wire.truncated(query, message[3] & 15)


def _format_error(data: bytes) -> bytes | None:
    """FORMERR for what looks like a query; silence for answers and noise, lest two servers talk for ever."""
    if len(data) < 12 or data[2] & 0x80:
        return None
    return data[:2] + bytes((0x80 | (data[2] & 0x79), 0x80 | wire.FORMERR)) + bytes(8)
