"""Subresources over HTTPS: evictions, scale, the codes and shapes of answers."""

from typing import Any

import pytest

from .api import MERGE, Api
from .kubectl import Kubectl


@pytest.fixture
def node(api: Api, namespace: str) -> Any:
    """A node that nobody runs."""
    name = f"node-{namespace}"
    api.create("/api/v1/nodes", {"metadata": {"name": name}})
    yield name
    api.request("DELETE", f"/api/v1/nodes/{name}")


def running_pod(api: Api, namespace: str, name: str, node: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    spec = {"nodeName": node, "containers": [{"name": "c", "image": "example.invalid/c:1"}]}
    api.create(path, {"metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec})
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    answer = api.request("PATCH", f"{path}/{name}/status", {"status": status}, MERGE)
    assert answer.code == 200, answer.text


@pytest.mark.parametrize("version", ["policy/v1", "policy/v1beta1"])
def test_evictions_of_either_version(api: Api, namespace: str, node: str, version: str) -> None:
    running_pod(api, namespace, "a", node)
    path = f"/api/v1/namespaces/{namespace}/pods/a/eviction"
    eviction = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": "a"}}
    trial = api.request("POST", f"{path}?dryRun=All", eviction)
    assert trial.code == 201, trial.text
    assert "deletionTimestamp" not in api.get(f"/api/v1/namespaces/{namespace}/pods/a")["metadata"]
    answer = api.request("POST", path, eviction)
    assert (answer.code, answer.body["status"], answer.body["code"]) == (201, "Success", 201)
    assert api.get(f"/api/v1/namespaces/{namespace}/pods/a")["metadata"]["deletionTimestamp"]


@pytest.mark.parametrize(
    ("subresource", "body", "code", "message"),
    [
        (
            "eviction",
            {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "b"}},
            400,
            "name in URL does not match name in Eviction object",
        ),
        (
            "eviction",
            {"apiVersion": "policy/v2", "kind": "Eviction", "metadata": {"name": "a"}},
            400,
            "does not match the expected API version",
        ),
        (
            "binding",
            {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "a"}, "target": {"name": "n"}},
            409,
            'pod a is already assigned to node "',
        ),
        ("log", {}, 405, "the server does not allow this method on the requested resource"),
        ("status", {}, 405, "the server does not allow this method on the requested resource"),
        ("nothing", {}, 404, "the server could not find the requested resource"),
    ],
)
def test_posts_that_are_refused(
    api: Api, namespace: str, node: str, subresource: str, body: dict[str, Any], code: int, message: str
) -> None:
    running_pod(api, namespace, "a", node)
    answer = api.request("POST", f"/api/v1/namespaces/{namespace}/pods/a/{subresource}", body)
    assert answer.code == code, answer.text
    assert message in answer.body["message"]
    if subresource == "eviction":
        assert api.request("GET", f"/api/v1/namespaces/{namespace}/pods/a/eviction").code == 405


def test_scale_is_an_object_of_its_own(api: Api, namespace: str) -> None:
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "c"}]}}
    for group, plural, selector in (
        ("apis/apps/v1", "deployments", {"matchLabels": {"app": "x"}}),
        ("apis/apps/v1", "replicasets", {"matchLabels": {"app": "x"}}),
        ("apis/apps/v1", "statefulsets", {"matchLabels": {"app": "x"}}),
        ("api/v1", "replicationcontrollers", {"app": "x"}),
    ):
        path = f"/{group}/namespaces/{namespace}/{plural}"
        spec = {"replicas": 0, "selector": selector, "template": template}
        api.create(path, {"metadata": {"name": "s"}, "spec": spec})
        scale = api.get(f"{path}/s/scale")
        assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {})
        assert scale["status"] == {"replicas": 0, "selector": "app=x"}
        negative = api.request("PATCH", f"{path}/s/scale", {"spec": {"replicas": -1}}, MERGE)
        assert negative.code == 422
        assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in negative.body["message"]
        stale = api.request(
            "PUT", f"{path}/s/scale", {**scale, "metadata": {**scale["metadata"], "resourceVersion": "1"}}
        )
        assert stale.code == 409
        changed = api.request("PATCH", f"{path}/s/scale", {"metadata": {"resourceVersion": "1"}}, MERGE)
        assert changed.code == 409
        assert api.request("POST", f"{path}/s/scale", scale).code == 405


def test_what_a_deletion_answers(api: Api, namespace: str) -> None:
    """202 where the caller asks for its dependents' deletion and the object waits for them."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for name, finalizers in (("a", []), ("b", ["example.com/wait"])):
        api.create(path, {"metadata": {"name": name, "finalizers": finalizers}})
    gone = api.request("DELETE", f"{path}/a", {"orphanDependents": False})
    assert (gone.code, gone.body["status"], gone.body["details"]["name"]) == (200, "Success", "a")
    waiting = api.request("DELETE", f"{path}/b", {"orphanDependents": False})
    assert (waiting.code, waiting.body["kind"]) == (202, "ConfigMap")
    api.request("PATCH", f"{path}/b", {"metadata": {"finalizers": None}}, MERGE)
    everything = api.request("DELETE", path)
    assert (everything.code, everything.body["kind"]) == (200, "ConfigMapList")


@pytest.mark.kubectl
def test_scale_as_a_table(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "d", "--image=example.invalid/x:1", "--replicas=0")
    header, row = kubectl("get", "deployment", "d", "--subresource=scale").splitlines()
    assert header.split() == ["NAME", "DESIRED", "AVAILABLE", "AGE"]
    assert row.split()[:3] == ["d", "0", "0"]
