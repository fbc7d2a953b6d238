"""Mutating admission policies on a real API server, by kubectl."""

from collections.abc import Callable

import pytest

from .api import new_namespace
from .conftest import VERSIONS
from .kubectl import Kubectl
from .processes import Server
from .test_custom_resources import definition, install

POLICY = """
apiVersion: admissionregistration.k8s.io/v1beta1
kind: MutatingAdmissionPolicy
metadata: {name: sidecar}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"]}
  matchConditions:
  - {name: is-not-there, expression: "!object.spec.containers.exists(c, c.name == 'mesh')"}
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >
        Object{spec: Object.spec{containers: [Object.spec.containers{name: "mesh", image: "mesh:1"}]}}
  - patchType: JSONPatch
    jsonPatch:
      expression: >
        [JSONPatch{op: "test", path: "/metadata/annotations/mesh", value: null},
         JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("example.com/mesh"), value: "yes"}]
---
apiVersion: admissionregistration.k8s.io/v1beta1
kind: MutatingAdmissionPolicyBinding
metadata: {name: sidecar}
spec: {policyName: sidecar}
---
apiVersion: admissionregistration.k8s.io/v1beta1
kind: MutatingAdmissionPolicy
metadata: {name: widgets}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: ["GROUP"], apiVersions: ["v1"], operations: ["*"], resources: ["widgets"]}
  reinvocationPolicy: Never
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: "Object{spec: Object.spec{size: object.spec.size + 1}}"}
---
apiVersion: admissionregistration.k8s.io/v1beta1
kind: MutatingAdmissionPolicyBinding
metadata: {name: widgets}
spec: {policyName: widgets}
"""

POD = """
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: a, image: a}]}
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_policies_change_what_kubectl_applies(make_server: Callable[..., Server], version: str) -> None:
    server = make_server(
        "--datastore", "memory", "--runtime-config", "admissionregistration.k8s.io/v1beta1=true"
    ).start()
    namespace = new_namespace(server.api, "test")
    kubectl = Kubectl(version, server.kubeconfig, namespace)
    group = f"{namespace}.example.com"
    install(server.api, definition(group))
    kubectl("apply", "-f", "-", input=POLICY.replace("GROUP", group))
    kubectl("apply", "-f", "-", input=POD)
    pod = kubectl.json("get", "pod", "a")
    assert [each["name"] for each in pod["spec"]["containers"]] == ["a", "mesh"]
    assert pod["metadata"]["annotations"]["example.com/mesh"] == "yes"
    kubectl("apply", "-f", "-", input=POD)  # as it is now, nobody changes it again
    assert kubectl.json("get", "pod", "a") == pod
    widget = f"apiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: a}}\nspec: {{size: 3}}"
    kubectl("apply", "--server-side", "-f", "-", input=widget)
    assert kubectl.json("get", "widget", "a")["spec"]["size"] == 4
    assert "mutatingadmissionpolicies" in kubectl("api-resources", "--api-group=admissionregistration.k8s.io")
    assert "PARAMKIND" in kubectl("get", "mutatingadmissionpolicies")
    assert "apiserver_mutating_admission_policy_check_total{" in server.api.request("GET", "/metrics").text
