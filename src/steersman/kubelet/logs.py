"""Container logs in CRI's format: reading them as ``kubectl logs`` asks, and rotating them."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from steersman.api.time import parse_rfc3339

CHUNK = 64 << 10
POLL_SECONDS = 0.2


class LogOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What of a log is wanted."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: datetime | None = None
    stream: str = "All"


def options_from_query(query: dict[str, str], now: datetime) -> LogOptions:
    """The options of a request; raises ValueError for values that are none."""
    since = None
    if seconds := query.get("sinceSeconds"):
        since = now - timedelta(seconds=int(seconds))
    elif instant := query.get("sinceTime"):
        since = parse_rfc3339(instant)
    return LogOptions(
        follow=query.get("follow", "") in ("true", "1"),
        timestamps=query.get("timestamps", "") in ("true", "1"),
        tail_lines=int(query["tailLines"]) if query.get("tailLines") else None,
        limit_bytes=int(query["limitBytes"]) if query.get("limitBytes") else None,
        since=since,
        stream=query.get("stream") or "All",
    )


class _Reader:
    """Turns lines of a CRI log into what is sent.  Parts of one line (tag ``P``) carry one time stamp."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._continued: dict[bytes, bool] = {}
        self._left = options.limit_bytes
        # What is written while the last lines are read is not among them.
        self._lines = None if options.follow else options.tail_lines
        since = options.since
        self._since = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").encode() if since is not None else b""

    @property
    def exhausted(self) -> bool:
        return self._lines == 0 or (self._left is not None and self._left <= 0)

    def read(self, line: bytes) -> bytes:
        if self._lines is not None:
            if not self._lines:
                return b""
            self._lines -= 1
        parts = line.split(b" ", 3)
        if len(parts) < 4:
            return b""
        stamp, stream, tag, text = parts
        if self._options.stream not in ("All", "") and stream.decode().capitalize() != self._options.stream:
            return b""
        if self._since and stamp[:26].rstrip(b"Z") < self._since:
            return b""
        part = tag.startswith(b"P")
        prefix = b"" if self._continued.get(stream) or not self._options.timestamps else stamp + b" "
        self._continued[stream] = part
        out = prefix + text.rstrip(b"\n") + (b"" if part else b"\n")
        if self._left is not None:
            out = out[: max(0, self._left)]
            self._left -= len(out)
        return out


def files_of(path: Path) -> list[Path]:
    """A log's files, oldest first: what rotation has set aside, then the log itself."""
    rotated = sorted(each for each in path.parent.glob(path.name + ".*") if not each.name.endswith(".tmp"))
    return [*rotated, path]


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


async def _read_whole(path: Path, reader: _Reader, start: int = 0) -> AsyncIterator[bytes]:
    """What is wanted of a file that is no longer written, in pieces; read and taken apart off the loop."""

    def piece() -> bytes | None:
        lines = file.readlines(CHUNK)
        return b"".join(map(reader.read, lines)) if lines else None

    file = await asyncio.to_thread(_open, path)
    try:
        file.seek(start)
        while not reader.exhausted and (out := await asyncio.to_thread(piece)) is not None:
            if out:
                yield out
    finally:
        file.close()


def _seek_tail(path: Path, lines: int) -> tuple[int, int]:
    """Where the last ``lines`` lines of a file begin, and how many of them it has."""
    if path.suffix == ".gz":
        starts: deque[int] = deque([0], maxlen=lines + 1)
        with _open(path) as file:
            starts.extend(accumulate(map(len, file)))
        return starts[0], len(starts) - 1
    with path.open("rb") as file:
        position, left = file.seek(0, os.SEEK_END), lines + 1
        while position > 0:
            step = min(CHUNK, position)
            file.seek(position - step)
            block = file.read(step)
            if (count := block.count(b"\n")) >= left:
                end = len(block)
                for _ in range(left):
                    end = block.rindex(b"\n", 0, end)
                return position - step + end + 1, lines
            left -= count
            position -= step
        return 0, lines + 1 - left


def _tail_starts(path: Path, lines: int) -> list[tuple[Path, int]]:
    """The files, oldest first, that hold the last ``lines`` lines of a log, and where to begin in each."""
    starts: list[tuple[Path, int]] = []
    for file in reversed(files_of(path)):
        start, found = _seek_tail(file, lines)
        starts.insert(0, (file, start))
        lines -= found
        if lines <= 0:
            break
    return starts


def tail(path: Path, lines: int, limit: int) -> str:
    """The last lines of a log, as text: for termination messages."""
    try:
        start, _ = _seek_tail(path, lines)
    except OSError:
        return ""
    reader, out = _Reader(LogOptions()), bytearray()
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            out += reader.read(line)
    return bytes(out[-limit:]).decode(errors="replace")


async def read_log(path: Path, options: LogOptions, alive: Callable[[], bool]) -> AsyncIterator[bytes]:
    """A log's content, in pieces.

    Following ends when the container has ended (``alive``) and all was read; a rotated file is read to its end
    before the new one.  Raises FileNotFoundError where there is no log.
    """
    reader = _Reader(options)
    if options.tail_lines is not None:
        *older, (_, start) = await asyncio.to_thread(_tail_starts, path, options.tail_lines)
    else:
        older, start = [(old, 0) for old in files_of(path)[:-1]], 0
    for old, begin in older:
        async for out in _read_whole(old, reader, begin):
            yield out
        if reader.exhausted:
            return
    file = await asyncio.to_thread(path.open, "rb")
    before = _set_aside_names(path)
    turned = False
    try:
        file.seek(start)
        rest = b""
        while True:
            running = alive()  # MUST be asked before reading, or the last lines could be missed
            data = await asyncio.to_thread(file.read, CHUNK)
            if data:
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                out = b"".join(reader.read(line + b"\n") for line in lines)
                if out:
                    yield out
                if reader.exhausted:
                    return
                continue
            if not options.follow:
                break
            if turned:
                fresh = await asyncio.to_thread(path.open, "rb")
                file.close()
                file, turned = fresh, False
                for missed in _missed(path, before, fresh.fileno()):
                    async for out in _read_whole(missed, reader):
                        yield out
                before = _set_aside_names(path)
                continue
            if turned := _rotated(path, file.fileno()):
                continue  # MUST read once more: the last lines may have come after the end was seen
            if not running:
                break
            await asyncio.sleep(POLL_SECONDS)
        if rest and (out := reader.read(rest)):
            yield out
    finally:
        file.close()


def _rotated(path: Path, descriptor: int) -> bool:
    try:
        here, open_one = path.stat(), os.fstat(descriptor)
    except OSError:
        return False
    return (here.st_dev, here.st_ino) != (open_one.st_dev, open_one.st_ino)


def _plain(path: Path) -> str:
    return path.name.removesuffix(".gz")


def _set_aside_names(path: Path) -> set[str]:
    return {_plain(each) for each in files_of(path)[:-1]}


def _missed(path: Path, before: set[str], descriptor: int) -> list[Path]:
    """What was set aside between the file that was read, first of those not known ``before``, and the one now open."""
    later = [each for each in files_of(path)[:-1] if _plain(each) not in before]
    now_open = os.fstat(descriptor).st_ino
    missed = []
    for each in later[1:]:
        if each.suffix != ".gz" and each.stat().st_ino == now_open:
            break
        missed.append(each)
    return missed


def needs_rotation(path: Path, limit: int) -> bool:
    """Whether a log has grown past its limit."""
    try:
        return path.stat().st_size > limit
    except OSError:
        return False


def set_aside(path: Path, now: datetime) -> Path:
    """Rename a log; the runtime is told to reopen afterwards."""
    rotated = path.with_name(f"{path.name}.{now.strftime('%Y%m%d-%H%M%S')}")
    path.rename(rotated)
    return rotated


def compress_and_prune(path: Path, max_files: int) -> None:
    """Compress all set-aside files but the newest, which the runtime may still write; keep ``max_files`` in all."""
    rotated = files_of(path)[:-1]
    for old in rotated[:-1]:
        if old.suffix != ".gz":
            temporary = old.with_name(old.name + ".tmp")
            with old.open("rb") as source, gzip.open(temporary, "wb") as target:
                shutil.copyfileobj(source, target)
            temporary.rename(old.with_name(old.name + ".gz"))
            old.unlink()
    rotated = files_of(path)[:-1]
    for old in rotated[: max(0, len(rotated) - (max_files - 1))]:
        old.unlink(missing_ok=True)
