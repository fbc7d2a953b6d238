"""An API server on loopback, and another server beside it whose group-version it serves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec
import pytest

from steersman.api.types.apiregistration_v1 import APIService, APIServiceSpec, ServiceReference
from steersman.api.types.core_v1 import Service, ServiceSpec
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.aggregation.aggregator import Aggregator
from steersman.apiserver.aggregation.backends import Identity
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.endpoints.pipeline import timeout_answer, too_large_answer
from steersman.apiserver.http.messages import Answer, Request, Response
from steersman.apiserver.http.server import HTTPServer, tls_context
from steersman.apiserver.server import ApiServer
from steersman.client.client import Client
from steersman.pki.certificates import KeyPair, Subject, issue, new_authority
from steersman.pki.files import PKIConfig, ensure, load_pair
from steersman.storage.memory import MemoryStore

GROUP, VERSION = "example.com", "v1"
PATH = f"/apis/{GROUP}/{VERSION}"
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": f"{GROUP}/{VERSION}",
    "resources": [
        {
            "name": "things",
            "singularName": "thing",
            "namespaced": True,
            "kind": "Thing",
            "verbs": ["get", "list"],
            "shortNames": ["th"],
        },
        {"name": "things/status", "singularName": "", "namespaced": True, "kind": "Thing", "verbs": ["get"]},
    ],
}
Handle = Callable[[Request], Awaitable[Answer]]


def answer(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status)


async def discovered(request: Request) -> Answer:
    """What a server of the classic form answers."""
    return answer(RESOURCES) if request.path == PATH else answer({}, 404)


class Backend:
    """The other server; ``seen`` are the requests that came, ``handle`` answers them."""

    def __init__(self) -> None:
        self.handle: Handle = discovered
        self.seen: list[Request] = []
        self.port = 0

    async def start(self, pair: Path, authorities: list[Path]) -> HTTPServer:
        async def handle(request: Request) -> Answer:
            self.seen.append(request)
            return await self.handle(request)

        server = HTTPServer(handle, timeout_answer=timeout_answer, too_large_answer=lambda: too_large_answer(0))
        self.port = await server.start("127.0.0.1", self.port, tls_context(pair, pair, authorities))
        return server

    def of(self, path: str) -> list[Request]:
        """The requests that came for a path."""
        return [each for each in self.seen if each.path == path]


class World(NamedTuple):
    server: ApiServer
    client: Client
    session: aiohttp.ClientSession
    backend: Backend
    authority: KeyPair

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and text of a GET by an administrator."""
        async with self.session.get(self.url(path), headers=headers, allow_redirects=False) as response:
            return response.status, await response.text()

    def url(self, path: str) -> str:
        return f"https://127.0.0.1:{self.server.port}{path}"

    async def condition(self) -> tuple[str, str, str]:
        found = await self.client.get(APIService, f"{VERSION}.{GROUP}")
        for each in found.status.conditions:
            if each.type == "Available":
                return each.status, each.reason, each.message
        return "", "", ""

    async def until(self, reason: str) -> str:
        """Wait for a reason; the message that comes with it."""

        async def is_it() -> bool:
            return (await self.condition())[1] == reason

        await until(is_it)
        return (await self.condition())[2]

    async def register(self, **spec: Any) -> APIService:
        """An APIService for the backend, behind a Service that is a name."""
        await self.client.create(
            Service(
                metadata=ObjectMeta(name="things", namespace="default"),
                spec=ServiceSpec(type="ExternalName", external_name="localhost"),
            )
        )
        return await self.client.create(self.api_service(**spec))

    def api_service(self, **spec: Any) -> APIService:
        wanted = {"ca_bundle": self.authority.certificate_pem, **spec}
        return APIService(
            metadata=ObjectMeta(name=f"{VERSION}.{GROUP}"),
            spec=APIServiceSpec(
                group=GROUP,
                version=VERSION,
                group_priority_minimum=1500,
                version_priority=15,
                service=ServiceReference(namespace="default", name="things", port=self.backend.port),
                **wanted,
            ),
        )


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await condition():
            await asyncio.sleep(0.005)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    ensure(PKIConfig(directory=directory, node_name="n", node_address="127.0.0.1", server="https://127.0.0.1:0"))
    return directory


@pytest.fixture
async def world(pki: Path, tmp_path: Path) -> AsyncIterator[World]:
    authority = new_authority("things-ca")
    pair = issue(authority, Subject("things", dns_names=("things.default.svc",), server=True))
    (tmp_path / "pair.pem").write_bytes(pair.certificate_pem + pair.key_pem)
    backend = Backend()
    running = await backend.start(tmp_path / "pair.pem", [pki / "front-proxy-ca.crt"])
    server = ApiServer(
        ApiServerConfig(bind_address="127.0.0.1", secure_port=0, pki_directory=pki, advertise_address="192.0.2.1"),
        MemoryStore(),
    )
    # Loopback is nobody's but here.
    server._aggregator = Aggregator(
        server.registry,
        server._builtin_versions,
        identity=Identity(pki / "front-proxy-client.crt", pki / "front-proxy-client.key"),
        allowed=lambda _: True,
        refused=partial(server.metrics.refused, component="aggregator"),
    )
    task = asyncio.create_task(server.run())
    await asyncio.wait_for(server.ready.wait(), 10)
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    signer = load_pair(pki, "ca")
    assert signer is not None
    boss = issue(signer, Subject("boss", ("system:masters",), client=True))
    (tmp_path / "boss.pem").write_bytes(boss.certificate_pem + boss.key_pem)
    context.load_cert_chain(tmp_path / "boss.pem")
    client = server.local_client(User("admin", ("system:masters", "system:authenticated")))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield World(server, client, session, backend, authority)
    task.cancel()
    await asyncio.wait([task])
    await running.stop()
