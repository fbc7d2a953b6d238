"""How much of an object that stays its writer's is copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import core_v1 as v1
from steersman.api.types.coordination_v1 import Lease, LeaseSpec
from steersman.api.types.meta_v1 import ManagedFieldsEntry, ObjectMeta
from steersman.api.unstructured import Unstructured
from steersman.apiserver.registry.lending import borrowed
from steersman.client.local import LocalClient


def pod() -> v1.Pod:
    entry = ManagedFieldsEntry(manager="tests", operation="Update")
    metadata = ObjectMeta(
        name="a", namespace="default", labels={"app": "a"}, annotations={"b": "c"}, managed_fields=[entry]
    )
    spec = v1.PodSpec(containers=[v1.Container(name="c", image="busybox:1")])
    return v1.Pod(metadata=metadata, spec=spec, status=v1.PodStatus(phase="Pending"))


def test_a_status_alone_is_copied() -> None:
    present = pod()
    status = v1.PodStatus(phase="Running", pod_ips=[v1.PodIP(ip="10.0.0.1")])
    lent = replace(present, status=status)
    said = codecs.encode(lent)
    mine = borrowed(lent, present, ("spec",))
    assert codecs.encode(mine) == said
    assert mine.spec is present.spec
    assert mine.status == status
    mine.status.pod_ips[0].ip = "10.0.0.2"
    mine.metadata.name = "b"
    mine.metadata.labels["app"] = "b"
    del mine.metadata.annotations["b"]
    mine.metadata.finalizers.append("example.com/a")
    mine.metadata.owner_references.clear()
    mine.metadata.managed_fields = []
    assert codecs.encode(lent) == said
    assert codecs.encode(present) == codecs.encode(pod())


@pytest.mark.parametrize("untouched", [(), ("spec",)])
def test_what_is_not_the_present_objects_is_copied_deeply(untouched: tuple[str, ...]) -> None:
    lent = pod()
    mine = borrowed(lent, pod(), untouched)
    mine.spec.containers[0].image = "busybox:2"
    mine.metadata.managed_fields[0].manager = "another"
    assert codecs.encode(lent) == codecs.encode(pod())


def test_what_may_be_touched_is_copied_although_it_is_the_present_objects() -> None:
    lent = pod()
    borrowed(lent, lent).spec.containers[0].image = "busybox:2"
    borrowed(lent, lent).status.phase = "Running"
    assert codecs.encode(lent) == codecs.encode(pod())


def _config_map(obj: Any) -> None:
    obj.data["a"] = "2"
    obj.binary_data.clear()


def _endpoints(obj: Any) -> None:
    obj.subsets[0].addresses[0].ip = "10.0.0.2"


def _lease(obj: Any) -> None:
    obj.spec.holder_identity = "you"


def _thing(obj: Any) -> None:
    obj.content["spec"]["deep"].append(2)


@pytest.mark.parametrize(
    ("lent", "change"),
    [
        (v1.ConfigMap(data={"a": "1"}, binary_data={"b": b"\x00\xff"}, immutable=True), _config_map),
        (v1.Endpoints(subsets=[v1.EndpointSubset(addresses=[v1.EndpointAddress(ip="10.0.0.1")])]), _endpoints),
        (Lease(spec=LeaseSpec(holder_identity="me")), _lease),
        (Unstructured(ObjectMeta(name="a"), {"spec": {"deep": [1]}}), _thing),
    ],
    ids=lambda each: type(each).__name__,
)
def test_parts_of_every_kind_are_copied(lent: Any, change: Callable[[Any], None]) -> None:
    said = codecs.encode(lent)
    for present in (lent, codecs.copy(lent)):
        mine = borrowed(lent, present)
        assert type(mine) is type(lent)
        assert codecs.encode(mine) == said
        mine.metadata.name = "another"
        change(mine)
        assert codecs.encode(mine) != said
        assert codecs.encode(lent) == codecs.encode(present) == said


async def test_a_write_leaves_what_it_is_given_as_it_was(client: LocalClient) -> None:
    node = v1.Node(metadata=ObjectMeta(name="n", labels={"a": "b"}))
    present = await client.create(node)
    stale = replace(present, metadata=replace(present.metadata, namespace="odd", labels={"c": "d"}))
    said = codecs.encode(stale)
    changed = await client.update(stale)
    assert changed.metadata.labels["c"] == "d"
    with pytest.raises(StatusError, match="the object has been modified"):
        await client.update(stale)
    status = replace(changed, status=v1.NodeStatus(capacity={"cpu": "1"}))
    also = codecs.encode(status)
    assert (await client.update(status, subresource="status")).status.capacity == {"cpu": "1"}
    assert (codecs.encode(stale), codecs.encode(status)) == (said, also)


async def test_a_status_write_changes_metadata_too_and_nothing_else(client: LocalClient) -> None:
    created = await client.create(pod())
    labels = replace(created.metadata, labels={"app": "b"}, annotations={})
    other = replace(created.spec, containers=[v1.Container(name="c", image="busybox:2")])
    status = v1.PodStatus(phase="Running")
    await client.update(replace(created, metadata=labels, spec=other, status=status), subresource="status")
    written = await client.get(v1.Pod, "a", "default")
    assert (written.metadata.labels, written.metadata.annotations) == ({"app": "b"}, {})
    assert written.spec.containers[0].image == "busybox:1"
    assert written.status.phase == "Running"
    assert other.containers[0].image == "busybox:2"
    assert created.metadata.labels == {"app": "a"}


async def test_versions_of_an_object_have_equal_metadata_once(client: LocalClient) -> None:
    first = await client.create(pod())
    second = await client.update(replace(first, status=v1.PodStatus(phase="Running")), subresource="status")
    third = await client.update(codecs.copy(second))
    for each in (second, third):
        assert each.metadata.labels is first.metadata.labels
        assert each.metadata.annotations is first.metadata.annotations
    assert second.spec is first.spec


async def test_a_binding_changes_no_version_before_it(client: LocalClient) -> None:
    before = await client.create(pod())
    said = codecs.encode(before)
    wanted = ObjectMeta(name="a", namespace="default", annotations={"x": "y"}, labels={"z": "w", "app": "b"})
    binding = v1.Binding(metadata=wanted, target=v1.ObjectReference(kind="Node", name="n"))
    await client.create_subresource(v1.Pod, "a", "binding", binding, "default")
    bound = await client.get(v1.Pod, "a", "default")
    assert bound.spec.node_name == "n"
    assert bound.metadata.annotations == {"b": "c", "x": "y"}
    assert bound.metadata.labels["app"] == "a"
    assert bound.spec.containers is before.spec.containers
    assert codecs.encode(before) == said
