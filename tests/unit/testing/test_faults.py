"""What a test lets go wrong goes wrong, for whom it is meant, as often as it is meant, and as upstream has it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from steersman.api.errors import StatusError
from steersman.api.types.apps_v1 import Deployment
from steersman.api.types.core_v1 import ConfigMap, Pod
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.client import Patch
from steersman.client.http import HTTPClient
from steersman.testing import AsyncCluster, Cluster, NotMetError

from .inside import WIDGETS, deployment

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


@pytest.fixture
async def cluster(kubernetes_cluster: Cluster) -> AsyncIterator[AsyncCluster]:
    cluster = kubernetes_cluster.awaitable
    async with cluster.snapshot():
        yield cluster
        cluster.faults.clear()


@pytest.fixture
async def client(cluster: AsyncCluster) -> AsyncIterator[HTTPClient]:
    async with cluster.connect() as client:
        yield client


async def code_of(work: Awaitable[Any]) -> int:
    try:
        await work
    except StatusError as error:
        return error.code
    return 200


async def ask(client: HTTPClient, path: str, method: str = "GET") -> tuple[aiohttp.ClientResponse, bytes]:
    """Without what our client does about errors."""
    async with client._open().request(method, client.config.server + path) as response:
        return response, await response.read()


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (401, "Unauthorized", "Unauthorized"),
        (
            403,
            "Forbidden",
            'configmaps "a" is forbidden: User "kubernetes-admin" cannot get resource "configmaps" in API group "" '
            'in the namespace "default"',
        ),
        (404, "NotFound", 'configmaps "a" not found'),
        (
            409,
            "Conflict",
            'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes '
            "to the latest version and try again",
        ),
        (410, "Expired", "The resourceVersion for the provided list is too old."),
        (422, "Invalid", "the server rejected our request for an unknown reason"),
        (429, "TooManyRequests", "Too many requests, please try again later."),
        (500, "InternalError", "Internal error occurred: etcdserver: request timed out"),
        (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
        (504, "Timeout", "Timeout: request did not complete within the allotted timeout"),
    ],
)
async def test_errors_are_those_of_upstream(
    cluster: AsyncCluster, client: HTTPClient, code: int, reason: str, message: str
) -> None:
    with cluster.faults.error(code, resource="configmaps") as fault:
        response, body = await ask(client, f"{CONFIG_MAPS}/a")
    status = msgspec.json.decode(body)
    assert (response.status, status["code"], status["reason"], status["message"]) == (code, code, reason, message)
    assert (status["kind"], status["status"]) == ("Status", "Failure")
    assert fault.hits == 1
    assert await code_of(client.list(ConfigMap, "default")) == 200


async def test_an_error_of_ones_own_words_says_when_to_come_again(cluster: AsyncCluster, client: HTTPClient) -> None:
    with cluster.faults.error(503, retry_after=7, message="busy", reason="Busy", path="/api/v1/namespaces"):
        response, body = await ask(client, "/api/v1/namespaces")
    assert response.headers["Retry-After"] == "7"
    assert b'"message":"busy","reason":"Busy"' in body
    assert b'"retryAfterSeconds":7' in body


@pytest.mark.parametrize(
    ("where", "hits"),
    [
        ({}, 5),
        ({"verb": "get"}, 2),
        ({"verb": ("create", "delete")}, 1),
        ({"resource": "configmaps"}, 2),
        ({"resource": "deployments.apps"}, 1),
        ({"resource": "deployments"}, 1),
        ({"resource": "deployments", "subresource": "*"}, 2),
        ({"resource": "deployments", "subresource": "scale"}, 1),
        ({"namespace": "default"}, 4),
        ({"namespace": "kube-*"}, 0),
        ({"name": "a"}, 2),
        ({"name": "b"}, 1),
        ({"user": "kubernetes-admin"}, 5),
        ({"user": "jane"}, 0),
        ({"user_agent": "steersman*"}, 4),
        ({"path": "/version"}, 1),
    ],
)
async def test_whom_a_fault_befalls(
    cluster: AsyncCluster, client: HTTPClient, where: dict[str, Any], hits: int
) -> None:
    with cluster.faults.error(500, **where) as fault:
        await code_of(client.get(ConfigMap, "a", "default"))
        await code_of(client.create(config_map("b")))
        await code_of(client.list(Deployment, "default"))
        await code_of(client.patch(Deployment, "a", PATCH, "default", subresource="scale"))
        await ask(client, "/version")
    assert fault.hits == hits


PATCH = Patch("application/merge-patch+json", b'{"data": {"a": "b"}}')


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (lambda faults: faults.error(500, ressource="pods"), TypeError, "chosen by ressource; verb, resource, "),
        (lambda faults: faults.error(200), ValueError, "code is 200: 400 to 599 is possible"),
        (lambda faults: faults.error("500"), TypeError, "code is '500', no whole number"),
        (lambda faults: faults.error(503, retry_after=-1), ValueError, "retry_after is -1: at least 0"),
        (lambda faults: faults.error(times="x"), TypeError, "times is 'x', no whole number"),
        (lambda faults: faults.error(times=0), ValueError, "times is 0: at least 1 is possible"),
        (lambda faults: faults.error(skip=1.5), TypeError, "skip is 1.5, no whole number"),
        (lambda faults: faults.error(rate=2), ValueError, "rate is 2: 0 to 1 is possible"),
        (lambda faults: faults.error(verb="lst"), ValueError, "no verb 'lst': get, list, watch, create, update, "),
        (lambda faults: faults.error(verb=("get", "PUT")), ValueError, "no verb 'PUT'"),
        (lambda faults: faults.error(verb="x*"), ValueError, r"no verb 'x\*'"),
        (lambda faults: faults.error(resource="pod"), ValueError, "no resource 'pod'; 'pods' may be meant"),
        (
            lambda faults: faults.error(resource="apps/deployments"),
            ValueError,
            "stands behind, as in 'deployments.apps'",
        ),
        (lambda faults: faults.error(resource="pods/status"), ValueError, "is said by subresource='status'"),
        (lambda faults: faults.error(resource="Deployment"), ValueError, "'deployments.apps' may be meant"),
        (lambda faults: faults.error(resource="deployments.v1.apps"), ValueError, "'deployments.apps' may be meant"),
        (lambda faults: faults.error(resource="pods.apps"), ValueError, "no resource 'pods.apps'"),
        (
            lambda faults: faults.error(resource="widgets"),
            ValueError,
            "named with its group, as 'widgets",
        ),
        (lambda faults: faults.error(resource="pods/log"), ValueError, "'pods/log': .* said by subresource='log'"),
        (lambda faults: faults.error(resource=5), TypeError, "resource is 5: a text is expected"),
        (lambda faults: faults.error(name=["a", 5]), TypeError, r"name is \['a', 5\]: a text is expected"),
        (lambda faults: faults.error(subresource="stats"), ValueError, "no subresource 'stats': .* scale, status"),
        (lambda faults: faults.delay("1"), TypeError, "seconds is '1', no number"),
        (lambda faults: faults.delay(1, jitter=-1), ValueError, "jitter is -1"),
        (lambda faults: faults.drop_watches_after(0), ValueError, "events is 0: at least 1 is possible"),
        (lambda faults: faults.slow(0), ValueError, "cut off by partition"),
        (lambda faults: faults.partial(1.5), ValueError, "share is 1.5: 0 to 1 is possible"),
        (lambda faults: faults.store("broken"), ValueError, "'broken': timeout, lost, full, away are possible"),
        (lambda faults: faults.store(verb="get"), TypeError, "the store knows nothing of verb"),
        (lambda faults: faults.store(key=5), TypeError, "key is 5: a text is expected"),
        (lambda faults: faults.drop_watches(resource="pod"), ValueError, "no resource 'pod'; 'pods' may be meant"),
        (lambda faults: faults.restart(down=-1), ValueError, "down is -1"),
    ],
)
def test_what_no_fault_can_be(
    kubernetes_cluster: Cluster, ask: Callable[[Any], object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        ask(kubernetes_cluster.faults)
    assert not kubernetes_cluster.life.composition.faults.standing.faults


async def test_a_resource_that_a_definition_brings_later(cluster: AsyncCluster, client: HTTPClient) -> None:
    with cluster.faults.error(500, resource="widgets.example.com") as fault:
        await cluster.apply(WIDGETS)
        response, _ = await ask(client, "/apis/example.com/v1/widgets")
        assert (response.status, fault.hits) == (500, 1)
    with cluster.faults.error(500, resource="widgets") as fault:  # its name says enough now
        assert (await ask(client, "/apis/example.com/v1/widgets"))[0].status == 500


async def test_a_name_that_the_server_makes_is_meant_by_what_it_begins_with(
    cluster: AsyncCluster, client: HTTPClient
) -> None:
    with cluster.faults.error(500, name="web-*", resource="configmaps") as fault:
        for prefix, code in (("web-", 500), ("db-", 200)):
            made = ConfigMap(metadata=ObjectMeta(generate_name=prefix, namespace="default"))
            assert await code_of(client.create(made)) == code
    with cluster.faults.error(500, verb="create", resource="pods", name="web-*", times=2, inside=True) as within:
        await cluster.apply(deployment("db", replicas=1), deployment())
        await cluster.settle()
        assert (await client.get(Deployment, "web", "default")).status.available_replicas == 3
    assert (fault.hits, within.hits) == (1, 2)


async def test_who_may_not_create_is_told_of_no_name(cluster: AsyncCluster, client: HTTPClient) -> None:
    with cluster.faults.error(403), pytest.raises(StatusError) as refused:
        await client.create(config_map("a"))
    assert refused.value.status.message == (
        'configmaps is forbidden: User "kubernetes-admin" cannot create resource "configmaps" in API group "" '
        'in the namespace "default"'
    )


async def test_how_often(cluster: AsyncCluster, client: HTTPClient) -> None:
    async def codes(number: int) -> list[int]:
        return [await code_of(client.list(ConfigMap, "default")) for _ in range(number)]

    with cluster.faults.error(500, verb="list", times=2, skip=1) as fault:
        assert await codes(5) == [200, 500, 500, 200, 200]
        assert not fault.stands
    with cluster.faults.error(500, verb="list", rate=0.5) as fault:
        found = await codes(40)
        assert 5 < found.count(500) == fault.hits < 35
        fault.stop()
        assert await codes(3) == [200] * 3
    cluster.faults.error(500)
    cluster.faults.clear()
    assert await codes(1) == [200]


async def test_a_fault_that_ended_while_a_request_was_delayed(cluster: AsyncCluster, client: HTTPClient) -> None:
    with cluster.faults.delay(0.05, verb="list"), cluster.faults.error(503, verb="list", times=1) as fault:
        codes = await asyncio.gather(*(code_of(client.list(ConfigMap, "default")) for _ in range(4)))
        assert sorted(codes) == [200, 200, 200, 503]
        assert fault.hits == 1


async def test_requests_wait(cluster: AsyncCluster, client: HTTPClient) -> None:
    with cluster.faults.delay(0.05, jitter=0.01, verb="get"):
        started = time.perf_counter()
        await code_of(client.get(ConfigMap, "a", "default"))
        assert time.perf_counter() - started >= 0.05
        await client.list(ConfigMap, "default")
        assert len(cluster.requests.of(verb="get", name="a")) >= 1


async def test_somebody_was_faster(cluster: AsyncCluster, client: HTTPClient) -> None:
    made = await client.create(config_map("a"))
    with cluster.faults.conflict(resource="configmaps") as fault:
        assert await code_of(client.update(made)) == 409
        newer = await client.get(ConfigMap, "a", "default")
        assert newer.metadata.resource_version != made.metadata.resource_version
        assert newer.data == made.data
        assert await code_of(client.update(newer)) == 200
        assert fault.hits == 1
    with cluster.faults.conflict(injected=True, name="a"):
        assert await code_of(client.patch(ConfigMap, "a", PATCH, "default")) == 409
        assert await code_of(client.patch(ConfigMap, "a", PATCH, "default")) == 200
    with cluster.faults.conflict(injected=True, name="a", times=None) as fault:
        for _ in range(3):
            assert await code_of(client.patch(ConfigMap, "a", PATCH, "default")) == 409
    assert fault.hits == 3


async def follow(client: HTTPClient, version: str, seen: list[str]) -> list[str]:
    """What a watch sees before it ends."""
    try:
        async for type_, obj in client.watch(ConfigMap, "default", resource_version=version):
            if type_ != "BOOKMARK":
                seen.append(f"{type_} {obj.metadata.name}")
    except StatusError as error:
        seen.append(f"{error.code} {error.status.message}")
    return seen


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.001)


async def watched(cluster: AsyncCluster, client: HTTPClient, seen: list[str] | None = None) -> asyncio.Task[list[str]]:
    """A watch that is open; what it has seen so far is in the list."""
    version = (await client.list(ConfigMap, "default")).resource_version
    before = len(cluster.requests.of(verb="watch"))
    task = asyncio.create_task(follow(client, version, [] if seen is None else seen))
    await until(lambda: len(cluster.requests.of(verb="watch")) > before)
    return task


@pytest.mark.parametrize("clean", [True, False])
async def test_open_watches_are_dropped(cluster: AsyncCluster, client: HTTPClient, clean: bool) -> None:
    seen: list[str] = []
    task = await watched(cluster, client, seen)
    await client.create(config_map("a"))
    await until(lambda: bool(seen))
    assert await cluster.faults.drop_watches(clean=clean, resource="pods") == 0
    assert await cluster.faults.drop_watches(clean=clean, resource="configmaps") == 1
    assert await asyncio.wait_for(task, 10) == ["ADDED a"]


@pytest.mark.parametrize("clean", [True, False])
async def test_a_dropped_watch_ends_as_it_was_told(cluster: AsyncCluster, client: HTTPClient, clean: bool) -> None:
    async with client._open().get(f"{client.config.server}{CONFIG_MAPS}?watch=1") as response:
        await response.content.readline()
        await cluster.faults.drop_watches(clean=clean)
        if clean:
            await asyncio.wait_for(response.read(), 1)
        else:
            with pytest.raises(aiohttp.ClientError):
                await asyncio.wait_for(response.read(), 1)


async def test_watches_end_after_so_many_events(cluster: AsyncCluster, client: HTTPClient) -> None:
    with cluster.faults.drop_watches_after(2, resource="configmaps", times=1):
        task = await watched(cluster, client)
        for name in "abc":
            await client.create(config_map(name))
        assert await asyncio.wait_for(task, 10) == ["ADDED a", "ADDED b"]


async def test_what_is_past_is_forgotten(cluster: AsyncCluster, client: HTTPClient) -> None:
    for name in "abc":
        await client.create(config_map(name))
    page = await client.list(ConfigMap, "default", limit=2)
    task = await watched(cluster, client)
    await cluster.faults.compact()
    assert await asyncio.wait_for(task, 10) == ["410 The resourceVersion for the provided watch is too old."]
    with pytest.raises(StatusError) as raised:
        await client.list(ConfigMap, "default", limit=2, continue_=page.continue_)
    assert (raised.value.code, raised.value.reason) == (410, "Expired")
    assert raised.value.status.message.startswith("The provided continue parameter is too old")
    (told,) = await asyncio.wait_for(follow(client, page.resource_version, []), 1)
    assert told.startswith("410 too old resource version: ")
    with pytest.raises(StatusError) as raised:
        await client.list(ConfigMap, "default", resource_version=page.resource_version, limit=2)
    await cluster.settle()
    await cluster.apply(deployment())
    await cluster.settle()
    assert (await client.get(Deployment, "web", "default")).status.available_replicas == 3


async def test_one_user_is_cut_off(cluster: AsyncCluster, client: HTTPClient) -> None:
    async with HTTPClient(cluster.as_user("jane", ["system:masters"]).config) as jane:
        task = await watched(cluster, jane)
        with cluster.faults.partition(user="jane"):
            assert await asyncio.wait_for(task, 10) == []
            with pytest.raises(StatusError, match="cannot reach"):
                await jane.list(ConfigMap, "default")
            assert await code_of(client.list(ConfigMap, "default")) == 200
            assert [each.code for each in cluster.requests.of(user="jane", verb="list")][-1] == 0
        assert await code_of(jane.list(ConfigMap, "default")) == 200


async def test_bodies_come_slowly_or_in_part(cluster: AsyncCluster, client: HTTPClient) -> None:
    _, whole = await ask(client, f"{CONFIG_MAPS}/kube-root-ca.crt")
    with cluster.faults.slow(len(whole) * 20, verb="get"):
        started = time.perf_counter()
        _, body = await ask(client, f"{CONFIG_MAPS}/kube-root-ca.crt")
        assert body == whole
        assert time.perf_counter() - started > 0.03
    with cluster.faults.partial(0.5, verb="get"), pytest.raises(aiohttp.ClientError):
        await ask(client, f"{CONFIG_MAPS}/kube-root-ca.crt")


@pytest.mark.parametrize(
    ("mishap", "code", "message", "written"),
    [
        ("timeout", 503, "etcdserver: request timed out", False),
        ("lost", 503, "etcdserver: request timed out", True),
        ("away", 503, "etcdserver: no leader", False),
        ("full", 500, "etcdserver: mvcc: database space exceeded", False),
    ],
)
async def test_the_store_fails(
    cluster: AsyncCluster, client: HTTPClient, mishap: Any, code: int, message: str, written: bool
) -> None:
    with cluster.faults.store(mishap, key="/registry/configmaps/*") as fault:
        with pytest.raises(StatusError) as raised:
            await client.create(config_map("a"))
        assert raised.value.code == code
        assert message in raised.value.status.message
    assert fault.hits == 1
    assert (await code_of(client.get(ConfigMap, "a", "default")) == 200) is written
    with cluster.faults.store("away", reads=True):
        assert await code_of(client.get(ConfigMap, "a", "default")) == 503


async def test_components_inside_are_hit_where_that_is_asked_for(cluster: AsyncCluster, client: HTTPClient) -> None:
    with cluster.faults.error(500, resource="pods", verb="create") as outside:
        await cluster.apply(deployment("first"))
        await cluster.settle()
        assert (await client.get(Deployment, "first", "default")).status.available_replicas == 3
        assert outside.hits == 0
    with cluster.faults.error(500, resource="pods", verb="create", times=3, inside=True) as within:
        await cluster.apply(deployment())
        await cluster.settle()
        assert within.hits == 3
    assert await cluster.faults.drop_watches(inside=True, user="system:kube-controller-manager") > 20
    await cluster.apply(deployment("third"))
    await cluster.wait_for("deployment/web", condition="Available")
    await cluster.wait_for("deployment/third", condition="Available")
    assert len((await client.list(Pod, "default")).items) == 9


async def until_refused(client: HTTPClient) -> None:
    while True:
        try:
            await ask(client, CONFIG_MAPS)
        except aiohttp.ClientConnectorError:
            raise
        except aiohttp.ClientError:  # a connection that there was
            pass


async def test_what_is_waited_for_comes_after_a_restart() -> None:
    async with Cluster() as cluster:
        waiting = asyncio.create_task(cluster.wait_for("configmap/later", timeout=10))
        late = asyncio.create_task(cluster.wait_for("configmap/never", timeout=0.5))
        await cluster.faults.restart()
        await cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later"}})
        assert (await waiting).metadata.name == "later"
        with pytest.raises(NotMetError):
            await late


async def test_a_restart() -> None:
    async with Cluster() as cluster, cluster.connect() as client:
        await cluster.apply(deployment())
        await cluster.settle()
        task = await watched(cluster, client)
        server = cluster.config.server
        restart = asyncio.create_task(cluster.faults.restart(down=0.1))
        assert await asyncio.wait_for(task, 10) == []
        with pytest.raises(aiohttp.ClientConnectorError):
            await until_refused(client)
        await restart
        assert cluster.config.server == server
        assert len((await client.list(Pod, "default")).items) == 3
        async with cluster.snapshot():
            await cluster.apply(deployment("web", replicas=5))
            await cluster.settle()
            assert len((await client.list(Pod, "default")).items) == 5
        assert len((await client.list(Pod, "default")).items) == 3


def test_a_restart_of_a_cluster_on_a_disk(tmp_path: Path) -> None:
    with Cluster(store=tmp_path) as cluster:
        cluster.client.create(config_map("a"))
        with cluster.snapshot():
            cluster.client.create(config_map("b"))
            cluster.faults.restart()
        assert [each.metadata.name for each in cluster.client.list(ConfigMap, "default").items] == [
            "a",
            "kube-root-ca.crt",
        ]


async def test_simulated_nodes_wait_out_a_server_that_fails_while_they_start() -> None:
    async with Cluster() as cluster:
        await cluster.apply(deployment())
        await cluster.settle()
        with cluster.faults.error(
            500, verb="list", resource="pods", user="system:nodes", inside=True, times=2
        ) as fault:
            await cluster.faults.restart()
            assert fault.hits == 2
        await cluster.apply(deployment(replicas=5))
        await cluster.settle()
        assert (await cluster.client.get(Deployment, "web", "default")).status.available_replicas == 5
