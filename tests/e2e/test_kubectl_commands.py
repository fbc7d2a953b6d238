"""Every subcommand of stock kubectl that needs no container, each with what people use it for."""

import json
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest

from .api import Api
from .kubectl import Kubectl
from .processes import Server
from .waiting import until

pytestmark = pytest.mark.kubectl

TRIED_ELSEWHERE = {
    "attach", "cp", "debug", "exec", "logs", "port-forward",  # …_pods.py
    "api-resources", "api-versions", "delete", "describe", "edit", "get", "scale", "version", "wait",  # …_api.py
}  # fmt: skip
TRIED_HERE = {
    "annotate", "apply", "auth", "autoscale", "certificate", "cluster-info", "completion", "config", "cordon", "create",
    "diff", "drain", "events", "explain", "expose", "kustomize", "label", "patch", "plugin", "proxy", "replace",
    "rollout", "run", "set", "taint", "top", "uncordon",
}  # fmt: skip


def manifest(name: str, **data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


def deployment(name: str, image: str = "example.invalid/web:1", **spec: object) -> str:
    pod = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": image}]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": pod, **spec}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})


def test_every_subcommand_is_tried(kubectl: Kubectl) -> None:
    named = set(re.findall(r"^  ([a-z-]+)  ", kubectl("--help"), re.MULTILINE))
    assert named - TRIED_HERE - TRIED_ELSEWHERE == set()


# -- creating ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("configmap a --from-literal=k=v", "configmap/a created"),
        ("cronjob a --image=example.invalid/a --schedule=*/5_*_*_*_*", "cronjob.batch/a created"),
        ("deployment a --image=example.invalid/a --replicas=2 --port=80", "deployment.apps/a created"),
        ("ingress a --rule=a.example/*=svc:80,tls=secret", "ingress.networking.k8s.io/a created"),
        ("job a --image=example.invalid/a -- true", "job.batch/a created"),
        ("pdb a --selector=app=a --min-available=50%", "poddisruptionbudget.policy/a created"),
        ("quota a --hard=pods=2,cpu=1", "resourcequota/a created"),
        ("role a --verb=get,list --resource=pods,pods/status", "role.rbac.authorization.k8s.io/a created"),
        ("rolebinding a --role=a --user=jane --group=ops", "rolebinding.rbac.authorization.k8s.io/a created"),
        ("secret generic a --from-literal=k=v --type=example.com/a", "secret/a created"),
        ("secret docker-registry b --docker-username=u --docker-password=p", "secret/b created"),
        ("service clusterip a --tcp=80:8080", "service/a created"),
        ("service nodeport b --tcp=80 --node-port=30999", "service/b created"),
        ("service loadbalancer c --tcp=80", "service/c created"),
        ("service externalname d --external-name=a.example", "service/d created"),
        ("serviceaccount a", "serviceaccount/a created"),
    ],
    ids=lambda value: value.partition(" -")[0].replace(" ", "-"),
)
def test_create(kubectl: Kubectl, what: str, said: str) -> None:
    arguments = [part.replace("_", " ") for part in what.split()]
    dry = kubectl("create", *arguments[: arguments.index("--")] if "--" in arguments else arguments, "--dry-run=server")
    assert dry.strip() == f"{said} (server dry run)"
    assert kubectl("create", *arguments).strip() == said
    assert "already exists" in kubectl.refused("create", *arguments)


def test_create_of_what_has_no_namespace(kubectl: Kubectl) -> None:
    name = f"{kubectl.namespace}-made"
    try:
        kubectl("create", "namespace", name)
        kubectl("create", "clusterrole", name, "--verb=get", "--resource=nodes")
        kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", "--user=jane")
        kubectl("create", "priorityclass", name, "--value=100", "--description=middling")
        assert kubectl("auth", "can-i", "get", "nodes", "--as=jane").strip() == "yes"
        assert kubectl("get", "priorityclass", name, "--no-headers").split()[1:3] == ["100", "false"]
    finally:
        for kind in ("clusterrolebinding", "clusterrole", "priorityclass", "namespace"):
            kubectl("delete", kind, name, "--wait=false")


def test_create_token_for_an_audience(kubectl: Kubectl) -> None:
    assert kubectl("create", "token", "default", "--duration=20m", "--audience=vault").count(".") == 2
    assert "may not specify a duration less than 10 minutes" in kubectl.refused(
        "create", "token", "default", "--duration=1m"
    )


def test_job_from_a_cron_job(kubectl: Kubectl) -> None:
    kubectl("create", "cronjob", "tick", "--image=example.invalid/a", "--schedule=@hourly")
    kubectl("create", "job", "now", "--from=cronjob/tick")
    job = kubectl.json("get", "job", "now")
    assert job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert job["metadata"]["ownerReferences"][0]["kind"] == "CronJob"


def test_run_and_expose(kubectl: Kubectl) -> None:
    said = kubectl(
        "run", "web", "--image=example.invalid/web", "--port=80", "--expose", "--labels=app=web", "--env=A=b"
    )
    assert said.splitlines() == ["service/web created", "pod/web created"]
    assert (
        kubectl("expose", "pod", "web", "--name=again", "--port=81", "--type=NodePort").strip()
        == "service/again exposed"
    )
    service = kubectl.json("get", "service", "again")["spec"]
    assert (service["selector"], service["ports"][0]["port"]) == ({"app": "web"}, 81)
    kubectl("create", "deployment", "many", "--image=example.invalid/web")
    assert kubectl("expose", "deployment", "many", "--port=80", "--target-port=http").strip() == "service/many exposed"


# -- changing ----------------------------------------------------------------------------------------------------------


def test_set(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", input=deployment("web"))
    kubectl("create", "service", "clusterip", "web", "--tcp=80")
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "role", "r", "--verb=get", "--resource=pods")
    kubectl("create", "rolebinding", "r", "--role=r", "--user=jane")
    kubectl("set", "image", "deployment/web", "main=example.invalid/web:2")
    kubectl("set", "env", "deployment/web", "A=1", "B=2")
    kubectl("set", "env", "deployment/web", "A-")
    kubectl("set", "resources", "deployment/web", "--limits=cpu=200m,memory=64Mi", "--requests=cpu=100m")
    kubectl("set", "serviceaccount", "deployment/web", "robot")
    kubectl("set", "selector", "service/web", "tier=front")
    kubectl("set", "subject", "rolebinding/r", "--user=joe")
    assert kubectl("set", "env", "deployment/web", "--list").splitlines()[-1] == "B=2"
    pod = kubectl.json("get", "deployment", "web")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert (pod["serviceAccountName"], container["image"]) == ("robot", "example.invalid/web:2")
    assert container["resources"] == {"limits": {"cpu": "200m", "memory": "64Mi"}, "requests": {"cpu": "100m"}}
    assert kubectl.json("get", "service", "web")["spec"]["selector"] == {"tier": "front"}
    assert [each["name"] for each in kubectl.json("get", "rolebinding", "r")["subjects"]] == ["jane", "joe"]


def test_rollout(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=deployment("web"))
    until(lambda: "1" in kubectl("rollout", "history", "deployment/web"), "the first revision")
    kubectl("set", "image", "deployment/web", "main=example.invalid/web:2")
    until(lambda: "\n2 " in kubectl("rollout", "history", "deployment/web"), "the second revision")
    assert "example.invalid/web:1" in kubectl("rollout", "history", "deployment/web", "--revision=1")
    assert kubectl("rollout", "undo", "deployment/web", "--to-revision=1").strip() == "deployment.apps/web rolled back"
    until(lambda: "\n3 " in kubectl("rollout", "history", "deployment/web"), "the first revision as the third")
    assert kubectl("rollout", "restart", "deployment/web").strip() == "deployment.apps/web restarted"
    template = kubectl.json("get", "deployment", "web")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    assert template["spec"]["containers"][0]["image"] == "example.invalid/web:1"
    kubectl("rollout", "pause", "deployment/web")
    assert "can't restart paused deployment" in kubectl.refused("rollout", "restart", "deployment/web")
    kubectl("rollout", "resume", "deployment/web")


def test_autoscale(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", input=deployment("web"))
    kubectl("autoscale", "deployment", "web", "--min=2", "--max=5", "--cpu-percent=50")
    shown = kubectl("get", "hpa", "web", "--no-headers").split()
    assert shown[:2] == ["web", "Deployment/web"]
    assert {"2", "5"} <= set(shown)


def test_label_and_annotate_in_bulk(kubectl: Kubectl) -> None:
    for name in ("a", "b"):
        kubectl("create", "configmap", name)
    kubectl("label", "configmaps", "--all", "tier=front")
    assert "already has a value" in kubectl.refused("label", "configmap", "a", "tier=back")
    kubectl("label", "configmap", "a", "tier=back", "--overwrite")
    assert kubectl("get", "configmaps", "-l", "tier=back", "-o", "name").strip() == "configmap/a"
    assert "tier=back" in kubectl("label", "configmap", "a", "--list")
    kubectl("label", "configmaps", "-l", "tier", "tier-")
    kubectl("annotate", "configmaps", "--field-selector=metadata.name=b", "note=kept")
    assert kubectl.json("get", "configmap", "b")["metadata"]["annotations"] == {"note": "kept"}
    assert "modified" in kubectl.refused("annotate", "configmap", "b", "note-", "--resource-version=1")


def test_patch(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", input=deployment("web"))
    assert kubectl("patch", "deployment", "web", "-p", "spec: {replicas: 2}").strip() == "deployment.apps/web patched"
    assert kubectl("patch", "deployment", "web", "-p", "spec: {replicas: 2}").strip().endswith("patched (no change)")
    kubectl("patch", "deployment", "web", "--type=json", "-p", '[{"op": "remove", "path": "/spec/strategy"}]')
    kubectl("patch", "deployment", "web", "--type=merge", "-p", '{"metadata": {"labels": {"a": "b"}}}')
    kubectl("patch", "deployment", "web", "--subresource=status", "--type=merge", "-p", '{"status": {"replicas": 9}}')
    kubectl("patch", "deployment", "web", "--subresource=scale", "--type=merge", "-p", '{"spec": {"replicas": 3}}')
    assert kubectl.json("get", "deployment", "web", "--subresource=scale")["spec"]["replicas"] == 3
    assert "the server rejected our request" in kubectl.refused(
        "patch", "deployment", "web", "--type=json", "-p", '[{"op": "test", "path": "/spec/replicas", "value": 99}]'
    )


def test_replace_by_force(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("create", "-f", "-", input=deployment("web"))
    other = deployment("web", selector={"matchLabels": {"other": "one"}}).replace('{"app": "web"}', '{"other": "one"}')
    (tmp_path / "web.json").write_text(other)
    assert "field is immutable" in kubectl.refused("replace", "-f", str(tmp_path / "web.json"))
    before = kubectl.json("get", "deployment", "web")["metadata"]["uid"]
    said = kubectl("replace", "--force", "-f", str(tmp_path / "web.json"), timeout=30)
    assert said.splitlines()[-1] == "deployment.apps/web replaced"
    assert kubectl.json("get", "deployment", "web")["metadata"]["uid"] != before


# -- applying ----------------------------------------------------------------------------------------------------------


def test_apply_and_its_memory(kubectl: Kubectl, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(manifest("a", one="1", two="2"))
    kubectl("create", "-f", str(file))
    assert (
        "missing the kubectl.kubernetes.io/last-applied-configuration" in kubectl.run("apply", "-f", str(file)).stderr
    )
    assert '"two"' in kubectl("apply", "view-last-applied", "configmap/a", "-o", "json")
    file.write_text(manifest("a", one="1"))
    assert kubectl("apply", "-f", str(file)).strip() == "configmap/a configured"
    assert kubectl.json("get", "configmap", "a")["data"] == {"one": "1"}
    assert kubectl("apply", "-f", str(file)).strip() == "configmap/a unchanged"
    file.write_text(manifest("a", three="3"))
    kubectl("apply", "set-last-applied", "-f", str(file))
    assert '"three"' in kubectl("apply", "view-last-applied", "configmap/a", "-o", "json")


def test_apply_prunes(kubectl: Kubectl, tmp_path: Path) -> None:
    for name in ("keep", "drop"):
        labelled = {**json.loads(manifest(name, a="b")), "metadata": {"name": name, "labels": {"p": "q"}}}
        (tmp_path / f"{name}.json").write_text(json.dumps(labelled))
    kubectl("apply", "-f", str(tmp_path))
    kept = str(tmp_path / "keep.json")
    said = kubectl("apply", "--prune", "-l", "p=q", "--prune-allowlist=core/v1/ConfigMap", "-f", kept)
    assert said.splitlines() == ["configmap/keep unchanged", "configmap/drop pruned"]


def test_diff_tells_by_its_exit_code(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=manifest("a", one="1"))
    assert kubectl.run("diff", "-f", "-", input=manifest("a", one="1")).returncode == 0
    changed = kubectl.run("diff", "-f", "-", input=manifest("a", one="2"))
    assert changed.returncode == 1
    assert '-  one: "1"\n+  one: "2"' in changed.stdout


def test_kustomize(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text(deployment("web"))
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [web.json]\nnamePrefix: my-\nconfigMapGenerator: [{name: settings, literals: [a=b]}]\n"
    )
    assert "name: my-web" in kubectl("kustomize", str(tmp_path))
    said = kubectl("apply", "-k", str(tmp_path)).splitlines()
    assert said[1] == "deployment.apps/my-web created"
    assert re.fullmatch(r"configmap/my-settings-[a-z0-9]+ created", said[0])


# -- asking ------------------------------------------------------------------------------------------------------------


def test_explain_every_resource(kubectl: Kubectl) -> None:
    for row in kubectl("api-resources", "--no-headers").splitlines():
        name, version, kind = row.split()[0], row.split()[-3], row.split()[-1]
        said = kubectl("explain", name, f"--api-version={version}", "--recursive")
        assert re.search(rf"^KIND: +{kind}$", said, re.MULTILINE), row
        assert "FIELDS" in said, row
    assert "<integer>" in kubectl("explain", "deployments.spec.replicas", "--api-version=apps/v1")
    assert "does not exist" in kubectl.refused("explain", "pods.spec.nothing")


def test_events(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", input=deployment("web"))
    until(lambda: "ScalingReplicaSet" in kubectl("events", "--for=deployment/web"), "the event is shown")
    assert "ScalingReplicaSet" not in kubectl("events", "--for=deployment/web", "--types=Warning")
    rows = kubectl("get", "events", "--field-selector=reason=ScalingReplicaSet,involvedObject.name=web", "--no-headers")
    assert len(rows.splitlines()) == 1
    with kubectl.background("events", "--watch") as watching:
        watching.expect("ScalingReplicaSet")


def test_auth(kubectl: Kubectl, tmp_path: Path) -> None:
    listed = kubectl("auth", "can-i", "--list", "--as=jane").splitlines()
    assert listed[0].split()[0] == "Resources"
    assert any(line.startswith("selfsubjectreviews.authentication.k8s.io") for line in listed)
    assert any("[/version]" in line for line in listed)
    assert kubectl("auth", "can-i", "--list").splitlines()[1].split()[0] == "*.*"
    assert kubectl("auth", "can-i", "get", "/metrics").strip() == "yes"
    assert kubectl.refused("auth", "can-i", "get", "pods", "--subresource=log", "--as=jane").startswith("no")
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": [rule],
            "metadata": {"name": "r", "namespace": kubectl.namespace}}  # fmt: skip
    (tmp_path / "role.json").write_text(json.dumps(role))
    assert "reconciled" in kubectl("auth", "reconcile", "-f", str(tmp_path / "role.json"))
    role["rules"] = [{**rule, "verbs": ["list"]}]
    (tmp_path / "role.json").write_text(json.dumps(role))
    kubectl("auth", "reconcile", "-f", str(tmp_path / "role.json"))
    verbs = {verb for each in kubectl.json("get", "role", "r")["rules"] for verb in each["verbs"]}
    assert verbs == {"get", "list"}


def test_get_in_every_format(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", input=manifest("a", one="1"))
    asked = {
        "yaml": "kind: ConfigMap",
        "json": '"kind": "ConfigMap"',
        "name": "configmap/a",
        "jsonpath={.data.one}": "1",
        "go-template={{.metadata.name}}": "a",
        "custom-columns=N:.metadata.name,V:.data.one": "a     1",
        "wide": "a      1      ",
    }
    for output, expected in asked.items():
        assert expected in kubectl("get", "configmap", "a", "-o", output), output
    assert "managedFields" not in kubectl("get", "configmap", "a", "-o", "yaml")
    assert kubectl("get", "configmaps", "--sort-by=.metadata.name", "--no-headers", "-o", "name").split()
    assert kubectl("get", "configmap", "none", "--ignore-not-found") == ""
    assert "configmap/a" in kubectl("get", "configmaps", "--chunk-size=1", "-o", "name").split()


def test_cluster_info_dump(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("create", "-f", "-", input=deployment("web"))
    kubectl("cluster-info", "dump", f"--namespaces={kubectl.namespace}", f"--output-directory={tmp_path}")
    dumped = tmp_path / kubectl.namespace
    assert {"deployments.json", "events.json", "pods.json", "services.json"} <= {path.name for path in dumped.iterdir()}


def test_top_says_that_nothing_measures(kubectl: Kubectl) -> None:
    for what in ("nodes", "pods"):
        assert "Metrics API not available" in kubectl.refused("top", what)


def test_what_asks_no_server(kubectl: Kubectl) -> None:
    assert "__start_kubectl" in kubectl("completion", "bash")
    assert "current-context" in kubectl("config", "view")
    assert "--request-timeout" in kubectl("options")
    assert "unable to find any kubectl plugins" in kubectl.refused("plugin", "list")


def test_proxy(kubectl: Kubectl) -> None:
    with kubectl.background("proxy", "--port=0") as proxy:
        line = next(line for line in proxy.expect("Starting to serve on") if "Starting" in line)
        base = f"http://{line.split()[-1]}"
        with urllib.request.urlopen(f"{base}/api/v1/namespaces/{kubectl.namespace}", timeout=10) as answer:
            assert json.load(answer)["metadata"]["name"] == kubectl.namespace
        with urllib.request.urlopen(f"{base}/version", timeout=10) as answer:
            assert json.load(answer)["minor"].startswith("35")


# -- nodes -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def node(api_server: Server, kubectl: Kubectl) -> object:
    """A node that exists by name alone, and is removed at the end."""
    api, name = api_server.api, f"{kubectl.namespace}-node"
    api.create("/api/v1/nodes", {"metadata": {"name": name}})
    yield name
    api.request("DELETE", f"/api/v1/nodes/{name}")


def on(node: str, name: str, **labels: str) -> str:
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "example.invalid/a"}]}  # fmt: skip
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec})


def test_taint_and_cordon(kubectl: Kubectl, node: str) -> None:
    assert kubectl("taint", "nodes", node, "a=b:NoSchedule", "c:NoExecute").strip() == f"node/{node} tainted"
    keys = {(taint["key"], taint["effect"]) for taint in kubectl.json("get", "node", node)["spec"]["taints"]}
    assert {("a", "NoSchedule"), ("c", "NoExecute")} <= keys
    assert "already has" in kubectl.refused("taint", "nodes", node, "a=x:NoSchedule")
    assert kubectl("taint", "nodes", node, "a-").strip() == f"node/{node} untainted"
    assert kubectl("cordon", node).strip() == f"node/{node} cordoned"
    assert "SchedulingDisabled" in kubectl("get", "node", node)
    assert kubectl("uncordon", node).strip() == f"node/{node} uncordoned"


def test_drain(kubectl: Kubectl, node: str, api_server: Server) -> None:
    for name in ("free", "kept"):
        kubectl("create", "-f", "-", input=on(node, name, app=name))
    assert "declare no controller" in kubectl.refused("drain", node)
    budget = f"/apis/policy/v1/namespaces/{kubectl.namespace}/poddisruptionbudgets"
    kubectl("create", "pdb", "kept", "--selector=app=kept", "--min-available=1")
    status = {"observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}
    api: Api = api_server.api
    api.patch(f"{budget}/kept/status", {"status": {**status, "disruptionsAllowed": 0}})
    running = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    for name in ("free", "kept"):
        api.patch(f"/api/v1/namespaces/{kubectl.namespace}/pods/{name}/status", running)
    refused = kubectl.refused("drain", node, "--force", "--timeout=3s")
    assert "Cannot evict pod as it would violate the pod's disruption budget." in refused
    assert kubectl("get", "pods", "-o", "name").split() == ["pod/kept"]
    api.patch(f"{budget}/kept/status", {"status": {**status, "currentHealthy": 2, "disruptionsAllowed": 1}})
    assert "drained" in kubectl("drain", node, "--force", "--timeout=20s")
    assert kubectl("get", "pods", "-o", "name") == ""


# -- certificates ------------------------------------------------------------------------------------------------------


def test_certificate(kubectl: Kubectl, tmp_path: Path) -> None:
    import base64

    key, request = tmp_path / "key.pem", tmp_path / "request.pem"
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj",
                    "/CN=jane/O=ops"], check=True, capture_output=True)  # fmt: skip
    spec = {"request": base64.b64encode(request.read_bytes()).decode(), "usages": ["client auth"],
            "signerName": "example.com/signer"}  # fmt: skip
    for name, command, condition in (("yes", "approve", "Approved"), ("no", "deny", "Denied")):
        name = f"{kubectl.namespace}-{name}"
        csr = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
               "metadata": {"name": name}, "spec": spec}  # fmt: skip
        kubectl("create", "-f", "-", input=json.dumps(csr))
        assert kubectl("get", "csr", name, "--no-headers").split()[-1] == "Pending"
        kubectl("certificate", command, name)
        assert kubectl("get", "csr", name, "--no-headers").split()[-1] == condition
        kubectl("delete", "csr", name)
