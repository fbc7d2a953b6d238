"""JSON patch (RFC 6902) with JSON pointers (RFC 6901).

Negative array indices count from the end, as upstream's library reads them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from steersman.api.errors import bad_request, too_large

from .faults import does_not_apply

MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 * 1024 * 1024


def apply(target: Any, operations: Any) -> Any:
    """Apply the operations in order to a copy of the target."""
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise bad_request("error decoding patch: json: cannot unmarshal patch into Go value of type jsonpatch.Patch")
    if len(operations) > MAX_OPERATIONS:
        limit = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise too_large(f"Request entity too large: {limit}")
    document = _Document(target)
    for operation in operations:
        document.perform(operation)
    return document.root


class _Document:
    """A tree under change.  Containers on the way to a change are copied once (``_owned``), the rest is shared."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._owned: dict[int, Any] = {}
        self._copied = 0

    def perform(self, operation: dict[str, Any]) -> None:
        op = operation.get("op")
        path = _pointer(operation, "path")
        match op:
            case "add":
                self._add(path, _value(operation))
            case "remove":
                self._remove(path)
            case "replace":
                self._replace(path, _value(operation))
            case "move":
                source = _pointer(operation, "from")
                value = self._get(source)
                if path[: len(source)] == source and path != source:
                    raise does_not_apply("cannot move a value into itself")
                self._remove(source)
                self._add(path, value)
            case "copy":
                value = self._get(_pointer(operation, "from"))
                data = msgspec.json.encode(value)
                self._copied += len(data)
                if self._copied > MAX_COPIED_BYTES:
                    raise does_not_apply("the accumulated size of copy operations exceeds the limit")
                self._add(path, msgspec.json.decode(data))
            case "test":
                self._test(path, operation.get("value"))
            case _:
                raise does_not_apply(f"unexpected kind of operation: {op}")

    def _own(self, container: Any) -> Any:
        """The container itself where it is already ours, or a shallow copy that is."""
        if id(container) in self._owned:
            return container
        copy = dict(container) if isinstance(container, dict) else list(container)
        self._owned[id(copy)] = copy
        return copy

    def _parent(self, path: list[str]) -> Any:
        """The container that holds the last member of the path, ours to change."""
        if not isinstance(self.root, dict | list):
            raise does_not_apply("the document is no container")
        node = self.root = self._own(self.root)
        for token in path[:-1]:
            key = _key(node, token)
            try:
                child = node[key]
            except (KeyError, IndexError):
                raise does_not_apply(f"missing path {'/'.join(path)}") from None
            if not isinstance(child, dict | list):
                raise does_not_apply(f"{token} is no container")
            node[key] = node = self._own(child)
        return node

    def _get(self, path: list[str]) -> Any:
        node = self.root
        for token in path:
            if not isinstance(node, dict | list):
                raise does_not_apply(f"missing path {'/'.join(path)}")
            try:
                node = node[_key(node, token)]
            except (KeyError, IndexError):
                raise does_not_apply(f"missing path {'/'.join(path)}") from None
        return node

    def _add(self, path: list[str], value: Any) -> None:
        if not path:
            self.root = value
            return
        parent = self._parent(path)
        if isinstance(parent, dict):
            parent[path[-1]] = value
        elif path[-1] == "-":
            parent.append(value)
        else:
            index = _index(path[-1])
            if index < 0:
                index += len(parent) + 1
            if not 0 <= index <= len(parent):
                raise does_not_apply(f"index {path[-1]} is out of bounds")
            parent.insert(index, value)

    def _remove(self, path: list[str]) -> None:
        if not path:
            raise does_not_apply("the document cannot be removed")
        parent = self._parent(path)
        try:
            del parent[_key(parent, path[-1])]
        except (KeyError, IndexError):
            raise does_not_apply(f"unable to remove nonexistent {path[-1]}") from None

    def _replace(self, path: list[str], value: Any) -> None:
        if not path:
            self.root = value
            return
        parent = self._parent(path)
        key = _key(parent, path[-1])
        if key not in parent if isinstance(parent, dict) else not -len(parent) <= key < len(parent):
            raise does_not_apply(f"missing key {path[-1]}")
        parent[key] = value

    def _test(self, path: list[str], expected: Any) -> None:
        if expected is None and path:
            # An absent member tests equal to null, as upstream's library has it.
            parent = self._get(path[:-1])
            if isinstance(parent, dict) and parent.get(path[-1]) is None:
                return
        if not _equal(self._get(path), expected):
            raise does_not_apply(f"testing value /{'/'.join(path)} failed")


def _pointer(operation: dict[str, Any], member: str) -> list[str]:
    text = operation.get(member)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise does_not_apply(f"operation has no valid {member!r}")
    return [token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:]]


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise does_not_apply("operation has no value")
    return operation["value"]


def _index(token: str) -> int:
    try:
        return int(token)
    except ValueError:
        raise does_not_apply(f"{token!r} is no index") from None


def _key(container: Any, token: str) -> Any:
    return token if isinstance(container, dict) else _index(token)


def _equal(left: Any, right: Any) -> bool:
    """JSON equality: unlike in Python, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)
