"""One `steersman server` without a node, and an administrator's way to ask it."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from .processes import STEERSMAN, Processes, free_port

START_TIMEOUT = 30.0


class Access:
    """The administrator's credentials as files, and single requests with them."""

    def __init__(self, data_dir: Path) -> None:
        tree = yaml.safe_load((data_dir / "admin.conf").read_text())
        cluster, user = tree["clusters"][0]["cluster"], tree["users"][0]["user"]
        parts = urlsplit(cluster["server"])
        self.host, self.port = parts.hostname or "", parts.port or 443
        self.authority = data_dir / "bench-ca.pem"
        self.certificate = data_dir / "bench-client.pem"
        self.authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        self.certificate.touch(0o600)
        self.certificate.write_bytes(
            base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"])
        )
        self._context = ssl.create_default_context(cafile=str(self.authority))
        self._context.load_cert_chain(self.certificate)

    def connect(self, timeout: float = 10.0) -> http.client.HTTPSConnection:
        """A connection of the administrator's."""
        return http.client.HTTPSConnection(self.host, self.port, context=self._context, timeout=timeout)

    def request(self, method: str, path: str, body: Any = None, timeout: float = 10.0) -> tuple[int, str]:
        """Send one request on a connection of its own; the code is 0 where nobody answers."""
        connection = self.connect(timeout)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()

    def create(self, path: str, body: Any) -> Any:
        """Create an object; raises RuntimeError where the server refuses."""
        code, text = self.request("POST", path, body)
        if code not in (200, 201):
            raise RuntimeError(f"POST {path}: {code} {text[:500]}")
        return json.loads(text)

    def wait(self, path: str) -> Any:
        """The object or list at a path, however long it takes; raises RuntimeError."""
        code, text = self.request("GET", path, timeout=120.0)
        if code != 200:
            raise RuntimeError(f"GET {path}: {code} {text[:500]}")
        return json.loads(text)

    def get(self, path: str) -> Any:
        """The object at a path, None while there is none (or no server)."""
        code, text = self.request("GET", path)
        return json.loads(text) if code == 200 else None

    def wait_ready(self, timeout: float = START_TIMEOUT) -> None:
        """Wait until `/readyz` says ok."""
        deadline = time.monotonic() + timeout
        while self.request("GET", "/readyz") != (200, "ok"):
            if time.monotonic() > deadline:
                raise RuntimeError("the API server does not get ready")
            time.sleep(0.005)


class Server:
    """A running server."""

    def __init__(self, processes: Processes, data_dir: Path, *options: str, cores: set[int] | None = None) -> None:
        self._processes = processes
        self._cores = cores
        self.data_dir = data_dir
        self.command = [
            STEERSMAN, "server", "--data-dir", str(data_dir), "--bind-address", "127.0.0.1", "--disable-node",
            "--secure-port", str(free_port()), *options,
        ]  # fmt: skip
        self.access: Access

    def start(self) -> float:
        """Start it; return the seconds from exec until `/readyz` said ok."""
        started = time.perf_counter()
        self.process = self._processes.start(self.command, self.data_dir.with_suffix(".log"), self._cores)
        deadline = time.monotonic() + START_TIMEOUT
        while not (self.data_dir / "admin.conf").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = self.data_dir.with_suffix(".log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"the server does not start: {said}")
            time.sleep(0.002)
        self.access = Access(self.data_dir)
        self.access.wait_ready()
        return time.perf_counter() - started

    def stop(self) -> float:
        """End it; return the seconds that took."""
        started = time.perf_counter()
        self._processes.end(self.process)
        return time.perf_counter() - started
