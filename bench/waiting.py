"""How long a small request waits while the server works on a large object of somebody else."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator

from .result import Row
from .server import Server
from .setting import Setting

NAMES = ("waiting",)

_KEYS = 20_000
_CONTAINERS = 300
_ROUNDS = 5
_MAPS = "/api/v1/namespaces/default/configmaps"
_MERGE = "application/merge-patch+json"


def _large(number: int) -> list[tuple[str, str, str, str]]:
    """Requests that take long: method, path, media type, body."""
    data = {f"key{index}": str(number) for index in range(_KEYS)}
    adds = [{"op": "add", "path": f"/data/a{index}", "value": str(number)} for index in range(9000)]
    containers = [{"name": f"c{index}", "image": "i", "env": [{"name": "A"}]} for index in range(_CONTAINERS)]
    pod = {"metadata": {"name": f"large-{number}"}, "spec": {"containers": containers}}
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": data}
    return [
        ("PATCH", f"{_MAPS}/large", _MERGE, json.dumps({"data": data})),
        ("PATCH", f"{_MAPS}/small", "application/json-patch+json", json.dumps(adds)),
        ("PATCH", f"{_MAPS}/applied?fieldManager=bench", "application/apply-patch+yaml", json.dumps(applied)),
        ("POST", "/api/v1/namespaces/default/pods", "application/json", json.dumps(pod)),
    ]


def measure(setting: Setting) -> Iterator[Row]:
    """Get a small object again and again while large ones are written on another connection."""
    setting.say("getting one object while large ones are written")
    server = Server(setting.processes, setting.directory / "waiting", "--disable-controllers", "--disable-scheduler")
    server.start()
    access = server.access
    access.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    for name in ("large", "small"):
        access.create(_MAPS, {"metadata": {"name": name}, "data": {"a": ""}})
    rounds = [_large(number) for number in range(_ROUNDS + 1)]
    _write(access.connect(), rounds.pop())
    time.sleep(2.5)  # what lives since the start is left alone by the collector from then on
    writing = threading.Thread(target=lambda: [_write(access.connect(), each) for each in rounds])
    connection = access.connect()
    taken: list[float] = []
    writing.start()
    while writing.is_alive():
        started = time.perf_counter()
        connection.request("GET", f"{_MAPS}/kube-root-ca.crt")
        connection.getresponse().read()
        taken.append((time.perf_counter() - started) * 1e3)
    connection.close()
    server.stop()
    p99 = statistics.quantiles(taken, n=100)[-1]
    text = f"of {len(taken)} requests; p99 {p99:.1f} ms, median {statistics.median(taken):.1f} ms"
    yield Row("waiting", max(taken), "ms", better="lower", note=text)


def _write(connection: http.client.HTTPSConnection, requests: list[tuple[str, str, str, str]]) -> None:
    for method, path, media_type, body in requests:
        connection.request(method, path, body, {"Content-Type": media_type})
        response = connection.getresponse()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {response.read()[:300]!r}")
        response.read()
    connection.close()
