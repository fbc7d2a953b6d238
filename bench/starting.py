"""Starting and stopping an API server, a process of its own."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from .result import Row
from .server import Server
from .setting import Setting

NAMES = ("start", "first-start", "stop")


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
