"""A real etcd, that tests may kill and start again."""

import base64
import json
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from .processes import free_port
from .waiting import until


class Etcd:
    """One member on loopback; its data survives its process."""

    def __init__(self, data_dir: Path) -> None:
        program = shutil.which("etcd")
        if program is None:
            pytest.skip("there is no etcd on the PATH")
        self.data_dir = data_dir
        self.port, peer = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        peers = f"http://127.0.0.1:{peer}"
        self.command = [
            program, "--data-dir", str(data_dir), "--log-level", "error",
            "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
            "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
            "--initial-cluster", f"default={peers}",
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Etcd":
        """Start it, and wait until it listens."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._listens, "etcd listens")
        return self

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """`kill -9`."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def remove(self) -> None:
        """End it, and delete its data."""
        self.kill()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def keys(self, prefix: str) -> set[str]:
        """What lies below a prefix, without it."""
        found = self._call("range", prefix, keys_only=True).get("kvs", [])
        return {base64.b64decode(item["key"]).decode().removeprefix(prefix) for item in found}

    def delete(self, prefix: str) -> None:
        """Remove everything below a prefix."""
        self._call("deleterange", prefix)

    def _call(self, method: str, prefix: str, **fields: object) -> Any:
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        first, last = (base64.b64encode(text.encode()).decode() for text in (prefix, end))
        body = json.dumps({"key": first, "range_end": last, **fields}).encode()
        with urllib.request.urlopen(f"{self.url}/v3/kv/{method}", data=body, timeout=10) as reply:
            return json.load(reply)
