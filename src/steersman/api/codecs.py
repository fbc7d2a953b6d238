"""Objects to and from JSON and YAML, and from protobuf.

msgspec does the work.  What it refuses although Go's decoder takes it (``null`` for anything, numbers as quantities) or
explains in other words goes through :class:`_Reader`, which walks the parsed data by shape
and either makes it acceptable or raises what upstream would say.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec

from . import quantity, wire
from .errors import bad_request, unsupported_media_type
from .normalize import normalize
from .scheme import Resource
from .shapes import Shape, struct_shape
from .types import meta_v1
from .types.scalars import APIStruct, Time
from .yaml import YAMLError, load_documents, load_yaml

__all__ = [
    "ACCEPTED",
    "FieldProblem",
    "copy",
    "decode",
    "decode_body",
    "encode",
    "from_builtins",
    "load_documents",
    "load_json",
    "load_yaml",
    "to_builtins",
]

T = TypeVar("T")

ACCEPTED = ("application/json", "application/yaml", wire.MEDIA_TYPE)
"""The media types in which bodies are read."""

_TOO_DEEP = "json: exceeded max depth"
_encoder = msgspec.json.Encoder()


class FieldProblem(ValueError):
    """A body that does not fit its type; the message is what follows ``cannot be handled as a Pod:``."""


def encode(obj: Any) -> bytes:
    """JSON, members in the order of their declaration."""
    try:
        return _encoder.encode(obj)
    except RecursionError:
        raise bad_request(_TOO_DEEP) from None


_decoder: Callable[[Any], msgspec.json.Decoder[Any]] = cache(msgspec.json.Decoder)


def decode(type_: type[T], data: bytes) -> T:
    """Read an object from JSON, with Go's leniency; raises a 400 in upstream's words."""
    try:
        result: T = _decoder(type_).decode(data)
        return result
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _lenient(type_, load_json(data))
    except FieldProblem as error:
        raise bad_request(str(error)) from None


def copy(obj: T) -> T:
    """A deep copy."""
    result: T = _decoder(type(obj)).decode(_encoder.encode(obj))
    return result


def to_builtins(obj: Any) -> Any:
    """The JSON data of an object: dicts, lists, strings, numbers."""
    return msgspec.to_builtins(obj)


def from_builtins(type_: type[T], tree: Any) -> T:
    """An object from JSON data, with Go's leniency; raises a 400 in upstream's words."""
    try:
        return msgspec.convert(tree, type_)
    except (msgspec.ValidationError, RecursionError):
        pass
    try:
        return _lenient(type_, tree)
    except FieldProblem as error:
        raise bad_request(str(error)) from None


def load_json(data: bytes | str, duplicates: list[str] | None = None) -> Any:
    """Parse JSON without a type; fractional numbers keep their text.  Raises :class:`FieldProblem`.

    Keys that occur twice are noted in ``duplicates`` by the path of their object.
    """
    hook = None if duplicates is None else _Duplicates
    try:
        tree = json.loads(data, parse_float=_Number, parse_constant=_constant, object_pairs_hook=hook)
        if isinstance(tree, _Duplicates) or (duplicates is not None and isinstance(tree, list)):
            assert duplicates is not None
            tree = _resolve_duplicates(tree, "", duplicates)
    except RecursionError:
        raise FieldProblem(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise FieldProblem(_syntax(error)) from None
    except UnicodeDecodeError:
        raise FieldProblem("invalid character in string literal: not UTF-8") from None
    except FieldProblem:
        raise
    except ValueError:  # Python's limit on the digits of an integer
        raise FieldProblem("json: number out of range") from None
    # Escaped halves of surrogate pairs are no text; Go replaces them.
    escaped = "\\u" in data if isinstance(data, str) else b"\\u" in data
    return _mend(tree) if escaped else tree


def _mend(tree: Any) -> Any:
    if isinstance(tree, str):
        return tree if tree.isascii() else tree.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(tree, dict):
        return {_mend(key): _mend(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_mend(value) for value in tree]
    return tree


class _Number(float):
    """A number with a fraction or an exponent, and how it was written."""

    def __new__(cls, text: str) -> _Number:
        self = super().__new__(cls, text)
        if math.isinf(self):
            raise FieldProblem(f"json: cannot unmarshal number {text} into Go value of type float64")
        self.text = text
        return self

    text: str


def _constant(text: str) -> Any:
    raise FieldProblem(f"invalid character '{text[0]}' looking for beginning of value")


class _Duplicates(list[tuple[str, Any]]):
    """The members of a JSON object before they become a dict."""


def _resolve_duplicates(tree: Any, path: str, found: list[str]) -> Any:
    if isinstance(tree, _Duplicates):
        result: dict[str, Any] = {}
        noted = set()
        for key, value in tree:
            place = f"{path}.{key}" if path else key
            if key in result and key not in noted:
                noted.add(key)
                found.append(f'duplicate field "{place}"')
            result[key] = _resolve_duplicates(value, place, found)
        return result
    if isinstance(tree, list):
        return [_resolve_duplicates(value, f"{path}[{index}]", found) for index, value in enumerate(tree)]
    return tree


def _syntax(error: json.JSONDecodeError) -> str:
    text, position = error.doc, error.pos
    rest = text[position : position + 1]
    if not text[position:].strip():
        return "unexpected end of JSON input"
    if error.msg.startswith("Unterminated") or (error.msg.startswith("Expecting") and not rest):
        return "unexpected end of JSON input"
    place = {
        "Expecting value": "looking for beginning of value",
        "Expecting ',' delimiter": "after object key:value pair",
        "Expecting ':' delimiter": "after object key",
        "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
        "Extra data": "after top-level value",
    }.get(error.msg, "in string literal")
    return f"invalid character {rest!r} {place}"


def decode_body(
    target: Resource[Any] | type[T], data: bytes, content_type: str = "", field_validation: str = ""
) -> tuple[T, list[str]]:
    """Read and normalize the body of a request.

    ``field_validation`` is ``Strict``, ``Warn`` (also when empty) or ``Ignore``; the second result is what to warn
    of.  Raises 400 for what cannot be read, and 415 for a media type that is not read here.
    """
    type_ = target.type if isinstance(target, Resource) else target
    expected = type_()
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in ("", *ACCEPTED, "text/yaml", "application/x-yaml"):
        raise unsupported_media_type(
            "the body of the request was in an unknown format - accepted media types include: " + ", ".join(ACCEPTED)
        )
    protobuf = media_type == wire.MEDIA_TYPE and wire.knows(type_)
    if media_type == wire.MEDIA_TYPE and not protobuf:
        raise unsupported_media_type(
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(ACCEPTED[:2])
        )
    if not data.strip():
        raise bad_request(
            "the object provided is unrecognized (must be of type "
            f"{type_.__name__}): couldn't get version/kind; json parse error: unexpected end of JSON "
            "input (<empty>)"
        )
    problems: list[str] = []
    header = _Header()
    try:
        if protobuf:
            envelope = wire.envelope(data)
            header = _Header(envelope.kind, envelope.api_version)
            _check_identity(target, expected, header)
            obj = wire.decode(type_, envelope.raw)
        elif media_type.endswith("yaml"):
            tree = load_yaml(data, problems)
            header = _header(tree)
            obj = _from_tree(type_, tree, field_validation, problems)
        else:
            header = _read_header(data)
            obj = _from_json(type_, data, field_validation, problems)
        _check_identity(target, expected, header)
        normalize(obj)  # type: ignore[arg-type]
        if problems and field_validation == "Strict":
            raise FieldProblem("strict decoding error: " + ", ".join(problems))
    except (FieldProblem, YAMLError, wire.WireError, quantity.QuantityError) as error:
        kind = type_.__name__
        if header.kind:
            version = header.api_version.rpartition("/")[2] or getattr(expected, "api_version", "").rpartition("/")[2]
            message = f'{header.kind} in version "{version}" cannot be handled as a {kind}: {error}'
        else:
            message = f"the object provided is unrecognized (must be of type {kind}): {error} ({_summary(data)})"
        raise bad_request(message) from None
    return obj, [] if field_validation in ("Ignore", "Strict") else problems


def _check_time(text: str) -> None:
    """Raises ValidationError where a text is no instant with a zone."""
    msgspec.convert({"time": text}, _Instant)


class _Instant(msgspec.Struct):
    time: Time


class _Header(msgspec.Struct):
    kind: str = ""
    api_version: str = msgspec.field(name="apiVersion", default="")


_header_decoder = msgspec.json.Decoder(_Header)


def _read_header(data: bytes) -> _Header:
    try:
        return _header_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _header(load_json(data))


def _header(tree: Any) -> _Header:
    if not isinstance(tree, dict):
        raise FieldProblem(f"json: cannot unmarshal {_json_kind(tree)} into Go value of type struct")
    kind: Any = tree.get("kind")
    version: Any = tree.get("apiVersion")
    for value, name in ((kind, "kind"), (version, "apiVersion")):
        if value is not None and not isinstance(value, str):
            raise FieldProblem(
                f"couldn't get version/kind; json parse error: json: cannot unmarshal {_json_kind(value)} "
                f"into Go struct field .{name} of type string"
            )
    return _Header(kind or "", version or "")


def _check_identity(target: Any, expected: Any, header: _Header) -> None:
    """The body must be of the kind and version that the path promises; absent, it is."""
    if isinstance(expected, meta_v1.DeleteOptions):  # clients send it under the version of whatever they delete
        return
    wanted_kind = getattr(expected, "kind", "")
    wanted_version = target.group_version if isinstance(target, Resource) else getattr(expected, "api_version", "")
    kind, version = header.kind or wanted_kind, header.api_version or wanted_version
    if kind != wanted_kind:
        group = version.rpartition("/")[0]
        source = f"{group.partition('.')[0] or 'v1'}.{kind}" if group else f"{version}.{kind}"
        wanted_group = wanted_version.rpartition("/")[0].partition(".")[0] or "core"
        raise FieldProblem(f"converting ({source}) to ({wanted_group}.{wanted_kind}): unknown conversion")
    if version != wanted_version and not (isinstance(target, Resource) and version in target.aliases):
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({wanted_version})"
        )


def _summary(data: bytes) -> str:
    start = data[:30].decode("utf-8", "replace")
    return json.dumps(start)[1:-1] + (" ..." if len(data) > 30 else "") if start.isprintable() else data[:30].hex()


def _from_json(type_: type[T], data: bytes, validation: str, problems: list[str]) -> T:
    obj: T | None
    try:
        obj = _decoder(type_).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        obj = None
    if obj is not None:
        if validation == "Ignore":
            return obj
        tree = msgspec.json.decode(data)
        # Compact JSON without duplicate members is as long as what it means: no need to look for them then.
        if len(_encoder.encode(tree)) != len(data.rstrip()) or validation == "Strict":
            tree = load_json(data, problems)
        _Unknown(problems).struct(type_, tree, "")
        return obj
    tree = load_json(data, problems)
    return _from_tree(type_, tree, validation, problems)


def _from_tree(type_: type[T], tree: Any, validation: str, problems: list[str]) -> T:
    obj = _lenient(type_, tree)
    if validation != "Ignore":
        _Unknown(problems).struct(type_, tree, "")
    return obj


def _lenient(type_: type[T], tree: Any) -> T:
    if not (isinstance(type_, type) and issubclass(type_, APIStruct)):
        try:
            return msgspec.convert(tree, type_)
        except msgspec.ValidationError as error:
            raise FieldProblem(str(error)) from None
    reader = _Reader()
    try:
        acceptable = reader.struct(type_, tree, type_.__name__, "")
    except RecursionError:
        raise FieldProblem(_TOO_DEEP) from None
    if reader.problem:
        raise FieldProblem(reader.problem)
    try:
        return msgspec.convert(acceptable, type_)
    except msgspec.ValidationError as error:
        raise FieldProblem(str(error)) from None


def _json_kind(value: Any) -> str:
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
            self._mismatch(_json_kind(tree), Shape("struct", struct=type_), owner, path)
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
            if shape.format == "object" and not isinstance(value, dict):
                if value is not None:
                    self._mismatch(_json_kind(value), Shape("map"), owner, path)
                return {}
            return _plain(value)
        if value is None:
            return self._zero(shape)
        if kind == "struct":
            assert shape.struct is not None
            return self.struct(shape.struct, value, owner, path)
        if kind == "list":
            if not isinstance(value, list):
                return self._mismatch(_json_kind(value), shape, owner, path)
            assert shape.item is not None
            return [self._value(shape.item, item, owner, path) for item in value]
        if kind == "map":
            if not isinstance(value, dict):
                return self._mismatch(_json_kind(value), shape, owner, path)
            assert shape.item is not None
            return {key: self._value(shape.item, item, owner, path) for key, item in value.items()}
        return self._scalar(shape, value, owner, path)

    def _scalar(self, shape: Shape, value: Any, owner: str, path: str) -> Any:
        match shape.kind:
            case "quantity":
                if isinstance(value, bool) or not isinstance(value, int | float | str):
                    raise FieldProblem(quantity.MALFORMED)
                return value.text if isinstance(value, _Number) else str(value).strip()
            case "time":
                if not isinstance(value, str):
                    return self._mismatch(_json_kind(value), shape, owner, path)
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
        return self._mismatch(_json_kind(value), shape, owner, path)

    def _integer(self, shape: Shape, value: Any, owner: str, path: str) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            limit = 2**31 if shape.format == "int32" else 2**63
            if -limit <= value < limit:
                return value
            return self._mismatch(f"number {value}", shape, owner, path)
        if isinstance(value, float):
            if not isinstance(value, _Number) and value.is_integer():  # YAML's 1.0 is JSON's 1
                return self._integer(shape, int(value), owner, path)
            text = value.text if isinstance(value, _Number) else format(value, "g")
            return self._mismatch(f"number {text}", shape, owner, path)
        return self._mismatch(_json_kind(value), shape, owner, path)

    def _bytes(self, value: Any, shape: Shape, owner: str, path: str) -> Any:
        if not isinstance(value, str):
            return self._mismatch(_json_kind(value), shape, owner, path)
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


def _plain(value: Any) -> Any:
    """JSON data without the marks that reading it left."""
    if isinstance(value, _Number):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _first_illegal(text: str) -> int:
    alphabet = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    for position, character in enumerate(text):
        if character not in alphabet:
            return position
    return len(text) // 4 * 4


class _Unknown:
    """Finds the members that a type does not have."""

    def __init__(self, problems: list[str]) -> None:
        self._problems = problems

    def struct(self, type_: type[Any], tree: Any, path: str) -> None:
        if not isinstance(tree, dict):
            return
        members = struct_shape(type_).members
        for name, value in tree.items():
            member = members.get(name)
            if member is None:
                self._problems.append(f'unknown field "{path}.{name}"' if path else f'unknown field "{name}"')
                continue
            shape = member.shape
            if shape.struct is not None or shape.item is not None:
                self._nested(shape, value, f"{path}.{name}" if path else name)

    def _nested(self, shape: Shape, value: Any, path: str) -> None:
        if shape.struct is not None:
            self.struct(shape.struct, value, path)
        elif shape.item is None or (shape.item.struct is None and shape.item.item is None):
            return
        elif isinstance(value, list) and shape.kind == "list":
            for index, item in enumerate(value):
                self._nested(shape.item, item, f"{path}[{index}]")
        elif isinstance(value, dict) and shape.kind == "map":
            for key, item in value.items():
                self._nested(shape.item, item, f"{path}.{key}")
