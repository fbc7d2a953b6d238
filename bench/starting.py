"""Starting and stopping an API server."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from .result import Row
from .server import Server
from .setting import Setting

NAMES = ("start", "first-start", "stop", "in-process")


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


_IN_PROCESS = "steersman.testing.Cluster with all its parts, until they are ready; modules are there"


def _in_process() -> float:
    """The seconds that a cluster takes to start in a thread of this process."""
    from steersman.testing import Cluster

    cluster = Cluster()
    started = time.perf_counter()
    with cluster:
        return time.perf_counter() - started
