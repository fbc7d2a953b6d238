"""The stock kubectl, newest and oldest on the machine, against a real API server and a stand-in for a kubelet."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from fixtures.exec_server import EXEC_SPDY, exec_session
from steersman.api.types.core_v1 import (
    Container,
    DaemonEndpoint,
    Namespace,
    Node,
    NodeAddress,
    NodeDaemonEndpoints,
    NodeStatus,
    Pod,
    PodSpec,
    ServiceAccount,
)
from steersman.api.types.meta_v1 import ObjectMeta, Status, StatusCause, StatusDetails
from steersman.api.user import User
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.endpoints.pipeline import timeout_answer, too_large_answer
from steersman.apiserver.http.messages import Answer, Connection, Request, Response, Stream, StreamWriter, Upgrade
from steersman.apiserver.http.server import HTTPServer
from steersman.apiserver.server import ApiServer
from steersman.client.streaming import PORT_FORWARD, PortForwardSession, Streams, accept_spdy
from steersman.pki.files import PKIConfig, ensure
from steersman.storage.memory import MemoryStore


def kubectls() -> list[str]:
    """The default kubectl and the oldest and newest of those that lie beside it."""
    found = shutil.which("kubectl")
    if found is None:
        return []
    others = sorted(Path(os.path.realpath(found)).parent.glob("kubectl.1.*"))
    return [found, *map(str, {others[0], others[-1]})] if others else [found]


pytestmark = [pytest.mark.kubectl, pytest.mark.skipif(not kubectls(), reason="no kubectl on the PATH")]
ADMIN = User("admin", ("system:masters",))


async def fake_kubelet(request: Request) -> Answer:
    """Echoes stdin, logs two lines, forwards to an echo."""
    if request.path.startswith("/containerLogs/"):

        async def log(writer: StreamWriter) -> None:
            writer.write(b"line 1\n")
            await writer.drain()
            writer.write(f"query {request.query_string}\n".encode())

        return Stream(log, "text/plain")
    if request.path.startswith("/exec/"):
        headers = accept_spdy(request.headers, EXEC_SPDY)
        streams = Streams(*(name in request.query for name in ("input", "output", "error", "tty")))

        async def run(connection: Connection) -> None:
            async with exec_session(connection, streams) as session:
                session.write("stderr", b"to stderr\n")
                while streams.stdin and (data := await session.read_stdin()):
                    session.write("stdout", data.upper())
                session.write("stdout", f"ran {request.query['command']}\n".encode())
                session.finish(
                    Status(
                        status="Failure",
                        reason="NonZeroExitCode",
                        message="command terminated with non-zero exit code: 3",
                        details=StatusDetails(causes=[StatusCause(reason="ExitCode", message="3")]),
                    )
                )

        return Upgrade(run, headers)
    if request.path.startswith("/portForward/"):
        headers = accept_spdy(request.headers, [PORT_FORWARD])

        async def forward(connection: Connection) -> None:
            session = PortForwardSession(connection)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(session.run())
                while (stream := await session.accept()) is not None:
                    data = await stream.read()
                    stream.write(f"port {stream.port}: ".encode() + data.upper())
                    stream.finish()

        return Upgrade(forward, headers)
    return Response(b"unexpected " + request.path.encode(), 404)


class Cluster(NamedTuple):
    server: ApiServer
    kubeconfig: Path


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    pki = tmp_path / "pki"
    ensure(PKIConfig(directory=pki, node_name="n1", node_address="127.0.0.1", server="https://127.0.0.1:0"))
    kubelet = HTTPServer(fake_kubelet, timeout_answer=timeout_answer, too_large_answer=lambda: too_large_answer(0))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
    tls.load_verify_locations(pki / "ca.crt")
    tls.verify_mode = ssl.CERT_REQUIRED
    kubelet_port = await kubelet.start("127.0.0.1", 0, tls)
    server = ApiServer(ApiServerConfig(bind_address="127.0.0.1", secure_port=0, pki_directory=pki), MemoryStore())
    running = asyncio.create_task(server.run())
    async with asyncio.timeout(10):
        await server.ready.wait()
    ensure(
        PKIConfig(directory=pki, node_name="n1", node_address="127.0.0.1", server=f"https://127.0.0.1:{server.port}")
    )
    client = server.local_client(ADMIN)
    await client.create(ServiceAccount(metadata=ObjectMeta(name="default", namespace="default")))
    node = await client.create(Node(metadata=ObjectMeta(name="n1")))
    endpoints = NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=kubelet_port))
    status = NodeStatus(addresses=[NodeAddress(type="InternalIP", address="127.0.0.1")], daemon_endpoints=endpoints)
    await client.update(
        Node(metadata=ObjectMeta(name="n1", resource_version=node.metadata.resource_version), status=status),
        subresource="status",
    )
    spec = PodSpec(node_name="n1", containers=[Container(name="main", image="x")])
    pod = await client.create(Pod(metadata=ObjectMeta(name="p", namespace="default"), spec=spec))
    running_pod = msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, phase="Running"))
    await client.update(running_pod, subresource="status")
    try:
        yield Cluster(server, tmp_path / "admin.conf")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await kubelet.stop()


async def kubectl(
    program: str, cluster: Cluster, *arguments: str, stdin: bytes | None = None, timeout: float = 30
) -> tuple[int, str, str]:
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(cluster.kubeconfig.parent)}
    process = await asyncio.create_subprocess_exec(
        program, *arguments, env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(timeout):
        out, err = await process.communicate(stdin)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.parametrize("program", kubectls(), ids=os.path.basename)
async def test_exec(cluster: Cluster, program: str) -> None:
    code, out, err = await kubectl(program, cluster, "exec", "-i", "p", "--", "cmd", "a b", stdin=b"hello\n")
    assert (code, out) == (3, "HELLO\nran ['cmd', 'a b']\n"), err
    assert "to stderr" in err
    assert "exit code 3" in err


@pytest.mark.parametrize("program", kubectls(), ids=os.path.basename)
async def test_logs(cluster: Cluster, program: str) -> None:
    code, out, err = await kubectl(program, cluster, "logs", "-f", "p", "--tail=5", "--timestamps")
    assert (code, out) == (0, "line 1\nquery follow=true&timestamps=true&tailLines=5\n"), err
    code, _, err = await kubectl(program, cluster, "logs", "p", "-c", "nope")
    assert code == 1
    assert "container nope is not valid for pod p" in err


@pytest.mark.parametrize("program", kubectls(), ids=os.path.basename)
async def test_port_forward(cluster: Cluster, program: str) -> None:
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(cluster.kubeconfig.parent)}
    process = await asyncio.create_subprocess_exec(
        program, "port-forward", "p", "0:8080", env=environment, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(10):
            line = (await process.stdout.readline()).decode()
            port = int(line.split("127.0.0.1:")[1].split(" ")[0])
            for _ in range(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"knock")
                assert await reader.read() == b"port 8080: KNOCK"
                writer.close()
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("program", kubectls(), ids=os.path.basename)
async def test_create_get_apply_watch_delete(cluster: Cluster, program: str) -> None:
    client = cluster.server.local_client(ADMIN)
    code, out, err = await kubectl(program, cluster, "create", "configmap", "c", "--from-literal=a=b")
    assert (code, out) == (0, "configmap/c created\n"), err
    watch = asyncio.create_task(
        kubectl(program, cluster, "get", "configmap", "c", "-o", "name", "--watch", "--request-timeout=2s")
    )
    manifest = b"apiVersion: v1\nkind: Namespace\nmetadata: {name: made}\n"
    code, out, err = await kubectl(program, cluster, "apply", "-f", "-", stdin=manifest)
    assert (code, out) == (0, "namespace/made created\n"), err
    assert (await client.get(Namespace, "made")).status.phase == "Active"
    code, out, err = await kubectl(program, cluster, "apply", "-f", "-", stdin=manifest)
    assert (code, out) == (0, "namespace/made unchanged\n"), err
    code, out, _ = await kubectl(program, cluster, "get", "pods", "-o", "wide", "--no-headers")
    assert out.split()[0] == "p"
    assert "n1" in out
    bad = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d}\nspec: {}\n"
    code, _, err = await kubectl(program, cluster, "create", "-f", "-", stdin=bad)
    assert code == 1
    assert "unknown field" in err
    code, out, err = await kubectl(program, cluster, "delete", "configmap", "c")
    assert (code, out) == (0, 'configmap "c" deleted\n') or out.startswith('configmap "c" deleted'), err
    _, out, _ = await watch
    assert "configmap/c" in out
