"""A node and pods as network namespaces: nothing of it touches the machine's own network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2 for network namespaces"
)

SERVER = """
import socket, sys, threading
name, port = sys.argv[1].encode(), int(sys.argv[2])
tcp = socket.create_server(("0.0.0.0", port)); udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("0.0.0.0", port))
def datagrams():
    while True:
        data, peer = udp.recvfrom(100); udp.sendto(name + b" " + peer[0].encode(), peer)
threading.Thread(target=datagrams, daemon=True).start()
print("ready", flush=True)
while True:
    conn, peer = tcp.accept(); conn.sendall(name + b" " + peer[0].encode()); conn.close()
"""

CLIENT = """
import socket, sys, json
address, port, count, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
out = []
for _ in range(count):
    try:
        if kind == "tcp":
            s = socket.create_connection((address, port), timeout=2); out.append(s.recv(100).decode()); s.close()
        else:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); s.connect((address, port))
            s.send(b"x"); out.append(s.recv(100).decode()); s.close()
    except OSError as error:
        out.append(type(error).__name__)
print(json.dumps(out))
"""


class World:
    """One node (``10.244.0.1`` on its bridge, ``192.0.2.7`` outside), pods behind it, a stranger outside."""

    def __init__(self) -> None:
        self.prefix = f"stt{os.getpid()}"
        self.node = f"{self.prefix}node"
        self.namespaces: list[str] = []
        self.processes: list[subprocess.Popen[str]] = []

    def ip(self, *args: str) -> None:
        subprocess.run(["ip", *args], check=True, capture_output=True)

    def _namespace(self, name: str) -> str:
        self.ip("netns", "add", name)
        self.namespaces.append(name)
        self.ip("-n", name, "link", "set", "lo", "up")
        return name

    def build(self) -> None:
        self._namespace(self.node)
        self.run(self.node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.ip("-n", self.node, "link", "add", "br0", "type", "bridge")
        self.ip("-n", self.node, "addr", "add", "10.244.0.1/24", "dev", "br0")
        self.ip("-n", self.node, "link", "set", "br0", "up")
        stranger = self._namespace(f"{self.prefix}out")
        self.ip("-n", self.node, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", stranger)
        for namespace, address in ((self.node, "192.0.2.7/24"), (stranger, "192.0.2.9/24")):
            self.ip("-n", namespace, "addr", "add", address, "dev", "eth0")
            self.ip("-n", namespace, "link", "set", "eth0", "up")
        self.ip("-n", self.node, "route", "add", "default", "via", "192.0.2.9")
        self.ip("-n", stranger, "route", "add", "10.96.0.0/12", "via", "192.0.2.7")
        self.stranger = stranger

    def pod(self, number: int) -> str:
        name = self._namespace(f"{self.prefix}p{number}")
        self.ip("-n", self.node, "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
        self.ip("-n", self.node, "link", "set", f"v{number}", "master", "br0", "up")
        self.run(self.node, "bridge", "link", "set", "dev", f"v{number}", "hairpin", "on")
        self.ip("-n", name, "addr", "add", f"10.244.0.{number}/24", "dev", "eth0")
        self.ip("-n", name, "link", "set", "eth0", "up")
        self.ip("-n", name, "route", "add", "default", "via", "10.244.0.1")
        return name

    def run(self, namespace: str, *command: str, stdin: str | None = None) -> str:
        full = ["ip", "netns", "exec", namespace, *command]
        done = subprocess.run(full, check=False, capture_output=True, text=True, timeout=60, input=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def serve(self, namespace: str, name: str, port: int) -> None:
        command = ["ip", "netns", "exec", namespace, sys.executable, "-c", SERVER, name, str(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    def ask(self, namespace: str, address: str, port: int, count: int = 1, kind: str = "tcp") -> list[str]:
        answers: list[str] = json.loads(
            self.run(namespace, sys.executable, "-c", CLIENT, address, str(port), str(count), kind)
        )
        return answers

    def tear_down(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for name in self.namespaces:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextmanager
def world() -> Iterator[World]:
    result = World()
    try:
        result.build()
        yield result
    finally:
        result.tear_down()
