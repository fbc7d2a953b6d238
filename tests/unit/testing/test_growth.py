"""A cluster that serves test after test keeps nothing of those that are over, but what is bounded."""

from __future__ import annotations

import functools
import gc
import types
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any

import pytest

from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.api.types.core_v1 import ConfigMap, Node
from steersman.client import StatusError
from steersman.testing import Cluster
from steersman.testing.access import lent

BOUNDED = {
    "MemoryStore._log": "history, until it is compacted",
    "MemoryStore._keys": "history",
    "MemoryStore._versions": "history",
    "Window._events": "seconds and bytes",
    "Window._times": "seconds and bytes",
    "RecentlyDecoded._entries": "bytes",
    "EventRecorder._known": "a number of events",
    "EventRecorder._buckets": "a number of objects",
    "EventRecorder._similar": "a number of reasons",
    "Graph._absent": "a number of owners",
    "PodInfos._first": "a number of signatures",
    "Framework._works": "a number of signatures",
    "PodStrategy._accepted": "a number of controllers",
    "Snapshot._moved": "a number of moves",
    "Snapshot.label_values": "as many as there are nodes, and some",
    "Snapshot.taint_sets": "as many as there are nodes, and some",
    "Snapshot._taint_index": "as many as there are nodes, and some",
    "WorkQueue._heap": "the time until a deployment is late",
    "WorkQueue._due": "the time until a deployment is late",
    "Policy._decisions": "a number of decisions",
    "CertificateAuthority._known": "a number of certificates",
    "Requests._kept": "a number of requests",
    "_Templated._kept": "a number of parts of objects",
    "LoopThread._loop": "timers, until they are due",
    "Metrics._answered": "a number of series",
    "Histogram._of": "a number of series",
    "Counter.values": "a number of series",
}
"""What grows for a while, and by what it is bounded."""

CONTAINERS = (dict, list, set, deque, OrderedDict)
APART = (
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    type,
    functools._lru_cache_wrapper,
)
"""What belongs to the process, or is bounded where it is made."""
ROUNDS = 10

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


def sizes(root: object) -> dict[int, tuple[str, int]]:
    """Whose each container is that can be reached, and how long, by its identity."""
    gc.collect()
    found: dict[int, tuple[str, int]] = {}
    seen: dict[int, object] = {id(root): root}
    waiting: list[tuple[object, str]] = [(root, "")]
    while waiting:
        obj, owner = waiting.pop()
        if isinstance(obj, CONTAINERS):
            if owner in BOUNDED:
                continue
            found[id(obj)] = owner, len(obj)
        members = [] if isinstance(obj, CONTAINERS) else [*_members(obj)]
        children = [(value, f"{type(obj).__name__}.{name}") for name, value in members]
        own = getattr(obj, "__dict__", None)
        children += [(each, owner) for each in gc.get_referents(obj) if each is not own]
        for each, its in children:
            if id(each) not in seen and not isinstance(each, APART):
                seen[id(each)] = each
                waiting.append((each, its))
    return found


def _members(obj: object) -> Iterator[tuple[str, Any]]:
    yield from [*getattr(obj, "__dict__", {}).items()]  # the cluster's thread goes on
    for name in _slots(type(obj)):
        if (value := getattr(obj, name, None)) is not None:
            yield name, value


def _slots(type_: type) -> list[str]:
    return [name for each in type_.__mro__ for name in each.__dict__.get("__slots__", ())]


def in_a_namespace(cluster: Cluster, number: int) -> None:
    name = cluster.create_namespace()
    view = cluster.in_namespace(name)
    view.apply(DEPLOYMENT)
    view.wait_for("deployment/web", condition="Available")
    cluster.delete_namespace(name)


def by_a_user_of_its_own(cluster: Cluster, number: int) -> None:
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": f"user-{number}"}
    with lent(cluster), cluster.snapshot():
        jane = cluster.as_user(f"user-{number}")
        with pytest.raises(StatusError):
            jane.client.list(ConfigMap, "default")
        cluster.apply(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": f"binding-{number}"},
                "roleRef": role,
                "subjects": [subject],
            }
        )
        assert jane.client.list(ConfigMap, "default").items


def with_a_definition(cluster: Cluster, number: int) -> None:
    group = f"g{number}.example.com"
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "integer"}}}}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]
    names = {"plural": f"things{number}", "singular": f"thing{number}", "kind": f"Thing{number}"}
    definition, thing = cluster.apply(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{names['plural']}.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": versions},
        },
        {"apiVersion": f"{group}/v1", "kind": names["kind"], "metadata": {"name": "a"}, "spec": {"a": 1}},
    )
    assert cluster.client.get(type(thing), "a", "default").content == {"spec": {"a": 1}}
    cluster.client.delete(CustomResourceDefinition, definition.metadata.name)
    cluster.wait_for(definition, deleted=True)


def with_a_node(cluster: Cluster, number: int) -> None:
    name = f"node-{number}-of-its-own"
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {f"label-{number}": "a", "kubernetes.io/hostname": name}},
            "spec": {"taints": [{"key": f"taint-{number}", "effect": "NoSchedule"}]},
            "status": {"allocatable": {f"example.com/{name}": "1"}},
        }
    )
    cluster.settle()
    cluster.client.delete(Node, name)


def test_nothing_is_kept_of_tests_that_are_over() -> None:
    with Cluster() as cluster:
        cluster.life.composition.server.registry.patience = 0.0
        for number in range(3 + ROUNDS):
            if number == 3:
                cluster.settle()
                before = sizes(cluster.life)
            for test in (in_a_namespace, by_a_user_of_its_own, with_a_definition, with_a_node):
                test(cluster, number)
        cluster.settle()
        after = sizes(cluster.life)
    grown = {
        (owner, before[key][1], size)
        for key, (owner, size) in after.items()
        if key in before and size - before[key][1] >= ROUNDS - 1
    }
    assert grown == set()
