"""A cluster whose own components were cut off goes on where it was, and is not said to be at rest before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from steersman.api.types.core_v1 import Pod
from steersman.testing import Cluster

WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    },
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    with shared.snapshot():
        yield shared


def phases(cluster: Cluster) -> list[str]:
    return [pod.status.phase for pod in cluster.client.list(Pod, "default").items]


@pytest.mark.parametrize(
    "user", ["system:*", "system:kube-controller-manager", "system:kube-scheduler", "system:nodes"]
)
def test_who_was_cut_off_has_seen_everything_at_rest(cluster: Cluster, user: str) -> None:
    began = time.perf_counter()
    with cluster.faults.partition(user=user, inside=True) as fault:
        cluster.apply(WEB)
        for _ in range(5):  # pauses become longer, and are not waited for
            cluster.settle()
        assert phases(cluster) != ["Running"] * 3
    assert fault.hits
    cluster.settle()
    assert phases(cluster) == ["Running"] * 3
    assert time.perf_counter() - began < 5


def test_who_was_cut_off_is_back_when_the_clock_is_turned(cluster: Cluster) -> None:
    with cluster.faults.partition(user="system:*", inside=True):
        cluster.apply(WEB)
        cluster.clock.advance("1m")
        assert phases(cluster) == []
    cluster.clock.advance("1m")
    assert phases(cluster) == ["Running"] * 3


def test_watches_that_were_cut_are_open_again_at_rest(cluster: Cluster) -> None:
    cluster.faults.drop_watches(inside=True)
    cluster.apply(WEB)
    cluster.settle()
    assert phases(cluster) == ["Running"] * 3
