"""The machine itself: what it is, and yardsticks of what it can do right now."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from steersman.storage.etcd import EtcdStore
from steersman.storage.store import Put

from .processes import Processes, free_port
from .result import Row

ETCD_WRITERS = 16
VALUE = b"x" * 1024


def describe() -> dict[str, str]:
    """What this machine is."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(memory[1]) // 1024} MiB" if memory else "",
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit that is measured, with a plus where the tree was changed; empty outside a repository."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def python_loop(seconds: float = 0.5) -> Row:
    """Additions in a plain loop."""
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        number = 0
        for step in range(100_000):
            number += step
        done += 100_000
    return Row("plain Python loop", done / (time.perf_counter() - start) / 1e6, "M additions/s")


def fsyncs(directory: Path, seconds: float = 1.0) -> Row:
    """Appends of a page, each made durable, on the disk where the data lies."""
    done, start = 0, time.perf_counter()
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        while time.perf_counter() - start < seconds:
            file.write(VALUE * 4)
            os.fdatasync(file.fileno())
            done += 1
    return Row("4 KiB append + fdatasync", done / (time.perf_counter() - start), "/s")


def openssl() -> Row | None:
    """Signatures with the kind of key that our certificates have, as `openssl speed` counts them."""
    if shutil.which("openssl") is None:
        return None
    result = subprocess.run(
        ["openssl", "speed", "-seconds", "1", "ecdsap256"], capture_output=True, text=True, check=False
    )
    match = re.search(r"^\s*256 bits ecdsa.*?([\d.]+)\s+([\d.]+)\s*$", result.stdout, re.MULTILINE)
    if match is None:
        return None
    return Row(
        "openssl speed ecdsap256", float(match[1]), "signatures/s", note=f"{float(match[2]):,.0f} verifications/s"
    )


def sealing() -> Row | None:
    """What TLS does to the bytes of answers, without anything around it: one core's AES-128-GCM."""
    if shutil.which("openssl") is None:
        return None
    command = ["openssl", "speed", "-seconds", "1", "-bytes", "16384", "-evp", "aes-128-gcm"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    match = re.search(r"^AES-128-GCM\s+([\d.]+)k", result.stdout, re.MULTILINE)
    if match is None:
        return None
    return Row("openssl speed aes-128-gcm", float(match[1]) / 1e3, "MB/s", note="records of 16 KiB")


def etcd_puts(processes: Processes, directory: Path, seconds: float = 2.0) -> Row | None:
    """Puts of 1 KiB into a real etcd, by a few writers at a time, through our own client."""
    program = shutil.which("etcd")
    if program is None:
        return None
    client, peer = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    options = {
        "data-dir": str(directory / "etcd"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "log-level": "error",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    process = processes.start([program, *arguments], directory / "etcd.log")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    try:
        rate = asyncio.run(_put(client, seconds))
    finally:
        processes.end(process)
    return Row("etcd put loop", rate, "/s", note=f"{version}, {ETCD_WRITERS} writers, 1 KiB")


async def _put(url: str, seconds: float) -> float:
    store = await EtcdStore.open([url])
    done = 0
    end = time.perf_counter() + seconds

    async def write(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await store.commit([Put(f"/bench/{number}/{done}", VALUE)])
            done += 1

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(ETCD_WRITERS):
                group.create_task(write(number), name=f"writer {number}")
    finally:
        await store.close()
    return done / seconds


def yardsticks(processes: Processes, directory: Path) -> list[Row]:
    """Every yardstick that can be taken here."""
    taken = [python_loop(), openssl(), sealing(), fsyncs(directory), etcd_puts(processes, directory)]
    return [row for row in taken if row is not None]
