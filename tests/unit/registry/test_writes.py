"""Creating, updating, patching and deleting through the generic handler."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.generated_names import ALPHABET
from steersman.api.types import apps_v1
from steersman.api.types import core_v1 as v1
from steersman.api.types.coordination_v1 import Lease
from steersman.api.types.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta, Preconditions, Status
from steersman.apiserver.registry.config import RegistryConfig
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.registry.registry import Registry
from steersman.client.client import Patch, Selectors
from steersman.client.local import LocalClient
from steersman.storage.memory import MemoryStore
from steersman.storage.watch_cache import CacheEvent, Entry

from .conftest import config_map, context, pod, running

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"


def deployment(name: str = "d", replicas: int = 1) -> apps_v1.Deployment:
    return apps_v1.Deployment(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=apps_v1.DeploymentSpec(
            replicas=replicas,
            selector=LabelSelector(match_labels={"app": "x"}),
            template=v1.PodTemplateSpec(
                metadata=ObjectMeta(labels={"app": "x"}),
                spec=v1.PodSpec(containers=[v1.Container(name="c", image="i:1")]),
            ),
        ),
    )


async def test_create_sets_system_fields(client: LocalClient) -> None:
    wanted = config_map(a="1")
    wanted.metadata.uid = "mine"
    wanted.metadata.generation = 7
    wanted.metadata.deletion_timestamp = datetime.now(UTC)
    created = await client.create(wanted)
    meta = created.metadata
    assert meta.uid not in ("", "mine")
    assert len(meta.uid) == 36
    assert meta.uid[14] == "4"
    assert meta.uid[19] in "89ab"
    assert meta.creation_timestamp is not None
    assert meta.deletion_timestamp is None
    assert meta.generation is None
    assert int(meta.resource_version) > 0


async def test_create_conflicts_and_bad_requests(client: LocalClient, registry: Registry) -> None:
    await client.create(config_map())
    with pytest.raises(StatusError) as error:
        await client.create(config_map())
    assert (error.value.code, error.value.reason) == (409, "AlreadyExists")
    assert error.value.status.message == 'configmaps "cm" already exists'
    handler = registry.handler_of(v1.ConfigMap)
    with pytest.raises(StatusError) as error:
        await handler.create(context(), "other", config_map())
    assert error.value.code == 400
    versioned = config_map("x")
    versioned.metadata.resource_version = "1"
    with pytest.raises(StatusError):
        await client.create(versioned)
    missing = config_map("x")
    missing.metadata.namespace = "nowhere"
    with pytest.raises(StatusError) as error:
        await client.create(missing)
    assert error.value.status.message == 'namespaces "nowhere" not found'


async def test_generate_name(client: LocalClient) -> None:
    for _ in range(20):
        wanted = config_map("")
        wanted.metadata.generate_name = "a" * 70 + "-"
        created = await client.create(wanted)
        assert len(created.metadata.name) == 63
        assert set(created.metadata.name[-5:]) <= set(ALPHABET)


async def test_generated_names_that_are_taken_are_tried_again(
    client: LocalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.create(config_map("x-aaaaa"))
    names = iter(["x-aaaaa", "x-aaaaa", "x-bbbbb"])
    monkeypatch.setattr("steersman.apiserver.registry.store.generated_name", lambda base: next(names))
    wanted = config_map("")
    wanted.metadata.generate_name = "x-"
    assert (await client.create(wanted)).metadata.name == "x-bbbbb"


async def test_optimistic_concurrency(client: LocalClient) -> None:
    first = await client.create(config_map(a="1"))
    changed = codecs.copy(first)
    changed.data["a"] = "2"
    second = await client.update(changed)
    assert int(second.metadata.resource_version) > int(first.metadata.resource_version)
    changed.data["a"] = "3"
    with pytest.raises(StatusError) as error:
        await client.update(changed)
    assert error.value.reason == "Conflict"
    assert error.value.status.message == (
        'Operation cannot be fulfilled on configmaps "cm": the object has been modified; please apply your changes to '
        "the latest version and try again"
    )
    changed.metadata.resource_version = ""
    assert (await client.update(changed)).data == {"a": "3"}
    changed.metadata.uid = "other"
    with pytest.raises(StatusError) as error:
        await client.update(changed)
    assert "Precondition failed: UID in precondition: other" in error.value.status.message


async def test_update_of_the_missing(client: LocalClient) -> None:
    with pytest.raises(StatusError) as error:
        await client.update(config_map())
    assert error.value.status.message == 'configmaps "cm" not found'
    lease = Lease(metadata=ObjectMeta(name="l", namespace="default"))
    created = await client.update(lease)
    assert created.metadata.uid
    unversioned = codecs.copy(created)
    unversioned.metadata.resource_version = ""
    with pytest.raises(StatusError) as error:
        await client.update(unversioned)
    assert error.value.code == 422


async def test_updates_that_change_nothing_write_nothing(client: LocalClient, registry: Registry) -> None:
    created = await client.create(config_map(a="1"))
    before = await registry.store.revision()
    same = await client.update(codecs.copy(created))
    assert same.metadata.resource_version == created.metadata.resource_version
    await client.patch(v1.ConfigMap, "cm", Patch(MERGE, b'{"data":{"a":"1"}}'), "default")
    assert await registry.store.revision() == before


async def test_metadata_is_immutable(client: LocalClient) -> None:
    created = await client.create(config_map())
    changed = codecs.copy(created)
    changed.metadata.creation_timestamp = datetime(2020, 1, 1, tzinfo=UTC)
    with pytest.raises(StatusError) as error:
        await client.update(changed)
    assert error.value.code == 422
    assert [cause.field for cause in error.value.status.details.causes] == ["metadata.creationTimestamp"]  # type: ignore[union-attr]


async def test_generation_counts_spec_and_status_is_apart(client: LocalClient) -> None:
    created = await client.create(deployment())
    assert created.metadata.generation == 1
    changed = codecs.copy(created)
    changed.spec.replicas = 2
    changed.status.replicas = 9
    second = await client.update(changed)
    assert (second.metadata.generation, second.status.replicas) == (2, None)
    changed = codecs.copy(second)
    changed.spec.replicas = 5
    changed.status.replicas = 3
    third = await client.update(changed, subresource="status")
    assert (third.metadata.generation, third.spec.replicas, third.status.replicas) == (2, 2, 3)


async def test_concurrent_patches_all_arrive(client: LocalClient) -> None:
    await client.create(config_map())
    await asyncio.gather(
        *(
            client.patch(v1.ConfigMap, "cm", Patch(MERGE, b'{"data":{"k%d":"v"}}' % number), "default")
            for number in range(20)
        )
    )
    assert len((await client.get(v1.ConfigMap, "cm", "default")).data) == 20


async def test_concurrent_updates_lose_but_one(client: LocalClient) -> None:
    created = await client.create(config_map(a="0"))

    async def write(value: str) -> bool:
        changed = codecs.copy(created)
        changed.data["a"] = value
        try:
            await client.update(changed)
        except StatusError as error:
            if error.reason != "Conflict":
                raise
            return False
        return True

    assert sum(await asyncio.gather(*(write(str(number)) for number in range(1, 9)))) == 1


async def test_patch_kinds(client: LocalClient, registry: Registry) -> None:
    await client.create(deployment())
    body = b'{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i:2"}]}}}}'
    patched = await client.patch(apps_v1.Deployment, "d", Patch(STRATEGIC, body), "default")
    assert [each.image for each in patched.spec.template.spec.containers] == ["i:2"]  # type: ignore[union-attr]
    assert patched.metadata.generation == 2
    body = b'[{"op":"replace","path":"/spec/replicas","value":4}]'
    assert (await client.patch(apps_v1.Deployment, "d", Patch(JSON, body), "default")).spec.replicas == 4
    for body, code in ((b'[{"op":"remove","path":"/spec/nothing"}]', 422), (b"{", 400)):
        with pytest.raises(StatusError) as error:
            await client.patch(apps_v1.Deployment, "d", Patch(JSON, body), "default")
        assert error.value.code == code
    with pytest.raises(StatusError) as error:
        await client.patch(apps_v1.Deployment, "d", Patch("application/apply-patch+yaml", b"{}"), "default")
    assert error.value.code == 400
    assert error.value.status.message == "invalid object type: /, Kind="
    stale = b'{"metadata":{"resourceVersion":"1"}}'
    with pytest.raises(StatusError) as error:
        await client.patch(apps_v1.Deployment, "d", Patch(MERGE, stale), "default")
    assert error.value.reason == "Conflict"


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        (MERGE, b'{"metadata":null}'),
        (MERGE, b'{"metadata":{"name":null}}'),
        (STRATEGIC, b'{"$patch":"delete"}'),
        (JSON, b'[{"op":"remove","path":"/metadata/name"}]'),
    ],
)
async def test_a_patch_that_takes_the_name_away_changes_nothing(client: LocalClient, type_: Any, body: bytes) -> None:
    created = await client.create(config_map(a="1"))
    with pytest.raises(StatusError) as caught:
        await client.patch(v1.ConfigMap, "cm", Patch(type_, body), "default")
    assert (caught.value.code, caught.value.status.message) == (
        400,
        "the name of the object (cm based on URL) was undeterminable: name must be provided",
    )
    assert await client.get(v1.ConfigMap, "cm", "default") == created


async def test_what_a_patch_makes_must_be_an_object_of_the_kind(client: LocalClient, registry: Registry) -> None:
    await client.create(deployment("d"))
    handler = registry.handler_of(apps_v1.Deployment)

    async def refused(type_: Any, body: bytes, validation: str = "Strict") -> tuple[int, str]:
        with pytest.raises(StatusError) as caught:
            await handler.patch(context(field_validation=validation), "default", "d", Patch(type_, body))
        return caught.value.code, caught.value.status.message

    code, message = await refused(MERGE, b'{"spec":{"replica":1}}')
    assert code == 422
    assert message.startswith(' "" is invalid: patch: Invalid value: "{\\"kind\\":\\"Deployment\\"')
    assert message.endswith('strict decoding error: unknown field "spec.replica"')
    for body, fault in (
        (b'{"spec":{"replica":1}}', 'map[spec:map[replica:1]]": strict decoding error: unknown field "spec.replica"'),
        (b'{"spec":{"replicas":1,"replicas":2}}',
         'map[spec:map[replicas:2]]": strict decoding error: duplicate field "spec.replicas"'),
        (b'{"spec":{"replicas":"x"}}', 'map[spec:map[replicas:x]]": unrecognized type: int32'),
        (b'{"spec":{"template":[]}}', 'map[spec:map[template:[]]]": cannot restore struct from: slice'),
    ):  # fmt: skip
        assert await refused(STRATEGIC, body) == (422, f' "" is invalid: patch: Invalid value: "{fault}')
    twice = b'[{"op":"replace","op":"replace","path":"/spec/replicas","value":2}]'
    assert (await refused(JSON, twice))[1].endswith('json patch duplicate field "[0].op"')
    many = b"[" + b",".join([b'{"op":"test","path":"/kind","value":"Deployment"}'] * 10_001) + b"]"
    assert await refused(JSON, many) == (
        413,
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
    )
    warned = context(field_validation="Warn")
    await handler.patch(warned, "default", "d", Patch(MERGE, b'{"spec":{"replica":1},"kind":"Deployment"}'))
    assert warned.warnings == ['unknown field "spec.replica"']
    code, message = await refused(MERGE, b'{"kind":"Pod"}')
    assert code == 422
    assert 'no kind "Pod" is registered for version "apps/v1"' in message


async def test_dry_run_leaves_no_trace(client: LocalClient, registry: Registry) -> None:
    before = await registry.store.revision()
    await client.create(config_map(), dry_run=True)
    assert await registry.store.revision() == before
    await client.create(config_map(a="1"))
    before = await registry.store.revision()
    changed = config_map(a="2")
    assert (await client.update(changed, dry_run=True)).data == {"a": "2"}
    await registry.handler_of(v1.ConfigMap).delete(context(), "default", "cm", DeleteOptions(dry_run=["All"]))
    assert await registry.store.revision() == before


async def test_delete_answers_and_preconditions(client: LocalClient, registry: Registry) -> None:
    created = await client.create(config_map())
    handler = registry.handler_of(v1.ConfigMap)
    for wrong in (Preconditions(uid="x"), Preconditions(resource_version="1")):
        with pytest.raises(StatusError) as error:
            await handler.delete(context(), "default", "cm", DeleteOptions(preconditions=wrong))
        assert error.value.reason == "Conflict"
    right = Preconditions(uid=created.metadata.uid)
    answer = await handler.delete(context(), "default", "cm", DeleteOptions(preconditions=right))
    assert isinstance(answer, Status)
    assert answer.status == "Success"
    with pytest.raises(StatusError) as error:
        await client.delete(v1.ConfigMap, "cm", "default")
    assert error.value.reason == "NotFound"


async def test_finalizers_hold_and_let_go(client: LocalClient) -> None:
    wanted = config_map()
    wanted.metadata.finalizers = ["example.com/hold"]
    await client.create(wanted)
    await client.delete(v1.ConfigMap, "cm", "default")
    held = await client.get(v1.ConfigMap, "cm", "default")
    assert held.metadata.deletion_timestamp is not None
    assert held.metadata.deletion_grace_period_seconds == 0
    version = held.metadata.resource_version
    await client.delete(v1.ConfigMap, "cm", "default")
    assert (await client.get(v1.ConfigMap, "cm", "default")).metadata.resource_version == version
    more = codecs.copy(held)
    more.metadata.finalizers.append("example.com/late")
    with pytest.raises(StatusError) as error:
        await client.update(more)
    assert error.value.code == 422
    last = await client.patch(v1.ConfigMap, "cm", Patch(MERGE, b'{"metadata":{"finalizers":null}}'), "default")
    assert last.metadata.finalizers == []
    with pytest.raises(StatusError) as error:
        await client.get(v1.ConfigMap, "cm", "default")
    assert error.value.reason == "NotFound"


@pytest.mark.parametrize(
    ("policy", "finalizers"),
    [("Orphan", ["orphan"]), ("Foreground", ["foregroundDeletion"]), ("Background", None), ("", None)],
)
async def test_propagation_policies(client: LocalClient, policy: str, finalizers: list[str] | None) -> None:
    await client.create(deployment())
    await client.delete(apps_v1.Deployment, "d", "default", options=DeleteOptions(propagation_policy=policy))
    if finalizers is None:
        assert (await client.list(apps_v1.Deployment)).items == []
    else:
        (held,) = (await client.list(apps_v1.Deployment)).items
        assert held.metadata.finalizers == finalizers
        assert held.metadata.generation == 2


async def test_contradicting_delete_options(client: LocalClient) -> None:
    options = DeleteOptions(propagation_policy="Orphan", orphan_dependents=True)
    with pytest.raises(StatusError) as error:
        await client.delete(v1.ConfigMap, "cm", "default", options=options)
    assert error.value.code == 422


async def test_delete_collection_by_selector(client: LocalClient) -> None:
    for number in range(6):
        wanted = config_map(f"c{number}")
        wanted.metadata.labels = {"odd": str(number % 2)}
        await client.create(wanted)
    await client.delete_collection(v1.ConfigMap, "default", selectors=Selectors(labels="odd=1"))
    assert [each.metadata.name for each in (await client.list(v1.ConfigMap, "default")).items] == ["c0", "c2", "c4"]


async def test_scale(client: LocalClient, registry: Registry) -> None:
    await client.create(deployment(replicas=2))
    handler = registry.handler_of(apps_v1.Deployment)
    scale = await handler.get_subresource("default", "d", "scale")
    assert (scale.spec.replicas, scale.status.selector) == (2, "app=x")

    def to_five(present):  # type: ignore[no-untyped-def]
        present.spec.replicas = 5
        return present

    assert (await handler.update_subresource(context(), "default", "d", "scale", to_five)).spec.replicas == 5
    found = await client.get(apps_v1.Deployment, "d", "default")
    assert (found.spec.replicas, found.metadata.generation) == (5, 2)


async def test_raw_bytes_are_what_was_written(client: LocalClient, registry: Registry) -> None:
    await client.create(pod())
    page = await registry.handler_of(v1.Pod).list("default", ListOptions())
    tree = msgspec.json.decode(page.entries[0].raw)
    assert list(tree)[:3] == ["kind", "apiVersion", "metadata"]
    assert next(iter(tree["metadata"])) == "resourceVersion"
    stored = await registry.store.get("/registry/pods/default/p")
    assert stored is not None
    assert b"resourceVersion" not in stored.value


async def test_what_json_cannot_hold_is_mended_or_refused(client: LocalClient) -> None:
    await client.create(config_map(a="1"))
    half = await client.patch(v1.ConfigMap, "cm", Patch(MERGE, b'{"data":{"b":"\\ud800"}}'), "default")
    assert half.data["b"] == "\ufffd"
    with pytest.raises(StatusError) as error:
        await client.patch(v1.ConfigMap, "cm", Patch(STRATEGIC, b'{"data":7,"x":"\\ud800"}'), "default")
    assert error.value.code in (400, 422)
    unknown = b'{"metadata":{"name":"x"},"spec":{"replicas":1e400}}'
    with pytest.raises(StatusError) as error:
        codecs.decode_body(v1.ConfigMap, unknown)
    assert error.value.code == 400


async def test_nobody_starves_who_writes_what_everybody_writes(client: LocalClient) -> None:
    await client.create(config_map(a="1"))

    async def write(number: int) -> None:
        await client.patch(v1.ConfigMap, "cm", Patch(MERGE, b'{"data":{"k%d":"1"}}' % number), "default")

    await asyncio.gather(*map(write, range(100)))
    assert len((await client.get(v1.ConfigMap, "cm", "default")).data) == 101


async def test_what_is_gone_is_answered_at_the_revision_at_which_it_went(
    client: LocalClient, registry: Registry
) -> None:
    await client.create(pod(node_name="n"))
    handler = registry.handler_of(v1.Pod)
    events: list[CacheEvent] = []
    handler.cache.subscribe(handler.resource.key(), handler.cache.revision, events.append)
    first = await handler.delete(context(), "default", "p", DeleteOptions(grace_period_seconds=30))
    assert isinstance(first, Entry)
    gone = await handler.delete(context(), "default", "p", DeleteOptions(grace_period_seconds=0))
    assert isinstance(gone, Entry)
    assert gone.revision == events[-1].revision > first.revision
    assert gone.object.metadata.resource_version == str(gone.revision)
    assert gone.object.metadata.deletion_grace_period_seconds == 0


async def test_who_loses_a_race_waits_in_line(client: LocalClient, registry: Registry) -> None:
    """Every one of many writers gets through, and all of them together try a few times each, not once per rival."""
    await client.create(config_map())
    handler, writers, tries = registry.handler_of(v1.ConfigMap), 300, 0

    async def write(number: int) -> None:
        def change(obj: v1.ConfigMap) -> None:
            nonlocal tries
            tries += 1
            obj.data[f"k{number}"] = "v"

        await handler.modify(context(), "default", "cm", change)

    async with asyncio.TaskGroup() as group:
        for number in range(writers):
            group.create_task(write(number))
    assert len((await client.get(v1.ConfigMap, "cm", "default")).data) == writers
    assert tries < 4 * writers
    assert not handler._turns._lines


async def test_losers_of_several_servers_get_through_after_a_few_tries_each() -> None:
    store, writers, tries = MemoryStore(), 500, 0
    config = RegistryConfig(advertise_address="192.0.2.1")
    async with running(config, store) as first, running(config, store) as second:
        handlers = [each.handler_of(v1.ConfigMap) for each in (first, second)]
        await handlers[0].create(context(), "default", config_map())

        async def write(number: int) -> None:
            def change(obj: v1.ConfigMap) -> None:
                nonlocal tries
                tries += 1
                obj.data[f"k{number}"] = "v"

            await handlers[number % 2].modify(context(), "default", "cm", change)

        await asyncio.gather(*map(write, range(writers)))
        assert len((await handlers[0].get("default", "cm")).object.data) == writers
    assert tries < 5 * writers
    await store.close()
