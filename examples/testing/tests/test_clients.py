"""Each client library of Python against the same cluster: how it gets there, what it does there, how it lets go."""

from __future__ import annotations

import asyncio
from typing import Any

import kr8s
import kubernetes_asyncio
import pytest
from deployments import deployment
from kr8s.asyncio.objects import Deployment as AsyncDeployment
from kr8s.objects import ConfigMap as Kr8sConfigMap
from kr8s.objects import new_class
from kubernetes import client, config, dynamic, watch
from lightkube import ApiError, AsyncClient, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod

from steersman.testing import AsyncCluster, Cluster

LABELS = {"site": "web"}
DEPLOYMENT = deployment("web", {"image": "registry.example.com/web:1", "replicas": 2})
SITE: dict[str, Any] = {
    "apiVersion": "example.com/v1",
    "kind": "Site",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"image": "a"},
}


def test_kubernetes(kubernetes: Cluster) -> None:
    with config.new_client_from_config_dict(kubernetes.kubeconfig) as connection:
        core, apps = client.CoreV1Api(connection), client.AppsV1Api(connection)
        apps.create_namespaced_deployment("default", DEPLOYMENT)
        changes = watch.Watch()
        for event in changes.stream(apps.list_namespaced_deployment, "default", timeout_seconds=10):
            if event["object"].status.available_replicas == 2:
                changes.stop()
        pods = core.list_namespaced_pod("default", label_selector="site=web").items
        assert [pod.status.phase for pod in pods] == ["Running"] * 2
        apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 0}})
        kubernetes.wait_for("pods", selector="site=web", deleted=True)
        sites = dynamic.DynamicClient(connection).resources.get(api_version="example.com/v1", kind="Site")
        assert sites.create(body=SITE, namespace="default").spec.replicas == 1
        connection.rest_client.pool_manager.clear()  # what was watched is closed by nothing else


def test_kubernetes_as_somebody_else(kubernetes: Cluster) -> None:
    jane = kubernetes.as_user("jane").kubeconfig
    with config.new_client_from_config_dict(jane) as connection, pytest.raises(client.ApiException) as refused:
        client.CoreV1Api(connection).list_namespace()
    assert refused.value.status == 403


async def test_kubernetes_asyncio(async_kubernetes: AsyncCluster) -> None:
    connect = kubernetes_asyncio.config.new_client_from_config_dict
    async with await connect(async_kubernetes.kubeconfig) as connection:
        await kubernetes_asyncio.client.AppsV1Api(connection).create_namespaced_deployment("default", DEPLOYMENT)
        core, ready = kubernetes_asyncio.client.CoreV1Api(connection), 0
        async with kubernetes_asyncio.watch.Watch().stream(core.list_namespaced_pod, "default") as changes:
            async for event in changes:
                conditions = event["object"].status.conditions or []
                ready += any(each.type == "Ready" and each.status == "True" for each in conditions)
                if ready >= 2:
                    break
        sites = kubernetes_asyncio.client.CustomObjectsApi(connection)
        await sites.create_namespaced_custom_object("example.com", "v1", "default", "sites", SITE)
        found = await sites.list_namespaced_custom_object("example.com", "v1", "default", "sites")
        assert [each["spec"]["replicas"] for each in found["items"]] == [1]


async def test_kr8s(async_kubernetes: AsyncCluster) -> None:
    """Its connections go with its API's object and the event loop."""
    api = await kr8s.asyncio.api(kubeconfig=str(async_kubernetes.kubeconfig_path))
    made = await AsyncDeployment(DEPLOYMENT, namespace="default", api=api)
    await made.create()
    await made.wait("condition=Available", timeout=10)
    pods = [pod async for pod in api.get("pods", namespace="default", label_selector=LABELS)]
    assert len(pods) == 2
    await made.scale(1)
    await made.delete()


def test_kr8s_without_asyncio(kubernetes: Cluster) -> None:
    """It keeps a thread of its own, for as long as the process lives."""
    api = kr8s.api(kubeconfig=str(kubernetes.kubeconfig_path))
    made = Kr8sConfigMap({"metadata": {"name": "a", "namespace": "default"}, "data": {"a": "1"}}, api=api)
    made.create()
    made.patch({"data": {"a": "2"}})
    assert kubernetes.wait_for("configmap/a").data == {"a": "2"}
    new_class("Site", version="example.com/v1")(SITE, api=api).create()
    assert kubernetes.wait_for("site/web").content["spec"] == {"image": "a", "replicas": 1}


def test_lightkube(kubernetes: Cluster) -> None:
    with Client(config=KubeConfig.from_dict(kubernetes.kubeconfig), field_manager="lightkube") as connection:
        connection.apply(ConfigMap(metadata=ObjectMeta(name="a", namespace="default"), data={"a": "1"}))
        connection.create(Deployment.from_dict(DEPLOYMENT))
        connection.wait(Deployment, "web", for_conditions=["Available"])
        assert {pod.status.phase for pod in connection.list(Pod, labels=LABELS)} == {"Running"}
        site = create_namespaced_resource("example.com", "v1", "Site", "sites")
        assert connection.create(site(SITE)).spec["replicas"] == 1
    jane = KubeConfig.from_dict(kubernetes.as_user("jane").kubeconfig)
    with Client(config=jane) as connection, pytest.raises(ApiError, match="is forbidden"):
        list(connection.list(Namespace))


async def test_lightkube_with_asyncio(async_kubernetes: AsyncCluster) -> None:
    connection = AsyncClient(config=KubeConfig.from_dict(async_kubernetes.kubeconfig))

    async def seen() -> str:
        async for operation, each in connection.watch(ConfigMap, namespace="default"):
            if each.metadata.name == "a":
                return str(operation)
        return ""

    watching = asyncio.create_task(seen())
    await connection.create(ConfigMap(metadata=ObjectMeta(name="a", namespace="default")))
    assert await asyncio.wait_for(watching, 10) == "ADDED"
    await connection.close()
