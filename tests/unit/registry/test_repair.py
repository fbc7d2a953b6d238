"""What somebody damaged by hand between Services, addresses and node ports is mended."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from steersman.api.types import core_v1 as v1
from steersman.api.types import networking_v1
from steersman.apiserver.registry.registry import Registry
from steersman.apiserver.registry.services import repair
from steersman.apiserver.registry.services.reservation import NODE_PORT_PREFIX, address_key, port_key
from steersman.client.local import LocalClient
from steersman.storage.store import Delete, Put

from .conftest import service


async def state(registry: Registry) -> dict[str, bytes]:
    """Everything that is allocated, without what differs each time that it is written."""
    found = {}
    for prefix in ("/registry/ipaddresses/", NODE_PORT_PREFIX):
        for item in (await registry.store.range(prefix)).items:
            tree = msgspec.json.decode(item.value)
            for name in ("uid", "creationTimestamp", "managedFields"):
                tree.get("metadata", {}).pop(name, None)
            found[item.key] = msgspec.json.encode(tree)
    return found


async def reasons(client: LocalClient) -> set[str]:
    return {event.reason for event in (await client.list(v1.Event, "default")).items}


@pytest.fixture
async def mender(registry: Registry, client: LocalClient) -> repair.Repair:
    await client.create(service("a", type="NodePort", cluster_ip="10.96.0.10"))
    await client.create(service("b", type="LoadBalancer", external_traffic_policy="Local"))
    return repair.Repair(registry)


async def test_what_is_whole_is_left_alone(mender: repair.Repair, registry: Registry) -> None:
    before = registry.store.current_revision
    await mender.everything()
    assert registry.store.current_revision == before


async def test_what_was_lost_comes_back_and_what_leaked_goes(mender: repair.Repair, registry: Registry) -> None:
    whole = await state(registry)
    store = registry.store
    present = await store.get(address_key("10.96.0.10"))
    assert present is not None
    other = present.value.replace(b'"name":"a"', b'"name":"gone"')
    await store.commit(
        [
            *(Delete(key) for key in whole if key != address_key("10.96.0.1")),
            Put(address_key("10.96.0.11"), other.replace(b"10.96.0.10", b"10.96.0.11")),
            Put(port_key(30999), b'{"namespace":"default","name":"gone"}'),
            Put(port_key(30998), b"rubbish"),
        ]
    )
    await mender.everything()
    assert await state(registry) == whole


async def test_an_address_that_is_deleted_or_given_away_comes_back_soon(
    registry: Registry, client: LocalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "SOON", 0.01)
    created = await client.create(service("a"))
    whole = await state(registry)
    await client.delete(networking_v1.IPAddress, created.spec.cluster_ip)
    async with asyncio.timeout(5):
        while await state(registry) != whole:
            await asyncio.sleep(0.01)
        while "ClusterIPNotAllocated" not in await reasons(client):
            await asyncio.sleep(0.01)
        key = address_key(created.spec.cluster_ip)
        item = await registry.store.get(key)
        assert item is not None
        await registry.store.commit([Put(key, item.value.replace(b'"name":"a"', b'"name":"x"'))])
        while await state(registry) != whole:
            await asyncio.sleep(0.01)


async def test_it_goes_on_when_its_watch_has_ended(
    registry: Registry, client: LocalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "SOON", 0.01)
    created = await client.create(service("a"))
    whole = await state(registry)
    registry.handler_of(networking_v1.IPAddress).cache.forget_past()
    for turns in (0, 100):
        for _ in range(turns):
            await asyncio.sleep(0)
        await client.delete(networking_v1.IPAddress, created.spec.cluster_ip)
        async with asyncio.timeout(5):
            while await state(registry) != whole:
                await asyncio.sleep(0.01)


async def test_what_cannot_be_mended_is_told(mender: repair.Repair, registry: Registry, client: LocalClient) -> None:
    handler = registry.handler_of(v1.Service)

    def stray(obj: v1.Service) -> None:
        obj.spec.cluster_ip, obj.spec.cluster_ips = "192.0.2.9", ["192.0.2.9"]
        obj.spec.ports[0].node_port = 80

    def twin(obj: v1.Service) -> None:
        obj.spec.cluster_ip, obj.spec.cluster_ips = "10.96.0.10", ["10.96.0.10"]

    await client.create(service("c"))
    await handler.amend("default", "b", stray)
    await handler.amend("default", "c", twin)
    task = asyncio.create_task(mender.run())
    wanted = {"ClusterIPOutOfRange", "ClusterIPAlreadyAllocated", "PortOutOfRange"}
    try:
        async with asyncio.timeout(5):
            while not wanted <= await reasons(client):
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert (await client.get(networking_v1.IPAddress, "10.96.0.10")).spec.parent_ref.name == "a"
