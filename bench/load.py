"""The load generator: a process that speaks HTTP/1.1 over TLS on keep-alive connections, and does little else.

``python -m bench.load`` reads a :class:`Job` as JSON from stdin and writes an :class:`Outcome` as JSON to stdout.  A
response is counted when its last byte has come; the body is not looked at.
"""

from __future__ import annotations

import asyncio
import os
import resource
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import uvloop

from .processes import load_cores

WARM_UP = 0.3
"""Seconds whose responses do not count."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to do.  ``{n}`` in path and body becomes a number of eight digits, never the same twice.

    ``rate``: every connection sends the next request when it has the response, for ``seconds``, or ``count`` in all.
    ``fan-out``: every connection watches ``path``; then ``body`` is sent ``count`` times as a merge patch to
    ``target``, and the time until the last watcher has its event is taken each time.
    ``idle``: every connection watches ``path``; ``bytes`` of the outcome is the resident memory, in KiB, that the
    process whose ``/proc`` status is ``target`` has while all are open.
    """

    kind: Literal["rate", "fan-out", "idle"]
    host: str
    port: int
    authority: str
    certificate: str
    path: str
    method: str = "GET"
    body: str = ""
    target: str = ""
    connections: int = 16
    seconds: float = 3.0
    count: int = 0
    first: int = 0


class Outcome(msgspec.Struct, kw_only=True):
    """What came of it; times in milliseconds, ``bytes`` per response, ``cpu`` in cores.

    ``seconds`` is what the responses are counted over, ``elapsed`` the time under load, warm-up included.
    """

    responses: int
    errors: int
    seconds: float
    elapsed: float
    median: float
    slowest: float
    p99: float
    bytes: float
    cpu: float
    first_error: str = ""

    @property
    def rate(self) -> float:
        """Responses a second."""
        return self.responses / self.seconds if self.seconds else 0.0


_CIPHERS = Path(__file__).with_name("ciphers.cnf")
"""Python cannot order the ciphers of TLS 1.3; OpenSSL's configuration can."""


def run(job: Job) -> Outcome:
    """Do a job in a process of its own, on cores where the server is not."""
    result = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=msgspec.json.encode(job),
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OPENSSL_CONF": str(_CIPHERS)},
    )
    return msgspec.json.decode(result.stdout, type=Outcome)


class Connection(asyncio.Protocol):
    """One keep-alive connection; ``on_response`` gets the status line's code and the number of bytes."""

    def __init__(self, on_response: Callable[[Connection, int, int], None]) -> None:
        self.on_response = on_response
        self.transport: asyncio.Transport
        self.sent = 0.0
        self.lost = False
        self.excerpt = b""
        self._head = b""
        self._length = -1  # of the body; -1 while the head is incomplete, -2 for chunks
        self._received = 0
        self._status = 0
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.on_response(self, 0, 0)

    def send(self, request: bytes) -> None:
        self.sent = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._length == -1:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head, data = self._head[:end].lower(), self._head[end + 4 :]
            self._status = int(head[9:12])
            self._head = b""
            self._received = 0
            self._tail = b""
            at = head.find(b"content-length:")
            self._length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else -2
            if self._status >= 300:
                self.excerpt = data[:300]
        self._received += len(data)
        if self._length == -2:
            self._tail = (self._tail + data)[-5:]
            complete = self._tail == b"0\r\n\r\n"
        else:
            complete = self._received >= self._length
        if complete:
            self._length = -1
            self.on_response(self, self._status, self._received)


class Watcher(asyncio.Protocol):
    """One open watch; ``on_event`` is called for each piece that comes after the head."""

    def __init__(self, on_event: Callable[[Watcher], None]) -> None:
        self.on_event = on_event
        self.established = False
        self.received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if not self.established:
            if not data.startswith(b"HTTP/1.1 200"):
                raise ConnectionError(data[:300].decode(errors="replace"))
            self.established = True
            if data.endswith(b"\r\n\r\n"):
                return
        self.received += len(data)
        self.on_event(self)


def tls(job: Job) -> ssl.SSLContext:
    """Our side of TLS: the cluster's authority, the administrator's certificate."""
    context = ssl.create_default_context(cafile=job.authority)
    context.load_cert_chain(job.certificate)
    return context


def request_bytes(host: str, method: str, path: str, body: str = "", kind: str = "application/json") -> bytes:
    """One request."""
    data = body.encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: application/json"]
    if data:
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, "", ""]).encode() + data


def numbered(job: Job, number: int) -> bytes:
    """The request of a job with its number filled in."""
    text = f"{number:08d}"
    return request_bytes(job.host, job.method, job.path.replace("{n}", text), job.body.replace("{n}", text))


async def rate(job: Job) -> Outcome:
    """Count responses."""
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[None] = loop.create_future()
    latencies: list[float] = []
    state = {"next": job.first, "open": job.connections, "errors": 0, "bytes": 0, "started": 0.0}
    first_error = ""
    constant = numbered(job, 0) if "{n}" not in job.path + job.body else None
    ends = [float("inf")]

    def proceed(connection: Connection, status: int, size: int) -> None:
        nonlocal first_error
        now = time.perf_counter()
        if connection.lost:
            state["errors"] += 1
            first_error = first_error or "the connection was lost"
        elif status >= 300:
            state["errors"] += 1
            first_error = first_error or connection.excerpt.decode(errors="replace")
        elif job.count or connection.sent >= state["started"]:
            latencies.append(now - connection.sent)
            state["bytes"] += size
        if connection.lost or now >= ends[0] or (job.count and state["next"] >= job.first + job.count):
            state["open"] -= 1
            if state["open"] == 0 and not finished.done():
                finished.set_result(None)
            return
        state["next"] += 1
        connection.send(constant or numbered(job, int(state["next"]) - 1))

    context = tls(job)
    connections = []
    for _ in range(job.connections):
        _, connection = await loop.create_connection(lambda: Connection(proceed), job.host, job.port, ssl=context)
        connections.append(connection)
    cpu = time.process_time()
    start = time.perf_counter()
    state["started"] = start if job.count else start + WARM_UP
    if not job.count:
        ends[0] = state["started"] + job.seconds
    for connection in connections:
        state["next"] += 1
        connection.send(constant or numbered(job, int(state["next"]) - 1))
    await finished
    end = time.perf_counter()
    cpu = time.process_time() - cpu
    for connection in connections:
        connection.transport.abort()
    errors = int(state["errors"])
    return outcome(latencies, errors, end - state["started"], end - start, state["bytes"], cpu, first_error)


async def open_watches(job: Job, context: ssl.SSLContext, on_event: Callable[[Watcher], None]) -> list[Watcher]:
    """As many as there shall be, all of them answered."""
    loop = asyncio.get_running_loop()
    watchers: list[Watcher] = []
    request = request_bytes(job.host, "GET", job.path)
    pending = asyncio.Semaphore(16)

    async def open_one() -> None:
        async with pending:
            transport, watcher = await loop.create_connection(
                lambda: Watcher(on_event), job.host, job.port, ssl=context
            )
        transport.write(request)
        watchers.append(watcher)

    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        for number in range(job.connections):
            group.create_task(open_one(), name=f"watcher {number}")
    async with asyncio.timeout(30):
        while not all(watcher.established for watcher in watchers):
            await asyncio.sleep(0.05)
    return watchers


async def idle(job: Job) -> Outcome:
    """Hold watches open, and look at what they take."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    begin, cpu = time.perf_counter(), time.process_time()
    watchers = await open_watches(job, tls(job), lambda watcher: None)
    seconds = time.perf_counter() - begin
    lines = Path(job.target).read_text().splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    for watcher in watchers:
        watcher.transport.abort()
    return outcome([0.0], 0, seconds, seconds, memory, time.process_time() - cpu, "")


async def fan_out(job: Job) -> Outcome:
    """Take the time from a change to its last watcher."""
    loop = asyncio.get_running_loop()
    context = tls(job)
    waiting: set[Watcher] = set()
    arrived = asyncio.Event()

    def on_event(watcher: Watcher) -> None:
        waiting.discard(watcher)
        if not waiting:
            arrived.set()

    watchers = await open_watches(job, context, on_event)
    answered = asyncio.Event()
    error: list[str] = []

    def on_answer(connection: Connection, status: int, size: int) -> None:
        if status >= 300:
            error.append(connection.excerpt.decode(errors="replace"))
        answered.set()

    _, writer = await loop.create_connection(lambda: Connection(on_answer), job.host, job.port, ssl=context)
    latencies: list[float] = []
    begin, cpu = time.perf_counter(), time.process_time()
    for number in range(job.count):
        waiting.update(watchers)
        arrived.clear()
        answered.clear()
        body = job.body.replace("{n}", f"{number:08d}")
        writer.send(request_bytes(job.host, "PATCH", job.target, body, "application/merge-patch+json"))
        async with asyncio.timeout(10):
            await answered.wait()
            if error:
                break
            await arrived.wait()
        latencies.append(time.perf_counter() - writer.sent)
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - begin
    for watcher in watchers:
        watcher.transport.abort()
    writer.transport.abort()
    received = sum(watcher.received for watcher in watchers) / len(watchers)
    return outcome(latencies, len(error), seconds, seconds, received, time.process_time() - cpu, "".join(error))


def outcome(
    latencies: list[float], errors: int, seconds: float, elapsed: float, size: float, cpu: float, error: str
) -> Outcome:
    """Sum up."""
    ordered = sorted(latencies) or [0.0]
    return Outcome(
        responses=len(latencies),
        errors=errors,
        seconds=seconds,
        elapsed=elapsed,
        median=statistics.median(ordered) * 1000,
        p99=ordered[int(len(ordered) * 0.99)] * 1000,
        slowest=ordered[-1] * 1000,
        bytes=size / max(1, len(latencies)),
        cpu=cpu / elapsed,
        first_error=error,
    )


def main() -> None:
    """Do the job on stdin."""
    os.sched_setaffinity(0, load_cores())
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    result = uvloop.run({"rate": rate, "fan-out": fan_out, "idle": idle}[job.kind](job))
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
