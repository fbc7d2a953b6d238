"""A cluster that has come to rest says so at once, one that has not says why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from steersman.api.types import apps_v1, core_v1
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.testing.settling import NotSettled

from .inside import WIDGETS, Inside, config_map, deployment


async def test_nothing_is_left_to_do_once_it_has_settled(world: Inside) -> None:
    await world.create(deployment(replicas=10))
    await world.settle()
    made = await world.client.get(apps_v1.Deployment, "web", "default")
    assert made.status.available_replicas == 10
    assert made.status.observed_generation == made.metadata.generation
    events = [event.reason for event in (await world.client.list(core_v1.Event, "default")).items]
    assert events.count("Scheduled") == 10  # they are written behind everybody's back
    revision = world.store.current_revision
    await asyncio.sleep(0.05)
    assert world.store.current_revision == revision


async def test_a_cluster_at_rest_is_found_so_within_two_milliseconds(world: Inside) -> None:
    await world.create(deployment())
    await world.settle()
    best = 1.0
    for _ in range(10):
        started = time.perf_counter()
        await world.settle()
        best = min(best, time.perf_counter() - started)
    assert best < 0.002


async def test_what_a_deletion_sets_off_is_waited_for(world: Inside) -> None:
    await world.create("{apiVersion: v1, kind: Namespace, metadata: {name: doomed}}")
    await world.create(deployment(namespace="doomed"), config_map("a", "doomed"))
    await world.settle()
    await world.client.delete(core_v1.Namespace, "doomed")
    await world.settle()
    assert "doomed" not in [each.metadata.name for each in (await world.client.list(core_v1.Namespace)).items]
    assert not (await world.client.list(core_v1.Pod)).items


async def test_a_definition_is_served_known_and_collected_from(world: Inside) -> None:
    await world.create(WIDGETS)
    await world.settle()
    resource = world.client.scheme.by_kind("example.com/v1", "Widget")
    assert resource is not None
    owner = (await world.create(config_map("owner")))[0]
    await world.create(
        f"""
apiVersion: example.com/v1
kind: Widget
metadata:
  name: a
  namespace: default
  ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: owner, uid: {owner.metadata.uid}}}]
"""
    )
    await world.settle()
    await world.client.delete(core_v1.ConfigMap, "owner", "default")
    await world.settle()
    assert not (await world.client.list(resource, "default")).items
    await world.client.delete(CustomResourceDefinition, "widgets.example.com")
    await world.settle()
    assert world.client.scheme.by_kind("example.com/v1", "Widget") is None


async def test_what_waits_for_somebody_outside_is_not_waited_for(world: Inside) -> None:
    await world.create("{apiVersion: v1, kind: Namespace, metadata: {name: kept}}")
    await world.create(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: kept, finalizers: [example.com/a]}}"
    )
    await world.settle()
    await world.client.delete(core_v1.Namespace, "kept")
    await world.settle()
    namespace = await world.client.get(core_v1.Namespace, "kept")
    assert namespace.status.phase == "Terminating"
    told = {each.type: each.status for each in namespace.status.conditions}
    assert told["NamespaceFinalizersRemaining"] == "True"


async def test_a_pod_that_fits_nowhere_does_not_keep_it_busy(world: Inside) -> None:
    await world.create(
        """
apiVersion: v1
kind: Pod
metadata: {name: large, namespace: default}
spec: {containers: [{name: c, image: a, resources: {requests: {cpu: "1000"}}}]}
"""
    )
    await world.settle()
    pod = await world.client.get(core_v1.Pod, "large", "default")
    assert [each.reason for each in pod.status.conditions if each.type == "PodScheduled"] == ["Unschedulable"]


class Cook:
    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        yield "kitchen: soup"


async def test_it_says_what_keeps_it_busy(world: Inside) -> None:
    world.parts.append(Cook())
    with pytest.raises(NotSettled, match=r"within 0\.02 s:\n  kitchen: soup"):
        await world.settle(within=0.02)
