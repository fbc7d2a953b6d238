"""DNS messages as bytes: the little of RFC 1035 and RFC 6891 that the hot path needs."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV, OPT, ANY = 1, 2, 5, 6, 12, 16, 28, 33, 41, 255
IN = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
QR, AA, TC, RD, RA, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0010

UDP_LIMIT = 512
EDNS_LIMIT = 1232
"""The size we advertise, and the most we send: what surely is not fragmented (DNS flag day 2020)."""

_HEADER = struct.Struct("!HHHHHH")


class WireError(ValueError):
    """A message that cannot be read."""


class Query(NamedTuple):
    """One question.  ``key`` is the name in lower case, type and class as bytes; ``question`` is as it was sent.

    ``size`` is what the sender takes over UDP; ``edns`` says that it speaks EDNS0, ``version`` which.
    """

    id: int
    flags: int
    key: bytes
    question: bytes
    edns: bool
    size: int
    version: int
    dnssec: bool

    @property
    def type(self) -> int:
        """The type that is asked for."""
        return int.from_bytes(self.key[-4:-2], "big")

    @property
    def name(self) -> bytes:
        """The name in lower case, in wire form."""
        return self.key[:-4]


def parse_query(data: bytes) -> Query:
    """Read a query with one question; raises WireError."""
    if len(data) < 17:
        raise WireError("too short")
    id_, flags, questions, answers, authorities, additional = _HEADER.unpack_from(data)
    if flags & QR or questions != 1 or answers or authorities:
        raise WireError("not a query with one question")
    position = 12
    while length := data[position]:
        position += length + 1
        if length > 63 or position >= len(data):
            raise WireError("malformed name")
    end = position + 5
    if end > len(data) or position - 12 > 254:
        raise WireError("malformed question")
    question = data[12:end]
    # Lower-casing the wire form is safe: length bytes are below 64, letters are not.
    key = question[:-4].lower() + question[-4:]
    if not additional or len(data) < end + 11 or data[end] != 0 or data[end + 1 : end + 3] != b"\x00\x29":
        return Query(id_, flags, key, question, False, UDP_LIMIT, 0, False)
    size, _, version, extended = struct.unpack_from("!HBBH", data, end + 3)
    return Query(
        id_, flags, key, question, True, min(max(size, UDP_LIMIT), EDNS_LIMIT), version, bool(extended & 0x8000)
    )


_OPT_RECORD = b"\x00\x00\x29" + struct.pack("!H", EDNS_LIMIT)


def respond(
    query: Query, code: int, answers: int = 0, body: bytes = b"", *, authorities: int = 0, flags: int = 0
) -> bytes:
    """A response: the question as it was sent, the given sections, and an OPT record where the sender has one."""
    opcode = query.flags & 0x7800
    result_flags = QR | opcode | (query.flags & (RD | CD)) | RA | flags | (code & 15)
    header = _HEADER.pack(query.id, result_flags, 1, answers, authorities, 1 if query.edns else 0)
    if not query.edns:
        return header + query.question + body
    return header + query.question + body + _OPT_RECORD + bytes((code >> 4, 0, 0x80 if query.dnssec else 0, 0, 0, 0))


def truncated(query: Query, code: int = NOERROR) -> bytes:
    """An answer that says: ask again over TCP."""
    return respond(query, code, flags=TC)


def encode_name(name: str) -> bytes:
    """A name as uncompressed labels; raises WireError where it is none."""
    out = bytearray()
    for label in name.rstrip(".").split(".") if name.rstrip(".") else ():
        raw = label.encode("ascii", "strict") if label.isascii() else b""
        if not 0 < len(raw) <= 63:
            raise WireError(f"{name!r} is not a domain name")
        out.append(len(raw))
        out += raw
    if len(out) > 254:
        raise WireError(f"{name!r} is too long")
    return bytes(out) + b"\0"


def labels_of(name: bytes) -> list[str]:
    """The labels of an uncompressed name."""
    result = []
    position = 0
    while length := name[position]:
        result.append(name[position + 1 : position + 1 + length].decode("latin-1"))
        position += length + 1
    return result


def record(owner: bytes, type_: int, ttl: int, data: bytes) -> bytes:
    """One record; ``owner`` is a name in wire form or a compression pointer."""
    return owner + struct.pack("!HHIH", type_, IN, ttl, len(data)) + data


QUESTION = b"\xc0\x0c"
"""A pointer to the question's name, whatever it is: this is why answers can be prebuilt."""


def ttl_offsets(message: bytes) -> tuple[list[int], int]:
    """Where the TTLs of a response's records are, and the smallest (of SOA records also their minimum).

    OPT records are left out.  Raises WireError.
    """
    try:
        _, _, questions, *counts = _HEADER.unpack_from(message)
        position = 12
        for _ in range(questions):
            position = _skip_name(message, position) + 4
        offsets: list[int] = []
        smallest = 2**31
        for _ in range(sum(counts)):
            position = _skip_name(message, position)
            type_, _, ttl, length = struct.unpack_from("!HHIH", message, position)
            if type_ != OPT:
                offsets.append(position + 4)
                smallest = min(smallest, ttl)
                if type_ == SOA and length >= 20:
                    (minimum,) = struct.unpack_from("!I", message, position + 10 + length - 4)
                    smallest = min(smallest, minimum)
            position += 10 + length
    except (struct.error, IndexError) as error:
        raise WireError("malformed response") from error
    return offsets, smallest if offsets else 0


def _skip_name(message: bytes, position: int) -> int:
    while length := message[position]:
        if length & 0xC0 == 0xC0:
            return position + 2
        if length & 0xC0:
            raise WireError("malformed name")
        position += length + 1
    return position + 1


class Answer:
    """The prebuilt answer section of one question, in every rotation, so that clients spread over the records."""

    __slots__ = ("_next", "count", "rotations")

    def __init__(self, records: Iterable[bytes]) -> None:
        items = list(records)
        self.count = len(items)
        self.rotations = [b"".join(items[start:] + items[:start]) for start in range(min(self.count, 16))]
        self._next = 0

    def body(self) -> bytes:
        """The records, beginning with another one each time."""
        if self.count == 1:
            return self.rotations[0]
        self._next = (self._next + 1) % len(self.rotations)
        return self.rotations[self._next]
