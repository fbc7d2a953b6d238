"""Hours of a cluster's life, in milliseconds."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from steersman.api import labels
from steersman.api.types.apps_v1 import Deployment
from steersman.api.types.authentication_v1 import TokenRequest, TokenRequestSpec
from steersman.api.types.coordination_v1 import Lease
from steersman.api.types.core_v1 import ConfigMap, Event, Node, Pod, ServiceAccount
from steersman.client import ObjectMeta, Patch
from steersman.simulation import stages_of
from steersman.testing import Cluster, TurnableClock


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    with Cluster(nodes=3) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    with shared.snapshot():
        yield shared


@pytest.fixture
def quiet() -> Iterator[Cluster]:
    """Without anybody whose timers go off meanwhile."""
    with Cluster(controllers=(), scheduler=False, nodes=0) as cluster:
        yield cluster


def deployment(replicas: int = 2, **spec: Any) -> dict[str, Any]:
    marks = {"app": "web"}
    pod = spec.pop("pod", {})
    template = {"metadata": {"labels": marks}, "spec": {"containers": [{"name": "c", "image": "i"}], **pod}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": marks}, "template": template, **spec},
    }


def readiness(cluster: Cluster, name: str) -> str:
    return next(each.status for each in cluster.client.get(Node, name).status.conditions if each.type == "Ready")


def silence(cluster: Cluster, name: str, mark: str | None = None) -> None:
    """Nobody simulates a node any more, or somebody does again."""
    body = msgspec.json.encode({"metadata": {"annotations": {labels.SIMULATED_NODE: mark}}})
    cluster.client.patch(Node, name, Patch("application/merge-patch+json", body))


def progressing(cluster: Cluster) -> tuple[str, str]:
    status = cluster.client.get(Deployment, "web", "default").status
    return next((each.status, each.reason) for each in status.conditions if each.type == "Progressing")


def test_events_that_cannot_be_sent_hold_nobody_up(cluster: Cluster) -> None:
    with cluster.faults.error(500, resource="events", inside=True) as fault:
        cluster.apply(deployment())
        cluster.wait_for("deployment/web", condition="Available")
        cluster.clock.advance("10s")
        cluster.settle()
    assert fault.hits
    cluster.settle()
    assert any("Scaled up replica set" in line for line in cluster.event_lines())


def test_an_hour_passes_and_nobody_dies_of_it(cluster: Cluster) -> None:
    cluster.apply(deployment())
    cluster.settle()
    names = {pod.metadata.name for pod in cluster.client.list(Pod, "default").items}
    before, began = cluster.clock.now(), time.process_time()
    cluster.clock.advance(timedelta(hours=1))
    assert time.process_time() - began < 10  # a second or two of a processor; others may keep it busy, too
    assert 3600 <= (cluster.clock.now() - before).total_seconds() < 3610
    assert [readiness(cluster, f"node-{number}") for number in range(3)] == ["True"] * 3
    for number in range(3):
        renewed = cluster.client.get(Lease, f"node-{number}", labels.NAMESPACE_NODE_LEASE).spec.renew_time
        assert renewed is not None
        assert (cluster.clock.now() - renewed).total_seconds() < 11
    assert {pod.metadata.name for pod in cluster.client.list(Pod, "default").items} == names


def test_a_node_that_falls_silent_is_given_up_and_its_pods_are_evicted(cluster: Cluster) -> None:
    cluster.apply(deployment(6))
    cluster.settle()
    lost = {pod.metadata.name for pod in cluster.client.list(Pod, "default").items if pod.spec.node_name == "node-1"}
    assert lost
    silence(cluster, "node-1")
    cluster.clock.advance(38)
    assert readiness(cluster, "node-1") == "True"
    cluster.clock.advance(27)
    assert readiness(cluster, "node-1") == "Unknown"
    taints = {(each.key, each.effect) for each in cluster.client.get(Node, "node-1").spec.taints}
    assert taints == {(labels.TAINT_UNREACHABLE, "NoSchedule"), (labels.TAINT_UNREACHABLE, "NoExecute")}

    def leaving() -> set[str]:
        pods = cluster.client.list(Pod, "default").items
        return {pod.metadata.name for pod in pods if pod.metadata.deletion_timestamp is not None}

    cluster.clock.advance(270)
    assert leaving() == set()
    cluster.clock.advance(35)
    assert leaving() == lost
    others = [pod for pod in cluster.client.list(Pod, "default").items if pod.metadata.name not in lost]
    assert len(others) == 6
    assert {pod.status.phase for pod in others} == {"Running"}
    silence(cluster, "node-1", "fake")
    cluster.settle()
    assert readiness(cluster, "node-1") == "True"
    assert lost.isdisjoint(pod.metadata.name for pod in cluster.client.list(Pod, "default").items)


def test_a_rollout_that_gets_nowhere_fails_after_its_deadline(cluster: Cluster) -> None:
    cluster.apply(deployment(progressDeadlineSeconds=600, pod={"nodeSelector": {"there": "is-none"}}))
    cluster.settle()
    assert progressing(cluster) == ("True", "ReplicaSetUpdated")
    cluster.clock.advance(590)
    assert progressing(cluster) == ("True", "ReplicaSetUpdated")
    cluster.clock.advance(15)
    assert progressing(cluster) == ("False", "ProgressDeadlineExceeded")


def test_pods_count_as_available_once_they_have_been_ready_for_long_enough(cluster: Cluster) -> None:
    cluster.apply(deployment(minReadySeconds=30))
    cluster.settle()
    status = cluster.client.get(Deployment, "web", "default").status
    assert (status.ready_replicas, status.available_replicas) == (2, None)
    cluster.clock.advance(28)
    assert cluster.client.get(Deployment, "web", "default").status.available_replicas is None
    cluster.clock.advance(4)
    assert cluster.client.get(Deployment, "web", "default").status.available_replicas == 2


def test_events_are_kept_for_an_hour(quiet: Cluster) -> None:
    cluster = quiet
    config_map = cluster.client.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="default")))
    stamp = cluster.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "ConfigMap", "name": "c", "namespace": "default", "uid": config_map.metadata.uid},
        "lastTimestamp": stamp,
    }
    cluster.apply(event)

    def there() -> bool:
        return "e" in {each.metadata.name for each in cluster.client.list(Event, "default").items}

    cluster.clock.advance(timedelta(minutes=58))
    assert there()
    cluster.clock.advance(timedelta(minutes=4))
    assert not there()


def test_a_token_ends_when_its_time_is_over(cluster: Cluster) -> None:
    request = TokenRequest(spec=TokenRequestSpec(expiration_seconds=600))
    issued = cluster.client.create_subresource(ServiceAccount, "default", "token", request, "default")
    expires = issued.status.expiration_timestamp
    assert abs((expires - cluster.clock.now()).total_seconds() - 600) < 2
    server = cluster.kubeconfig["clusters"][0]["cluster"]
    context = ssl.create_default_context(cadata=_authority(server))
    review = urllib.request.Request(
        f"{server['server']}/apis/authentication.k8s.io/v1/selfsubjectreviews",
        json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode(),
        {"Authorization": f"Bearer {issued.status.token}", "Content-Type": "application/json"},
    )

    def ask() -> int:
        try:
            with urllib.request.urlopen(review, context=context) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert ask() == 201
    cluster.clock.advance_to(expires + timedelta(seconds=5))
    assert ask() == 201  # clocks may differ by ten seconds
    cluster.clock.advance(10)
    assert ask() == 401


def _authority(server: dict[str, str]) -> str:
    return base64.b64decode(server["certificate-authority-data"]).decode()


def test_ages_and_stamps_are_those_of_the_clock(cluster: Cluster) -> None:
    made = cluster.client.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="default")))
    assert made.metadata.creation_timestamp is not None
    assert abs((made.metadata.creation_timestamp - cluster.clock.now()).total_seconds()) < 2
    cluster.clock.advance(timedelta(minutes=5))
    other = cluster.client.create(ConfigMap(metadata=ObjectMeta(name="d", namespace="default"), data={"a": "b"}))
    assert other.metadata.creation_timestamp is not None
    later = other.metadata.creation_timestamp - made.metadata.creation_timestamp
    assert abs(later.total_seconds() - 300) < 3
    assert other.metadata.managed_fields[0].time is not None
    assert abs((other.metadata.managed_fields[0].time - cluster.clock.now()).total_seconds()) < 2


async def test_whoever_awaits_turns_it_too(cluster: Cluster) -> None:
    before = cluster.awaitable.clock.now()
    await cluster.awaitable.clock.advance(60)
    assert 60 <= (cluster.awaitable.clock.now() - before).total_seconds() < 65


def test_a_stage_that_comes_due_while_the_node_is_away() -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    controllers = ["*", "-pod-garbage-collector-controller"]
    with Cluster(nodes=1, stages=stages_of("general"), controllers=controllers) as cluster:
        cluster.apply({"apiVersion": "v1", "kind": "Pod", **pod})
        node = cluster.client.get(Node, cluster.wait_for("pod/p", lambda each: each.spec.node_name).spec.node_name)
        cluster.client.delete(Node, node.metadata.name)
        cluster.settle()
        cluster.clock.advance(30)
        assert cluster.client.get(Pod, "p", "default").status.phase == "Pending"
        again = ObjectMeta(name=node.metadata.name, labels=node.metadata.labels, annotations=node.metadata.annotations)
        cluster.client.create(Node(metadata=again, spec=node.spec, status=node.status))
        cluster.clock.advance(60)
        assert cluster.client.get(Pod, "p", "default").status.phase == "Running"


def test_a_snapshot_brings_back_what_the_clock_shows(shared: Cluster) -> None:
    with shared.snapshot():
        before = shared.clock.now()
        shared.clock.advance(timedelta(minutes=10))
        shared.clock.set(before + timedelta(days=400))
        shared.settle()
        assert {readiness(shared, each.metadata.name) for each in shared.client.list(Node).items} == {"True"}
    assert shared.clock.now() - before < timedelta(minutes=5)
    shared.clock.advance(timedelta(minutes=5))
    assert {readiness(shared, each.metadata.name) for each in shared.client.list(Node).items} == {"True"}


async def test_the_clock_of_two_clusters_is_turned_from_anywhere() -> None:
    clock = TurnableClock()
    async with Cluster(clock=clock) as one, Cluster(clock=clock) as other:
        before = clock.now()
        async with asyncio.timeout(60):
            await asyncio.gather(one.clock.advance(60), other.clock.advance(60), clock.advance(60))
        assert clock.now() - before >= timedelta(minutes=3)
        for cluster in (one, other):
            await cluster.settle()
            (node,) = (await cluster.client.list(Node)).items
            assert {each.type: each.status for each in node.status.conditions}["Ready"] == "True"
