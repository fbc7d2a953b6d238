"""Stock kubectl: the versions that are on the machine, and how tests run them."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from fixtures.kubectls import installed

from .processes import environment


class Kubectl:
    """One kubectl program, one cluster, one default namespace."""

    def __init__(self, version: str, kubeconfig: Path, namespace: str = "default") -> None:
        self.version = version
        self.program = installed()[version]
        self.kubeconfig = kubeconfig
        self.namespace = namespace

    @property
    def minor(self) -> int:
        return int(self.version.split(".")[1])

    def command(self, *arguments: str) -> list[str]:
        """The command line of a call."""
        return [self.program, "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, *arguments]

    @property
    def env(self) -> dict[str, str]:
        return {**environment(self.kubeconfig), "KUBECACHEDIR": f"{self.kubeconfig}.cache-{self.version}"}

    def run(self, *arguments: str, input: str | None = None, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:  # noqa: A002
        """Run it; the caller looks at the exit code."""
        return subprocess.run(
            self.command(*arguments),
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.env,
            check=False,
        )

    def __call__(self, *arguments: str, input: str | None = None, timeout: float = 60.0) -> str:  # noqa: A002
        """Run it with success and return what it printed."""
        result = self.run(*arguments, input=input, timeout=timeout)
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}: {result.stdout}{result.stderr}"
        return result.stdout

    def refused(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002
        """Run it, see it fail, and return what it said."""
        result = self.run(*arguments, input=input)
        assert result.returncode != 0, f"kubectl {' '.join(arguments)} succeeded: {result.stdout}"
        return result.stdout + result.stderr

    def json(self, *arguments: str) -> Any:
        """What it prints with `-o json`."""
        return json.loads(self(*arguments, "-o", "json"))

    def background(self, *arguments: str) -> "Background":
        """Start it and read what it prints as it comes (a context manager that ends it)."""
        return Background(self.command(*arguments), self.env)


class Background:
    """A program that goes on printing."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.command = command
        self.env = env
        self.lines: list[str] = []

    def __enter__(self) -> "Background":
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.env,
        )
        assert self.process.stdout is not None
        import os

        os.set_blocking(self.process.stdout.fileno(), False)
        self._rest = b""
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def read(self) -> list[str]:
        """Every line so far."""
        assert self.process.stdout is not None
        while chunk := self.process.stdout.read(65536):
            *complete, self._rest = (self._rest + chunk).split(b"\n")
            self.lines += [line.decode() for line in complete]
        return self.lines

    def expect(self, text: str, seconds: float = 20.0) -> list[str]:
        """Wait until a line contains a text; every line so far."""
        deadline = time.monotonic() + seconds
        while not any(text in line for line in self.read()):
            assert time.monotonic() < deadline, f"{text!r} was not among {self.lines}"
            time.sleep(0.03)
        return self.lines
