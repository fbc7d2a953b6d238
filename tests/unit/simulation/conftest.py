"""An API server in the test's own process and loop, with a client of its own kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from steersman.api.errors import StatusError, is_already_exists
from steersman.api.types.core_v1 import Namespace, ServiceAccount
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.server import ApiServer
from steersman.client.client import Client
from steersman.storage.memory import MemoryStore

ADMIN = User("admin", ("system:masters", "system:authenticated"))


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    store = MemoryStore()
    server = ApiServer(ApiServerConfig(bind_address="127.0.0.1", secure_port=0), store)
    task = asyncio.create_task(server.run())
    async with asyncio.timeout(10):
        await server.ready.wait()
    local = server.local_client(ADMIN)
    for namespace in ("default", "kube-node-lease"):
        try:
            await local.create(Namespace(metadata=ObjectMeta(name=namespace)))
        except StatusError as error:
            if not is_already_exists(error):
                raise
    await local.create(ServiceAccount(metadata=ObjectMeta(name="default", namespace="default")))
    yield local
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()
