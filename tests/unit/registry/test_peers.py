"""Several servers on one store: who lives, where the API is, and what each is known by."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from steersman.api.resources import builtin_scheme
from steersman.api.types import core_v1 as v1
from steersman.api.types import discovery_v1
from steersman.api.types.coordination_v1 import Lease, LeaseSpec
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.registry import identity
from steersman.apiserver.registry.config import RegistryConfig
from steersman.apiserver.registry.peers import PREFIX, Peers
from steersman.apiserver.registry.registry import Registry
from steersman.client.local import LocalClient
from steersman.storage.memory import MemoryStore

from .conftest import ADMIN


@contextlib.asynccontextmanager
async def server(store: MemoryStore, address: str) -> AsyncIterator[Registry]:
    config = RegistryConfig(service_cidr="10.96.0.0/24", advertise_address=address, shared_store=True)
    registry = Registry(store, builtin_scheme(), config)
    registry.peers = Peers(registry, time_to_live=0.2)
    task = asyncio.create_task(registry.run())
    async with asyncio.timeout(10):
        await registry.ready.wait()
    yield registry
    task.cancel()
    await asyncio.wait([task])


async def published(registry: Registry) -> list[str]:
    client = LocalClient(registry, ADMIN)
    legacy = await client.get(v1.Endpoints, "kubernetes", "default")
    slice_ = await client.get(discovery_v1.EndpointSlice, "kubernetes", "default")
    addresses = [address.ip for subset in legacy.subsets for address in subset.addresses]
    assert [endpoint.addresses for endpoint in slice_.endpoints] == [[address] for address in addresses]
    return addresses


async def test_every_living_server_is_an_endpoint() -> None:
    store = MemoryStore()
    async with server(store, "192.0.2.2") as one, server(store, "192.0.2.10") as two:
        await one.peers.step()
        assert await published(one) == await published(two) == ["192.0.2.2", "192.0.2.10"]
        assert (one.peers.first, two.peers.first) == (True, False)
        deadline = asyncio.get_running_loop().time() + 5
        while await published(two) != ["192.0.2.10"]:  # the first is silent from now on
            assert asyncio.get_running_loop().time() < deadline
            await two.peers.step()
            await asyncio.sleep(0.01)
        assert two.peers.first
        await one.peers.step()
        assert await published(two) == ["192.0.2.2", "192.0.2.10"]
        await one.peers.leave()
        assert await published(two) == ["192.0.2.10"]
        await one.peers.step()
        assert await published(two) == ["192.0.2.10"]
        await two.peers.leave()
        assert await published(two) == ["192.0.2.10"], "the last one stays"
        assert not (await store.range(PREFIX)).items
    await store.close()


async def test_servers_that_start_together_do_not_stand_in_each_others_way(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    async with contextlib.AsyncExitStack() as stack:
        servers = [server(store, f"192.0.2.{number}") for number in range(1, 5)]
        registries = await asyncio.gather(*(stack.enter_async_context(each) for each in servers))
        for registry in registries:
            await registry.peers.step()
        assert len(await published(registries[0])) == 4
        leases = (await LocalClient(registries[0], ADMIN).list(Lease, "kube-system")).items
        assert {lease.metadata.name for lease in leases} == {registry.identity.name for registry in registries}
    await store.close()
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def test_identities(registry: Registry) -> None:
    client = LocalClient(registry, ADMIN)
    name = registry.identity.name
    lease = await client.get(Lease, name, "kube-system")
    assert name.startswith("apiserver-")
    assert len(name) == len("apiserver-") + 26
    assert lease.metadata.labels["apiserver.kubernetes.io/identity"] == "kube-apiserver"
    assert lease.metadata.labels["kubernetes.io/hostname"]
    assert lease.spec.holder_identity.startswith(f"{name}_")
    await registry.identity.step()
    renewed = await client.get(Lease, name, "kube-system")
    assert renewed.spec.renew_time > lease.spec.renew_time
    old = Lease(
        metadata=ObjectMeta(name="apiserver-gone", namespace="kube-system", labels=lease.metadata.labels),
        spec=LeaseSpec(lease_duration_seconds=3600, renew_time=registry.now() - timedelta(hours=2)),
    )
    await client.create(old)
    old.metadata.name, old.metadata.labels = "another", {}
    await client.create(old)
    await registry.identity.collect()
    assert {each.metadata.name for each in (await client.list(Lease, "kube-system")).items} == {name, "another"}


def test_an_identity_ends_an_hour_after_it_was_renewed() -> None:
    instant = datetime(2026, 1, 1, tzinfo=UTC)
    lease = Lease(spec=LeaseSpec(lease_duration_seconds=3600, renew_time=instant))
    assert not identity.expired(lease, instant + timedelta(hours=1))
    assert identity.expired(lease, instant + timedelta(hours=1, seconds=1))
