"""What fails comes back, and nobody who was not concerned notices."""

import itertools
import os
import signal
import threading
import time
from typing import Any

import pytest

from .api import Api
from .cluster import IMAGE, Cluster, container_ids, host_pids, is_ready
from .waiting import until

pytestmark = [pytest.mark.root, pytest.mark.containerd]

WEB = ["sh", "-c", "mkdir /www; hostname > /www/index.html; touch /ready; exec httpd -f -p 8080 -h /www"]


def deployment(name: str, replicas: int, **container: Any) -> dict[str, Any]:
    labels = {"app": name}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": IMAGE, "command": WEB, **container}],
    }
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def service(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


READINESS = {"exec": {"command": ["test", "-e", "/ready"]}, "periodSeconds": 1, "failureThreshold": 1}

CLIENT = """
# Asks the Service, once by its address and once by its name, again and again; writes down each answer and when.
# /proc/uptime is this machine's clock: the same inside and outside.
ask() {
    answer=$(timeout 2 wget -q -O - "http://$2/" 2>/dev/null) || answer=FAILED
    read -r now rest < /proc/uptime
    echo "$1 $now $answer"
}
while true; do ask address "$ADDRESS"; ask name web; sleep 0.05; done
"""


def serve_and_ask(cluster: Cluster, namespace: str, replicas: int = 2) -> None:
    """A Deployment `web`, its Service, and the pod `client` that asks it without end."""
    api, base = cluster.api, f"/api/v1/namespaces/{namespace}"
    api.create(
        f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("web", replicas, readinessProbe=READINESS)
    )
    address = api.create(f"{base}/services", service("web"))["spec"]["clusterIP"]
    cluster.wait_ready(namespace, "app=web", replicas)
    main = {
        "name": "main",
        "image": IMAGE,
        "command": ["sh", "-c", CLIENT],
        "env": [{"name": "ADDRESS", "value": address}],
    }
    api.create(
        f"{base}/pods",
        {
            "metadata": {"name": "client", "labels": {"app": "client"}},
            "spec": {"containers": [main], "terminationGracePeriodSeconds": 0},
        },
    )
    cluster.wait_ready(namespace, "app=client")
    until(lambda: len(succeeded(answers(cluster, namespace), "name")) >= 5, "the client gets answers by name")


def answers(cluster: Cluster, namespace: str) -> list[tuple[str, float, str]]:
    """What the client wrote down: by what it asked, when, what it got."""
    text = cluster.api.request("GET", f"/api/v1/namespaces/{namespace}/pods/client/log").text
    rows = [line.split(" ", 2) for line in text.splitlines() if line.startswith(("address ", "name "))]
    return [(how, float(when), what) for how, when, what in rows]


def succeeded(rows: list[tuple[str, float, str]], how: str) -> list[float]:
    return [when for kind, when, what in rows if kind == how and what != "FAILED"]


def uptime() -> float:
    return float(open("/proc/uptime").read().split()[0])


class Writer(threading.Thread):
    """Creates ConfigMaps without end, whatever happens to the server, and counts what was acknowledged."""

    def __init__(self, api: Api, namespace: str) -> None:
        super().__init__(daemon=True)
        self.api, self.path = api, f"/api/v1/namespaces/{namespace}/configmaps"
        self.acknowledged: list[str] = []
        self.failures = 0
        self.done = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.done.is_set():
            number += 1
            try:
                answer = self.api.request("POST", self.path, {"metadata": {"name": f"w{number}"}}, timeout=5)
            except OSError:
                self.failures += 1
                time.sleep(0.02)
                continue
            if answer.code == 201:
                self.acknowledged.append(f"w{number}")


def test_killed_container_is_restarted(cluster: Cluster, cluster_namespace: str) -> None:
    path = f"/api/v1/namespaces/{cluster_namespace}/pods"
    container = {"name": "main", "image": IMAGE, "command": ["sleep", "3600"]}
    cluster.api.create(
        path, {"metadata": {"name": "p"}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    )
    [pod] = cluster.wait_ready(cluster_namespace)
    [status] = pod["status"]["containerStatuses"]
    for pid in host_pids(status["containerID"]):
        os.kill(pid, signal.SIGKILL)

    def restarted() -> dict[str, Any] | None:
        [now] = cluster.api.get(f"{path}/p")["status"]["containerStatuses"]
        return now if now["restartCount"] == 1 and now["ready"] else None

    now = until(restarted, "the container runs again, restarted once")
    assert now["containerID"] != status["containerID"]
    assert now["lastState"]["terminated"]["exitCode"] == 137
    assert cluster.api.get(f"{path}/p")["metadata"]["uid"] == pod["metadata"]["uid"]
    assert cluster.api.get(f"{path}/p")["status"]["podIP"] == pod["status"]["podIP"]


def test_deleted_pod_is_replaced(cluster: Cluster, cluster_namespace: str) -> None:
    api, path = cluster.api, f"/api/v1/namespaces/{cluster_namespace}/pods"
    api.create(f"/apis/apps/v1/namespaces/{cluster_namespace}/deployments", deployment("web", 2))
    before = {pod["metadata"]["name"] for pod in cluster.wait_ready(cluster_namespace, "app=web", 2)}
    victim = sorted(before)[0]
    api.delete(f"{path}/{victim}")
    until(lambda: not api.exists(f"{path}/{victim}"), "the deleted pod is gone")
    after = {pod["metadata"]["name"] for pod in cluster.wait_ready(cluster_namespace, "app=web", 2)}
    assert len(after - before) == 1
    assert victim not in after


def test_pod_that_is_not_ready_leaves_the_service(cluster: Cluster, cluster_namespace: str) -> None:
    api, namespace = cluster.api, cluster_namespace
    serve_and_ask(cluster, namespace)
    pods = cluster.pods(namespace, "app=web")
    everyone = {pod["metadata"]["name"] for pod in pods}
    until(lambda: {what for _, _, what in answers(cluster, namespace)} >= everyone, "both pods answer")
    sick = pods[0]

    def ready_addresses() -> set[str]:
        query = "labelSelector=kubernetes.io%2Fservice-name%3Dweb"
        slices = api.get(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?{query}")["items"]
        return {
            endpoint["addresses"][0]
            for item in slices
            for endpoint in item.get("endpoints") or []
            if endpoint["conditions"]["ready"]
        }

    assert ready_addresses() == {pod["status"]["podIP"] for pod in pods}
    [pid] = [pid for pid in host_pids(sick["status"]["containerStatuses"][0]["containerID"]) if _is(pid, "httpd")][:1]
    os.unlink(f"/proc/{pid}/root/ready")
    until(lambda: ready_addresses() == {pods[1]["status"]["podIP"]}, "the endpoint is not ready")
    assert not is_ready(api.get(f"/api/v1/namespaces/{namespace}/pods/{sick['metadata']['name']}"))

    def spared() -> bool:
        recent = [what for _, _, what in answers(cluster, namespace)][-30:]
        return set(recent) == {pods[1]["metadata"]["name"]}

    until(spared, "thirty answers in a row, none of them from the pod that is not ready")
    open(f"/proc/{pid}/root/ready", "w").close()
    until(lambda: len(ready_addresses()) == 2, "the endpoint is ready again")
    until(
        lambda: sick["metadata"]["name"] in {what for _, _, what in answers(cluster, namespace)[-30:]},
        "it answers again",
    )


def _is(pid: int, program: str) -> bool:
    try:
        return program in open(f"/proc/{pid}/cmdline").read()
    except OSError:
        return False


def test_server_and_agent_are_killed_while_pods_serve(cluster: Cluster, cluster_namespace: str) -> None:
    """Traffic goes on, the process comes back, no container restarts, nothing acknowledged is lost."""
    api, namespace = cluster.api, cluster_namespace
    serve_and_ask(cluster, namespace)
    before = container_ids(cluster.pods(namespace))
    writer = Writer(api, namespace)
    writer.start()
    started = uptime()
    restarts = {item["name"]: item["restarts"] for item in cluster.status()["processes"]}
    until(lambda: len(writer.acknowledged) >= 20, "twenty writes")
    outages: dict[str, tuple[float, float]] = {}
    for process in ("server", "agent"):
        old = cluster.pid(process)
        begin = uptime()
        cluster.kill(process)
        cluster.wait_back(process, old)
        outages[process] = (begin, uptime())
        count = len(writer.acknowledged)
        until(lambda count=count: len(writer.acknowledged) > count + 10, "writes go on")  # type: ignore[misc]
    writer.done.set()
    writer.join(10)

    end = uptime()
    until(lambda: max((when for _, when, _ in answers(cluster, namespace)), default=0) > end, "the client goes on")
    rows = [row for row in answers(cluster, namespace) if row[1] >= started]
    failed = [row for row in rows if row[2] == "FAILED"]
    assert [row for row in failed if row[0] == "address"] == []
    # Names are resolved by the agent: while it is away, and only then, a lookup may fail.
    begin, back = outages["agent"]
    assert [row for row in failed if not begin - 0.1 <= row[1] <= back + 2.5] == []
    for how in ("address", "name"):
        times = succeeded(rows, how)
        assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 8.0
    for process, (begin, back) in outages.items():
        during = [when for when in succeeded(rows, "address") if begin < when < back]
        assert during, f"no request while the {process} was away"

    present = {item["metadata"]["name"] for item in api.get(f"/api/v1/namespaces/{namespace}/configmaps")["items"]}
    assert set(writer.acknowledged) - present == set()
    assert container_ids(cluster.pods(namespace)) == before
    now = {item["name"]: item["restarts"] for item in cluster.status()["processes"]}
    assert (now["server"], now["agent"]) == (restarts["server"] + 1, restarts["agent"] + 1)


def test_pod_that_died_while_the_agent_was_away(cluster: Cluster, cluster_namespace: str) -> None:
    path = f"/api/v1/namespaces/{cluster_namespace}/pods"
    container = {"name": "main", "image": IMAGE, "command": ["sleep", "3600"]}
    cluster.api.create(
        path, {"metadata": {"name": "p"}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    )
    [pod] = cluster.wait_ready(cluster_namespace)
    old = cluster.pid("agent")
    cluster.kill("agent")
    for pid in host_pids(pod["status"]["containerStatuses"][0]["containerID"]):
        os.kill(pid, signal.SIGKILL)
    cluster.wait_back("agent", old)

    def restarted() -> bool:
        [now] = cluster.api.get(f"{path}/p")["status"]["containerStatuses"]
        return bool(now["restartCount"] == 1 and now["ready"])

    until(restarted, "the container was restarted once")


def test_pod_deleted_while_the_agent_is_away(cluster: Cluster, cluster_namespace: str) -> None:
    """It goes once the agent is back: no container, no sandbox of it is left."""
    path = f"/api/v1/namespaces/{cluster_namespace}/pods"
    container = {"name": "main", "image": IMAGE, "command": ["sleep", "3600"]}
    cluster.api.create(
        path, {"metadata": {"name": "p"}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    )
    [pod] = cluster.wait_ready(cluster_namespace)
    identity = pod["status"]["containerStatuses"][0]["containerID"]
    assert host_pids(identity)
    old = cluster.pid("agent")
    cluster.kill("agent")
    cluster.api.request("DELETE", f"{path}/p?gracePeriodSeconds=0")
    cluster.wait_back("agent", old)
    until(lambda: not host_pids(identity), "its processes are gone")
    assert not cluster.api.exists(f"{path}/p")


def test_supervisor_is_killed_and_up_takes_over(cluster: Cluster, cluster_namespace: str) -> None:
    api, namespace = cluster.api, cluster_namespace
    api.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("web", 2))
    before = container_ids(cluster.wait_ready(namespace, "app=web", 2))
    pids = [item["pid"] for item in cluster.status()["processes"]]
    cluster.kill("supervisor")
    until(lambda: not any(os.path.exists(f"/proc/{pid}") and _running(pid) for pid in pids), "its children end with it")
    assert all(host_pids(identity) for identity, _ in before.values())
    cluster.up()
    assert container_ids(cluster.wait_ready(namespace, "app=web", 2)) == before


def _running(pid: int) -> bool:
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_up_again_leaves_a_running_cluster_alone(cluster: Cluster) -> None:
    before = cluster.status()["processes"]
    cluster.up()
    assert [(item["pid"], item["restarts"]) for item in cluster.status()["processes"]] == [
        (item["pid"], item["restarts"]) for item in before
    ]
