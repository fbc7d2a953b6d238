"""Reads, writes and watches of one API server, from a load generator on the same machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from . import bare
from .load import Job, Outcome, run
from .processes import cpu_seconds, resident, server_cores
from .report import number
from .result import Row
from .server import Server
from .setting import Setting

NAMES = ("create", "get", "list-500", "list-5000", "list-5000-bare", "memory-5000", "fan-out", "fan-out-bare")

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "pod-{n}", "labels": {"app": "bench", "tier": "backend"}},
    "spec": {
        "containers": [
            {
                "name": "main",
                "image": "example.invalid/bench:1",
                "command": ["sleep", "3600"],
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "ports": [{"containerPort": 8080}],
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
            }
        ]
    },
}
"""A pod as applications have them: about 2 KB once the server has filled it in."""


class Loaded:
    """A server without controllers and scheduler, so that nothing but the requests is measured."""

    def __init__(self, setting: Setting) -> None:
        self.server = Server(
            setting.processes,
            setting.directory / "api",
            "--disable-controllers",
            "--disable-scheduler",
            cores=server_cores(),
        )
        self.server.start()
        self.access = self.server.access
        self.bare, self._bare_port = bare.start(
            setting.processes, self.server.data_dir / "pki", setting.directory / "bare.log"
        )
        for namespace in ("small", "large", "writes"):
            self.access.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
            self.access.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
        self._server_cpu = 0.0

    @property
    def pid(self) -> int:
        """The server's."""
        return self.server.process.pid

    def load(self, *, floor: bool = False, **job: Any) -> Outcome:
        """Run a job, against :mod:`.bare` where the floor is sought; raises RuntimeError where requests fail."""
        pid = self.bare.pid if floor else self.pid
        before = cpu_seconds(pid)
        outcome = run(
            Job(
                host=self.access.host,
                port=self._bare_port if floor else self.access.port,
                authority=str(self.access.authority),
                certificate=str(self.access.certificate),
                **job,
            )
        )
        if outcome.errors:
            raise RuntimeError(f"{outcome.errors} requests failed: {outcome.first_error}")
        self._server_cpu = cpu_seconds(pid) - before
        return outcome

    def create_pods(self, namespace: str, count: int = 0, **job: Any) -> Outcome:
        """Create pods, so many or for so long."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        return self.load(kind="rate", method="POST", path=path, body=json.dumps(POD), count=count, **job)

    def note(self, outcome: Outcome, text: str) -> str:
        """What makes a rate comparable."""
        cores = self._server_cpu / outcome.elapsed
        each = number(cores / outcome.rate * 1e6)
        return f"{text}; p99 {outcome.p99:.1f} ms; server {cores:.2f} cores, {each} µs each, load {outcome.cpu:.2f}"


def measure(setting: Setting) -> Iterator[Row]:
    """Run one kind of load after another."""
    loaded = Loaded(setting)
    if setting.wants("create"):
        setting.say("creating pods")
        loaded.create_pods("writes", 300)
        outcome = loaded.create_pods("writes", first=1000)
        yield Row("create", outcome.rate, "pods/s", 1500, note=loaded.note(outcome, "16 connections, durable"))
    if setting.wants("get", "list-500"):
        loaded.create_pods("small", 500)
    if setting.wants("get"):
        setting.say("getting a pod")
        outcome = loaded.load(kind="rate", path="/api/v1/namespaces/small/pods/pod-00000007", connections=32)
        yield Row("get", outcome.rate, "/s", 6000, note=loaded.note(outcome, f"32 connections, {outcome.bytes:.0f} B"))
    if setting.wants("list-500"):
        setting.say("listing 500 pods")
        outcome = loaded.load(kind="rate", path="/api/v1/namespaces/small/pods", connections=8)
        text = f"8 connections, {outcome.bytes / 1024:.0f} KiB"
        yield Row("list-500", outcome.rate, "/s", 500, note=loaded.note(outcome, text))
    if setting.wants("list-5000", "list-5000-bare", "memory-5000"):
        setting.say("listing 5,000 pods")
        loaded.create_pods("large", 5000, connections=32)
        outcome = loaded.load(kind="rate", path="/api/v1/namespaces/large/pods", connections=4)
        text = f"4 connections, {outcome.bytes / 2**20:.1f} MiB"
        yield Row("list-5000", outcome.rate, "/s", 100, note=loaded.note(outcome, text))
        outcome = loaded.load(floor=True, kind="rate", path=f"/list/{outcome.bytes:.0f}", connections=4)
        yield Row(
            "list-5000-bare",
            outcome.rate,
            "/s",
            note=loaded.note(outcome, "the same bytes, by a TLS server that does no more"),
        )
        yield Row("memory-5000", resident(loaded.pid), "MiB", better="lower", note="the server, with these pods")
    if setting.wants("fan-out", "fan-out-bare"):
        setting.say("opening 1,000 watches")
        yield from fan_out(loaded)
    loaded.server.stop()
    setting.processes.end(loaded.bare)


def fan_out(loaded: Loaded) -> Iterator[Row]:
    """One object, a thousand watchers, twenty changes; then bytes that mean nothing."""
    path = "/api/v1/namespaces/small/configmaps"
    created = loaded.access.create(path, {"metadata": {"name": "watched"}, "data": {"n": ""}})
    size = 0.0
    for name, floor in (("fan-out", False), ("fan-out-bare", True)):
        outcome = loaded.load(
            floor=floor,
            kind="fan-out",
            path="/watch" if floor else f"{path}?watch=true&resourceVersion={created['metadata']['resourceVersion']}",
            target=f"/change/{size:.0f}" if floor else f"{path}/watched",
            body='{"data": {"n": "{n}"}}',
            connections=1000,
            count=20,
        )
        size = outcome.bytes
        text = f"1,000 watchers, {size:.0f} B, median of 20 changes, slowest {outcome.slowest:.0f} ms"
        yield Row(name, outcome.median, "ms", 0 if floor else 20, "lower", text)
