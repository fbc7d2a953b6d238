"""What :meth:`.cluster.Cluster.apply` takes: files, directories, YAML, data and objects, read into JSON data."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from steersman.api import codecs
from steersman.api.scheme import Object
from steersman.api.yaml import YAMLError, load_documents

__tracebackhide__ = True  # pytest shows what the test asked for

Tree = dict[str, Any]
Manifest = str | os.PathLike[str] | Mapping[str, Any] | Object

SUFFIXES = (".yaml", ".yml", ".json")
FIRST = ("Namespace", "CustomResourceDefinition")
"""Kinds without which others cannot be."""


def read(manifests: Iterable[Manifest]) -> list[Tree]:
    """The objects, those that others need first.  Raises FileNotFoundError, ValueError."""
    trees: list[Tree] = []
    for manifest in manifests:
        found = [*_objects(manifest)]
        if not found:
            raise ValueError(f"no objects passed to apply: there is none in {manifest!r}")
        trees += found
    return sorted(trees, key=lambda tree: tree["kind"] not in FIRST)


def _objects(manifest: Manifest) -> Iterator[Tree]:
    if isinstance(manifest, Mapping):
        yield from _flat(dict(manifest), "data")
    elif isinstance(manifest, os.PathLike):
        yield from _files(Path(manifest))
    elif isinstance(manifest, str):
        if "://" in manifest.partition("\n")[0] and not _is_text(manifest):
            raise ValueError(f"{manifest}: nothing is fetched from the network; give a file that holds it")
        if _is_text(manifest):
            yield from _documents(manifest, "text")
        else:
            yield from _files(Path(manifest))
    elif hasattr(manifest, "metadata") and hasattr(manifest, "api_version") and _ours(manifest):
        yield _configuration(codecs.to_builtins(manifest))
    else:
        hint = ""
        if hasattr(manifest, "to_dict"):
            hint = ": give what its library makes of it for the server, a dict"
        elif isinstance(manifest, Iterable):
            hint = ": give several one by one, as in apply(*objects)"
        raise TypeError(
            f"{type(manifest).__name__} is neither a path, nor YAML, nor data, nor an object of steersman's{hint}"
        )


def _ours(obj: object) -> bool:
    return type(obj).__module__.partition(".")[0] == "steersman" or hasattr(type(obj), "__struct_fields__")


def _is_text(manifest: str) -> bool:
    """Whether a string is YAML itself: paths are not blank, have no line breaks, and no braces at their beginning."""
    return "\n" in manifest or not manifest.strip() or manifest.lstrip().startswith("{")


def _files(path: Path) -> Iterator[Tree]:
    """Those of a directory in the order of their names; directories below it are left alone, as kubectl does."""
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if not path.is_dir():
        yield from _documents(path.read_bytes(), str(path))
        return
    for file in sorted(path.iterdir()):
        if file.suffix in SUFFIXES and file.is_file():
            yield from _documents(file.read_bytes(), str(file))


def _documents(text: str | bytes, origin: str) -> Iterator[Tree]:
    try:
        documents = [*load_documents(text)]
    except YAMLError as error:
        raise ValueError(f"{origin}: {error}") from None
    for document in documents:
        if document:
            yield from _flat(document, origin)


def _flat(tree: Any, origin: str) -> Iterator[Tree]:
    """An object, or those of a list."""
    if not isinstance(tree, dict) or not tree.get("apiVersion") or not tree.get("kind"):
        raise ValueError(f"{origin}: an object needs apiVersion and kind")
    if not isinstance(tree.get("metadata") or {}, Mapping):
        raise ValueError(f"{origin}: metadata: expected an object, got {tree['metadata']!r}")
    if str(tree["kind"]).endswith("List") and isinstance(tree.get("items"), list):
        for item in tree["items"]:
            yield from _flat(item, origin)
    else:
        yield _configuration(tree)


def _configuration(tree: Tree) -> Tree:
    """What can be applied of an object: neither its status nor what the server wrote into its metadata."""
    metadata = dict(tree.get("metadata") or {})
    for name in ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"):
        metadata.pop(name, None)
    return {**{key: value for key, value in tree.items() if key != "status"}, "metadata": metadata}
