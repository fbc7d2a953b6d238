"""``/logs/``: the files below ``/var/log``, and nothing that a link there leads to elsewhere."""

from __future__ import annotations

import asyncio
import html
import os
import stat
from pathlib import Path
from urllib.parse import quote

from .access import Refused
from .http import head

CHUNK = 256 * 1024


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def listing(directory: Path) -> bytes:
    """A directory as a page of links."""
    with os.scandir(directory) as entries:
        names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in entries)
    links = "".join(f'<a href="{quote(name)}">{html.escape(name)}</a>\n' for name in names)
    return f"<!doctype html>\n<pre>\n{links}</pre>\n".encode()


def locate(root: Path, path: str) -> Path:
    """The file that a path means; raises Refused for what is not there, no file, or elsewhere."""
    try:
        top = root.resolve(strict=True)
        found = (top / path.lstrip("/")).resolve(strict=True)
        kind = found.stat().st_mode
    except (OSError, ValueError, RuntimeError) as error:
        raise Refused(404, "404 page not found\n") from error
    if not found.is_relative_to(top) or not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise Refused(404, "404 page not found\n")
    return found


async def serve_node_logs(writer: asyncio.StreamWriter, root: Path, path: str) -> bool:
    """Answer with a file or a listing; returns whether the connection goes on."""
    found = await asyncio.to_thread(locate, root, path)
    if found.is_dir():
        if not path.endswith("/"):
            writer.write(head(301, {"Location": quote(path.rpartition("/")[2]) + "/", "Content-Length": "0"}))
            return True
        page = await asyncio.to_thread(listing, found)
        writer.write(head(200, {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(page))}))
        writer.write(page)
        return True
    try:
        file = await asyncio.to_thread(open, found, "rb", opener=_opener)
    except OSError as error:
        raise Refused(403, "403 Forbidden\n") from error
    with file:
        left = os.fstat(file.fileno()).st_size
        writer.write(head(200, {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(left)}))
        while left and (data := await asyncio.to_thread(file.read, min(CHUNK, left))):
            left -= len(data)
            writer.write(data)
            await writer.drain()
    return not left
