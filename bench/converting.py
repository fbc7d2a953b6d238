"""Custom resources in a version in which they are not stored: the first list, by a webhook and without one."""

from __future__ import annotations

import base64
import json
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

from .extending import definition, machine
from .processes import free_port
from .result import Row
from .server import Server
from .setting import Setting

NAMES = ("convert-500", "convert-500-none")

COUNT = 500
_ROUNDS = 5
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def measure(setting: Setting) -> Iterator[Row]:
    """Write objects in one version, and list them in the other as often as the definition changes."""
    server = Server(setting.processes, setting.directory / "converting")
    server.start()
    pki = server.data_dir / "pki"
    port = free_port()
    pair = [str(pki / "apiserver.crt"), str(pki / "apiserver.key")]
    command = [sys.executable, "-m", "bench.converter", str(port), *pair]
    webhook = setting.processes.start(command, setting.directory / "converter.log")
    config = {
        "url": f"https://127.0.0.1:{port}/convert",
        "caBundle": base64.b64encode((pki / "ca.crt").read_bytes()).decode(),
    }
    asked = {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": config}}
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.01)
    size = len(json.dumps(machine()))
    for number, (name, conversion) in enumerate(zip(NAMES, (asked, {"strategy": "None"}), strict=True)):
        setting.say(f"converting {COUNT} objects")
        wanted = definition(number)
        first = wanted["spec"]["versions"][0]
        wanted["spec"]["versions"].append({**first, "name": "v2", "storage": False})
        wanted["spec"]["conversion"] = conversion
        cold, warm = _lists(server, wanted)
        text = f"the first list of {COUNT} objects of {size} bytes, read by a client; {warm:.1f} ms from then on"
        yield Row(name, cold, "ms", note=text)
    setting.processes.end(webhook)
    server.stop()


def _lists(server: Server, wanted: dict[str, Any]) -> tuple[float, float]:
    """Milliseconds of a list whose objects must be converted, and of one whose are known."""
    access, group = server.access, wanted["spec"]["group"]
    access.create(_CRDS, wanted)
    place = f"/apis/{group}/%s/namespaces/default/machines"
    while access.get(place % "v2") is None:
        time.sleep(0.01)
    for number in range(COUNT):
        body = {**machine(), "apiVersion": f"{group}/v1", "metadata": {"name": f"m{number}"}}
        access.create(place % "v1", body)
    cold, warm = [], []
    name = f"{_CRDS}/{wanted['metadata']['name']}"
    for number in range(_ROUNDS):
        present = access.wait(name)
        present["spec"]["names"]["categories"] = [f"c{number}"]
        code, text = access.request("PUT", name, present)
        if code != 200:
            raise RuntimeError(f"PUT {name}: {code} {text[:500]}")
        access.wait(place % "v1")
        for times in (cold, warm):
            started = time.perf_counter()
            found = access.wait(place % "v2")
            times.append((time.perf_counter() - started) * 1000)
            if len(found["items"]) != COUNT:
                raise RuntimeError(f"{len(found['items'])} of {COUNT} objects in another version")
    return statistics.median(cold), statistics.median(warm)
