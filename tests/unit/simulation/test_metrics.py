"""What simulated pods use, and how it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from steersman.api.errors import StatusError
from steersman.api.types.core_v1 import Container, Node, Pod, PodSpec, ResourceRequirements
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.client import Client
from steersman.simulation import NodeShape, usages_of
from steersman.simulation.metrics import GROUP_VERSION, Metrics
from steersman.simulation.usage import pod_usage, written
from steersman.testing import eventually

from .test_simulated_nodes import pod, reached, simulating

RULES = """
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ResourceUsage
metadata: {name: special, namespace: default}
spec:
  usages:
  - containers: [side]
    usage: {cpu: {value: 7m}}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterResourceUsage
metadata: {name: everywhere}
spec:
  selector: {matchNamespaces: [default], matchNames: [special, other]}
  usages:
  - usage: {cpu: {value: 50m}, memory: {value: 10Mi}}
"""


def a_pod(name: str = "a", requests: dict[str, str] | None = None, **annotations: str) -> Pod:
    asked = ResourceRequirements(requests=requests or {})
    return Pod(
        metadata=ObjectMeta(
            name=name,
            namespace="default",
            uid="1",
            annotations={f"kwok.x-k8s.io/usage-{key}": value for key, value in annotations.items()},
        ),
        spec=PodSpec(containers=[Container(name="main", resources=asked), Container(name="side", resources=asked)]),
    )


@pytest.mark.parametrize(
    ("made", "used"),
    [
        (a_pod(), [("main", "1m", "1024Ki"), ("side", "1m", "1024Ki")]),
        (a_pod(cpu="250m", memory="1Gi"), [("main", "250m", "1048576Ki"), ("side", "250m", "1048576Ki")]),
        (a_pod(cpu="nonsense"), [("main", "1m", "1024Ki"), ("side", "1m", "1024Ki")]),
        (a_pod("special"), [("main", "50m", "10240Ki"), ("side", "7m", "10240Ki")]),
        (a_pod("other", cpu="250m"), [("main", "50m", "10240Ki"), ("side", "50m", "10240Ki")]),
    ],
)
def test_what_containers_use(made: Pod, used: list[tuple[str, str, str]], tmp_path: Path) -> None:
    file = tmp_path / "usage.yaml"
    file.write_text(RULES)
    found = [(name, written(amounts)) for name, amounts in pod_usage(made, usages_of("fast", str(file)))]
    assert [(name, amounts["cpu"], amounts["memory"]) for name, amounts in found] == used


def test_a_share_of_what_is_asked_for_is_guessed() -> None:
    asked = a_pod(requests={"cpu": "1", "memory": "1Gi"})
    first, second = (dict(pod_usage(asked, ())) for _ in range(2))
    assert first == second
    for amounts in first.values():
        assert 0.2 <= amounts["cpu"] <= 0.8
        assert 0.2 <= amounts["memory"] / 2**30 <= 0.8
    assert first["main"] != first["side"]


@pytest.mark.parametrize(
    ("usage", "message"),
    [
        ("{cpu: {expression: x}}", "expressions are not known here"),
        ("{cpu: {value: much}}", "quantities must match"),
        ("{cpu: {amount: 1}}", "unknown field `amount`"),
    ],
)
def test_what_no_usage_can_say(usage: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "usage.yaml"
    file.write_text(
        "apiVersion: kwok.x-k8s.io/v1alpha1\nkind: ClusterResourceUsage\nmetadata: {name: u}\n"
        f"spec: {{usages: [{{usage: {usage}}}]}}\n"
    )
    with pytest.raises(ValueError, match="ClusterResourceUsage 'u': ") as caught:
        usages_of(str(file))
    assert message in str(caught.value)


async def test_metrics_are_of_simulated_nodes_and_running_pods(client: Client) -> None:
    metrics = Metrics(client)
    root = f"/apis/{GROUP_VERSION}"
    await client.create(Node(metadata=ObjectMeta(name="real")))
    await client.create(pod("theirs", "real"))
    async with simulating(client, NodeShape(count=2)):
        for name in ("a", "b"):
            made = pod(name)
            made.metadata.labels = {"name": name}
            made.metadata.annotations = {"kwok.x-k8s.io/usage-cpu": "100m", "kwok.x-k8s.io/usage-memory": "8Mi"}
            await client.create(made)
            await eventually(reached(client, name, "Running"))
        nodes = await metrics.answer(f"{root}/nodes", {})
        assert {each["metadata"]["name"]: each["usage"] for each in nodes["items"]} == {
            "node-0": {"cpu": "200m", "memory": "16384Ki"},
            "node-1": {"cpu": "0m", "memory": "0Ki"},
        }
        assert (await metrics.answer(f"{root}/nodes/node-0", {}))["usage"] == nodes["items"][0]["usage"]
        for path in (f"{root}/pods", f"{root}/namespaces/default/pods"):
            pods = await metrics.answer(path, {"labelSelector": "name=a"})
            assert pods["kind"] == "PodMetricsList"
            assert [(each["metadata"]["name"], each["containers"]) for each in pods["items"]] == [
                ("a", [{"name": "c", "usage": {"cpu": "100m", "memory": "8192Ki"}}])
            ]
        one = await metrics.answer(f"{root}/namespaces/default/pods/b", {})
        assert (one["kind"], one["metadata"]["name"], one["window"]) == ("PodMetrics", "b", "30s")
        for path, message in (
            (f"{root}/nodes/real", 'nodemetrics.metrics.k8s.io "real" not found'),
            (f"{root}/nodes/none", 'nodemetrics.metrics.k8s.io "none" not found'),
            (f"{root}/namespaces/default/pods/theirs", 'podmetrics.metrics.k8s.io "theirs" not found'),
            ("/apis/other", "the server could not find the requested resource"),
        ):
            with pytest.raises(StatusError) as caught:
                await metrics.answer(path, {})
            assert caught.value.status.message == message
