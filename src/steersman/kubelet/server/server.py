"""The kubelet's endpoints.  Every caller is authenticated by client certificate or token and authorized by the API.

Exec and attach are tunnelled: the runtime's streaming server speaks SPDY/3.1 and WebSocket (``v4.channel.k8s.io``)
itself, so after the upgrade the kubelet carries bytes and looks at none.  For port-forward see :mod:`.port_forward`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from steersman.api import codecs
from steersman.api.time import now
from steersman.api.types.core_v1 import PodList
from steersman.client.streaming import (
    PORT_FORWARD,
    HandshakeError,
    SocketConnection,
    accept_spdy,
    is_websocket,
    splice,
)
from steersman.kubelet import containers
from steersman.kubelet.cri_api import messages as cri
from steersman.kubelet.logs import options_from_query, read_log
from steersman.kubelet.runtime import Runtime, RuntimeFailure

from .access import Access, Refused
from .http import BadRequest, Request, head, read_request, respond
from .introspection import configz, running_pods
from .node_logs import serve_node_logs
from .port_forward import serve_port_forward

if TYPE_CHECKING:
    from steersman.kubelet.actor import PodActor
    from steersman.kubelet.kubelet import Kubelet

log = logging.getLogger(__name__)

SYSTEM_LOGS = Path("/var/log")
MAX_BODY = 1 << 20
FAREWELL_SECONDS = 30.0
"""How long a caller may take to read the end of a log."""

_METHODS = {"run": ("POST",)} | dict.fromkeys(("attach", "exec", "portForward"), ("GET", "POST"))


class KubeletServer:
    """Serves on the node's address; ``port`` is the one bound."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._access = Access(kubelet._client, kubelet.config.node_name)
        self.port = kubelet.config.port

    async def start(self) -> None:
        """Bind; raises OSError when the port is taken."""
        config = self._kubelet.config
        context: ssl.SSLContext | None = None
        if config.pki_dir is not None:
            context = tls_context(config.pki_dir)
        self._server = await asyncio.start_server(
            self._accept, config.bind_address, config.port, ssl=context, limit=64 << 10
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close at once."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while True:
                async with asyncio.timeout(120):
                    request = await read_request(reader)
                if request is None or not await self._serve(request, reader, writer):
                    return
                await writer.drain()
        except BadRequest as error:
            respond(writer, 400, str(error))
        except (ConnectionError, TimeoutError, ssl.SSLError):
            return
        except asyncio.CancelledError:
            if not self._server or self._server.is_serving():
                raise
        except Exception:
            log.exception("kubelet server: request failed")
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; returns whether the connection goes on."""
        length = request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
            respond(writer, 400, "bad body")
            return False
        await reader.readexactly(int(length))
        # No endpoint reads a body; one of unknown length MUST NOT be taken for the next request.
        goes_on = "transfer-encoding" not in request.headers
        try:
            await self._access.demand(request, writer)
            return await self._route(request, reader, writer) and goes_on
        except Refused as error:
            respond(writer, error.status, str(error) if request.method != "HEAD" else "")
            return goes_on

    async def _route(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        parts = request.path.strip("/").split("/")
        if request.method not in _METHODS.get(parts[0], ("GET",)):
            raise Refused(405, "405: Method Not Allowed")
        match parts:
            case ["healthz"] | ["healthz", "ping" | "syncloop" | "log"]:
                respond(writer, 200, "ok", "text/plain; charset=utf-8")
                return True
            case ["pods"]:
                pods = PodList(items=[actor.pod for actor in self._kubelet.actors.values()])
                respond(writer, 200, codecs.encode(pods), "application/json")
                return True
            case ["runningpods"]:
                records = [actor.record for actor in self._kubelet.actors.values()]
                respond(writer, 200, codecs.encode(running_pods(records)), "application/json")
                return True
            case ["configz"]:
                respond(writer, 200, configz(self._kubelet.config), "application/json")
                return True
            case ["logs", *_]:
                return await serve_node_logs(writer, SYSTEM_LOGS, request.path.removeprefix("/logs"))
            case ["run", namespace, name, *uid, container] if len(uid) <= 1:
                await self._run(request, self._actor(namespace, name, *uid), container, writer)
                return True
            case ["containerLogs", namespace, name, container]:
                await _while_connected(reader, self._logs(request, namespace, name, container, writer))
                return False
            case ["exec", namespace, name, *uid, container] if len(uid) <= 1:
                url = self._exec(request, self._actor(namespace, name, *uid), container)
                return await self._tunnel(url, request, reader, writer)
            case ["attach", namespace, name, *uid, container] if len(uid) <= 1:
                url = self._attach(request, self._actor(namespace, name, *uid), container)
                return await self._tunnel(url, request, reader, writer)
            case ["portForward", namespace, name, *uid] if len(uid) <= 1:
                actor = self._actor(namespace, name, *uid)
                if is_websocket(request.headers):
                    return await self._tunnel(self._port_forward(request, actor), request, reader, writer)
                return await self._forward_ports(request, actor, reader, writer)
        raise Refused(404, "404 page not found\n")

    # ---- pods -----------------------------------------------------------------------------------------------------

    def _actor(self, namespace: str, name: str, uid: str = "") -> PodActor:
        actor = self._kubelet.find(namespace, name, uid)
        if actor is None:
            raise Refused(404, f'pod "{name}" not found\n')
        return actor

    def _runtime(self) -> Runtime:
        assert self._kubelet.host is not None
        return self._kubelet.host.runtime

    def _container(self, actor: PodActor, container: str) -> cri.ContainerStatus:
        running = actor.record.running(container)
        if running is None:
            raise Refused(404, f'container not found ("{container}")')
        return running

    async def _logs(
        self, request: Request, namespace: str, name: str, container: str, writer: asyncio.StreamWriter
    ) -> None:
        actor = self._actor(namespace, name)
        if containers.find(actor.pod, container) is None:
            raise Refused(404, f'container "{container}" not found in pod "{name}"\n')
        previous = request.one("previous") in ("true", "1")
        statuses = actor.record.containers.get(container, [])
        if previous:
            statuses = statuses[1:]
        if not statuses or statuses[0].state == cri.CONTAINER_CREATED:
            if previous:
                raise Refused(400, f'previous terminated container "{container}" in pod "{name}" not found')
            waiting = actor.record.waiting.get(container)
            reason = waiting.reason if waiting is not None else "ContainerCreating"
            text = {
                "ErrImagePull": "trying and failing to pull image",
                "ImagePullBackOff": "trying and failing to pull image",
            }.get(reason, f"waiting to start: {reason}")
            if not text.startswith("waiting"):
                text = f"waiting to start: {text}"
            raise Refused(400, f'container "{container}" in pod "{name}" is {text}')
        target = statuses[0]
        try:
            options = options_from_query({key: values[0] for key, values in request.query.items()}, now())
        except ValueError as error:
            raise Refused(400, str(error)) from error

        def alive() -> bool:
            current = actor.record.containers.get(container, [])
            return any(each.id == target.id and each.state == cri.CONTAINER_RUNNING for each in current)

        pieces = read_log(Path(target.log_path), options, alive)
        try:
            first = await anext(pieces, b"") if not options.follow else b""
        except OSError as error:
            raise Refused(500, f"failed to open log file {target.log_path}: {error.strerror}") from error
        writer.write(head(200, {"Content-Type": "text/plain", "Transfer-Encoding": "chunked", "Connection": "close"}))
        if first:
            writer.write(b"%x\r\n%b\r\n" % (len(first), first))
        await writer.drain()
        async for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            if writer.is_closing():
                return
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _exec(self, request: Request, actor: PodActor, container: str) -> str:
        status = self._container(actor, container)
        command = request.query.get("command", [])
        return await self._runtime().exec_url(cri.ExecRequest(container_id=status.id, cmd=command, **_streams(request)))

    async def _run(self, request: Request, actor: PodActor, container: str, writer: asyncio.StreamWriter) -> None:
        """Run a command to its end and answer with what it wrote."""
        status = self._container(actor, container)
        try:
            done = await self._runtime().exec_sync(status.id, request.one("cmd").split(" "), 0)
        except RuntimeFailure as error:
            raise Refused(500, f"{error}\n") from error
        respond(writer, 200 if done.exit_code == 0 else 500, done.stdout + done.stderr)

    async def _attach(self, request: Request, actor: PodActor, container: str) -> str:
        status = self._container(actor, container)
        spec = containers.find(actor.pod, container)
        flags = _streams(request) | {"tty": spec is not None and bool(spec.tty)}
        if flags["tty"]:
            flags["stderr"] = False
        return await self._runtime().attach_url(cri.AttachRequest(container_id=status.id, **flags))

    def _sandbox(self, actor: PodActor) -> str:
        if actor.record.sandbox is None:
            raise Refused(404, "sandbox not found")
        return actor.record.sandbox.id

    async def _forward_ports(
        self, request: Request, actor: PodActor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        sandbox = self._sandbox(actor)
        try:
            headers = accept_spdy(request.headers, [PORT_FORWARD])
        except HandshakeError as error:
            respond(writer, error.status, str(error), headers=error.headers)
            return True
        writer.write(head(101, headers))
        await serve_port_forward(SocketConnection(reader, writer), self._runtime(), sandbox)
        return False

    async def _port_forward(self, request: Request, actor: PodActor) -> str:
        ports = [int(port) for text in request.query.get("port", []) for port in text.split(",") if port.isdigit()]
        return await self._runtime().port_forward_url(
            cri.PortForwardRequest(pod_sandbox_id=self._sandbox(actor), port=ports)
        )

    async def _tunnel(
        self,
        url: Coroutine[Any, Any, str],
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Pass the upgrade on to the runtime's streaming server, then bytes both ways."""
        try:
            target = urlsplit(await url)
        except RuntimeFailure as error:
            raise Refused(500, str(error)) from error
        try:
            upstream = await asyncio.open_connection(target.hostname, target.port or 80)
        except OSError as error:
            raise Refused(502, f"cannot reach the runtime's streaming server: {error}") from error
        path = target.path + (f"?{target.query}" if target.query else "")
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "authorization")}
        lines = [f"{request.method} {path} HTTP/1.1", f"Host: {target.netloc}"]
        lines += [f"{name.title()}: {value}" for name, value in headers.items()]
        upstream[1].write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        runtime = SocketConnection(*upstream)
        try:
            await splice(SocketConnection(reader, writer), runtime)
        finally:
            runtime.close()
        return False


async def _while_connected(reader: asyncio.StreamReader, work: Coroutine[Any, Any, None]) -> None:
    """Do something for a caller, and stop when the caller goes away: a followed log may be silent for days.

    The caller closes first: what is still on its way when the server does may never be read.
    """
    task = asyncio.create_task(work, name="kubelet log stream")
    gone = asyncio.create_task(_closed(reader), name="kubelet log reader")
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            await asyncio.wait({gone}, timeout=FAREWELL_SECONDS)
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _closed(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(1024):
            continue
    except OSError:
        return


def _streams(request: Request) -> dict[str, bool]:
    def flag(*names: str) -> bool:
        return any(request.one(name) in ("1", "true") for name in names)

    tty = flag("tty")
    return {
        "tty": tty,
        "stdin": flag("input", "stdin"),
        "stdout": flag("output", "stdout"),
        "stderr": flag("error", "stderr") and not tty,
    }


def tls_context(pki: Path) -> ssl.SSLContext:
    """The server's TLS: ``kubelet.crt``, and client certificates checked against the cluster's CA when given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
    context.load_verify_locations(pki / "ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context
