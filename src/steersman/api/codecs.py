"""Objects to and from JSON and YAML, and from protobuf.

msgspec does the work.  What it refuses is read again by :mod:`.lenient`; which members have no place in a type or
occur twice is found by :mod:`.strict`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec

from . import bounds, quantity, unstructured, wire
from .errors import bad_request, unsupported_media_type
from .json_text import TOO_DEEP, FieldProblem, load_json, load_members, plain
from .lenient import json_kind, read_tree
from .micro_times import PLACES, on_the_second
from .normalize import normalize
from .scheme import Resource
from .strict import MOST, Strictness, repeated_members
from .types import meta_v1
from .unstructured import Unstructured, is_unstructured
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

_encoder = msgspec.json.Encoder(enc_hook=unstructured.encode_hook)


def encode(obj: Any) -> bytes:
    """JSON, members in the order of their declaration."""
    try:
        if (places := PLACES.get(type(obj))) is not None and (instants := dict(on_the_second(obj, places))):
            return _encoder.encode(_with(to_builtins(obj), instants))
        return _encoder.encode(obj)
    except RecursionError:
        raise bad_request(TOO_DEEP) from None


def _with(tree: Any, values: Mapping[tuple[str, ...], str]) -> Any:
    for (*above, name), value in values.items():
        place = tree
        for step in above:
            place = place[step]
        place[name] = value
    return tree


_decoder: Callable[[Any], msgspec.json.Decoder[Any]] = cache(msgspec.json.Decoder)


def decode(type_: type[T], data: bytes) -> T:
    """Read an object from JSON, with Go's leniency; raises a 400 in upstream's words."""
    if is_unstructured(type_):
        return from_builtins(type_, _loaded(data))
    try:
        result: T = _decoder(type_).decode(data)
        return result
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return read_tree(type_, load_json(data))
    except FieldProblem as error:
        raise bad_request(str(error)) from None


def copy(obj: T) -> T:
    """A deep copy."""
    if isinstance(obj, Unstructured):
        return unstructured.from_tree(type(obj), msgspec.json.decode(_encoder.encode(obj)))  # type: ignore[return-value]
    result: T = _decoder(type(obj)).decode(_encoder.encode(obj))
    return result


def to_builtins(obj: Any) -> Any:
    """The JSON data of an object: dicts, lists, strings, numbers."""
    return msgspec.to_builtins(obj, enc_hook=_parsed)


def _parsed(raw: Any) -> Any:
    """The data of JSON that an object keeps as it is, and of objects without a type."""
    if isinstance(raw, Unstructured):
        return unstructured.to_tree(raw)
    if not isinstance(raw, msgspec.Raw):
        raise NotImplementedError(f"objects of type {type(raw)}")
    return msgspec.json.decode(raw)


def from_builtins(type_: type[T], tree: Any) -> T:
    """An object from JSON data, with Go's leniency; raises a 400 in upstream's words."""
    if is_unstructured(type_):
        try:
            return unstructured.from_tree(type_, tree)  # type: ignore[arg-type,return-value]
        except FieldProblem as error:
            raise bad_request(str(error)) from None
    try:
        return msgspec.convert(tree, type_)
    except (msgspec.ValidationError, RecursionError):
        pass
    try:
        return read_tree(type_, tree)
    except FieldProblem as error:
        raise bad_request(str(error)) from None


def decode_body(
    target: Resource[Any] | type[T], data: bytes, content_type: str = "", field_validation: str = ""
) -> tuple[T, list[str]]:
    """Read and normalize the body of a request.

    ``field_validation`` is ``Strict``, ``Warn`` (also when empty) or ``Ignore``; the second result is what to warn
    of.  Raises 400 for what cannot be read, with the fault alone as its cause, and 415 for a media type that is not
    read here.
    """
    type_ = target.type if isinstance(target, Resource) else target
    expected = type_()
    media_type = content_type.partition(";")[0].strip().lower()
    protobuf = media_type == wire.MEDIA_TYPE
    readable = ACCEPTED if wire.knows(type_) else ACCEPTED[:2]
    if media_type and media_type not in readable:
        raise unsupported_media_type(
            "the body of the request was in an unknown format - accepted media types include: " + ", ".join(readable)
        )
    problems: list[str] = []
    header = _Header()
    try:
        if protobuf:
            envelope = wire.envelope(data)
            header = _Header(envelope.kind, envelope.api_version)
            _check_identity(target, expected, header)
            obj = wire.decode(type_, envelope.raw)
        elif media_type == "application/yaml":
            repeated: list[str] = []
            tree = load_yaml(data, repeated)
            header = _identified(_header(tree), target, expected)
            if is_unstructured(type_):
                obj, unknown = _read_unstructured(type_, tree)
            else:
                obj = read_tree(type_, tree)
                unknown = _unknown(type_, tree) if field_validation != "Ignore" else []
            if field_validation != "Ignore":
                problems = _yaml_problems(repeated, field_validation) + unknown
        else:
            bounds.check_json(data)
            header = _identified(_read_header(data), target, expected)
            obj, problems = _from_json(type_, data, field_validation)
        _check_identity(target, expected, header)
        normalize(obj)  # type: ignore[arg-type]
        if problems and field_validation == "Strict":
            raise FieldProblem("strict decoding error: " + ", ".join(problems))
    except (FieldProblem, YAMLError, wire.WireError, quantity.QuantityError, RecursionError) as error:
        kind, fault = type_.__name__, TOO_DEEP if isinstance(error, RecursionError) else str(error)
        if header.kind:
            version = header.api_version.rpartition("/")[2]
            message = f'{header.kind} in version "{version}" cannot be handled as a {kind}: {fault}'
        else:
            message = f"the object provided is unrecognized (must be of type {kind}): {fault} ({_summary(data)})"
        raise bad_request(message) from error
    return obj, [] if field_validation == "Strict" else problems


class _Header(msgspec.Struct):
    kind: str = ""
    api_version: str = msgspec.field(name="apiVersion", default="")


_header_decoder = msgspec.json.Decoder(_Header)


_NO_HEADER = "couldn't get version/kind; json parse error: "
_GO_HEADER = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'


def _read_header(data: bytes) -> _Header:
    try:
        return _header_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        tree = load_json(data)
    except FieldProblem as error:
        raise FieldProblem(f"{_NO_HEADER}{error}") from None
    return _header(tree)


def _header(tree: Any) -> _Header:
    if tree is None:
        return _Header()
    if not isinstance(tree, dict):
        raise FieldProblem(f"{_NO_HEADER}json: cannot unmarshal {json_kind(tree)} into Go value of type {_GO_HEADER}")
    kind: Any = tree.get("kind")
    version: Any = tree.get("apiVersion")
    for value, name in ((kind, "kind"), (version, "apiVersion")):
        if value is not None and not isinstance(value, str):
            raise FieldProblem(
                f"{_NO_HEADER}json: cannot unmarshal {json_kind(value)} into Go struct field .{name} of type string"
            )
    return _Header(kind or "", version or "")


def _identified(header: _Header, target: Any, expected: Any) -> _Header:
    """What a body is: as it says, or where it does not say, as the path has it."""
    wanted = target.group_version if isinstance(target, Resource) else getattr(expected, "api_version", "")
    return _Header(header.kind or getattr(expected, "kind", ""), header.api_version or wanted)


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
    if not data:
        return "<empty>"
    more = " ..." if len(data) > 30 else ""
    return (data[:30].decode("utf-8", "replace") if data.startswith(b"{") else data[:30].hex()) + more


def _loaded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return plain(load_json(data))
    except FieldProblem as error:
        raise bad_request(str(error)) from None


def _read_unstructured(type_: type[Any], tree: Any) -> tuple[Any, list[str]]:
    """An object of a kind without a type, and which of its members are unknown and were left out."""
    obj = unstructured.from_tree(type_, tree)
    return obj, prune(obj, tree)


def prune(obj: Any, tree: Any) -> list[str]:
    """What is unknown in the data that an object was read from, as upstream tells it.

    Types drop what they do not know; where there is a schema instead, this does.
    """
    strictness = Strictness()
    if not isinstance(obj, Unstructured):
        strictness.struct(type(obj), tree)
        return strictness.problems
    strictness.struct(meta_v1.ObjectMeta, tree.get("metadata") or {}, "metadata")
    pruned = obj.MODEL.prune(obj.content) if obj.MODEL is not None else []
    return (strictness.problems + [f'unknown field "{path}"' for path in pruned])[:MOST]


def _unstructured_from_json(type_: type[Any], data: bytes, validation: str) -> tuple[Any, list[str]]:
    repeated: list[str] = []
    try:
        tree = msgspec.json.decode(data)
        suspicious = validation != "Ignore" and not _means_all(data, tree)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        tree, suspicious = None, True
    if suspicious:
        members = load_members(data)
        repeated = [f'duplicate field "{path}"' for path in repeated_members(members)][:MOST]
        tree = plain(members)
    obj, unknown = _read_unstructured(type_, tree)
    return obj, [] if validation == "Ignore" else repeated + unknown


def _from_json(type_: type[T], data: bytes, validation: str) -> tuple[T, list[str]]:
    if is_unstructured(type_):
        return _unstructured_from_json(type_, data, validation)
    try:
        obj = _decoder(type_).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if validation == "Ignore":
            return read_tree(type_, load_json(data)), []
        strictness = Strictness()
        return read_tree(type_, strictness.struct(type_, load_members(data))), strictness.problems
    if validation == "Ignore":
        return obj, []
    try:
        tree = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # in a member that the type does not have
        tree = None
    if tree is None or validation == "Strict" or not _means_all(data, tree):
        tree = load_members(data)
    return obj, _unknown(type_, tree)


def _means_all(data: bytes, tree: Any) -> bool:
    """Whether JSON, but for its space, is as long as what it means: then no member occurs twice."""
    size = len(_encoder.encode(tree))
    return size == len(data.rstrip()) or size == len(msgspec.json.format(data, indent=-1))


def _unknown(type_: type[Any], tree: Any) -> list[str]:
    strictness = Strictness()
    strictness.struct(type_, tree)
    return strictness.problems


def _yaml_problems(repeated: list[str], validation: str) -> list[str]:
    """Members that YAML has twice: one error, and yet a warning each."""
    if not repeated or validation != "Strict":
        return repeated[:MOST]
    return ["yaml: unmarshal errors:\n  " + "\n  ".join(repeated[:MOST])]
