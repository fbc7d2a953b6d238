"""A cluster on this machine, and stock kubectl on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures import kubectls
from fixtures.kubectls import installed, versions

STEERSMAN = str(Path(sys.executable).with_name("steersman"))
IMAGE = "steersman.local/kubelet-test:1"
Step = tuple[str, "str | Callable[[Terminal], None]"]


def missing() -> str:
    if os.geteuid() != 0:
        return "needs root"
    for program in ("containerd", "runc", "nft", "iptables", "busybox"):
        if shutil.which(program) is None:
            return f"needs {program}"
    return kubectls.missing()


def programs() -> list[str]:
    """The newest and the oldest kubectl of this machine."""
    return [installed()[version] for version in versions()]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.output = ""
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, environment)

    def write(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def run(self, *steps: Step, seconds: float = 30) -> int:
        """Wait for each step's text in what is new, then type or call what follows; returns the exit code."""
        waiting, position, deadline = list(steps), 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([self._descriptor], [], [], 0.1)[0]:
                try:
                    data = os.read(self._descriptor, 4096)
                except OSError:
                    break
                if not data:
                    break
                self.output += data.decode(errors="replace")
            if waiting and waiting[0][0] in self.output[position:]:
                position = len(self.output)
                _, action = waiting.pop(0)
                if callable(action):
                    action(self)
                else:
                    self.write(action)
        else:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            pytest.fail(f"no end after {seconds} s; left to do: {waiting}; so far: {self.output}")
        os.close(self._descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Kubectl:
    """One program against the cluster."""

    def __init__(self, program: str, kubeconfig: Path) -> None:
        self.program = program
        self.kubeconfig = kubeconfig
        self.suffix = Path(program).name.replace("kubectl", "").replace(".", "")
        self.environment = {**os.environ, "TERM": "dumb", "KUBECONFIG": str(kubeconfig)}

    def __call__(self, *arguments: str, input: str | None = None, code: int = 0) -> str:  # noqa: A002
        done = self.run(*arguments, input=input)
        assert done.returncode == code, (arguments, done)
        return done.stdout

    def run(self, *arguments: str, input: str | None = None) -> subprocess.CompletedProcess[str]:  # noqa: A002
        command = [self.program, *arguments]
        return subprocess.run(command, input=input, capture_output=True, text=True, timeout=60, env=self.environment)

    def terminal(self, *arguments: str) -> Terminal:
        return Terminal([self.program, *arguments], self.environment)

    def background(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
        )


@pytest.fixture(scope="session")
def kubeconfig() -> Iterator[Path]:
    if reason := missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="kubelet-kubectl-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        data_dir = Path(scratch, "cluster")
        environment = {**os.environ, "KUBECONFIG": f"{scratch}/kubeconfig"}

        def steersman(*arguments: str) -> None:
            done = subprocess.run([STEERSMAN, *arguments], capture_output=True, text=True, timeout=90, env=environment)
            assert done.returncode == 0, done

        ports = [f"--{name}-port={free_port()}" for name in ("secure", "kubelet", "dns")]
        ranges = ["--cluster-cidr=10.237.0.0/16", "--service-cidr=10.236.0.0/16"]
        try:
            steersman("up", f"--data-dir={data_dir}", *ports, *ranges)
            archive = f"{scratch}/image.tar"
            busybox = shutil.which("busybox") or ""
            steersman("images", "build", IMAGE, archive, "--busybox", busybox, "--command", "sleep 3600")
            steersman("images", "import", f"--data-dir={data_dir}", archive)
            yield data_dir / "admin.conf"
        finally:
            steersman("down", f"--data-dir={data_dir}", "--delete-data")


@pytest.fixture(params=programs() or [""], ids=lambda program: Path(program).name)
def kubectl(request: pytest.FixtureRequest, kubeconfig: Path) -> Kubectl:
    return Kubectl(request.param, kubeconfig)
