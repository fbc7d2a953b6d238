"""Simulated nodes under a stock kubectl: in the server's process, and in one of their own."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .added_server import own_address
from .conftest import VERSIONS
from .kubectl import Kubectl
from .processes import STEERSMAN, Server, environment
from .waiting import until


@pytest.fixture(params=VERSIONS[:1], ids=lambda version: f"kubectl-{version}")
def simulation(request: pytest.FixtureRequest, make_server: Callable[..., Server]) -> Kubectl:
    """A server with three simulated nodes in two zones."""
    server = make_server("--datastore", "memory", "--simulated-nodes", "3", "--simulated-zones", "2").start()
    return Kubectl(request.param, server.kubeconfig)


@pytest.fixture
def joined(simulation: Kubectl) -> Iterator[Kubectl]:
    """The same with another node, of a process of its own."""
    with joining(simulation, "--shape", "cpu=2,memory=1Gi,nvidia.com/gpu=4", "--label", "tier=edge"):
        yield simulation


@contextlib.contextmanager
def joining(kubectl: Kubectl, *options: str) -> Iterator[None]:
    command = [STEERSMAN, "nodes", "--kubeconfig", str(kubectl.kubeconfig), "--name", "edge-{}", *options]
    process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL)
    try:
        yield
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(10)


def nodes_of_pods(kubectl: Kubectl) -> list[str]:
    path = "jsonpath={range .items[?(@.status.phase=='Running')]}{.spec.nodeName} {end}"
    return sorted(kubectl("get", "pods", "-o", path).split())


def test_pods_run_and_move(simulation: Kubectl) -> None:
    kubectl = simulation
    kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=20s")
    assert kubectl("get", "nodes", "-o", "name").split() == [f"node/simulated-{number}" for number in range(3)]
    described = kubectl("describe", "node", "simulated-1")
    assert "topology.kubernetes.io/zone=zone-1" in described
    assert "kubelet is posting ready status" in described
    kubectl("create", "deployment", "web", "--image=nginx", "--replicas=6")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert set(nodes_of_pods(kubectl)) == {"simulated-0", "simulated-1", "simulated-2"}
    assert "240.0." in kubectl("get", "pods", "-o", "wide")
    kubectl("drain", "simulated-1", "--timeout=20s")
    until(
        lambda: len(found := nodes_of_pods(kubectl)) == 6 and "simulated-1" not in found,
        "the pods moved",
    )
    kubectl("delete", "deployment", "web")
    kubectl("wait", "--for=delete", "pods", "--all", "--timeout=20s")


def test_what_runs_nothing_says_so(simulation: Kubectl) -> None:
    kubectl = simulation
    kubectl("run", "a", "--image=nginx")
    kubectl("wait", "--for=condition=Ready", "pod/a", "--timeout=20s")
    for command in (["logs", "a"], ["exec", "a", "--", "ls"], ["attach", "a"], ["port-forward", "a", "18080:80"]):
        assert "is simulated: nothing runs there that has logs or answers" in kubectl.refused(*command)


def test_nodes_join_from_elsewhere(joined: Kubectl) -> None:
    kubectl = joined
    until(lambda: "edge-0" in kubectl("get", "nodes"), "the node is there")
    kubectl("wait", "--for=condition=Ready", "node", "-l", "tier=edge", "--timeout=20s")
    kubectl("run", "kept-off", "--image=nginx")
    tolerating = """
        {"apiVersion": "v1", "spec": {"nodeSelector": {"tier": "edge"},
         "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}]}}"""
    kubectl("run", "sent-there", "--image=nginx", "--overrides", tolerating)
    kubectl("wait", "--for=condition=Ready", "pods", "--all", "--timeout=20s")
    placed = "jsonpath={.spec.nodeName}"
    assert kubectl("get", "pod", "sent-there", "-o", placed) == "edge-0"
    assert kubectl("get", "pod", "kept-off", "-o", placed) != "edge-0"
    assert kubectl("get", "node", "edge-0", "-o", "jsonpath={.status.allocatable.nvidia\\.com/gpu}") == "4"


@pytest.mark.skipif(not own_address(), reason="this machine has no address but loopback")
@pytest.mark.parametrize("version", VERSIONS[:1])
def test_kubectl_tops_nodes_and_pods(make_server: Callable[..., Server], version: str) -> None:
    options = ("--datastore", "memory", "--simulated-nodes", "2", "--simulated-metrics", "--node-ip", own_address())
    server = make_server(*options).start()
    kubectl = Kubectl(version, server.kubeconfig)
    annotations = "--annotations=kwok.x-k8s.io/usage-cpu=250m,kwok.x-k8s.io/usage-memory=64Mi"
    kubectl("run", "a", "--image=nginx", *annotations.replace(",", " --annotations=").split())
    kubectl("wait", "--for=condition=Ready", "pod/a", "--timeout=20s")
    kubectl("wait", "--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io", "--timeout=20s")
    assert kubectl("top", "pods", "--no-headers").split() == ["a", "250m", "64Mi"]
    assert "250m" in kubectl("top", "nodes")
    with joining(kubectl, "--metrics"):
        until(lambda: "edge-0" in kubectl("top", "nodes"), "it tells of another simulation's node")
    assert "250m" in kubectl("top", "nodes")  # one of the two has served all the time
    server.stop()


def test_settings_are_remembered(make_server: Callable[..., Server], tmp_path: Path) -> None:
    server = make_server("--simulated-nodes", "2").start()
    until(lambda: len(server.api.get("/api/v1/nodes")["items"]) == 2, "both nodes are there")
    server.stop()
    server.command = server.command[:-2]
    server.start()
    lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/simulated-1"
    before = server.api.get(lease)["spec"]["renewTime"]
    until(lambda: server.api.get(lease)["spec"]["renewTime"] > before, "the node's lease is renewed", 15.0)
