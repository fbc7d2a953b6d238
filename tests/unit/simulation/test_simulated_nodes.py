"""Simulated nodes against a real API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from steersman.api.clock import SYSTEM, Clock
from steersman.api.errors import StatusError, is_not_found
from steersman.api.labels import SIMULATED_NODE
from steersman.api.types.coordination_v1 import Lease
from steersman.api.types.core_v1 import Container, Node, NodeSpec, Pod, PodSpec
from steersman.api.types.meta_v1 import ObjectMeta, OwnerReference
from steersman.client.client import Client
from steersman.client.leader_election import LeaderElection
from steersman.simulation import NodeShape, SimulatedNodes, SimulationConfig, Stage, simulated_nodes, stages_of
from steersman.simulation.general import recover
from steersman.simulation.ownership import check_mark, hold_for_good, holder, lease_name, mark_of_name
from steersman.simulation.stage import Outcome, Subject, Tell
from steersman.testing import eventually

T = TypeVar("T")


@contextlib.asynccontextmanager
async def simulating(
    client: Client, *shapes: NodeShape, clock: Clock = SYSTEM, **settings: object
) -> AsyncIterator[SimulatedNodes]:
    nodes = SimulatedNodes(SimulationConfig(nodes=shapes, **settings), client, clock=clock)  # type: ignore[arg-type]
    task = asyncio.create_task(nodes.run())
    async with asyncio.timeout(10):
        await nodes.ready.wait()
    yield nodes
    assert not task.done(), task.exception()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def pod(name: str = "a", node: str = "node-0", *, labels: dict[str, str] | None = None, **spec: object) -> Pod:
    containers = spec.pop("containers", [Container(name="c", image="nginx")])
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", labels=labels or {}),
        spec=PodSpec(containers=containers, node_name=node, **spec),  # type: ignore[arg-type]
    )


def reached(client: Client, name: str, phase: str) -> Callable[[], Awaitable[Pod | None]]:
    async def look() -> Pod | None:
        present = await client.get(Pod, name, "default")
        return present if present.status.phase == phase else None

    return look


def gone(client: Client, name: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        try:
            await client.get(Pod, name, "default")
        except StatusError as error:
            return is_not_found(error)
        return False

    return look


async def test_a_node_registers_as_its_shape_says(client: Client) -> None:
    shape = NodeShape(
        count=3, cpu="4", memory="16Gi", pods=30, labels={"disk": "ssd"}, taints=("a=b:NoSchedule",), zones=("x", "y")
    )
    async with simulating(client, shape):
        nodes = sorted((await client.list(Node)).items, key=lambda node: node.metadata.name)
        assert [node.metadata.name for node in nodes] == ["node-0", "node-1", "node-2"]
        assert [node.metadata.labels["topology.kubernetes.io/zone"] for node in nodes] == ["x", "y", "x"]
        node = nodes[0]
        assert node.metadata.annotations[SIMULATED_NODE] == "fake"
        assert node.metadata.labels["kubernetes.io/hostname"] == "node-0"
        assert node.metadata.labels["disk"] == "ssd"
        assert node.metadata.labels["type"] == "kwok"
        assert ("a", "b", "NoSchedule") in [(each.key, each.value, each.effect) for each in node.spec.taints]
        assert node.status.allocatable["cpu"] == "4"
        assert node.status.allocatable["pods"] == "30"
        conditions = {each.type: each.status for each in node.status.conditions}
        assert conditions == {
            "MemoryPressure": "False",
            "DiskPressure": "False",
            "PIDPressure": "False",
            "Ready": "True",
        }
        assert node.status.node_info.kubelet_version.startswith("v1.")
        assert len({each.status.addresses[0].address for each in nodes}) == 3


async def test_leases_are_made_and_renewed(client: Client) -> None:
    async with simulating(client, NodeShape(), renewal=0.02):
        lease = await eventually(lambda: client.get(Lease, "node-0", "kube-node-lease"))
        node = await client.get(Node, "node-0")
        assert lease.spec.holder_identity == "node-0"
        assert [each.uid for each in lease.metadata.owner_references] == [node.metadata.uid]

        async def renewed() -> bool:
            present = await client.get(Lease, "node-0", "kube-node-lease")
            return present.spec.renew_time > lease.spec.renew_time  # type: ignore[operator]

        await eventually(renewed)


async def test_a_pod_runs_and_goes(client: Client) -> None:
    async with simulating(client, NodeShape()):
        init = [Container(name="i", image="busybox"), Container(name="s", image="envoy", restart_policy="Always")]
        await client.create(pod(init_containers=init, termination_grace_period_seconds=30))
        running = await eventually(reached(client, "a", "Running"))
        status = running.status
        assert status.pod_ip
        assert [each.ip for each in status.pod_ips] == [status.pod_ip]
        assert status.host_ip == (await client.get(Node, "node-0")).status.addresses[0].address
        assert status.start_time is not None
        assert all(each.status == "True" for each in status.conditions)
        assert {"Ready", "ContainersReady", "Initialized", "PodScheduled"} <= {each.type for each in status.conditions}
        assert status.container_statuses[0].state.running is not None
        assert status.init_container_statuses[0].state.terminated is not None
        assert status.init_container_statuses[1].state.running is not None
        await client.delete(Pod, "a", "default")
        await eventually(gone(client, "a"))


async def test_pods_have_addresses_of_their_nodes_network(client: Client) -> None:
    mark = {SIMULATED_NODE: "fake"}
    await client.create(Node(metadata=ObjectMeta(name="bare", annotations=mark)))
    await client.create(
        Node(metadata=ObjectMeta(name="other", annotations=mark), spec=NodeSpec(pod_cidr="10.1.2.0/24"))
    )
    async with simulating(client, NodeShape(pods=500)):
        assert (await client.get(Node, "node-0")).spec.pod_cidrs == ["240.0.0.0/22"]
        addresses = {}
        for name, node in (("a", "node-0"), ("b", "node-0"), ("c", "other"), ("d", "other"), ("e", "bare")):
            await client.create(pod(name, node))
            addresses[name] = (await eventually(reached(client, name, "Running"))).status.pod_ip
        assert addresses == {"a": "240.0.0.2", "b": "240.0.0.3", "c": "10.1.2.2", "d": "10.1.2.3", "e": "242.0.0.2"}
        await client.create(pod("h", "other", host_network=True))
        host = (await eventually(reached(client, "h", "Running"))).status
        assert host.pod_ip == host.host_ip


async def test_a_pod_of_a_job_completes(client: Client) -> None:
    async with simulating(client, NodeShape()):
        job = pod(restart_policy="Never")
        job.metadata.owner_references = [OwnerReference(api_version="batch/v1", kind="Job", name="j", uid="1-2")]
        await client.create(job)
        done = await eventually(reached(client, "a", "Succeeded"))
        assert done.status.container_statuses[0].state.terminated.exit_code == 0  # type: ignore[union-attr]
        assert {each.type: each.reason for each in done.status.conditions}["Ready"] == "PodCompleted"


async def test_who_holds_a_pod_is_told_how_it_ended(client: Client) -> None:
    async with simulating(client, NodeShape()):
        held = pod()
        held.metadata.finalizers = ["example.com/held"]
        await client.create(held)
        await eventually(reached(client, "a", "Running"))
        await client.delete(Pod, "a", "default")
        failed = await eventually(reached(client, "a", "Failed"))
        assert failed.status.container_statuses[0].state.terminated.exit_code == 143  # type: ignore[union-attr]


async def test_nodes_of_others_are_looked_after_when_they_appear(client: Client) -> None:
    async with simulating(client):
        await client.create(pod("early", "late"))
        await client.create(Node(metadata=ObjectMeta(name="late", annotations={SIMULATED_NODE: "fake"})))
        await eventually(reached(client, "early", "Running"))
        node = await client.get(Node, "late")
        assert any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)
        await eventually(lambda: client.get(Lease, "late", "kube-node-lease"))


async def test_nodes_for_which_there_are_no_addresses_are_told_of(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with simulating(client, NodeShape(), node_addresses="10.9.0.0/30"):
        await client.create(Node(metadata=ObjectMeta(name="late", annotations={SIMULATED_NODE: "fake"})))
        await client.create(pod("a"))
        await eventually(reached(client, "a", "Running"))
        assert "node late is not looked after: no address of 10.9.0.0/30 is free" in caplog.messages


async def test_the_others_are_registered_where_there_are_not_addresses_for_all(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with simulating(client, NodeShape(count=3), node_addresses="10.9.0.0/30"):
        there = {node.metadata.name for node in (await client.list(Node)).items}
    assert len(there) == 1
    missing = {"node-0", "node-1", "node-2"} - there
    assert {f"node {name} is not registered: no address of 10.9.0.0/30 is free" for name in missing} <= {
        *caplog.messages
    }


async def test_a_stage_that_fails_keeps_no_node_off(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Subject) -> Outcome:
        raise ZeroDivisionError("by zero")

    broken = Stage(name="broken", kind="Node", matches=lambda _: True, next=fail)
    async with simulating(client, NodeShape(), stages=(broken,)):
        assert (await client.get(Node, "node-0")).status.conditions
        await eventually(lambda: _truth("stage broken of Node node-0: by zero" in caplog.messages))


async def test_no_more_names_than_that_are_remembered(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_nodes, "MOST_STRANGERS", 2)
    async with simulating(client) as nodes:
        for number in range(4):
            await client.create(pod(f"p{number}", f"late-{number}"))
        await eventually(lambda: _truth(nodes._too_many))
        assert len(nodes._strangers) == 2
        for number in range(4):
            name = f"late-{number}"
            await client.create(Node(metadata=ObjectMeta(name=name, annotations={SIMULATED_NODE: "fake"})))
            await eventually(reached(client, f"p{number}", "Running"))


async def _truth(value: bool) -> bool:
    return value


async def test_pods_of_other_nodes_are_left_alone(client: Client) -> None:
    async with simulating(client, NodeShape()):
        await client.create(Node(metadata=ObjectMeta(name="real")))
        await client.create(pod("theirs", "real"))
        await client.create(pod("ours"))
        await eventually(reached(client, "ours", "Running"))
        assert (await client.get(Pod, "theirs", "default")).status.phase == "Pending"
        assert not (await client.get(Node, "real")).status.conditions


async def test_a_second_start_takes_over(client: Client) -> None:
    async with simulating(client, NodeShape(count=2)):
        await client.create(pod("a"))
        first = await eventually(reached(client, "a", "Running"))
    await client.create(pod("b"))
    async with simulating(client, NodeShape(count=2)):
        second = await eventually(reached(client, "b", "Running"))
        assert second.status.pod_ip != first.status.pod_ip
        assert len((await client.list(Node)).items) == 2


async def test_nodes_that_a_second_start_would_make_otherwise_are_told_of(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with simulating(client, NodeShape(count=5, memory="1024Mi", taints=(f"{SIMULATED_NODE}=fake:NoSchedule",))):
        pass
    caplog.clear()
    async with simulating(client, NodeShape(count=5, memory="1Gi", taints=(f"{SIMULATED_NODE}=fake:NoSchedule",))):
        pass
    assert not [message for message in caplog.messages if "already there" in message]
    async with simulating(client, NodeShape(count=5, memory="1Gi", cpu="64", labels={"a": "b"})):
        pass
    assert (
        "already there, and keeping capacity, labels, taints that are others than those said now: "
        "node-0, node-1, node-2 and 2 more"
    ) in caplog.messages


async def test_simulations_of_two_marks_share_a_cluster(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    mine = NodeShape(name="mine-{}")
    async with (
        simulating(client),
        simulating(client, mine, mark="mine", stages=(*stages_of("fast"),)) as second,
    ):
        node = await client.get(Node, "mine-0")
        assert node.metadata.annotations[SIMULATED_NODE] == "mine"
        await client.create(Node(metadata=ObjectMeta(name="kwoks", annotations={SIMULATED_NODE: "fake"})))
        for name, place in (("a", "mine-0"), ("b", "kwoks")):
            await client.create(pod(name, place))
            await eventually(reached(client, name, "Running"))
        assert [*second._nodes] == ["mine-0"]
    async with simulating(client, mine):
        pass
    assert "there is a node mine-0 already, which is left alone: its mark is 'mine'" in caplog.messages


async def test_a_mark_is_one_simulations(client: Client) -> None:
    assert await holder(client, "fake") == ""
    for who in ("first", "second"):
        await hold_for_good(client, "fake", who)
        assert await holder(client, "fake") == who
    waiting = asyncio.create_task(LeaderElection(client, lease_name("fake"), "other").__aenter__())
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await holder(client, "fake") == "second"


@pytest.mark.parametrize(("name", "mark"), [("node-{}", "node"), ("{}", "nodes"), ("gpu", "gpu"), ("a-{}-b", "a--b")])
def test_marks_of_names(name: str, mark: str) -> None:
    assert mark_of_name(name) == mark
    check_mark(mark)


@pytest.mark.parametrize("mark", ["", "A", "a_b", "-a", "a/b", "a" * 300])
def test_what_is_no_mark(mark: str) -> None:
    with pytest.raises(ValueError, match="is no mark of nodes"):
        check_mark(mark)


async def test_a_node_of_which_a_file_speaks_becomes_ready_by_it(client: Client) -> None:
    steps = {"name": "wake", "kind": "Node", "next": lambda subject: Outcome(status=recover(subject).status)}
    asleep = Stage(matches=lambda subject: not subject.node.status.conditions, delay=lambda _: 0.01, **steps)
    never = Stage(matches=lambda subject: False, **steps)
    async with simulating(client, NodeShape(name="woken"), stages=(asleep,)) as nodes:

        async def ready() -> bool:
            return bool((await client.get(Node, "woken")).status.conditions) and nodes._nodes["woken"].ready

        await eventually(ready)
    tell = Stage(name="tell", kind="Node", matches=lambda _: True, next=lambda _: Outcome(acts=(Tell("", "A", "b"),)))
    async with simulating(client, NodeShape(name="at-once"), stages=(never, tell)):
        assert (await client.get(Node, "at-once")).status.conditions


async def test_a_node_becomes_ready_by_a_file_that_says_so(client: Client, tmp_path: Path) -> None:
    (tmp_path / "wake.yaml").write_text(
        "{apiVersion: kwok.x-k8s.io/v1alpha1, kind: Stage, metadata: {name: wake}, spec: {resourceRef: {kind: Node}, "
        "selector: {matchExpressions: [{key: '.status.conditions', operator: DoesNotExist}]}, next: {statusTemplate: "
        "'{phase: Running, conditions: [{type: Ready, status: \"True\", reason: Woken}]}'}}}"
    )
    async with simulating(client, NodeShape(), stages=stages_of(tmp_path)):

        async def woken() -> bool:
            status = (await client.get(Node, "node-0")).status
            return status.phase == "Running" and [each.reason for each in status.conditions] == ["Woken"]

        await eventually(woken)
