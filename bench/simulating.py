"""A thousand nodes and more in one process: control plane, scheduler, and nodes that run nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from typing import Any

from .processes import resident
from .result import Row
from .server import Access, Server
from .setting import Setting

NAMES = ("simulated-nodes", "simulated-pods", "simulated-memory", "deployment-1000")

NODES = 5_000
PODS = 100_000
REPLICAS = 1_000
PATIENCE = 600.0
_DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def deployment(name: str, replicas: int) -> dict[str, Any]:
    """One that asks for as little as most do."""
    container = {"name": "web", "image": "web:1", "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def measure(setting: Setting) -> Iterator[Row]:
    """Start a server that simulates nodes, and have it run pods in Deployments of a thousand."""
    setting.say(f"registering {NODES} simulated nodes")
    server = Server(setting.processes, setting.directory / "simulating", "--simulated-nodes", str(NODES))
    server.start()
    access = server.access
    nodes = _wait(lambda: _ready_nodes(access) == NODES)
    yield Row("simulated-nodes", nodes, "s", 15, "lower", f"/readyz until {NODES} nodes are Ready, and take pods")
    if not setting.wants("simulated-pods", "simulated-memory", "deployment-1000"):
        server.stop()
        return
    setting.say("running a Deployment of 1,000 on simulated nodes")
    access.create(_DEPLOYMENTS, deployment("first", REPLICAS))
    asking = access.connect(timeout=60.0)
    first = _wait(lambda: _available(asking, "first") == REPLICAS, 0.05)
    yield Row("deployment-1000", first, "s", 5, "lower", f"a Deployment of {REPLICAS} until all are available")
    if setting.wants("simulated-pods", "simulated-memory"):
        count = PODS // REPLICAS - 1
        names = [f"web-{number}" for number in range(count)]
        started = time.perf_counter()
        for name in names:
            access.create(_DEPLOYMENTS, deployment(name, REPLICAS))
        for name in names:
            setting.say(f"running {PODS} simulated pods: waiting for {name}")
            _wait(lambda name=name: _available(asking, name) == REPLICAS, 0.5)  # type: ignore[misc]
        took = (time.perf_counter() - started) * PODS / (count * REPLICAS)
        text = f"{count * REPLICAS} pods created, scheduled and Running, for {PODS}; one process, store on disk"
        yield Row("simulated-pods", took, "s", 120, "lower", text)
        memory = resident(server.process.pid)
        yield Row("simulated-memory", memory, "MiB", 2048, "lower", f"the server's, with {NODES} nodes and {PODS} pods")
    asking.close()
    server.stop()


def _ready_nodes(access: Access) -> int:
    code, text = access.request("GET", "/api/v1/nodes", timeout=60.0)
    return text.count('"reason":"KubeletReady"') - text.count('"node.kubernetes.io/not-ready"') if code == 200 else 0


def _available(connection: HTTPSConnection, name: str) -> int:
    connection.request("GET", f"{_DEPLOYMENTS}/{name}")
    response = connection.getresponse()
    text = response.read().decode()
    if response.status != 200:
        raise RuntimeError(f"GET deployment {name}: {response.status} {text[:300]}")
    marker = '"availableReplicas":'
    position = text.find(marker)
    return int(text[position + len(marker) :].split(",", 1)[0].rstrip("}")) if position >= 0 else 0


def _wait(done: Callable[[], bool], interval: float = 0.2) -> float:
    """Ask now and then; the seconds until it was so; raises RuntimeError."""
    started = time.perf_counter()
    while not done():
        if time.perf_counter() - started > PATIENCE:
            raise RuntimeError("it does not come to pass")
        time.sleep(interval)
    return time.perf_counter() - started
