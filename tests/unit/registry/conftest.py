from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from steersman.api.resources import builtin_scheme
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.registry.config import RegistryConfig
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.registry import Registry
from steersman.client.local import LocalClient
from steersman.storage.memory import MemoryStore

ADMIN = User("admin", ("system:masters", "system:authenticated"))


def context(**fields: object) -> Context:
    return Context(ADMIN, **fields)  # type: ignore[arg-type]


def pod(name: str = "p", **spec: object) -> v1.Pod:
    containers = [v1.Container(name="c", image="busybox:1.36")]
    return v1.Pod(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=v1.PodSpec(containers=containers, **spec),  # type: ignore[arg-type]
    )


def config_map(name: str = "cm", **data: str) -> v1.ConfigMap:
    return v1.ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


def service(name: str = "s", **spec: Any) -> v1.Service:
    spec.setdefault("ports", [v1.ServicePort(port=80)])
    spec.setdefault("selector", {"app": "x"})
    return v1.Service(metadata=ObjectMeta(name=name, namespace="default"), spec=v1.ServiceSpec(**spec))


@contextlib.asynccontextmanager
async def running(config: RegistryConfig) -> AsyncIterator[Registry]:
    """A registry over a store of its own."""
    store = MemoryStore()
    registry = Registry(store, builtin_scheme(), config)
    task = asyncio.create_task(registry.run())
    ready = asyncio.create_task(registry.ready.wait())
    await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    account = v1.ServiceAccount(metadata=ObjectMeta(name="default", namespace="default"))
    await registry.handler_of(v1.ServiceAccount).create(context(), "default", account)
    yield registry
    task.cancel()
    await asyncio.wait([task])
    await store.close()


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with running(RegistryConfig(service_cidr="10.96.0.0/24", advertise_address="192.0.2.1")) as registry:
        yield registry


@pytest.fixture
def client(registry: Registry) -> LocalClient:
    return LocalClient(registry, ADMIN)
