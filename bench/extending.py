"""Custom resources: what a definition costs, and how fast its objects are written."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .load import Job, run
from .processes import resident
from .result import Row
from .server import Server
from .setting import Setting, Unavailable

NAMES = (
    "definition-established",
    "definition-memory",
    "create-custom",
    "definitions-discovery",
    "definitions-start",
    "api-resources",
)

DEFINITIONS = 500
_FIELDS = 100
_AGGREGATED = "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def definition(number: int) -> dict[str, Any]:
    """A definition of about 30 KB, as they are generated from Go types."""
    text = "What the operator makes of this member, told at the length at which such things are told. " * 2
    member = {
        "type": "object",
        "description": text,
        "properties": {
            "value": {"type": "string", "maxLength": 253},
            "count": {"type": "integer", "format": "int32", "minimum": 0},
        },
    }
    spec = {
        "type": "object",
        "required": ["replicas"],
        "properties": {
            "replicas": {"type": "integer", "minimum": 0, "maximum": 100, "default": 1},
            **{f"field{index}": member for index in range(_FIELDS)},
        },
    }
    status = {"type": "object", "properties": {"phase": {"type": "string"}}}
    group = f"bench{number}.example.com"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"machines.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "machines", "singular": "machine", "kind": "Machine"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
                }
            ],
        },
    }


def machine() -> dict[str, Any]:
    """An object of about 3 KB."""
    fields = {f"field{index}": {"value": "a" * 40, "count": index} for index in range(40)}
    return {
        "apiVersion": "bench0.example.com/v1",
        "kind": "Machine",
        "metadata": {"name": "machine-{n}", "labels": {"app": "bench"}},
        "spec": {"replicas": 3, **fields},
    }


def measure(setting: Setting) -> Iterator[Row]:
    """Install many definitions, then write objects of one."""
    server = Server(setting.processes, setting.directory / "extending")
    server.start()
    access = server.access
    before = resident(server.process.pid)
    times = []
    for number in range(DEFINITIONS):
        setting.say(f"installing {number} of {DEFINITIONS} definitions")
        wanted = definition(number)
        path = f"/apis/{wanted['spec']['group']}/v1/namespaces/default/machines"
        started = time.perf_counter()
        access.create(_CRDS, wanted)
        while access.get(path) is None:
            time.sleep(0.001)
        times.append((time.perf_counter() - started) * 1000)
    time.sleep(2.0)  # what follows resources has found these by then
    size = len(json.dumps(definition(0)))
    text = f"median of {DEFINITIONS}, with a connection for each of two requests; slowest {max(times):.0f} ms"
    yield Row("definition-established", statistics.median(times), "ms", 50, "lower", text)
    each = (resident(server.process.pid) - before) * 1024 / DEFINITIONS
    yield Row("definition-memory", each, "KiB each", 1024, "lower", f"of {size / 1024:.0f} KiB JSON, all of them read")
    setting.say("creating custom resources")
    outcome = run(
        Job(
            kind="rate", host=access.host, port=access.port, authority=str(access.authority),
            certificate=str(access.certificate), method="POST", body=json.dumps(machine()),
            path="/apis/bench0.example.com/v1/namespaces/default/machines",
        )
    )  # fmt: skip
    if outcome.errors:
        raise RuntimeError(f"{outcome.errors} creations failed: {outcome.first_error}")
    text = f"16 connections, {len(json.dumps(machine()))} bytes each, validated and durable; p99 {outcome.p99:.0f} ms"
    yield Row("create-custom", outcome.rate, "/s", note=text)
    yield _discovery(server)
    server.stop()
    yield Row("definitions-start", server.start(), "s", note=f"exec to /readyz, {DEFINITIONS} definitions in SQLite")
    yield _api_resources(server, setting)
    server.stop()


def _discovery(server: Server) -> Row:
    """Ask for all groups at once, the moment that one more is served, and again."""
    wanted = definition(DEFINITIONS)
    server.access.create(_CRDS, wanted)
    while server.access.get(f"/apis/{wanted['spec']['group']}/v1/machines") is None:
        time.sleep(0.001)
    connection = server.access.connect()
    times = []
    for _ in range(20):
        started = time.perf_counter()
        connection.request("GET", "/apis", headers={"Accept": _AGGREGATED})
        response = connection.getresponse()
        size = len(response.read())
        times.append((time.perf_counter() - started) * 1000)
        if response.status != 200:
            raise RuntimeError(f"GET /apis: {response.status}")
    connection.close()
    then = statistics.median(times[1:])
    text = f"aggregated, {size / 1024:.0f} KiB, after a change; then {then:.1f} ms, TLS included"
    return Row("definitions-discovery", times[0], "ms", note=text)


def _api_resources(server: Server, setting: Setting) -> Row:
    if (kubectl := shutil.which("kubectl")) is None:
        raise Unavailable("there is no kubectl")
    kubeconfig = server.data_dir / "admin.conf"
    home = Path(tempfile.mkdtemp(dir=setting.directory))
    command = [kubectl, "--kubeconfig", str(kubeconfig), "--cache-dir", str(home), "api-resources", "--no-headers"]
    started = time.perf_counter()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if result.returncode:
        raise RuntimeError(f"kubectl api-resources: {result.stderr[:500]}")
    return Row("api-resources", seconds, "s", note=f"{len(result.stdout.splitlines())} resources, with an empty cache")
