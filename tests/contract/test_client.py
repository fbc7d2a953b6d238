"""The Client contract, over both transports, a cluster inside a test, and the fake that tests of controllers use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fixtures.fake_client import FakeClient
from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types.apps_v1 import Deployment, DeploymentSpec
from steersman.api.types.authentication_v1 import TokenRequest
from steersman.api.types.autoscaling_v1 import Scale
from steersman.api.types.core_v1 import (
    Binding,
    ConfigMap,
    Container,
    Namespace,
    Node,
    ObjectReference,
    Pod,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
    ServiceAccount,
)
from steersman.api.types.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta, Preconditions
from steersman.api.user import User
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.server import ApiServer
from steersman.client import kubeconfig
from steersman.client.client import Client, Patch, Selectors
from steersman.client.elsewhere import ElsewhereClient
from steersman.client.http import HTTPClient
from steersman.pki import files
from steersman.storage.memory import MemoryStore
from steersman.testing import Cluster

NAMESPACE = "default"


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    files.ensure(
        files.PKIConfig(
            directory=directory / "pki",
            node_name="n",
            node_address="127.0.0.1",
            server="https://x",
            addresses=("127.0.0.1",),
        )
    )
    return directory


@pytest.fixture(params=["fake", "local", "elsewhere", "http", "testing"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    if request.param == "fake":
        yield FakeClient()
        return
    if request.param == "testing":
        async with Cluster(controllers=(), scheduler=False, nodes=0) as cluster:
            await cluster.client.create(ServiceAccount(metadata=ObjectMeta(name="default", namespace=NAMESPACE)))
            yield cluster.client
        return
    store = MemoryStore()
    directory = request.getfixturevalue("pki") if request.param == "http" else None
    server = ApiServer(
        ApiServerConfig(
            bind_address="127.0.0.1",
            secure_port=0,
            pki_directory=directory / "pki" if directory else None,
        ),
        store,
    )
    task = asyncio.create_task(server.run())
    async with asyncio.timeout(10):
        await server.ready.wait()
    client: Client = server.local_client(User("admin", ("system:masters", "system:authenticated")))
    if request.param == "elsewhere":
        client = ElsewhereClient(client, server.elsewhere, lambda: pytest.fail("nothing is elsewhere"))
    if directory is not None:
        config = kubeconfig.load(directory / "admin.conf")
        client = HTTPClient(msgspec.structs.replace(config, server=f"https://127.0.0.1:{server.port}"))
    await client.create(ServiceAccount(metadata=ObjectMeta(name="default", namespace=NAMESPACE)))
    yield client
    await client.close()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()


real_servers = pytest.mark.parametrize("client", ["local", "elsewhere", "http", "testing"], indirect=True)
"""For what the fake does not do: paging, subresources, validation."""


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace=NAMESPACE, labels=labels or {}), data=data)


def pod(name: str = "p") -> Pod:
    return Pod(
        metadata=ObjectMeta(name=name, namespace=NAMESPACE),
        spec=PodSpec(containers=[Container(name="c", image="i")]),
    )


async def test_create_get_update_delete(client: Client) -> None:
    created = await client.create(config_map("a", k="v"))
    assert created.metadata.uid
    assert created.metadata.creation_timestamp is not None
    assert await client.get(ConfigMap, "a", NAMESPACE) == created
    changed = codecs.copy(created)
    changed.data["k"] = "w"
    updated = await client.update(changed)
    assert updated.metadata.resource_version != created.metadata.resource_version
    with pytest.raises(StatusError) as conflict:
        await client.update(changed)
    assert (conflict.value.code, conflict.value.reason) == (409, "Conflict")
    with pytest.raises(StatusError) as exists:
        await client.create(config_map("a"))
    assert (exists.value.code, exists.value.reason) == (409, "AlreadyExists")
    await client.delete(ConfigMap, "a", NAMESPACE)
    with pytest.raises(StatusError) as missing:
        await client.get(ConfigMap, "a", NAMESPACE)
    assert (missing.value.code, missing.value.reason) == (404, "NotFound")
    assert str(missing.value) == 'configmaps "a" not found'


async def test_an_update_leaves_what_it_is_given_as_it_was(client: Client) -> None:
    created = await client.create(pod("a"))
    changed = msgspec.structs.replace(
        created,
        metadata=msgspec.structs.replace(created.metadata, labels={"l": "1"}),
        status=PodStatus(phase="Running"),
    )
    said = codecs.encode(changed)
    updated = await client.update(changed, subresource="status")
    with pytest.raises(StatusError, match="modified"):
        await client.update(changed, subresource="status")
    assert updated.status.phase == "Running"
    assert codecs.encode(changed) == said


async def test_generated_names_and_defaults(client: Client) -> None:
    wanted = pod("")
    wanted.metadata.generate_name = "x-"
    created = await client.create(wanted)
    assert created.metadata.name.startswith("x-")
    assert len(created.metadata.name) == 7
    assert created.spec.restart_policy == "Always"
    assert created.status.phase == "Pending"


async def test_list_and_selectors(client: Client) -> None:
    for number in range(3):
        await client.create(config_map(f"m{number}", {"n": str(number), "all": "yes"}))
    page = await client.list(ConfigMap, NAMESPACE, selectors=Selectors(labels="all=yes"))
    assert [obj.metadata.name for obj in page.items] == ["m0", "m1", "m2"]
    assert page.resource_version
    page = await client.list(ConfigMap, NAMESPACE, selectors=Selectors(labels="n in (1,2),all"))
    assert [obj.metadata.name for obj in page.items] == ["m1", "m2"]
    page = await client.list(ConfigMap, selectors=Selectors(fields="metadata.name=m1"))
    assert [obj.metadata.name for obj in page.items] == ["m1"]
    metadata = await client.list_metadata(client.scheme.for_type(ConfigMap), NAMESPACE)
    assert {"m0", "m1", "m2"} <= {obj.metadata.name for obj in metadata.items}


@real_servers
async def test_paging(client: Client) -> None:
    for number in range(5):
        await client.create(config_map(f"m{number}", {"all": "yes"}))
    names: list[str] = []
    continue_ = ""
    while True:
        page = await client.list(
            ConfigMap, NAMESPACE, selectors=Selectors(labels="all=yes"), limit=2, continue_=continue_
        )
        names += [obj.metadata.name for obj in page.items]
        continue_ = page.continue_
        if not continue_:
            break
    assert names == [f"m{number}" for number in range(5)]


async def test_watch_from_a_version(client: Client) -> None:
    await client.create(config_map("before", {"w": "1"}))
    start = await client.list(ConfigMap, NAMESPACE)
    created = await client.create(config_map("a", {"w": "1"}))
    await client.create(config_map("hidden"))
    changed = codecs.copy(created)
    changed.metadata.labels = {"w": "2"}
    await client.update(changed)
    await client.update(msgspec.structs.replace(changed, metadata=ObjectMeta(name="a", namespace=NAMESPACE)))
    await client.create(config_map("b", {"w": "3"}))
    await client.delete(ConfigMap, "b", NAMESPACE)
    seen: list[tuple[str, str]] = []
    stream: Any = client.watch(
        ConfigMap, NAMESPACE, selectors=Selectors(labels="w"), resource_version=start.resource_version
    )
    async with asyncio.timeout(10), aclosing(stream):
        async for event in stream:
            if event.type != "BOOKMARK":
                seen.append((event.type, event.object.metadata.name))
            if len(seen) == 5:
                break
    # What leaves the selection is DELETED for those who watch it.
    assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b"), ("DELETED", "b")]


@pytest.mark.parametrize("size", [1, 100_000], ids=["small", "large"])
async def test_watch_metadata(client: Client, size: int) -> None:
    resource = client.scheme.for_type(ConfigMap)
    start = await client.list_metadata(resource, NAMESPACE)
    made = await client.create(config_map("a", {"l": "1"}, k="v" * size))
    stream: Any = client.watch_metadata(resource, NAMESPACE, resource_version=start.resource_version)
    async with asyncio.timeout(10), aclosing(stream):
        async for event in stream:
            assert (event.type, event.object.metadata.labels) == ("ADDED", {"l": "1"})
            assert event.object.metadata.uid == made.metadata.uid
            break
    listed = (await client.list_metadata(resource, NAMESPACE)).items
    assert [each.metadata for each in listed if each.metadata.name == "a"] == [made.metadata]


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        ("application/merge-patch+json", {"data": {"k": None, "n": "1"}}),
        ("application/strategic-merge-patch+json", {"data": {"k": None, "n": "1"}}),
        (
            "application/json-patch+json",
            [{"op": "remove", "path": "/data/k"}, {"op": "add", "path": "/data/n", "value": "1"}],
        ),
    ],
)
async def test_patch(client: Client, type_: Any, body: Any) -> None:
    await client.create(config_map("a", k="v", other="o"))
    patched = await client.patch(ConfigMap, "a", Patch(type_, msgspec.json.encode(body)), NAMESPACE)
    assert patched.data == {"other": "o", "n": "1"}


async def test_status_is_apart_from_the_rest(client: Client) -> None:
    created = await client.create(pod())
    changed = codecs.copy(created)
    changed.status.phase = "Running"
    changed.spec.containers[0].image = "other"
    updated = await client.update(changed, subresource="status")
    assert (updated.status.phase, updated.spec.containers[0].image) == ("Running", "i")
    changed = codecs.copy(updated)
    changed.status.phase = "Failed"
    changed.metadata.labels = {"l": "1"}
    updated = await client.update(changed)
    assert (updated.status.phase, updated.metadata.labels) == ("Running", {"l": "1"})


async def test_delete_with_preconditions_finalizers_and_grace(client: Client) -> None:
    held = config_map("held")
    held.metadata.finalizers = ["example.com/hold"]
    held = await client.create(held)
    options = DeleteOptions(preconditions=Preconditions(uid="other"))
    with pytest.raises(StatusError) as conflict:
        await client.delete(ConfigMap, "held", NAMESPACE, options=options)
    assert conflict.value.code == 409
    await client.delete(ConfigMap, "held", NAMESPACE)
    held = codecs.copy(await client.get(ConfigMap, "held", NAMESPACE))
    assert held.metadata.deletion_timestamp is not None
    held.metadata.finalizers = []
    await client.update(held)
    with pytest.raises(StatusError):
        await client.get(ConfigMap, "held", NAMESPACE)


async def test_binding_then_graceful_deletion(client: Client) -> None:
    await client.create(Node(metadata=ObjectMeta(name="n")))
    await client.create(pod())
    binding = Binding(metadata=ObjectMeta(name="p", namespace=NAMESPACE), target=ObjectReference(kind="Node", name="n"))
    answer = await client.create_subresource(Pod, "p", "binding", binding, NAMESPACE)
    assert answer.target.name == "n"
    assert (await client.get(Pod, "p", NAMESPACE)).spec.node_name == "n"
    await client.delete(Pod, "p", NAMESPACE)
    dying = await client.get(Pod, "p", NAMESPACE)
    assert dying.metadata.deletion_timestamp is not None
    assert dying.metadata.deletion_grace_period_seconds == 30
    await client.delete(Pod, "p", NAMESPACE, options=DeleteOptions(grace_period_seconds=0))
    with pytest.raises(StatusError):
        await client.get(Pod, "p", NAMESPACE)


async def test_delete_collection(client: Client) -> None:
    for number in range(4):
        await client.create(config_map(f"m{number}", {"half": str(number % 2), "all": "yes"}))
    await client.delete_collection(ConfigMap, NAMESPACE, selectors=Selectors(labels="half=0"))
    page = await client.list(ConfigMap, NAMESPACE, selectors=Selectors(labels="all"))
    assert [obj.metadata.name for obj in page.items] == ["m1", "m3"]


async def test_namespaces_are_finalized(client: Client) -> None:
    await client.create(Namespace(metadata=ObjectMeta(name="ns")))
    await client.delete(Namespace, "ns")
    found = codecs.copy(await client.get(Namespace, "ns"))
    assert (found.status.phase, found.spec.finalizers) == ("Terminating", ["kubernetes"])
    found.spec.finalizers = []
    await client.update(found, subresource="finalize")
    with pytest.raises(StatusError):
        await client.get(Namespace, "ns")


@real_servers
async def test_subresources_with_a_kind_of_their_own(client: Client) -> None:
    labels = {"app": "a"}
    template = PodTemplateSpec(metadata=ObjectMeta(labels=labels), spec=pod().spec)
    spec = DeploymentSpec(replicas=3, selector=LabelSelector(match_labels=labels), template=template)
    await client.create(Deployment(metadata=ObjectMeta(name="d", namespace=NAMESPACE), spec=spec))
    scale = await client.get_subresource(Deployment, "d", "scale", Scale, NAMESPACE)
    assert scale.spec.replicas == 3
    if isinstance(client, HTTPClient):
        answer = await client.create_subresource(ServiceAccount, "default", "token", TokenRequest(), NAMESPACE)
        assert answer.status.token.count(".") == 2


@real_servers
async def test_what_is_wrong_is_refused(client: Client) -> None:
    with pytest.raises(StatusError) as invalid:
        await client.create(config_map("Not A Name"))
    assert (invalid.value.code, invalid.value.reason) == (422, "Invalid")
    assert invalid.value.status.details is not None
    assert invalid.value.status.details.causes[0].field == "metadata.name"
    created = await client.create(config_map("dry"), dry_run=True)
    assert created.metadata.uid
    with pytest.raises(StatusError):
        await client.get(ConfigMap, "dry", NAMESPACE)


async def test_an_unreachable_server_is_a_status(pki: Path) -> None:
    config = kubeconfig.load(pki / "admin.conf")
    async with HTTPClient(msgspec.structs.replace(config, server="https://127.0.0.1:1")) as client:
        with pytest.raises(StatusError) as error:
            await client.get(ConfigMap, "a", NAMESPACE)
        assert error.value.reason == "ServiceUnavailable"


async def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    client = HTTPClient(kubeconfig.ClientConfig(server="https://127.0.0.1:1", token_file=str(file)))
    assert client._headers("*/*", "")["Authorization"] == "Bearer one"
    file.write_text("two\n")
    assert client._headers("*/*", "")["Authorization"] == "Bearer two"


@real_servers
async def test_apply(client: Client) -> None:
    configuration: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": NAMESPACE},
        "data": {"k": "v"},
    }
    created = await client.apply(ConfigMap, configuration, field_manager="me")
    assert created.data == {"k": "v"}
    assert [(each.manager, each.operation) for each in created.metadata.managed_fields] == [("me", "Apply")]
    again = await client.apply(ConfigMap, configuration, field_manager="me")
    assert again.metadata.resource_version == created.metadata.resource_version
    other = {**configuration, "data": {"k": "w"}}
    with pytest.raises(StatusError) as caught:
        await client.apply(ConfigMap, other, field_manager="her")
    assert caught.value.reason == "Conflict"
    forced = await client.apply(ConfigMap, other, field_manager="her", force=True)
    assert forced.data == {"k": "w"}
    assert codecs.decode(ConfigMap, codecs.encode(forced)) == forced
