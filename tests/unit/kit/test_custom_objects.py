"""Custom resources by types of one's own, and by what discovery tells."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from steersman.api.types.core_v1 import ConfigMap
from steersman.client import (
    CustomObject,
    HTTPClient,
    Informer,
    ObjectMeta,
    StatusError,
    WatchEvent,
    copy,
    custom_resource,
    discover,
    is_conflict,
    is_not_found,
)
from steersman.controllers.kit import controller_reference
from steersman.testing import Cluster, eventually

from .gadgets import Gadget, GadgetSpec


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[HTTPClient]:
    async with cluster.connect(Gadget) as client:
        yield client


@contextlib.asynccontextmanager
async def following(informer: Informer[Any]) -> AsyncIterator[None]:
    task = asyncio.create_task(informer.run())
    await informer.synced()
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def gadget(namespace: str, name: str = "a", **spec: object) -> Gadget:
    return Gadget(metadata=ObjectMeta(name=name, namespace=namespace), spec=GadgetSpec(**spec))  # type: ignore[arg-type]


async def test_a_type_of_ones_own(client: HTTPClient, namespace: str) -> None:
    made = await client.create(gadget(namespace, size=0, part_names=["x"]))
    assert (made.kind, made.api_version) == ("Gadget", "example.com/v1")
    assert made.spec == GadgetSpec(size=0, part_names=["x"], color="blue")
    changed = copy(made)
    changed.spec.size = 4
    changed.status.seen = 4
    updated = await client.update(changed)
    assert (updated.spec.size, updated.status.seen, updated.metadata.generation) == (4, 0, 2)
    changed.metadata = updated.metadata
    assert (await client.update(changed, subresource="status")).status.seen == 4
    with pytest.raises(StatusError) as outdated:
        await client.update(made)
    assert is_conflict(outdated.value)
    with pytest.raises(StatusError, match=r"spec\.size in body should be greater than or equal to 0"):
        await client.create(gadget(namespace, "b", size=-1))
    assert [each.metadata.name for each in (await client.list(Gadget, namespace)).items] == ["a"]
    await client.delete(Gadget, "a", namespace)
    with pytest.raises(StatusError) as gone:
        await client.get(Gadget, "a", namespace)
    assert is_not_found(gone.value)


async def test_a_watch_of_a_type_of_ones_own(client: HTTPClient, namespace: str) -> None:
    start = (await client.list(Gadget, namespace)).resource_version
    await client.create(gadget(namespace, size=1))
    await client.delete(Gadget, "a", namespace)
    seen: list[WatchEvent[Gadget]] = []
    async for event in client.watch(Gadget, namespace, resource_version=start):
        seen.append(event)
        if event.type == "DELETED":
            break
    assert [(event.type, event.object.spec.size) for event in seen] == [("ADDED", 1), ("DELETED", 1)]


async def test_configurations_may_hold_typed_parts(client: HTTPClient, namespace: str) -> None:
    owner = await client.create(gadget(namespace))
    configuration = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": namespace, "ownerReferences": [controller_reference(owner)]},
    }
    made = await client.apply(ConfigMap, configuration, field_manager="test")
    assert made.metadata.owner_references == [controller_reference(owner)]
    spec = {"spec": GadgetSpec(part_names=["p"])}
    configuration = {
        "apiVersion": "example.com/v1",
        "kind": "Gadget",
        "metadata": {"name": "a", "namespace": namespace},
    }
    applied = await client.apply(Gadget, configuration | spec, field_manager="test")
    assert applied.spec.part_names == ["p"]


async def test_a_kind_that_only_the_server_knows(cluster: Cluster, namespace: str) -> None:
    async with cluster.connect() as client:
        gadgets = await discover(client, "example.com/v1", "Gadget")
        assert (gadgets.name, gadgets.namespaced, gadgets.short_names) == ("gadgets", True, ("gt",))
        assert set(gadgets.subresources) == {"status"}
        wanted = gadgets.type(ObjectMeta(name="a", namespace=namespace), {"spec": {"size": 2}})
        made = await client.create(wanted)
        assert made.content["spec"] == {"size": 2, "color": "blue"}
        informer = Informer(client, gadgets, namespace)
        async with following(informer):
            assert informer.lister.get("a", namespace) == made
            changed = copy(made)
            changed.content["spec"]["size"] = 3
            await client.update(changed)

            async def seen() -> bool:
                known = informer.lister.get("a", namespace)
                return known is not None and known.content["spec"]["size"] == 3

            await eventually(seen)
        with pytest.raises(StatusError, match='no matches for kind "Nothing" in version "example'):
            await discover(client, "example.com/v1", "Nothing")
        with pytest.raises(StatusError) as missing:
            await discover(client, "missing.example.com/v1", "Nothing")
        assert is_not_found(missing.value)
        assert (await discover(client, "v1", "Node")).namespaced is False


def test_a_type_that_does_not_say_enough() -> None:
    class Bare(CustomObject):
        API_VERSION = "v1"

    with pytest.raises(ValueError, match="Bare needs an API_VERSION with a group, and a PLURAL"):
        custom_resource(Bare)
