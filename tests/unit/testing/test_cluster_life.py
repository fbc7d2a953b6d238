"""A cluster starts and ends, again and again, and nothing of it stays."""

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from steersman.api.types.core_v1 import ConfigMap, Namespace, Node
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.simulation import Stage, stages_of
from steersman.simulation.stage import Outcome
from steersman.testing import AsyncCluster, Cluster, NodeShape
from steersman.testing.clients import AsyncClient, BlockingClient
from steersman.testing.cluster import StoppedError
from steersman.testing.life import StartError
from steersman.testing.thread import LoopThread
from steersman.testing.turnable_clock import TurnableClock

pytestmark = pytest.mark.usefixtures("leaves_nothing")


def small() -> Cluster:
    return Cluster(controllers=(), scheduler=False, nodes=0)


def config_map(name: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"))


def test_it_serves_over_tls_and_is_gone_afterwards() -> None:
    with small() as cluster:
        directory, config = cluster.kubeconfig_path.parent, cluster.config
        assert repr(cluster) == f"<Cluster at {config.server}, namespace default>"
        context = ssl.create_default_context(cadata=config.ca_data.decode())
        with urllib.request.urlopen(f"{config.server}/readyz", context=context) as answer:
            assert answer.read() == b"ok"
    assert not directory.exists()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{config.server}/readyz", context=context)
    for forgotten in ("kubeconfig", "client", "awaitable", "clock"):
        with pytest.raises(StoppedError):
            getattr(cluster, forgotten)
    with pytest.raises(StoppedError):
        cluster.apply()
    cluster.stop()  # once more, and nothing happens


def test_it_starts_again_with_nothing_in_it() -> None:
    cluster = small()
    for _ in range(2):
        with cluster:
            cluster.client.create(config_map("a"))
            with pytest.raises(RuntimeError, match="runs already"):
                cluster.start()


def test_with_sqlite_it_goes_on_where_it_was(tmp_path: Path) -> None:
    with Cluster(controllers=(), scheduler=False, nodes=0, store=tmp_path) as cluster:
        cluster.client.create(config_map("a"))
    with Cluster(controllers=(), scheduler=False, nodes=0, store=tmp_path) as cluster:
        assert cluster.client.get(ConfigMap, "a", "default").metadata.name == "a"


def test_what_keeps_it_from_starting_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("no database")
    with pytest.raises(StartError, match=r"the cluster does not start: .*state\.db") as refused:
        Cluster(store=tmp_path).start()
    assert refused.value.__cause__ is not None


def test_it_ends_under_100_watches_at_once() -> None:
    with small() as cluster:
        config = cluster.config
        context = ssl.create_default_context(cadata=config.ca_data.decode())
        certificate = cluster.kubeconfig_path.with_name("pair.pem")
        certificate.write_bytes(config.client_certificate_data + config.client_key_data)
        context.load_cert_chain(certificate)
        cluster.client.create(config_map("a"))
        url = f"{config.server}/api/v1/configmaps?watch=1"
        watches = [urllib.request.urlopen(url, context=context) for _ in range(100)]
        assert all(watch.readline() for watch in watches)
        begun = time.perf_counter()
    assert time.perf_counter() - begun < 0.5  # 50 ms are promised: a row of the bench, where nobody else works
    for watch in watches:
        watch.close()


def test_somebody_who_waits_is_told_of_the_end() -> None:
    cluster = small().start()
    changes = cluster.client.watch(ConfigMap, "default")
    cluster.client.create(config_map("a"))
    assert next(changes).object.metadata.name == "a"
    cluster.stop()
    assert not [change for change in changes if change.type != "BOOKMARK"]


def test_who_waits_in_another_thread_is_told_of_the_end_and_leaves_no_task(caplog: pytest.LogCaptureFixture) -> None:
    looked = threading.Event()
    with small() as cluster, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cluster.wait_for, "namespace/default", lambda _: looked.set())
        assert looked.wait(10)
        cluster.stop()
        with pytest.raises(StoppedError, match="the cluster was stopped meanwhile"):
            waiting.result()
    assert caplog.messages == []


async def test_it_is_awaited_beside_others() -> None:
    async with Cluster(nodes=(NodeShape(count=2, name="worker-{}", zones=("a", "b")),)) as one, small() as other:
        await asyncio.gather(one.create_namespace("here"), other.create_namespace("there"))
        names = [
            {each.metadata.name for each in (await cluster.client.list(Namespace)).items} for cluster in (one, other)
        ]
        assert "here" in names[0] - names[1]
        assert "there" in names[1] - names[0]
        nodes = {each.metadata.name: each for each in (await one.client.list(Node)).items}
        assert set(nodes) == {"worker-0", "worker-1"}
        assert nodes["worker-1"].metadata.labels["topology.kubernetes.io/zone"] == "b"


async def test_a_start_that_is_cancelled_leaves_nothing() -> None:
    async def use() -> None:
        async with Cluster():
            raise AssertionError("it cannot be ready by now")

    task = asyncio.create_task(use())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_two_clusters_have_ports_of_their_own() -> None:
    with small() as one, small() as other:
        assert one.config.server != other.config.server
        address = one.config.server.removeprefix("https://").split(":")
        with socket.create_connection((address[0], int(address[1]))):
            pass


def test_both_faces_have_the_same_methods() -> None:
    def offered(face: type) -> set[str]:
        return {name for name in dir(face) if not name.startswith("_")}

    assert offered(Cluster) - offered(AsyncCluster) == {"awaitable", "start", "stop"}
    assert offered(AsyncCluster) <= offered(Cluster)
    assert offered(BlockingClient) == offered(AsyncClient)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_is_told_where_the_cluster_runs_and_leaves_it_alone() -> None:
    with small() as cluster:
        assert (ours := cluster.client.list(Namespace)).items
        if not (child := os.fork()):
            try:
                with pytest.raises(StoppedError, match="runs in the process that this is a fork of"):
                    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
                directory = cluster.life._directory
                cluster.stop()
                directory.remove()
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert cluster.kubeconfig_path.exists()
        assert cluster.client.list(Namespace).items == ours.items


def test_who_forgets_to_stop_it_leaves_nothing(tmp_path: Path) -> None:
    program = "from steersman.testing import Cluster; Cluster(controllers=()).start().client.raw('/version')"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=30)
    assert not list(tmp_path.iterdir())


def test_controllers_that_there_are_not() -> None:
    with pytest.raises(
        StartError, match=r'"deployment" is not in the list of known controllers: .*deployment-controller'
    ):
        Cluster(controllers=["deployment"]).start()


@pytest.mark.parametrize(
    ("what", "error", "said"),
    [
        ({"nodes": "3"}, TypeError, r"nodes are '3': a number is expected, or several shapes, as in \[NodeShape"),
        ({"nodes": -1}, ValueError, "nodes is -1: at least 0 is possible"),
        ({"nodes": True}, TypeError, "nodes is True, no whole number"),
        ({"nodes": 1.5}, TypeError, "nodes are 1.5: a number is expected"),
        ({"nodes": NodeShape()}, TypeError, "several shapes"),
        ({"stages": "slow"}, ValueError, "there are no stages 'slow'; choose of fast, general, chaos, or name a file"),
        ({"stages": [5]}, TypeError, r"stages are \[5\]: names or files are expected"),
        ({"controllers": "*"}, TypeError, r"controllers are '\*': several names are expected"),
        ({"controllers": None}, TypeError, "controllers are None"),
        ({"store": None}, TypeError, "store is None, neither 'memory' nor a directory"),
        ({"stages": 5}, TypeError, "stages are 5: names or files are expected"),
        ({"store": "sqlite"}, ValueError, "store is 'sqlite': name the directory"),
        ({"scheduler": "no"}, TypeError, "scheduler is 'no', neither True nor False"),
        ({"clock": 5}, TypeError, "clock is 5; a steersman.testing.TurnableClock is one"),
    ],
    ids=str,
)
def test_what_no_cluster_can_be_made_of(what: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Cluster(**what)


@pytest.mark.parametrize("kind", ["Pods", "Deployment", "Binding"])
def test_stages_of_what_has_none(kind: str) -> None:
    stage = Stage(name="s", kind=kind, matches=lambda _: True, next=lambda _: Outcome())
    with pytest.raises(ValueError, match=f"stage 's': v1 {kind} has no stages here; only built-in kinds do"):
        Cluster(stages=[stage])


def test_stages_by_name_and_by_file(tmp_path: Path) -> None:
    file = tmp_path / "stages.yaml"
    file.write_text(
        "apiVersion: kwok.x-k8s.io/v1alpha1\n"
        "kind: Stage\n"
        "metadata: {name: born}\n"
        "spec:\n"
        "  resourceRef: {apiGroup: v1, kind: Pod}\n"
        "  selector: {matchExpressions: [{key: .status.phase, operator: In, values: [Pending]}]}\n"
        "  next: {statusTemplate: 'phase: Failed'}\n"
    )
    for stages in (str(file), file, [file, "general"]):
        names = {stage.name for stage in Cluster(stages=stages)._settings.simulation.stages}
        assert "born" in names
    by_name = Cluster(stages="general")._settings.simulation.stages
    assert by_name == Cluster(stages=stages_of("general"))._settings.simulation.stages
    assert by_name != Cluster()._settings.simulation.stages


def test_who_asks_a_cluster_that_failed_is_told_why() -> None:
    async def fail() -> None:
        raise RuntimeError("the disk is gone")

    thread = LoopThread(fail, "fails")
    thread.start()
    with pytest.raises(RuntimeError, match="the disk is gone"):
        thread.ended.result(5)
    for _ in range(3):
        work = asyncio.sleep(0)
        with pytest.raises(StoppedError, match="the cluster does not run: it failed: the disk is gone"):
            thread.wait(work)
    thread.join()


def test_instants_have_a_time_zone() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        TurnableClock().set(datetime(2030, 1, 1))
    with pytest.raises(TypeError, match="'2030-01-01T00:00:00Z' is no datetime"):
        TurnableClock().set("2030-01-01T00:00:00Z")  # type: ignore[arg-type]
