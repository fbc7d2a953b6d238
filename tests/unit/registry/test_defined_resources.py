"""What definitions make, beside what is built in, of which nothing is theirs; and what counts as a change."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import admissionregistration_v1 as admission
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.types.networking_v1 import NetworkPolicy
from steersman.api.unstructured import unstructured_type
from steersman.apiserver.extensions.definitions.definitions import Definitions
from steersman.apiserver.extensions.plugins import configured_plugins
from steersman.apiserver.extensions.webhook_client import WebhookClient
from steersman.apiserver.patch.apply.schemas import schema_of
from steersman.apiserver.registry.definition_conditions import ESTABLISHED, is_true
from steersman.apiserver.registry.registry import Registry
from steersman.client.local import LocalClient

from .conftest import context

UNAPPROVED = {"api-approved.kubernetes.io": "unapproved, for a test"}


def definition(group: str, plural: str, kind: str, *versions: str) -> CustomResourceDefinition:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    named = [{"name": name, "served": True, "storage": name == versions[0], "schema": schema} for name in versions]
    tree: dict[str, Any] = {
        "metadata": {"name": f"{plural}.{group}", "annotations": UNAPPROVED},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": named,
        },
    }
    found: CustomResourceDefinition = codecs.from_builtins(CustomResourceDefinition, tree)
    return found


@pytest.fixture
async def definitions(registry: Registry) -> AsyncIterator[Definitions]:
    found = Definitions(registry)
    task = asyncio.create_task(found.run())
    await found.ready.wait()
    yield found
    task.cancel()
    await asyncio.wait([task])


async def established(client: LocalClient, wanted: CustomResourceDefinition) -> None:
    await client.create(wanted)
    async with asyncio.timeout(5):
        while not is_true(await client.get(CustomResourceDefinition, wanted.metadata.name), ESTABLISHED):
            await asyncio.sleep(0.001)


async def gone(registry: Registry, client: LocalClient, name: str) -> None:
    await client.delete(CustomResourceDefinition, name)
    handler = registry.handler_of(CustomResourceDefinition)
    async with asyncio.timeout(5):
        while handler.cache.get(handler.resource.key("", name)) is not None:
            await asyncio.sleep(0.001)


async def test_what_is_built_in_stays(registry: Registry, client: LocalClient, definitions: Definitions) -> None:
    builtin = registry.scheme.for_type(NetworkPolicy)
    await client.create(NetworkPolicy(metadata=ObjectMeta(name="a", namespace="default")))
    await established(client, definition("networking.k8s.io", "networkpolicies", "NetworkPolicy", "v1", "v9"))
    assert registry.scheme.by_name("networking.k8s.io", "v1", "networkpolicies") is builtin
    assert registry.scheme.by_kind("networking.k8s.io/v1", "NetworkPolicy") is builtin
    # A version of the group that is not built in is there for the taking.
    assert registry.scheme.by_name("networking.k8s.io", "v9", "networkpolicies") is not None
    await gone(registry, client, "networkpolicies.networking.k8s.io")
    assert registry.scheme.by_name("networking.k8s.io", "v1", "networkpolicies") is builtin
    assert registry.scheme.by_name("networking.k8s.io", "v9", "networkpolicies") is None
    assert [each.metadata.name for each in (await client.list(NetworkPolicy)).items] == ["a"]


async def test_no_definition_has_its_objects_where_others_are_stored(
    registry: Registry, client: LocalClient, definitions: Definitions
) -> None:
    group = "apiextensions.k8s.io"
    await established(client, definition("example.com", "widgets", "Widget", "v1"))
    await established(client, definition(group, "customresourcedefinitions", "CustomResourceDefinition", "v9"))
    assert registry.scheme.by_name(group, "v9", "customresourcedefinitions") is None
    # Its objects would go with it: all definitions that there are.
    await gone(registry, client, f"customresourcedefinitions.{group}")
    assert (await client.get(CustomResourceDefinition, "widgets.example.com")).metadata.deletion_timestamp is None


async def test_a_value_of_another_type_is_another_one(
    registry: Registry, client: LocalClient, definitions: Definitions
) -> None:
    await established(client, definition("example.com", "widgets", "Widget", "v1"))
    resource = registry.scheme.by_kind("example.com/v1", "Widget")
    assert resource is not None
    handler = registry.handler(resource)
    await handler.create(context(), "default", resource.type(ObjectMeta(name="w"), {"spec": {"x": 1}}))
    generations = []
    for value in (True, 1, 1.5, 1.5):
        changed = await handler.modify(
            context(), "default", "w", lambda obj, x=value: obj.content.update(spec={"x": x})
        )
        generations.append(changed.object.metadata.generation)
    assert generations == [2, 3, 4, 4]


async def test_nobody_is_asked_whether_the_objects_of_a_definition_go_with_it(
    registry: Registry, client: LocalClient, definitions: Definitions
) -> None:
    await established(client, definition("example.com", "widgets", "Widget", "v1"))
    resource = registry.scheme.by_kind("example.com/v1", "Widget")
    assert resource is not None
    await registry.handler(resource).create(context(), "default", resource.type(ObjectMeta(name="w"), {}))
    webhooks = WebhookClient(registry)
    registry.admission.add(*configured_plugins(registry, webhooks))
    hook = admission.ValidatingWebhook(
        name="gone.example.com",
        client_config=admission.WebhookClientConfig(url="https://127.0.0.1:1/"),
        rules=[
            admission.RuleWithOperations(
                operations=["*"], api_groups=["example.com"], api_versions=["*"], resources=["*"]
            )
        ],
        admission_review_versions=["v1"],
        side_effects="None",
    )
    await client.create(admission.ValidatingWebhookConfiguration(metadata=ObjectMeta(name="gone"), webhooks=[hook]))
    with pytest.raises(StatusError, match="failed calling webhook"):
        await client.delete(resource, "w", "default")
    await gone(registry, client, "widgets.example.com")
    await webhooks.close()


async def test_nothing_is_left_of_a_definition_that_went(
    registry: Registry, client: LocalClient, definitions: Definitions, as_their_json_says: list[Any]
) -> None:
    registry.patience = 0.0
    found: list[weakref.ref[object]] = []
    for number in range(3):
        wanted = definition(f"g{number}.example.com", "widgets", "Widget", "v1", "v2")
        await established(client, wanted)
        resource = registry.scheme.by_kind(f"g{number}.example.com/v1", "Widget")
        assert resource is not None
        made = await client.create(resource.type(ObjectMeta(name="w", namespace="default"), {"spec": {"a": 1}}))
        group_version = resource.group_version
        name = {"name": "x", "namespace": "default"}
        tree = {"kind": "Widget", "apiVersion": group_version, "metadata": name, "spec": {"b": 2}}
        await client.apply(resource, tree, field_manager="me")
        assert len((await client.list(resource, "default")).items) == 2
        codecs.decode_body(resource, codecs.encode(made), "application/json")
        found += [weakref.ref(resource.type), weakref.ref(schema_of(resource.type))]
        await gone(registry, client, wanted.metadata.name)
        del resource, made, tree
    as_their_json_says.clear()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            while any(each() is not None for each in found):
                await asyncio.sleep(0)
                gc.collect()
    assert [each() for each in found if each() is not None] == []


async def test_a_type_of_ones_own_is_that_of_the_definition_that_there_is_now(
    registry: Registry, client: LocalClient, definitions: Definitions
) -> None:
    own = unstructured_type("Widget", "example.com/v1")
    for _ in range(2):
        wanted = definition("example.com", "widgets", "Widget", "v1")
        await established(client, wanted)
        made = await client.create(own(ObjectMeta(name="w", namespace="default"), {}))
        assert made.metadata.uid
        assert registry.scheme.for_type(own) is registry.scheme.by_name("example.com", "v1", "widgets")
        await gone(registry, client, wanted.metadata.name)
        with pytest.raises(KeyError):
            registry.scheme.for_type(own)
