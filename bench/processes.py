"""The processes that a run starts, and that end with it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

STEERSMAN = str(Path(sys.executable).parent / "steersman")
TICKS = os.sysconf("SC_CLK_TCK")

_given: set[int] = set()


def server_cores() -> set[int]:
    """Where a server runs whose load comes from this machine: one core, which is also what its budgets are for."""
    return {min(os.sched_getaffinity(0))}


def load_cores() -> set[int]:
    """The others: the kernel would put who is spoken to where the speaker is, and measure the two in turn."""
    available = os.sched_getaffinity(0)
    return available - server_cores() or available


def free_port() -> int:
    """A TCP port that nobody listens on, outside the range of outgoing connections; each is given once."""
    # Runs at the same time begin at different places.
    for port in range(20000 + os.getpid() % 500 * 20, 32000):
        if port not in _given:
            with socket.socket() as probe:
                try:
                    probe.bind(("0.0.0.0", port))
                except OSError:
                    continue
            _given.add(port)
            return port
    raise RuntimeError("no free port")


class Processes:
    """A context manager that ends everything it started."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running.copy()):
            self.end(process)

    def start(self, command: Sequence[str], log: Path, cores: set[int] | None = None) -> subprocess.Popen[bytes]:
        """Start a process, on some cores or all; what it says goes to a file."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=Path(__file__).parents[1]
            )
        self._running.append(process)
        if cores is not None:
            # It has no threads yet, and those to come inherit this.
            os.sched_setaffinity(process.pid, cores)
        return process

    def end(self, process: subprocess.Popen[bytes], seconds: float = 5.0) -> None:
        """SIGTERM, and SIGKILL where that is not enough."""
        if process in self._running:
            self._running.remove(process)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def resident(pid: int) -> float:
    """Resident memory in MiB: what is in RAM, pages that are shared with others counted in full."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def proportional(pid: int) -> float:
    """Resident memory in MiB, pages that are shared divided among those that share them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def descendants(pid: int) -> list[int]:
    """The children of a process, theirs, and so on."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found
