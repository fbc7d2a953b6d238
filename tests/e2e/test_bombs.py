"""Requests that are made to hurt: each is refused with its code, others are served meanwhile, nothing is left after."""

import json
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from .api import JSON_PATCH, Api
from .processes import Server
from .waiting import until

PODS, CONFIG_MAPS = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/configmaps"
LIMIT = 3 * 1024 * 1024
YAML = "application/yaml"
APPLY = "application/apply-patch+yaml"

LATENCY = 0.4
"""Seconds that others may wait for an answer while a bomb goes off; on a quiet machine it is a tenth of that."""


@pytest.fixture(scope="module")
def target(scratch: Path) -> Iterator[Server]:
    server = Server(scratch / "bombs", "--datastore", "memory", "--disable-controllers", "--disable-scheduler")
    try:
        api = server.start().api
        api.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        api.create(CONFIG_MAPS, {"metadata": {"name": "victim"}, "data": {"a": "1"}})
        yield server
        log = server.log.read_text(errors="replace")
        assert server.running.poll() is None, log[-3000:]
        assert "Traceback" not in log, log[log.index("Traceback") - 1000 :][:5000]
    finally:
        server.remove()


def connect(api: Api) -> ssl.SSLSocket:
    raw = socket.create_connection((api.host, api.port), timeout=30)
    return api.context.wrap_socket(raw, server_hostname=api.host)


def answer_to(api: Api, data: bytes) -> tuple[int, bytes]:
    """Send bytes; what is answered first."""
    with connect(api) as connection:
        try:
            connection.sendall(data)
        except OSError:  # it answered before it had read everything
            pass
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                while len(body) < int(line.split(b":")[1]):
                    body += connection.recv(65536)
        return int(head.split(b" ")[1]), body


class Others(threading.Thread):
    """Somebody who asks for a small thing again and again, and measures how long it takes."""

    def __init__(self, api: Api) -> None:
        super().__init__(daemon=True)
        self.connection = connect(api)
        self.over = threading.Event()
        self.slowest = 0.0
        self.answers = 0

    def run(self) -> None:
        while not self.over.is_set():
            started = time.monotonic()
            self.connection.sendall(b"GET /api/v1/namespaces/default HTTP/1.1\r\nHost: x\r\n\r\n")
            assert self.connection.recv(65536).startswith(b"HTTP/1.1 200")
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.answers += 1
            time.sleep(0.002)
        self.connection.close()


@contextmanager
def others_are_served(api: Api) -> Iterator[None]:
    others = Others(api)
    others.start()
    try:
        yield
    finally:
        time.sleep(0.05)
        others.over.set()
        others.join(30)
    assert others.answers
    assert others.slowest < LATENCY


def resident(server: Server) -> int:
    """Megabytes of the server's process."""
    status = Path(f"/proc/{server.running.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) // 1024


class Bomb(NamedTuple):
    code: int
    body: bytes
    path: str = PODS
    kind: str = "application/json"
    method: str = "POST"


def many(text: bytes, size: int = LIMIT - 200) -> bytes:
    return text * (size // len(text))


def laughs() -> bytes:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{number + 1}: &a{number + 1} [{','.join([f'*a{number}'] * 9)}]" for number in range(20)]
    return "\n".join(lines).encode()


OPERATIONS = b",".join([b'{"op":"add","path":"/data/x","value":"y"}'] * 10_001)
HUGE = '{"metadata":{"name":"q"},"spec":{"containers":[{"name":"a","image":"a","resources":{"limits":{"cpu":"%s"}}}]}}'
SELECTOR = ",".join(["a=b"] * 250_000)


def pod(spec: bytes) -> bytes:
    return b'{"metadata":{"name":"x"},"spec":{' + spec + b"}}"


def config_map(rest: bytes, name: bytes = b"big") -> Bomb:
    return Bomb(422, b'{"metadata":{"name":"' + name + b'"' + rest + b"}", CONFIG_MAPS)


BOMBS: dict[str, Callable[[], Bomb]] = {
    "a body of 3 MiB": lambda: config_map(b'},"data":{"a":"' + many(b"x") + b'"}'),
    "a body of more": lambda: Bomb(413, b'{"data":{"a":"' + many(b"x", LIMIT) + b'"}}', CONFIG_MAPS),
    "deep JSON": lambda: Bomb(400, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "deep lists": lambda: Bomb(400, many(b"[")),
    "deep and typed": lambda: Bomb(400, b'{"spec":{"affinity":' * 50_000 + b"1" + b"}}" * 50_000),
    "many objects": lambda: Bomb(413, pod(b'"containers":[{}' + many(b",{}") + b"]")),
    "many numbers": lambda: Bomb(413, b'{"spec":[1' + many(b",1e9") + b"]}"),
    "many members": lambda: Bomb(413, b"{" + b",".join(b'"k%d":1' % each for each in range(200_000)) + b"}"),
    "as many as may be": lambda: Bomb(422, pod(b'"containers":[{}' + b",{}" * 5000 + b"]")),
    "a big number": lambda: Bomb(400, pod(b'"priority":' + many(b"9"))),
    "a giant exponent": lambda: Bomb(400, pod(b'"priority":1e1000000')),
    "a quantity": lambda: Bomb(201, (HUGE % "1e2147483647").encode(), f"{PODS}?dryRun=All"),
    "a long quantity": lambda: Bomb(400, (HUGE % ("9" * 1_000_000)).encode()),
    "a name of a megabyte": lambda: config_map(b"}", b"a" * (1 << 20)),
    "annotations": lambda: config_map(b',"annotations":{"a":"' + b"x" * 300_000 + b'"}}'),
    "aliases": lambda: Bomb(400, laughs(), CONFIG_MAPS, YAML),
    "deep YAML": lambda: Bomb(400, many(b"["), CONFIG_MAPS, YAML),
    "much YAML": lambda: Bomb(413, b"a: [1" + many(b",1") + b"]", CONFIG_MAPS, YAML),
    "YAML keys": lambda: Bomb(413, b"".join(b"k%d: v\n" % each for each in range(250_000)), CONFIG_MAPS, YAML),
    "YAML in apply": lambda: Bomb(
        413, b"a: [1" + many(b",1") + b"]", f"{CONFIG_MAPS}/v?fieldManager=m", APPLY, "PATCH"
    ),
    "messages": lambda: Bomb(413, messages(), PODS, "application/vnd.kubernetes.protobuf"),
    "JSON patch": lambda: Bomb(413, b"[" + OPERATIONS + b"]", f"{CONFIG_MAPS}/victim", JSON_PATCH, "PATCH"),
    "compressed": lambda: Bomb(400, zlib.compress(b"\0" * 100_000_000, 9)),
    "a selector of a megabyte": lambda: Bomb(400, b"", f"{PODS}?labelSelector={SELECTOR}", "", "GET"),
    "a watch of one": lambda: Bomb(400, b"", f"{PODS}?watch=1&labelSelector={SELECTOR}", "", "GET"),
    "a field selector": lambda: Bomb(400, b"", f"{PODS}?fieldSelector={SELECTOR}", "", "GET"),
    "a URL of a megabyte": lambda: Bomb(431, b"", f"{PODS}?x=" + "x" * (1 << 20), "", "GET"),
    "many parameters": lambda: Bomb(400, b"", f"{PODS}?" + "a&" * 500_000, "", "GET"),
    "escapes": lambda: Bomb(414, b"", "/" + "%41" * 300_000, "", "GET"),
}


def messages() -> bytes:
    """A pod with half a million containers, of two bytes each."""
    spec = b"\x12" + varint(1_000_000) + b"\x12\x00" * 500_000
    return b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12" + varint(len(spec)) + spec


def varint(number: int) -> bytes:
    result = b""
    while number > 0x7F:
        result += bytes((number & 0x7F | 0x80,))
        number >>= 7
    return result + bytes((number,))


def drop(api: Api, bomb: Bomb) -> tuple[int, bytes]:
    head = f"{bomb.method} {bomb.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(bomb.body)}\r\n"
    return answer_to(api, f"{head}Content-Type: {bomb.kind}\r\n\r\n".encode() + bomb.body)


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(target: Server, name: str) -> None:
    bomb = BOMBS[name]()
    with others_are_served(target.api):
        code, body = drop(target.api, bomb)
    assert code == bomb.code, body[:500]
    if code not in (201, 414, 431):
        assert json.loads(body)["code"] == code


def test_bombs_leave_nothing(target: Server) -> None:
    # Each has gone off once.
    before = resident(target)
    for make in BOMBS.values():
        drop(target.api, make())
    assert resident(target) < before + 40


def test_slow_clients_and_crowds(target: Server) -> None:
    api = target.api
    slow: list[socket.socket] = []
    with others_are_served(api):
        for number in range(300):
            raw = socket.create_connection((api.host, api.port))
            slow.append(raw)
            if number % 3 == 0:
                continue  # says nothing, not even hello
            tls = api.context.wrap_socket(raw, server_hostname=api.host)
            slow[-1] = tls
            if number % 3 == 1:
                tls.sendall(b"GET /readyz HTTP/1.1\r\nHost:")
            else:
                tls.sendall(b"POST " + CONFIG_MAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        for _ in range(3):
            for each in slow[1::3]:
                each.sendall(b"x")
    for each in slow:
        each.close()
    until(lambda: api.ready(), "it answers")
