"""Decoded replicas share what is equal, and nobody can tell."""

from __future__ import annotations

import msgspec
import pytest

from steersman.api.sharing import Siblings
from steersman.api.types.apiextensions_v1 import (
    CustomResourceDefinition,
    CustomResourceDefinitionSpec,
    CustomResourceDefinitionVersion,
    CustomResourceValidation,
    JSONSchemaProps,
)
from steersman.api.types.core_v1 import Container, Pod, PodCondition, PodSpec, PodStatus, Toleration
from steersman.api.types.meta_v1 import ObjectMeta, OwnerReference
from steersman.storage.entry import Entry, RecentlyDecoded

DECODER = msgspec.json.Decoder(Pod)


def pod(number: int, owner: str = "a", image: str = "registry/web:1") -> Pod:
    reference = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name=owner, uid=owner, controller=True)
    return Pod(
        metadata=ObjectMeta(
            name=f"p{number}",
            namespace="default",
            labels={"app": "web"},
            owner_references=[reference] if owner else [],
        ),
        spec=PodSpec(
            containers=[Container(name="c", image=image, args=["--verbose"])],
            tolerations=[Toleration(key="k", operator="Exists", effect="NoSchedule")],
            node_name=f"node-{number}",
            priority=0,
        ),
        status=PodStatus(phase="Running", conditions=[PodCondition(type="Ready", status="True")]),
    )


def decoded(obj: Pod) -> Pod:
    return DECODER.decode(msgspec.json.encode(obj))


def test_what_is_equal_is_one() -> None:
    siblings, one, two = Siblings(), decoded(pod(1)), decoded(pod(2))
    for each in (one, two):
        siblings.share(each)
    assert one.spec.containers is two.spec.containers
    assert one.spec.tolerations is two.spec.tolerations
    assert one.metadata.labels is two.metadata.labels
    assert one.metadata.owner_references is two.metadata.owner_references
    assert one.spec.node_name != two.spec.node_name
    assert one.metadata.annotations is two.metadata.annotations, "empty, but not free"
    assert one.status.conditions is two.status.conditions
    assert one.status.init_container_statuses is two.status.init_container_statuses
    assert (one, two) == (pod(1), pod(2))
    assert msgspec.json.encode(two) == msgspec.json.encode(pod(2))


def test_what_a_version_has_of_the_one_before_it_is_not_looked_at_again() -> None:
    siblings, one, two = Siblings(), decoded(pod(1)), decoded(pod(2))
    two.metadata.uid = "two"
    siblings.share(one)
    new = msgspec.structs.replace(two, metadata=msgspec.structs.replace(two.metadata), status=decoded(pod(2)).status)
    siblings.share(new, before=two)
    assert new.status.conditions is one.status.conditions
    assert new.spec.containers is two.spec.containers
    assert new.metadata.labels is two.metadata.labels
    new.metadata.labels = dict(two.metadata.labels)
    siblings.share(new, before=two)
    assert new.metadata.labels is one.metadata.labels
    assert (new.spec, new.status) == (pod(2).spec, pod(2).status)


def test_what_differs_stays_its_own() -> None:
    siblings = Siblings()
    first, other, strange, orphan = (
        decoded(each) for each in (pod(1), pod(2, image="registry/web:2"), pod(3, owner="b"), pod(4, owner=""))
    )
    for each in (first, other, strange, orphan):
        siblings.share(each)
    assert other.spec.containers[0].image == "registry/web:2"
    assert other.spec.containers[0].args is first.spec.containers[0].args
    assert other.spec.tolerations is first.spec.tolerations
    assert strange.spec.tolerations is not first.spec.tolerations
    assert orphan.spec.tolerations is not first.spec.tolerations


@pytest.mark.parametrize("other", [True, 1.0, 1])
def test_json_without_a_type_stays_as_it_was_written(other: object) -> None:
    """A default of 1 is equal to one of true, and is another."""

    def definition(uid: str, default: object) -> CustomResourceDefinition:
        root = JSONSchemaProps(type="object", properties={"a": JSONSchemaProps(default=default)})
        schema = CustomResourceValidation(open_apiv3_schema=root)
        version = CustomResourceDefinitionVersion(name="v1", served=True, storage=True, schema=schema)
        made = CustomResourceDefinition(metadata=pod(0).metadata, spec=CustomResourceDefinitionSpec(versions=[version]))
        made.metadata.uid = uid
        return msgspec.json.decode(msgspec.json.encode(made), type=CustomResourceDefinition)

    siblings = Siblings()
    for uid in ("itself", "another"):
        first, second = definition("itself", 1), definition(uid, other)
        before = msgspec.json.encode(second)
        siblings.share(first)
        siblings.share(second)
        assert msgspec.json.encode(second) == before
        assert second.metadata.labels is first.metadata.labels


def test_few_are_remembered() -> None:
    siblings = Siblings(limit=10)
    for number in range(25):
        siblings.share(decoded(pod(number, owner=f"owner-{number}")))
    assert len(siblings._models) == 5


def test_the_entries_of_a_cache_share() -> None:
    recent: RecentlyDecoded = RecentlyDecoded(limit=0)
    entries = [Entry(str(n), n, msgspec.json.encode(pod(n)), DECODER.decode, recent) for n in range(2)]
    assert entries[0].object.spec.containers is entries[1].object.spec.containers


def test_controllers_without_objects_are_forgotten() -> None:
    present = RecentlyDecoded.of_versions(1 << 20)
    for number in range(10):
        raw = msgspec.json.encode(pod(number, owner=f"owner-{number}"))
        entry, last = (Entry(str(number), 1, raw, DECODER.decode, recent) for recent in (present, present.past))
        assert entry.object == last.object
        present.gone(entry)
        entry.supersede()
        assert last.object.metadata.name == f"p{number}"
    assert not present._siblings._models
    assert len(present) == 0
