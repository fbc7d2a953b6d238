"""Clusters come and go: side by side, in the foreground, and after everything of them was killed."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .api import new_namespace
from .cluster import IMAGE, Cluster, container_ids
from .processes import STEERSMAN, free_port, run
from .waiting import until

pytestmark = [pytest.mark.root, pytest.mark.containerd]


@pytest.fixture
def second(cluster: Cluster, scratch: Path) -> Iterator[Cluster]:
    """Another cluster beside the session's; it is not started yet, and is removed with its data afterwards."""
    other = Cluster(scratch / f"second-{os.urandom(3).hex()}", octet=235)
    yield other
    other.down("--delete-data")
    other.wait_nothing_left()
    assert not other.data_dir.exists()


def run_pod(cluster: Cluster, name: str) -> str:
    """Run a pod that sleeps; return its namespace."""
    namespace = new_namespace(cluster.api, "life")
    container = {"name": "main", "image": IMAGE, "command": ["sleep", "3600"]}
    cluster.api.create(
        f"/api/v1/namespaces/{namespace}/pods",
        {"metadata": {"name": name}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}},
    )
    cluster.wait_ready(namespace)
    return namespace


def test_two_clusters_and_the_sudden_end_of_one(cluster: Cluster, second: Cluster) -> None:
    """Both run pods; every process of the second is killed; `down` cleans up; the first has noticed nothing."""
    namespace = run_pod(cluster, "first")
    before = container_ids(cluster.pods(namespace))
    second.up()
    second.import_images()
    run_pod(second, "second")
    assert not second.api.exists(f"/api/v1/namespaces/{namespace}")
    state = second.status()
    for item in sorted(state["processes"], key=lambda item: item["name"] != "supervisor"):
        os.kill(item["pid"], signal.SIGKILL)
    second.down()
    second.wait_nothing_left()
    assert container_ids(cluster.pods(namespace)) == before
    assert cluster.status()["ready"]
    # Its data are there: the same objects come back, and the pod runs again.
    second.up()
    [pod] = [pod for item in second.api.get("/api/v1/pods")["items"] if (pod := item["metadata"])["name"] == "second"]
    second.wait_ready(pod["namespace"])
    cluster.api.delete(f"/api/v1/namespaces/{namespace}")


def test_foreground(second: Cluster) -> None:
    """`up --foreground` stays, and takes the cluster's processes with it when it ends."""
    second.snapshot()
    log = second.data_dir.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [STEERSMAN, "up", "--foreground", "--data-dir", str(second.data_dir), *second.options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=second.env,
        )
    try:
        until(lambda: (second.data_dir / "run/supervisor.json").exists(), "it runs", 15)
        until(lambda: second.status()["ready"], "its node is ready", 30, 0.2)
        pids = [item["pid"] for item in second.status()["processes"]]
        assert process.pid in pids
    finally:
        process.terminate()
        process.wait(20)
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


def test_commands_that_come_at_the_same_time(second: Cluster) -> None:
    """Two `up` make one cluster; a `down` while it starts ends it; other settings hold from the next start."""
    second.snapshot()
    command = [STEERSMAN, "up", "--data-dir", str(second.data_dir), *second.options]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    ups = [subprocess.Popen(command, env=second.env, **streams) for _ in range(2)]  # type: ignore[call-overload]
    answers = [process.communicate(timeout=60)[0] for process in ups]
    assert [process.returncode for process in ups] == [0, 0], answers
    [supervisor] = [item for item in second.status()["processes"] if item["name"] == "supervisor"]
    found = [line for line in second.left() if f"steersman.cluster.supervisor {second.data_dir}" in line]
    assert [line.split(":")[0] for line in found] == [f"process {supervisor['pid']}"]

    other = str(free_port())
    refused = run(*command, "--kubelet-port", other, env=second.env)
    assert refused.returncode == 1
    assert f"not {other}); end it first" in refused.stderr
    second.down()
    second.wait_nothing_left()
    with subprocess.Popen([*command, "--secure-port", other], env=second.env, **streams) as starting:  # type: ignore[call-overload]
        until(lambda: (second.data_dir / "run/supervisor.json").exists(), "it starts", 15)
        second.down()
        starting.communicate(timeout=60)
    second.wait_nothing_left()
    second.up("--secure-port", other)
    assert second.status()["server"].endswith(f":{other}")
    assert second.status()["ready"]
