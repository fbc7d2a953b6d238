from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from .world import needs_root, world

pytestmark = [pytest.mark.root, needs_root]

RUN = str(Path(__file__).with_name("run_proxy.py"))

STEADY = """
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.connect(("10.96.0.50", 80)); sock.settimeout(0.2)
seen = []
end = time.time() + 15
while time.time() < end and len(seen) < 2:
    try:
        sock.send(b"x"); name = sock.recv(100).decode().split()[0]
    except OSError:
        continue
    if name not in seen:
        seen.append(name); print(name, flush=True)
    time.sleep(0.02)
"""


def test_endpoints_move_datagrams_follow_and_a_killed_proxy_leaves_traffic_alone() -> None:
    with world() as net:
        for number in (2, 3):
            net.serve(net.pod(number), f"pod{number}", 8080)
        client = net.pod(4)
        command = ["ip", "netns", "exec", net.node, sys.executable, RUN]

        def start() -> subprocess.Popen[str]:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            net.processes.append(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            return process

        def endpoints(process: subprocess.Popen[str], *addresses: str) -> None:
            assert process.stdin is not None
            process.stdin.write(f"{list(addresses)}\n".replace("'", '"'))
            process.stdin.flush()
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                text = net.run(net.node, "nft", "list", "map", "ip", "t", "endpoints")
                if all(f"{address} . 8080" in text for address in addresses):
                    return
                time.sleep(0.02)
            raise AssertionError(text)

        proxy = start()
        assert net.ask(client, "10.96.0.50", 80) == ["ConnectionRefusedError"]
        endpoints(proxy, "10.244.0.2")
        assert net.ask(client, "10.96.0.50", 80) == ["pod2 10.244.0.4"]
        steady = subprocess.Popen(
            ["ip", "netns", "exec", client, sys.executable, "-c", STEADY], stdout=subprocess.PIPE, text=True
        )
        net.processes.append(steady)
        assert steady.stdout is not None
        assert steady.stdout.readline() == "pod2\n"
        endpoints(proxy, "10.244.0.3")
        # One socket, one flow: it moves because its stale conntrack entry was removed.
        assert steady.stdout.readline() == "pod3\n"
        healthz = net.run(
            net.node,
            sys.executable,
            "-c",
            "import urllib.request as u; print(u.urlopen('http://127.0.0.1:10256/healthz').status)",
        )
        assert healthz == "200\n"

        net.run(net.node, "nft", "flush", "ruleset")
        deadline = time.monotonic() + 10
        while not net.run(net.node, "nft", "list", "tables"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert net.ask(client, "10.96.0.50", 80) == ["pod3 10.244.0.4"]

        proxy.kill()
        proxy.wait()
        assert net.ask(client, "10.96.0.50", 80) == ["pod3 10.244.0.4"]
        endpoints(start(), "10.244.0.2", "10.244.0.3")
        assert {answer.split()[0] for answer in net.ask(client, "10.96.0.50", 80, 20)} == {"pod2", "pod3"}
