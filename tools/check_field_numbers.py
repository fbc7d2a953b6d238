"""Compare the protobuf field numbers of ``steersman.api.wire`` with those in a Go program built with Kubernetes's API.

Go keeps the types of a program in it, with the tags of their fields, which name the number::

    python tools/check_field_numbers.py /usr/bin/kubectl

prints, for every message that our types and the program share, the fields in which they differ: ``-`` for what only
our tables have (fields of versions newer than the program), ``+`` for what only the program has.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from steersman.api.resources import TABLE
from steersman.api.shapes import struct_shape
from steersman.api.wire.fields import Field, table

SCALARS = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 24}
"""Go's kinds that are no pointers: booleans, numbers, strings."""

STRUCT = 25


class GoField(NamedTuple):
    """A field of a Go struct: its tag, whether it is a plain scalar, and the name of its type."""

    tag: str
    scalar: bool
    type: str


class Program:
    """The types in an ELF program for 64-bit little-endian machines."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        start, size, count, names = struct.unpack_from("<Q10xHHH", data, 40)
        headers = [struct.unpack_from("<IIQQQQ", data, start + index * size) for index in range(count)]
        strings = headers[names][4]
        for name, _, _, address, offset, length in headers:
            begin = strings + name
            if data[begin : data.index(b"\0", begin)] == b".rodata":
                self._address, self._offset, self._length = int(address), int(offset), int(length)

    def messages(self) -> Iterator[tuple[str, str, list[GoField]]]:
        """Package, name and fields of every struct with protobuf tags."""
        data = self._data
        for position in range(self._offset, self._offset + self._length - 96, 8):
            if data[position + 23] & 31 != STRUCT or not data[position + 20] & 1:
                continue
            fields, count, capacity = struct.unpack_from("<QQQ", data, position + 56)
            if count != capacity or not 0 < count < 200 or not self._inside(fields):
                continue
            try:
                found = [self._field(self._at(fields) + 24 * index) for index in range(count)]
                package = self._text(self._address + struct.unpack_from("<i", data, position + 80)[0])[0]
                name = self._type_name(position)
            except (IndexError, ValueError, struct.error):
                continue
            if any('protobuf:"' in field.tag for field in found):
                yield package, name, found

    def _inside(self, address: int) -> bool:
        return self._address <= address < self._address + self._length

    def _at(self, address: int) -> int:
        if not self._inside(address):
            raise ValueError(address)
        return self._offset + address - self._address

    def _field(self, position: int) -> GoField:
        name, type_ = struct.unpack_from("<QQ", self._data, position)
        kind = self._data[self._at(type_) + 23] & 31
        return GoField(self._text(name)[1], kind in SCALARS, self._type_name(self._at(type_)))

    def _type_name(self, position: int) -> str:
        offset = struct.unpack_from("<i", self._data, position + 40)[0]
        return self._text(self._address + offset)[0].rpartition(".")[2]

    def _text(self, address: int) -> tuple[str, str]:
        """A name and its tag."""
        position = self._at(address)
        flags, parts = self._data[position], []
        position += 1
        for _ in range(2 if flags & 2 else 1):
            length = shift = 0
            while True:
                byte = self._data[position]
                position += 1
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            parts.append(self._data[position : position + length].decode())
            position += length
        return parts[0], parts[1] if len(parts) > 1 else ""


def numbers(fields: list[GoField]) -> set[str]:
    """The fields of a Go struct as our tables write them."""
    found = set()
    for field in fields:
        name = re.search(r'json:"([^,"]*)', field.tag)
        number = re.search(r'protobuf:"\w+,(\d+)', field.tag)
        if name is not None and number is not None:
            found.add(f"{name[1] or '~' + field.type}={number[1]}")
    return found


def ours(fields: tuple[Field, ...]) -> set[str]:
    """The same of one of our tables, without its marks."""
    return {f"{field.name or '~' + field.inlined}={field.number}" for field in fields}


def zero_faults(module: str, message: str, fields: list[GoField], known: tuple[Field, ...]) -> Iterator[str]:
    """Scalars whose ``?`` is missing, or should not be there."""
    types = vars(__import__(f"steersman.api.types.{module}", fromlist=[module]))
    if message not in types:
        return
    members = struct_shape(types[message]).members
    scalars = {match[1]: field.scalar for field in fields if (match := re.search(r'json:"([^,"]+)', field.tag))}
    for field in known:
        member = members.get(field.name)
        if member is None or member.shape.kind not in ("integer", "boolean", "number", "string"):
            continue
        if field.name in scalars and field.zero_is_absent != (member.shape.nullable and scalars[field.name]):
            yield f"? {module}.{message}.{field.name}"


def main() -> None:
    """Compare with the program named on the command line."""
    modules = {resource.module for resource in TABLE if resource.served} | {"meta_v1", "autoscaling_v1"}
    shared = 0
    for package, message, fields in Program(Path(sys.argv[1]).read_bytes()).messages():
        match = re.fullmatch(r"k8s\.io/.*/(\w+)/(v\w+)", package)
        module = f"{match[1]}_{match[2]}" if match else ""
        known = table(module).get(message) if module in modules else None
        if known is None:
            continue
        shared += 1
        theirs, mine = numbers(fields), ours(known)
        for sign, difference in (("-", mine - theirs), ("+", theirs - mine)):
            for entry in sorted(difference):
                print(sign, f"{module}.{message}", entry)
        for fault in zero_faults(module, message, fields, known):
            print(fault)
    print(f"{shared} messages compared")


if __name__ == "__main__":
    main()
