"""What pods and nodes go through by the built-in stages: walked without a cluster, and once in one."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from steersman.api.types.core_v1 import (
    Container,
    Node,
    Pod,
    PodCondition,
    PodReadinessGate,
    PodSpec,
    PodStatus,
    Probe,
)
from steersman.api.types.meta_v1 import ObjectMeta, OwnerReference
from steersman.client.client import Client
from steersman.simulation import NodeShape, Stage, parse_shape, stages_of
from steersman.simulation.chaos import chaos
from steersman.simulation.durations import parse_duration
from steersman.simulation.shape import ShapeError
from steersman.simulation.stage import Subject, choose
from steersman.testing import eventually

from .test_simulated_nodes import gone, pod, reached, simulating
from .test_stage_files import Here

NOW = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)
JOB = OwnerReference(api_version="batch/v1", kind="Job", name="j", uid="2")


def a_pod(annotations: dict[str, str] | None = None, owners: list[OwnerReference] | None = None, **spec: Any) -> Pod:
    spec.setdefault("containers", [Container(name="c", image="nginx")])
    return Pod(
        metadata=ObjectMeta(
            name="a", namespace="default", uid="1", annotations=annotations or {}, owner_references=owners or []
        ),
        spec=PodSpec(node_name="node-0", restart_policy=spec.pop("restart_policy", "Always"), **spec),
        status=PodStatus(phase="Pending", conditions=[PodCondition(type="PodScheduled", status="True")]),
    )


class Walk:
    """One object on its way, with a clock that goes as fast as it can."""

    def __init__(self, obj: Any, stages: tuple[Stage, ...], seed: int = 0) -> None:
        self.object = obj
        self.stages = tuple(stage for stage in stages if stage.kind == obj.kind)
        self.instant = NOW
        self.rng = random.Random(seed)
        self.names: list[str] = []

    def step(self) -> bool:
        subject = Subject(self.object, Here(), self.instant, self.rng)
        if (stage := choose(self.stages, subject)) is None:
            return False
        self.instant += timedelta(seconds=stage.delay(subject) if stage.delay is not None else 0)
        outcome = stage.next(Subject(self.object, Here(), self.instant, self.rng))
        if outcome.status is not None:
            self.object = msgspec.structs.replace(self.object, status=outcome.status)
        self.names.append(stage.name)
        return not outcome.delete

    def go(self, most: int = 20) -> Walk:
        while len(self.names) < most and self.step():
            pass
        return self

    @property
    def conditions(self) -> dict[str, str]:
        return {each.type: each.status for each in self.object.status.conditions}

    @property
    def seconds(self) -> float:
        return (self.instant - NOW).total_seconds()


ALL_TRUE = dict.fromkeys(
    ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"), "True"
)


@pytest.mark.parametrize(
    ("profile", "made", "names", "phase"),
    [
        ("fast", a_pod(), ["pod-ready"], "Running"),
        ("fast", a_pod(owners=[JOB], restart_policy="Never"), ["pod-ready", "pod-complete"], "Succeeded"),
        ("general", a_pod(), ["pod-create", "pod-start"], "Running"),
        (
            "general",
            a_pod(init_containers=[Container(name="i"), Container(name="s", restart_policy="Always")]),
            ["pod-create", "pod-initialize", "pod-start"],
            "Running",
        ),
        (
            "general",
            a_pod(containers=[Container(name="c", readiness_probe=Probe(initial_delay_seconds=5))]),
            ["pod-create", "pod-start", "pod-ready"],
            "Running",
        ),
        ("general", a_pod(owners=[JOB]), ["pod-create", "pod-start", "pod-complete"], "Succeeded"),
    ],
)
def test_ways_of_pods(profile: str, made: Pod, names: list[str], phase: str) -> None:
    walk = Walk(made, stages_of(profile)).go()
    assert walk.names == names
    assert walk.object.status.phase == phase
    if phase == "Running":
        assert walk.conditions == ALL_TRUE
        assert all(each.ready and each.started for each in walk.object.status.container_statuses)


def test_a_pod_on_its_way_says_what_it_waits_for() -> None:
    walk = Walk(a_pod(init_containers=[Container(name="i")]), stages_of("general"))
    walk.step()
    status = walk.object.status
    assert status.container_statuses[0].state.waiting.reason == "PodInitializing"
    assert walk.conditions["Initialized"] == walk.conditions["Ready"] == "False"
    messages = {each.type: each.message for each in status.conditions}
    assert messages["Initialized"] == "containers with incomplete status: [i]"
    assert messages["Ready"] == "containers with unready status: [c]"
    walk.step()
    assert walk.object.status.pod_ip == "10.1.0.2"
    assert walk.conditions["Initialized"] == "True"
    assert walk.object.status.init_container_statuses[0].state.terminated.exit_code == 0


def test_probes_take_their_time() -> None:
    probe = Probe(initial_delay_seconds=20, period_seconds=5, success_threshold=3)
    walk = Walk(a_pod(containers=[Container(name="c", readiness_probe=probe)]), stages_of("general")).go()
    assert 30 <= walk.seconds <= 35


def test_readiness_gates_are_opened() -> None:
    walk = Walk(a_pod(readiness_gates=[PodReadinessGate(condition_type="example.com/x")]), stages_of("fast")).go()
    assert walk.conditions["example.com/x"] == "True"


def test_annotations_say_how_long() -> None:
    said = {"pod-start.stage.kwok.x-k8s.io/delay": "1m", "pod-start.stage.kwok.x-k8s.io/jitter-delay": "2m"}
    walk = Walk(a_pod(said), stages_of("general")).go()
    assert 60 < walk.seconds < 121


def test_a_deleted_pod_goes_within_its_grace_period() -> None:
    leaving = a_pod()
    leaving.metadata.deletion_timestamp = NOW + timedelta(seconds=0.05)
    leaving.metadata.deletion_grace_period_seconds = 1
    walk = Walk(leaving, stages_of("general")).go()
    assert walk.names == ["pod-delete"]
    assert walk.seconds <= 0.05


def test_crashes_and_restarts() -> None:
    walk = Walk(a_pod(), chaos(lifetime=10, pull_failures=0)).go(8)
    assert walk.names == ["pod-create", "pod-start", *["pod-crash", "pod-restart"] * 3]
    status = walk.object.status.container_statuses[0]
    assert status.restart_count == 3
    assert status.last_state.terminated.exit_code == 1
    assert walk.conditions == ALL_TRUE
    walk.step()
    waiting = walk.object.status.container_statuses[0].state.waiting
    assert waiting.reason == "CrashLoopBackOff"
    assert waiting.message == "back-off 1m20s restarting failed container=c pod=a_default(1)"
    assert walk.object.status.phase == "Running"
    assert walk.conditions["Ready"] == "False"
    before = walk.seconds
    walk.step()
    assert walk.seconds - before == pytest.approx(40)


def test_what_never_restarts_fails() -> None:
    walk = Walk(a_pod(restart_policy="Never"), chaos(pull_failures=0)).go()
    assert walk.names[-1] == "pod-crash"
    assert walk.object.status.phase == "Failed"
    assert {each.type: each.reason for each in walk.object.status.conditions}["Ready"] == "PodFailed"


def test_failures_come_as_often_as_told() -> None:
    stages = chaos(pull_failures=0.3, job_failures=0.2)
    walks = [Walk(a_pod(owners=[JOB], restart_policy="Never"), stages, seed).go() for seed in range(300)]
    pulls = sum("pod-pull-failed" in walk.names for walk in walks) / 300
    phases = Counter(walk.object.status.phase for walk in walks)
    assert pulls == pytest.approx(0.3, abs=0.08)
    assert phases["Failed"] / 300 == pytest.approx(0.2, abs=0.07)
    assert set(phases) == {"Succeeded", "Failed"}


def test_nodes_fall_ill_and_recover() -> None:
    walk = Walk(Node(metadata=ObjectMeta(name="n")), chaos(node_lifetime=100)).go(5)
    assert walk.names == ["node-initialize", "node-fail", "node-recover", "node-fail", "node-recover"]
    assert walk.conditions["Ready"] == "True"


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"lifetime": 0}, "lifetime: must be more than 0 seconds, not 0"),
        ({"node_lifetime": -5.0}, "node_lifetime: must be more than 0 seconds, not -5.0"),
        ({"pull_failures": 2}, "pull_failures: must be from 0 to 1, not 2"),
        ({"job_failures": -0.5}, "job_failures: must be from 0 to 1, not -0.5"),
    ],
)
def test_what_chaos_cannot_be(settings: dict[str, float], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        chaos(**settings)


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["nope"], "there are no stages 'nope'; choose of fast, general, chaos, or name a file"),
        ([""], "there are no stages ''"),
        ([["general"]], r"\['general'\] is no name of stages: write such as stages_of\('general', 'mine.yaml'\)"),
        ([None], "None is no name of stages"),
        (["general", "fast"], "stages 'general' and 'fast' exclude each other"),
    ],
)
def test_what_names_no_stages(names: list[Any], fault: str) -> None:
    with pytest.raises((ValueError, TypeError), match=fault):
        stages_of(*names)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"cpu": "x"}, "cpu: 'x' is no quantity"),
        ({"cpu": 4}, "cpu: 4 is no text"),
        ({"memory": "-1Gi"}, "memory: must not be negative"),
        ({"count": -1}, "count: must not be negative"),
        ({"pods": "5"}, "pods: '5' is no number"),
        ({"name": "Node-{}"}, 'name: Invalid value: "Node-0": a lowercase RFC 1123 subdomain must consist of'),
        ({"name": "n" * 260}, "name: Invalid value: "),
        ({"name": "a-{b}"}, "name: 'a-{b}' is no name of nodes: write {} for the number"),
        ({"labels": {"a b": "c"}}, 'labels: Invalid value: "a b": name part must consist of'),
        ({"labels": {"a": 1}}, "labels: 1 is no text"),
        ({"zones": ("a", "b c")}, "zones[1]: a valid label must be"),
        ({"zones": "abc"}, "zones: 'abc' is no tuple"),
        ({"taints": ("a=b",)}, "taints[0]: 'a=b' is no taint: write key=value:effect"),
        ({"resources": {"nvidia.com/gpu": "1.5"}}, 'resources[nvidia.com/gpu]: Invalid value: "1.5": must be an int'),
    ],
)
def test_what_no_node_can_be(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(ShapeError) as caught:
        NodeShape(**settings)
    assert str(caught.value).startswith(fault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("cpu", "'cpu' is no part of a shape: write such as cpu=8,memory=32Gi,pods=110"),
        ("cpu=8x", "cpu: '8x' is no quantity"),
        ("pods=many", "pods: 'many' is no number"),
        ("gpu=1", "'gpu' is no resource of nodes; write cpu, memory,"),
        ("cpu=1,cpu=2", "cpu is there twice"),
        ("ephemeral-storage=1Gi,ephemeral-storage=1Gi", "ephemeral-storage is there twice"),
    ],
)
def test_what_is_no_shape(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_shape(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("5s", 5), ("1h30m", 5400), ("1.5s", 1.5), ("250ms", 0.25), ("-2s", -2), ("1us", 1e-6)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "1d", "1 s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration(text)


async def test_pods_take_the_general_way(client: Client) -> None:
    at_once = {f"{name}.stage.kwok.x-k8s.io/delay": "0s" for name in ("pod-create", "pod-start", "pod-delete")}
    at_once |= {f"{name}.stage.kwok.x-k8s.io/jitter-delay": "0s" for name in ("pod-create", "pod-start", "pod-delete")}
    async with simulating(client, NodeShape(), stages=stages_of("general")):
        made = pod(init_containers=[])
        made.metadata.annotations = at_once
        await client.create(made)
        running = await eventually(reached(client, "a", "Running"))
        assert running.status.pod_ip
        await client.delete(Pod, "a", "default")
        await eventually(gone(client, "a"))
