"""`steersman testserver`: a cluster as a process, for tests in any language."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from steersman.api.types.core_v1 import Namespace
from steersman.cli.main import main
from steersman.client import kubeconfig
from steersman.testing import Cluster

STEERSMAN = Path(sys.executable).parent / "steersman"
QUICK = ("--controllers=", "--disable-scheduler", "--nodes=0")

FAILING = """
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: fails}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions: [{key: .status.phase, operator: NotIn, values: [Failed]}]
  next: {statusTemplate: 'phase: Failed'}
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start one; what it keeps lies in a directory that the test looks at."""
    (tmp_path / "tmp").mkdir()
    processes: list[subprocess.Popen[str]] = []

    def begin(*options: str, stdin: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [STEERSMAN, "testserver", *options],
            stdin=stdin,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def opened(server: dict[str, Any], path: str, body: Any = None) -> Any:
    """The answer, to be read."""
    headers = {"Authorization": f"Bearer {server['token']}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server["address"] + path, data, headers)
    return urllib.request.urlopen(request, context=ssl.create_default_context(cadata=server["ca"]), timeout=20)


def ask(server: dict[str, Any], path: str, body: Any = None) -> Any:
    with opened(server, path, body) as answer:
        return json.load(answer)


def test_it_says_how_it_is_reached_and_ends_with_who_started_it(start: Start, tmp_path: Path) -> None:
    process = start("--json", "--nodes=2")
    server = said(process)
    assert set(server) == {"address", "ca", "token", "kubeconfig", "version", "pid"}
    assert server["pid"] == process.pid
    config = kubeconfig.load(server["kubeconfig"])
    assert (config.server, config.ca_data.decode()) == (server["address"], server["ca"])
    assert len(ask(server, "/api/v1/nodes")["items"]) == 2
    assert ask(server, "/api/v1/namespaces/default/serviceaccounts/default")["metadata"]["name"] == "default"
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert not list((tmp_path / "tmp").iterdir())
    with pytest.raises(urllib.error.URLError, match="refused"):
        ask(server, "/version")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_a_pipe_it_waits_for_a_signal(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    process = start(*QUICK, stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Kubernetes v1.35")
    assert process.poll() is None
    process.send_signal(number)
    assert process.wait(10) == 0
    assert not list((tmp_path / "tmp").iterdir())


def test_its_objects_stay_where_it_is_told_to_keep_them(start: Start, tmp_path: Path) -> None:
    process = start("--json", *QUICK, "--store", str(tmp_path))
    uid = ask(said(process), "/api/v1/namespaces/default")["metadata"]["uid"]
    process.communicate(timeout=10)
    with Cluster(controllers=(), scheduler=False, nodes=0, store=tmp_path) as cluster:
        assert cluster.client.get(Namespace, "default").metadata.uid == uid


def test_pods_go_through_the_stages_that_it_is_told(start: Start, tmp_path: Path) -> None:
    (tmp_path / "stages.yaml").write_text(FAILING)
    server = said(start("--json", "--stages", str(tmp_path / "stages.yaml")))
    pod = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    ask(server, "/api/v1/namespaces/default/pods", pod)
    with opened(server, "/api/v1/namespaces/default/pods?watch=1") as events:
        phases = (json.loads(line)["object"]["status"]["phase"] for line in events)
        assert next(phase for phase in phases if phase != "Pending") == "Failed"


def test_stages_that_there_are_not_are_told() -> None:
    result = CliRunner().invoke(main, ["testserver", "--stages=slow"])
    assert result.exit_code == 1
    assert result.output == "Error: there are no stages 'slow'; choose of fast, general, chaos, or name a file\n"


def test_what_keeps_it_from_starting_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        command = [STEERSMAN, "testserver", "--secure-port", str(other.getsockname()[1])]
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert second.returncode == 1
    assert second.stdout == ""
    assert "in use" in second.stderr
    assert "Traceback" not in second.stderr
