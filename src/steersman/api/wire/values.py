"""The values that are messages in protobuf and scalars or free data in JSON.

Each reader takes the bytes, where the value begins and ends, and the depth, and returns the value.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from .reader import BYTES, VARINT, WireError, length, skip, varint

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def year_one() -> datetime:
    """Go's zero of a time."""
    return datetime(1, 1, 1, tzinfo=UTC)


def signed64(value: int) -> int:
    """A number of 64 bits, read as Go reads an ``int64``."""
    return value - (1 << 64) if value >= 1 << 63 else value


def signed32(value: int) -> int:
    """A number of 64 bits, read as Go reads an ``int32``: the rest is cut off."""
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def text(data: bytes, position: int, end: int, depth: int) -> str:
    """A string; what is not UTF-8 is replaced, as when Go writes it as JSON."""
    return data[position:end].decode("utf-8", "replace")


def blob(data: bytes, position: int, end: int, depth: int) -> bytes:
    """Bytes."""
    return data[position:end]


def scan(data: bytes, position: int, end: int, message: str, wires: dict[int, int]) -> dict[int, Any]:
    """The known fields of a small message: numbers as they are, the rest as bytes; the last occurrence counts."""
    found: dict[int, Any] = {}
    while position < end:
        tag, position = varint(data, position, end)
        number, wire = tag >> 3, tag & 7
        expected = wires.get(number)
        if expected is None:
            position = skip(data, tag, position, end, message)
        elif wire != expected:
            raise WireError(f"proto: wrong wireType = {wire} for field {number} of {message}")
        elif wire == VARINT:
            found[number], position = varint(data, position, end)
        else:
            start, position = length(data, position, end)
            found[number] = data[start:position]
    return found


_STAMP = {1: VARINT, 2: VARINT}


def time(data: bytes, position: int, end: int, depth: int) -> datetime | None:
    """``meta/v1.Time``, which has no fractions; nothing where it is Go's zero."""
    return _instant(scan(data, position, end, "Timestamp", _STAMP), 0) if position < end else None


def micro_time(data: bytes, position: int, end: int, depth: int) -> datetime | None:
    """``meta/v1.MicroTime``; nothing where it is Go's zero."""
    if position == end:
        return None
    stamp = scan(data, position, end, "Timestamp", _STAMP)
    return _instant(stamp, signed32(stamp.get(2, 0)) // 1000)


def _instant(stamp: dict[int, Any], microseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=signed64(stamp.get(1, 0)), microseconds=microseconds)
    except OverflowError:
        raise WireError("Time.MarshalJSON: year outside of range [0,9999]") from None


def quantity(data: bytes, position: int, end: int, depth: int) -> str:
    """``resource.Quantity``, as its text."""
    found = scan(data, position, end, "Quantity", {1: BYTES})
    return found[1].decode("utf-8", "replace") if 1 in found else "0"


def int_or_string(data: bytes, position: int, end: int, depth: int) -> int | str:
    """``intstr.IntOrString``."""
    found = scan(data, position, end, "IntOrString", {1: VARINT, 2: VARINT, 3: BYTES})
    match signed64(found.get(1, 0)):
        case 0:
            return signed32(found.get(2, 0))
        case 1:
            return str(found.get(3, b""), "utf-8", "replace")
        case _:
            raise WireError("impossible IntOrString.Type")


def items(data: bytes, position: int, end: int, depth: int) -> list[str]:
    """A list of strings that is a message of its own, such as ``ExtraValue``."""
    found = []
    while position < end:
        tag, position = varint(data, position, end)
        if tag == 1 << 3 | BYTES:
            start, position = length(data, position, end)
            found.append(text(data, start, position, depth))
        elif tag >> 3 == 1:
            raise WireError(f"proto: wrong wireType = {tag & 7} for field Items")
        else:
            position = skip(data, tag, position, end, "Items")
    return found


def json(data: bytes, position: int, end: int, depth: int) -> Any:
    """Free data, JSON in field 1: ``RawExtension``, ``FieldsV1``, ``JSON``."""
    raw = scan(data, position, end, "RawExtension", {1: BYTES}).get(1, b"")
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise WireError("embedded data is not JSON") from None


def raw_object(data: bytes, position: int, end: int, depth: int) -> msgspec.Raw | None:
    """Free data that is an object, kept as JSON."""
    value = json_object(data, position, end, depth)
    return msgspec.Raw(msgspec.json.encode(value)) if value is not None else None


def json_object(data: bytes, position: int, end: int, depth: int) -> dict[str, Any] | None:
    """Free data that is an object."""
    value = json(data, position, end, depth)
    if value is not None and not isinstance(value, dict):
        raise WireError("embedded data is not a JSON object")
    return value
