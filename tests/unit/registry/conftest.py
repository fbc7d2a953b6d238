from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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


KEY = ec.generate_private_key(ec.SECP256R1())


def pkcs10(organization: str = "team") -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(KEY, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def certificate(serial: int = 1, *, authority: bool = False) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(KEY, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


@contextlib.asynccontextmanager
async def running(config: RegistryConfig, shared: MemoryStore | None = None) -> AsyncIterator[Registry]:
    """A registry over a store of its own, or beside another one."""
    store = shared or MemoryStore()
    registry = Registry(store, builtin_scheme(), config)
    task = asyncio.create_task(registry.run())
    ready = asyncio.create_task(registry.ready.wait())
    await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    if shared is None:
        account = v1.ServiceAccount(metadata=ObjectMeta(name="default", namespace="default"))
        await registry.handler_of(v1.ServiceAccount).create(context(), "default", account)
    yield registry
    task.cancel()
    await asyncio.wait([task])
    if shared is None:
        await store.close()


@pytest.fixture(autouse=True)
def nobody_changes_what_is_shared(as_their_json_says: None) -> None:
    """Neither handlers nor tests."""


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with running(RegistryConfig(service_cidr="10.96.0.0/24", advertise_address="192.0.2.1")) as registry:
        yield registry


@pytest.fixture
def client(registry: Registry) -> LocalClient:
    return LocalClient(registry, ADMIN)
