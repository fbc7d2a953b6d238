"""A cluster inside a test, and one for tests in other languages."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .processes import STEERSMAN
from .result import Row
from .setting import Setting

if TYPE_CHECKING:
    from steersman.testing import Cluster

NAMES = (
    "in-process",
    "in-process-first",
    "in-process-stop",
    "import-testing",
    "import-plugin",
    "testserver",
    "isolation",
    "isolation-sqlite",
    "settle",
)

WATCHES = 100
TIMES = 5

_FIRST = """
import time
from steersman.testing import Cluster
cluster = Cluster()
begun = time.perf_counter()
cluster.start()
print(time.perf_counter() - begun)
cluster.stop()
"""
_IMPORT = """
import time
begun = time.perf_counter()
from steersman.testing import Cluster
print(time.perf_counter() - begun)
"""
_PLUGIN = """
import pytest, time
begun = time.perf_counter()
import steersman.testing.plugin
print(time.perf_counter() - begun)
"""


def measure(setting: Setting) -> Iterator[Row]:
    """Start and stop clusters in this process and in others."""
    from steersman.testing import Cluster

    setting.say("starting clusters in this process")
    starts, stops = [], []
    for _ in range(TIMES):
        cluster = Cluster()
        begun = time.perf_counter()
        cluster.start()
        starts.append(time.perf_counter() - begun)
        stops.append(asyncio.run(_stop(cluster)))
    note = "steersman.testing.Cluster with all its parts, until they are ready; modules are there"
    yield Row("in-process", statistics.median(starts), "s", 0.2, "lower", note)
    first = statistics.median(_told(_FIRST) for _ in range(TIMES))
    yield Row(
        "in-process-first",
        first,
        "s",
        0.2,
        "lower",
        "the same, the first of a process, right after the import of Cluster",
    )
    yield Row("in-process-stop", max(stops) * 1000, "ms", 50, "lower", f"with {WATCHES} open watches, slowest of 5")
    yield Row("import-testing", statistics.median(_told(_IMPORT) for _ in range(TIMES)), "s", 0, "lower", "of Cluster")
    plugin = statistics.median(_told(_PLUGIN) for _ in range(TIMES)) * 1000
    yield Row("import-plugin", plugin, "ms", 10, "lower", "of what every run of pytest imports")
    setting.say("starting test servers")
    ready = statistics.median(_testserver() for _ in range(TIMES))
    yield Row("testserver", ready, "s", 0.6, "lower", "steersman testserver --json: exec to its line")
    setting.say("restoring what it was before a test")
    yield from _isolation(setting.directory / "isolation")


def _told(program: str) -> float:
    """The number that a process of its own prints."""
    return float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)


def _testserver() -> float:
    begun = time.perf_counter()
    with subprocess.Popen(
        [STEERSMAN, "testserver", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        ready = time.perf_counter() - begun
        process.communicate()
    return ready


async def _stop(cluster: Cluster) -> float:
    """Seconds that it takes to stop under open watches, each on a connection of its own."""
    from steersman.client.http import ssl_context

    context = ssl_context(cluster.config)
    host, port = cluster.config.server.removeprefix("https://").split(":")
    watches = [await asyncio.open_connection(host, int(port), ssl=context) for _ in range(WATCHES)]
    for reader, writer in watches:
        writer.write(b"GET /api/v1/configmaps?watch=1 HTTP/1.1\r\nHost: kubernetes\r\n\r\n")
        await reader.readuntil(b"ADDED")
    begun = time.perf_counter()
    cluster.stop()
    taken = time.perf_counter() - begun
    for _, writer in watches:
        writer.close()
    return taken


_TESTS = 30


def _isolation(directory: Path) -> Iterator[Row]:
    """What a test of its own costs: the cluster restored after it, and found to be at rest."""
    from steersman.testing import Cluster

    for suffix, store in (("", "memory"), ("-sqlite", str(directory))):
        with Cluster(store=store) as cluster:
            times = sorted(_restored(cluster) for _ in range(_TESTS))
            yield Row(f"isolation{suffix}", times[_TESTS // 2] * 1000, "ms", 20.0, "lower", _ISOLATION)
            if not suffix:
                idle = sorted(_timed(cluster.settle) for _ in range(_TESTS))
                yield Row(
                    "settle", idle[_TESTS // 2] * 1000, "ms", 2.0, "lower", "a cluster at rest, until that is sure"
                )


def _restored(cluster: Cluster) -> float:
    snapshot = cluster.snapshot()
    cluster.apply(_TEST)
    cluster.settle()
    try:
        return _timed(snapshot.restore)
    finally:
        snapshot.release()


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


_TEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
"""

_ISOLATION = "snapshot restored and at rest after a Deployment of 3, Running, and a ConfigMap; median of 30"
