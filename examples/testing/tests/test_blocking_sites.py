"""The operator in a thread beside the test, as ``kopf run`` runs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kopf import OperatorRegistry
from kopf.testing import KopfRunner

from steersman.testing import Cluster

EXAMPLE = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def operator(kubernetes: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig_path))
    command = ["run", "--standalone", "--namespace", kubernetes.namespace, str(EXAMPLE / "blocking_sites.py")]
    with KopfRunner(command, registry=OperatorRegistry(), timeout=10) as running:
        yield
    assert running.exception is None


def test_a_site_is_served(kubernetes: Cluster) -> None:
    kubernetes.apply(EXAMPLE / "site.yaml")
    kubernetes.wait_for("site/hello", jsonpath="{.status.ready}=true")
    deployment = kubernetes.wait_for("deployment/hello")
    assert deployment.metadata.owner_references[0].kind == "Site"
    pods = kubernetes.wait_for("pods", condition="Ready", selector="site=hello", count=2)
    assert {pod.spec.containers[0].image for pod in pods} == {"registry.example.com/hello:1"}


def test_a_site_grows(kubernetes: Cluster) -> None:
    kubernetes.apply(EXAMPLE / "site.yaml")
    kubernetes.wait_for("deployment/hello", condition="Available")
    kubernetes.apply({"apiVersion": "example.com/v1", "kind": "Site", "metadata": {"name": "hello"}, "spec": SPEC})
    kubernetes.wait_for("deployment/hello", lambda deployment: deployment.status.ready_replicas == 3)


def test_what_a_site_made_goes_with_it(kubernetes: Cluster) -> None:
    kubernetes.apply(EXAMPLE / "site.yaml")
    site = kubernetes.wait_for("site/hello", jsonpath="{.status.ready}=true")
    kubernetes.client.delete(type(site), "hello", kubernetes.namespace)
    kubernetes.wait_for("deployment/hello", deleted=True)
    kubernetes.wait_for("pods", selector="site=hello", deleted=True)


SPEC = {"image": "registry.example.com/hello:1", "replicas": 3}
