"""Starting and stopping an API server."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .result import Row
from .server import Server
from .setting import Setting

if TYPE_CHECKING:
    from steersman.testing import Cluster

NAMES = ("start", "first-start", "stop", "in-process", "isolation", "isolation-sqlite", "settle")


def measure(setting: Setting) -> Iterator[Row]:
    """Start and stop an API server with its controllers and scheduler, several times."""
    server = Server(setting.processes, setting.directory / "start")
    setting.say("starting API servers")
    first = server.start()
    stops = [server.stop()]
    starts = []
    for _ in range(3):
        starts.append(server.start())
        stops.append(server.stop())
    yield Row("start", statistics.median(starts), "s", 0.5, "lower", "exec to /readyz, data there")
    yield Row("first-start", first, "s", 0.0, "lower", "exec to /readyz, keys and certificates made")
    yield Row("stop", max(stops), "s", 1.0, "lower", "SIGTERM to end, slowest of four")
    setting.say("starting clusters in this process")
    yield Row("in-process", statistics.median(_in_process() for _ in range(5)), "s", 0.2, "lower", _IN_PROCESS)

    setting.say("restoring what it was before a test")
    yield from _isolation(setting.directory / "isolation")


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

_IN_PROCESS = "steersman.testing.Cluster with all its parts, until they are ready; modules are there"


def _in_process() -> float:
    """The seconds that a cluster takes to start in a thread of this process."""
    from steersman.testing import Cluster

    cluster = Cluster()
    started = time.perf_counter()
    with cluster:
        return time.perf_counter() - started
