"""What `wait_for` waits for, and what it says when that does not come."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from steersman.api.types.core_v1 import ConfigMap, Pod
from steersman.client import ObjectMeta
from steersman.testing import AsyncCluster, Cluster, NotMetError

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "labels": {"app": "a"}},
    "spec": {"containers": [{"name": "main", "image": "a", "ports": [{"containerPort": 80}]}]},
}


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


@pytest.mark.parametrize("target", ["pod/a", "pods/a", "po/a", "Pod/a", "pods.v1./a"])
def test_names_of_kinds(kubernetes: Cluster, target: str) -> None:
    kubernetes.apply(POD)
    assert kubernetes.wait_for(target).metadata.name == "a"


def is_ready(pod: Pod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)


def is_running(pod: Pod) -> bool:
    return pod.status.phase == "Running"


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ({}, lambda pod: pod.metadata.name == "a"),
        ({"condition": "Ready"}, is_ready),
        ({"condition": "ready=true"}, is_ready),
        ({"jsonpath": "{.status.phase}=Running"}, is_running),
        ({"jsonpath": "{.spec.containers[0].ports[0].containerPort}=80"}, lambda pod: True),
        ({"jsonpath": "{.status.podIP}"}, lambda pod: pod.status.pod_ip),
        ({"predicate": is_running}, is_running),
    ],
)
def test_what_may_be_true_of_an_object(
    kubernetes: Cluster, wanted: dict[str, Any], holds: Callable[[Pod], object]
) -> None:
    """It is returned as it was when that was true."""
    kubernetes.apply(POD)
    pod = kubernetes.wait_for("pod/a", timeout=5, **wanted)
    assert isinstance(pod, Pod)
    assert holds(pod)


def test_what_comes_later(kubernetes: Cluster) -> None:
    """It is seen by a watch: what does not last is not missed."""
    looked = threading.Event()

    def is_second(each: ConfigMap) -> bool:
        looked.set()
        return each.data["value"] == "2"

    def work() -> None:
        assert looked.wait(10)
        for value in ("2", "3"):
            kubernetes.client.update(config_map("a", value=value))
        kubernetes.client.delete(ConfigMap, "a", "default")

    kubernetes.client.create(config_map("a", value="1"))
    worker = threading.Thread(target=work)
    worker.start()
    seen = kubernetes.wait_for("configmap/a", is_second)
    assert seen.data == {"value": "2"}
    kubernetes.wait_for("configmap/a", deleted=True)
    worker.join()


def test_all_of_a_kind(kubernetes: Cluster) -> None:
    for name in ("a", "b"):
        kubernetes.apply({**POD, "metadata": {"name": name, "labels": {"app": name}}})
    assert len(kubernetes.wait_for("pods", condition="Ready", count=2)) == 2
    assert [each.metadata.name for each in kubernetes.wait_for("pods", selector="app=b")] == ["b"]
    kubernetes.wait_for("pods", selector="app=c", deleted=True)
    assert kubernetes.wait_for("nodes", condition="Ready")[0].metadata.name == "node-0"


async def test_awaited(async_kubernetes: AsyncCluster) -> None:
    waiting = asyncio.ensure_future(async_kubernetes.wait_for("configmap/a"))
    await asyncio.sleep(0)
    await async_kubernetes.client.create(config_map("a"))
    assert (await waiting).metadata.name == "a"
    waiting = asyncio.ensure_future(async_kubernetes.wait_for("configmap/b"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_the_last_state_and_the_events_are_told(kubernetes: Cluster) -> None:
    kubernetes.apply({**POD, "spec": {**POD["spec"], "nodeSelector": {"disk": "none"}}})
    kubernetes.wait_for("pod/a", condition="PodScheduled=False")
    kubernetes.settle()
    begun = time.perf_counter()
    with pytest.raises(NotMetError) as failed:
        kubernetes.wait_for("pod/a", condition="Ready", timeout=0.1)
    assert 0.1 <= time.perf_counter() - begun < 20  # which is not the 30 s that it waits otherwise
    lines = str(failed.value).splitlines()
    assert lines[0] == "pod/a in default: condition Ready is not True after 0.1 s"
    assert "    phase: Pending" in lines
    assert any(line.startswith("  Warning FailedScheduling") for line in lines[lines.index("Events:") :])


@pytest.mark.parametrize(
    ("target", "wanted", "said"),
    [
        ("configmap/a", {}, "configmap/a in default: not there after 0.05 s"),
        ("configmap/a", {"condition": "Ready"}, "there is no such object"),
        ("deployment/a", {}, "deployment.apps/a in default: not there"),
        ("namespace/default", {"deleted": True}, "namespace/default: still there"),
        ("pods", {"count": 2}, "pods in default: not there after 0.05 s; 0 are there, not 2"),
        ("node/node-0", {"jsonpath": "{.status.phase}=Gone"}, "{.status.phase}=Gone is not so"),
        ("node/node-0", {"predicate": lambda node: False}, "what was waited for is not true"),
    ],
)
def test_what_is_said(kubernetes: Cluster, target: str, wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(NotMetError) as failed:
        kubernetes.wait_for(target, timeout=0.05, **wanted)
    assert said in str(failed.value)


@pytest.mark.parametrize(
    ("target", "wanted", "said"),
    [
        ("nothing/a", {}, 'the server doesn\'t have a resource type "nothing"'),
        ("pod/a", {"condition": "Ready", "deleted": True}, "wait for one thing at a time"),
        ("pod/a", {"jsonpath": ".status"}, "{.path}=value or {.path} expected"),
        ("pod/a/b", {}, "arguments in resource/name form may not have more than one slash"),
        ("pods/", {}, "arguments in resource/name form must have a single resource and name"),
        ("/a", {}, "arguments in resource/name form must have a single resource and name"),
        ("", {}, "arguments in resource/name form must have a single resource and name"),
        ("pod/a", {"count": 2}, "a selector and a count are for a kind without a name"),
        ("pods", {"count": -1}, "count is -1: at least 0 is possible"),
        ({"kind": "Pod"}, {}, "an object needs apiVersion and kind"),
        ({**POD, "metadata": {"generateName": "a-"}}, {}, "the Pod has no name"),
        (Pod(), {}, "the Pod has no name"),
    ],
)
def test_what_cannot_be_waited_for(kubernetes: Cluster, target: Any, wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kubernetes.wait_for(target, **wanted)


@pytest.mark.parametrize(
    ("target", "wanted", "said"),
    [
        (5, {}, "5 is neither a text as KIND/NAME, nor data, nor an object"),
        (None, {}, "None is neither"),
        ("pod/a", {"predicate": "Ready"}, "'Ready' is no function of the object; condition="),
        ("pod/a", {"condition": True}, "condition is True, no text"),
        (Pod, {}, "Pod is a class: write 'pod/NAME', or without a name for all"),
        ("pods", {"selector": {"a": "b"}}, "selector is {'a': 'b'}, no text such as 'app=web'"),
        ("pods", {"count": "2"}, "count is '2', no whole number"),
        ("pod/a", {"timeout": "1s"}, "timeout is '1s', no number"),
    ],
)
def test_what_is_of_no_type_that_can_be(kubernetes: Cluster, target: Any, wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        kubernetes.wait_for(target, **wanted)


def test_data_that_was_applied(kubernetes: Cluster) -> None:
    kubernetes.apply(POD)
    assert isinstance(kubernetes.wait_for(POD, condition="Ready"), Pod)


def test_as_many_are_no_more_and_no_less(kubernetes: Cluster) -> None:
    for name in "abc":
        kubernetes.apply({**POD, "metadata": {"name": name}})
    assert len(kubernetes.wait_for("pods", count=3)) == 3
    with pytest.raises(NotMetError, match="3 are there, not 2"):
        kubernetes.wait_for("pods", count=2, timeout=0.05)


def test_a_condition_of_an_older_generation_does_not_count(kubernetes: Cluster) -> None:
    kubernetes.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": POD["spec"]},
            },
        }
    )
    found = kubernetes.wait_for("deployment/web", condition="Available")
    assert found.status.observed_generation == found.metadata.generation


def test_the_cluster_is_not_asked_by_what_it_waits_for(kubernetes: Cluster) -> None:
    kubernetes.apply(POD)
    with pytest.raises(RuntimeError, match="cannot be waited for on its own event loop"):
        kubernetes.wait_for("pod/a", lambda pod: kubernetes.client.get(Pod, "a", "default"))
