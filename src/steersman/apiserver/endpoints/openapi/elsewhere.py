"""What other servers describe of theirs, and how that joins a version 2 document.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec

from .gnostic import ProtobufDocument
from .writer import Piece, Section

Tree = dict[str, Any]

_SHARED: Mapping[str, Section] = {"#/definitions/": "definitions", "#/parameters/": "parameters"}
_SAID = frozenset({"description", "x-kubernetes-group-version-kind"})
"""What may differ in schemas that mean the same."""


class Foreign(msgspec.Struct):
    """So much of a version 2 document as is about one group-version."""

    paths: dict[str, Tree] = {}
    definitions: dict[str, Tree] = {}
    parameters: dict[str, Tree] = {}


class Elsewhere(Protocol):
    """The descriptions that other servers give."""

    generation: int
    """Grows with every change."""

    def described(self) -> Mapping[str, str]:
        """Where version 3 documents are, by their names in the index."""
        ...

    def documents(self) -> Mapping[str, bytes]:
        """A :class:`Foreign`, in JSON, of each group-version, by its name in the index of version 3."""
        ...


def part_of(document: bytes, path: str) -> bytes:
    """What a version 2 document says of the paths below one; raises ValueError for what is no such document."""
    whole = msgspec.json.decode(document, type=Foreign)
    part = Foreign({name: item for name, item in whole.paths.items() if f"{name.rstrip('/')}/".startswith(f"{path}/")})
    todo: list[Any] = [part.paths]
    while todo:
        for section, name in list(_references(todo.pop())):
            source, target = getattr(whole, section), getattr(part, section)
            if name in source and name not in target:
                target[name] = source[name]
                todo.append(source[name])
    try:
        trial = ProtobufDocument("")
        for piece in joined(part, {}):
            trial.add(piece)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not an OpenAPI document: {error!r}") from error
    return msgspec.json.encode(part)


def joined(part: Foreign, present: Mapping[tuple[Section, str], Tree]) -> Iterator[Piece]:
    """The pieces to be added to those that are present; what is called as something else is gets another name."""
    names: dict[str, str] = {}
    added: list[tuple[Section, str, Tree]] = []
    for prefix, section in _SHARED.items():
        shared: Mapping[str, Tree] = getattr(part, section)
        for name, value in shared.items():
            new, number = name, 1
            while (old := present.get((section, new))) is not None and _meaning(old) != _meaning(value):
                number += 1
                new = f"{name}_v{number}"
            names[prefix + name] = prefix + new
            if old is None:
                added.append((section, new, value))
    for path, item in part.paths.items():
        if ("paths", path) not in present:
            yield Piece("paths", path, renamed(item, names))
    for section, name, value in added:
        yield Piece(section, name, renamed(value, names))


def _references(value: Any) -> Iterator[tuple[Section, str]]:
    """The shared parts that a value refers to."""
    match value:
        case dict():
            reference = value.get("$ref")
            for prefix, section in _SHARED.items():
                if isinstance(reference, str) and reference.startswith(prefix):
                    yield section, reference.removeprefix(prefix)
            for each in value.values():
                yield from _references(each)
        case list():
            for each in value:
                yield from _references(each)


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A value whose references are others."""
    match value:
        case dict():
            return {
                key: names.get(each, each) if key == "$ref" and isinstance(each, str) else renamed(each, names)
                for key, each in value.items()
            }
        case list():
            return [renamed(each, names) for each in value]
    return value


def _meaning(value: Any) -> Any:
    """A schema without what is merely said of it; a property may be called like that, and is none where it is one."""
    match value:
        case dict():
            return {key: _meaning(each) for key, each in value.items() if key not in _SAID or isinstance(each, dict)}
        case list():
            return [_meaning(each) for each in value]
    return value
