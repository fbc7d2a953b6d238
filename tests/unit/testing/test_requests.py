"""What clients ask of a cluster is known, can be chosen from, and reads as an audit log does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from steersman.api.errors import StatusError
from steersman.api.types.apps_v1 import Deployment
from steersman.api.types.core_v1 import ConfigMap
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.client import Patch
from steersman.client.http import HTTPClient
from steersman.testing import Cluster


def config_map(name: str = "", generate_name: str = "") -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, generate_name=generate_name, namespace="default"))


@pytest.fixture
def cluster(kubernetes_cluster: Cluster) -> Iterator[Cluster]:
    kubernetes_cluster.requests.clear()
    with kubernetes_cluster.snapshot():
        yield kubernetes_cluster


def test_what_was_asked_by_whom_and_how_it_ended(cluster: Cluster) -> None:
    made = cluster.client.create(config_map(generate_name="a-"))
    patch = Patch("application/merge-patch+json", b'{"data": {"a": "b"}}')
    cluster.client.patch(ConfigMap, made.metadata.name, patch, "default")
    jane = cluster.as_user("jane", ["team"]).client
    with pytest.raises(StatusError):
        jane.list(Deployment, "default")
    with pytest.raises(StatusError):
        cluster.client.get(ConfigMap, "missing", "default")
    asked = [
        (each.user, each.verb, each.resource, each.group, each.namespace, each.name, each.code)
        for each in cluster.requests
    ]
    admin = cluster.requests.all()[0].user
    assert asked == [
        (admin, "create", "configmaps", "", "default", made.metadata.name, 201),
        (admin, "patch", "configmaps", "", "default", made.metadata.name, 200),
        ("jane", "list", "deployments", "apps", "default", "", 403),
        (admin, "get", "configmaps", "", "default", "missing", 404),
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"verb": "create"}, 2),
        ({"verb": ("create", "delete")}, 3),
        ({"resource": "configmaps"}, 4),
        ({"resource": "deployments.apps"}, 0),
        ({"name": "b"}, 2),
        ({"name": "?"}, 3),
        ({"code": 404}, 1),
        ({"code": (404, 201)}, 3),
        ({"user_agent": "steersman*"}, 4),
        ({"user": "nobody"}, 0),
        ({"path": "/api/v1/namespaces/default/configmaps"}, 2),
        ({"subresource": "status"}, 0),
        ({"subresource": ""}, 4),
    ],
)
def test_choosing(cluster: Cluster, asked: dict[str, object], found: int) -> None:
    cluster.client.create(config_map("a"))
    cluster.client.create(config_map("b"))
    cluster.client.delete(ConfigMap, "b", "default")
    with contextlib.suppress(StatusError):
        cluster.client.get(ConfigMap, "missing", "default")
    assert len(cluster.requests.of(**asked)) == found  # type: ignore[arg-type]


def test_a_recording_has_bodies_and_ends(cluster: Cluster) -> None:
    with cluster.requests.recording() as recorded:
        cluster.client.create(config_map("a"))
    cluster.client.create(config_map("b"))
    (made,) = recorded
    assert made.request_object()["metadata"]["name"] == "a"
    assert made.response_object()["metadata"]["uid"]
    with pytest.raises(ValueError, match="recording"):
        cluster.requests.of(name="b")[0].request_object()


def test_an_event_is_one_of_an_audit_log(cluster: Cluster) -> None:
    with cluster.requests.recording() as recorded, contextlib.suppress(StatusError):
        cluster.as_user("jane", ["team"]).client.create(config_map("a"))
    event = msgspec.json.decode(msgspec.json.encode(recorded.all()[0].event()))
    assert event["kind"] == "Event"
    assert event["apiVersion"] == "audit.k8s.io/v1"
    assert event["level"] == "RequestResponse"
    assert event["stage"] == "ResponseComplete"
    assert event["requestURI"].startswith("/api/v1/namespaces/default/configmaps")
    assert event["user"]["username"] == "jane"
    assert "team" in event["user"]["groups"]
    assert event["objectRef"] == {"resource": "configmaps", "namespace": "default", "apiVersion": "v1"}
    assert event["sourceIPs"] == ["127.0.0.1"]
    assert event["responseStatus"]["code"] == 403
    assert event["responseStatus"]["reason"] == "Forbidden"
    assert event["stageTimestamp"] >= event["requestReceivedTimestamp"]


async def test_who_impersonates_is_told_beside_whom(cluster: Cluster) -> None:
    async with HTTPClient(msgspec.structs.replace(cluster.config, impersonate="jane")) as client:
        with contextlib.suppress(StatusError):
            await client.list(ConfigMap, "default")
    (asked,) = cluster.requests.of(resource="configmaps")
    assert asked.user == "jane"
    event = asked.event()
    assert event.user.username != "jane"
    assert event.impersonated_user is not None
    assert event.impersonated_user.username == "jane"


def test_a_watch_is_there_once_it_begins(cluster: Cluster) -> None:
    stream = cluster.client.watch(ConfigMap, "default")
    next(stream)
    (watch,) = cluster.requests.of(verb="watch")
    assert (watch.code, watch.ended) == (200, False)
    stream.close()  # type: ignore[attr-defined]


def test_they_read_well_where_an_assertion_fails(cluster: Cluster) -> None:
    assert (repr(cluster.requests.all()), str(cluster.requests)) == ("[]", "no requests")
    for name in "ab":
        cluster.client.create(config_map(name))
    made = cluster.requests.of(verb="create")
    assert repr(made).startswith("[<create configmaps default/a: 201, ")
    assert "\n" not in repr(made)  # which pytest would show as a backslash and an n
    assert [line.split(":")[0] for line in str(made).splitlines()] == [
        "<create configmaps default/a",
        "<create configmaps default/b",
    ]
    assert cluster.requests.of(verb="delete") == []
    assert (cluster.requests[-1], list(cluster.requests[:1])) == (made[1], [made[0]])


@pytest.mark.parametrize(
    ("where", "error", "said"),
    [
        ({"verb": "crate"}, ValueError, "there is no verb 'crate': get, list, watch, create, "),
        ({"resource": "pod"}, ValueError, "there is no resource 'pod'; 'pods' may be meant"),
        ({"code": "500"}, TypeError, "code is '500', no whole number"),
        ({"user": 5}, TypeError, "user is 5: a text is expected"),
    ],
)
def test_what_nobody_can_have_asked_for(cluster: Cluster, where: Any, error: type[Exception], said: str) -> None:
    """``assert not cluster.requests.of(verb="crate")`` would hold for ever."""
    with cluster.requests.recording() as recorded:
        for requests in (cluster.requests, recorded, cluster.requests.all()[:1], cluster.requests.of(verb="get")):
            with pytest.raises(error, match=said):
                requests.of(**where)


def test_resources_that_are_no_more_are_known_by_what_was_asked(cluster: Cluster) -> None:
    with cluster.requests.recording() as recorded:
        with pytest.raises(StatusError):
            cluster.client.raw("/apis/example.com/v1/widgets")
        assert not recorded.of(resource="widgets", verb="delete")
        assert not recorded.of(resource="gadgets.example.com")
        with pytest.raises(ValueError, match="there is no resource 'gadgets'"):
            recorded.of(resource="gadgets")


def test_who_was_refused_is_known_by_the_name_that_he_gave(cluster: Cluster) -> None:
    with cluster.faults.error(500, verb="create"):
        for metadata in (ObjectMeta(name="a"), ObjectMeta(generate_name="a-")):
            metadata.namespace = "default"
            with pytest.raises(StatusError):
                cluster.client.create(ConfigMap(metadata=metadata))
    assert [each.name for each in cluster.requests.of(verb="create")] == ["a", "a-"]


def test_the_newest_are_kept(cluster: Cluster) -> None:
    with cluster.requests.recording(limit=2) as recorded:
        for name in "abc":
            cluster.client.create(config_map(name))
    assert [each.name for each in recorded] == ["b", "c"]
