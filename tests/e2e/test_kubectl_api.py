"""Stock kubectl against an API server without a node: everything that needs no container."""

import json
from pathlib import Path

import pytest

from .api import new_namespace
from .cluster import REPOSITORY
from .kubectl import Kubectl
from .processes import Server
from .waiting import until

pytestmark = pytest.mark.kubectl

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "example.invalid/web:1", ports: [{containerPort: 80, name: http}]}
"""

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
"""


def test_version(kubectl: Kubectl) -> None:
    version = kubectl.json("version")
    assert version["serverVersion"]["minor"].startswith("35")
    assert version["clientVersion"]["minor"].rstrip("+") == str(kubectl.minor)


def test_api_resources(kubectl: Kubectl) -> None:
    rows = {line.split()[0]: line.split() for line in kubectl("api-resources").splitlines()}
    assert rows["pods"][:5] == ["pods", "po", "v1", "true", "Pod"]
    assert rows["deployments"][:5] == ["deployments", "deploy", "apps/v1", "true", "Deployment"]
    assert rows["nodes"][:5] == ["nodes", "no", "v1", "false", "Node"]
    assert {"clusterroles", "leases", "endpointslices", "customresourcedefinitions", "cronjobs"} <= set(rows)
    versions = kubectl("api-versions").split()
    assert {"v1", "apps/v1", "batch/v1", "rbac.authorization.k8s.io/v1"} <= set(versions)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pods.spec.containers.image", "<string>"),
        ("deployment.spec.replicas", "<integer>"),
        ("pod.spec", "-required-"),
        ("service.spec.ports", "<[]ServicePort>"),
    ],
)
def test_explain(kubectl: Kubectl, path: str, expected: str) -> None:
    said = kubectl("explain", path)
    assert expected in said
    assert "KIND:" in said
    assert "VERSION:" in said


def test_apply_twice_changes_once(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", input=DEPLOYMENT).strip() == "deployment.apps/web created"
    assert kubectl("apply", "-f", "-", input=DEPLOYMENT).strip() == "deployment.apps/web unchanged"
    changed = DEPLOYMENT.replace("web:1", "web:2").replace("replicas: 2", "replicas: 1")
    assert kubectl("apply", "-f", "-", input=changed).strip() == "deployment.apps/web configured"
    spec = kubectl.json("get", "deployment", "web")["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (1, "example.invalid/web:2")
    assert spec["template"]["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "name": "http", "protocol": "TCP"}
    ]
    # What a manifest no longer says goes away.
    kubectl("apply", "-f", "-", input=DEPLOYMENT.replace(", ports: [{containerPort: 80, name: http}]", ""))
    spec = kubectl.json("get", "deployment", "web")["spec"]
    assert "ports" not in spec["template"]["spec"]["containers"][0]


def test_diff(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=DEPLOYMENT)
    assert kubectl("diff", "-f", "-", input=DEPLOYMENT) == ""
    result = kubectl.run("diff", "-f", "-", input=DEPLOYMENT.replace("replicas: 2", "replicas: 3"))
    assert result.returncode == 1, result.stderr
    assert "+  replicas: 3" in result.stdout


def test_hello_applies(kubectl: Kubectl) -> None:
    """What `make up` deploys, checked by the server, then for real; the other examples have tests of their own."""
    hello = ["-R", "-f", str(REPOSITORY / "examples/hello")]
    dry = kubectl("apply", "--dry-run=server", "--validate=strict", *hello).splitlines()
    assert dry
    assert all(line.endswith("created (server dry run)") for line in dry)
    assert kubectl("get", "deployments,services", "-o", "name") == ""
    kubectl("apply", *hello)
    assert "deployment.apps/hello" in kubectl("get", "deployments,services", "-o", "name").split()
    kubectl("delete", "--wait=false", *hello)


def test_get_prints_the_columns_of_upstream(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=f"{DEPLOYMENT}---{SERVICE}")
    until(lambda: len(kubectl("get", "pods", "--no-headers").splitlines()) == 2, "two pods")

    def header(*arguments: str) -> list[str]:
        return kubectl("get", *arguments).splitlines()[0].split()

    assert header("pods") == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert header("pods", "-o", "wide")[-6:] == ["IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"]
    assert header("pods", "-A")[0] == "NAMESPACE"
    assert header("pods", "--show-labels")[-1] == "LABELS"
    assert header("pods", "-L", "app")[-1] == "APP"
    assert header("deployments") == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert header("deployments", "-o", "wide")[-3:] == ["CONTAINERS", "IMAGES", "SELECTOR"]
    assert header("replicasets") == ["NAME", "DESIRED", "CURRENT", "READY", "AGE"]
    assert header("services") == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert header("endpointslices") == ["NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"]
    assert header("configmaps") == ["NAME", "DATA", "AGE"]
    assert header("namespaces") == ["NAME", "STATUS", "AGE"]
    assert header("serviceaccounts")[0] == "NAME"
    assert header("events")[:5] == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT"]
    row = kubectl("get", "pods", "--no-headers").splitlines()[0].split()
    assert row[1:4] == ["0/1", "Pending", "0"]
    assert "pod/" in kubectl("get", "all")
    assert kubectl("get", "nodes", "-A", "-o", "wide") == ""


def test_get_with_selectors_and_formats(kubectl: Kubectl) -> None:
    for number, tier in enumerate(["front", "back", "back"]):
        kubectl("create", "configmap", f"c{number}", f"--from-literal=value={number}")
        kubectl("label", "configmap", f"c{number}", f"tier={tier}")

    def names(*arguments: str) -> list[str]:
        return kubectl("get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}", *arguments).split()

    assert names("-l", "tier=back") == ["c1", "c2"]
    assert names("-l", "tier in (front),tier!=back") == ["c0"]
    assert names("--field-selector", "metadata.name=c1") == ["c1"]
    assert set(names("--chunk-size=1")) >= {"c0", "c1", "c2"}
    assert kubectl("get", "configmap", "c2", "-o", "jsonpath={.data.value}") == "2"
    assert 'value: "2"' in kubectl("get", "configmap", "c2", "-o", "yaml")
    assert kubectl("get", "configmap", "c2", "-o", "custom-columns=N:.data.value", "--no-headers").strip() == "2"
    assert "c2" not in kubectl("get", "configmaps", "-l", "tier=front")
    assert 'configmaps "none" not found' in kubectl.refused("get", "configmap", "none")


def test_label_and_annotate(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "c")
    assert kubectl("label", "configmap", "c", "a=1", "b=2").strip() == "configmap/c labeled"
    assert "already has a value" in kubectl.refused("label", "configmap", "c", "a=3")
    kubectl("label", "configmap", "c", "a=3", "b-", "--overwrite")
    kubectl("annotate", "configmap", "c", "note=hello there")
    metadata = kubectl.json("get", "configmap", "c")["metadata"]
    assert metadata["labels"] == {"a": "3"}
    assert metadata["annotations"]["note"] == "hello there"


def test_patches_of_three_types(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=DEPLOYMENT)
    containers = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "example.invalid/side:1"}]}}}}
    kubectl("patch", "deployment", "web", "--type=strategic", "-p", json.dumps(containers))
    names = "jsonpath={.spec.template.spec.containers[*].name}"
    assert sorted(kubectl("get", "deployment", "web", "-o", names).split()) == ["main", "side"]
    kubectl("patch", "deployment", "web", "--type=merge", "-p", json.dumps(containers))
    assert kubectl("get", "deployment", "web", "-o", names) == "side"
    operations = [
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "replace", "path": "/spec/replicas", "value": 4},
        {"op": "add", "path": "/metadata/labels/a~1b", "value": "c"},
    ]
    kubectl("patch", "deployment", "web", "--type=json", "-p", json.dumps(operations))
    changed = kubectl.json("get", "deployment", "web")
    assert changed["spec"]["replicas"] == 4
    assert changed["metadata"]["labels"] == {"app": "web", "a/b": "c"}
    assert "patched (no change)" in kubectl("patch", "deployment", "web", "-p", '{"spec": {"replicas": 4}}')
    assert kubectl(
        "patch", "deployment", "web", "--subresource=scale", "--type=merge", "-p", '{"spec": {"replicas": 1}}'
    )
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "1"


def test_create_with_dry_run_by_the_server(kubectl: Kubectl) -> None:
    printed = kubectl("create", "-f", "-", "--dry-run=server", "-o", "json", input=DEPLOYMENT)
    created = json.loads(printed)
    assert created["spec"]["strategy"]["type"] == "RollingUpdate"
    assert created["metadata"]["uid"]
    assert kubectl("get", "deployments", "-o", "name") == ""
    kubectl("create", "deployment", "d", "--image=example.invalid/x:1", "--replicas=0")
    assert 'deployments.apps "d" already exists' in kubectl.refused(
        "create", "deployment", "d", "--image=example.invalid/x:1", "--dry-run=server"
    )


def test_field_validation_messages(kubectl: Kubectl) -> None:
    unknown = SERVICE.replace("selector:", "selectors:")
    assert 'unknown field "spec.selectors"' in kubectl.refused("create", "-f", "-", input=unknown)
    warned = kubectl.run("create", "--validate=warn", "-f", "-", input=unknown)
    assert warned.returncode == 0, warned.stderr
    assert 'Warning: unknown field "spec.selectors"' in warned.stderr
    kubectl("delete", "service", "web")
    ignored = kubectl.run("create", "--validate=false", "-f", "-", input=unknown)
    assert (ignored.returncode, "unknown field" in ignored.stderr) == (0, False)


def test_replace_and_conflict(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "c", "--from-literal=a=1")
    old = kubectl("get", "configmap", "c", "-o", "json")
    kubectl("replace", "-f", "-", input=old.replace('"a": "1"', '"a": "2"'))
    refused = kubectl.refused("replace", "-f", "-", input=old)
    assert "the object has been modified; please apply your changes to the latest version and try again" in refused
    assert kubectl("get", "configmap", "c", "-o", "jsonpath={.data.a}") == "2"


def test_edit(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("create", "configmap", "c", "--from-literal=a=before")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/before/after/ "$1"\n')
    editor.chmod(0o755)
    import subprocess

    done = subprocess.run(kubectl.command("edit", "configmap", "c"), env=kubectl.env | {"KUBE_EDITOR": str(editor)},
                          capture_output=True, text=True, timeout=30, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert kubectl("get", "configmap", "c", "-o", "jsonpath={.data.a}") == "after"


def test_watch(kubectl: Kubectl) -> None:
    with kubectl.background("get", "configmaps", "-w", "--output-watch-events", "-o", "name") as watch:
        watch.expect("configmap/kube-root-ca.crt")
        kubectl("create", "configmap", "seen", "--from-literal=a=1")
        watch.expect("configmap/seen")
        kubectl("delete", "configmap", "seen")
        until(lambda: sum("configmap/seen" in line for line in watch.read()) >= 2, "the deletion is seen")


def test_watch_as_table(kubectl: Kubectl) -> None:
    with kubectl.background("get", "deployments", "-w") as watch:
        kubectl("create", "deployment", "d", "--image=example.invalid/x:1", "--replicas=2")
        watch.expect("0/2")
        kubectl("scale", "deployment/d", "--replicas=3")
        watch.expect("0/3")


def test_wait(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "d", "--image=example.invalid/x:1")
    kubectl("wait", "--for=condition=Progressing", "deployment/d", "--timeout=20s")
    kubectl("wait", "--for=jsonpath={.spec.replicas}=1", "deployment/d", "--timeout=20s")
    assert "timed out waiting" in kubectl.refused("wait", "--for=condition=Available", "deployment/d", "--timeout=1s")
    with kubectl.background("wait", "--for=delete", "deployment/d", "--timeout=20s") as waiting:
        kubectl("delete", "deployment", "d", "--wait=false")
        assert waiting.process.wait(20) == 0


def test_scale_and_rollout_history(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=DEPLOYMENT)

    def desired() -> list[str]:
        return sorted(kubectl("get", "replicasets", "-o", "jsonpath={.items[*].spec.replicas}").split())

    kubectl("scale", "deployment/web", "--replicas=3")
    until(lambda: desired() == ["3"], "the replica set follows")
    assert (
        "expected replicas"
        in kubectl.refused("scale", "deployment/web", "--replicas=1", "--current-replicas=7").lower()
    )
    kubectl("set", "image", "deployment/web", "main=example.invalid/web:2")
    until(lambda: len(desired()) == 2, "a second replica set")
    history = kubectl("rollout", "history", "deployment/web")
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["1", "2"]
    assert "rollout to finish" in kubectl("rollout", "status", "deployment/web", "--watch=false")
    kubectl("rollout", "pause", "deployment/web")
    assert "paused" in kubectl.refused("rollout", "undo", "deployment/web")
    kubectl("rollout", "resume", "deployment/web")


def test_authorization_questions(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "pods").strip() == "yes"
    account = f"--as=system:serviceaccount:{kubectl.namespace}:default"
    assert kubectl.refused("auth", "can-i", "create", "pods", account).startswith("no")
    refused = kubectl.refused("get", "secrets", account)
    assert (
        f'User "system:serviceaccount:{kubectl.namespace}:default" cannot list resource "secrets" in API group "" '
        f'in the namespace "{kubectl.namespace}"'
    ) in refused
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=secrets")
    kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={kubectl.namespace}:default")
    until(lambda: kubectl.run("auth", "can-i", "list", "secrets", account).returncode == 0, "the role counts")
    assert "No resources found" in kubectl.run("get", "secrets", account).stderr
    if kubectl.minor >= 28:
        assert "kubernetes-admin" in kubectl("auth", "whoami")


def test_service_account_token(kubectl: Kubectl, api_server: Server) -> None:
    token = kubectl("create", "token", "default").strip()
    plain = [
        "--kubeconfig=/dev/null",
        f"--server={api_server.api.url}",
        "--insecure-skip-tls-verify",
        f"--token={token}",
    ]
    import subprocess

    def ask(*arguments: str) -> str:
        done = subprocess.run([kubectl.program, *plain, *arguments], capture_output=True, text=True, timeout=30,
                              env=kubectl.env, check=False)  # fmt: skip
        return done.stdout + done.stderr

    assert f"system:serviceaccount:{kubectl.namespace}:default" in ask("get", "secrets", "-n", kubectl.namespace)
    assert ask("get", "--raw", "/readyz") == "ok"


def test_describe(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=f"{DEPLOYMENT}---{SERVICE}")
    until(lambda: len(kubectl("get", "pods", "-o", "name").split()) == 2, "two pods")
    deployment = kubectl("describe", "deployment", "web")
    assert "2 desired" in deployment
    until(lambda: "ScalingReplicaSet" in kubectl("describe", "deployment", "web"), "the event is described")
    pod = kubectl("get", "pods", "-o", "name").split()[0]
    assert "ReplicaSet/web-" in kubectl("describe", pod)
    until(lambda: "FailedScheduling" in kubectl("describe", pod), "the scheduler's event is described")
    assert "no nodes available to schedule pods" in kubectl("describe", pod)
    service = kubectl("describe", "service", "web")
    assert "TargetPort:" in service
    assert "Endpoints:" in service
    assert "Active" in kubectl("describe", "namespace", kubectl.namespace)


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_delete_with_propagation(kubectl: Kubectl, cascade: str) -> None:
    kubectl("apply", "-f", "-", input=DEPLOYMENT)
    until(lambda: len(kubectl("get", "pods", "-o", "name").split()) == 2, "two pods")
    kubectl("delete", "deployment", "web", f"--cascade={cascade}", timeout=30)
    assert kubectl("get", "deployments", "-o", "name") == ""
    if cascade == "orphan":
        replica_set = kubectl.json("get", "replicasets")["items"][0]
        assert "ownerReferences" not in replica_set["metadata"]
        assert replica_set["metadata"].get("deletionTimestamp") is None
    else:
        until(lambda: kubectl("get", "replicasets,pods", "-o", "name") == "", "the dependents are gone")


def test_delete_of_a_namespace_takes_all(kubectl: Kubectl, api_server: Server) -> None:
    name = new_namespace(api_server.api, "doomed")
    doomed = Kubectl(kubectl.version, api_server.kubeconfig, name)
    doomed("apply", "-f", "-", input=f"{DEPLOYMENT}---{SERVICE}")
    doomed("create", "secret", "generic", "s", "--from-literal=a=b")
    doomed("delete", "namespace", name, timeout=30)
    assert f'namespaces "{name}" not found' in doomed.refused("get", "namespace", name)
    assert "No resources found" in doomed.run("get", "all,secrets,configmaps").stderr


def test_delete_by_selector_and_all(kubectl: Kubectl) -> None:
    for name in ("a", "b", "c"):
        kubectl("create", "secret", "generic", name)
    kubectl("label", "secret", "a", "b", "gone=soon")
    kubectl("delete", "secrets", "-l", "gone=soon")
    assert kubectl("get", "secrets", "-o", "name").split() == ["secret/c"]
    kubectl("delete", "secrets", "--all")
    assert kubectl("get", "secrets", "-o", "name") == ""


def test_services_get_addresses(kubectl: Kubectl) -> None:
    kubectl("create", "service", "clusterip", "one", "--tcp=80:8080")
    kubectl("create", "service", "nodeport", "two", "--tcp=80")
    kubectl("create", "service", "clusterip", "headless", "--clusterip=None")
    services = {item["metadata"]["name"]: item["spec"] for item in kubectl.json("get", "services")["items"]}
    assert services["one"]["clusterIP"] != services["two"]["clusterIP"]
    assert 30000 <= services["two"]["ports"][0]["nodePort"] <= 32767
    assert services["headless"]["clusterIP"] == "None"
    taken = services["one"]["clusterIP"]
    refused = kubectl.refused("create", "service", "clusterip", "three", "--tcp=80", f"--clusterip={taken}")
    assert "provided IP is already allocated" in refused


def test_raw_and_cluster_info(kubectl: Kubectl) -> None:
    assert kubectl("get", "--raw", "/healthz") == "ok"
    assert "[+]etcd ok" in kubectl("get", "--raw", "/readyz?verbose") or "[+]ping ok" in kubectl(
        "get", "--raw", "/readyz?verbose"
    )
    assert "# TYPE" in kubectl("get", "--raw", "/metrics")
    assert "is running at" in kubectl("cluster-info")
