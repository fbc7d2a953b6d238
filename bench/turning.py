"""Time that is turned: an hour of a cluster's life, and a plan of a thousand nodes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from .processes import STEERSMAN
from .result import Row
from .setting import Setting

NAMES = ("hour", "plan-1000")

_WORKLOADS = {"web": (6000, "1", "1Gi"), "api": (3000, "2", "4Gi"), "batch": (1000, "500m", "8Gi")}


def measure(setting: Setting) -> Iterator[Row]:
    """Turn a clock, and carry a scenario out."""
    from steersman.testing import Cluster

    setting.say("letting an hour pass")
    with Cluster(nodes=3) as cluster:
        cluster.settle()
        begun = time.perf_counter()
        cluster.clock.advance(timedelta(hours=1))
        taken = time.perf_counter() - begun
    yield Row("hour", taken, "s", 1.0, "lower", "cluster.clock.advance(timedelta(hours=1)), three nodes")
    setting.say("planning for a thousand nodes")
    path = setting.directory / "scenario.json"
    path.write_text(json.dumps(_scenario()))
    begun = time.perf_counter()
    subprocess.run([STEERSMAN, "simulate", str(path), "-o", "json"], stdout=subprocess.DEVNULL, check=True)
    note = "10,000 pods on 1,000 nodes; a zone is away for 10 minutes, 17 of its nodes are emptied"
    yield Row("plan-1000", time.perf_counter() - begun, "s", 60.0, "lower", note)


def _scenario() -> dict[str, Any]:
    return {
        "apiVersion": "planning.steersman.dev/v1alpha1",
        "kind": "Scenario",
        "nodes": [
            {"count": count, "zone": zone, "cpu": "16", "memory": "64Gi"}
            for zone, count in (("a", 334), ("b", 333), ("c", 333))
        ],
        "workloads": [_deployment(name, *what) for name, what in _WORKLOADS.items()],
        "events": ["zone a fails", "wait 10m", "zone a returns"],
    }


def _deployment(name: str, replicas: int, cpu: str, memory: str) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu, "memory": memory}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }
