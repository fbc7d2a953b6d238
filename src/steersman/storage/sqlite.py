"""The embedded store on disk: SQLite in WAL mode, ``synchronous=FULL``, one transaction for each group of commits.

One thread writes, one reads, each with a connection of its own; decisions are made on the event loop
(:mod:`.embedded`), so a group is a single INSERT statement and the interpreter lock is passed on once.

``history`` holds a row for each version of each key.  Its id is ``revision << 16 | position within the commit``: the
table grows at its end, and reading it in order is reading the log.  ``history_key`` finds the versions of a key.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import apsw

from .embedded import Difference, EmbeddedStore, NothingForgotten, Row, Version
from .followers import prefix_end
from .store import KeyValue, NoSpace, StoreError, StoreUnusableError

T = TypeVar("T")

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
APPLICATION_ID = 0x53747273  # "Strs"
_SHIFT = 16
_INSERT_ROWS = 64  # per statement; statements of each size are cached by the connection
_COMPACT_ROWS = 2000
_VACUUM_PAGES = 256

_SCHEMA = f"""
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA application_id = {APPLICATION_ID};
BEGIN IMMEDIATE;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('compact_revision', 0);
CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    created INTEGER NOT NULL,
    value BLOB  -- NULL: deleted
);
CREATE INDEX history_key ON history (key, id);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""  # noqa: S608

_LATEST = "SELECT id, created, value FROM history WHERE key = ? ORDER BY id DESC LIMIT 1"
# The newest version of each key within an interval, from the index alone; rows are fetched for these.
_RANGE = """
SELECT h.key, h.id, h.created, h.value FROM
    (SELECT max(id) AS id FROM history INDEXED BY history_key
     WHERE key >= ? AND key < ? AND id < ? GROUP BY key) AS latest
    CROSS JOIN history AS h ON h.id = latest.id WHERE h.value IS NOT NULL
"""
_COUNT = f"SELECT count(*) FROM ({_RANGE})"  # noqa: S608
_HISTORY = """
SELECT h.id, h.key, h.created, h.value FROM
    (SELECT id FROM history INDEXED BY history_key
     WHERE key >= ? AND key < ? AND id >= ? AND id < ? ORDER BY id LIMIT ?) AS found
    CROSS JOIN history AS h ON h.id = found.id ORDER BY h.id
"""
# The keys that were written in between, with their values before and after.
_DIFFERENCES = """
SELECT changed.key, b.id, b.created, b.value, n.id, n.created, n.value FROM
    (SELECT key, max(id) AS id FROM history NOT INDEXED WHERE id >= ?1 AND id < ?2 GROUP BY key) AS changed
    CROSS JOIN history AS n ON n.id = changed.id
    LEFT JOIN history AS b ON b.id = (SELECT max(id) FROM history WHERE key = changed.key AND id < ?1)
    WHERE n.value IS NOT b.value
"""
_GARBAGE = """
DELETE FROM history WHERE id >= ?1 AND id < ?2 AND (value IS NULL OR EXISTS
    (SELECT 1 FROM history AS newer WHERE newer.key = history.key AND newer.id > history.id AND newer.id < ?3))
"""
# That something was deleted since the oldest revision held tells of what there was.
_NOT_DELETED_SINCE = " AND NOT (value IS NULL AND id >= {0})"
_NOT_HELD = """
    AND (value IS NULL OR id >= {0} OR EXISTS
        (SELECT 1 FROM history AS newer WHERE newer.key = history.key AND newer.id > history.id AND newer.id < {0}))
"""


class SqliteStore(EmbeddedStore):
    """A store in one file.  ``await SqliteStore.open(path)``."""

    def __init__(self, path: Path, lock: int, writer: apsw.Connection, reader: apsw.Connection) -> None:
        super().__init__()
        self._path = path
        self._lock = lock
        self._writer = writer
        self._reader = reader
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="sqlite writer", daemon=True)
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="sqlite reader")

    @classmethod
    async def open(cls, path: str | os.PathLike[str], *, quota_bytes: int = 0) -> SqliteStore:
        """Open or create the file, mode 0600; ``quota_bytes`` (0: none) bounds its size.

        Raises StoreUnusableError when it is of an unknown version, in use by another process, or no store at all.
        """
        path = Path(path)
        try:
            lock, writer, reader, index, revision, compacted = await asyncio.to_thread(_open, path, quota_bytes)
        except OSError as error:
            raise StoreUnusableError(f"cannot open {path}: {error.strerror or error}") from error
        store = cls(path, lock, writer, reader)
        store._index = index
        store._followers.revision = revision
        store._compact_revision = compacted
        store._thread.start()
        return store

    # -- the writer's thread -------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _write(self, rows: list[Row], done: Callable[[StoreError | None], None]) -> None:
        def job() -> None:
            error: StoreError | None = None
            try:
                _insert(self._writer, rows)
            except Exception as failure:
                error = self._translate(failure)
            self._report(done, error)

        self._jobs.put(job)

    async def _on_writer(self, function: Callable[[apsw.Connection], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()

        def finish(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        def job() -> None:
            result, error = None, None
            try:
                result = function(self._writer)
            except Exception as failure:
                error = self._translate(failure)
            self._report(finish, result, error)

        self._jobs.put(job)
        return await future

    def _report(self, callback: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever asked
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _translate(self, error: Exception) -> StoreError:
        if isinstance(error, apsw.FullError) or (isinstance(error, apsw.IOError) and self._is_disk_full()):
            return NoSpace(f"no space left for {self._path}")
        return StoreError(f"{self._path}: {error}")

    def _is_disk_full(self) -> bool:
        return shutil.disk_usage(self._path.parent).free < 1 << 16

    # -- reading -------------------------------------------------------------------------------------------------

    async def _on_reader(self, function: Callable[[apsw.Connection], T]) -> T:
        try:
            return await self._loop.run_in_executor(self._readers, function, self._reader)
        except apsw.Error as error:
            raise StoreError(f"{self._path}: {error}") from error

    async def _read(self, key: str) -> KeyValue | None:
        row = await self._on_reader(lambda reader: reader.execute(_LATEST, (key,)).fetchone())
        return None if row is None or row[2] is None else KeyValue(key, row[2], row[1], row[0] >> _SHIFT)

    async def _read_range(self, first: str, end: str, limit: int, revision: int) -> list[KeyValue]:
        def read(reader: apsw.Connection) -> list[KeyValue]:
            rows = reader.execute(f"{_RANGE} LIMIT ?", (first, end, (revision + 1) << _SHIFT, limit or -1))
            return [KeyValue(key, value, created, id_ >> _SHIFT) for key, id_, created, value in rows]

        return await self._on_reader(read)

    async def _count_range(self, first: str, end: str, revision: int) -> int:
        parameters = (first, end, (revision + 1) << _SHIFT)
        return int(await self._on_reader(lambda reader: reader.execute(_COUNT, parameters).get))

    async def _read_history(self, prefix: str, first: int, last: int, limit: int) -> list[Row]:
        parameters = (prefix, prefix_end(prefix), first << _SHIFT, (last + 1) << _SHIFT, limit)

        def read(reader: apsw.Connection) -> list[Row]:
            return [
                Row(id_ >> _SHIFT, id_ & 0xFFFF, key, created, value)
                for id_, key, created, value in reader.execute(_HISTORY, parameters)
            ]

        return await self._on_reader(read)

    # -- the rest ------------------------------------------------------------------------------------------------

    async def _read_differences(self, since: int, until: int) -> list[Difference]:
        def read(reader: apsw.Connection) -> list[Difference]:
            return [
                Difference(row[0], _key_value(row[0], *row[1:4]), _key_value(row[0], *row[4:]))
                for row in reader.execute(_DIFFERENCES, ((since + 1) << _SHIFT, (until + 1) << _SHIFT))
            ]

        return await self._on_reader(read)

    async def _forget(self, revision: int, held: Sequence[int]) -> None:
        """Delete garbage in small transactions, so that commits pass between them; then return pages to the disk."""
        limit = revision << _SHIFT
        mark = "UPDATE meta SET value = ? WHERE name = 'compact_revision'"
        try:
            await self._on_writer(lambda writer: writer.execute(mark, (revision,)).fetchall())
        except StoreError as error:
            raise NothingForgotten(str(error)) from error
        garbage = _GARBAGE
        if held:
            ends = [(each + 1) << _SHIFT for each in held]
            garbage += _NOT_DELETED_SINCE.format(ends[0]) + "".join(map(_NOT_HELD.format, ends))
        step = "SELECT max(id) FROM (SELECT id FROM history WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)"
        first = 0
        while True:
            last = await self._on_writer(
                lambda writer, first=first: writer.execute(step, (first, limit, _COMPACT_ROWS)).get  # type: ignore[misc]
            )
            if last is None:
                break
            # A key's newest version up to and including the compacted revision stays.
            parameters = (first, last + 1, limit + (1 << _SHIFT))
            await self._on_writer(
                lambda writer, parameters=parameters: writer.execute(garbage, parameters).fetchall()  # type: ignore[misc]
            )
            first = last + 1
        await self._vacuum()

    async def _vacuum(self) -> None:
        """Give free pages back while they are more than a quarter of the file."""
        while True:
            free, total = await self._on_writer(lambda w: (w.pragma("freelist_count"), w.pragma("page_count")))
            if free <= max(_VACUUM_PAGES, total // 4):
                return
            vacuum = f"PRAGMA incremental_vacuum({_VACUUM_PAGES})"
            await self._on_writer(lambda writer, vacuum=vacuum: writer.execute(vacuum).fetchall())  # type: ignore[misc]

    async def size(self) -> int:
        """The bytes of the file and of its write-ahead log."""
        total = 0
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(f"{self._path}{suffix}").st_size
        return total

    async def close(self) -> None:
        """Finish what was begun, and let the file go."""
        if self._closed:
            return
        await self._quiesce()
        async with self._compacting:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._readers.shutdown()
            self._reader.close()
            self._writer.close()  # the last connection checkpoints and removes the write-ahead log
            os.close(self._lock)


def _key_value(key: str, id_: int | None, created: int, value: bytes | None) -> KeyValue | None:
    return None if id_ is None or value is None else KeyValue(key, value, created, id_ >> _SHIFT)


def _insert(writer: apsw.Connection, rows: list[Row]) -> None:
    """Write a group as one transaction: when it is small, as one statement that is its own transaction."""
    if len(rows) <= _INSERT_ROWS:
        _insert_some(writer, rows)
        return
    writer.execute("BEGIN IMMEDIATE")
    try:
        for start in range(0, len(rows), _INSERT_ROWS):
            _insert_some(writer, rows[start : start + _INSERT_ROWS])
        writer.execute("COMMIT")
    except BaseException:
        if writer.in_transaction:
            writer.execute("ROLLBACK")
        raise


def _insert_some(writer: apsw.Connection, rows: list[Row]) -> None:
    bindings: list[Any] = []
    for row in rows:
        bindings += (row.revision << _SHIFT | row.position, row.key, row.create_revision, row.value)
    writer.execute("INSERT INTO history VALUES (?,?,?,?)" + ",(?,?,?,?)" * (len(rows) - 1), bindings)


def _open(path: Path, quota_bytes: int) -> tuple[int, apsw.Connection, apsw.Connection, dict[str, Version], int, int]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _lock(path)
    try:
        _check_header(path)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        writer = reader = None
        try:
            writer = _connect(path)
            _prepare(path, writer, quota_bytes)
            reader = _connect(path)
            reader.pragma("query_only", True)
            reader.pragma("cache_size", -1024)
            return lock, writer, reader, *_load(writer)
        except apsw.Error as error:
            for connection in (reader, writer):
                if connection is not None:
                    connection.close()
            raise StoreUnusableError(f"cannot open {path}: {error}") from error
    except BaseException:
        os.close(lock)
        raise


def _lock(path: Path) -> int:
    """Hold a lock beside the file for as long as it is open; SQLite's own would be dropped by any other close."""
    name = f"{path}.lock"
    lock = os.open(name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise StoreUnusableError(f"{path} is in use by another process (process {owner})") from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _check_header(path: Path) -> None:
    """Refuse what is not ours before SQLite touches it."""
    try:
        header = path.read_bytes()[:100] if path.stat().st_size < 1 << 12 else _read_header(path)
    except FileNotFoundError:
        return
    if not header:
        return
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise StoreUnusableError(f"{path} is not a data file of steersman")
    _check_version(path, int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big"))


def _read_header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(100)


def _check_version(path: Path, application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise StoreUnusableError(f"{path} is a database of another application")
    if version != SCHEMA_VERSION:
        raise StoreUnusableError(
            f"{path} has data version {version}; this program reads version {SCHEMA_VERSION}: "
            f"use the release that wrote it, or another data directory"
        )


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(5000)
    return connection


def _prepare(path: Path, writer: apsw.Connection, quota_bytes: int) -> None:
    if writer.pragma("schema_version") == 0 and writer.pragma("user_version") == 0:
        writer.pragma("synchronous", "full")
        for _ in writer.execute(_SCHEMA):  # in rollback mode, so that the versions are in the file itself
            pass
    _check_version(path, writer.pragma("application_id"), writer.pragma("user_version"))
    if writer.pragma("journal_mode", "wal") != "wal":
        raise StoreUnusableError(f"{path}: this file system does not support SQLite's write-ahead log")
    writer.pragma("synchronous", "full")
    writer.pragma("journal_size_limit", 16 << 20)
    if quota_bytes:
        writer.pragma("max_page_count", max(16, quota_bytes // writer.pragma("page_size")))


def _load(writer: apsw.Connection) -> tuple[dict[str, Version], int, int]:
    index: dict[str, Version] = {}
    query = _RANGE.replace("h.key, h.id, h.created, h.value", "h.key, h.id, h.created", 1)
    for key, id_, created in writer.execute(query, ("", prefix_end(""), 1 << 62)):
        revision = id_ >> _SHIFT
        index[key] = Version(revision if revision == created else created, revision)
    compacted = writer.execute("SELECT value FROM meta WHERE name = 'compact_revision'").get
    last = writer.execute("SELECT max(id) FROM history").get or 0
    return index, max(1, last >> _SHIFT, compacted), compacted
