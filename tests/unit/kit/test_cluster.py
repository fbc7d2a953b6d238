"""The cluster that tests of operators run against."""

import json
import ssl
import threading
import urllib.request
from pathlib import Path

import pytest

from steersman.api.types.apps_v1 import Deployment
from steersman.api.types.core_v1 import Namespace, Pod
from steersman.client import ObjectMeta, StatusError, is_not_found
from steersman.testing import Cluster, eventually

from .gadgets import DEFINITION, Gadget


def deployment(namespace: str) -> dict[str, object]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "example.invalid/a"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }


async def test_its_controllers_work_and_its_pods_say_that_they_run(cluster: Cluster) -> None:
    namespace = cluster.create_namespace(prefix="some")
    assert namespace.startswith("some-")
    cluster.apply(deployment(namespace))
    async with cluster.connect() as client:

        async def available() -> bool:
            return (await client.get(Deployment, "web", namespace)).status.available_replicas == 2

        await eventually(available)
        pods = (await client.list(Pod, namespace)).items
        assert {pod.status.phase for pod in pods} == {"Running"}
        assert len({pod.status.pod_ip for pod in pods}) == 2
        cluster.delete_namespace(namespace)

        async def gone() -> bool:
            try:
                await client.get(Namespace, namespace)
            except StatusError as error:
                return is_not_found(error)
            return False

        await eventually(gone)


async def test_manifests_are_applied_again_and_again(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    manifest = tmp_path / "all.yaml"
    gadget = {
        "apiVersion": "example.com/v1",
        "kind": "Gadget",
        "metadata": {"name": "a", "namespace": namespace},
        "spec": {"size": 1},
    }
    manifest.write_text("---\n".join(json.dumps(each) + "\n" for each in (DEFINITION, gadget)))
    cluster.apply(manifest)
    cluster.apply(str(manifest), DEFINITION)
    async with cluster.connect(Gadget) as client:
        assert (await client.get(Gadget, "a", namespace)).spec.color == "blue"
    with pytest.raises(ValueError, match='no matches for kind "Nothing" in version "v1"'):
        cluster.apply({"apiVersion": "v1", "kind": "Nothing"})
    with pytest.raises(StatusError, match=r"spec\.size"):
        cluster.apply(gadget | {"metadata": {"name": "b", "namespace": namespace}, "spec": {"size": -1}})


async def test_roles_are_tried_out_as_somebody_else(cluster: Cluster, namespace: str) -> None:
    metadata = {"name": "reader", "namespace": namespace}
    rule = {"apiGroups": ["example.com"], "resources": ["gadgets"], "verbs": ["get", "list"]}
    group = "rbac.authorization.k8s.io"
    cluster.apply(
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "reader"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "jane"}],
        },
    )
    async with cluster.as_user("jane").connect(Gadget) as jane:
        assert (await jane.list(Gadget, namespace)).items == []
        with pytest.raises(StatusError) as refused:
            await jane.create(Gadget(metadata=ObjectMeta(name="a", namespace=namespace)))
    assert refused.value.code == 403


def test_it_leaves_nothing() -> None:
    before = set(threading.enumerate())
    with Cluster(controllers=(), nodes=0) as cluster:
        directory = cluster.kubeconfig_path.parent
        config = cluster.config
        context = ssl.create_default_context(cadata=config.ca_data.decode())
        with urllib.request.urlopen(f"{config.server}/readyz", context=context) as answer:
            assert answer.read() == b"ok"
        assert cluster.create_namespace(prefix="quick").startswith("quick-")
    assert not directory.exists()
    assert set(threading.enumerate()) == before
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{config.server}/readyz", context=context)
