"""Restored, the world is what it was, whatever was going on."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import apps_v1, core_v1, rbac_v1
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.api.types.coordination_v1 import Lease
from steersman.api.user import User
from steersman.apiserver.seams import Attributes
from steersman.storage.store import Put
from steersman.testing import snapshots
from steersman.testing.snapshots import NotRestored, Snapshot, Snapshots

from .inside import WIDGETS, Inside, config_map, deployment


async def take(world: Inside) -> Snapshot:
    return await Snapshots(world.store, world.settling).take()


async def contents(world: Inside) -> dict[str, bytes]:
    """Everything there is but heartbeats."""
    items = (await world.store.range("/registry/")).items
    return {item.key: item.value for item in items if not item.key.startswith("/registry/leases/")}


async def versions(world: Inside) -> dict[str, int]:
    return {item.key: item.mod_revision for item in (await world.store.range("/registry/")).items}


@pytest.mark.parametrize("world", ["memory", "sqlite"], indirect=True)
async def test_what_was_made_goes_and_what_was_changed_or_deleted_comes_back(world: Inside) -> None:
    await world.create(deployment("kept"), config_map("kept"), config_map("changed"))
    snapshot = await take(world)
    before, untouched = await contents(world), await versions(world)
    await world.create(deployment(), config_map("new"))
    changed = codecs.copy(await world.client.get(core_v1.ConfigMap, "changed", "default"))
    changed.data["a"] = "b"
    await world.client.update(changed)
    await world.client.delete(apps_v1.Deployment, "kept", "default")
    await world.settle()
    assert await contents(world) != before
    await snapshot.restore()
    assert await contents(world) == before
    key = "/registry/configmaps/default/kept"
    assert (await versions(world))[key] == untouched[key]
    pods = (await world.client.list(core_v1.Pod, "default")).items
    assert len(pods) == 3  # they are seen as they were, too
    await asyncio.sleep(0.05)
    assert await contents(world) == before


async def test_again_and_again_and_within_each_other(world: Inside) -> None:
    outer = await take(world)
    first = await contents(world)
    await world.create(config_map("a"))
    inner = await take(world)
    second = await contents(world)
    for _ in range(3):
        await world.create(deployment())
        await world.client.delete(core_v1.ConfigMap, "a", "default")
        await inner.restore()
        assert await contents(world) == second
    await outer.restore()
    assert await contents(world) == first


async def test_in_the_middle_of_a_rollout(world: Inside) -> None:
    await world.create(deployment("old", replicas=10))
    snapshot = await take(world)
    before = await contents(world)
    for turns in (3, 30):
        await world.create(deployment("web", replicas=50))
        changed = codecs.copy(await world.client.get(apps_v1.Deployment, "old", "default"))
        container = changed.spec.template.spec.containers[0]
        container.image = "b:2"
        await world.client.update(changed)
        for _ in range(turns):
            await asyncio.sleep(0)
        await snapshot.restore()
        assert await contents(world) == before


async def test_a_controller_does_its_work_after_it_was_interrupted(world: Inside) -> None:
    snapshot = await take(world)
    for turns in (1, 8, 32):
        await world.create(deployment(replicas=50))
        for _ in range(turns):
            await asyncio.sleep(0)
        await snapshot.restore()
    await world.create(deployment(replicas=50))
    await world.settle()
    assert (await world.client.get(apps_v1.Deployment, "web", "default")).status.available_replicas == 50


async def test_while_a_namespace_is_being_deleted(world: Inside) -> None:
    await world.create("{apiVersion: v1, kind: Namespace, metadata: {name: doomed}}")
    await world.create(deployment(namespace="doomed"), *(config_map(f"c{number}", "doomed") for number in range(20)))
    await world.create(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: held, namespace: doomed, finalizers: [example.com/a]}}"
    )
    snapshot = await take(world)
    before = await contents(world)
    for turns in (0, 50, 500):
        await world.client.delete(core_v1.Namespace, "doomed")
        for _ in range(turns):
            await asyncio.sleep(0)
        await snapshot.restore()
        assert await contents(world) == before
    await world.create(config_map("new", "doomed"))


async def test_an_object_that_waits_for_its_finalizer(world: Inside) -> None:
    snapshot = await take(world)
    before = await contents(world)
    await world.create(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: held, namespace: default, finalizers: [example.com/a]}}"
    )
    await world.client.delete(core_v1.ConfigMap, "held", "default")
    await snapshot.restore()
    assert await contents(world) == before


async def widgets(world: Inside, count: int) -> None:
    resource = world.client.scheme.by_kind("example.com/v1", "Widget")
    assert resource is not None
    for number in range(count):
        obj = resource.type()
        obj.api_version, obj.kind = "example.com/v1", "Widget"
        obj.metadata.name, obj.metadata.namespace = f"w{number}", "default"
        await world.client.create(obj)


@pytest.mark.parametrize(("count", "turns"), [(100, 0), (100, 20), (1000, None)])
async def test_a_definition_that_was_deleted_with_its_objects(world: Inside, count: int, turns: int | None) -> None:
    await world.create(WIDGETS)
    await world.settle()
    await widgets(world, count)
    snapshot = await take(world)
    before = await contents(world)
    await world.client.delete(CustomResourceDefinition, "widgets.example.com")
    if turns is None:
        await world.settle()
        assert world.client.scheme.by_kind("example.com/v1", "Widget") is None
    else:
        for _ in range(turns):
            await asyncio.sleep(0)
    await snapshot.restore()
    assert await contents(world) == before
    resource = world.client.scheme.by_kind("example.com/v1", "Widget")
    assert resource is not None
    assert not resource.terminating
    assert len((await world.client.list(resource, "default")).items) == count


async def test_a_definition_that_was_made(world: Inside) -> None:
    snapshot = await take(world)
    before = await contents(world)
    for _ in range(2):
        await world.create(WIDGETS)
        await world.settle()
        await widgets(world, 3)
        await snapshot.restore()
        assert await contents(world) == before
        assert world.client.scheme.by_kind("example.com/v1", "Widget") is None


async def test_addresses_and_ports_and_roles_are_those_of_then(world: Inside) -> None:
    service = """
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: default}
spec: {type: NodePort, clusterIP: 10.96.7.7, ports: [{port: 80, nodePort: 30777}]}
"""
    snapshot = await take(world)
    user = User("jane", ("system:authenticated",))
    reads = Attributes(user, "get", "", "v1", "secrets", "", "default", "a")
    for name in ("a", "b"):
        await world.create(service % name)
        await world.create(
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: jane}, "
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}, "
            "subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}]}"
        )
        await world.settle()
        assert world.server.authorizer.decide(reads).allowed
        await snapshot.restore()
        assert not world.server.authorizer.decide(reads).allowed
    assert not [
        each for each in (await world.client.list(rbac_v1.ClusterRoleBinding)).items if each.metadata.name == "jane"
    ]


async def test_watches_see_ordinary_events(world: Inside) -> None:
    await world.create(config_map("changed"), config_map("deleted"))
    remade = (await world.create(config_map("remade")))[0]
    snapshot = await take(world)
    version = (await world.client.list(core_v1.ConfigMap, "default")).resource_version
    seen: list[tuple[str, str, str]] = []

    async def follow() -> None:
        async for type_, obj in world.client.watch(core_v1.ConfigMap, "default", resource_version=version):
            seen.append((type_, obj.metadata.name, obj.metadata.uid))

    task = asyncio.create_task(follow())
    await world.create(config_map("new"))
    await world.client.delete(core_v1.ConfigMap, "deleted", "default")
    await world.client.delete(core_v1.ConfigMap, "remade", "default")
    other = (await world.create(config_map("remade")))[0]
    await world.settle()
    seen.clear()
    await snapshot.restore()
    task.cancel()
    told = {name: [each[0] for each in seen if each[1] == name] for _, name, _ in seen}
    assert told == {"new": ["DELETED"], "deleted": ["ADDED"], "remade": ["DELETED", "ADDED"]}
    assert [each[2] for each in seen if each[1] == "remade"] == [other.metadata.uid, remade.metadata.uid]


async def test_it_costs_what_has_changed(world: Inside) -> None:
    await world.store.commit([Put(f"/registry/configmaps/default/c{n:05}", OBJECT % n) for n in range(10_000)])
    await world.settle()
    snapshot = await take(world)
    best = 1.0
    for _ in range(5):
        await world.create(config_map("new"))
        await world.settle()
        started = time.perf_counter()
        await snapshot.restore()
        best = min(best, time.perf_counter() - started)
    assert best < 0.01


OBJECT = b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"c%05d","namespace":"default","uid":"u"}}'


async def test_who_keeps_changing_the_world_is_named(world: Inside) -> None:
    snapshot = await take(world)
    stop = False

    async def write() -> None:
        while not stop:
            made: Any = await world.create(config_map("restless"))
            while not stop and await world.store.get("/registry/configmaps/default/restless"):
                await asyncio.sleep(0)
            del made

    task = asyncio.create_task(write())
    with pytest.raises(NotRestored, match="configmaps/default/restless"):
        await snapshot.restore(within=0.05)
    stop = True
    await task


async def test_who_keeps_changing_much_is_named_too(world: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is written back in parts, and at rest each time that it is looked at."""
    monkeypatch.setattr(snapshots, "TOGETHER", 1)
    keys = ["/registry/configmaps/default/a", "/registry/configmaps/default/b"]
    await world.create(config_map("a"), config_map("b"))
    snapshot = await take(world)
    calm, looks = world.settling.calm, count()

    async def disturbed(within: float = 10.0) -> None:
        await calm(within)
        assert next(looks) < 1000, "this is to end"
        for key in keys:
            found = await world.store.get(key)
            assert found is not None
            await world.store.commit([Put(key, found.value.replace(b'"a":"a"', b'"a":"b"'), found.mod_revision)])

    await world.create(config_map("c"), config_map("d"))
    monkeypatch.setattr(world.settling, "calm", disturbed)
    with pytest.raises(NotRestored, match="configmaps/default/a"):
        await snapshot.restore(within=0.05)


GUARDS = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: guard}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  validations: [{expression: "object.metadata.name != 'refused'", message: by policy}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: guard}
spec: {policyName: guard, validationActions: [Deny]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: guard}
webhooks:
- name: guard.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {url: "https://127.0.0.1:1/"}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [secrets]}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.elsewhere.example.com}
spec:
  group: elsewhere.example.com
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {name: none, namespace: default}
"""


async def test_nobody_guards_what_was_not_guarded_then(world: Inside) -> None:
    snapshot = await take(world)
    before = await contents(world)
    secret = "{apiVersion: v1, kind: Secret, metadata: {name: refused, namespace: default}}"
    for _ in range(2):
        await world.create(GUARDS)
        await world.settle()
        with pytest.raises(StatusError, match="by policy"):
            await world.create(config_map("refused"))
        with pytest.raises(StatusError, match="failed calling webhook"):
            await world.create(secret)
        assert "elsewhere.example.com/v1" in world.server.elsewhere.undiscovered()
        await snapshot.restore()
        assert await contents(world) == before
        assert not world.server.elsewhere.undiscovered()
        await world.create(config_map("refused"), secret)
        await snapshot.restore()


LEASE = """
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: %s, namespace: %s}
spec: {holderIdentity: %s, leaseDurationSeconds: 15}
"""


async def test_leases_of_others_are_those_of_then_and_heartbeats_go_on(world: Inside) -> None:
    mine = [("operator", "kube-system"), ("operator", "default"), ("operator", "kube-node-lease")]
    theirs = [("kube-scheduler", "kube-system"), ("a-server", "kube-system")]
    await world.create(*(LEASE % (*each, "then") for each in (*mine, *theirs)))
    server = codecs.copy(await world.client.get(Lease, "a-server", "kube-system"))
    server.metadata.labels = {"apiserver.kubernetes.io/identity": "kube-apiserver"}
    await world.client.update(server)
    await world.settle()
    (beating,) = (await world.client.list(core_v1.Node)).items
    theirs += [(beating.metadata.name, "kube-node-lease")]
    snapshot = await take(world)
    for name, namespace in (*mine, *theirs):
        lease = codecs.copy(await world.client.get(Lease, name, namespace))
        if namespace != "kube-node-lease" or name == "operator":
            lease.spec.holder_identity = "now"
        lease.spec.lease_duration_seconds = 77
        await world.client.update(lease)
    await snapshot.restore()
    held = {each: (await world.client.get(Lease, *each)).spec for each in (*mine, *theirs)}
    assert {each: spec.lease_duration_seconds for each, spec in held.items()} == {
        **dict.fromkeys(mine, 15),
        **dict.fromkeys(theirs, 77),
    }
    taken = codecs.copy(await world.client.get(Lease, *theirs[2]))
    taken.spec.holder_identity = "somebody else"
    await world.client.update(taken)
    await snapshot.restore()
    assert (await world.client.get(Lease, *theirs[2])).spec.holder_identity == beating.metadata.name


async def test_controllers_see_what_comes_back_as_a_whole(world: Inside) -> None:
    await world.create(deployment(replicas=150))
    await world.settle()
    version = (await world.client.list(core_v1.Pod, "default")).resource_version
    snapshot = await take(world)
    await world.client.delete(apps_v1.Deployment, "web", "default")
    await world.settle()
    assert not (await world.client.list(core_v1.Pod, "default")).items
    await snapshot.restore()
    added = []
    async with asyncio.timeout(5):
        async for type_, pod in world.client.watch(core_v1.Pod, "default", resource_version=version):
            if type_ == "ADDED":
                added.append(pod.metadata.uid)
                if len(added) == 150:
                    break
    assert set(added) == {each.metadata.uid for each in (await world.client.list(core_v1.Pod, "default")).items}


async def test_what_nobody_can_restore_is_kept_no_longer(world: Inside) -> None:
    kept = len(world.store._holds)
    snapshot = await take(world)
    assert len(world.store._holds) == kept + 1
    del snapshot
    await asyncio.sleep(0)
    assert len(world.store._holds) == kept


async def test_what_was_released_is_not_restored(world: Inside) -> None:
    snapshot = await take(world)
    await snapshot.release()
    with pytest.raises(RuntimeError, match="released"):
        await snapshot.restore()
