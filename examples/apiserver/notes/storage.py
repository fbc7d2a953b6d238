"""Objects in an SQLite file: every write is a revision, and what has changed since one can be read for a while.

A watch is a reader of the table of changes that waits for the next one.  It needs no queue of its own, so a slow client
costs nothing; who comes back with a revision whose successors have been forgotten lists again (410).
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from steersman.api.errors import already_exists, conflict, expired, not_found

from .kind import GROUP, RESOURCE, Tree

KEPT = 1000
"""So many changes are kept for watches to resume from."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (namespace TEXT, name TEXT, body BLOB, PRIMARY KEY (namespace, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changes (
    revision INTEGER PRIMARY KEY AUTOINCREMENT, namespace TEXT, before BLOB, after BLOB
);
"""
Change = Callable[[Tree], Tree | None]


class Event(NamedTuple):
    """A change; ``before`` is None for what is new, ``after`` for what has gone."""

    revision: int
    before: Tree | None
    after: Tree | None


class Storage:
    """See the module.  Calls take some microseconds, so they are made on the event loop."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)
        self._changed = asyncio.Event()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def revision(self) -> int:
        """Of the last change; never 0, by which clients mean any."""
        return self._number("SELECT coalesce(max(seq), 1) FROM sqlite_sequence WHERE name = 'changes'")

    def get(self, namespace: str, name: str) -> Tree:
        """An object; raises 404."""
        row = self._row("SELECT body FROM objects WHERE namespace = ? AND name = ?", namespace, name)
        if row is None:
            raise not_found(RESOURCE, name, GROUP)
        return _tree(row[0])

    def list(self, namespace: str) -> tuple[list[Tree], int]:
        """The objects of a namespace, or of all, and the revision at which they were so."""
        rows = self._database.execute(
            "SELECT body FROM objects WHERE ? IN ('', namespace) ORDER BY namespace, name", (namespace,)
        )
        return [_tree(row[0]) for row in rows], self.revision

    def create(self, note: Tree) -> Tree:
        """Keep a new object; raises 409 where there is one of its name."""
        metadata = note["metadata"]
        key = metadata["namespace"], metadata["name"]
        if self._row("SELECT 1 FROM objects WHERE namespace = ? AND name = ?", *key) is not None:
            raise already_exists(RESOURCE, metadata["name"], GROUP)
        return self._commit(*key, None, note)

    def change(self, namespace: str, name: str, decide: Change) -> Tree:
        """Replace an object by what is decided upon it, or remove it where that is None; what it is (or was) then.

        Nothing comes between the look and the write.  A revision that the decision names must be the present one.
        """
        before = self.get(namespace, name)
        after = decide(msgspec.json.decode(msgspec.json.encode(before)))
        if after is None:
            return self._commit(namespace, name, before, None)
        expected = after["metadata"].get("resourceVersion")
        if expected not in (None, "", before["metadata"]["resourceVersion"]):
            detail = "the object has been modified; please apply your changes to the latest version and try again"
            raise conflict(RESOURCE, name, detail, GROUP)
        after["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        return before if after == before else self._commit(namespace, name, before, after)

    def _commit(self, namespace: str, name: str, before: Tree | None, after: Tree | None) -> Tree:
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            revision = self.revision + 1
            result = after if after is not None else before
            assert result is not None
            result = {**result, "metadata": {**result["metadata"], "resourceVersion": str(revision)}}
            body = msgspec.json.encode(result)
            self._database.execute(
                "INSERT INTO changes VALUES (?, ?, ?, ?)",
                (
                    revision,
                    namespace,
                    None if before is None else body if after is None else msgspec.json.encode(before),
                    None if after is None else body,
                ),
            )
            if after is None:
                self._database.execute("DELETE FROM objects WHERE namespace = ? AND name = ?", (namespace, name))
            else:
                self._database.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", (namespace, name, body))
            self._database.execute("DELETE FROM changes WHERE revision <= ?", (revision - KEPT,))
        self._changed.set()
        self._changed = asyncio.Event()
        return result

    async def watch(self, namespace: str, since: int) -> AsyncIterator[Sequence[Event]]:
        """What changes after a revision, as it comes; raises 410 where that is no longer known."""
        while True:
            changed = self._changed
            newest = self.revision
            oldest = self._number("SELECT min(revision) FROM changes") or newest + 1
            if not oldest - 1 <= since <= newest:
                raise expired(f"too old resource version: {since} ({oldest - 1})")
            rows = self._database.execute(
                "SELECT revision, before, after, namespace FROM changes WHERE revision > ? ORDER BY revision LIMIT 100",
                (since,),
            ).fetchall()
            if rows:
                since = rows[-1][0]
                yield [Event(row[0], _some(row[1]), _some(row[2])) for row in rows if namespace in ("", row[3])]
            else:
                await changed.wait()

    def _row(self, statement: str, *values: Any) -> Any:
        return self._database.execute(statement, values).fetchone()

    def _number(self, statement: str) -> int:
        row = self._row(statement)
        return int(row[0] or 0)


def _tree(body: bytes) -> Tree:
    tree: Tree = msgspec.json.decode(body)
    return tree


def _some(body: bytes | None) -> Tree | None:
    return None if body is None else _tree(body)
