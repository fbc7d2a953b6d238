"""Nodes that fall silent and return, and their pods: with the controllers that notice."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from steersman.api.labels import SIMULATED_NODE
from steersman.api.types.core_v1 import Node, Pod
from steersman.client import Patch
from steersman.simulation import stages_of
from steersman.testing import Cluster

POD = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "image": "i"}]}}
FOR_GOOD = [{"key": f"node.kubernetes.io/{why}", "operator": "Exists"} for why in ("unreachable", "not-ready")]


def patch(cluster: Cluster, kind: type[Node] | type[Pod], name: str, namespace: str, body: object) -> None:
    merge = Patch("application/merge-patch+json", msgspec.json.encode(body))
    cluster.client.patch(kind, name, merge, namespace, subresource="status" if kind is Pod else "")


def silence(cluster: Cluster, mark: str | None) -> None:
    """Nobody simulates the node any more, or somebody does again."""
    patch(cluster, Node, "node-0", "", {"metadata": {"annotations": {SIMULATED_NODE: mark}}})


def conditions(cluster: Cluster, name: str) -> dict[str, str]:
    pod = cluster.client.get(Pod, name, "default")
    return {each.type: each.status for each in pod.status.conditions}


@pytest.fixture(params=["fast", "general"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with Cluster(nodes=1, stages=stages_of(request.param)) as made:
        for name, gates in (("a", []), ("gated", [{"conditionType": "example.com/open"}])):
            pod = {"metadata": {"name": name}, "spec": {"tolerations": FOR_GOOD, "readinessGates": gates}}
            made.apply({**POD, **pod, "spec": {**POD["spec"], **pod["spec"]}})  # type: ignore[dict-item]
        made.settle()
        made.clock.advance(10)
        yield made


def test_pods_are_ready_again_when_their_node_is(cluster: Cluster) -> None:
    assert (conditions(cluster, "a")["Ready"], conditions(cluster, "gated")["Ready"]) == ("True", "True")
    silence(cluster, None)
    cluster.clock.advance(70)
    assert (conditions(cluster, "a")["Ready"], conditions(cluster, "gated")["Ready"]) == ("False", "False")
    gate = [{"type": "example.com/open", "status": "False"}]
    found = cluster.client.get(Pod, "gated", "default").status.conditions
    others = [msgspec.to_builtins(each) for each in found if each.type != "example.com/open"]
    patch(cluster, Pod, "gated", "default", {"status": {"conditions": [*others, *gate]}})
    silence(cluster, "fake")
    cluster.settle()
    cluster.clock.advance(1)
    assert (conditions(cluster, "a")["Ready"], conditions(cluster, "gated")["Ready"]) == ("True", "False")


def test_a_pod_that_somebody_marks_stays_so(cluster: Cluster) -> None:
    ready = [{"type": "Ready", "status": "False", "lastTransitionTime": cluster.clock.now().isoformat()}]
    others = [
        msgspec.to_builtins(each)
        for each in cluster.client.get(Pod, "a", "default").status.conditions
        if each.type != "Ready"
    ]
    patch(cluster, Pod, "a", "default", {"status": {"conditions": [*others, *ready]}})
    cluster.clock.advance(600)
    assert conditions(cluster, "a")["Ready"] == "False"
