"""A census that is kept up pod by pod says what counting anew would say."""

from __future__ import annotations

import random

from steersman.api.time import now
from steersman.api.types.apps_v1 import ReplicaSet, ReplicaSetSpec
from steersman.api.types.core_v1 import Container, Pod, PodCondition, PodSpec, PodStatus, PodTemplateSpec
from steersman.api.types.meta_v1 import LabelSelector, ObjectMeta
from steersman.controllers.census import Census


def replica_set() -> ReplicaSet:
    template = PodTemplateSpec(metadata=ObjectMeta(labels={"app": "web", "tier": "front"}), spec=PodSpec())
    spec = ReplicaSetSpec(selector=LabelSelector(match_labels={"app": "web"}), template=template)
    return ReplicaSet(metadata=ObjectMeta(name="rs", namespace="default", uid="rs", generation=1), spec=spec)


def pod(name: str, phase: str, labels: dict[str, str], *, ready: bool = False, deleting: bool = False) -> Pod:
    return Pod(
        metadata=ObjectMeta(name=name, labels=labels, deletion_timestamp=now() if deleting else None),
        spec=PodSpec(containers=[Container(name="c")]),
        status=PodStatus(phase=phase, conditions=[PodCondition(type="Ready", status="True" if ready else "False")]),
    )


def numbers(census: Census) -> tuple[int, ...]:
    return census.replicas, census.labeled, census.ready, census.terminating, census.strangers


def test_what_counts_for_what() -> None:
    both, one = {"app": "web", "tier": "front"}, {"app": "web"}
    pods = [
        pod("ready", "Running", both, ready=True),
        pod("unlabeled", "Running", one, ready=True),
        pod("pending", "Pending", both),
        pod("going", "Running", both, ready=True, deleting=True),
        pod("ended", "Succeeded", both, ready=True),
        pod("stranger", "Running", {"app": "other"}, ready=True),
    ]
    assert numbers(Census(replica_set(), pods)) == (3, 2, 2, 1, 1)


def test_it_does_not_drift() -> None:
    chance, owner = random.Random(5), replica_set()
    census, there = Census(owner, []), dict[str, Pod]()
    for _ in range(600):
        name = f"p{chance.randrange(12)}"
        if chance.random() < 0.25:
            census.drop(there.pop(name, pod(name, "Pending", {})))
        else:
            labels = chance.choice([{"app": "web", "tier": "front"}, {"app": "web"}, {"app": "other"}, {}])
            phase = chance.choice(["Pending", "Running", "Failed"])
            there[name] = pod(name, phase, labels, ready=chance.random() < 0.5, deleting=chance.random() < 0.2)
            census.put(there[name])
        assert numbers(census) == numbers(Census(owner, there.values()))
