"""The running processes of a cluster, as its data directory tells about them."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from .config import ConfigError

UNKILLABLE = 10.0
"""Seconds after SIGKILL in which a process ends that ever will."""


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


def claim(data_dir: Path) -> int | None:
    """The right to supervise this data directory: a descriptor of its own, None where somebody else has it.

    Whoever inherits the descriptor holds the right on, and the kernel takes it back when the last of them ends.  So
    it is taken before the supervisor is started and given to it: there is no moment in which two could start one.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"cannot make {data_dir}: {error.strerror}; choose another --data-dir") from error
    descriptor = os.open(data_dir / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(4):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            time.sleep(0.001)  # :func:`claimed` of another process holds it for a moment
    os.close(descriptor)
    return None


def claimed(data_dir: Path) -> bool:
    """Whether a supervisor runs, is being started, or is being cleaned up after."""
    try:
        descriptor = os.open(data_dir / "supervisor.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def supervisor_command(data_dir: Path, *children: str) -> list[str]:
    """What starts a supervisor, of all children where none is named."""
    return [sys.executable, "-m", "steersman.cluster.supervisor", str(data_dir), *children]


def start_supervisor(data_dir: Path, claim: int) -> None:
    """Start a supervisor in a session of its own; the right to it goes over, and the descriptor is closed."""
    try:
        log_file = data_dir / "logs/supervisor.log"
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("ab") as output:
            subprocess.Popen(
                supervisor_command(data_dir),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
                pass_fds=(claim,),
            )
    finally:
        os.close(claim)


def stop_supervisor(data_dir: Path, seconds: float = 25.0) -> bool:
    """End the supervisor and its children; return whether there was one."""
    deadline = time.monotonic() + 5.0
    while (state := supervisor(data_dir)) is None:
        if not claimed(data_dir) or time.monotonic() > deadline:
            return False
        time.sleep(0.02)  # it is being started, and tells about itself in a moment
    pids = [state.pid, *(child.pid for child in state.children.values() if child.pid)]
    _signal(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if _alive(pid)]:
        if (late := time.monotonic() - deadline) > 0:
            for pid in left:
                _signal(pid, signal.SIGKILL)
        if late > UNKILLABLE:
            raise ConfigError(
                f"processes {', '.join(map(str, left))} cannot be ended; what they wait for may be a disk"
            )
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
