"""Fixtures: API servers without a node (no root needed), and one real cluster for the whole session."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.kubectls import missing, versions

from .api import Api, new_namespace
from .cluster import Cluster, missing_for_a_node
from .deserted import PREFIX, SCRATCH, end_deserted_clusters, owned
from .etcd import Etcd
from .kubectl import Kubectl
from .processes import Server


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A directory with a short path (socket paths have at most 107 characters), removed at the end."""
    end_deserted_clusters(SCRATCH)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=SCRATCH, ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)
        with owned(Path(directory)):
            yield Path(directory)


@pytest.fixture
def make_server(scratch: Path) -> Iterator[Callable[..., Server]]:
    """Make servers that are removed when the test ends."""
    made: list[Server] = []

    def make(*options: str, port: int | None = None) -> Server:
        server = Server(Path(tempfile.mkdtemp(dir=scratch)) / "server", *options, port=port)
        made.append(server)
        return server

    yield make
    for server in made:
        server.remove()


@pytest.fixture
def etcd(scratch: Path) -> Iterator[str]:
    """The URL of a real etcd."""
    member = Etcd(Path(tempfile.mkdtemp(dir=scratch)) / "etcd")
    try:
        yield member.start().url
    finally:
        member.remove()


@pytest.fixture(scope="session")
def api_server(scratch: Path) -> Iterator[Server]:
    """One running API server, with controllers and scheduler, without a node."""
    server = Server(scratch / "api-server")
    try:
        yield server.start()
        assert server.running.poll() is None, f"the server ended by itself: {server.log.read_text()[-3000:]}"
        log = server.log.read_text(errors="replace")
        assert "Traceback" not in log, f"the server logged a traceback: {log[log.index('Traceback') - 1000 :][:5000]}"
    finally:
        server.remove()


@pytest.fixture
def api(api_server: Server) -> Api:
    """An administrator's connection to `api_server`."""
    return api_server.api


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A namespace of the test's own on `api_server`."""
    name = new_namespace(api, "test")
    yield name
    api.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def cluster(scratch: Path) -> Iterator[Cluster]:
    """One real cluster.  At the end it goes down, and nothing of it may be left."""
    if reason := missing_for_a_node():
        pytest.skip(reason)
    cluster = Cluster(scratch / "cluster")
    try:
        cluster.up()
        cluster.import_images()
        yield cluster
    finally:
        cluster.down()
        logs = {path.name: path.read_text(errors="replace") for path in (cluster.data_dir / "logs").glob("*.log")}
        cluster.wait_nothing_left()
        if keep := os.environ.get("STEERSMAN_E2E_LOGS"):
            shutil.copytree(cluster.data_dir / "logs", keep, dirs_exist_ok=True)
    for name, text in logs.items():
        if name in ("server.log", "agent.log", "supervisor.log") and "Traceback" in text:
            start = text.index("Traceback")
            pytest.fail(f"{name} has a traceback: {text[max(0, start - 1000) : start + 4000]}")


@pytest.fixture
def cluster_namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own on `cluster`."""
    name = new_namespace(cluster.api, "test")
    yield name
    cluster.api.request("DELETE", f"/api/v1/namespaces/{name}")


VERSIONS = versions() or [pytest.param("", marks=pytest.mark.skip(reason=missing()))]


@pytest.fixture(params=VERSIONS, ids=lambda version: f"kubectl-{version}")
def kubectl(request: pytest.FixtureRequest, api_server: Server, namespace: str) -> Kubectl:
    """The newest and the oldest kubectl, against `api_server`."""
    return Kubectl(request.param, api_server.kubeconfig, namespace)


@pytest.fixture(params=VERSIONS, ids=lambda version: f"kubectl-{version}")
def cluster_kubectl(request: pytest.FixtureRequest, cluster: Cluster, cluster_namespace: str) -> Kubectl:
    """The newest and the oldest kubectl, against `cluster`."""
    return Kubectl(request.param, cluster.kubeconfig, cluster_namespace)
