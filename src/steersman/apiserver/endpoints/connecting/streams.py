"""``pods/exec``, ``pods/attach`` and ``pods/portforward``.

What the container runtime speaks is passed through to it: the handshake as it is, then the bytes.  What it does not
is translated here (see :mod:`steersman.client.streaming`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote, urlencode

from steersman.api.errors import StatusError, bad_request, internal_error
from steersman.api.types.core_v1 import Pod
from steersman.apiserver.http.messages import Answer, Request, Response, Upgrade
from steersman.client.streaming import (
    BEARER_PREFIX,
    TUNNEL_PREFIX,
    V5,
    Connection,
    HandshakeError,
    Streams,
    Translator,
    UpgradeRefused,
    WebSocketTunnel,
    accept_websocket,
    is_upgrade,
    splice,
    websocket_protocols,
)

from .containers import choose_container
from .logs import is_true
from .node_client import NodeClient, Target

_FORWARDED = (
    "upgrade",
    "connection",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "x-stream-protocol-version",
    "origin",
)
_ANSWERED = {
    "upgrade": "Upgrade",
    "connection": "Connection",
    "sec-websocket-accept": "Sec-WebSocket-Accept",
    "sec-websocket-protocol": "Sec-WebSocket-Protocol",
    "x-stream-protocol-version": "X-Stream-Protocol-Version",
}
_FLAGS = (("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty"))


class PodStreams:
    """See the module."""

    def __init__(self, client: NodeClient, target: Callable[[Pod], Awaitable[Target]]) -> None:
        self._client = client
        self._target = target

    async def exec(self, request: Request, pod: Pod) -> Answer:
        """Run a command."""
        container = choose_container(pod, request.parameter("container"))
        query = [("command", word) for word in request.query.get("command", [])]
        return await self._command(
            request, await self._target(pod), _path("exec", pod, container, query + _flags(request))
        )

    async def attach(self, request: Request, pod: Pod) -> Answer:
        """Attach to what runs."""
        container = choose_container(pod, request.parameter("container"))
        return await self._command(request, await self._target(pod), _path("attach", pod, container, _flags(request)))

    async def port_forward(self, request: Request, pod: Pod) -> Answer:
        """Forward connections."""
        query = [("port", port) for port in request.query.get("ports", [])]
        path, target = _path("portForward", pod, "", query), await self._target(pod)
        tunnelled = [
            protocol.removeprefix(TUNNEL_PREFIX)
            for protocol in websocket_protocols(request.headers)
            if protocol.startswith(TUNNEL_PREFIX) and protocol.endswith(".k8s.io")
        ]
        if tunnelled:
            return await self._tunnel(request, target, path, tunnelled)
        return await self._pass(request, target, path)

    async def _command(self, request: Request, target: Target, path: str) -> Answer:
        if V5 in websocket_protocols(request.headers):
            return self._translate(request, target, path)
        return await self._pass(request, target, path)

    async def _pass(self, request: Request, target: Target, path: str) -> Answer:
        if not is_upgrade(request.headers):
            raise bad_request("Upgrade request required")
        headers = [(name, value) for name in _FORWARDED for value in without_tokens(request, name)]
        try:
            answer, node = await self._client.upgrade(target, request.method, path, headers)
        except UpgradeRefused as refused:
            return refusal(refused)

        async def run(connection: Connection) -> None:
            try:
                await splice(connection, node)
            finally:
                node.close()

        return Upgrade(run, upgrade_headers(answer), abandon=node.close)

    def _translate(self, request: Request, target: Target, path: str) -> Answer:
        try:
            headers = accept_websocket(request.method, request.headers, V5)
        except HandshakeError as error:
            return handshake_refusal(error)
        streams = Streams(*(is_true(request, name) for name, _ in _FLAGS))

        async def run(connection: Connection) -> None:
            translator = Translator(connection, streams)
            try:
                _, node = await self._client.upgrade(target, "POST", path, _spdy("v4.channel.k8s.io"))
            except UpgradeRefused as refused:
                await translator.finish(internal_error(f"unable to upgrade connection: {refused}").status)
            except StatusError as error:
                await translator.finish(error.status)
            else:
                await translator.run(node)

        return Upgrade(run, headers)

    async def _tunnel(self, request: Request, target: Target, path: str, protocols: list[str]) -> Answer:
        try:
            accept_websocket(request.method, request.headers, "")
        except HandshakeError as error:
            return handshake_refusal(error)
        try:
            answer, node = await self._client.upgrade(target, "POST", path, _spdy(*protocols))
        except UpgradeRefused as refused:
            return refusal(refused)
        if answer.get("upgrade", "").lower() != "spdy/3.1" or not is_upgrade(answer):
            node.close()
            raise internal_error("unable to upgrade: missing upgrade headers in response")
        chosen = answer.get("x-stream-protocol-version", "")
        headers = accept_websocket(request.method, request.headers, chosen and TUNNEL_PREFIX + chosen)

        async def run(connection: Connection) -> None:
            tunnel = WebSocketTunnel(connection)
            try:
                await splice(tunnel, node)
            finally:
                node.close()
                tunnel.close()

        return Upgrade(run, headers, abandon=node.close)


def _path(verb: str, pod: Pod, container: str, query: list[tuple[str, str]]) -> str:
    parts = [verb, pod.metadata.namespace, pod.metadata.name, container]
    path = "/" + "/".join(quote(part) for part in parts if part)
    return f"{path}?{urlencode(query)}" if query else path


def _flags(request: Request) -> list[tuple[str, str]]:
    return [(to, "1") for name, to in _FLAGS if is_true(request, name)]


def _spdy(*protocols: str) -> list[tuple[str, str]]:
    return [
        ("Connection", "Upgrade"),
        ("Upgrade", "SPDY/3.1"),
        *(("X-Stream-Protocol-Version", protocol) for protocol in protocols),
    ]


def without_tokens(request: Request, name: str) -> list[str]:
    """The values of a header, without a token among the WebSocket protocols."""
    values = request.header_values(name)
    if name != "sec-websocket-protocol":
        return values
    offered = [each.strip() for value in values for each in value.split(",")]
    kept = [each for each in offered if each and not each.startswith(BEARER_PREFIX)]
    return [", ".join(kept)] if kept else []


def upgrade_headers(answer: Mapping[str, str]) -> dict[str, str]:
    """The headers of a 101 that belong to the upgrade."""
    return {shown: answer[name] for name, shown in _ANSWERED.items() if name in answer}


def refusal(refused: UpgradeRefused) -> Response:
    """What the other side said instead of 101, as it said it; raises 500 where that is no error."""
    if refused.status < 400:
        raise internal_error(f"invalid upgrade response: status code {refused.status}")
    return Response(refused.body, refused.status, refused.content_type)


def handshake_refusal(error: HandshakeError) -> Response:
    """What a WebSocket server answers to a handshake that is none."""
    return Response(str(error).encode(), error.status, "text/plain; charset=utf-8", error.headers)
