"""Traffic as applications see it: Services of every kind, names, the outside."""

import json
import urllib.request
from typing import Any

import pytest

from .cluster import IMAGE, Cluster
from .waiting import until

pytestmark = [pytest.mark.root, pytest.mark.containerd]


def pod(name: str, script: str, **spec: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["sh", "-c", script],
        "ports": [{"containerPort": 8080, "name": "http"}],
    }
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
    }


SERVE = "mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www"


def finished(cluster: Cluster, namespace: str, name: str, script: str, **spec: Any) -> str:
    """Run a script in a pod until it succeeds, and return what it printed."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    cluster.api.create(path, pod(name, script, restartPolicy="Never", **spec))

    def ended() -> str | None:
        phase = cluster.api.get(f"{path}/{name}")["status"].get("phase")
        return phase if phase in ("Succeeded", "Failed") else None

    phase = until(ended, f"pod {name} ends", 30)
    said = cluster.api.request("GET", f"{path}/{name}/log").text
    assert phase == "Succeeded", said
    return said


def test_services(cluster: Cluster, cluster_namespace: str) -> None:
    api, namespace = cluster.api, cluster_namespace
    base = f"/api/v1/namespaces/{namespace}"
    api.create(f"{base}/pods", pod("web", SERVE))
    selector = {"app": "web"}
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    plain = api.create(
        f"{base}/services", {"metadata": {"name": "web"}, "spec": {"selector": selector, "ports": ports}}
    )
    node_port = api.create(
        f"{base}/services",
        {"metadata": {"name": "outside"}, "spec": {"type": "NodePort", "selector": selector, "ports": ports}},
    )["spec"]["ports"][0]["nodePort"]
    api.create(
        f"{base}/services",
        {"metadata": {"name": "headless"}, "spec": {"clusterIP": "None", "selector": selector, "ports": ports}},
    )
    [web] = cluster.wait_ready(namespace, "app=web")
    node = api.get("/api/v1/nodes")["items"][0]
    address = next(item["address"] for item in node["status"]["addresses"] if item["type"] == "InternalIP")

    def from_here(where: str) -> str:
        try:
            with urllib.request.urlopen(f"http://{where}/", timeout=2) as answer:
                return str(answer.read().decode().strip())
        except OSError:
            return ""

    # The machine itself reaches the Service at its address, and at its port of the node.
    until(lambda: from_here(plain["spec"]["clusterIP"]) == "web", "the cluster IP answers")
    until(lambda: from_here(f"{address}:{node_port}") == "web", "the node port answers")
    ip = web["status"]["podIP"]
    script = f"""
        set -e
        ask() {{ n=0; until timeout 2 wget -q -O - "http://$1"; do n=$((n+1)); [ $n -lt 40 ]; sleep 0.2; done; }}
        ask web; ask web.{namespace}; ask web.{namespace}.svc; ask web.{namespace}.svc.cluster.local; ask headless:8080
        ask {address}:{node_port}; ask {ip}:8080
        nslookup headless.{namespace}.svc.cluster.local
        nslookup kubernetes.default.svc.cluster.local
    """
    said = finished(cluster, namespace, "client", script)
    assert said.split()[:7] == ["web"] * 7
    assert ip in said.split("nslookup")[0]
    assert "10.230.0.1" in said


def service(name: str, app: str) -> dict[str, Any]:
    spec = {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"metadata": {"name": name}, "spec": spec}


def again(command: str) -> str:
    """A script that tries a command until it succeeds, for up to eight seconds."""
    return f"n=0; until {command}; do n=$((n+1)); [ $n -lt 40 ] || exit 1; sleep 0.2; done"


def test_hairpin(cluster: Cluster, cluster_namespace: str) -> None:
    """A pod reaches itself through its own Service."""
    cluster.api.create(f"/api/v1/namespaces/{cluster_namespace}/services", service("mirror", "self"))
    script = "mkdir /www; echo me > /www/index.html; httpd -p 8080 -h /www; " + again(
        "timeout 1 wget -q -O - http://mirror"
    )
    assert finished(cluster, cluster_namespace, "self", script).splitlines()[-1] == "me"


def test_service_without_endpoints_refuses_at_once(cluster: Cluster, cluster_namespace: str) -> None:
    cluster.api.create(f"/api/v1/namespaces/{cluster_namespace}/services", service("empty", "none"))
    script = again("timeout 10 wget -O - http://empty 2>&1 | grep -q refused") + "; echo refused"
    assert finished(cluster, cluster_namespace, "client", script) == "refused\n"


def test_pod_speaks_to_the_api_with_its_token(cluster: Cluster, cluster_namespace: str) -> None:
    """As every in-cluster client does: the environment's address, the mounted certificate and token."""
    directory = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = f"""
        set -e
        [ "$(cat {directory}/namespace)" = "{cluster_namespace}" ]
        [ "$KUBERNETES_SERVICE_HOST" = 10.230.0.1 ]
        [ "$KUBERNETES_SERVICE_PORT" = 443 ]
        echo token=$(cat {directory}/token)
        nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null
    """
    said = finished(cluster, cluster_namespace, "client", script)
    token = said.split("token=")[1].split()[0]
    review = cluster.api.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    assert review["status"]["authenticated"] is True, json.dumps(review)
    assert review["status"]["user"]["username"] == f"system:serviceaccount:{cluster_namespace}:default"
    assert review["status"]["user"]["extra"]["authentication.kubernetes.io/pod-name"] == ["client"]


def test_host_network_and_host_port(cluster: Cluster, cluster_namespace: str) -> None:
    said = finished(cluster, cluster_namespace, "host", "ip -4 -o addr show; hostname", hostNetwork=True)
    node = cluster.api.get("/api/v1/nodes")["items"][0]
    addresses = {item["type"]: item["address"] for item in node["status"]["addresses"]}
    assert addresses["InternalIP"] in said
    path = f"/api/v1/namespaces/{cluster_namespace}/pods"
    body = pod("ported", SERVE)
    body["spec"]["containers"][0]["ports"] = [{"containerPort": 8080, "hostPort": 30499}]
    cluster.api.create(path, body)
    cluster.wait_ready(cluster_namespace, "app=ported")

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://{addresses['InternalIP']}:{30499}/", timeout=2) as answer:
                return bool(answer.read() == b"ported\n")
        except OSError:
            return False

    until(answers, "the host port answers")
