"""JSON patch (RFC 6902) with JSON pointers (RFC 6901).

Negative array indices count from the end, as upstream's library reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from steersman.api.errors import StatusError, bad_request, go_value, too_large

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


class TestFailed(StatusError):
    """A ``test`` operation found another value."""


class _Fault(Exception):
    """What is wrong, in the words of upstream's library."""


class _Document:
    """A tree under change.  Containers on the way to a change are copied once (``_owned``), the rest is shared."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._owned: dict[int, Any] = {}
        self._copied = 0

    def perform(self, operation: dict[str, Any]) -> None:
        """Raises StatusError where the operation does not apply."""
        op = operation.get("op")
        path = _pointer(operation, "path")
        named = operation["path"]
        try:
            match op:
                case "add":
                    self._add(path, _value(operation), named)
                case "remove":
                    self._remove(path, named, "remove")
                case "replace":
                    self._replace(path, _value(operation), named)
                case "move":
                    self._move(path, _pointer(operation, "from"), named, operation["from"])
                case "copy":
                    self._copy(path, _pointer(operation, "from"), named, operation["from"])
                case "test":
                    self._test(path, operation.get("value"), named)
                case _:
                    raise _Fault(f"Unexpected kind: {op}")
        except _Fault as fault:
            raise does_not_apply(str(fault)) from None

    def _own(self, container: Any) -> Any:
        """The container itself where it is already ours, or a shallow copy that is."""
        if id(container) in self._owned:
            return container
        copy = dict(container) if isinstance(container, dict) else list(container)
        self._owned[id(copy)] = copy
        return copy

    def _parent(self, path: list[str]) -> Any:
        """The container that holds the last member of the path, ours to change; None where there is none."""
        if not isinstance(self.root, dict | list):
            return None
        node = self.root = self._own(self.root)
        for token in path[:-1]:
            try:
                key = _key(node, token)
                child = node[key]
            except (KeyError, IndexError, _Fault):
                return None
            if not isinstance(child, dict | list):
                return None
            node[key] = node = self._own(child)
        return node

    def _get(self, path: list[str]) -> Any:
        """Raises KeyError where the container is missing, and a fault where the member is."""
        node = self.root
        for token in path[:-1]:
            try:
                node = node[_key(node, token)] if isinstance(node, dict | list) else None
            except (KeyError, IndexError, _Fault):
                node = None
        if not path:
            return node
        if not isinstance(node, dict | list):
            raise KeyError(path[-1])
        try:
            return node[_key(node, path[-1])]
        except KeyError:
            raise _Fault(f"unable to get nonexistent key: {path[-1]}: {_MISSING}") from None
        except IndexError:
            raise _bad_index(path[-1]) from None

    def _add(self, path: list[str], value: Any, named: str, missing: str = "") -> None:
        if not path:
            self.root = value
            return
        parent = self._parent(path)
        if parent is None:
            text = missing or f'add operation does not apply: doc is missing path: "{named}"'
            raise _Fault(f"{text}: {_MISSING}")
        if isinstance(parent, dict):
            parent[path[-1]] = value
        elif path[-1] == "-":
            parent.append(value)
        else:
            with _for(f"error in add for path: '{named}'"):
                try:
                    index = int(path[-1])
                except ValueError:
                    text = f"value was not a proper array index: '{path[-1]}'"
                    raise _Fault(f"{text}: {_not_a_number(path[-1])}") from None
                if index < 0:
                    index += len(parent) + 1
                if not 0 <= index <= len(parent):
                    raise _bad_index(path[-1])
                parent.insert(index, value)

    def _remove(self, path: list[str], named: str, op: str) -> None:
        if not path:
            raise _Fault(f"{op} operation does not apply: the document cannot be removed")
        parent = self._parent(path)
        if parent is None:
            raise _Fault(f'{op} operation does not apply: doc is missing path: "{named}": {_MISSING}')
        with _for(f"error in {op} for path: '{named}'"):
            try:
                del parent[_key(parent, path[-1])]
            except KeyError:
                raise _Fault(f"unable to remove nonexistent key: {path[-1]}: {_MISSING}") from None
            except IndexError:
                raise _bad_index(path[-1]) from None

    def _replace(self, path: list[str], value: Any, named: str) -> None:
        if not path:
            self.root = value
            return
        parent = self._parent(path)
        if parent is None:
            raise _Fault(f"replace operation does not apply: doc is missing path: {named}: {_MISSING}")
        try:
            key = _key(parent, path[-1])
        except _Fault:
            key = None
        known = key in parent if isinstance(parent, dict) else key is not None and -len(parent) <= key < len(parent)
        if not known:
            raise _Fault(f"replace operation does not apply: doc is missing key: {named}: {_MISSING}")
        parent[key] = value

    def _move(self, path: list[str], source: list[str], named: str, origin: str) -> None:
        try:
            with _for(f"error in move for path: '{origin}'"):
                value = self._get(source)
        except KeyError:
            raise _Fault(f"move operation does not apply: doc is missing from path: {origin}: {_MISSING}") from None
        if path[: len(source)] == source and path != source:
            raise _Fault("move operation does not apply: a value cannot be moved into itself")
        self._remove(source, origin, "move")
        self._add(path, value, named, f"move operation does not apply: doc is missing destination path: {named}")

    def _copy(self, path: list[str], source: list[str], named: str, origin: str) -> None:
        try:
            with _for(f"error in copy for from: '{origin}'"):
                value = self._get(source)
        except KeyError:
            raise _Fault(f"copy operation does not apply: doc is missing from path: {origin}: {_MISSING}") from None
        data = msgspec.json.encode(value)
        self._copied += len(data)
        if self._copied > MAX_COPIED_BYTES:
            raise _Fault(
                f"Unable to complete the copy, the accumulated size increase of copy is {self._copied}, "
                f"exceeding the limit {MAX_COPIED_BYTES}"
            )
        missing = f"copy operation does not apply: doc is missing destination path: {named}"
        self._add(path, msgspec.json.decode(data), named, missing)

    def _test(self, path: list[str], expected: Any, named: str) -> None:
        failed = f"testing value {named} failed: test failed"
        try:
            found = self._get(path)
        except KeyError:
            raise _Fault(f"test operation does not apply: is missing path: {named}: {_MISSING}") from None
        except _Fault as fault:
            # An absent member tests equal to null, as upstream's library has it.
            if expected is None and str(fault).endswith(_MISSING):
                return
            if str(fault).endswith(_MISSING):
                raise _as_test_failure(failed) from None
            raise _Fault(f"error in test for path: '{named}': {fault}") from None
        if not _equal(found, expected):
            raise _as_test_failure(failed)


_MISSING = "missing value"


def cause(error: StatusError) -> str:
    """Why a patch does not apply, in the words of upstream's library, which only the log and webhooks get to see."""
    notes: list[str] = getattr(error, "__notes__", [])
    return notes[0] if notes else str(error)


def _as_test_failure(text: str) -> TestFailed:
    failed = TestFailed(does_not_apply(text).status)
    failed.add_note(text)
    return failed


@contextmanager
def _for(what: str) -> Iterator[None]:
    """Says of a fault to which operation it belongs."""
    try:
        yield
    except _Fault as fault:
        raise _Fault(f"{what}: {fault}") from None


def _bad_index(token: str) -> _Fault:
    return _Fault(f"Unable to access invalid index: {token}: invalid index referenced")


def _not_a_number(token: str) -> str:
    return f"strconv.Atoi: parsing {go_value(token)}: invalid syntax"


def _pointer(operation: dict[str, Any], member: str) -> list[str]:
    text = operation.get(member)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise does_not_apply(f"operation has no valid {member!r}")
    return [token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:]]


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise does_not_apply("operation has no value")
    return operation["value"]


def _key(container: Any, token: str) -> Any:
    if isinstance(container, dict):
        return token
    try:
        return int(token)
    except ValueError:
        raise _Fault(_not_a_number(token)) from None


def _equal(left: Any, right: Any) -> bool:
    """JSON equality: unlike in Python, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)
