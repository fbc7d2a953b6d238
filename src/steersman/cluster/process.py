"""The running processes of a cluster, as its data directory tells about them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec


class ChildState(msgspec.Struct, frozen=True):
    """One process under supervision; ``pid`` 0 while it waits to be started again."""

    pid: int
    restarts: int


class SupervisorState(msgspec.Struct, frozen=True):
    """What ``run/supervisor.json`` says."""

    pid: int
    children: dict[str, ChildState]


def supervisor(data_dir: Path) -> SupervisorState | None:
    """The state of the running supervisor of this data directory, None where none runs."""
    try:
        state = msgspec.json.decode((data_dir / "run/supervisor.json").read_bytes(), type=SupervisorState)
        command = Path(f"/proc/{state.pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, msgspec.DecodeError):
        return None
    # The pid may belong to somebody else by now.
    return state if b"steersman.cluster.supervisor" in command and str(data_dir).encode() in command else None


def supervisor_command(data_dir: Path) -> list[str]:
    """What starts a supervisor."""
    return [sys.executable, "-m", "steersman.cluster.supervisor", str(data_dir)]


def start_supervisor(data_dir: Path) -> int:
    """Start a supervisor in a session of its own and return its pid."""
    log_file = data_dir / "logs/supervisor.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as output:
        process = subprocess.Popen(
            supervisor_command(data_dir),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )
    return process.pid


def stop_supervisor(data_dir: Path, seconds: float = 25.0) -> bool:
    """End the supervisor and its children; return whether there was one."""
    state = supervisor(data_dir)
    if state is None:
        return False
    pids = [state.pid, *(child.pid for child in state.children.values() if child.pid)]
    _signal(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while any(_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            for pid in pids:
                _signal(pid, signal.SIGKILL)
        time.sleep(0.02)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}
