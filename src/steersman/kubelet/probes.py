"""Probes and lifecycle handlers: asking a container whether it is well, and telling it what happens."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import urljoin, urlsplit

import msgspec

from steersman.api.types.core_v1 import Container, HTTPGetAction, LifecycleHandler, Probe

from .backoff import go_duration
from .runtime import Executor, RuntimeFailure

Kind = Literal["Startup", "Readiness", "Liveness"]

MAX_OUTPUT = 10 << 10
MAX_REDIRECTS = 10
REDIRECTS = (301, 302, 303, 307, 308)

_HEALTH = {0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class ProbeResult(msgspec.Struct, frozen=True):
    """An answer: success or not, and what was said."""

    success: bool
    output: str = ""


class HandlerFailure(Exception):
    """A lifecycle handler failed."""


def resolve_port(port: int | str, container: Container) -> int:
    """A port by number or by the name it has in the container; raises ValueError."""
    if isinstance(port, int):
        return port
    for each in container.ports:
        if each.name == port:
            return each.container_port
    if port.isdigit():
        return int(port)
    raise ValueError(f"couldn't find port: {port!r}")


async def probe(spec: Probe, container: Container, container_id: str, pod_ip: str, executor: Executor) -> ProbeResult:
    """Run a probe once.  Never raises for a container that is not well."""
    timeout = float(spec.timeout_seconds or 1)
    try:
        async with asyncio.timeout(timeout + (2 if spec.exec is not None or spec.grpc is not None else 0)):
            if spec.exec is not None:
                return await _exec(spec.exec.command, container_id, executor, timeout)
            if spec.http_get is not None:
                return await _http(spec.http_get, container, pod_ip)
            if spec.tcp_socket is not None:
                host = spec.tcp_socket.host or pod_ip
                return await _tcp(host, resolve_port(spec.tcp_socket.port, container))
            if spec.grpc is not None:
                return await _grpc(pod_ip, spec.grpc.port, spec.grpc.service, timeout)
    except TimeoutError:
        return ProbeResult(False, _timeout_text(spec, container, pod_ip))
    except ValueError as error:
        return ProbeResult(False, str(error))
    return ProbeResult(True)


def _timeout_text(spec: Probe, container: Container, pod_ip: str) -> str:
    if spec.http_get is not None:
        url = _url(spec.http_get, container, pod_ip)
        return f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    if spec.tcp_socket is not None:
        host = spec.tcp_socket.host or pod_ip
        return f"dial tcp {_host(host)}:{resolve_port(spec.tcp_socket.port, container)}: i/o timeout"
    if spec.exec is not None:
        return f"command timed out: {' '.join(spec.exec.command)!r} timed out after {spec.timeout_seconds or 1}s"
    return f"timeout: health rpc did not complete within {go_duration(spec.timeout_seconds or 1)}"


async def _exec(command: Sequence[str], container_id: str, executor: Executor, timeout: float) -> ProbeResult:
    try:
        response = await executor.exec_sync(container_id, command, timeout)
    except RuntimeFailure as error:
        if error.code == "DeadlineExceeded":
            raise TimeoutError from error
        return ProbeResult(False, str(error))
    output = (response.stdout + response.stderr)[:MAX_OUTPUT].decode(errors="replace")
    return ProbeResult(response.exit_code == 0, output)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _url(action: HTTPGetAction, container: Container, pod_ip: str) -> str:
    scheme = (action.scheme or "HTTP").lower()
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    return f"{scheme}://{_host(action.host or pod_ip)}:{resolve_port(action.port, container)}{path}"


def _refused(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    return f"connect: {error.strerror or error}"


class HTTPAnswer(msgspec.Struct, frozen=True):
    """What a GET was answered with."""

    status: int
    location: str = ""


async def http_get(action: HTTPGetAction, container: Container, pod_ip: str) -> HTTPAnswer:
    """GET what an action says, and follow redirects within the host.  Certificates are not verified.

    A redirect to another host is an answer like any.  Raises OSError or ValueError.
    """
    host = action.host or pod_ip
    port, secure = resolve_port(action.port, container), action.scheme == "HTTPS"
    headers = {header.name.title(): header.value for header in action.http_headers}
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    url = f"{'https' if secure else 'http'}://{_host(host)}:{port}{path}"
    for _ in range(MAX_REDIRECTS):
        answer = await _get(url, headers)
        if answer.status not in REDIRECTS or not answer.location:
            return answer
        target = urljoin(url, answer.location)
        if urlsplit(target).hostname != urlsplit(url).hostname:
            return answer
        url = target
    raise ValueError(f"stopped after {MAX_REDIRECTS} redirects")


async def _get(url: str, own_headers: Mapping[str, str]) -> HTTPAnswer:
    parts = urlsplit(url)
    context: ssl.SSLContext | None = None
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    headers = {"Host": parts.netloc, "User-Agent": "kube-probe/1.35", "Accept": "*/*", **own_headers}
    headers["Connection"] = "close"
    port = parts.port or (443 if context is not None else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items() if value)]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        status_line = (await reader.readline()).decode("latin-1").split(" ", 2)
        if len(status_line) < 2 or not status_line[0].startswith("HTTP/"):
            raise ValueError("malformed HTTP response" if status_line[0] else "EOF")
        location = ""
        while line := (await reader.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"location":
                location = value.strip().decode("latin-1")
        return HTTPAnswer(int(status_line[1]), location)
    finally:
        writer.close()


async def _http(action: HTTPGetAction, container: Container, pod_ip: str) -> ProbeResult:
    url = _url(action, container, pod_ip)
    try:
        status = (await http_get(action, container, pod_ip)).status
    except OSError as error:
        address = f"{_host(action.host or pod_ip)}:{resolve_port(action.port, container)}"
        return ProbeResult(False, f'Get "{url}": dial tcp {address}: {_refused(error)}')
    except ValueError as error:
        return ProbeResult(False, f'Get "{url}": {error}')
    if 200 <= status < 400:
        return ProbeResult(True)
    return ProbeResult(False, f"HTTP probe failed with statuscode: {status}")


async def _tcp(host: str, port: int) -> ProbeResult:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        return ProbeResult(False, f"dial tcp {_host(host)}:{port}: {_refused(error)}")
    writer.close()
    return ProbeResult(True)


async def _grpc(host: str, port: int, service: str, timeout: float) -> ProbeResult:
    import grpc.aio  # gRPC probes are rare, but the kubelet speaks gRPC with its runtime anyway

    address = f"{_host(host)}:{port}"
    async with grpc.aio.insecure_channel(address, options=[("grpc.primary_user_agent", "kube-probe/1.35")]) as channel:
        call = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer = await call(_health_request(service), timeout=timeout)
        except grpc.aio.AioRpcError as error:
            return ProbeResult(False, _grpc_fault(error.code().name, error.details() or "", address, timeout))
    status = answer[1] if len(answer) == 2 and answer[0] == 0x08 else 0
    if status == 1:
        return ProbeResult(True, "service healthy")
    return ProbeResult(False, f'service unhealthy (responded with "{_HEALTH.get(status, str(status))}")')


def _health_request(service: str) -> bytes:
    """``grpc.health.v1.HealthCheckRequest``: one string, field 1."""
    name, length = service.encode(), bytearray()
    rest = len(name)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return b"\x0a" + bytes(length) + name if name else b""


def _grpc_fault(code: str, details: str, address: str, timeout: float) -> str:
    match code:
        case "UNIMPLEMENTED":
            return f"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {details}"
        case "DEADLINE_EXCEEDED":
            return f"timeout: health rpc did not complete within {go_duration(timeout)}"
        case "UNAVAILABLE":
            return f'timeout: failed to connect service "{address}" within {go_duration(timeout)}: {details}'
    name = "".join(part.title() for part in code.split("_"))
    return f"error: health rpc probe failed: rpc error: code = {name} desc = {details}"


async def run_handler(
    handler: LifecycleHandler, container: Container, container_id: str, pod_ip: str, executor: Executor
) -> None:
    """Run a postStart or preStop handler; raises HandlerFailure."""
    if handler.sleep is not None:
        await asyncio.sleep(handler.sleep.seconds)
    elif handler.exec is not None:
        try:
            response = await executor.exec_sync(container_id, handler.exec.command, 0)
        except RuntimeFailure as error:
            raise HandlerFailure(str(error)) from error
        if response.exit_code:
            output = (response.stdout + response.stderr)[:MAX_OUTPUT].decode(errors="replace")
            raise HandlerFailure(
                f"command '{' '.join(handler.exec.command)}' exited with {response.exit_code}: {output}"
            )
    elif handler.http_get is not None:
        try:
            await http_get(handler.http_get, container, pod_ip)
        except (OSError, ValueError) as error:
            raise HandlerFailure(str(error)) from error
    elif handler.tcp_socket is not None:
        raise HandlerFailure("invalid handler: tcpSocket is not supported in lifecycle hooks")
