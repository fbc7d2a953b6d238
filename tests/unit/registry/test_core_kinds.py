"""Kinds of the core group with behaviour of their own, but pods and services."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import (
    core_v1 as v1,
)
from steersman.api.types import (
    events_v1,
)
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.registry.registry import Registry
from steersman.client.client import Patch
from steersman.client.local import LocalClient

from .conftest import config_map, pod


async def test_namespaces_go_when_they_are_empty(client: LocalClient, registry: Registry) -> None:
    await client.create(v1.Namespace(metadata=ObjectMeta(name="team")))
    await client.delete(v1.Namespace, "team")
    going = await client.get(v1.Namespace, "team")
    assert going.status.phase == "Terminating"
    assert going.metadata.deletion_timestamp is not None
    wanted = config_map()
    wanted.metadata.namespace = "team"
    with pytest.raises(StatusError) as error:
        await client.create(wanted)
    assert error.value.code == 403
    assert error.value.status.message == (
        'configmaps "cm" is forbidden: unable to create new content in namespace team because it is being terminated'
    )
    assert error.value.status.details is not None
    assert error.value.status.details.causes[0].reason == "NamespaceTerminating"
    final = codecs.copy(going)
    final.spec.finalizers = []
    await client.update(final, subresource="finalize")
    with pytest.raises(StatusError) as error:
        await client.get(v1.Namespace, "team")
    assert error.value.reason == "NotFound"
    with pytest.raises(StatusError) as error:
        await client.delete(v1.Namespace, "default")
    assert error.value.status.message == 'namespaces "default" is forbidden: this namespace may not be deleted'


async def test_secrets(client: LocalClient) -> None:
    secret = v1.Secret(metadata=ObjectMeta(name="s", namespace="default"), string_data={"a": "b"})
    created = await client.create(secret)
    assert (created.data, created.string_data, created.type) == ({"a": b"b"}, {}, "Opaque")


async def test_events_in_both_versions(client: LocalClient, registry: Registry) -> None:
    event = events_v1.Event(
        metadata=ObjectMeta(name="e", namespace="default"),
        event_time=datetime(2026, 1, 1, 0, 0, 0, 5, tzinfo=UTC),
        note="hello",
        reason="Why",
        action="Do",
        type="Normal",
        regarding=v1.ObjectReference(kind="Pod", name="p", namespace="default"),
        reporting_controller="example.com/c",
        reporting_instance="i",
    )
    created = await client.create(event)
    assert created.note == "hello"
    core = await client.get(v1.Event, "e", "default")
    assert (core.message, core.involved_object.name, core.reporting_component) == ("hello", "p", "example.com/c")
    back = await client.get(events_v1.Event, "e", "default")
    assert (back.note, back.metadata.resource_version) == ("hello", core.metadata.resource_version)
    patch = Patch("application/merge-patch+json", b'{"metadata":{"labels":{"a":"b"}}}')
    assert (await client.patch(events_v1.Event, "e", patch, "default")).metadata.labels == {"a": "b"}
    registry.now = lambda: datetime.now(UTC) + timedelta(hours=2)
    assert await registry.expire_events() == 1


async def test_limit_ranges(client: LocalClient) -> None:
    await client.create(
        v1.LimitRange(
            metadata=ObjectMeta(name="l", namespace="default"),
            spec=v1.LimitRangeSpec(
                limits=[
                    v1.LimitRangeItem(
                        type="Container",
                        default={"memory": "64Mi"},
                        default_request={"memory": "32Mi"},
                        max={"memory": "128Mi"},
                    )
                ]
            ),
        )
    )
    created = await client.create(pod())
    assert created.spec.containers[0].resources.requests == {"memory": "32Mi"}
    assert created.status.qos_class == "Burstable"
    big = pod("big")
    big.spec.containers[0].resources.limits = {"memory": "1Gi"}
    with pytest.raises(StatusError) as error:
        await client.create(big)
    assert "maximum memory usage per Container is 128Mi, but limit is 1Gi" in error.value.status.message


async def test_the_newer_api_of_events_asks_for_more(client: LocalClient) -> None:
    meta = ObjectMeta(name="e", namespace="default")
    regarding = v1.ObjectReference(kind="Pod", name="p", namespace="default")
    with pytest.raises(StatusError) as error:
        await client.create(events_v1.Event(metadata=meta, regarding=regarding, note="n"))
    assert error.value.status.details is not None
    assert {cause.field for cause in error.value.status.details.causes} == {"eventTime", "type"}
    await client.create(v1.Event(metadata=codecs.copy(meta), involved_object=regarding, message="n"))


async def test_claims_name_their_source_twice(client: LocalClient) -> None:
    def claim(name: str, **spec: Any) -> v1.PersistentVolumeClaim:
        storage = v1.VolumeResourceRequirements(requests={"storage": "1Gi"})
        wanted = v1.PersistentVolumeClaimSpec(access_modes=["ReadWriteOnce"], resources=storage, **spec)
        return v1.PersistentVolumeClaim(metadata=ObjectMeta(name=name, namespace="default"), spec=wanted)

    def local(kind: str) -> v1.TypedLocalObjectReference:
        return v1.TypedLocalObjectReference(kind=kind, name="s")

    old = await client.create(claim("a", data_source=local("PersistentVolumeClaim")))
    assert old.spec.data_source_ref == v1.TypedObjectReference(kind="PersistentVolumeClaim", name="s")
    any_kind = v1.TypedObjectReference(kind="Book", api_group="example.com", name="s")
    new = await client.create(claim("b", data_source_ref=any_kind))
    assert new.spec.data_source == v1.TypedLocalObjectReference(kind="Book", api_group="example.com", name="s")
    ignored = await client.create(claim("c", data_source=local("Book")))
    assert (ignored.spec.data_source, ignored.spec.data_source_ref) == (None, None)
    assert ignored.status.phase == "Pending"


async def test_volumes_say_since_when_they_are_in_their_phase(client: LocalClient, registry: Registry) -> None:
    spec = v1.PersistentVolumeSpec(
        capacity={"storage": "1Gi"},
        access_modes=["ReadWriteOnce"],
        host_path=v1.HostPathVolumeSource(path="/a"),
    )
    volume = codecs.copy(await client.create(v1.PersistentVolume(metadata=ObjectMeta(name="v"), spec=spec)))
    since = volume.status.last_phase_transition_time
    assert volume.status.phase == "Pending"
    assert since is not None
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    registry.now = lambda: later
    volume.status.message = "m"
    volume = codecs.copy(await client.update(volume, subresource="status"))
    assert volume.status.last_phase_transition_time == since
    volume.status.phase = "Available"
    volume = await client.update(volume, subresource="status")
    assert volume.status.last_phase_transition_time == later


async def test_both_fields_of_nodes_for_pod_networks(client: LocalClient) -> None:
    wanted = v1.Node(metadata=ObjectMeta(name="n"), spec=v1.NodeSpec(pod_cidr="10.0.0.0/24"))
    node = codecs.copy(await client.create(wanted))
    assert (node.spec.pod_cidr, node.spec.pod_cidrs) == ("10.0.0.0/24", ["10.0.0.0/24"])
    node.spec.pod_cidr, node.spec.pod_cidrs = "10.0.1.0/24", ["10.0.1.0/24"]
    with pytest.raises(StatusError) as error:
        await client.update(node)
    assert 'node updates may not change podCIDR except from "" to valid' in error.value.status.message


async def test_pod_templates_count_their_changes(client: LocalClient) -> None:
    template = v1.PodTemplateSpec(spec=pod().spec)
    meta = ObjectMeta(name="t", namespace="default")
    obj = codecs.copy(await client.create(v1.PodTemplate(metadata=meta, template=template)))
    assert obj.metadata.generation == 1
    obj.metadata.labels = {"a": "b"}
    obj = codecs.copy(await client.update(obj))
    assert obj.metadata.generation == 1
    obj.template.spec.containers[0].image = "other"
    assert (await client.update(obj)).metadata.generation == 2
