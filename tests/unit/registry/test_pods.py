"""Pods: creation, binding, their subresources, deletion."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.pods import qos_class
from steersman.api.types import (
    core_v1 as v1,
)
from steersman.api.types import (
    node_v1,
)
from steersman.api.types.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta, OwnerReference, Preconditions, Status
from steersman.apiserver.registry.registry import Registry
from steersman.client.client import Patch
from steersman.client.local import LocalClient

from .conftest import context, pod


async def test_new_pods(client: LocalClient) -> None:
    wanted = pod()
    wanted.status.phase = "Running"
    created = await client.create(wanted)
    assert (created.status.phase, created.status.qos_class) == ("Pending", "BestEffort")
    assert (created.metadata.generation, created.spec.service_account_name) == (1, "default")
    (volume,) = created.spec.volumes
    assert volume.name.startswith("kube-api-access-")
    assert created.spec.containers[0].volume_mounts[0].mount_path == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert [each.toleration_seconds for each in created.spec.tolerations] == [300, 300]
    assert (created.spec.priority, created.spec.preemption_policy) == (0, "PreemptLowerPriority")
    critical = await client.create(pod("c", priority_class_name="system-node-critical"))
    assert critical.spec.priority == 2_000_001_000
    with pytest.raises(StatusError) as error:
        await client.create(pod("d", priority_class_name="nope"))
    assert error.value.status.message == 'pods "d" is forbidden: no PriorityClass with name nope was found'


async def test_replicas_are_as_good_as_the_first_of_them_but_for_their_metadata(client: LocalClient) -> None:
    def replica(name: str, **spec: object) -> v1.Pod:
        made = pod(name, **spec)
        reference = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="rs", uid="family", controller=True)
        made.metadata.owner_references = [reference]
        return made

    first, second = await client.create(replica("a")), await client.create(replica("b"))
    assert second.spec == first.spec, "the token's volume has the same name"
    odd = replica("c")
    odd.metadata.labels = {"not a key": "x"}
    with pytest.raises(StatusError) as error:
        await client.create(odd)
    assert "metadata.labels" in error.value.status.message
    with pytest.raises(StatusError) as error:
        await client.create(replica("d", restart_policy="Now"))
    assert "spec.restartPolicy" in error.value.status.message
    annotated = replica("e")
    annotated.metadata.annotations = {"controller.kubernetes.io/pod-deletion-cost": "much"}
    with pytest.raises(StatusError) as error:
        await client.create(annotated)
    assert "pod-deletion-cost" in error.value.status.message


def test_quality_of_service() -> None:
    def resources(requests: dict[str, str], limits: dict[str, str]) -> v1.PodSpec:
        each = v1.ResourceRequirements(requests=requests, limits=limits)
        return v1.PodSpec(containers=[v1.Container(name="c", resources=each)])

    full = {"cpu": "1", "memory": "1Gi"}
    assert qos_class(resources(full, full)) == "Guaranteed"
    assert qos_class(resources({"cpu": "1000m", "memory": "1024Mi"}, full)) == "Guaranteed"
    assert qos_class(resources({"cpu": "1"}, {})) == "Burstable"
    assert qos_class(resources({"cpu": "1"}, full)) == "Burstable"
    assert qos_class(resources({}, {})) == "BestEffort"


async def test_binding_once(client: LocalClient) -> None:
    await client.create(pod())

    async def bind(node: str) -> bool:
        binding = v1.Binding(metadata=ObjectMeta(name="p"), target=v1.ObjectReference(kind="Node", name=node))
        try:
            await client.create_subresource(v1.Pod, "p", "binding", binding, "default")
        except StatusError as error:
            if error.reason != "Conflict" or "is already assigned to node" not in error.status.message:
                raise
            return False
        return True

    assert sum(await asyncio.gather(*(bind(f"n{number}") for number in range(5)))) == 1
    bound = await client.get(v1.Pod, "p", "default")
    assert bound.spec.node_name.startswith("n")
    assert [(each.type, each.status) for each in bound.status.conditions] == [("PodScheduled", "True")]
    page = await client.list(v1.Pod)
    assert len(page.items) == 1


async def test_graceful_deletion(client: LocalClient, registry: Registry) -> None:
    handler = registry.handler_of(v1.Pod)
    await client.create(pod())
    gone = await handler.delete(context(), "default", "p", DeleteOptions())
    assert not isinstance(gone, Status)
    assert gone.object.metadata.name == "p"
    assert (await client.list(v1.Pod)).items == []
    await client.create(pod(node_name="n"))
    answer = await handler.delete(context(), "default", "p", DeleteOptions())
    assert not isinstance(answer, Status)
    meta = answer.object.metadata
    assert (meta.deletion_grace_period_seconds, meta.generation) == (30, 2)
    longer = await handler.delete(context(), "default", "p", DeleteOptions(grace_period_seconds=60))
    assert not isinstance(longer, Status)
    assert longer.revision == answer.revision
    shorter = await handler.delete(context(), "default", "p", DeleteOptions(grace_period_seconds=5))
    assert not isinstance(shorter, Status)
    assert meta.deletion_timestamp - shorter.object.metadata.deletion_timestamp == timedelta(seconds=25)
    await handler.delete(context(), "default", "p", DeleteOptions(grace_period_seconds=0))
    assert (await client.list(v1.Pod)).items == []
    wanted = pod(node_name="n")
    wanted.metadata.finalizers = ["example.com/hold"]
    await client.create(wanted)
    held = await handler.delete(context(), "default", "p", DeleteOptions(grace_period_seconds=0))
    assert not isinstance(held, Status)
    assert held.object.metadata.deletion_grace_period_seconds == 0


@pytest.mark.parametrize("uid", [False, True])
async def test_watchers_see_that_a_pod_deleted_at_once_is_being_deleted(
    client: LocalClient, registry: Registry, uid: bool
) -> None:
    created = await client.create(pod(node_name="n"))
    meta = created.metadata
    wanted = Preconditions(uid=meta.uid if uid else "", resource_version="" if uid else meta.resource_version)
    options = DeleteOptions(grace_period_seconds=0, preconditions=wanted)
    await registry.handler_of(v1.Pod).delete(context(), "default", "p", options)
    seen = []
    async for event in client.watch(v1.Pod, "default", resource_version=meta.resource_version, bookmarks=False):
        now = event.object.metadata
        seen.append((event.type, now.deletion_timestamp is not None, now.deletion_grace_period_seconds))
        if event.type == "DELETED":
            break
    assert seen == [("MODIFIED", True, 0), ("DELETED", True, 0)]


async def test_pod_status_keeps_spec(client: LocalClient) -> None:
    created = await client.create(pod())
    changed = codecs.copy(created)
    changed.spec.containers[0].image = "other"
    changed.status = v1.PodStatus(phase="Running", pod_ip="10.0.0.9")
    changed.metadata.owner_references = []
    updated = await client.update(changed, subresource="status")
    assert updated.spec.containers[0].image == "busybox:1.36"
    assert (updated.status.phase, updated.status.qos_class) == ("Running", "BestEffort")
    assert [each.ip for each in updated.status.pod_ips] == ["10.0.0.9"]
    assert updated.metadata.generation == 1


async def test_ephemeral_containers(client: LocalClient) -> None:
    created = await client.create(pod())
    body = b'{"spec":{"ephemeralContainers":[{"name":"debug","image":"busybox"}]}}'
    patch = Patch("application/strategic-merge-patch+json", body)
    patched = await client.patch(v1.Pod, "p", patch, "default", subresource="ephemeralcontainers")
    assert [each.name for each in patched.spec.ephemeral_containers] == ["debug"]
    assert patched.metadata.generation == 2
    assert created.spec.ephemeral_containers == []


async def test_ephemeral_containers_are_containers_with_less(client: LocalClient) -> None:
    debug = v1.EphemeralContainer(name="debug", image="busybox")
    with pytest.raises(StatusError) as error:
        await client.create(pod("early", ephemeral_containers=[debug]))
    assert "spec.ephemeralContainers: Forbidden: cannot be set on create" in error.value.status.message
    await client.create(pod())
    for extra, place in (
        ('"ports":[{"containerPort":80}]', "ports"),
        ('"resources":{"limits":{"cpu":"1"}}', "resources"),
        ('"targetContainerName":"nobody"', "targetContainerName"),
        ('"env":[{"name":""}]', "env[0].name"),
        ('"volumeMounts":[{"name":"nothing","mountPath":"/x"}]', "volumeMounts[0].name"),
    ):
        body = f'{{"spec":{{"ephemeralContainers":[{{"name":"debug","image":"busybox",{extra}}}]}}}}'
        patch = Patch("application/strategic-merge-patch+json", body.encode())
        with pytest.raises(StatusError) as error:
            await client.patch(v1.Pod, "p", patch, "default", subresource="ephemeralcontainers")
        assert f"spec.ephemeralContainers[0].{place}" in error.value.status.message


async def test_tolerations_grow_and_change_their_time_alone(client: LocalClient) -> None:
    mine = v1.Toleration(key="mine", operator="Exists", effect="NoExecute", toleration_seconds=5)
    created = await client.create(pod(tolerations=[mine]))
    longer = codecs.copy(created)
    longer.spec.tolerations[0].toleration_seconds = 7
    longer.spec.tolerations.append(v1.Toleration(key="more", operator="Exists"))
    changed = await client.update(longer)
    assert changed.spec.tolerations[0].toleration_seconds == 7
    assert changed.spec.tolerations[-1].key == "more"
    fewer = codecs.copy(changed)
    del fewer.spec.tolerations[0]
    with pytest.raises(StatusError) as error:
        await client.update(fewer)
    assert "spec.tolerations: Forbidden" in error.value.status.message


async def test_resizing_is_validated(client: LocalClient) -> None:
    await client.create(pod())

    async def resize(requests: str, limits: str) -> int:
        body = b'{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"%b"},"limits":{"cpu":"%b"}}}]}}'
        patch = Patch("application/strategic-merge-patch+json", body % (requests.encode(), limits.encode()))
        with pytest.raises(StatusError) as error:
            await client.patch(v1.Pod, "p", patch, "default", subresource="resize")
        return error.value.code

    assert await resize("2", "1") == 422
    assert await resize("-1", "1") == 422
    assert await resize("1", "1") == 422  # Burstable where there was BestEffort


async def test_runtime_classes_add_to_pods(client: LocalClient) -> None:
    await client.create(
        node_v1.RuntimeClass(
            metadata=ObjectMeta(name="sandboxed"),
            handler="kata",
            overhead=node_v1.Overhead(pod_fixed={"cpu": "100m"}),
            scheduling=node_v1.Scheduling(node_selector={"kata": "yes"}),
        )
    )
    created = await client.create(pod(runtime_class_name="sandboxed"))
    assert (created.spec.overhead, created.spec.node_selector) == ({"cpu": "100m"}, {"kata": "yes"})
    with pytest.raises(StatusError) as error:
        await client.create(pod("q", runtime_class_name="none"))
    assert error.value.status.message == 'pods "q" is forbidden: pod rejected: RuntimeClass "none" not found'


async def test_app_armor_in_both_forms(client: LocalClient) -> None:
    key = "container.apparmor.security.beta.kubernetes.io/"
    wanted = pod()
    name = wanted.spec.containers[0].name
    wanted.metadata.annotations = {f"{key}{name}": "localhost/a"}
    created = await client.create(wanted)
    context = created.spec.containers[0].security_context
    assert context is not None
    assert context.app_armor_profile == v1.AppArmorProfile(type="Localhost", localhost_profile="a")
    profile = v1.AppArmorProfile(type="RuntimeDefault")
    created = await client.create(pod("q", security_context=v1.PodSecurityContext(app_armor_profile=profile)))
    assert created.metadata.annotations == {f"{key}{name}": "runtime/default"}


async def test_keys_of_labels_become_part_of_selectors(client: LocalClient) -> None:
    constraint = v1.TopologySpreadConstraint(
        max_skew=1,
        topology_key="zone",
        when_unsatisfiable="DoNotSchedule",
        label_selector=LabelSelector(match_labels={"app": "a"}),
        match_label_keys=["pod-template-hash", "absent"],
    )
    wanted = pod(topology_spread_constraints=[constraint])
    wanted.metadata.labels = {"app": "a", "pod-template-hash": "x"}
    created = await client.create(wanted)
    selector = created.spec.topology_spread_constraints[0].label_selector
    assert selector is not None
    assert [(each.key, each.operator, each.values) for each in selector.match_expressions] == [
        ("pod-template-hash", "In", ["x"])
    ]


async def test_fields_behind_closed_gates_are_dropped(client: LocalClient) -> None:
    wanted = pod(workload_ref=v1.WorkloadReference(name="w", pod_group="g"))
    wanted.spec.containers[0].lifecycle = v1.Lifecycle(stop_signal="SIGUSR1")
    created = await client.create(wanted)
    assert created.spec.workload_ref is None
    lifecycle = created.spec.containers[0].lifecycle
    assert lifecycle is None or not lifecycle.stop_signal
