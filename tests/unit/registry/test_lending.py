"""How much of an object that stays its writer's is copied."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from steersman.api import codecs
from steersman.api.types import core_v1 as v1
from steersman.api.types.coordination_v1 import Lease, LeaseSpec
from steersman.api.types.meta_v1 import ManagedFieldsEntry, ObjectMeta
from steersman.api.unstructured import Unstructured
from steersman.apiserver.registry.lending import own


def pod() -> v1.Pod:
    entry = ManagedFieldsEntry(manager="tests", operation="Update")
    metadata = ObjectMeta(name="a", labels={"app": "a"}, annotations={"b": "c"}, managed_fields=[entry])
    spec = v1.PodSpec(containers=[v1.Container(name="c", image="busybox:1")])
    return v1.Pod(metadata=metadata, spec=spec, status=v1.PodStatus(phase="Pending"))


def test_a_status_alone_is_copied() -> None:
    present = pod()
    status = v1.PodStatus(phase="Running", pod_ips=[v1.PodIP(ip="10.0.0.1")])
    lent = replace(present, status=status)
    said = codecs.encode(lent)
    mine = own(lent, present, ("spec",))
    assert codecs.encode(mine) == said
    assert mine.spec is present.spec
    assert mine.status == status
    mine.status.pod_ips[0].ip = "10.0.0.2"
    mine.metadata.name = "b"
    mine.metadata.labels["app"] = "b"
    del mine.metadata.annotations["b"]
    mine.metadata.managed_fields = []
    assert codecs.encode(lent) == said
    assert codecs.encode(present) == codecs.encode(pod())


@pytest.mark.parametrize("untouched", [(), ("spec",)])
def test_what_is_not_the_present_objects_is_copied_deeply(untouched: tuple[str, ...]) -> None:
    lent = pod()
    mine = own(lent, pod(), untouched)
    mine.spec.containers[0].image = "busybox:2"
    mine.metadata.managed_fields[0].manager = "another"
    assert codecs.encode(lent) == codecs.encode(pod())


def test_what_may_be_touched_is_copied_although_it_is_the_present_objects() -> None:
    lent = pod()
    own(lent, lent).spec.containers[0].image = "busybox:2"
    own(lent, lent).status.phase = "Running"
    assert codecs.encode(lent) == codecs.encode(pod())


@pytest.mark.parametrize(
    "lent",
    [
        v1.ConfigMap(data={"a": "1"}, binary_data={"b": b"\x00\xff"}, immutable=True),
        v1.Endpoints(subsets=[v1.EndpointSubset(addresses=[v1.EndpointAddress(ip="10.0.0.1")])]),
        Lease(spec=LeaseSpec(holder_identity="me")),
        Unstructured(ObjectMeta(name="a"), {"spec": {"deep": [1]}}),
    ],
    ids=lambda lent: type(lent).__name__,
)
def test_parts_of_every_kind_are_copied(lent: Any) -> None:
    said = codecs.encode(lent)
    for present in (lent, codecs.copy(lent)):
        mine = own(lent, present)
        assert type(mine) is type(lent)
        assert codecs.encode(mine) == said
        assert mine is not lent
        mine.metadata.name = "another"
        assert codecs.encode(lent) == said
