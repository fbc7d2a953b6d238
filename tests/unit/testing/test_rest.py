"""A cluster at rest stays as it is: who waits to try again has tried in the world as it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.api.types.apps_v1 import Deployment
from steersman.api.types.core_v1 import ConfigMap, Namespace, Node, Pod
from steersman.api.types.networking_v1 import IPAddress
from steersman.client import Patch, StatusError
from steersman.testing import Cluster
from steersman.testing.settling import NotSettled, Retrying, Settling

from .inside import WIDGETS, deployment

PICKY = """
apiVersion: v1
kind: Pod
metadata: {name: picky}
spec:
  nodeSelector: {disk: fast}
  containers: [{name: c, image: a}]
"""
HELD = """
apiVersion: v1
kind: ConfigMap
metadata: {name: held, namespace: doomed, finalizers: [example.com/a]}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {clusterIP: 10.96.8.8, ports: [{port: 80}]}
"""


@pytest.fixture
def cluster(kubernetes_cluster: Cluster) -> Iterator[Cluster]:
    with kubernetes_cluster.snapshot():
        yield kubernetes_cluster
        kubernetes_cluster.faults.clear()


def merge(cluster: Cluster, kind: type[Node] | type[ConfigMap], name: str, body: bytes, namespace: str = "") -> None:
    cluster.client.patch(kind, name, Patch("application/merge-patch+json", body), namespace)


def make_room(cluster: Cluster) -> None:
    """For a pod that was tried a moment ago, and would be again in a second."""
    cluster.apply(PICKY)
    cluster.settle()
    (node,) = cluster.client.list(Node).items
    merge(cluster, Node, node.metadata.name, b'{"metadata":{"labels":{"disk":"fast"}}}')


def test_pods_that_may_fit_by_now_are_tried(cluster: Cluster) -> None:
    make_room(cluster)
    cluster.settle()
    assert cluster.client.get(Pod, "picky", "default").status.phase == "Running"


def test_a_snapshot_is_not_of_a_world_that_moves_by_itself(cluster: Cluster) -> None:
    make_room(cluster)
    with cluster.snapshot():
        assert cluster.client.get(Pod, "picky", "default").spec.node_name
        cluster.client.delete(Pod, "picky", "default")
    assert cluster.client.get(Pod, "picky", "default").status.phase == "Running"


def test_pods_that_fit_nowhere_are_put_back_so(cluster: Cluster) -> None:
    cluster.apply(PICKY)
    with cluster.snapshot():
        (node,) = cluster.client.list(Node).items
        merge(cluster, Node, node.metadata.name, b'{"metadata":{"labels":{"disk":"fast"}}}')
        cluster.settle()
        assert cluster.client.get(Pod, "picky", "default").spec.node_name
    assert not cluster.client.get(Pod, "picky", "default").spec.node_name


def test_what_controllers_failed_at_is_tried_again(cluster: Cluster) -> None:
    fault = cluster.faults.error(500, inside=True, verb="create", resource="pods")
    cluster.apply(deployment())
    cluster.settle()
    begun = fault.hits
    cluster.settle()
    assert fault.hits > begun
    fault.stop()
    cluster.settle()
    assert cluster.client.get(Deployment, "web", "default").status.available_replicas == 3


def test_what_somebodys_finalizer_kept_is_looked_at_again(cluster: Cluster) -> None:
    cluster.create_namespace("doomed")
    cluster.apply(HELD)
    cluster.delete_namespace("doomed")
    for _ in range(8):  # ever longer pauses
        cluster.settle()
    merge(cluster, ConfigMap, "held", b'{"metadata":{"finalizers":null}}', "doomed")
    cluster.settle()
    assert "doomed" not in {each.metadata.name for each in cluster.client.list(Namespace).items}


def test_what_a_definition_waits_for_is_looked_at_again(cluster: Cluster) -> None:
    cluster.apply(WIDGETS, "{apiVersion: example.com/v1, kind: Widget, metadata: {name: a, finalizers: [b.c/d]}}")
    cluster.client.delete(CustomResourceDefinition, "widgets.example.com")
    started = time.monotonic()
    cluster.settle()
    resource = cluster.client.scheme.by_kind("example.com/v1", "Widget")
    assert resource is not None
    body = Patch("application/merge-patch+json", b'{"metadata":{"finalizers":null}}')
    cluster.client.patch(resource, "a", body, "default")
    cluster.settle()
    assert time.monotonic() - started < 5.0
    with pytest.raises(StatusError, match="not found"):
        cluster.client.get(CustomResourceDefinition, "widgets.example.com")


def test_what_is_damaged_is_mended(cluster: Cluster) -> None:
    cluster.apply(SERVICE)
    cluster.client.delete(IPAddress, "10.96.8.8")
    cluster.settle()
    assert cluster.client.get(IPAddress, "10.96.8.8").spec.parent_ref.name == "a"


class Chain:
    """Three that can go on when the one before has; one that never can."""

    def __init__(self) -> None:
        self.tries: list[str] = []
        self.done = 0

    def hurry(self, within: float) -> list[str]:
        waiting = ["never", *(f"{number}" for number in range(self.done, 3))]
        self.tries += waiting
        self.done = min(self.done + 1, 3)
        return waiting


class Restless:
    """Somebody else each time."""

    def __init__(self) -> None:
        self.turns = 0

    def hurry(self, within: float) -> list[str]:
        self.turns += 1
        return [f"number {self.turns}"]


async def test_who_never_tires_is_named() -> None:
    retrying: list[Retrying] = [Restless()]
    with pytest.raises(NotSettled, match=r"number \d+"):
        await Settling(lambda: (), lambda: 1, retrying=lambda: retrying).wait(within=0.02)


async def test_rest_is_when_trying_again_changes_nothing_more() -> None:
    chain = Chain()
    retrying: list[Retrying] = [chain]
    async with asyncio.timeout(5):
        await Settling(lambda: (), lambda: 1, retrying=lambda: retrying).wait()
    assert chain.done == 3
    assert chain.tries.count("never") == 5
