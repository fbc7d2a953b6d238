"""The client libraries of others against a cluster inside a test, by the means that their own documentation shows."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from steersman.testing import AsyncCluster, Cluster

LABELS = {"app": "web"}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": LABELS},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"containers": [{"name": "web", "image": "example.invalid/web:1"}]},
        },
    },
}
GADGETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
GADGET: dict[str, Any] = {
    "apiVersion": "example.com/v1",
    "kind": "Gadget",
    "metadata": {"name": "a"},
    "spec": {"size": 1},
}


@pytest.fixture(scope="module")
def kubernetes_cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        cluster.apply(GADGETS)
        yield cluster


def test_kubernetes(kubernetes: Cluster) -> None:
    from kubernetes import client, config, dynamic, watch

    with config.new_client_from_config_dict(kubernetes.kubeconfig) as connection:
        core, apps = client.CoreV1Api(connection), client.AppsV1Api(connection)
        apps.create_namespaced_deployment("default", DEPLOYMENT)
        changes = watch.Watch()
        for event in changes.stream(apps.list_namespaced_deployment, "default", timeout_seconds=10):
            if event["object"].status.available_replicas == 2:
                changes.stop()
        pods = core.list_namespaced_pod("default", label_selector="app=web").items
        assert [pod.status.phase for pod in pods] == ["Running"] * 2
        apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 0}})
        kubernetes.wait_for("pods", selector="app=web", deleted=True)
        gadgets = dynamic.DynamicClient(connection).resources.get(api_version="example.com/v1", kind="Gadget")
        assert gadgets.create(body=GADGET, namespace="default").spec.size == 1
    with config.new_client_from_config_dict(kubernetes.as_user("jane").kubeconfig) as connection:
        with pytest.raises(client.ApiException) as refused:
            client.CoreV1Api(connection).list_namespace()
        assert refused.value.status == 403


async def test_kubernetes_asyncio(async_kubernetes: AsyncCluster) -> None:
    from kubernetes_asyncio import client, config, watch

    async with await config.new_client_from_config_dict(async_kubernetes.kubeconfig) as connection:
        await client.AppsV1Api(connection).create_namespaced_deployment("default", DEPLOYMENT)
        ready = 0
        async with watch.Watch().stream(client.CoreV1Api(connection).list_namespaced_pod, "default") as changes:
            async for event in changes:
                conditions = event["object"].status.conditions or []
                ready += any(each.type == "Ready" and each.status == "True" for each in conditions)
                if ready >= 2:
                    break
        custom = client.CustomObjectsApi(connection)
        await custom.create_namespaced_custom_object("example.com", "v1", "default", "gadgets", GADGET)
        found = await custom.list_namespaced_custom_object("example.com", "v1", "default", "gadgets")
        assert [each["spec"]["size"] for each in found["items"]] == [1]


async def test_kr8s(async_kubernetes: AsyncCluster) -> None:
    import kr8s
    from kr8s.asyncio.objects import Deployment

    api = await kr8s.asyncio.api(kubeconfig=str(async_kubernetes.kubeconfig_path))
    deployment = await Deployment(DEPLOYMENT, api=api)
    await deployment.create()
    await deployment.wait("condition=Available", timeout=10)
    pods = [pod async for pod in api.get("pods", namespace="default", label_selector=LABELS)]
    assert len(pods) == 2
    await deployment.scale(1)
    await deployment.delete()


def test_kr8s_without_asyncio(kubernetes: Cluster) -> None:
    import kr8s
    from kr8s.objects import ConfigMap, new_class

    api = kr8s.api(kubeconfig=str(kubernetes.kubeconfig_path))
    config_map = ConfigMap({"metadata": {"name": "a", "namespace": "default"}, "data": {"a": "1"}}, api=api)
    config_map.create()
    config_map.patch({"data": {"a": "2"}})
    assert kubernetes.wait_for("configmap/a").data == {"a": "2"}
    gadgets = new_class("Gadget", version="example.com/v1")
    gadgets(GADGET | {"metadata": {"name": "a", "namespace": "default"}}, api=api).create()
    assert kubernetes.wait_for("gadget/a").content["spec"] == {"size": 1}


def test_lightkube(kubernetes: Cluster) -> None:
    from lightkube import ApiError, Client, KubeConfig
    from lightkube.codecs import load_all_yaml
    from lightkube.generic_resource import create_namespaced_resource
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.apps_v1 import Deployment
    from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod

    client = Client(config=KubeConfig.from_dict(kubernetes.kubeconfig), field_manager="lightkube")
    client.apply(ConfigMap(metadata=ObjectMeta(name="a", namespace="default"), data={"a": "1"}))
    client.create(Deployment.from_dict(DEPLOYMENT))
    client.wait(Deployment, "web", for_conditions=["Available"])
    assert {pod.status.phase for pod in client.list(Pod, labels=LABELS)} == {"Running"}
    gadget = create_namespaced_resource("example.com", "v1", "Gadget", "gadgets")
    assert client.create(gadget(GADGET)).spec["size"] == 1
    assert not list(load_all_yaml(""))
    jane = Client(config=KubeConfig.from_dict(kubernetes.as_user("jane").kubeconfig))
    with pytest.raises(ApiError, match="is forbidden"):
        list(jane.list(Namespace))


async def test_lightkube_with_asyncio(async_kubernetes: AsyncCluster) -> None:
    from lightkube import AsyncClient, KubeConfig
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.core_v1 import ConfigMap

    client = AsyncClient(config=KubeConfig.from_dict(async_kubernetes.kubeconfig))

    async def seen() -> str:
        async for operation, each in client.watch(ConfigMap, namespace="default"):
            if each.metadata.name == "a":
                return str(operation)
        return ""

    watching = asyncio.create_task(seen())
    await client.create(ConfigMap(metadata=ObjectMeta(name="a", namespace="default")))
    assert await asyncio.wait_for(watching, 10) == "ADDED"
    await client.close()
