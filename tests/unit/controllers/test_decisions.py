"""The pure decisions of controllers."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Any

import pytest

from steersman.api.time import now
from steersman.api.types.apps_v1 import (
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
    RollingUpdateDeployment,
)
from steersman.api.types.core_v1 import (
    Node,
    NodeCondition,
    NodeStatus,
    Pod,
    PodCondition,
    PodIP,
    PodSpec,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
    Taint,
    Toleration,
)
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.controllers.config import ControllerManagerConfig
from steersman.controllers.deployment import planning
from steersman.controllers.endpointslice import plan
from steersman.controllers.kit.expectations import TIMEOUT, Expectations
from steersman.controllers.kit.pods import deletion_order
from steersman.controllers.kit.taints import tolerated_seconds
from steersman.controllers.manager import enabled
from steersman.controllers.namespace import Remainder, conditions
from steersman.controllers.node_ipam import Exhausted, free
from steersman.controllers.node_lifecycle import eviction_rates
from steersman.testing.turnable_clock import TurnableClock

from .world import template


def deployed(replicas: int, surge: int | str, unavailable: int | str) -> Deployment:
    rolling = RollingUpdateDeployment(max_surge=surge, max_unavailable=unavailable)
    strategy = DeploymentStrategy(type="RollingUpdate", rolling_update=rolling)
    return Deployment(
        metadata=ObjectMeta(name="d", namespace="ns"),
        spec=DeploymentSpec(replicas=replicas, strategy=strategy, template=template()),
    )


def replica_set(name: str, replicas: int, available: int | None = None, **annotations: str) -> ReplicaSet:
    available = replicas if available is None else available
    age = now() - timedelta(minutes=ord("z") - ord(name[0]))
    marks = {f"deployment.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return ReplicaSet(
        metadata=ObjectMeta(name=name, uid=name, namespace="ns", creation_timestamp=age, annotations=marks),
        spec=ReplicaSetSpec(replicas=replicas, template=template()),
        status=ReplicaSetStatus(replicas=replicas, available_replicas=available),
    )


def sizes(scales: list[planning.Scale]) -> dict[str, int]:
    return {scale.replica_set.metadata.name: scale.replicas for scale in scales}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", (3, 2)),
        (1, "25%", "25%", (1, 0)),
        (10, 0, 0, (0, 1)),
        (4, "0%", "10%", (0, 1)),
        (2, 5, 5, (5, 2)),
    ],
)
def test_surge_is_rounded_up_and_unavailable_down(
    replicas: int, surge: Any, unavailable: Any, expected: tuple[int, int]
) -> None:
    assert planning.surge_and_unavailable(deployed(replicas, surge, unavailable)) == expected


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ((0, 0), [(10, 10)], {"n": 3}),  # room for three: the new one grows first
        ((3, 0), [(10, 10)], {"a": 8}),  # two may be missing
        ((3, 3), [(8, 8)], {"n": 5}),
        ((5, 5), [(8, 5)], {"a": 3}),  # three that do not serve go, then what is not needed
        ((10, 10), [(3, 3)], {"a": 0}),
        ((12, 12), [], {"n": 10}),
        ((3, 0), [(8, 8)], {"n": 5}),
        ((5, 0), [(8, 8)], {}),  # nothing until a new one is available
    ],
)
def test_steps_of_a_rolling_update(new: tuple[int, int], old: list[tuple[int, int]], expected: dict[str, int]) -> None:
    olds = [replica_set(chr(ord("a") + index), *counts) for index, counts in enumerate(old)]
    assert sizes(planning.roll(deployed(10, 3, 2), replica_set("n", *new), olds)) == expected


def test_a_rolling_update_keeps_its_promises_until_it_is_done() -> None:
    deployment = deployed(10, "25%", "25%")
    new, old = replica_set("n", 0), replica_set("a", 10)
    for _ in range(50):
        scales = planning.roll(deployment, new, [old])
        if not scales:
            break
        for item, count in scales:
            item.spec.replicas = count
        total = planning.replicas_of(new) + planning.replicas_of(old)
        available = min(new.status.available_replicas or 0, planning.replicas_of(new)) + planning.replicas_of(old)
        assert total <= 13
        assert available >= 8
        for item in (new, old):
            item.status.replicas = item.status.available_replicas = planning.replicas_of(item)
    assert (new.spec.replicas, old.spec.replicas) == (10, 0)


def test_scaling_in_a_rollout_is_proportional() -> None:
    deployment = deployed(15, 3, 2)
    marks = {"desired_replicas": "10", "max_replicas": "13"}
    new, old = replica_set("n", 5, 0, **marks), replica_set("a", 8, 8, **marks)
    assert planning.is_scaling(deployment, [new, old])
    # 18 are allowed, 5 are to be added: in proportion, the rest to the largest.
    assert sizes(planning.rescale(deployment, new, [old])) == {"a": 11, "n": 7}
    deployment.spec.replicas = 0
    assert sizes(planning.rescale(deployment, new, [old])) == {"a": 0, "n": 0}


def test_the_hash_names_the_template_and_nothing_else() -> None:
    one, other = template("app:1"), template("app:2")
    assert planning.template_hash(one, 0) == planning.template_hash(template("app:1"), 0)
    assert len({planning.template_hash(one, 0), planning.template_hash(other, 0), planning.template_hash(one, 1)}) == 3
    one.metadata.labels["pod-template-hash"] = "x"
    assert planning.same_template(one, template("app:1"))
    assert not planning.same_template(one, other)


def pod(name: str, *, node: str = "n", phase: str = "Running", ready: bool = True, **annotations: str) -> Pod:
    ready_condition = PodCondition(type="Ready", status=str(ready), last_transition_time=now() - timedelta(hours=1))
    return Pod(
        metadata=ObjectMeta(
            name=name,
            namespace="ns",
            uid=name,
            labels={"app": "web"},
            creation_timestamp=now() - timedelta(hours=1),
            annotations={
                f"controller.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()
            },
        ),
        spec=PodSpec(node_name=node),
        status=PodStatus(phase=phase, conditions=[ready_condition], pod_ip="10.0.0.1", pod_ips=[PodIP(ip="10.0.0.1")]),
    )


def test_pods_that_are_missed_least_go_first() -> None:
    pods = [
        pod("ready-a", node="crowded"),
        pod("ready-b", node="crowded"),
        pod("alone", node="other"),
        pod("unready", ready=False),
        pod("pending", phase="Pending", ready=False),
        pod("unscheduled", node="", phase="Pending", ready=False),
        pod("dear", pod_deletion_cost="10"),
    ]
    order = [item.metadata.name for item in deletion_order(pods, pods, now())]
    assert order == ["unscheduled", "pending", "unready", "ready-a", "ready-b", "alone", "dear"]


async def test_expectations_hold_until_seen_or_too_old() -> None:
    clock = TurnableClock(frozen=True)
    expectations = Expectations(clock)
    expectations.expect_creations("k", 2)
    expectations.creation_observed("k")
    assert not expectations.satisfied("k")
    expectations.creation_observed("k")
    assert expectations.satisfied("k")
    expectations.expect_deletions("k", ["u"])
    expectations.deletion_observed("k", "other")
    assert not expectations.satisfied("k")
    await clock.advance(TIMEOUT + 1)
    assert expectations.satisfied("k")


def test_tolerations() -> None:
    taints = [Taint(key="a", value="1", effect="NoExecute"), Taint(key="b", effect="NoExecute")]
    everything = Toleration(operator="Exists")
    assert tolerated_seconds(taints, [everything]) is None
    assert tolerated_seconds(taints, [Toleration(key="a", value="1")]) == 0
    assert tolerated_seconds(taints[:1], [Toleration(key="a", value="2")]) == 0
    limited = Toleration(key="b", operator="Exists", effect="NoExecute", toleration_seconds=300)
    assert tolerated_seconds(taints, [Toleration(key="a", operator="Exists"), limited]) == 300
    assert tolerated_seconds([], []) is None


def test_pod_networks_avoid_what_is_taken_and_run_out() -> None:
    cluster = ipaddress.ip_network("10.244.0.0/22")
    taken = [ipaddress.ip_network("10.244.1.0/24"), ipaddress.ip_network("10.244.2.0/25")]
    assert free(cluster, 24, taken) == (ipaddress.ip_network("10.244.0.0/24"), 0)
    assert free(cluster, 24, taken, 1) == (ipaddress.ip_network("10.244.3.0/24"), 3)
    with pytest.raises(Exhausted):
        free(cluster, 24, [cluster])


def test_evictions_stop_when_everything_seems_down() -> None:
    def node(name: str, status: str) -> Node:
        return Node(
            metadata=ObjectMeta(name=name),
            status=NodeStatus(conditions=[NodeCondition(type="Ready", status=status)]),
        )

    config = ControllerManagerConfig()
    assert set(eviction_rates([node("a", "Unknown")], config).values()) == {0.0}
    assert set(eviction_rates([node("a", "Unknown"), node("b", "True")], config).values()) == {0.1}
    mostly = [node(str(number), "Unknown") for number in range(4)] + [node("b", "True")]
    assert set(eviction_rates(mostly, config).values()) == {0.0}


def test_slices_are_filled_and_kept() -> None:
    service = Service(
        metadata=ObjectMeta(name="svc", namespace="ns", uid="s"),
        spec=ServiceSpec(
            selector={"app": "web"}, cluster_ip="10.96.0.9", ports=[ServicePort(port=80, target_port=8080)]
        ),
    )
    first = plan(service, [pod(f"p{number}") for number in range(5)], {}, [], 2)
    assert [len(item.endpoints) for item in first.create] == [2, 2, 1]
    present: list[EndpointSlice] = first.create
    for number, item in enumerate(present):
        item.metadata.uid = str(number)
    again = plan(service, [pod(f"p{number}") for number in range(5)], {}, present, 2)
    assert (again.create, again.update, again.delete) == ([], [], [])
    fewer = plan(service, [pod(f"p{number}") for number in range(4)], {}, present, 2)
    assert ([item.metadata.uid for item in fewer.delete], fewer.update, fewer.create) == (["2"], [], [])
    none = plan(service, [], {}, present, 2)
    assert len(none.delete) == 2
    assert [item.endpoints for item in none.update] == [[]]


def test_which_controllers_run() -> None:
    assert enabled("a", ("*",))
    assert not enabled("a", ("*", "-a"))
    assert enabled("b", ("a", "b"))
    assert not enabled("c", ("a", "b"))


def test_what_keeps_a_namespace() -> None:
    def told(remainder: Remainder) -> dict[str, tuple[str, str]]:
        return {each.type: (each.reason, each.message) for each in conditions(remainder) if each.status == "True"}

    assert Remainder().empty
    assert told(Remainder()) == {}
    dead = Remainder(undiscovered={"b.example.com/v1": "why", "a.example.com/v1": "because"})
    assert not dead.empty
    assert told(dead) == {
        "NamespaceDeletionDiscoveryFailure": (
            "DiscoveryFailed",
            "Discovery failed for some groups, 2 failing: unable to retrieve the complete list of server APIs: "
            "a.example.com/v1: because, b.example.com/v1: why",
        )
    }
