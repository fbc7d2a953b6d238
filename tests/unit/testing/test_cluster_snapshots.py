"""Snapshots of a whole cluster, blocking and awaited."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from steersman.api.types.apps_v1 import Deployment
from steersman.api.types.core_v1 import Event, Node, Pod
from steersman.testing import Cluster

from .inside import config_map, deployment


def test_a_block_leaves_nothing(kubernetes_cluster: Cluster) -> None:
    with kubernetes_cluster.snapshot():
        kubernetes_cluster.apply(deployment())
        kubernetes_cluster.settle()
        assert kubernetes_cluster.client.get(Deployment, "web", "default").status.available_replicas == 3
    assert not kubernetes_cluster.client.list(Deployment, "default").items
    assert not kubernetes_cluster.client.list(Pod, "default").items
    assert not [each for each in kubernetes_cluster.client.list(Event, "default").items if "web" in each.metadata.name]


def test_a_test_that_fails_leaves_nothing_either(kubernetes_cluster: Cluster) -> None:
    def fail() -> None:
        with kubernetes_cluster.snapshot():
            kubernetes_cluster.apply(deployment())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not kubernetes_cluster.client.list(Deployment, "default").items


def test_pods_on_simulated_nodes_live_on_where_they_were(kubernetes_cluster: Cluster) -> None:
    with kubernetes_cluster.snapshot():
        kubernetes_cluster.apply(deployment(replicas=5))
        snapshot = kubernetes_cluster.snapshot()
        before = {
            each.metadata.name: each.status.pod_ip for each in kubernetes_cluster.client.list(Pod, "default").items
        }
        assert len(before) == 5
        node = kubernetes_cluster.client.list(Node).items[0].metadata.name
        kubernetes_cluster.client.delete(Deployment, "web", "default")
        kubernetes_cluster.client.delete(Node, node)
        kubernetes_cluster.settle()
        snapshot.restore()
        after = {
            each.metadata.name: each.status.pod_ip for each in kubernetes_cluster.client.list(Pod, "default").items
        }
        assert after == before
        kubernetes_cluster.apply(deployment(replicas=7))
        kubernetes_cluster.settle()
        assert kubernetes_cluster.client.get(Deployment, "web", "default").status.available_replicas == 7
        snapshot.release()


def test_who_forgets_a_snapshot_keeps_nothing(kubernetes_cluster: Cluster) -> None:
    store = kubernetes_cluster.life.composition.store
    kept = len(store._holds)
    for _ in range(3):
        kubernetes_cluster.snapshot()
    kubernetes_cluster.settle()
    assert len(store._holds) == kept


async def test_what_was_not_awaited_was_not_taken(kubernetes_cluster: Cluster) -> None:
    snapshot = kubernetes_cluster.awaitable.snapshot()
    with pytest.raises(RuntimeError, match="not taken yet: snapshot = await cluster"):
        await snapshot.restore()


async def test_awaited(kubernetes_cluster: Cluster) -> None:
    cluster = kubernetes_cluster.awaitable
    async with cluster.snapshot():
        snapshot = await cluster.snapshot()
        await cluster.apply(deployment())
        await snapshot.restore()
        assert not (await cluster.client.list(Deployment, "default")).items
        await cluster.apply(deployment())
    assert not (await cluster.client.list(Deployment, "default")).items


def test_twenty_milliseconds_are_enough_also_on_a_disk(tmp_path: Path) -> None:
    with Cluster(store=tmp_path) as cluster:
        best = 1.0
        for _ in range(3):
            snapshot = cluster.snapshot()
            cluster.apply(deployment(), config_map("a"))
            cluster.settle()
            started = time.perf_counter()
            snapshot.restore()
            best = min(best, time.perf_counter() - started)
            snapshot.release()
        assert best < 0.02
