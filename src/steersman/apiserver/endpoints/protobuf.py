r"""Request bodies in Kubernetes's protobuf, which Go clients such as ``kubectl`` since 1.32 send: read into JSON.

A body is the four bytes ``k8s\0`` and a ``runtime.Unknown`` around the object.  Answers are never protobuf: those
clients also accept JSON.  The numbers of the fields are in ``protobuf_fields.json``; fields that it does not know are
dropped, as upstream drops fields of versions newer than itself.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from steersman.api.errors import bad_request

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_META = "k8s.io.apimachinery.pkg.apis.meta.v1."
_MAX_DEPTH = 100

_POINTER_NAMES = (
    "activeDeadlineSeconds averageUtilization backoffLimit backoffLimitPerIndex completions defaultMode "
    "deletionGracePeriodSeconds expirationSeconds failedJobsHistoryLimit fsGroup gracePeriodSeconds "
    "maxFailedIndexes maxRetries minReplicas mode nodeExpireSeconds parallelism partition priority "
    "progressDeadlineSeconds replicas revisionHistoryLimit runAsGroup runAsUser secondsAfterFinished "
    "seconds stabilizationWindowSeconds startingDeadlineSeconds successfulJobsHistoryLimit "
    "targetCPUUtilizationPercentage terminationGracePeriodSeconds timeoutSeconds tolerationSeconds "
    "ttlSecondsAfterFinished value weight "
)
_POINTERS = frozenset(_POINTER_NAMES.split())
"""Integers whose zero says something; a zero elsewhere says that the field was not set."""


class _Malformed(ValueError):
    """The bytes are no message of the type."""


@cache
def _fields() -> dict[str, dict[int, tuple[str, str]]]:
    text = resources.files(__package__).joinpath("protobuf_fields.json").read_bytes()
    table: dict[str, list[tuple[int, str, str]]] = msgspec.json.decode(text, type=dict[str, list[tuple[int, str, str]]])
    return {name: {number: (field, code) for number, field, code in rows} for name, rows in table.items()}


def to_json(body: bytes) -> bytes:
    """The object of a protobuf body as JSON; raises 400."""
    if not body.startswith(_MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        kind, version, raw = "", "", b""
        for number, value in _wire(body[4:]):
            if number == 1 and isinstance(value, bytes):
                header = dict(_wire(value))
                version, kind = _text(header.get(1)), _text(header.get(2))
            elif number == 2 and isinstance(value, bytes):
                raw = value
        name = message_name(version, kind)
        if name not in _fields():
            raise bad_request(f'no kind "{kind}" is registered for version "{version}" in protobuf here')
        return msgspec.json.encode({"kind": kind, "apiVersion": version, **_message(name, raw, 0)})
    except _Malformed as error:
        raise bad_request(f"the protobuf body cannot be read: {error}") from error


def message_name(api_version: str, kind: str) -> str:
    """The protobuf message of a kind."""
    if kind.endswith("Options") and kind in ("DeleteOptions", "ListOptions", "GetOptions"):
        return _META + kind
    group, _, version = api_version.rpartition("/")
    return f"k8s.io.api.{(group or 'core').partition('.')[0]}.{version}.{kind}"


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise _Malformed("truncated number")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return result, position
        shift += 7


def _wire(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        value: int | bytes
        if kind == 0:
            value, position = _varint(data, position)
        else:
            if kind == 2:
                length, position = _varint(data, position)
            elif kind in (1, 5):
                length = 8 if kind == 1 else 4
            else:
                raise _Malformed(f"wire type {kind}")
            value = data[position : position + length]
            if len(value) < length:
                raise _Malformed("truncated field")
            position += length
        yield key >> 3, value


def _text(value: int | bytes | None) -> str:
    if not isinstance(value, bytes):
        return ""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise _Malformed("text is not UTF-8") from error


def _message(name: str, data: bytes, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise _Malformed("nested too deeply")
    fields = _fields().get(name, {})
    result: dict[str, Any] = {}
    for number, value in _wire(data):
        if (found := fields.get(number)) is None:
            continue
        field, code = found
        if code[0] == "~":
            inlined = _value(code[1:], value, depth)
            if isinstance(inlined, dict):
                result.update(inlined)
        elif code[0] == "*":
            result.setdefault(field, []).extend(_elements(code[1:], value, depth))
        elif code[0] == "%":
            if not isinstance(value, bytes):
                raise _Malformed(f"{field} is no map")
            entry = dict(_wire(value))
            empty: int | bytes = 0 if code[1:] in ("i", "B") else b""
            result.setdefault(field, {})[_text(entry.get(1))] = _value(code[1:], entry.get(2, empty), depth)
        else:
            converted = _value(code, value, depth)
            if converted is None or converted == "" or (field == "targetPort" and converted == 0):
                continue
            if code == "i" and converted == 0 and field not in _POINTERS:
                continue
            result[field] = converted
    return result


def _elements(code: str, value: int | bytes, depth: int) -> list[Any]:
    if code in ("i", "B") and isinstance(value, bytes):  # packed
        elements, position = [], 0
        while position < len(value):
            element, position = _varint(value, position)
            elements.append(_value(code, element, depth))
        return elements
    return [_value(code, value, depth)]


def _value(code: str, value: int | bytes, depth: int) -> Any:
    if isinstance(value, int):
        if code == "B":
            return bool(value)
        if code == "i":
            return value - (1 << 64) if value >= 1 << 63 else value
        raise _Malformed("a number where none belongs")
    if code == "s":
        return _text(value)
    if code == "b":
        return base64.b64encode(value).decode()
    if code == "d":
        if len(value) != 8:
            raise _Malformed("a number of another size")
        return struct.unpack("<d", value)[0]
    if code in ("i", "B"):
        raise _Malformed("bytes where a number belongs")
    return _structure(code, value, depth)


def _structure(code: str, value: bytes, depth: int) -> Any:
    short = code.rpartition(".")[2]
    if code in (_META + "Time", _META + "MicroTime"):
        if not value:
            return None
        parts = dict(_wire(value))
        try:
            seconds, nanos = _value("i", parts.get(1, 0), depth), _value("i", parts.get(2, 0), depth)
            instant = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
        except (OverflowError, ValueError, OSError) as error:
            raise _Malformed("time out of range") from error
        if short == "Time":
            return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
        return instant.strftime("%Y-%m-%dT%H:%M:%S") + f".{nanos // 1000:06d}Z"
    if short == "Quantity":
        return _text(dict(_wire(value)).get(1))
    if short == "IntOrString":
        parts = dict(_wire(value))
        return _text(parts.get(3)) if parts.get(1) else _value("i", parts.get(2, 0), depth)
    if short in ("RawExtension", "FieldsV1", "JSON"):
        raw = dict(_wire(value)).get(1, b"")
        try:
            return msgspec.json.decode(raw) if isinstance(raw, bytes) and raw else None
        except msgspec.DecodeError as error:
            raise _Malformed("embedded JSON") from error
    if short in ("ExtraValue", "Verbs"):
        return [_text(item) for _, item in _wire(value)]
    return _message(code, value, depth + 1)
