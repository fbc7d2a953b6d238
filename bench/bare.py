"""The floor of this machine: a TLS server on the same loop that does nothing but write.

``python -m bench.bare PORT CERTIFICATE KEY AUTHORITY`` answers as much HTTP as :mod:`.load` speaks: ``GET /list/N``
with N bytes; ``GET /watch`` never ends; ``PATCH /change/N`` gives N bytes to every watcher.  Buffers are as large, and
as many watchers are served at a time, as in the API server.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import uvloop

from steersman.apiserver.http.messages import chunk
from steersman.apiserver.http.server import tls_context

from .processes import Processes, free_port, server_cores

_BUFFER = b"JSON that somebody made before.\n" * 3072
_SLICE = 128
_LIFETIME = 600
"""Seconds: whoever started it may have gone without a word."""


class Bare(asyncio.Protocol):
    """One connection; ``watchers`` are those of all."""

    def __init__(self, watchers: list[asyncio.Transport]) -> None:
        self._watchers = watchers
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        if self._transport in self._watchers:
            self._watchers.remove(self._transport)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        match data.split(b" ", 2)[1].split(b"/")[1:]:
            case [b"list", size]:
                self._task = asyncio.get_running_loop().create_task(self._answer(int(size)))
            case [b"watch"]:
                self._transport.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                self._watchers.append(self._transport)
            case [b"change", size]:
                self._task = asyncio.get_running_loop().create_task(self._tell(chunk(b"x" * int(size))))

    async def _answer(self, size: int) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for start in range(0, size, len(_BUFFER)):
            self._transport.write(_BUFFER[: size - start])
            await self._writable.wait()

    async def _tell(self, frame: bytes) -> None:
        for first in range(0, len(self._watchers), _SLICE):
            for watcher in self._watchers[first : first + _SLICE]:
                watcher.write(frame)
            await asyncio.sleep(0)
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


async def _serve(port: int, certificate: Path, key: Path, authority: Path) -> None:
    watchers: list[asyncio.Transport] = []
    await asyncio.get_running_loop().create_server(
        lambda: Bare(watchers), "127.0.0.1", port, ssl=tls_context(certificate, key, [authority]), backlog=1024
    )
    await asyncio.sleep(_LIFETIME)


def start(processes: Processes, pki: Path, log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """One with an API server's certificates; the process and its port."""
    port = free_port()
    files = [str(pki / name) for name in ("apiserver.crt", "apiserver.key", "ca.crt")]
    process = processes.start([sys.executable, "-m", "bench.bare", str(port), *files], log, server_cores())
    return process, port


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), *map(Path, sys.argv[2:5])))
