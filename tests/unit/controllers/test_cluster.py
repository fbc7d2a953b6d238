from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from steersman.api.types.core_v1 import (
    ConfigMap,
    Container,
    ContainerPort,
    Endpoints,
    Namespace,
    Node,
    Pod,
    PodSpec,
    Service,
    ServiceAccount,
    ServicePort,
    ServiceSpec,
)
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.api.types.meta_v1 import ObjectMeta, OwnerReference
from steersman.api.types.rbac_v1 import ClusterRole
from steersman.controllers.config import ControllerManagerConfig
from steersman.controllers.kit.conditions import condition

from .world import World, deployment

QUICK = ControllerManagerConfig(
    root_ca=b"PEM",
    node_monitor_period=0.05,
    node_monitor_grace_period=0.3,
    node_startup_grace_period=0.3,
    node_eviction_rate=100.0,
    pod_gc_period=0.05,
    pod_gc_quarantine=0.1,
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World(QUICK) as world:
        await world.namespace()
        await world.until(lambda: world.client.get(ServiceAccount, "default", "test"))
        yield world


async def test_every_namespace_gets_its_account_and_the_root_certificate(world: World) -> None:
    found = await world.until(lambda: world.client.get(ConfigMap, "kube-root-ca.crt", "test"))
    assert found.data == {"ca.crt": "PEM"}
    await world.client.delete(ServiceAccount, "default", "test")
    await world.change(ConfigMap, "kube-root-ca.crt", "test", lambda obj: obj.data.update({"ca.crt": "other"}))

    async def restored() -> bool:
        config_map = await world.client.get(ConfigMap, "kube-root-ca.crt", "test")
        return config_map.data == {"ca.crt": "PEM"} and bool(await world.client.get(ServiceAccount, "default", "test"))

    await world.until(restored)


async def test_a_deleted_namespace_takes_all_content_with_it(world: World) -> None:
    await world.client.create(deployment(replicas=5))
    await world.client.create(ConfigMap(metadata=ObjectMeta(name="held", namespace="test", finalizers=["a/b"])))

    async def five() -> bool:
        return len(await world.pods()) == 5

    await world.until(five)
    await world.client.delete(Namespace, "test")

    async def held() -> bool:
        found = await world.client.get(Namespace, "test")
        remaining = condition(found.status.conditions, "NamespaceFinalizersRemaining")
        return (
            found.status.phase == "Terminating"
            and remaining is not None
            and remaining.message
            == "Some content in the namespace has finalizers remaining: a/b in 1 resource instances"
        )

    await world.until(held)
    assert await world.pods() == []
    await world.change(ConfigMap, "held", "test", lambda obj: obj.metadata.finalizers.clear())
    await world.until(lambda: world.gone(Namespace, "test"))


async def test_endpoints_follow_readiness(world: World) -> None:
    ports = [ServicePort(name="http", port=80, target_port="web")]
    spec = ServiceSpec(selector={"app": "web"}, ports=ports)
    await world.client.create(Service(metadata=ObjectMeta(name="svc", namespace="test"), spec=spec))
    for name, image in (("good", "app:1"), ("bad", "app:bad")):
        world.broken_images.add("app:bad")
        container = Container(name="c", image=image, ports=[ContainerPort(name="web", container_port=8080)])
        metadata = ObjectMeta(name=name, namespace="test", labels={"app": "web"})
        await world.client.create(Pod(metadata=metadata, spec=PodSpec(containers=[container])))

    async def slices() -> list[EndpointSlice]:
        found = (await world.client.list(EndpointSlice, "test")).items
        return found if found and len(found[0].endpoints) == 2 else []

    (found,) = await world.until(slices)
    assert found.metadata.labels["kubernetes.io/service-name"] == "svc"
    assert found.metadata.labels["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    assert [(port.name, port.port, port.protocol) for port in found.ports] == [("http", 8080, "TCP")]
    states = {item.target_ref.name: item.conditions.ready for item in found.endpoints}
    assert states == {"good": True, "bad": False}

    async def endpoints() -> bool:
        obj = await world.client.get(Endpoints, "svc", "test")
        return bool(obj.subsets) and (len(obj.subsets[0].addresses), len(obj.subsets[0].not_ready_addresses)) == (1, 1)

    await world.until(endpoints)
    await world.client.delete(Pod, "good", "test")

    async def left() -> bool:
        obj = (await world.client.list(EndpointSlice, "test")).items[0]
        return [item.target_ref.name for item in obj.endpoints] == ["bad"]

    await world.until(left)
    await world.client.delete(Service, "svc", "test")

    async def none() -> bool:
        left = [item.metadata.name for item in (await world.client.list(Endpoints, "test")).items]
        return not left and not (await world.client.list(EndpointSlice, "test")).items

    await world.until(none)


async def test_nodes_get_distinct_pod_networks(world: World) -> None:
    for number in range(4):
        await world.node(f"n{number}")

    async def assigned() -> list[str]:
        cidrs = [node.spec.pod_cidr for node in (await world.client.list(Node)).items]
        return cidrs if all(cidrs) else []

    cidrs = await world.until(assigned)
    assert len(set(cidrs)) == 4
    assert all(cidr.startswith("10.244.") and cidr.endswith("/24") for cidr in cidrs)


async def test_a_silent_node_is_marked_and_emptied(world: World) -> None:
    await world.node("silent")
    await world.node("other")
    pods = {"patient": None, "hasty": 0}
    for name, seconds in pods.items():
        from steersman.api.types.core_v1 import Toleration

        tolerations = [
            Toleration(
                key="node.kubernetes.io/unreachable", operator="Exists", effect="NoExecute", toleration_seconds=seconds
            ),
            Toleration(key="node.kubernetes.io/not-ready", operator="Exists"),
        ]
        spec = PodSpec(containers=[Container(name="c", image="i")], node_name="silent", tolerations=tolerations)
        await world.client.create(Pod(metadata=ObjectMeta(name=name, namespace="test"), spec=spec))
    world.broken_images.add("none")

    async def beat() -> bool:
        """The other node goes on posting its status."""
        from steersman.api import codecs
        from steersman.api.errors import StatusError
        from steersman.api.time import now
        from steersman.api.types.core_v1 import NodeCondition

        node = codecs.copy(await world.client.get(Node, "other"))
        world.addresses += 1
        from datetime import timedelta

        stamp = now() + timedelta(seconds=world.addresses)
        node.status.conditions = [NodeCondition(type="Ready", status="True", last_heartbeat_time=stamp)]
        try:
            await world.client.update(node, subresource="status")
        except StatusError as error:
            if error.code != 409:
                raise
        silent = await world.client.get(Node, "silent")
        ready = condition(silent.status.conditions, "Ready")
        effects = {(taint.key, taint.effect) for taint in silent.spec.taints}
        return (
            ready is not None
            and ready.reason == "NodeStatusUnknown"
            and {("node.kubernetes.io/unreachable", effect) for effect in ("NoSchedule", "NoExecute")} <= effects
            and await world.gone(Pod, "hasty", "test")
        )

    await world.until(beat)
    patient = await world.client.get(Pod, "patient", "test")
    assert patient.metadata.deletion_timestamp is None

    async def unready() -> bool:
        ready = condition((await world.client.get(Pod, "patient", "test")).status.conditions, "Ready")
        return ready is not None and ready.status == "False"

    await world.until(unready)


async def test_pods_of_a_node_that_is_gone_are_removed() -> None:
    async with World(QUICK, kubelet=False) as world:
        await world.namespace()
        await world.until(lambda: world.client.get(ServiceAccount, "default", "test"))
        spec = PodSpec(containers=[Container(name="c", image="i")], node_name="nowhere")
        await world.client.create(Pod(metadata=ObjectMeta(name="lost", namespace="test"), spec=spec))
        await world.until(lambda: world.gone(Pod, "lost", "test"))


async def test_an_object_whose_owner_never_was_is_collected(world: World) -> None:
    owner = OwnerReference(api_version="v1", kind="ConfigMap", name="ghost", uid="0000-1")
    metadata = ObjectMeta(name="child", namespace="test", owner_references=[owner])
    await world.client.create(ConfigMap(metadata=metadata))
    await world.until(lambda: world.gone(ConfigMap, "child", "test"))


async def test_an_object_keeps_to_the_owner_that_is_left(world: World) -> None:
    real = await world.client.create(ConfigMap(metadata=ObjectMeta(name="real", namespace="test")))
    owners = [
        OwnerReference(api_version="v1", kind="ConfigMap", name="ghost", uid="0000-2"),
        OwnerReference(api_version="v1", kind="ConfigMap", name="real", uid=real.metadata.uid),
    ]
    await world.client.create(ConfigMap(metadata=ObjectMeta(name="child", namespace="test", owner_references=owners)))

    async def one_left() -> bool:
        child = await world.client.get(ConfigMap, "child", "test")
        return [item.name for item in child.metadata.owner_references] == ["real"]

    await world.until(one_left)


async def test_the_bootstrap_roles_are_aggregated(world: World) -> None:
    async def filled() -> bool:
        return all([(await world.client.get(ClusterRole, name)).rules for name in ("admin", "edit", "view")])

    await world.until(filled)
