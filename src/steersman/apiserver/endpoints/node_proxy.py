"""The subresources that lead to a node: ``pods/log``, ``pods/exec``, ``pods/attach``, ``pods/portforward``.

Logs are an HTTP response that is passed on as it comes.  The others are upgraded connections: the client's
handshake is passed to the kubelet, and once it answers 101 (and only then) the bytes of both sides are copied, so
that whatever protocol the two agree on passes.  No credentials of the client's are passed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlencode

from steersman.api.errors import (
    FieldError,
    StatusError,
    bad_request,
    forbidden_field,
    internal_error,
    invalid,
    invalid_value,
)
from steersman.api.scheme import Resource
from steersman.api.time import parse_rfc3339
from steersman.api.types.core_v1 import Node, Pod
from steersman.api.types.meta_v1 import Status, StatusDetails
from steersman.apiserver.http.messages import Answer, Request, Response, Stream, StreamWriter, Upgrade
from steersman.client.streaming import Connection, is_upgrade

from .node_client import NodeClient, Target, UpgradeRefused
from .refusals import no_method, no_route
from .request_info import RequestInfo

FindPod = Callable[[str, str], Awaitable[Pod]]
FindNode = Callable[[str], Awaitable[Node]]

_FORWARDED = (
    "upgrade",
    "connection",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "x-stream-protocol-version",
)
_ANSWERED = {
    "upgrade": "Upgrade",
    "connection": "Connection",
    "sec-websocket-accept": "Sec-WebSocket-Accept",
    "sec-websocket-protocol": "Sec-WebSocket-Protocol",
    "x-stream-protocol-version": "X-Stream-Protocol-Version",
}
_FLAGS = (("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty"))


class NodeProxy:
    """See the module.  ``pod`` (namespace, name) and ``node`` find objects, and raise 404."""

    def __init__(self, client: NodeClient, pod: FindPod, node: FindNode) -> None:
        self._client = client
        self._pod = pod
        self._node = node
        self._subresources = {
            "log": self._log,
            "exec": self._exec,
            "attach": self._attach,
            "portforward": self._port_forward,
        }

    def serves(self, resource: Resource[Any], subresource: str) -> bool:
        """Whether a subresource is served here."""
        return resource.qualified_name == "pods" and subresource in self._subresources

    async def connect(self, request: Request, info: RequestInfo) -> Answer:
        """Answer a request for one of them."""
        if len(info.parts) > 3:
            raise no_route()
        methods = ("GET",) if info.subresource == "log" else ("GET", "POST")
        if request.method not in methods:
            raise no_method()
        pod = await self._pod(info.namespace, info.name)
        return await self._subresources[info.subresource](request, pod)

    async def _target(self, pod: Pod) -> Target:
        if not pod.spec.node_name:
            raise bad_request(f"pod {pod.metadata.name} does not have a host assigned")
        return self._client.target(await self._node(pod.spec.node_name))

    # -- logs ----------------------------------------------------------------------------------------------------

    async def _log(self, request: Request, pod: Pod) -> Answer:
        query = _log_query(request)
        container = choose_container(pod, request.parameter("container"))
        if not pod.spec.node_name:
            return Response(b"", 204, "")
        target = await self._target(pod)
        path = f"/containerLogs/{_pod_path(pod)}/{quote(container)}"
        response = await self._client.get(target, f"{path}?{urlencode(query)}" if query else path)
        if response.status // 100 != 2:
            try:
                text = (await response.content.read(65536)).decode("utf-8", "replace").strip()
            finally:
                response.release()
            raise _kubelet_error(response.status, text, pod)

        async def run(writer: StreamWriter) -> None:
            try:
                async for data in response.content.iter_any():
                    writer.write(data)
                    await writer.drain()
            finally:
                response.close()

        return Stream(run, response.headers.get("Content-Type", "text/plain"), abandon=response.close)

    # -- upgrades ------------------------------------------------------------------------------------------------

    async def _exec(self, request: Request, pod: Pod) -> Answer:
        container = choose_container(pod, request.parameter("container"))
        query = [("command", word) for word in request.query.get("command", [])]
        return await self._upgrade(request, pod, f"/exec/{_pod_path(pod)}/{quote(container)}", query + _flags(request))

    async def _attach(self, request: Request, pod: Pod) -> Answer:
        container = choose_container(pod, request.parameter("container"))
        return await self._upgrade(request, pod, f"/attach/{_pod_path(pod)}/{quote(container)}", _flags(request))

    async def _port_forward(self, request: Request, pod: Pod) -> Answer:
        query = [("port", port) for port in request.query.get("ports", [])]
        return await self._upgrade(request, pod, f"/portForward/{_pod_path(pod)}", query)

    async def _upgrade(self, request: Request, pod: Pod, path: str, query: list[tuple[str, str]]) -> Answer:
        target = await self._target(pod)
        if not is_upgrade(request.headers):
            raise bad_request("Upgrade request required")
        headers = [(name, value) for name in _FORWARDED for value in request.header_values(name)]
        try:
            answer, reader, writer = await self._client.upgrade(
                target, request.method, f"{path}?{urlencode(query)}" if query else path, headers
            )
        except UpgradeRefused as error:
            if error.status == 404:  # not the pod is missing, but what runs in it
                raise internal_error(f"unable to upgrade connection: {error}") from error
            raise _kubelet_error(error.status, str(error), pod) from error

        async def run(connection: Connection) -> None:
            try:
                await _copy_both(connection, reader, writer)
            finally:
                writer.close()

        answered = {shown: answer[name] for name, shown in _ANSWERED.items() if name in answer}
        return Upgrade(run, answered, abandon=writer.close)


async def _copy_both(connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async def to_node() -> None:
        while data := await connection.read():
            writer.write(data)
            await writer.drain()
        writer.close()

    async def to_client() -> None:
        while data := await reader.read(65536):
            connection.write(data)
            await connection.drain()

    tasks = [
        asyncio.create_task(to_node(), name="tunnel to node"),
        asyncio.create_task(to_client(), name="tunnel to client"),
    ]
    try:
        # Either side's end ends both: after a close nothing can be answered to it.
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def choose_container(pod: Pod, name: str) -> str:
    """The container that is meant, the only one where none is named; raises 400 in upstream's words."""
    spec, pod_name = pod.spec, pod.metadata.name
    containers = [container.name for container in spec.containers]
    init = [container.name for container in spec.init_containers]
    ephemeral = [container.name for container in spec.ephemeral_containers]
    if name:
        if name not in (*containers, *init, *ephemeral):
            raise bad_request(f"container {name} is not valid for pod {pod_name}")
        return name
    if len(containers) == 1 and not init and not ephemeral:
        return containers[0]
    if not containers:
        raise bad_request(f"a container name must be specified for pod {pod_name}")
    if len(containers) == 1:
        return containers[0]
    text = f"a container name must be specified for pod {pod_name}, choose one of: [{' '.join(containers)}]"
    if init:
        text += f" or one of the init containers: [{' '.join(init)}]"
    if ephemeral:
        text += f" or one of the ephemeral containers: [{' '.join(ephemeral)}]"
    raise bad_request(text)


def _pod_path(pod: Pod) -> str:
    return f"{quote(pod.metadata.namespace)}/{quote(pod.metadata.name)}"


def _true(request: Request, name: str) -> bool:
    return name in request.query and request.parameter(name).lower() not in ("false", "0")


def _flags(request: Request) -> list[tuple[str, str]]:
    return [(to, "1") for name, to in _FLAGS if _true(request, name)]


def _log_query(request: Request) -> list[tuple[str, str]]:
    query = [(name, "true") for name in ("follow", "previous", "timestamps") if _true(request, name)]
    faults: list[FieldError] = []
    for name, least, text in (
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ):
        if not (value := request.parameter(name)):
            continue
        try:
            number = int(value)
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax') from None
        if number < least:
            faults.append(invalid_value(name, number, text))
        query.append((name, value))
    if since := request.parameter("sinceTime"):
        try:
            parse_rfc3339(since)
        except ValueError:
            raise bad_request(f'parsing time "{since}" as "2006-01-02T15:04:05Z07:00": cannot parse') from None
        if request.parameter("sinceSeconds"):
            faults.append(forbidden_field("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
        query.append(("sinceTime", since))
    if (stream := request.parameter("stream")) and stream != "All":
        query.append(("stream", stream))
    if faults:
        raise invalid("PodLogOptions", "", faults)
    return query


def _kubelet_error(status: int, text: str, pod: Pod) -> StatusError:
    if status == 400:
        return bad_request(text)
    if status == 404:
        details = StatusDetails(kind="pods", name=pod.metadata.name)
        message = f"the server could not find the requested resource ( pods/log {pod.metadata.name})"
        return StatusError(Status(status="Failure", code=404, reason="NotFound", message=message, details=details))
    return internal_error(text or f"the kubelet answered {status}")
