"""JSON data into objects where msgspec refuses what Go's decoder takes, or explains it in other words.

``null`` stands for anything, numbers may be quantities, base64 may be wrapped: such data is made acceptable, walked by
shape, or refused with what upstream would say.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, TypeVar

import msgspec

from . import quantity
from .json_text import TOO_DEEP, FieldProblem, Number, plain
from .shapes import Shape, struct_shape
from .types.scalars import APIStruct, Time

T = TypeVar("T")


def read_tree(type_: type[T], tree: Any) -> T:
    """An object from JSON data, with Go's leniency; raises :class:`FieldProblem` in upstream's words."""
    if not (isinstance(type_, type) and issubclass(type_, APIStruct)):
        try:
            return msgspec.convert(tree, type_)
        except msgspec.ValidationError as error:
            raise FieldProblem(str(error)) from None
    reader = _Reader()
    try:
        acceptable = reader.struct(type_, tree, type_.__name__, "")
    except RecursionError:
        raise FieldProblem(TOO_DEEP) from None
    if reader.problem:
        raise FieldProblem(reader.problem)
    try:
        return msgspec.convert(acceptable, type_)
    except msgspec.ValidationError as error:
        raise FieldProblem(str(error)) from None


def json_kind(value: Any) -> str:
    """What Go's decoder calls a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


_ZERO: dict[str, Any] = {"string": "", "integer": 0, "number": 0.0, "boolean": False, "bytes": "", "quantity": "0"}


class _Reader:
    """Makes JSON data acceptable to msgspec where Go's decoder would accept it.

    Like there, the first mismatch is the one reported, but the rest is still read.
    """

    def __init__(self) -> None:
        self.problem = ""

    def struct(self, type_: type[Any], tree: Any, owner: str, path: str) -> dict[str, Any]:
        if tree is None:
            return {}
        if not isinstance(tree, dict):
            self._mismatch(json_kind(tree), Shape("struct", struct=type_), owner, path)
            return {}
        members = struct_shape(type_).members
        result = {}
        for name, value in tree.items():
            member = members.get(name)
            if member is None or value is None:
                continue
            place = f"{path}.{name}" if path else name
            result[name] = self._value(member.shape, value, type_.__name__, place)
        return result

    def _value(self, shape: Shape, value: Any, owner: str, path: str) -> Any:
        kind = shape.kind
        if kind == "any":
            if shape.format and not isinstance(value, dict):
                if value is not None:
                    self._mismatch(json_kind(value), Shape("map"), owner, path)
                value = {}
            return msgspec.Raw(msgspec.json.encode(plain(value))) if shape.format == "raw" else plain(value)
        if value is None:
            return self._zero(shape)
        if kind == "struct":
            assert shape.struct is not None
            return self.struct(shape.struct, value, owner, path)
        if kind == "list":
            if not isinstance(value, list):
                return self._mismatch(json_kind(value), shape, owner, path)
            assert shape.item is not None
            return [self._value(shape.item, item, owner, path) for item in value]
        if kind == "map":
            if not isinstance(value, dict):
                return self._mismatch(json_kind(value), shape, owner, path)
            assert shape.item is not None
            return {key: self._value(shape.item, item, owner, path) for key, item in value.items()}
        return self._scalar(shape, value, owner, path)

    def _scalar(self, shape: Shape, value: Any, owner: str, path: str) -> Any:
        match shape.kind:
            case "quantity":
                if isinstance(value, bool) or not isinstance(value, int | float | str):
                    raise FieldProblem(quantity.MALFORMED)
                return value.text if isinstance(value, Number) else str(value).strip()
            case "time":
                if not isinstance(value, str):
                    return self._mismatch(json_kind(value), shape, owner, path)
                return self._time(value)
            case "bytes":
                return self._bytes(value, shape, owner, path)
            case "int-or-string":
                if isinstance(value, str):
                    return value
                return self._integer(Shape("integer", format="int32"), value, owner, path)
            case "integer":
                return self._integer(shape, value, owner, path)
            case "number":
                if isinstance(value, int | float) and not isinstance(value, bool):
                    return float(value)
            case "boolean":
                if isinstance(value, bool):
                    return value
            case _:
                if isinstance(value, str):
                    return value
        return self._mismatch(json_kind(value), shape, owner, path)

    def _integer(self, shape: Shape, value: Any, owner: str, path: str) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            limit = 2**31 if shape.format == "int32" else 2**63
            if -limit <= value < limit:
                return value
            return self._mismatch(f"number {value}", shape, owner, path)
        if isinstance(value, float):
            if not isinstance(value, Number) and value.is_integer():  # YAML's 1.0 is JSON's 1
                return self._integer(shape, int(value), owner, path)
            text = value.text if isinstance(value, Number) else format(value, "g")
            return self._mismatch(f"number {text}", shape, owner, path)
        return self._mismatch(json_kind(value), shape, owner, path)

    def _bytes(self, value: Any, shape: Shape, owner: str, path: str) -> Any:
        if not isinstance(value, str):
            return self._mismatch(json_kind(value), shape, owner, path)
        text = value.replace("\n", "").replace("\r", "")
        try:
            base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise FieldProblem(f"illegal base64 data at input byte {_first_illegal(text)}") from None
        return text

    @staticmethod
    def _time(value: str) -> Any:
        try:
            _check_time(value)
        except msgspec.ValidationError:
            layout = "2006-01-02T15:04:05Z07:00"
            raise FieldProblem(
                f'parsing time {json.dumps(value)} as "{layout}": cannot parse {json.dumps(value)} as "2006"'
            ) from None
        return value

    def _mismatch(self, found: str, shape: Shape, owner: str, path: str) -> Any:
        if not self.problem:
            place = f"struct field {owner}.{path}" if path else "value"
            self.problem = f"json: cannot unmarshal {found} into Go {place} of type {shape.go_type}"
        return self._zero(shape)

    @staticmethod
    def _zero(shape: Shape) -> Any:
        if shape.kind == "list":
            return []
        if shape.kind in ("map", "struct"):
            return {}
        if shape.kind == "time":
            return "0001-01-01T00:00:00Z"
        return _ZERO.get(shape.kind, 0)


def _first_illegal(text: str) -> int:
    alphabet = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    for position, character in enumerate(text):
        if character not in alphabet:
            return position
    return len(text) // 4 * 4


def _check_time(text: str) -> None:
    """Raises ValidationError where a text is no instant with a zone."""
    msgspec.convert({"time": text}, _Instant)


class _Instant(msgspec.Struct):
    time: Time
