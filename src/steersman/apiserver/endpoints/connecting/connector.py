"""Which subresources are connected, and with what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from steersman.api.errors import bad_request
from steersman.api.scheme import Resource
from steersman.api.types.core_v1 import Node, Pod
from steersman.apiserver.endpoints.refusals import no_method, no_route
from steersman.apiserver.endpoints.request_info import RequestInfo
from steersman.apiserver.http.messages import Answer, Request, Response

from .containers import choose_container
from .logs import log, log_query
from .node_client import NodeClient, Target
from .streams import PodStreams

FindPod = Callable[[str, str], Awaitable[Pod]]
FindNode = Callable[[str], Awaitable[Node]]


class Connector:
    """See the package.  ``pod`` (namespace, name) and ``node`` find objects, and raise 404."""

    def __init__(self, client: NodeClient, pod: FindPod, node: FindNode) -> None:
        self._client = client
        self._pod = pod
        self._node = node
        streams = PodStreams(client, self._target)
        self._streams = {"exec": streams.exec, "attach": streams.attach, "portforward": streams.port_forward}

    def serves(self, resource: Resource[Any], subresource: str) -> bool:
        """Whether a subresource is served here."""
        return resource.qualified_name == "pods" and (subresource == "log" or subresource in self._streams)

    async def connect(self, request: Request, info: RequestInfo) -> Answer:
        """Answer a request for one of them."""
        if len(info.parts) > 3:
            raise no_route()
        if info.subresource == "log":
            return await self._log(request, info)
        if request.method not in ("GET", "POST"):
            raise no_method()
        return await self._streams[info.subresource](request, await self._pod(info.namespace, info.name))

    async def _target(self, pod: Pod) -> Target:
        if not pod.spec.node_name:
            raise bad_request(f"pod {pod.metadata.name} does not have a host assigned")
        return self._client.target(await self._node(pod.spec.node_name))

    async def _log(self, request: Request, info: RequestInfo) -> Answer:
        if request.method not in ("GET", "HEAD"):
            raise no_method()
        query = log_query(request, info.name)
        pod = await self._pod(info.namespace, info.name)
        container = choose_container(pod, request.parameter("container"))
        if not pod.spec.node_name:
            return Response(b"", 204, "")
        return await log(self._client, request, pod, container, query, await self._target(pod))
