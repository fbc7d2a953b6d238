"""The control plane that tests of operators run against."""

import json
import ssl
import threading
import urllib.request
from pathlib import Path

import pytest

from steersman.api.types.apps_v1 import Deployment
from steersman.api.types.core_v1 import Namespace, Pod
from steersman.client import ObjectMeta, StatusError, is_not_found
from steersman.testing import ControlPlane, eventually

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


async def test_its_controllers_work_and_its_pods_say_that_they_run(control_plane: ControlPlane) -> None:
    namespace = control_plane.create_namespace("some")
    assert namespace.startswith("some-")
    control_plane.install(deployment(namespace))
    async with control_plane.connect() as client:

        async def available() -> bool:
            return (await client.get(Deployment, "web", namespace)).status.available_replicas == 2

        await eventually(available)
        pods = (await client.list(Pod, namespace)).items
        assert {pod.status.phase for pod in pods} == {"Running"}
        assert len({pod.status.pod_ip for pod in pods}) == 2
        control_plane.delete_namespace(namespace)

        async def gone() -> bool:
            try:
                await client.get(Namespace, namespace)
            except StatusError as error:
                return is_not_found(error)
            return False

        await eventually(gone)


async def test_manifests_are_installed_once(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    manifest = tmp_path / "all.yaml"
    gadget = {
        "apiVersion": "example.com/v1",
        "kind": "Gadget",
        "metadata": {"name": "a", "namespace": namespace},
        "spec": {"size": 1},
    }
    manifest.write_text("---\n".join(json.dumps(each) + "\n" for each in (DEFINITION, gadget)))
    control_plane.install(manifest)
    control_plane.install(str(manifest), DEFINITION)
    async with control_plane.connect(Gadget) as client:
        assert (await client.get(Gadget, "a", namespace)).spec.color == "blue"
    with pytest.raises(ValueError, match='no matches for kind "Nothing" in version "v1"'):
        control_plane.install({"apiVersion": "v1", "kind": "Nothing"})
    with pytest.raises(StatusError, match=r"spec\.size"):
        control_plane.install(gadget | {"metadata": {"name": "b", "namespace": namespace}, "spec": {"size": -1}})


async def test_roles_are_tried_out_by_impersonation(control_plane: ControlPlane, namespace: str) -> None:
    metadata = {"name": "reader", "namespace": namespace}
    rule = {"apiGroups": ["example.com"], "resources": ["gadgets"], "verbs": ["get", "list"]}
    group = "rbac.authorization.k8s.io"
    control_plane.install(
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "reader"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "jane"}],
        },
    )
    async with control_plane.connect(Gadget, user="jane") as jane:
        assert (await jane.list(Gadget, namespace)).items == []
        with pytest.raises(StatusError) as refused:
            await jane.create(Gadget(metadata=ObjectMeta(name="a", namespace=namespace)))
    assert refused.value.code == 403


def test_it_leaves_nothing() -> None:
    before = set(threading.enumerate())
    with ControlPlane(controllers=(), run_pods=False) as plane:
        directory = plane.kubeconfig.parent
        config = plane.config
        context = ssl.create_default_context(cadata=config.ca_data.decode())
        with urllib.request.urlopen(f"{config.server}/readyz", context=context) as answer:
            assert answer.read() == b"ok"
        assert plane.create_namespace("quick").startswith("quick-")
    assert not directory.exists()
    assert {thread for thread in threading.enumerate() if not thread.daemon} <= before
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{config.server}/readyz", context=context)
