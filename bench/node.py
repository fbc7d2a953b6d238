"""A cluster with a node on this machine: how soon it is there, and what it takes at rest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .processes import STEERSMAN, cpu_seconds, descendants, free_port, proportional, resident
from .result import Row
from .server import Access
from .setting import Setting, Unavailable

NAMES = ("up-serving", "up-node", "up-pod", "memory", "cpu")
PROGRAMS = ("containerd", "runc", "nft", "iptables", "busybox")


def measure(setting: Setting) -> Iterator[Row]:
    """Start a cluster, have a pod run on it, let it rest, and end it."""
    if os.geteuid() != 0:
        raise Unavailable("a node needs root")
    paths = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if missing := [name for name in PROGRAMS if not shutil.which(name, path=paths)]:
        raise Unavailable(f"not installed: {', '.join(missing)}")
    data_dir, images = setting.directory / "cluster", setting.directory / "images"
    images.mkdir()
    image = "steersman.local/bench:1"
    busybox = shutil.which("busybox", path=paths)
    _steersman("images", "build", image, str(images / "bench.tar"), "--busybox", str(busybox))
    command = [
        STEERSMAN, "up", "--data-dir", str(data_dir), "--airgap-images", str(images),
        "--secure-port", str(free_port()), "--kubelet-port", str(free_port()), "--dns-port", str(free_port()),
        "--cluster-cidr", "10.229.0.0/16", "--service-cidr", "10.228.0.0/16",
    ]  # fmt: skip
    setting.say("starting a cluster")
    seen: dict[str, float] = {}
    started = time.perf_counter()
    watcher = threading.Thread(target=_first_pod, args=(data_dir, image, started, seen), daemon=True)
    watcher.start()
    try:
        _run(command)
        watcher.join(30)
        for name, budget, text in (
            ("up-serving", 0.0, "`up` to /readyz, everything made for the first time"),
            ("up-node", 2.0, "`up` to Ready node, everything made for the first time"),
            ("up-pod", 3.0, "`up` to first running pod, image imported on the way"),
        ):
            if name not in seen:
                raise RuntimeError(f"no {name} within 30 s; see {data_dir}/logs")
            yield Row(name, seen[name], "s", budget, "lower", text)
        if setting.wants("memory", "cpu"):
            yield from _at_rest(setting, data_dir)
    finally:
        _steersman("down", "--data-dir", str(data_dir))


def _steersman(*arguments: str) -> None:
    _run([STEERSMAN, *arguments])


def _run(command: list[str]) -> None:
    # `up` selects a context; where nobody asked for that, nobody's kubeconfig is touched.
    with tempfile.TemporaryDirectory() as directory:
        environment = {**os.environ, "KUBECONFIG": f"{directory}/kubeconfig"}
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {result.stdout}{result.stderr}")


def _first_pod(data_dir: Path, image: str, started: float, seen: dict[str, float]) -> None:
    """Create a pod as soon as that is possible, and note when what happened."""
    deadline = started + 30
    while not (data_dir / "admin.conf").exists() and time.perf_counter() < deadline:
        time.sleep(0.005)
    access = Access(data_dir)
    access.wait_ready()
    seen["up-serving"] = time.perf_counter() - started
    container = {"name": "main", "image": image, "command": ["sleep", "3600"]}
    body = {"metadata": {"name": "first"}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    created = False
    while time.perf_counter() < deadline and not {"up-node", "up-pod"} <= set(seen):
        if not created:
            created = access.request("POST", "/api/v1/namespaces/default/pods", body)[0] == 201
        elif "up-pod" not in seen and _is((access.get("/api/v1/namespaces/default/pods/first") or {}), "Ready"):
            seen["up-pod"] = time.perf_counter() - started
        if "up-node" not in seen and any(
            _is(node, "Ready") for node in (access.get("/api/v1/nodes") or {"items": []})["items"]
        ):
            seen["up-node"] = time.perf_counter() - started
        time.sleep(0.01)
    access.request("DELETE", "/api/v1/namespaces/default/pods/first")


def _is(item: dict[str, Any], condition: str) -> bool:
    conditions = item.get("status", {}).get("conditions", [])
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def _at_rest(setting: Setting, data_dir: Path) -> Iterator[Row]:
    state = json.loads((data_dir / "run/supervisor.json").read_text())
    supervisor = state["pid"]
    ours = {name: child["pid"] for name, child in state["children"].items()}
    others = [pid for pid in descendants(supervisor) if pid not in ours.values()]
    setting.say("watching it rest for 15 s")
    time.sleep(5)
    before, begin = {pid: cpu_seconds(pid) for pid in (supervisor, *ours.values())}, time.perf_counter()
    time.sleep(10)
    elapsed = time.perf_counter() - begin
    spent = {
        name: (cpu_seconds(pid) - before[pid]) / elapsed * 100
        for name, pid in {**ours, "supervisor": supervisor}.items()
    }
    sizes = {name: resident(pid) for name, pid in ours.items()}
    parts = " + ".join(f"{name} {size:.0f}" for name, size in sizes.items())
    share = sum(proportional(pid) for pid in ours.values())
    text = f"{parts}; shared pages once: {share:.0f}; supervisor {resident(supervisor):.0f}"
    if others:
        text += f"; containerd and its shims {sum(resident(pid) for pid in others):.0f}"
    yield Row("memory", sum(sizes.values()), "MiB", 128, "lower", text)
    parts = ", ".join(f"{name} {percent:.1f}" for name, percent in spent.items())
    yield Row("cpu", sum(spent.values()), "% of a core", 1, "lower", f"10 s at rest: {parts}")
