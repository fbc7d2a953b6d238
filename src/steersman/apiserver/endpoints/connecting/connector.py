"""Which subresources are connected, and with what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from steersman.api.errors import bad_request, no_route
from steersman.api.scheme import Resource
from steersman.api.types.core_v1 import Node, Pod
from steersman.apiserver.endpoints.refusals import no_method
from steersman.apiserver.endpoints.request_info import RequestInfo
from steersman.apiserver.http.messages import Answer, Request, Response

from .containers import choose_container
from .locations import Find, Locations, is_proxyable
from .logs import log, log_query
from .node_client import NodeClient, Target
from .proxy import Proxy
from .streams import PodStreams


class Connector:
    """See the package.  ``find`` finds objects; ``allowed`` says which addresses may be proxied to."""

    def __init__(self, client: NodeClient, find: Find, allowed: Callable[[str], bool] = is_proxyable) -> None:
        self._client = client
        self._find = find
        self._proxy = Proxy(Locations(find, client, allowed), client)
        streams = PodStreams(client, self._target)
        self._streams = {"exec": streams.exec, "attach": streams.attach, "portforward": streams.port_forward}

    def serves(self, resource: Resource[Any], subresource: str) -> bool:
        """Whether a subresource is served here."""
        if subresource == "proxy":
            return resource.qualified_name in ("nodes", "pods", "services")
        return resource.qualified_name == "pods" and (subresource == "log" or subresource in self._streams)

    async def connect(self, request: Request, info: RequestInfo, path: str | None = None) -> Answer:
        """Answer a request for one of them; ``path``: where what is proxied shall lead, if not as it says."""
        if info.subresource == "proxy":
            return await self._proxy.connect(request, info, path)
        if len(info.parts) > 3:
            raise no_route()
        if info.subresource == "log":
            return await self._log(request, info)
        if request.method not in ("GET", "POST"):
            raise no_method()
        return await self._streams[info.subresource](request, await self._find(Pod, info.name, info.namespace))

    async def _target(self, pod: Pod) -> Target:
        if not pod.spec.node_name:
            raise bad_request(f"pod {pod.metadata.name} does not have a host assigned")
        return self._client.target(await self._find(Node, pod.spec.node_name))

    async def _log(self, request: Request, info: RequestInfo) -> Answer:
        if request.method not in ("GET", "HEAD"):
            raise no_method()
        query = log_query(request, info.name)
        pod = await self._find(Pod, info.name, info.namespace)
        container = choose_container(pod, request.parameter("container"))
        if not pod.spec.node_name:
            return Response(b"", 204, "")
        return await log(self._client, request, pod, container, query, await self._target(pod))
