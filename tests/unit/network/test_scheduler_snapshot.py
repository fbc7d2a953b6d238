"""The scheduler's arrays hold what there is, however much came and went before."""

from __future__ import annotations

import random

from steersman.api.types.core_v1 import (
    Container,
    Node,
    NodeSpec,
    NodeStatus,
    Pod,
    PodSpec,
    ResourceRequirements,
    Taint,
)
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.scheduler.framework import Framework
from steersman.scheduler.plugins import FILTERS, SCORES
from steersman.scheduler.podinfo import PodInfo, pod_info
from steersman.scheduler.snapshot import CPU, PODS, Snapshot

CYCLES = 300


def node(name: str, *, labels: dict[str, str] | None = None, taint: str = "", resource: str = "") -> Node:
    offered = {"cpu": "4", "pods": "110"} | ({resource: "8"} if resource else {})
    return Node(
        metadata=ObjectMeta(name=name, labels={"kubernetes.io/hostname": name} | (labels or {})),
        spec=NodeSpec(taints=[Taint(key=taint, effect="NoSchedule")] if taint else []),
        status=NodeStatus(allocatable=offered),
    )


def pod(name: str, **requests: str) -> PodInfo:
    wanted = ResourceRequirements(requests={key.replace("_", "/"): value for key, value in requests.items()})
    return pod_info(
        Pod(
            metadata=ObjectMeta(name=name, namespace="default", uid=name),
            spec=PodSpec(containers=[Container(name="a", image="a", resources=wanted)]),
        )
    )


def test_what_nodes_had_that_are_gone_is_forgotten() -> None:
    state = Snapshot()
    state.set_node(node("stays", labels={"zone": "a"}, taint="own", resource="example.com/own"))
    for number in range(CYCLES):
        name = f"n{number}"
        state.set_node(node(name, labels={name: "x"}, taint=name, resource=f"example.com/{name}"))
        state.remove_node(name)
    assert state.resources.keys() == {"cpu", "memory", "ephemeral-storage", "pods", "example.com/own"}
    assert state.allocatable.shape[0] == state.requested.shape[0] == 6
    assert state.label_columns.keys() == state.label_values.keys() == {"kubernetes.io/hostname", "zone"}
    assert max(len(state.label_values["kubernetes.io/hostname"]), len(state.taint_sets)) < 100
    column = state.columns["stays"]
    texts = [*state.label_values["kubernetes.io/hostname"]]
    assert texts[state.label_columns["kubernetes.io/hostname"][column]] == "stays"
    assert state.taint_sets[state.taint_column[column]] == (("own", "", "NoSchedule"),)
    assert state.allocatable[state.resources["example.com/own"], column] == 8


def test_labels_and_taints_of_a_node_may_change_as_often_as_they_like() -> None:
    state = Snapshot()
    state.set_node(node("other", labels={"turn": "other"}))
    for number in range(CYCLES):
        state.set_node(node("a", labels={"turn": str(number)}, taint=f"t{number}"))
    assert max(len(state.label_values["turn"]), len(state.taint_sets)) < 100
    for name, turn, taints in (("a", str(CYCLES - 1), ((f"t{CYCLES - 1}", "", "NoSchedule"),)), ("other", "other", ())):
        column = state.columns[name]
        assert [*state.label_values["turn"]][state.label_columns["turn"][column]] == turn
        assert state.taint_sets[state.taint_column[column]] == taints


def test_resources_that_pods_make_up_take_no_rows() -> None:
    state, framework = Snapshot(), Framework(FILTERS, SCORES, random.Random(1))
    state.set_node(node("a"))
    for number in range(CYCLES):
        asking = pod(f"p{number}", **{f"example.com_r{number}": "1"})
        assert framework.place([asking], state) == [None]
        assert framework.diagnose(asking, state).reasons == {f"Insufficient example.com/r{number}": 1}
        assert framework.diagnose(asking, state).resolvable == ()
    assert state.allocatable.shape[0] == 4


def test_a_pod_counts_once_that_somebody_put_on_a_node_without_what_it_asks_for() -> None:
    state = Snapshot()
    state.set_node(node("a"))
    for number in range(3):
        placed = pod("p", cpu="1", **{f"example.com_r{number}": "1"})
        state.add_pod(placed, "a")
        column, row = state.columns["a"], state.resources[f"example.com/r{number}"]
        assert (state.requested[CPU, column], state.requested[PODS, column], state.requested[row, column]) == (
            1000,
            1,
            1,
        )
        state.remove_pod("p")
        assert not state.requested.any()
        assert not state.groups
    assert state.allocatable.shape[0] == 5
