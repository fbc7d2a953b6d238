"""Objects that are made anew under a name, and work that does not come to an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from steersman.api.types.apps_v1 import ReplicaSet, ReplicaSetSpec
from steersman.api.types.core_v1 import ConfigMap, Namespace, Service, ServicePort, ServiceSpec
from steersman.api.types.meta_v1 import LabelSelector, ObjectMeta
from steersman.client.informer import InformerFactory
from steersman.controllers.endpointslice import EndpointSliceController
from steersman.controllers.kit import Controller, ControllerContext
from steersman.controllers.manager import ControllerManagerConfig
from steersman.controllers.namespace import NamespaceController
from steersman.controllers.replicaset import ReplicaSetController

from .world import World, template


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The controllers under test are the tests' own: they see everything, and act when told to."""
    off = ("*", "-namespace-controller", "-replicaset-controller", "-endpointslice-controller")
    async with World(ControllerManagerConfig(controllers=off, root_ca=b"PEM"), kubelet=False) as world:
        await world.namespace()
        yield world


class Watching:
    def __init__(self, world: World, kind: type[Any]) -> None:
        self.informers = InformerFactory(world.client)
        self.controller: Any = kind(ControllerContext(world.client, self.informers))
        assert isinstance(self.controller, Controller)

    async def __aenter__(self) -> Any:
        self.task = asyncio.create_task(self.informers.run())
        await self.informers.synced()
        return self.controller

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def new_replica_set() -> ReplicaSet:
    spec = ReplicaSetSpec(replicas=1, selector=LabelSelector(match_labels={"app": "web"}), template=template())
    return ReplicaSet(metadata=ObjectMeta(name="web", namespace="test"), spec=spec)


def new_service() -> Service:
    spec = ServiceSpec(selector={"app": "web"}, ports=[ServicePort(port=80)])
    return Service(metadata=ObjectMeta(name="web", namespace="test"), spec=spec)


@pytest.mark.parametrize(
    ("kind", "make", "attribute"),
    [
        (ReplicaSetController, new_replica_set, "replica_sets"),
        (EndpointSliceController, new_service, "services"),
    ],
)
async def test_what_was_expected_of_a_deleted_object_holds_up_no_other_of_its_name(
    world: World, kind: type[Any], make: Any, attribute: str
) -> None:
    async with Watching(world, kind) as controller:
        lister = getattr(controller, attribute).lister
        first = await world.client.create(make())

        async def seen(uid: str) -> bool:
            known = lister.get("web", "test")
            return known is not None and known.metadata.uid == uid

        await world.until(lambda: seen(first.metadata.uid))
        controller.expectations.expect_creations("test/web", 3)
        assert not controller.expectations.satisfied("test/web")
        await world.client.delete(type(first), "web", "test")
        second = await world.client.create(make())
        await world.until(lambda: seen(second.metadata.uid))
        assert controller.expectations.satisfied("test/web")


async def test_a_namespace_that_a_finalizer_keeps_is_looked_at_ever_less_often(world: World) -> None:
    keeper = ObjectMeta(name="kept", namespace="test", finalizers=["example.com/keep"])
    await world.client.create(ConfigMap(metadata=keeper))
    async with Watching(world, NamespaceController) as controller:
        await world.client.delete(Namespace, "test")

        async def terminating() -> bool:
            known = controller.namespaces.lister.get("test")
            return known is not None and known.metadata.deletion_timestamp is not None

        await world.until(terminating)
        waits = [await controller.reconcile("test") for _ in range(8)]
        assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
