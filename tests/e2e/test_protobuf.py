"""Stock kubectl from 1.32 on, which sends protobuf: each of its generators makes what it would have made with JSON.

The newest kubectl before 1.32 on the machine, which sends JSON, is the yardstick.
"""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fixtures.kubectls import installed

from .api import Api
from .kubectl import Kubectl
from .processes import Server

pytestmark = pytest.mark.kubectl

MINORS = {name: int(name.split(".")[1]) for name in installed()}
PROTOBUF = [name for name, minor in MINORS.items() if minor >= 32]
JSON = max((name for name, minor in MINORS.items() if minor < 32), key=MINORS.__getitem__, default="")

SPEAKERS = PROTOBUF or [
    pytest.param("", marks=pytest.mark.skip(reason="there is no kubectl 1.32 or newer on the PATH"))
]

GENERATORS = {
    "namespace": "namespace NAME",
    "deployment": "deployment x --image=example.invalid/a:1 --replicas=0 --port=80",
    "deployment-command": "deployment x --image=example.invalid/a:1 --image=example.invalid/b:2",
    "configmap": "configmap x --from-literal=a=b --from-literal=c=d=e --from-file=blob=FILE",
    "secret-generic": "secret generic x --from-literal=password=geheim --type=example.com/kind",
    "secret-docker": "secret docker-registry x --docker-server=r.invalid --docker-username=u --docker-password=p",
    "service-clusterip": "service clusterip x --tcp=80:8080 --tcp=443",
    "service-headless": "service clusterip x --clusterip=None --tcp=80:http",
    "service-nodeport": "service nodeport x --tcp=80",
    "service-loadbalancer": "service loadbalancer x --tcp=80:9090",
    "service-externalname": "service externalname x --external-name=example.invalid",
    "job": "job x --image=example.invalid/a -- sh -c true",
    "cronjob": "cronjob x --image=example.invalid/a --schedule=*/5~*~*~*~* --restart=Never",
    "role": "role x --verb=get,list --resource=pods,deployments.apps --resource-name=one",
    "rolebinding": "rolebinding x --role=some --user=u --group=g --serviceaccount=default:s",
    "clusterrole": "clusterrole NAME --verb=get --non-resource-url=/logs/*",
    "clusterrole-aggregated": "clusterrole NAME --aggregation-rule=a.example.com/b=true",
    "clusterrolebinding": "clusterrolebinding NAME --clusterrole=some --user=u",
    "serviceaccount": "serviceaccount x",
    "ingress": "ingress x --class=c --rule=h.example.com/path*=svc:8080,tls=secret --annotation=k=v",
    "ingress-default": "ingress x --default-backend=svc:http",
    "quota": "quota x --hard=cpu=1500m,memory=2Gi,pods=3 --scopes=NotBestEffort",
    "poddisruptionbudget": "poddisruptionbudget x --selector=a=b --min-available=50%",
    "poddisruptionbudget-number": "poddisruptionbudget x --selector=a=b --max-unavailable=0",
    "priorityclass": "priorityclass NAME --value=1000 --description=d --preemption-policy=Never",
}

CLUSTER_SCOPED = ("namespace", "clusterrole", "clusterrolebinding", "priorityclass")


@pytest.fixture(params=SPEAKERS, ids=lambda version: f"kubectl-{version}")
def speaker(request: pytest.FixtureRequest, api_server: Server, namespace: str) -> Kubectl:
    """A kubectl that sends protobuf."""
    return Kubectl(request.param, api_server.kubeconfig, namespace)


@pytest.fixture
def yardstick(api_server: Server, namespace: str) -> Kubectl:
    """A kubectl that sends JSON."""
    if not JSON:
        pytest.skip("there is no kubectl before 1.32 on the PATH")
    return Kubectl(JSON, api_server.kubeconfig, namespace)


def stripped(obj: dict[str, Any]) -> dict[str, Any]:
    """An object without what differs from one creation to the next, or is added by controllers some time later."""
    for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        obj["metadata"].pop(name, None)
    if annotations := obj["metadata"].pop("annotations", None):
        annotations.pop("deployment.kubernetes.io/revision", None)
        obj["metadata"] |= {"annotations": annotations} if annotations else {}
    text = json.dumps({name: value for name, value in obj.items() if name != "status"})
    text = re.sub(r'"clusterIPs?": (\[[^]]*\d[^]]*\]|"\d[^"]*"),? ?', "", text)
    text = re.sub(r'"(nodePort|healthCheckNodePort)": \d+', "", text)
    return {"text": re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}", "UID", text)}


def created(kubectl: Kubectl, generator: str, name: str, file: Path) -> dict[str, Any]:
    """Create, read back, delete."""
    words = [word.replace("~", " ").replace("NAME", name).replace("FILE", str(file)) for word in generator.split()]
    kind = words[0]
    target = (kind, name if kind in CLUSTER_SCOPED else "x")
    kubectl("create", *words)
    obj: dict[str, Any] = json.loads(kubectl("get", *target, "-o", "json"))
    kubectl("delete", *target, "--wait=false")
    return obj


@pytest.mark.parametrize("generator", GENERATORS.values(), ids=list(GENERATORS))
def test_create_as_with_json(
    speaker: Kubectl, yardstick: Kubectl, namespace: str, tmp_path: Path, generator: str
) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(b"\x00\xff\xfe")
    names = f"{namespace}-a", f"{namespace}-b"
    expected = stripped(created(yardstick, generator, names[0], blob))
    got = stripped(created(speaker, generator, names[1], blob))
    assert got["text"].replace(names[1], names[0]) == expected["text"]


def test_it_is_protobuf(speaker: Kubectl) -> None:
    said = speaker.run("create", "configmap", "x", "-v=8").stderr
    assert "6b 38 73 00" in said, "kubectl did not send protobuf, so that these tests show nothing"


def test_autoscale(speaker: Kubectl) -> None:
    speaker("create", "deployment", "web", "--image=example.invalid/a", "--replicas=0")
    speaker("autoscale", "deployment", "web", "--min=1", "--max=3", "--cpu-percent=70")
    spec = speaker.json("get", "hpa", "web")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"], spec["scaleTargetRef"]["name"]) == (1, 3, "web")
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 70


def test_certificate_approval(speaker: Kubectl, api: Api) -> None:
    name = f"{speaker.namespace}-csr"
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "someone")])
    pem = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    request = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "signerName": "example.com/signer",
            "usages": ["client auth"],
            "request": base64.b64encode(pem.public_bytes(serialization.Encoding.PEM)).decode(),
        },
    }
    speaker("create", "-f", "-", input=json.dumps(request))
    try:
        speaker("certificate", "approve", name)
        condition = speaker.json("get", "csr", name)["status"]["conditions"][0]
        assert (condition["type"], condition["status"], condition["reason"]) == ("Approved", "True", "KubectlApprove")
    finally:
        api.request("DELETE", f"/apis/certificates.k8s.io/v1/certificatesigningrequests/{name}")


def test_server_dry_run(speaker: Kubectl) -> None:
    assert speaker("create", "configmap", "x", "--dry-run=server").strip() == "configmap/x created (server dry run)"
    assert "NotFound" in speaker.run("get", "configmap", "x").stderr


def test_auth(speaker: Kubectl) -> None:
    assert speaker("auth", "can-i", "create", "pods").strip() == "yes"
    assert speaker.run("auth", "can-i", "create", "pods", "--as=nobody").stdout.strip() == "no"
    assert "Resources" in speaker("auth", "can-i", "--list")
    assert "admin" in speaker("auth", "whoami", "-o", "json")


def test_token(speaker: Kubectl) -> None:
    speaker("create", "serviceaccount", "robot")
    token = speaker("create", "token", "robot", "--duration=20m", "--audience=a", "--audience=b").strip()
    assert token.count(".") == 2
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": ["b"]},
    }
    answer = json.loads(speaker("create", "-f", "-", "-o", "json", input=json.dumps(review)))
    assert answer["status"]["user"]["username"] == f"system:serviceaccount:{speaker.namespace}:robot"
    assert answer["status"]["audiences"] == ["b"]


def test_job_of_a_cronjob(speaker: Kubectl) -> None:
    speaker("create", "cronjob", "nightly", "--image=example.invalid/a", "--schedule=@daily")
    speaker("create", "job", "now", "--from=cronjob/nightly")
    job = speaker.json("get", "job", "now")
    assert job["metadata"]["ownerReferences"][0]["name"] == "nightly"
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "example.invalid/a"


def test_scale_and_delete(speaker: Kubectl) -> None:
    speaker("create", "deployment", "web", "--image=example.invalid/a")
    speaker("scale", "deployment", "web", "--replicas=0", "--current-replicas=1")
    assert speaker.json("get", "deployment", "web")["spec"]["replicas"] == 0
    speaker("delete", "deployment", "web", "--grace-period=0", "--cascade=orphan")


def test_cordon_and_drain(speaker: Kubectl, api: Api) -> None:
    name = f"{speaker.namespace}-node"
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "guest"},
        "spec": {"nodeName": name, "containers": [{"name": "c", "image": "example.invalid/a"}]},
    }
    speaker("create", "-f", "-", input=json.dumps(node))
    try:
        speaker("create", "-f", "-", input=json.dumps(pod))
        said = speaker.run("drain", name, "--force", "--grace-period=0", "--timeout=20s")
        assert "evicting pod" in said.stderr + said.stdout
        assert speaker.json("get", "node", name)["spec"]["unschedulable"] is True
        assert "NotFound" in speaker.run("get", "pod", "guest").stderr, said.stderr
    finally:
        api.request("DELETE", f"/api/v1/nodes/{name}")


def test_refusal_is_a_status(speaker: Kubectl) -> None:
    result = speaker.run("create", "configmap", "Not_A_Name")
    assert result.returncode != 0
    assert 'ConfigMap "Not_A_Name" is invalid' in result.stderr
