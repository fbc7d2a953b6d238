"""Stock kubectl against a real cluster: everything that needs containers."""

import json
import os
import pty
import select
import subprocess
import time
import urllib.request

import pytest

from .cluster import IMAGE, IMAGE_2, REPOSITORY, Cluster
from .kubectl import Kubectl
from .processes import free_port
from .waiting import until

pytestmark = [pytest.mark.root, pytest.mark.containerd, pytest.mark.kubectl]

POD = f"""
apiVersion: v1
kind: Pod
metadata:
  name: box
  labels: {{app: box}}
  annotations: {{note: of the pod}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: {IMAGE}
    command: [sh, -c, 'n=0; while true; do echo line $n; n=$((n+1)); sleep 0.2; done']
    env:
    - name: POD_IP
      valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}
    - name: LIMIT
      valueFrom: {{resourceFieldRef: {{resource: limits.memory}}}}
    resources: {{limits: {{cpu: 100m, memory: 32Mi}}}}
    volumeMounts:
    - {{name: info, mountPath: /info}}
    - {{name: scratch, mountPath: /scratch}}
  - name: side
    image: {IMAGE}
    command: [sleep, "3600"]
    volumeMounts: [{{name: scratch, mountPath: /scratch}}]
  volumes:
  - {{name: scratch, emptyDir: {{}}}}
  - name: info
    projected:
      sources:
      - downwardAPI: {{items: [{{path: note, fieldRef: {{fieldPath: "metadata.annotations['note']"}}}}]}}
      - configMap: {{name: settings}}
      - secret: {{name: secrets}}
"""


def deployment(image: str = IMAGE, replicas: int = 2) -> str:
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: {image}
        command: [sh, -c, 'mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www']
        ports: [{{containerPort: 8080, name: http}}]
        readinessProbe: {{httpGet: {{path: /, port: http}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: http}}]
"""


@pytest.fixture
def box(cluster_kubectl: Kubectl) -> Kubectl:
    """kubectl in a namespace where the pod `box` runs."""
    kubectl = cluster_kubectl
    kubectl("create", "configmap", "settings", "--from-literal=setting=one")
    kubectl("create", "secret", "generic", "secrets", "--from-literal=secret=two")
    kubectl("apply", "-f", "-", input=POD)
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    return kubectl


class Terminal:
    """A program on a terminal of its own, which we type into."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        ours, theirs = pty.openpty()
        self.descriptor = ours
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
        )
        os.close(theirs)
        self.seen = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.descriptor)

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def expect(self, text: str, seconds: float = 15.0) -> None:
        """Read until a text appears, and forget everything up to it."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            readable, _, _ = select.select([self.descriptor], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, f"{text!r} did not appear: {self.seen!r}"
            try:
                self.seen += os.read(self.descriptor, 4096).decode(errors="replace")
            except OSError:
                raise AssertionError(f"the terminal closed before {text!r}: {self.seen!r}") from None
        self.seen = self.seen.split(text, 1)[1]


def test_nodes_and_pods(box: Kubectl) -> None:
    nodes = box("get", "nodes", "-o", "wide").splitlines()
    assert nodes[0].split() == ["NAME", "STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE",
                                "KERNEL-VERSION", "CONTAINER-RUNTIME"]  # fmt: skip
    assert nodes[1].split()[1] == "Ready"
    assert "containerd://" in nodes[1]
    both = box("get", "nodes,pods", "-A", "-o", "wide")
    row = next(line.split() for line in both.splitlines() if line.startswith(f"{box.namespace} "))
    assert row[1:5] == ["pod/box", "2/2", "Running", "0"]
    assert row[6].startswith("10.231.")


def test_pod_gets_what_it_asked_for(box: Kubectl) -> None:
    said = box("exec", "box", "-c", "main", "--", "sh", "-c",
               "echo $POD_IP $LIMIT; cat /info/note /info/setting /info/secret; cat /etc/resolv.conf; id -u; "
               "hostname; ls /var/run/secrets/kubernetes.io/serviceaccount; touch /scratch/shared")  # fmt: skip
    assert box("get", "pod", "box", "-o", "jsonpath={.status.podIP} 33554432") in said
    assert "of the podonetwo" in said.replace("\n", "")
    assert f"search {box.namespace}.svc.cluster.local svc.cluster.local cluster.local" in said
    assert "options ndots:5" in said
    assert "\nbox\n" in said
    assert {"ca.crt", "namespace", "token"} <= set(said.split())
    assert "shared" in box("exec", "box", "-c", "side", "--", "ls", "/scratch")


def test_exec_with_stdin_and_exit_code(box: Kubectl) -> None:
    text = "".join(f"row {number}\n" for number in range(5000))
    assert box("exec", "-i", "box", "-c", "side", "--", "cat", input=text) == text
    failed = box.run("exec", "box", "-c", "side", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (failed.returncode, failed.stdout) == (7, "out\n")
    assert "err\n" in failed.stderr
    missing = box.refused("exec", "box", "-c", "side", "--", "no-such-program")
    assert "no-such-program" in missing
    assert "container nothing is not valid for pod box" in box.refused("exec", "box", "-c", "nothing", "--", "true")


def test_exec_on_a_terminal(box: Kubectl) -> None:
    with Terminal(box.command("exec", "-it", "box", "-c", "side", "--", "sh"), box.env) as terminal:
        terminal.expect("#")
        terminal.type("echo $((20 + 22)); tty\n")
        terminal.expect("42\r\n")
        terminal.expect("/dev/pts/")
        terminal.expect("#")
        terminal.type("exit 3\n")
        assert terminal.process.wait(10) == 3


def test_logs(box: Kubectl) -> None:
    until(lambda: "line 9" in box("logs", "box", "-c", "main"), "ten lines")
    assert box("logs", "box", "-c", "main").startswith("line 0\nline 1\n")
    assert len(box("logs", "box", "-c", "main", "--tail=2").splitlines()) == 2
    stamped = box("logs", "box", "-c", "main", "--timestamps", "--tail=1").split()
    assert stamped[0].startswith("20")
    assert stamped[1] == "line"
    assert "line 0" not in box("logs", "box", "-c", "main", "--since=1s")
    with box.background("logs", "-f", "box", "-c", "main") as following:
        following.expect("line 0")
        now = int(following.read()[-1].split()[1])
        following.expect(f"line {now + 5}")
        box("delete", "pod", "box", "--wait=false")
        assert following.process.wait(20) == 0
    numbers = [int(line.split()[1]) for line in following.lines]
    assert numbers == list(range(len(numbers)))


def test_logs_of_the_previous_container(cluster_kubectl: Kubectl) -> None:
    kubectl = cluster_kubectl
    kubectl("run", "brief", f"--image={IMAGE}", "--restart=OnFailure", "--", "sh", "-c", "echo run; exit 1")
    until(lambda: "run" in kubectl.run("logs", "brief", "--previous").stdout, "a previous container", 30)
    kubectl("delete", "pod", "brief", "--now")


def test_describe(box: Kubectl, cluster: Cluster) -> None:
    said = " ".join(box("describe", "pod", "box").split())
    for text in ("Node:", "Container ID: containerd://", "QoS Class:", "Scheduled", "Pulled", "Created", "Started",
                 "ConfigMapName:", "State: Running"):  # fmt: skip
        assert text in said, said
    node = cluster.api.get("/api/v1/nodes")["items"][0]["metadata"]["name"]
    said = box("describe", "node", node)
    for text in ("Capacity:", "Allocatable:", "KubeletReady", "MemoryPressure", "Allocated resources:", "PodCIDR:",
                 f"{box.namespace} ", "Lease:"):  # fmt: skip
        assert text in said, said


def test_deployment_from_rollout_to_undo(cluster_kubectl: Kubectl) -> None:
    kubectl = cluster_kubectl
    kubectl("apply", "-f", "-", input=deployment())
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    service = kubectl("describe", "service", "web")
    assert service.count(":8080") >= 1
    kubectl("scale", "deployment/web", "--replicas=3")
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    assert len(kubectl("get", "pods", "-l", "app=web", "-o", "name").split()) == 3
    kubectl("set", "image", "deployment/web", f"main={IMAGE_2}")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    images = "jsonpath={.items[*].spec.containers[*].image}"

    def running_images() -> set[str]:
        return set(kubectl("get", "pods", "-l", "app=web", "-o", images).split())

    until(lambda: running_images() == {IMAGE_2}, "every pod has the new image")
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    until(lambda: running_images() == {IMAGE}, "every pod has the old image")
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("delete", "deployment,service", "web", timeout=30)
    until(lambda: kubectl("get", "pods,endpointslices", "-o", "name") == "", "nothing is left", 30)


def test_hello(cluster_kubectl: Kubectl) -> None:
    kubectl = cluster_kubectl
    kubectl("apply", "-R", "-f", str(REPOSITORY / "examples/hello"))
    kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
    said = kubectl("exec", "deploy/hello", "-c", "web", "--", "wget", "-qO-", "http://hello")
    assert "Hello from Steersman, pod hello-" in said
    kubectl("delete", "-R", "-f", str(REPOSITORY / "examples/hello"), timeout=40)


def test_watch_of_a_pods_life(cluster_kubectl: Kubectl) -> None:
    kubectl = cluster_kubectl
    kubectl("run", "homeless", f"--image={IMAGE}", '--overrides={"spec": {"nodeSelector": {"no": "where"}}}')
    with kubectl.background("get", "pods", "-w", "-o", "wide") as watch:
        watch.expect("homeless")
        kubectl("run", "brief", f"--image={IMAGE}", "--restart=Never", "--command", "--", "sleep", "1")
        for state in ("Pending", "ContainerCreating", "Running", "Completed"):
            watch.expect(state)
    kubectl("delete", "pod", "brief", "homeless", timeout=30)
    assert 'pods "brief" not found' in kubectl.refused("get", "pod", "brief")


def test_run_and_remove(cluster_kubectl: Kubectl) -> None:
    kubectl = cluster_kubectl
    said = kubectl("run", "once", "--rm", "-i", f"--image={IMAGE}", "--restart=Never", "--command", "--", "sh", "-c",
                   "sleep 1; echo said by a pod")  # fmt: skip
    assert "said by a pod" in said
    until(lambda: kubectl("get", "pods", "-o", "name") == "", "the pod is gone")


def test_failing_command_backs_off(cluster_kubectl: Kubectl) -> None:
    kubectl = cluster_kubectl
    kubectl("run", "bad", f"--image={IMAGE}", "--command", "--", "/no/such/program")
    until(lambda: "RunContainerError" in kubectl("get", "pods") or "CrashLoopBackOff" in kubectl("get", "pods"),
          "the pod tells that its program cannot be started", 30)  # fmt: skip
    assert "/no/such/program" in kubectl("describe", "pod", "bad")
    kubectl("delete", "pod", "bad", "--now", timeout=30)


def test_probe_kills_what_is_dead(cluster_kubectl: Kubectl) -> None:
    kubectl = cluster_kubectl
    container = {
        "name": "sick",
        "image": IMAGE,
        "command": ["sh", "-c", "sleep 1; touch /sick; sleep 99"],
        "livenessProbe": {
            "exec": {"command": ["test", "!", "-e", "/sick"]},
            "periodSeconds": 1,
            "failureThreshold": 1,
        },
    }
    overrides = json.dumps({"spec": {"containers": [container], "terminationGracePeriodSeconds": 0}})
    kubectl("run", "sick", f"--image={IMAGE}", f"--overrides={overrides}")
    count = "jsonpath={.status.containerStatuses[0].restartCount}"
    until(lambda: kubectl("get", "pod", "sick", "-o", count) not in ("", "0"), "it is restarted", 30)
    said = kubectl("describe", "pod", "sick")
    assert "Unhealthy" in said
    assert "Container sick failed liveness probe, will be restarted" in said
    kubectl("delete", "pod", "sick", "--now", timeout=30)


def test_init_containers_go_first(cluster_kubectl: Kubectl) -> None:
    kubectl = cluster_kubectl
    kubectl("apply", "-f", "-", input=f"""
apiVersion: v1
kind: Pod
metadata: {{name: steps}}
spec:
  restartPolicy: Never
  volumes: [{{name: v, emptyDir: {{}}}}]
  initContainers:
  - {{name: one, image: "{IMAGE}", command: [sh, -c, "echo one >> /v/log"], volumeMounts: [{{name: v, mountPath: /v}}]}}
  - {{name: two, image: "{IMAGE}", command: [sh, -c, "echo two >> /v/log"], volumeMounts: [{{name: v, mountPath: /v}}]}}
  containers:
  - {{name: main, image: "{IMAGE}", command: [cat, /v/log], volumeMounts: [{{name: v, mountPath: /v}}]}}
""")  # fmt: skip
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/steps", "--timeout=30s")
    assert kubectl("logs", "steps") == "one\ntwo\n"


def test_port_forward(cluster_kubectl: Kubectl) -> None:
    kubectl = cluster_kubectl
    kubectl("apply", "-f", "-", input=deployment(replicas=1))
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    port = free_port()
    with kubectl.background("port-forward", "deployment/web", f"{port}:8080") as forwarding:
        forwarding.expect(f"Forwarding from 127.0.0.1:{port}")
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                assert answer.read().startswith(b"web-")
    kubectl("delete", "deployment,service", "web", timeout=30)
