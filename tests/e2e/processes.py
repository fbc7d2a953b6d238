"""The `steersman` command as scripts use it, and the processes that it starts."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from .api import Api
from .waiting import until

STEERSMAN = str(Path(sys.executable).parent / "steersman")

ROOT = os.geteuid() == 0


def environment(kubeconfig: Path | None = None) -> dict[str, str]:
    """This process's environment, with a kubeconfig that is nobody's (nothing here touches the user's own)."""
    return {**os.environ, "KUBECONFIG": str(kubeconfig or "/nonexistent/kubeconfig"), "HOME": "/nonexistent"}


def run(*arguments: str, timeout: float = 30.0, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; the caller looks at the exit code."""
    return subprocess.run(
        arguments,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=env or environment(),
        check=False,
    )


def steersman(*arguments: str, timeout: float = 30.0, env: dict[str, str] | None = None) -> str:
    """Run `steersman` with success and return what it printed."""
    result = run(STEERSMAN, *arguments, timeout=timeout, env=env)
    assert result.returncode == 0, f"steersman {' '.join(arguments)}: {result.stdout}{result.stderr}"
    return result.stdout


def free_port() -> int:
    """A TCP port that nobody listens on now, outside the range of outgoing connections."""
    for port in range(21000 + os.getpid() % 400 * 20, 32000):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError("no free port")


_given: set[int] = set()


class Server:
    """A `steersman server` in the foreground, without a node.  Its data directory survives its processes."""

    def __init__(self, data_dir: Path, *options: str, port: int | None = None) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.log = data_dir.with_suffix(".log")
        self.command = [
            STEERSMAN, "server", "--data-dir", str(data_dir), "--bind-address", "127.0.0.1",
            "--secure-port", str(self.port), "--disable-node", *options,
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        """Start it, and wait until `/readyz` says ok."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment()
            )
        until(lambda: self._ended() or self._ready(), f"/readyz of the server says ok; see {self.log}", 15.0, 0.02)
        assert not self._ended(), f"the server ended: {self.log.read_text()[-3000:]}"
        return self

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _ready(self) -> bool:
        return (self.data_dir / "admin.conf").exists() and self.api.ready()

    @property
    def kubeconfig(self) -> Path:
        return self.data_dir / "admin.conf"

    @property
    def api(self) -> Api:
        return Api(self.kubeconfig.read_text())

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, "the server was not started"
        return self.process

    def kill(self) -> None:
        """`kill -9`."""
        self.running.kill()
        self.running.wait()

    def stop(self) -> float:
        """SIGTERM; the seconds until it had ended."""
        started = time.monotonic()
        self.running.send_signal(signal.SIGTERM)
        try:
            self.running.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not end; see {self.log}") from None
        return time.monotonic() - started

    def remove(self) -> None:
        """End whatever runs, and delete the data."""
        if not self._ended():
            self.kill()
        shutil.rmtree(self.data_dir, ignore_errors=True)
        self.log.unlink(missing_ok=True)
