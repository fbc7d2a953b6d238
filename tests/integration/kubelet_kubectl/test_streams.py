"""Streams into pods by stock kubectl, oldest and newest: attach, terminals, debug containers, port forwarding."""

from __future__ import annotations

import contextlib
import json
import signal
import urllib.request
from collections.abc import Iterator

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
        finally:
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=10)
        assert "refused" in output


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
