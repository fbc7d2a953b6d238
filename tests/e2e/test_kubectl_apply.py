"""Server-side apply and managed fields, as kubectl users meet them."""

import json
from typing import Any

import pytest

from .api import Api
from .kubectl import Kubectl
from .waiting import until

pytestmark = pytest.mark.kubectl

SERVER_SIDE = ("apply", "--server-side", "-f", "-")


def config_map(**data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": data})


def deployment(image: str = "example.invalid/web:1", **spec: Any) -> str:
    containers = [{"name": "main", "image": image, "ports": [{"containerPort": 80}]}]
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})


def managers(kubectl: Kubectl, what: str) -> dict[tuple[str, str, str], Any]:
    entries = kubectl.json("get", what, "--show-managed-fields")["metadata"]["managedFields"]
    return {(each["manager"], each["operation"], each.get("subresource", "")): each["fieldsV1"] for each in entries}


def test_apply_creates_changes_and_leaves_alone(kubectl: Kubectl) -> None:
    assert kubectl(*SERVER_SIDE, input=config_map(a="1", b="2")).strip() == "configmap/cm serverside-applied"
    version = kubectl.json("get", "cm/cm")["metadata"]["resourceVersion"]
    kubectl(*SERVER_SIDE, input=config_map(a="1", b="2"))
    assert kubectl.json("get", "cm/cm")["metadata"]["resourceVersion"] == version
    assert managers(kubectl, "cm/cm") == {("kubectl", "Apply", ""): {"f:data": {"f:a": {}, "f:b": {}}}}
    assert "managedFields" not in kubectl.json("get", "cm/cm")["metadata"]
    dry = kubectl(*SERVER_SIDE, "--dry-run=server", "-o", "json", input=config_map(a="5"))
    assert json.loads(dry)["data"] == {"a": "5"}
    kubectl(*SERVER_SIDE, input=config_map(b="3"))
    assert kubectl.json("get", "cm/cm")["data"] == {"b": "3"}


def test_conflicts_and_force(kubectl: Kubectl) -> None:
    kubectl(*SERVER_SIDE, input=config_map(a="1", b="2"))
    kubectl("patch", "cm/cm", "--type=merge", "-p", '{"data":{"b":"3"}}', "--field-manager=somebody")
    said = kubectl.refused(*SERVER_SIDE, input=config_map(a="1", b="4"))
    assert 'Apply failed with 1 conflict: conflict with "somebody" using v1: .data.b' in said
    said = kubectl.refused(*SERVER_SIDE, "--field-manager=her", input=config_map(a="2", b="4"))
    assert 'conflicts with "kubectl":\n- .data.a\nconflicts with "somebody" using v1:\n- .data.b' in said
    kubectl(*SERVER_SIDE, "--force-conflicts", input=config_map(a="1", b="4"))
    assert kubectl.json("get", "cm/cm")["data"] == {"a": "1", "b": "4"}
    assert list(managers(kubectl, "cm/cm")) == [("kubectl", "Apply", "")]


def test_what_was_applied_on_the_clients_side_is_taken_over(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=deployment(replicas=1))
    assert ("kubectl-client-side-apply", "Update", "") in managers(kubectl, "deploy/web")
    # `replicas` goes to whom no longer says so only where kubectl has taken its old ownership over.
    kubectl(*SERVER_SIDE, input=deployment("example.invalid/web:2", replicas=2))
    kubectl(*SERVER_SIDE, input=deployment("example.invalid/web:3", minReadySeconds=1))
    found = kubectl.json("get", "deploy/web")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "example.invalid/web:3"
    assert found["spec"]["replicas"] == 1
    owners = managers(kubectl, "deploy/web")
    assert "f:replicas" not in owners["kubectl", "Apply", ""]["f:spec"]
    assert ("kubectl-client-side-apply", "Update", "") not in owners
    last = json.loads(found["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
    assert last["spec"]["minReadySeconds"] == 1


def test_scale_and_status_have_owners_of_their_own(kubectl: Kubectl) -> None:
    kubectl(*SERVER_SIDE, input=deployment(replicas=1))
    kubectl("scale", "deploy/web", "--replicas=2")

    def seen() -> bool:
        return ("kube-controller-manager", "Update", "status") in managers(kubectl, "deploy/web")

    until(seen, "the controller writes the deployment's status", 15.0, 0.1)
    owners = managers(kubectl, "deploy/web")
    (scaler,) = [name for name, _, subresource in owners if subresource == "scale"]
    assert owners[scaler, "Update", "scale"] == {"f:spec": {"f:replicas": {}}}
    assert set(owners["kube-controller-manager", "Update", "status"]) <= {"f:status", "f:metadata"}
    said = kubectl.refused(*SERVER_SIDE, input=deployment(replicas=3))
    assert f'conflict with "{scaler}" with subresource "scale" using apps/v1: .spec.replicas' in said


def test_other_writes_name_their_manager(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "cm", "--from-literal=a=1")
    kubectl("label", "cm/cm", "x=y")
    kubectl("annotate", "cm/cm", "x=y")
    kubectl("replace", "-f", "-", input=config_map(a="2"))
    assert [name for name, _, _ in managers(kubectl, "cm/cm")] == ["kubectl-create", "kubectl-replace"]


def test_mistakes_are_told(kubectl: Kubectl) -> None:
    wrong = json.loads(deployment())
    wrong["spec"]["replica"] = 1
    said = kubectl.refused(*SERVER_SIDE, "--validate=false", input=json.dumps(wrong))
    identity = f"{kubectl.namespace}/web; apps/v1, Kind=Deployment"
    assert f"failed to create typed patch object ({identity}): .spec.replica: field not declared in schema" in said


def test_all_managers_can_be_forgotten(kubectl: Kubectl, api: Api) -> None:
    kubectl("create", "configmap", "cm", "--from-literal=a=1")
    kubectl("patch", "cm/cm", "--type=json", "-p", '[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]')
    assert "managedFields" not in kubectl.json("get", "cm/cm", "--show-managed-fields")["metadata"]
    kubectl(*SERVER_SIDE, input=config_map(a="1"))
    assert set(managers(kubectl, "cm/cm")) == {("kubectl", "Apply", ""), ("before-first-apply", "Update", "")}
