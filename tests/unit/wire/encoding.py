"""A plain protobuf encoder, and objects in which every member is set: what the decoder's tests feed it."""

import json
import struct
from datetime import UTC, datetime
from typing import Any

import msgspec

from steersman.api.shapes import Shape, struct_shape
from steersman.api.types.apiextensions_v1 import JSONSchemaProps
from steersman.api.types.scalars import APIStruct
from steersman.api.wire.fields import Field, message_of, table


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*result, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, data: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(data)) + data


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    """An object's message in its envelope, as Go writes it."""
    identity = block(1, api_version.encode()) + block(2, kind.encode())
    return b"k8s\0" + block(1, identity) + block(2, raw) + block(3, b"") + block(4, b"")


def message(obj: APIStruct, fields: tuple[Field, ...] | None = None) -> bytes:
    """The message of an object."""
    type_ = type(obj)
    if fields is None:
        fields = message_of(type_)
        assert fields is not None, type_
    members = struct_shape(type_).members
    result = b""
    for field in fields:
        if field.inlined:
            part = table(type_.__module__.rpartition(".")[2])[field.inlined]
            result += block(field.number, message(obj, part))
        elif field.name in members:
            member = members[field.name]
            result += _field(field, member.shape, getattr(obj, member.attribute))
    return result


def _field(field: Field, shape: Shape, value: Any) -> bytes:
    if value is None:
        return b""
    if field.form == "items" and shape.kind == "list":
        return block(field.number, _items(value))
    if shape.kind == "list":
        assert shape.item is not None
        if shape.item.kind in ("integer", "boolean"):
            return b"".join(number(field.number, item) for item in value)
        return b"".join(block(field.number, _value(shape.item, item, "")) for item in value)
    if shape.kind == "map" or field.form == "schema-or-strings":
        return b"".join(
            block(field.number, block(1, key.encode()) + block(2, _value(shape.item or shape, item, field.form)))
            for key, item in value.items()
        )
    if shape.kind in ("integer", "boolean"):
        return number(field.number, value)
    if shape.kind == "number":
        return varint(field.number << 3 | 1) + struct.pack("<d", value)
    return block(field.number, _value(shape, value, field.form))


def _items(values: list[str]) -> bytes:
    return b"".join(block(1, value.encode()) for value in values)


def _value(shape: Shape, value: Any, form: str) -> bytes:
    if form == "items":
        return _items(value)
    if form == "schema-or-bool":
        return number(1, value) if isinstance(value, bool) else number(1, 1) + block(2, _schema(value))
    if form == "schema-or-array":
        return (
            b"".join(block(2, _schema(each)) for each in value) if isinstance(value, list) else block(1, _schema(value))
        )
    if form == "schema-or-strings":
        return (
            b"".join(block(2, each.encode()) for each in value) if isinstance(value, list) else block(1, _schema(value))
        )
    match shape.kind:
        case "struct":
            return message(value)
        case "string":
            return value.encode()  # type: ignore[no-any-return]
        case "bytes":
            return value  # type: ignore[no-any-return]
        case "time":
            return number(1, int(value.timestamp())) + number(2, value.microsecond * 1000)
        case "quantity":
            return block(1, value.encode())
        case "int-or-string":
            return (
                number(1, 0) + number(2, value) if isinstance(value, int) else number(1, 1) + block(3, value.encode())
            )
        case "any":
            return block(1, bytes(value) if shape.format == "raw" else json.dumps(value).encode())
    raise AssertionError(shape.kind)


def _schema(tree: dict[str, Any]) -> bytes:
    return message(msgspec.convert(tree, JSONSchemaProps))


def filled(type_: type[APIStruct], inside: tuple[type, ...] = ()) -> Any:
    """An object in which every member has a value that is not its zero; types inside themselves stay as they are."""
    fields = {field.name: field for field in every_field(type_, message_of(type_) or ())}
    values = {}
    for member in struct_shape(type_).members.values():
        if member.name in fields:
            value = _sample(member.shape, fields[member.name].form, (*inside, type_))
            if value is not None:
                values[member.attribute] = value
    return type_(**values)


def every_field(type_: type[APIStruct], fields: tuple[Field, ...]) -> list[Field]:
    found = []
    for field in fields:
        if field.inlined:
            found += every_field(type_, table(type_.__module__.rpartition(".")[2])[field.inlined])
        else:
            found.append(field)
    return found


def _sample(shape: Shape, form: str, inside: tuple[type, ...]) -> Any:
    if form == "schema-or-bool":
        return {"type": "string"}
    if form == "schema-or-array":
        return [{"type": "string"}, {"type": "integer", "maximum": 2.5}]
    if form == "schema-or-strings":
        return {"a": ["x", "y"], "b": {"type": "string"}}
    match shape.kind:
        case "struct":
            assert shape.struct is not None
            return None if shape.struct in inside else filled(shape.struct, inside)
        case "list":
            assert shape.item is not None
            item = _sample(shape.item, "", inside)
            return None if item is None else [item, item]
        case "map":
            assert shape.item is not None
            item = _sample(shape.item, "", inside)
            return None if item is None else {"k": item, "": item}
        case "string":
            return "text-ä"
        case "bytes":
            return b"\0\xff"
        case "boolean":
            return True
        case "integer":
            return -3
        case "number":
            return 1.5
        case "quantity":
            return "1500m"
        case "int-or-string":
            return "50%"
        case "time":
            return datetime(2026, 1, 2, 3, 4, 5, 6000 if shape.format == "micro-time" else 0, tzinfo=UTC)
        case "any":
            return msgspec.Raw(b'{"free":[]}') if shape.format == "raw" else {"free": [1, None, "x"]}
    raise AssertionError(shape.kind)
