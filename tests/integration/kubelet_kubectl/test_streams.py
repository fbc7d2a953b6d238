"""Streams into pods by stock kubectl, oldest and newest: attach, terminals, debug containers, port forwarding."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import IMAGE, Kubectl, Terminal, free_port

pytestmark = [pytest.mark.root, pytest.mark.containerd, pytest.mark.kubectl]

SERVER = "mkdir /w; echo hi > /w/index.html; exec httpd -f -p 8080 -h /w"


@contextlib.contextmanager
def pod(kubectl: Kubectl, name: str, command: list[str], **container: object) -> Iterator[str]:
    """A ready pod; gone at the end."""
    name = f"{name}{kubectl.suffix}"
    main = {"name": "main", "image": IMAGE, "command": command, **container}
    spec = {"terminationGracePeriodSeconds": 2, "containers": [main]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    kubectl("create", "-f", "-", input=json.dumps(manifest))
    try:
        kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")
        yield name
    finally:
        kubectl("delete", "pod", name, "--ignore-not-found")


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def test_exec_ends_with_its_input_and_its_code(kubectl: Kubectl) -> None:
    with pod(kubectl, "exec", ["sleep", "1000"]) as name:
        done = kubectl.run("exec", "-i", name, "--", "sh", "-c", "cat; echo err >&2; exit 7", input="a\nb\n")
        assert (done.returncode, done.stdout) == (7, "a\nb\n")
        assert "err\n" in done.stderr
        assert "command terminated with exit code 7" in done.stderr
        big = "0123456789abcdef" * 65536
        assert kubectl("exec", "-i", name, "--", "cat", input=big) == big
        missing = kubectl.run("exec", name, "--", "/no/such/program")
        assert missing.returncode != 0
        assert "no such file or directory" in missing.stderr


def test_terminal_is_resized(kubectl: Kubectl) -> None:
    def resize(terminal: Terminal) -> None:
        terminal.resize(41, 133)
        terminal.write('until test "$(busybox stty size)" = \'41 133\'; do sleep 0.1; done; echo res""ized\n')

    with pod(kubectl, "tty", ["sleep", "1000"]) as name:
        terminal = kubectl.terminal("exec", "-it", name, "--", "sh")
        terminal.resize(24, 80)
        assert terminal.run(("# ", resize), ("resized", "exit 5\n")) == 5


def test_run_on_a_terminal_and_remove(kubectl: Kubectl) -> None:
    name = f"try{kubectl.suffix}"
    terminal = kubectl.terminal("run", "-it", "--rm", name, f"--image={IMAGE}", "--restart=Never", "--", "sh")
    assert terminal.run(("# ", "echo h$((1+1))i\n"), ("h2i", "exit 3\n")) == 3
    assert f'pod "{name}" deleted' in terminal.output
    assert "not found" in kubectl.run("get", "pod", name).stderr


def test_attach_passes_input_and_output(kubectl: Kubectl) -> None:
    with pod(kubectl, "att", ["sh", "-c", "cat; echo bye"], stdin=True, stdinOnce=True) as name:
        assert kubectl("attach", "-i", name, input="zero\n") == "zero\nbye\n"
    name = f"once{kubectl.suffix}"
    out = kubectl(
        "run", name, f"--image={IMAGE}", "-i", "--restart=Never", "--", "sh", "-c", "cat; echo bye", input="one\ntwo\n"
    )
    assert out == "one\ntwo\nbye\n"
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "--timeout=20s")
    assert kubectl("logs", name) == "one\ntwo\nbye\n"
    kubectl("delete", "pod", name)


def test_debug_container_sees_its_target(kubectl: Kubectl) -> None:
    with pod(kubectl, "target", ["sh", "-c", SERVER]) as name:
        arguments = ["debug", "-i", name, f"--image={IMAGE}", "--target=main", "-c", "visitor", "--"]
        kubectl.run(*arguments, "sh", "-c", "busybox ps; wget -qO- http://127.0.0.1:8080/; sleep 1")
        terminated = "jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}"
        kubectl("wait", f"--for={terminated}=0", f"pod/{name}", "--timeout=20s")
        log = kubectl("logs", name, "-c", "visitor")
        assert "httpd -f -p 8080" in log
        assert log.endswith("hi\n")
        assert kubectl("get", "pod", name, "-o", "jsonpath={.status.containerStatuses[0].restartCount}") == "0"
        assert "Ephemeral Containers:" in kubectl("describe", "pod", name)


def test_port_forward_and_its_refusal(kubectl: Kubectl) -> None:
    with pod(kubectl, "fwd", ["sh", "-c", SERVER]) as name:
        process = kubectl.background("port-forward", name, ":8080", ":9")
        watchdog = threading.Timer(30, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            while "-> 9" not in lines[-1]:
                lines.append(process.stdout.readline())
            ports = {line.split()[-1]: line.split()[2].rpartition(":")[2] for line in lines}
            for _ in range(3):
                with urllib.request.urlopen(f"http://127.0.0.1:{ports['8080']}/", timeout=10) as answer:
                    assert answer.read() == b"hi\n"
            with pytest.raises(OSError, match=r"."):
                urllib.request.urlopen(f"http://127.0.0.1:{ports['9']}/", timeout=10)
            # It is said after the connection has been closed.
            assert any("refused" in line for line in iter(process.stdout.readline, ""))
        finally:
            watchdog.cancel()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)


def test_newest_kubectl_gets_websockets(kubectl: Kubectl) -> None:
    minor = int(kubectl.suffix or "0")
    with pod(kubectl, "ws", ["sh", "-c", SERVER]) as name:
        done = kubectl.run("exec", "-v=9", name, "--", "true")
        assert done.returncode == 0
        said = done.stderr.lower()
        assert ("v5.channel.k8s.io" if minor >= 130 else "v4.channel.k8s.io") in said
        assert ("spdy" in said) is (minor < 130)


def test_copies_both_ways(kubectl: Kubectl, tmp_path: Path) -> None:
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(os.urandom(3_000_000))
    with pod(kubectl, "cp", ["sleep", "1000"]) as name:
        kubectl("cp", str(here), f"{name}:/tmp/there")
        kubectl("cp", f"{name}:/tmp/there", str(back))
        assert back.read_bytes() == here.read_bytes()


def test_connections_of_one_port_forward_go_their_own_ways(kubectl: Kubectl) -> None:
    with pod(kubectl, "many", ["sh", "-c", f"busybox nc -ll -p 9000 -e sleep 1000 & {SERVER}"]) as name:
        process = kubectl.background("port-forward", name, ":9000", ":8080")
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            while "-> 8080" not in lines[-1]:
                lines.append(process.stdout.readline())
            ports = {line.split()[-1]: int(line.split()[2].rpartition(":")[2]) for line in lines}
            with socket.create_connection(("127.0.0.1", ports["9000"]), timeout=10) as stuck:
                stuck.settimeout(1)
                with contextlib.suppress(TimeoutError):
                    stuck.sendall(bytes(4 << 20))  # to a program that reads nothing
                with urllib.request.urlopen(f"http://127.0.0.1:{ports['8080']}/", timeout=10) as answer:
                    assert answer.read() == b"hi\n"
        finally:
            process.kill()
            process.communicate()


def test_proxies(kubectl: Kubectl) -> None:
    ports = [{"name": "http", "containerPort": 8080}]
    readiness = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    with pod(kubectl, "proxied", ["sh", "-c", SERVER], ports=ports, readinessProbe=readiness) as name:
        kubectl("label", "pod", name, f"app={name}")
        kubectl("expose", "pod", name, "--port=80", "--target-port=http")
        until(lambda: "8080" in kubectl("get", "endpoints", name))
        below = "/api/v1/namespaces/default"
        for path in (f"services/{name}:80", f"services/http:{name}:", f"pods/{name}", f"pods/{name}:8080"):
            assert kubectl("get", "--raw", f"{below}/{path}/proxy/") == "hi\n"
        refused = kubectl.run("get", "--raw", f"{below}/pods/{name}:9/proxy/").stderr
        assert "error trying to reach service: dial tcp" in refused
        node = kubectl("get", "pod", name, "-o", "jsonpath={.spec.nodeName}")
        assert name in kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/pods")
        process = kubectl.background("proxy", "--port=0")
        try:
            assert process.stdout is not None
            port = process.stdout.readline().rpartition(":")[2].strip()
            url = f"http://127.0.0.1:{port}{below}/services/{name}:80/proxy/"
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert answer.read() == b"hi\n"
        finally:
            process.kill()
            process.communicate()
        kubectl("delete", "service", name)


def test_logs_with_each_flag(kubectl: Kubectl) -> None:
    said = "echo one; echo err >&2; sleep 1.2; echo two; sleep 1000"
    with pod(kubectl, "logs", ["sh", "-c", said]) as name:
        until(lambda: "two" in kubectl("logs", name))
        assert sorted(kubectl("logs", name).split()) == ["err", "one", "two"]
        assert kubectl("logs", name, "--tail=1") == "two\n"
        assert kubectl("logs", name, "--tail=0") == ""
        assert len(kubectl("logs", name, "--limit-bytes=5")) == 5
        assert kubectl("logs", name, "--since=1h").endswith("two\n")
        stamps = [line.split()[0] for line in kubectl("logs", name, "--timestamps").splitlines()]
        assert kubectl("logs", name, f"--since-time={stamps[-1]}") == "two\n"
        raw = f"/api/v1/namespaces/default/pods/{name}/log"
        assert kubectl("get", "--raw", f"{raw}?stream=Stderr") == "err\n"
        assert kubectl("get", "--raw", f"{raw}?stream=Stdout") == "one\ntwo\n"
        assert kubectl("get", "--raw", f"{raw}?insecureSkipTLSVerifyBackend=true&tailLines=1") == "two\n"
        assert kubectl("logs", name, "--insecure-skip-tls-verify-backend", "--tail=1") == "two\n"
        assert "previous terminated container" in kubectl.run("logs", name, "--previous").stderr
        assert "container nope is not valid for pod" in kubectl.run("logs", name, "-c", "nope").stderr
        follower = kubectl.background("logs", "-f", name)
        kubectl("delete", "pod", name)
        output, _ = follower.communicate(timeout=20)
        assert output.endswith("two\n")


def test_host_port(kubectl: Kubectl) -> None:
    port = free_port()
    ports = [{"containerPort": 8080, "hostPort": port}]
    readiness = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    with pod(kubectl, "hostport", ["sh", "-c", SERVER], ports=ports, readinessProbe=readiness) as name:
        address = kubectl("get", "pod", name, "-o", "jsonpath={.status.hostIP}")
        for host in (address, "127.0.0.1"):
            with urllib.request.urlopen(f"http://{host}:{port}/", timeout=10) as answer:
                assert answer.read() == b"hi\n"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
