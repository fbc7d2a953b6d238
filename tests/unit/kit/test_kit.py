"""What the kit decides, and what it writes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from steersman.api.scheme import Resource
from steersman.api.selectors import from_label_selector
from steersman.api.types.coordination_v1 import Lease
from steersman.api.types.core_v1 import ConfigMap
from steersman.api.types.meta_v1 import LabelSelector
from steersman.client import Condition, HTTPClient, ObjectMeta, OwnerReference, StatusError, is_conflict, object_key
from steersman.controllers.kit import (
    Controller,
    ControllerContext,
    Manager,
    add_finalizer,
    claim,
    controlled_by,
    controller_reference,
    has_finalizer,
    is_deleting,
    is_true,
    remove_finalizer,
    with_condition,
)
from steersman.controllers.kit import manager as kit_manager
from steersman.controllers.kit.ownership import owner_key
from steersman.testing import Cluster, eventually, running

from .gadgets import Gadget

THEN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = THEN + timedelta(hours=1)


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[HTTPClient]:
    async with cluster.connect(Gadget) as client:
        yield client


@pytest.mark.parametrize(
    ("status", "since"), [("True", THEN), ("False", NOW)], ids=["the status stays", "the status changes"]
)
def test_a_condition_takes_the_place_of_that_of_its_type(status: str, since: datetime) -> None:
    other = Condition(type="Other", status="True", last_transition_time=THEN)
    present = [Condition(type="Ready", status="True", reason="A", last_transition_time=THEN), other]
    wanted = Condition(type="Ready", status=status, reason="B")
    changed = with_condition(present, wanted, instant=NOW)
    assert changed == [Condition(type="Ready", status=status, reason="B", last_transition_time=since), other]
    assert present[0].reason == "A"
    assert with_condition(changed, wanted, instant=NOW + timedelta(hours=1)) == changed
    assert is_true(changed, "Ready") == (status == "True")


def test_a_new_condition_comes_last() -> None:
    wanted = Condition(type="Ready", status="Unknown")
    added = with_condition([], wanted, instant=NOW)
    assert added == [Condition(type="Ready", status="Unknown", last_transition_time=NOW)]
    assert not is_true(added, "Ready")
    assert not is_true(added, "Other")


@pytest.mark.parametrize(
    ("api_version", "kind", "controller", "expected"),
    [
        ("example.com/v1", "Gadget", True, ["there/a"]),
        ("example.com/v2", "Gadget", True, ["there/a"]),
        ("example.com/v1", "Gadget", False, []),
        ("example.com/v1", "Widget", True, []),
        ("example.org/v1", "Gadget", True, []),
    ],
)
def test_the_key_of_an_owner(api_version: str, kind: str, controller: bool, expected: list[str]) -> None:
    owner = OwnerReference(api_version=api_version, kind=kind, name="a", uid="u", controller=controller)
    child = ConfigMap(metadata=ObjectMeta(name="c", namespace="there", owner_references=[owner]))
    gadgets: Resource[Gadget] = Resource("example.com", "v1", "gadgets", "Gadget", namespaced=True, type_=Gadget)
    assert owner_key(gadgets)(child) == expected
    cluster: Resource[Gadget] = Resource("example.com", "v1", "gadgets", "Gadget", namespaced=False, type_=Gadget)
    assert owner_key(cluster)(child) == ["a" for _ in expected]


async def test_finalizers_hold_an_object(client: HTTPClient, namespace: str) -> None:
    made = await client.create(Gadget(metadata=ObjectMeta(name="a", namespace=namespace, finalizers=["other.io/x"])))
    held = await add_finalizer(client, made, "example.com/hold")
    assert held.metadata.finalizers == ["other.io/x", "example.com/hold"]
    assert await add_finalizer(client, held, "example.com/hold") is held
    with pytest.raises(StatusError) as outdated:
        await add_finalizer(client, made, "example.com/more")
    assert is_conflict(outdated.value)
    await client.delete(Gadget, "a", namespace)
    deleting = await client.get(Gadget, "a", namespace)
    assert is_deleting(deleting)
    assert has_finalizer(deleting, "example.com/hold")
    kept = await remove_finalizer(client, deleting, "example.com/hold")
    assert kept.metadata.finalizers == ["other.io/x"]
    await remove_finalizer(client, kept, "other.io/x")
    assert (await client.list(Gadget, namespace)).items == []


async def test_what_is_chosen_is_adopted_and_what_is_not_released(client: HTTPClient, namespace: str) -> None:
    """Custom resources, which take no strategic merge patches, beside those that do."""
    owner = await client.create(Gadget(metadata=ObjectMeta(name="owner", namespace=namespace)))
    other = await client.create(ConfigMap(metadata=ObjectMeta(name="other", namespace=namespace)))
    stranger = OwnerReference(api_version="v1", kind="ConfigMap", name="other", uid=other.metadata.uid)
    selector = from_label_selector(LabelSelector(match_labels={"of": "owner"}))
    for which in (Gadget, ConfigMap):
        metadata = ObjectMeta(name="a", namespace=namespace, labels={"of": "owner"}, owner_references=[stranger])
        orphan = await client.create(which(metadata=metadata))
        assert await claim(client, owner, [orphan], selector) == [orphan]
        adopted = await client.get(which, "a", namespace)
        assert controlled_by(adopted, owner)
        assert adopted.metadata.owner_references[0] == stranger
        adopted.metadata.labels = {}
        assert await claim(client, owner, [adopted], selector) == []
        assert (await client.get(which, "a", namespace)).metadata.owner_references == [stranger]
        orphan.metadata.uid = "another"  # what was read is gone, and its name another's
        with pytest.raises(StatusError) as caught:
            await claim(client, owner, [orphan], selector)
        assert is_conflict(caught.value)


class Copier(Controller):
    """Makes a config map for each gadget, and counts how often it is made itself."""

    name = "copier"
    made = 0

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        type(self).made += 1
        self.gadgets = self.watch(Gadget, lambda gadget: [object_key(gadget)])
        self.maps = self.watch_owned(ConfigMap, Gadget)

    async def background(self) -> None:
        if type(self).made == 1:
            raise RuntimeError("the first one fails as a whole")

    async def reconcile(self, key: str) -> float | None:
        gadget = self.gadgets.lister.by_key(key)
        if gadget is not None and self.maps.lister.by_key(key) is None:
            metadata = ObjectMeta(
                name=gadget.metadata.name,
                namespace=gadget.metadata.namespace,
                owner_references=[controller_reference(gadget)],
            )
            await self.client.create(ConfigMap(metadata=metadata))
        return None


async def test_a_controller_that_fails_is_made_anew(
    client: HTTPClient, namespace: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit_manager, "MIN_BACKOFF", 0.05)
    Copier.made = 0
    async with running(Manager(client, [Copier])) as manager:
        await client.create(Gadget(metadata=ObjectMeta(name="a", namespace=namespace)))
        await eventually(lambda: client.get(ConfigMap, "a", namespace))
        await client.delete(ConfigMap, "a", namespace)
        await eventually(lambda: client.get(ConfigMap, "a", namespace))

        async def again() -> bool:
            return Copier.made == 2

        await eventually(again)
        assert [queue.name for queue in manager.queues()] == ["copier"]
        await client.delete(ConfigMap, "a", namespace)
        await eventually(lambda: client.get(ConfigMap, "a", namespace))
    assert manager.queues() == []
    assert "copier failed" in caplog.text


async def test_one_of_several_leads(client: HTTPClient, namespace: str) -> None:
    Copier.made = 1

    def candidate(name: str) -> Manager:
        return Manager(
            client,
            [Copier],
            leader_election_id="copier",
            leader_election_namespace=namespace,
            identity=name,
        )

    async def holder() -> str:
        return (await client.get(Lease, "copier", namespace)).spec.holder_identity

    async with asyncio.TaskGroup() as group:
        async with running(candidate("one")):
            assert await holder() == "one"
            waiting = candidate("two")
            task = group.create_task(waiting.run())
            await client.create(Gadget(metadata=ObjectMeta(name="a", namespace=namespace)))
            await eventually(lambda: client.get(ConfigMap, "a", namespace))
            assert not waiting.ready.is_set()
            assert Copier.made == 2
        await asyncio.wait_for(waiting.ready.wait(), 10)
        assert await holder() == "two"
        task.cancel()
