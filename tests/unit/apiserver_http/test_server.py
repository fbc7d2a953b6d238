"""One API server as a whole: what it publishes of itself, and what it knows of the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from steersman.api.time import now_micro
from steersman.api.types.coordination_v1 import Lease, LeaseSpec
from steersman.api.types.core_v1 import ComponentStatus, Endpoints, Service
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.server import ApiServer
from steersman.pki import files
from steersman.storage.memory import MemoryStore

ADMIN = User("admin", ("system:masters", "system:authenticated"))


@asynccontextmanager
async def running(config: ApiServerConfig) -> AsyncIterator[ApiServer]:
    server = ApiServer(config, MemoryStore())
    task = asyncio.create_task(server.run())
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED, timeout=10)
    if task.done():
        task.result()
    yield server
    task.cancel()
    await asyncio.wait([task])


async def test_the_port_it_really_got_is_what_it_publishes(tmp_path: Path) -> None:
    names = {"node_name": "n", "node_address": "127.0.0.1", "server": "https://x", "addresses": ("127.0.0.1",)}
    files.ensure(files.PKIConfig(directory=tmp_path / "pki", **names))  # type: ignore[arg-type]
    config = ApiServerConfig(
        bind_address="127.0.0.1", secure_port=0, advertise_address="192.0.2.1", pki_directory=tmp_path / "pki"
    )
    async with running(config) as server:
        client = server.local_client(ADMIN)
        assert server.port
        endpoints = await client.get(Endpoints, "kubernetes", "default")
        assert [port.port for subset in endpoints.subsets for port in subset.ports] == [server.port]
        slices = await client.get(EndpointSlice, "kubernetes", "default")
        assert [port.port for port in slices.ports] == [server.port]
        assert (await client.get(Service, "kubernetes", "default")).spec.ports[0].target_port == server.port


async def test_who_forgets_tls_is_told(tmp_path: Path) -> None:
    names = {"node_name": "n", "node_address": "127.0.0.1", "server": "https://x", "addresses": ("127.0.0.1",)}
    files.ensure(files.PKIConfig(directory=tmp_path / "pki", **names))  # type: ignore[arg-type]
    config = ApiServerConfig(bind_address="127.0.0.1", secure_port=0, pki_directory=tmp_path / "pki")
    async with running(config) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = (await asyncio.wait_for(reader.readuntil(b"server.\n"), 5)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 400 Bad Request\r\n")
        assert body == b"Client sent an HTTP request to an HTTPS server.\n"
        writer.write(b"more")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_a_server_that_does_not_listen_announces_nothing() -> None:
    async with running(ApiServerConfig(secure_port=0, advertise_address="192.0.2.1")) as server:
        assert (await server.local_client(ADMIN).list(Endpoints)).items == []


async def test_component_statuses() -> None:
    async with running(ApiServerConfig()) as server:
        client = server.local_client(ADMIN)

        async def healthy() -> dict[str, str]:
            found = (await client.list(ComponentStatus)).items
            assert {each.conditions[0].type for each in found} == {"Healthy"}
            return {each.metadata.name: each.conditions[0].status for each in found}

        assert await healthy() == {"controller-manager": "False", "etcd-0": "True", "scheduler": "False"}
        handler = server.handler(server.scheme.for_type(ComponentStatus))
        for options, names in (
            (ListOptions(field_selector="metadata.name=etcd-0"), ["etcd-0"]),
            (ListOptions(label_selector="a=b"), []),
        ):
            assert [each.object.metadata.name for each in (await handler.list("", options)).entries] == names
        server.local_client(User("system:kube-scheduler"))
        assert (await healthy())["scheduler"] == "True"
        lease = Lease(
            metadata=ObjectMeta(name="kube-controller-manager", namespace="kube-system"),
            spec=LeaseSpec(holder_identity="elsewhere", lease_duration_seconds=15, renew_time=now_micro()),
        )
        held = await client.create(lease)
        assert (await healthy())["controller-manager"] == "True"
        lease.spec.renew_time = now_micro() - timedelta(seconds=20)
        lease.metadata.resource_version = held.metadata.resource_version
        await client.update(lease)
        assert (await healthy())["controller-manager"] == "False"
