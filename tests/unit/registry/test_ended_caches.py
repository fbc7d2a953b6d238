"""What follows the registry's objects can be ended although the caches have ended before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from steersman.api.resources import builtin_scheme
from steersman.api.types.apiregistration_v1 import APIService
from steersman.apiserver.aggregation.following import follow
from steersman.apiserver.extensions.definitions.definitions import Definitions
from steersman.apiserver.extensions.policies.status import PolicyStatus
from steersman.apiserver.registry.config import RegistryConfig
from steersman.apiserver.registry.registry import Registry
from steersman.storage.memory import MemoryStore

FOLLOWERS: dict[str, Callable[[Registry], Awaitable[None]]] = {
    "definitions": lambda registry: Definitions(registry).run(),
    "policies": lambda registry: PolicyStatus(registry).run(),
    "services": lambda registry: follow(registry.handler_of(APIService), lambda *_: None, asyncio.Event()),
}


@pytest.mark.parametrize("name", FOLLOWERS)
async def test_followers_end(name: str) -> None:
    registry = Registry(MemoryStore(), builtin_scheme(), RegistryConfig())
    running = asyncio.create_task(registry.run())
    await registry.ready.wait()
    following = asyncio.ensure_future(FOLLOWERS[name](registry))
    for _ in range(100):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    for _ in range(10):
        await asyncio.sleep(0)
    assert not following.done()
    following.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([following])
