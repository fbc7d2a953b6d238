"""Every kubectl of this machine against `steersman testserver`, by its kubeconfig and by its token."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.kubectls import installed

from .kubectl import Kubectl
from .processes import STEERSMAN

pytestmark = pytest.mark.kubectl

MANIFEST = """
apiVersion: v1
kind: Namespace
metadata: {name: NAME}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAME}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.invalid/web:1", ports: [{containerPort: 80}]}]}
"""


@pytest.fixture(scope="module")
def testserver() -> Iterator[dict[str, Any]]:
    command = [STEERSMAN, "testserver", "--json", "--nodes=2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.communicate(timeout=10)


@pytest.fixture(params=list(installed()) or [pytest.param("", marks=pytest.mark.skip("there is no kubectl"))])
def kubectl(request: pytest.FixtureRequest, testserver: dict[str, Any]) -> Kubectl:
    return Kubectl(request.param, Path(testserver["kubeconfig"]), f"test-{request.param.replace('.', '-')}")


def test_a_deployment_from_its_application_to_its_end(kubectl: Kubectl) -> None:
    manifest = MANIFEST.replace("NAME", kubectl.namespace)
    kubectl("apply", "-f", "-", input=manifest)
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    pods = kubectl.json("get", "pods", "-l", "app=web")["items"]
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    assert {pod["spec"]["nodeName"] for pod in pods} <= {"node-0", "node-1"}
    assert "Ready" in kubectl("get", "nodes")
    kubectl("scale", "deployment/web", "--replicas=1")
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=1", "deployment/web", "--timeout=20s")
    kubectl("set", "image", "deployment/web", "web=example.invalid/web:2")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    kubectl("diff", "-f", "-", input=kubectl("get", "deployment/web", "-o", "yaml"))
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=manifest)
    kubectl("delete", "namespace", kubectl.namespace, "--timeout=30s")


def test_a_token_is_an_administrators(kubectl: Kubectl, testserver: dict[str, Any], tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_text(testserver["ca"])
    options = ("--server", testserver["address"], "--certificate-authority", str(authority))
    (tmp_path / "config").write_text("apiVersion: v1\nkind: Config\n")
    anonymous = Kubectl(kubectl.version, tmp_path / "config", "default")
    answer = anonymous(*options, "--token", testserver["token"], "auth", "can-i", "*", "*", "--all-namespaces")
    assert answer.strip() == "yes"
    assert "You must be logged in" in anonymous.refused(*options, "--token", "none", "get", "nodes")
