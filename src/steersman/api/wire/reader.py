"""Protobuf's wire format: numbers of variable length, tags, and how to step over what is not known."""

from __future__ import annotations

VARINT, FIXED64, BYTES, START_GROUP, END_GROUP, FIXED32 = range(6)
"""The wire types."""

MAX_DEPTH = 150
"""How deep messages and groups may be nested; the deepest type, a CRD's schema, is read far below it."""


class WireError(ValueError):
    """Bytes that are no message of the type; the text is what Go's decoder says of them."""


UNEXPECTED_END = "unexpected EOF"
_OVERFLOW = "proto: integer overflow"


def varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """An unsigned number of up to 64 bits, and the position behind it."""
    result = shift = 0
    while True:
        if shift >= 64:
            raise WireError(_OVERFLOW)
        if position >= end:
            raise WireError(UNEXPECTED_END)
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7


def length(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Where the value of a length-delimited field begins and ends."""
    size, position = varint(data, position, end)
    if size >= 1 << 63:
        raise WireError("proto: negative length found during unmarshaling")
    stop = position + size
    if stop > end:
        raise WireError(UNEXPECTED_END)
    return position, stop


def skip(data: bytes, tag: int, position: int, end: int, message: str) -> int:
    """The position behind a field that the message does not know; ``position`` is behind its tag."""
    number, wire = tag >> 3, tag & 7
    if wire == END_GROUP:
        raise WireError(f"proto: {message}: wiretype end group for non-group")
    if not 0 < number < 1 << 29:
        raise WireError(f"proto: {message}: illegal tag {number} (wire type {wire})")
    depth = 0
    while True:
        if wire == VARINT:
            _, position = varint(data, position, end)
        elif wire == FIXED64:
            position += 8
        elif wire == BYTES:
            _, position = length(data, position, end)
        elif wire == START_GROUP:
            depth += 1
        elif wire == END_GROUP:
            depth -= 1
            if depth < 0:
                raise WireError("proto: unexpected end of group")
        elif wire == FIXED32:
            position += 4
        else:
            raise WireError(f"proto: illegal wireType {wire}")
        if position > end:
            raise WireError(UNEXPECTED_END)
        if depth == 0:
            return position
        inner, position = varint(data, position, end)
        wire = inner & 7
