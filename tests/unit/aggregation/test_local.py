"""The APIServices of what is served here, and the ConfigMap of trust."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from steersman.api import codecs
from steersman.api.types.apiextensions_v1 import (
    CustomResourceDefinition,
    CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec,
    CustomResourceDefinitionVersion,
    CustomResourceValidation,
    JSONSchemaProps,
)
from steersman.api.types.apiregistration_v1 import APIService, APIServiceSpec, ServiceReference
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.aggregation.local import LABEL, builtin, custom, step
from steersman.apiserver.aggregation.trust import Authorities, combined
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.server import ApiServer
from steersman.client.client import Client
from steersman.pki.certificates import new_authority
from steersman.storage.memory import MemoryStore

APPS = builtin("apps", "v1")
OURS = custom("example.com", "v1")


def changed(service: APIService | None, managed: str | None = None) -> APIService:
    assert service is not None
    copy = codecs.copy(service)
    copy.spec.version_priority = 7
    if managed is not None:
        copy.metadata.labels = {LABEL: managed} if managed else {}
    return copy


@pytest.mark.parametrize(
    ("present", "wanted", "starting", "expected"),
    [
        (None, None, True, None),
        (None, APPS, True, "create"),
        (None, APPS, False, "create"),
        (None, OURS, False, "create"),
        (APPS, APPS, True, None),
        (changed(APPS), APPS, True, "update"),
        (changed(APPS), APPS, False, None),
        (changed(APPS, ""), APPS, True, None),
        (changed(OURS), OURS, False, "update"),
        (changed(OURS, ""), OURS, False, None),
        (changed(OURS, "onstart"), OURS, False, None),
        (OURS, None, False, "delete"),
        (APPS, None, True, "delete"),
        (APPS, None, False, None),
        (changed(OURS, ""), None, True, None),
    ],
)
def test_what_is_done_about_an_api_service(
    present: APIService | None, wanted: APIService | None, starting: bool, expected: str | None
) -> None:
    assert step(present, wanted, starting=starting) == expected


def test_api_services_themselves_have_none() -> None:
    assert builtin("apiregistration.k8s.io", "v1") is None


def test_authorities_are_added_and_never_taken_away() -> None:
    old, new, proxy = (new_authority(name).certificate_pem.decode() for name in ("old", "new", "proxy"))
    now = datetime.now(UTC)
    data = combined({"client-ca-file": old, "other": "x"}, Authorities(new, proxy), now)
    assert data["client-ca-file"] == old + new
    assert data["requestheader-client-ca-file"] == proxy
    assert data["requestheader-username-headers"] == '["X-Remote-User"]'
    assert "other" not in data
    assert combined(data, Authorities(new, proxy), now) == data
    named = {**data, "requestheader-allowed-names": '["other-proxy"]', "requestheader-group-headers": "nonsense"}
    again = combined(named, Authorities(new, proxy), now)
    assert again["requestheader-allowed-names"] == '["other-proxy","front-proxy-client"]'
    assert again["requestheader-group-headers"] == '["X-Remote-Group"]'
    assert combined(data, Authorities(new, proxy), now + timedelta(days=4000))["client-ca-file"] == ""


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    server = ApiServer(ApiServerConfig(), MemoryStore())
    task = asyncio.create_task(server.run())
    await asyncio.wait_for(server.ready.wait(), 10)
    yield server.local_client(User("admin", ("system:masters", "system:authenticated")))
    task.cancel()
    await asyncio.wait([task])


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await condition():
            await asyncio.sleep(0.005)


async def names(client: Client) -> dict[str, APIService]:
    return {each.metadata.name: each for each in (await client.list(APIService)).items}


def definition(name: str, group: str, **versions: bool) -> CustomResourceDefinition:
    schema = CustomResourceValidation(open_apiv3_schema=JSONSchemaProps(type="object"))
    return CustomResourceDefinition(
        metadata=ObjectMeta(name=f"{name}.{group}"),
        spec=CustomResourceDefinitionSpec(
            group=group,
            names=CustomResourceDefinitionNames(plural=name, kind=name.title(), list_kind=f"{name.title()}List"),
            scope="Cluster",
            versions=[
                CustomResourceDefinitionVersion(name=version, served=served, storage=not number, schema=schema)
                for number, (version, served) in enumerate(versions.items())
            ],
        ),
    )


async def test_every_group_version_has_one_that_comes_back(client: Client) -> None:
    present = await names(client)
    assert len(present) > 20
    assert "v1.apiregistration.k8s.io" not in present
    core = present["v1."]
    assert (core.spec.group, core.spec.version, core.spec.group_priority_minimum) == ("", "v1", 18_000)
    assert core.metadata.labels == {LABEL: "onstart"}
    assert [(each.type, each.status, each.reason) for each in core.status.conditions] == [
        ("Available", "True", "Local")
    ]
    await client.delete(APIService, "v1.apps")

    async def back() -> bool:
        found = (await names(client)).get("v1.apps")
        return found is not None and found.metadata.uid != present["v1.apps"].metadata.uid

    await until(back)


async def test_those_of_definitions_come_and_go(client: Client) -> None:
    await client.create(definition("widgets", "example.com", v1=True, v2=True, v3=False))
    await client.create(definition("gadgets", "example.com", v1=True))

    async def there() -> bool:
        return {"v1.example.com", "v2.example.com"} <= (await names(client)).keys()

    await until(there)
    found = await names(client)
    assert "v3.example.com" not in found
    assert (found["v1.example.com"].spec.group_priority_minimum, found["v1.example.com"].spec.version_priority) == (
        1000,
        100,
    )
    assert found["v1.example.com"].metadata.labels == {LABEL: "true"}
    await client.delete(CustomResourceDefinition, "widgets.example.com")

    async def gone() -> bool:
        return "v2.example.com" not in await names(client)

    await until(gone)
    assert "v1.example.com" in await names(client)


async def test_somebody_elses_is_left_alone_until_it_goes(client: Client) -> None:
    remote = APIService(
        metadata=ObjectMeta(name="v1.example.com"),
        spec=APIServiceSpec(
            group="example.com",
            version="v1",
            group_priority_minimum=2000,
            version_priority=10,
            service=ServiceReference(namespace="default", name="nobody", port=443),
        ),
    )
    await client.create(remote)
    await client.create(definition("widgets", "example.com", v1=True, v2=True))

    async def second() -> bool:
        return "v2.example.com" in await names(client)

    await until(second)
    assert (await names(client))["v1.example.com"].spec.service is not None
    await client.delete(APIService, "v1.example.com")

    async def ours() -> bool:
        found = (await names(client)).get("v1.example.com")
        return found is not None and found.spec.service is None

    await until(ours)
