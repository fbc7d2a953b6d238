"""An OpenAPI v2 document in gnostic's protobuf form (``openapi.v2.Document``), which client-go asks for.

Only what our documents contain is written, of other servers' too.  The numbers are the fields of gnostic's
``OpenAPIv2.proto``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from .documents import SECURITY, TITLE
from .writer import Piece


def _varint(number: int) -> bytes:
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode()) if value else b""


def _texts(number: int, values: Iterable[str]) -> bytes:
    return b"".join(_bytes(number, value.encode()) for value in values)


def _flag(number: int, value: bool) -> bytes:
    return _varint(number << 3) + b"\x01" if value else b""


def _any(value: Any) -> bytes:
    return _bytes(2, msgspec.json.encode(value))


def _extensions(number: int, schema: Mapping[str, Any]) -> bytes:
    return b"".join(
        _bytes(number, _text(1, name) + _bytes(2, _any(value)))
        for name, value in schema.items()
        if name.startswith("x-")
    )


def _named(number: int, values: Mapping[str, bytes]) -> bytes:
    return b"".join(_bytes(number, _text(1, name) + _bytes(2, value)) for name, value in values.items())


def _schema(schema: Mapping[str, Any]) -> bytes:
    parts = [
        _text(1, schema.get("$ref", "")),
        _text(2, schema.get("format", "")),
        _text(4, schema.get("description", "")),
        _texts(19, schema.get("required", ())),
    ]
    if (additional := schema.get("additionalProperties")) is not None:
        # Whether there may be any at all is the second of its forms.
        form = b"\x10" + bytes([additional]) if isinstance(additional, bool) else _bytes(1, _schema(additional))
        parts.append(_bytes(21, form))
    if type_ := schema.get("type"):
        parts.append(_bytes(22, _texts(1, [type_] if isinstance(type_, str) else type_)))
    if (items := schema.get("items")) is not None:
        parts.append(_bytes(23, _bytes(1, _schema(items))))
    if properties := schema.get("properties"):
        encoded = {name: _schema(member) for name, member in properties.items()}
        parts.append(_bytes(25, _named(1, encoded)))
    parts.append(_extensions(31, schema))
    return b"".join(parts)


def _item(parameter: Mapping[str, Any]) -> bytes:
    """A parameter where it is used: itself, or a reference to a shared one."""
    if reference := parameter.get("$ref"):
        return _bytes(2, _text(1, reference))
    return _bytes(1, _parameter(parameter))


def _parameter(parameter: Mapping[str, Any]) -> bytes:
    place = parameter["in"]
    if place == "body":
        body = _text(2, parameter["name"]) + _text(3, place) + _flag(4, parameter.get("required", False))
        return _bytes(1, body + _bytes(5, _schema(parameter["schema"])))
    common = _flag(1, parameter.get("required", False)) + _text(2, place) + _text(4, parameter["name"])
    if place == "query":
        inner = _bytes(3, common + _text(6, parameter["type"]))
    else:
        inner = _bytes(4, common + _text(5, parameter["type"]))
    return _bytes(2, inner)


def _response(response: Mapping[str, Any]) -> bytes:
    body = _text(1, response.get("description", ""))
    if "schema" in response:
        body += _bytes(2, _bytes(1, _schema(response["schema"])))
    return _bytes(1, body)


def _operation(operation: Mapping[str, Any]) -> bytes:
    responses = {code: _response(response) for code, response in operation.get("responses", {}).items()}
    return b"".join(
        (
            _texts(1, operation.get("tags", ())),
            _text(5, operation.get("operationId", "")),
            _texts(6, operation.get("produces", ())),
            _texts(7, operation.get("consumes", ())),
            b"".join(_bytes(8, _item(parameter)) for parameter in operation.get("parameters", ())),
            _bytes(9, _named(1, responses)),
            _texts(10, operation.get("schemes", ())),
            _extensions(13, operation),
        )
    )


def _api_key(scheme: Mapping[str, str]) -> bytes:
    return b"".join(_text(number, scheme[name]) for number, name in enumerate(("type", "name", "in"), 1))


_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}


def _path_item(item: Mapping[str, Any]) -> bytes:
    parts = [_bytes(number, _operation(item[name])) for name, number in _METHODS.items() if name in item]
    parts += [_bytes(9, _item(parameter)) for parameter in item.get("parameters", ())]
    return b"".join(parts)


class ProtobufDocument:
    """Collects a version 2 document as protobuf."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._paths: dict[str, bytes] = {}
        self._definitions: dict[str, bytes] = {}
        self._parameters: dict[str, bytes] = {}

    def add(self, piece: Piece) -> None:
        """Write a piece."""
        match piece.section:
            case "paths":
                self._paths[piece.name] = _path_item(piece.value)
            case "definitions":
                self._definitions[piece.name] = _schema(piece.value)
            case "parameters":
                self._parameters[piece.name] = _parameter(piece.value)

    def finish(self) -> bytes:
        """The whole."""
        schemes = {name: _bytes(2, _api_key(scheme)) for name, scheme in SECURITY.items()}
        return b"".join(
            (
                _text(1, "2.0"),
                _bytes(2, _text(1, TITLE) + _text(2, self._version)),
                _bytes(8, _named(2, dict(sorted(self._paths.items())))),
                _bytes(9, _named(1, dict(sorted(self._definitions.items())))),
                _bytes(10, _named(1, dict(sorted(self._parameters.items())))),
                _bytes(12, _named(1, dict.fromkeys(SECURITY, b""))),
                _bytes(13, _named(1, schemes)),
            )
        )
