from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import pytest

from steersman.api import errors
from steersman.api.types.core_v1 import (
    Affinity,
    Container,
    ContainerImage,
    ContainerPort,
    Event,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    NodeSpec,
    NodeStatus,
    Pod,
    PodSchedulingGate,
    PodSpec,
    PodStatus,
    PreferredSchedulingTerm,
    ResourceRequirements,
    Taint,
    Toleration,
)
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.scheduler import queue as queue_module
from steersman.scheduler.framework import Framework
from steersman.scheduler.message import unschedulable
from steersman.scheduler.plugins import FILTERS, SCORES
from steersman.scheduler.podinfo import pod_info, requests
from steersman.scheduler.queue import SchedulingQueue
from steersman.scheduler.scheduler import Scheduler, SchedulerConfig
from steersman.scheduler.snapshot import Snapshot
from steersman.testing.turnable_clock import TurnableClock

from .fakes import FakeClient, eventually


def node(name: str, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **kw: object) -> Node:
    labels = {"kubernetes.io/hostname": name, **kw.pop("labels", {})}  # type: ignore[dict-item]
    images = kw.pop("images", [])
    allocatable = {"cpu": cpu, "memory": memory, "pods": pods, **kw.pop("more", {})}  # type: ignore[dict-item]
    return Node(
        metadata=ObjectMeta(name=name, labels=labels),
        spec=NodeSpec(**kw),  # type: ignore[arg-type]
        status=NodeStatus(allocatable=allocatable, images=images),  # type: ignore[arg-type]
    )


def pod(name: str, cpu: str = "", memory: str = "", **spec: object) -> Pod:
    wanted = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    wanted |= spec.pop("more", {})  # type: ignore[arg-type]
    ports = spec.pop("ports", [])
    container = Container(name="c", image="app", resources=ResourceRequirements(requests=wanted), ports=ports)  # type: ignore[arg-type]
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"),
        spec=PodSpec(containers=[container], **spec),  # type: ignore[arg-type]
    )


def snapshot(*nodes: Node) -> Snapshot:
    result = Snapshot()
    for item in nodes:
        result.set_node(item)
    return result


def framework() -> Framework:
    return Framework(FILTERS, SCORES, random.Random(1))


def place(state: Snapshot, *pods: Pod) -> list[str | None]:
    return [framework().place([pod_info(item)], state)[0] for item in pods]


def why(state: Snapshot, item: Pod) -> str:
    info = pod_info(item)
    assert framework().place([info], state) == [None]
    return unschedulable(info, framework().diagnose(info, state), state)


def test_pods_spread_over_empty_nodes_and_fill_up() -> None:
    state = snapshot(*(node(f"n{i}", cpu="1") for i in range(4)))
    infos = [pod_info(pod(f"p{i}", cpu="500m")) for i in range(10)]
    found = framework().place(infos, state)
    assert sorted(name or "" for name in found[:4]) == ["n0", "n1", "n2", "n3"]
    assert sorted(name or "" for name in found[4:8]) == ["n0", "n1", "n2", "n3"]
    assert found[8:] == [None, None]


def test_a_batch_decides_as_single_pods_do() -> None:
    nodes = [node(f"n{i}", cpu=str(2 + i % 3), memory=f"{4 + i % 5}Gi") for i in range(30)]
    one, many = snapshot(*nodes), snapshot(*nodes)
    infos = [pod_info(pod(f"p{i}", cpu="300m", memory="700Mi")) for i in range(120)]
    single = Framework(FILTERS, SCORES, random.Random(7))
    separately = [single.place([info], one)[0] for info in infos]
    assert Framework(FILTERS, SCORES, random.Random(7)).place(infos, many) == separately


def test_what_is_remembered_of_many_kinds_is_what_would_be_found_anew() -> None:
    nodes = [node(f"n{i}", cpu=str(2 + i % 3), memory=f"{4 + i % 5}Gi", pods="6") for i in range(25)]
    one, many = snapshot(*nodes), snapshot(*nodes)
    chance, there, number = random.Random(3), [], 0
    lasting, same = Framework(FILTERS, SCORES, random.Random(7)), random.Random(7)
    kinds = [("300m", "700Mi"), ("1", "100Mi"), ("100m", "2Gi"), ("700m", "1Gi")]
    refused = 0
    for _ in range(250):
        if there and chance.random() < 0.3:
            gone = there.pop(chance.randrange(len(there)))
            assert one.remove_pod(gone.uid)
            assert many.remove_pod(gone.uid)
            continue
        if chance.random() < 0.02:
            changed = node("n3", cpu=str(chance.randrange(1, 9)), memory="8Gi", pods="6")
            one.set_node(changed)
            many.set_node(changed)
        cpu, memory = chance.choice(kinds)
        infos = [pod_info(pod(f"p{number + i}", cpu=cpu, memory=memory)) for i in range(chance.randrange(1, 5))]
        number += len(infos)
        placed = lasting.place(infos, many)
        assert placed == Framework(FILTERS, SCORES, same).place(infos, one)
        there += [info for info, found in zip(infos, placed, strict=True) if found]
        refused += placed.count(None)
    assert refused


def test_messages() -> None:
    tainted = [Taint(key="k", value="v", effect="NoSchedule")]
    state = snapshot(node("a", cpu="1"), node("b", taints=tainted), node("c", taints=tainted))
    place(state, pod("first", cpu="1"))
    assert why(state, pod("x", cpu="500m")) == (
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). "
        "preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, "
        "2 Preemption is not helpful for scheduling."
    )
    assert why(Snapshot(), pod("x")) == "no nodes available to schedule pods"
    state = snapshot(node("a", unschedulable=True), node("b", pods="0"), node("c", cpu="1"))
    assert why(state, pod("x", cpu="2", more={"example.com/gpu": "1"}, node_selector={"disk": "ssd"})) == (
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    assert why(snapshot(node("c", cpu="1", pods="0")), pod("x", cpu="2", more={"example.com/gpu": "1"})) == (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient example.com/gpu, 1 Too many pods. "
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )


def test_taints_and_tolerations() -> None:
    hard = node("hard", taints=[Taint(key="k", value="v", effect="NoExecute")])
    soft = node("soft", taints=[Taint(key="k", value="v", effect="PreferNoSchedule")])
    assert place(snapshot(hard, soft, node("free")), pod("p")) == ["free"]
    assert place(snapshot(hard, soft), pod("p")) == ["soft"]
    for toleration in (
        Toleration(key="k", operator="Exists"),
        Toleration(operator="Exists"),
        Toleration(key="k", value="v", effect="NoExecute"),
    ):
        assert place(snapshot(hard), pod("p", tolerations=[toleration])) == ["hard"]
    for toleration in (Toleration(key="k", value="w"), Toleration(key="k", value="v", effect="NoSchedule")):
        assert place(snapshot(hard), pod("p", tolerations=[toleration])) == [None]
    cordon = Toleration(key="node.kubernetes.io/unschedulable", operator="Exists", effect="NoSchedule")
    assert place(snapshot(node("c", unschedulable=True)), pod("p", tolerations=[cordon])) == ["c"]


@pytest.mark.parametrize(
    ("key", "operator", "values", "expected"),
    [
        ("zone", "In", ["a", "b"], {"a1", "b5"}),
        ("zone", "NotIn", ["a"], {"b5", "none"}),
        ("zone", "Exists", [], {"a1", "b5"}),
        ("zone", "DoesNotExist", [], {"none"}),
        ("size", "Gt", ["3"], {"b5"}),
        ("size", "Lt", ["3"], {"a1"}),
        ("other", "In", ["x"], set()),
    ],
)
def test_node_affinity(key: str, operator: str, values: list[str], expected: set[str]) -> None:
    nodes = [
        node("a1", labels={"zone": "a", "size": "1"}),
        node("b5", labels={"zone": "b", "size": "5"}),
        node("none"),
    ]
    term = NodeSelectorTerm(match_expressions=[NodeSelectorRequirement(key=key, operator=operator, values=values)])
    required = NodeAffinity(
        required_during_scheduling_ignored_during_execution=NodeSelector(node_selector_terms=[term])
    )
    item = pod("p", affinity=Affinity(node_affinity=required), ports=[ContainerPort(container_port=1, host_port=1)])
    state = snapshot(*nodes)
    found = place(
        state, *(pod(f"p{i}", affinity=item.spec.affinity, ports=item.spec.containers[0].ports) for i in range(4))
    )
    assert set(found) - {None} == expected
    preferred = NodeAffinity(
        preferred_during_scheduling_ignored_during_execution=[PreferredSchedulingTerm(weight=5, preference=term)]
    )
    if expected:
        assert place(snapshot(*nodes), pod("q", affinity=Affinity(node_affinity=preferred)))[0] in expected


def test_match_fields_choose_one_node() -> None:
    field = NodeSelectorRequirement(key="metadata.name", operator="In", values=["n3"])
    required = NodeSelector(node_selector_terms=[NodeSelectorTerm(match_fields=[field])])
    affinity = Affinity(node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=required))
    assert place(snapshot(*(node(f"n{i}") for i in range(5))), pod("p", affinity=affinity)) == ["n3"]


def test_host_ports_conflict_by_address() -> None:
    def on(address: str) -> list[ContainerPort]:
        return [ContainerPort(container_port=80, host_port=80, host_ip=address)]

    state = snapshot(node("n"))
    found = place(state, pod("a", ports=on("10.0.0.1")), pod("b", ports=on("10.0.0.2")), pod("c", ports=on("10.0.0.1")))
    assert found == ["n", "n", None]
    assert why(state, pod("d", ports=on(""))).startswith(
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    )


def test_images_attract() -> None:
    image = ContainerImage(names=["app:latest"], size_bytes=900 * 1024 * 1024)
    state = snapshot(node("bare"), node("has", images=[image]))
    assert place(state, pod("p", cpu="100m")) == ["has"]


def test_requests_of_init_containers_and_sidecars() -> None:
    def container(cpu: str, restart: str = "") -> Container:
        return Container(name="c", restart_policy=restart, resources=ResourceRequirements(requests={"cpu": cpu}))

    item = pod("p", cpu="1")
    item.spec.init_containers = [container("200m", "Always"), container("3"), container("100m", "Always")]
    assert requests(item) == {"cpu": 3200}
    item.spec.init_containers = [container("200m", "Always"), container("500m")]
    item.spec.overhead = {"cpu": "50m"}
    assert requests(item) == {"cpu": 1250}


def test_removed_pods_and_nodes_leave_no_trace() -> None:
    state = snapshot(node("n"))
    place(state, pod("a", cpu="1", ports=[ContainerPort(container_port=1, host_port=1)]))
    state.remove_pod("uid-a")
    assert not state.requested.any()
    assert not state.nonzero.any()
    assert not state.ports
    for i in range(200):  # past the first capacity
        state.set_node(node(f"m{i}", labels={"l": str(i)}))
    state.remove_node("m7")
    state.add_pod(pod_info(pod("b", cpu="1")), "m7")
    assert not state.requested.any()
    state.set_node(node("m7"))
    assert state.requested[0, state.columns["m7"]] == 1000


@pytest.mark.parametrize("amount", ["9999999999999999", "9223372036854775807", "9E"])
def test_amounts_beyond_all_measure_do_not_fit_and_break_nothing(amount: str) -> None:
    state, framework = Snapshot(), Framework(FILTERS, SCORES, random.Random(1))
    state.set_node(node("small"))
    greedy = pod_info(pod("greedy", cpu=amount))
    assert framework.place([greedy], state) == [None]
    assert framework.diagnose(greedy, state).reasons == {"Insufficient cpu": 1}
    state.set_node(node("vast", cpu=amount))
    assert framework.place([greedy], state) == ["vast"]
    assert framework.place([pod_info(pod("modest", cpu="1"))], state) == ["small"]


async def test_a_pod_about_which_nothing_can_be_decided_holds_up_nobody() -> None:
    client = FakeClient()
    client.put(node("n1"))
    async with scheduling(client) as scheduler:
        place = scheduler._framework.place

        def fail(pods: Any, snapshot: Snapshot) -> Any:
            if pods[0].key == "default/cursed":
                snapshot.add_pod(pods[0], "n1")
                raise ZeroDivisionError
            return place(pods, snapshot)

        scheduler._framework.place = fail  # type: ignore[method-assign]
        client.put(pod("cursed", cpu="1"), pod("plain"))
        await eventually(lambda: len(client.bindings) == 1)
        assert scheduler.snapshot.node_of("uid-cursed") is None
        assert scheduler.queue.state("uid-cursed") in ("unschedulable", "backoff")


async def test_queue_order_backoff_and_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "EARLY", 0)  # as where very many wait
    clock = TurnableClock(frozen=True)
    queue = SchedulingQueue({"Fit": {"NodeAdd"}, "Other": {"NodeLabel"}}, clock)
    for name, priority in (("low", 0), ("high", 10), ("low2", 0)):
        queue.put(pod_info(pod(name, priority=priority)))
    (high,) = queue.pop_batch(10)
    assert high.info.uid == "uid-high"
    low = queue.pop_batch(10)
    assert [item.info.uid for item in low] == ["uid-low", "uid-low2"]
    queue.failed(high, frozenset({"Fit"}))
    queue.failed(low[0], frozenset({"Other"}))
    queue.done("uid-low2")
    queue.event("NodeAdd")
    assert queue.state("uid-high") == "backoff"
    assert queue.state("uid-low") == "unschedulable"
    assert queue.pop_batch(10) == []
    await clock.advance(1)
    (high,) = queue.pop_batch(10)
    queue.event("NodeAdd")  # while the decision is being made
    queue.failed(high, frozenset({"Fit"}))
    assert queue.next_due() == 2.0  # the second back-off
    await clock.advance(300)
    queue.expire()
    assert {item.info.uid for item in queue.pop_batch(1) + queue.pop_batch(1)} == {"uid-high", "uid-low"}


async def test_few_that_may_fit_are_tried_before_their_backoff_ends_and_after_all_others() -> None:
    clock = TurnableClock(frozen=True)
    queue = SchedulingQueue({"Fit": {"NodeAdd"}}, clock)
    for name in ("refused", "failed"):
        queue.put(pod_info(pod(name)))
    refused, failed = queue.pop_batch(10)
    queue.failed(refused, frozenset({"Fit"}))
    queue.retry(failed.info, failed.attempts)
    assert not queue.waiting
    queue.event("NodeAdd")
    queue.put(pod_info(pod("new", cpu="1")))
    assert queue.waiting
    assert [item.info.uid for item in queue.pop_batch(10)] == ["uid-new"]
    assert [item.info.uid for item in queue.pop_batch(10)] == ["uid-refused"]
    assert not queue.waiting
    assert queue.pop_batch(10) == []
    queue.failed(refused, frozenset({"Fit"}))  # nothing has happened since it was tried
    assert not queue.waiting
    await clock.advance(1)
    assert [item.info.uid for item in queue.pop_batch(10)] == ["uid-failed"]


async def test_what_never_fits_is_not_tried_with_each_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "EARLY", 5)
    clock, tries = TurnableClock(frozen=True), 0
    queue = SchedulingQueue({"Fit": {"NodeAdd"}}, clock)
    for name in ("a", "b"):
        queue.put(pod_info(pod(name)))
    for _ in range(20):
        for item in queue.pop_batch(10):
            tries += 1
            queue.failed(item, frozenset({"Fit"}))
        queue.event("NodeAdd")
    assert tries == 6
    await clock.advance(10)
    assert len(queue.pop_batch(10)) == 2


@contextlib.asynccontextmanager
async def scheduling(client: FakeClient):
    scheduler = Scheduler(SchedulerConfig(), client, rng=random.Random(1))  # type: ignore[arg-type]
    task = asyncio.create_task(scheduler.run())
    await asyncio.wait_for(scheduler.ready.wait(), 5)
    try:
        yield scheduler
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_end_to_end() -> None:
    client = FakeClient()
    client.put(node("n1", cpu="2"), node("n2", cpu="2"))
    client.put(pod("old", cpu="1", node_name="n1"))
    async with scheduling(client) as scheduler:
        client.put(*(pod(f"p{i}", cpu="1") for i in range(4)))
        client.put(pod("theirs", scheduler_name="other"), pod("gated", scheduling_gates=[PodSchedulingGate(name="g")]))
        await eventually(lambda: len(client.bindings) == 3)
        assert sorted(target for _, target in client.bindings) == ["n1", "n2", "n2"]

        def left_out() -> Pod:
            return next(
                item
                for item in client.objects[Pod].values()
                if not item.spec.node_name and item.metadata.name[0] == "p"
            )

        await eventually(lambda: left_out().status.conditions)
        condition = left_out().status.conditions[0]
        assert (condition.type, condition.status, condition.reason) == ("PodScheduled", "False", "Unschedulable")
        assert condition.message.startswith("0/2 nodes are available: 2 Insufficient cpu. preemption: ")
        await eventually(
            lambda: {event.reason for event in client.objects[Event].values()} == {"Scheduled", "FailedScheduling"}
        )
        messages = {event.message for event in client.objects[Event].values() if event.reason == "Scheduled"}
        assert all(message.startswith("Successfully assigned default/p") for message in messages)
        finished = pod("old", cpu="1", node_name="n1")
        finished.status = PodStatus(phase="Succeeded")
        client.put(finished)
        await eventually(lambda: len(client.bindings) == 4)
        ungated = pod("gated")
        client.put(ungated)
        await eventually(lambda: len(client.bindings) == 5)
        assert len(scheduler.queue) == 0
        assert not client.objects[Pod]["default/theirs"].spec.node_name


async def test_heartbeats_of_running_pods_wake_nobody() -> None:
    client = FakeClient()
    client.put(node("n1"))
    async with scheduling(client) as scheduler:
        client.put(pod("runs", node_name="n1"))
        await eventually(lambda: scheduler.snapshot.node_of("uid-runs") == "n1")
        released: list[str] = []
        scheduler.queue.event = released.append  # type: ignore[method-assign]
        again = pod("runs", node_name="n1")
        again.status = PodStatus(phase="Running", pod_ip="10.244.0.9")
        client.put(again, pod("other", node_name="n1"))
        await eventually(lambda: scheduler.snapshot.node_of("uid-other") == "n1")
        assert released == ["AssignedPodAdd"]


async def test_an_earlier_state_of_a_pod_is_put_back() -> None:
    client = FakeClient()
    client.put(node("n1", cpu="1"))
    ended = pod("ended", cpu="1", node_name="n1")
    ended.status = PodStatus(phase="Succeeded")
    async with scheduling(client) as scheduler:
        client.put(pod("ended", cpu="1", node_name="n1"))
        await eventually(lambda: scheduler.snapshot.requested[0].sum() == 1000)
        client.put(ended)
        await eventually(lambda: not scheduler.snapshot.requested[0].sum())
        client.put(pod("ended", cpu="1", node_name="n1"))
        await eventually(lambda: scheduler.snapshot.requested[0].sum() == 1000)
        client.put(pod("ended", cpu="1", scheduling_gates=[PodSchedulingGate(name="g")]))  # without its node
        await eventually(lambda: not scheduler.snapshot.requested[0].sum())
        client.put(pod("ended", cpu="1"))
        await eventually(lambda: client.bindings == [("ended", "n1")])


async def test_a_refused_binding_is_decided_again() -> None:
    client = FakeClient()
    client.put(node("n1"))
    client.refuse_bindings.append(errors.internal_error("no"))
    async with scheduling(client) as scheduler:
        client.put(pod("p", cpu="1"))
        await eventually(lambda: client.bindings == [("p", "n1")])
        await eventually(lambda: not scheduler._assumed)
        assert scheduler.snapshot.requested[0].sum() == 1000
