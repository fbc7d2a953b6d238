"""A cluster with a node on this machine, as `steersman up` makes it."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from steersman.cluster.config import ClusterConfig

from . import leftovers
from .api import Api
from .processes import STEERSMAN, environment, free_port, run, steersman
from .waiting import until

IMAGE = "steersman.local/hello:1"
IMAGE_2 = "steersman.local/hello:2"
"""The image of examples/hello, and the same under a second tag."""

REPOSITORY = Path(__file__).parents[2]


def missing_for_a_node() -> str:
    """Why this machine cannot run a node for a test; empty where it can."""
    if os.geteuid() != 0:
        return "a node needs root"
    paths = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [
        name for name in ("containerd", "runc", "nft", "iptables", "busybox") if not shutil.which(name, path=paths)
    ]
    return f"these programs are missing: {', '.join(missing)}" if missing else ""


class Cluster:
    """`steersman up` with a data directory, ports and address ranges of its own."""

    def __init__(self, data_dir: Path, octet: int = 231) -> None:
        self.data_dir = data_dir
        self.kubeconfig = data_dir.with_suffix(".kubeconfig")
        self.env = environment(self.kubeconfig)
        self.port = free_port()
        self.options = [
            "--secure-port", str(self.port),
            "--kubelet-port", str(free_port()),
            "--dns-port", str(free_port()),
            "--cluster-cidr", f"10.{octet}.0.0/16",
            "--service-cidr", f"10.{octet - 1}.0.0/16",
        ]  # fmt: skip
        self.before: set[str] = set()

    def up(self, *options: str) -> str:
        """Start it, and return what `up` said."""
        self.snapshot()
        return steersman("up", "--data-dir", str(self.data_dir), *self.options, *options, env=self.env, timeout=90)

    def snapshot(self) -> None:
        """Remember what is on the machine before it is started for the first time."""
        self.before = self.before or leftovers.snapshot(self.data_dir)

    def import_images(self) -> None:
        """Build the image of examples/hello under both tags, and import it."""
        archives = []
        for tag in (IMAGE, IMAGE_2):
            archive = self.data_dir.parent / f"{tag.replace('/', '_').replace(':', '_')}.tar"
            if not archive.exists():
                busybox = shutil.which("busybox") or "/bin/busybox"
                steersman("images", "build", tag, str(archive), "--busybox", busybox,
                          "--command", "sleep 3600")  # fmt: skip
            archives.append(str(archive))
        steersman("images", "import", "--data-dir", str(self.data_dir), *archives)

    def down(self, *options: str) -> None:
        """End it."""
        steersman("down", "--data-dir", str(self.data_dir), *options, env=self.env, timeout=60)

    def left(self) -> set[str]:
        """What is on the machine that was not there before `up`."""
        config = ClusterConfig(data_dir=str(self.data_dir), node_name="", node_address="")
        return leftovers.without_other_clusters(leftovers.snapshot(self.data_dir) - self.before, config)

    def wait_nothing_left(self) -> None:
        """Wait until nothing of it is on the machine any more (the kernel ends some things a moment later)."""
        deadline = time.monotonic() + 10
        while left := self.left():
            assert time.monotonic() < deadline, "the cluster left on the machine: " + "; ".join(sorted(left))
            time.sleep(0.1)

    @property
    def api(self) -> Api:
        return Api((self.data_dir / "admin.conf").read_text())

    def status(self) -> dict[str, Any]:
        """What `steersman status -o json` says."""
        result = run(STEERSMAN, "status", "--data-dir", str(self.data_dir), "-o", "json")
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    def pid(self, process: str) -> int:
        """The pid of the server, the agent or the supervisor; 0 while it is down."""
        return next((item["pid"] for item in self.status()["processes"] if item["name"] == process), 0)

    def kill(self, process: str) -> None:
        """`kill -9` the server or the agent."""
        os.kill(self.pid(process), signal.SIGKILL)

    def wait_back(self, process: str, old_pid: int) -> None:
        """Wait until a killed process runs again and the node is ready."""

        def back() -> bool:
            status = self.status()
            pids = {item["name"]: item["pid"] for item in status["processes"]}
            return status["ready"] and pids.get(process) not in (0, None, old_pid)

        until(back, f"the {process} is back", 30, 0.1)

    def pods(self, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """The pods of a namespace."""
        query = f"?labelSelector={selector.replace('=', '%3D')}" if selector else ""
        return self.api.get(f"/api/v1/namespaces/{namespace}/pods{query}")["items"]

    def wait_ready(
        self, namespace: str, selector: str = "", count: int = 1, seconds: float = 30
    ) -> list[dict[str, Any]]:
        """Wait until exactly so many pods are there, none is going, and all are ready; return them."""

        def ready() -> list[dict[str, Any]]:
            pods = self.pods(namespace, selector)
            fine = [pod for pod in pods if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]
            return fine if len(fine) == len(pods) == count else []

        try:
            return until(ready, f"{count} pods of {namespace} {selector} are ready", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.explain(namespace)}") from None

    def explain(self, namespace: str) -> str:
        """The pods and events of a namespace, for the message of a failed test."""
        lines = [f"{pod['metadata']['name']}: {json.dumps(pod['status'])}" for pod in self.pods(namespace)] + [
            f"{item['involvedObject']['kind']}/{item['involvedObject']['name']}: {item['reason']}: {item['message']}"
            for item in self.api.get(f"/api/v1/namespaces/{namespace}/events")["items"]
        ]
        return "\n".join(lines)


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod's Ready condition is true."""
    conditions = pod["status"].get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def container_ids(pods: list[dict[str, Any]]) -> dict[str, tuple[str, int]]:
    """Each container's identity and count of restarts."""
    return {
        f"{pod['metadata']['name']}/{status['name']}": (status["containerID"], status["restartCount"])
        for pod in pods
        for status in pod["status"]["containerStatuses"]
    }


def host_pids(container_id: str) -> list[int]:
    """The processes of a container as this machine counts them."""
    identity = container_id.removeprefix("containerd://")
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                if identity in (directory / "cgroup").read_text():
                    found.append(int(directory.name))
            except OSError:
                continue
    return found
