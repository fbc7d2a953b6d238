"""Messages into API objects: one decoder for each struct type, put together once from the type and its field numbers.

A decoder is a table from a field's whole tag (number and wire type) to the step that stores its value, so that the
loop over a message looks up one number for each field.  What is not in the table is a field of a later version, which
is skipped, or a known number with a wrong wire type, which is an error.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import msgspec

from steersman.api.bounds import MOST_OBJECTS, too_much
from steersman.api.shapes import Member, Shape, struct_shape
from steersman.api.types.scalars import APIStruct

from . import values
from .fields import Field, message_of, table
from .reader import BYTES, FIXED64, MAX_DEPTH, UNEXPECTED_END, VARINT, WireError, length, skip, varint

Reader: TypeAlias = Callable[[bytes, int, int, int], Any]
"""``(data, start, end, depth)`` to the value of a length-delimited field."""

Step: TypeAlias = Callable[[Any, bytes, int, int, int], int]
"""Stores one field: ``(object, data, position behind the tag, end, depth)`` to the position behind the field."""

_double = struct.Struct("<d")


class Counted(bytes):
    """A message that knows how many messages in it were read: each takes two bytes there, and hundreds as an object."""

    _count = 0

    def took_one(self) -> None:
        """Another one; raises a 413 when there are too many."""
        self._count += 1
        if self._count > MOST_OBJECTS:
            raise too_much()


class MessageDecoder:
    """Reads the messages that are objects of one struct type, fields of inlined messages included."""

    def __init__(self, type_: type[APIStruct], fields: tuple[Field, ...]) -> None:
        self.type = type_
        self._fields = fields
        self._steps: dict[int, Step] = {}
        self._names: dict[int, str] = {}

    def compile(self) -> None:
        """Fill in the steps; apart from construction because types refer to themselves."""
        members = struct_shape(self.type).members
        for field in self._fields:
            self._names[field.number] = field.inlined or field.name
            if field.inlined:
                self._steps[field.number << 3 | BYTES] = _inlined(self._part(field.inlined))
            elif (member := members.get(field.name)) is not None:
                self._steps.update(_steps(field, member))

    def _part(self, message: str) -> MessageDecoder:
        part = MessageDecoder(self.type, table(self.type.__module__.rpartition(".")[2])[message])
        part.compile()
        return part

    def fill(self, obj: Any, data: bytes, position: int, end: int, depth: int) -> None:
        """Store the fields between two positions in an object; raises WireError."""
        if depth > MAX_DEPTH:
            raise WireError("proto: exceeded max depth")
        steps = self._steps
        while position < end:
            tag = data[position]
            if tag < 0x80:
                position += 1
            else:
                tag, position = varint(data, position, end)
            step = steps.get(tag)
            if step is not None:
                position = step(obj, data, position, end, depth)
            elif (name := self._names.get(tag >> 3)) is not None:
                go_name = name[:1].upper() + name[1:]
                raise WireError(f"proto: wrong wireType = {tag & 7} for field {go_name}")
            else:
                position = skip(data, tag, position, end, self.type.__name__)

    def read(self, data: bytes, position: int, end: int, depth: int) -> Any:
        """A new object from a message."""
        if isinstance(data, Counted):
            data.took_one()
        obj = self.type()
        self.fill(obj, data, position, end, depth + 1)
        return obj


def decoder(type_: type[APIStruct]) -> MessageDecoder | None:
    """The decoder of a struct type; None where its field numbers are not known."""
    # Types of custom resources, which come and go, are not remembered.
    return _known(type_) if message_of(type_) is not None else None


@cache
def _known(type_: type[APIStruct]) -> MessageDecoder:
    result = MessageDecoder(type_, message_of(type_) or ())
    result.compile()
    return result


class _Lazy:
    """The decoder of a type, found when it is first needed: types are recursive."""

    def __init__(self, type_: type[APIStruct]) -> None:
        self._type = type_
        self._decoder: MessageDecoder | None = None

    def get(self) -> MessageDecoder:
        if self._decoder is None:
            self._decoder = decoder(self._type)
            if self._decoder is None:
                raise WireError(f"no protobuf definition of {self._type.__name__}")
        return self._decoder

    def read(self, data: bytes, position: int, end: int, depth: int) -> Any:
        return self.get().read(data, position, end, depth)


def _steps(field: Field, member: Member) -> dict[int, Step]:
    """The steps of one field, by tag; numbers may come one by one or packed."""
    shape, attribute = member.shape, member.attribute
    varint_tag, bytes_tag = field.number << 3 | VARINT, field.number << 3 | BYTES
    if field.form == "items" and shape.kind == "list":
        return {bytes_tag: _store(attribute, values.items)}
    if shape.kind == "list":
        assert shape.item is not None
        if shape.item.kind in ("integer", "boolean"):
            convert = _number(shape.item)
            return {varint_tag: _append_number(attribute, convert), bytes_tag: _extend_packed(attribute, convert)}
        return {bytes_tag: _append(attribute, _element(shape.item, ""))}
    if shape.kind == "map":
        assert shape.item is not None
        return {bytes_tag: _put(attribute, _element(shape.item, field.form))}
    if field.form == "schema-or-strings":  # a map of free data, whose values are not free here
        return {bytes_tag: _put(attribute, _reader(shape, field.form))}
    if shape.kind in ("integer", "boolean"):
        return {varint_tag: _store_number(attribute, _number(shape), field.zero_is_absent)}
    if shape.kind == "number":
        return {field.number << 3 | FIXED64: _store_double(attribute)}
    if shape.kind == "struct":
        assert shape.struct is not None
        return {bytes_tag: _merge(attribute, shape.struct)}
    return {bytes_tag: _store(attribute, _reader(shape, field.form), field.zero_is_absent)}


def _reader(shape: Shape, form: str) -> Reader:
    """How a length-delimited value of a shape is read."""
    if form:
        return {"items": values.items, **_SCHEMA_UNIONS}[form]
    match shape.kind:
        case "struct":
            assert shape.struct is not None
            return _Lazy(shape.struct).read
        case "bytes":
            return values.blob
        case "time":
            return values.micro_time if shape.format == "micro-time" else values.time
        case "quantity":
            return values.quantity
        case "int-or-string":
            return values.int_or_string
        case "any":
            return {"object": values.json_object, "raw": values.raw_object}.get(shape.format, values.json)
        case "list" if shape.item is not None and shape.item.kind == "string":
            return values.items
        case "string":
            return values.text
    raise LookupError(f"no protobuf form of {shape.kind}")


def _element(shape: Shape, form: str) -> Reader:
    """How an element of a list or a map is read, which cannot be absent: what is nothing elsewhere is a zero here."""
    read = _reader(shape, form)
    zero: Callable[[], Any]
    if shape.kind == "time":
        zero = values.year_one
    elif shape.kind == "any" and shape.format == "object":
        zero = dict
    else:
        return read

    def element(data: bytes, start: int, end: int, depth: int) -> Any:
        value = read(data, start, end, depth)
        return zero() if value is None else value

    return element


def _number(shape: Shape) -> Callable[[int], Any]:
    if shape.kind == "boolean":
        return bool
    return values.signed32 if shape.format == "int32" else values.signed64


def _store(attribute: str, read: Reader, zero_is_absent: bool = False) -> Step:
    def step(obj: Any, data: bytes, position: int, end: int, depth: int) -> int:
        start, stop = length(data, position, end)
        value = read(data, start, stop, depth)
        if value is not None and (value or not zero_is_absent):
            setattr(obj, attribute, value)
        return stop

    return step


def _store_number(attribute: str, convert: Callable[[int], Any], zero_is_absent: bool) -> Step:
    def step(obj: Any, data: bytes, position: int, end: int, depth: int) -> int:
        raw, position = varint(data, position, end)
        value = convert(raw)
        setattr(obj, attribute, value if value or not zero_is_absent else None)
        return position

    return step


def _store_double(attribute: str) -> Step:
    def step(obj: Any, data: bytes, position: int, end: int, depth: int) -> int:
        stop = position + 8
        if stop > end:
            raise WireError(UNEXPECTED_END)
        value = _double.unpack_from(data, position)[0]
        if value - value != 0:
            raise WireError("json: unsupported value: not a finite number")
        setattr(obj, attribute, value)
        return stop

    return step


def _merge(attribute: str, type_: type[APIStruct]) -> Step:
    """A message field that occurs again adds to what it said before."""
    lazy = _Lazy(type_)

    def step(obj: Any, data: bytes, position: int, end: int, depth: int) -> int:
        start, stop = length(data, position, end)
        target = getattr(obj, attribute)
        if target is None:
            target = type_()
            setattr(obj, attribute, target)
        lazy.get().fill(target, data, start, stop, depth + 1)
        return stop

    return step


def _inlined(part: MessageDecoder) -> Step:
    def step(obj: Any, data: bytes, position: int, end: int, depth: int) -> int:
        start, stop = length(data, position, end)
        part.fill(obj, data, start, stop, depth + 1)
        return stop

    return step


def _elements(obj: Any, attribute: str) -> list[Any]:
    result: list[Any] | None = getattr(obj, attribute)
    if result is None:
        result = []
        setattr(obj, attribute, result)
    return result


def _append(attribute: str, read: Reader) -> Step:
    def step(obj: Any, data: bytes, position: int, end: int, depth: int) -> int:
        start, stop = length(data, position, end)
        _elements(obj, attribute).append(read(data, start, stop, depth))
        return stop

    return step


def _append_number(attribute: str, convert: Callable[[int], Any]) -> Step:
    def step(obj: Any, data: bytes, position: int, end: int, depth: int) -> int:
        raw, position = varint(data, position, end)
        _elements(obj, attribute).append(convert(raw))
        return position

    return step


def _extend_packed(attribute: str, convert: Callable[[int], Any]) -> Step:
    def step(obj: Any, data: bytes, position: int, end: int, depth: int) -> int:
        position, stop = length(data, position, end)
        elements = _elements(obj, attribute)
        while position < stop:
            raw, position = varint(data, position, stop)
            elements.append(convert(raw))
        return stop

    return step


_KEY, _VALUE = 1 << 3 | BYTES, 2 << 3 | BYTES


def _put(attribute: str, read: Reader) -> Step:
    """A map is repeated entries of a key and a value; either may be absent, which is its zero."""

    def step(obj: Any, data: bytes, position: int, end: int, depth: int) -> int:
        position, stop = length(data, position, end)
        key, start, value_end = "", stop, stop
        while position < stop:
            tag, position = varint(data, position, stop)
            if tag == _KEY:
                begin, position = length(data, position, stop)
                key = values.text(data, begin, position, depth)
            elif tag == _VALUE:
                start, position = length(data, position, stop)
                value_end = position
            elif tag & 7 == VARINT and tag >> 3 in (1, 2):
                raise WireError(f"proto: wrong wireType = 0 for field {attribute}")
            else:
                position = skip(data, tag, position, stop, attribute)
        entries = getattr(obj, attribute)
        if entries is None:
            entries = {}
            setattr(obj, attribute, entries)
        entries[key] = read(data, start, value_end, depth)
        return stop

    return step


# -- the unions of JSON schemas, which are free data in our types ----------------------------------------------------


def _schema(data: bytes, start: int, end: int, depth: int) -> Any:
    from steersman.api.types.apiextensions_v1 import JSONSchemaProps

    found = decoder(JSONSchemaProps)
    assert found is not None
    return msgspec.to_builtins(found.read(data, start, end, depth))


def _union(number: int, repeated: int, read: Reader, wire: int) -> Reader:
    """A message of a schema or something else, with the wire type of the latter; which counts is as in Go's JSON."""

    def union(data: bytes, position: int, end: int, depth: int) -> Any:
        single: Any = None
        many: list[Any] = []
        while position < end:
            tag, position = varint(data, position, end)
            if tag == number << 3 | BYTES:
                start, position = length(data, position, end)
                single = _schema(data, start, position, depth + 1)
            elif tag == repeated << 3 | wire:
                if wire == VARINT:
                    raw, position = varint(data, position, end)
                    many.append(bool(raw))
                else:
                    start, position = length(data, position, end)
                    many.append(read(data, start, position, depth + 1))
            elif tag >> 3 in (number, repeated):
                raise WireError(f"proto: wrong wireType = {tag & 7} for field Schema")
            else:
                position = skip(data, tag, position, end, "JSONSchemaProps")
        if wire == VARINT:
            return single if single is not None else bool(many and many[-1])
        return many or single

    return union


_SCHEMA_UNIONS: dict[str, Reader] = {
    "schema-or-bool": _union(2, 1, values.text, VARINT),
    "schema-or-array": _union(1, 2, _schema, BYTES),
    "schema-or-strings": _union(1, 2, values.text, BYTES),
}
