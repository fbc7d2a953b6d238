"""Objects of kinds that have no type of ours, those of custom resources: metadata, and JSON data for the rest.

A kind in one version is a subclass of :class:`Unstructured`, made by :func:`unstructured_type`, so that it can be asked
for wherever the type of an object is; :func:`to_tree` and :func:`from_tree` are what msgspec calls for its objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import msgspec

from .json_text import FieldProblem
from .lenient import json_kind, read_tree
from .types.meta_v1 import ObjectMeta

Tree = dict[str, Any]

_HEADER = ("kind", "apiVersion", "metadata")

_metadata = msgspec.json.Encoder().encode
_content = msgspec.json.Encoder(order="deterministic").encode
_object_meta = msgspec.json.Decoder(ObjectMeta).decode


class Model(Protocol):
    """What is known of the objects of a kind in one version: their schema, in the forms in which it is used."""

    @property
    def openapi(self) -> Mapping[str, Any]:
        """The OpenAPI v3 schema, empty where there is none."""
        ...

    @property
    def prepared(self) -> bool:
        """Whether everything else here is quick by now; the first time may take long."""
        ...

    def prune(self, tree: Tree, *, stored: bool = False) -> list[str]:
        """Remove what the schema does not know, in place; returns the paths removed.

        Raises StatusError for embedded metadata that cannot be read; of ``stored`` objects such is dropped.
        """
        ...

    def default(self, tree: Tree) -> None:
        """Set what is missing and has a default, in place."""
        ...


class Unstructured:
    """An object.  ``content`` is all but its kind, version and metadata, and belongs to the object."""

    __slots__ = ("api_version", "content", "kind", "metadata")

    KIND: ClassVar[str] = ""
    API_VERSION: ClassVar[str] = ""
    MODEL: ClassVar[Model | None] = None

    def __init__(self, metadata: ObjectMeta | None = None, content: Tree | None = None) -> None:
        self.kind = self.KIND
        self.api_version = self.API_VERSION
        self.metadata = metadata if metadata is not None else ObjectMeta()
        self.content: Tree = content if content is not None else {}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Unstructured):
            return NotImplemented
        return (self.kind, self.api_version) == (other.kind, other.api_version) and (
            self.metadata == other.metadata and self.content == other.content
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self.kind} {self.metadata.namespace}/{self.metadata.name}>"


def unstructured_type(kind: str, api_version: str, model: Model | None = None) -> type[Unstructured]:
    """The type of a kind's objects in one version."""
    return type(kind, (Unstructured,), {"__slots__": (), "KIND": kind, "API_VERSION": api_version, "MODEL": model})


def is_unstructured(type_: Any) -> bool:
    """Whether objects of a type are unstructured."""
    return isinstance(type_, type) and issubclass(type_, Unstructured)


def encode(obj: Unstructured) -> bytes:
    """JSON: kind, version and metadata first, the rest by name."""
    content = _content(obj.content)
    return b'{"kind":%b,"apiVersion":%b,"metadata":%b%b%b' % (
        _metadata(obj.kind),
        _metadata(obj.api_version),
        _metadata(obj.metadata),
        b"," if len(content) > 2 else b"",
        content[1:],
    )


def to_tree(obj: Unstructured) -> Tree:
    """The JSON data of an object, which shares its content."""
    metadata = msgspec.to_builtins(obj.metadata, enc_hook=_parsed)
    return {"kind": obj.kind, "apiVersion": obj.api_version, "metadata": metadata, **obj.content}


def _parsed(raw: Any) -> Any:
    """The data of JSON that metadata keep as it is: the fields that managers own."""
    if not isinstance(raw, msgspec.Raw):
        raise NotImplementedError(f"objects of type {type(raw)}")
    return msgspec.json.decode(raw)


def from_tree(type_: type[Unstructured], tree: Any) -> Unstructured:
    """An object from JSON data, which becomes its own; raises FieldProblem where it is none."""
    if not isinstance(tree, dict):
        raise FieldProblem(f"json: cannot unmarshal {json_kind(tree)} into Go value of type map[string]interface {{}}")
    metadata = tree.get("metadata")
    try:
        if metadata is None:
            meta = ObjectMeta()
        elif "managedFields" in metadata:
            meta = _object_meta(_metadata(metadata))  # what is owned is kept as JSON, which cannot be converted to
        else:
            meta = msgspec.convert(metadata, ObjectMeta)
    except (msgspec.MsgspecError, TypeError, RecursionError):
        meta = read_tree(ObjectMeta, metadata)
    return type_(meta, {name: value for name, value in tree.items() if name not in _HEADER})


def encode_hook(obj: Any) -> Any:
    """What msgspec encodes in place of what it does not know."""
    if isinstance(obj, Unstructured):
        return msgspec.Raw(encode(obj))
    raise NotImplementedError(f"objects of type {type(obj)}")


def decode_hook(type_: Any, tree: Any) -> Any:
    """What msgspec makes of data where it does not know the type; raises ValueError."""
    if is_unstructured(type_):
        return from_tree(type_, tree)
    raise NotImplementedError(f"objects of type {type_}")
