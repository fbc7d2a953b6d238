"""What admission hears before anybody is connected: ``CONNECT``, with the options of the subresource as its object.

They are read off the query, and what a plugin makes of them is written back there; the path of a proxied request, which
may be part of the address, is handed on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import field

from steersman.api.scheme import Resource, Subresource
from steersman.api.types.scalars import APIStruct, Int32, constant, required_list
from steersman.apiserver.admission.plugin import Request as AdmissionRequest
from steersman.apiserver.endpoints.request_info import RequestInfo
from steersman.apiserver.http.messages import Request

from .logs import is_true
from .proxy import asked_path

Admit = Callable[[AdmissionRequest], Awaitable[None]]
"""Lets all plugins change what is admitted, or refuse it."""

_FLAGS = ("stdin", "stdout", "stderr", "tty")


class PodAttachOptions(APIStruct):
    kind: str = field(default_factory=constant("PodAttachOptions"))
    api_version: str = field(default_factory=constant("v1"))
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    container: str = ""


class PodExecOptions(APIStruct):
    kind: str = field(default_factory=constant("PodExecOptions"))
    api_version: str = field(default_factory=constant("v1"))
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    container: str = ""
    command: list[str] = field(default_factory=required_list)


class PodPortForwardOptions(APIStruct):
    kind: str = field(default_factory=constant("PodPortForwardOptions"))
    api_version: str = field(default_factory=constant("v1"))
    ports: list[Int32] = []


class PodProxyOptions(APIStruct):
    kind: str = field(default_factory=constant("PodProxyOptions"))
    api_version: str = field(default_factory=constant("v1"))
    path: str = ""


class ServiceProxyOptions(APIStruct):
    kind: str = field(default_factory=constant("ServiceProxyOptions"))
    api_version: str = field(default_factory=constant("v1"))
    path: str = ""


class NodeProxyOptions(APIStruct):
    kind: str = field(default_factory=constant("NodeProxyOptions"))
    api_version: str = field(default_factory=constant("v1"))
    path: str = ""


_PROXY = {"pods": PodProxyOptions, "services": ServiceProxyOptions, "nodes": NodeProxyOptions}


async def admitted(
    request: Request, info: RequestInfo, resource: Resource[Any], subresource: Subresource, admit: Admit
) -> str | None:
    """Ask whether a request may be connected, and what is proxied, to which path; raises StatusError."""
    options = _options(request, info, subresource.kind)
    before = _query(options)
    asked = AdmissionRequest(
        "CONNECT",
        resource,
        subresource.name,
        info.namespace,
        info.name,
        options,
        None,
        request.user,
        warnings=request.warnings,
        annotations=request.annotations,
    )
    await admit(asked)
    if (wanted := _query(options)) != before:
        request.query.update(wanted)
    return getattr(options, "path", None)


def _options(request: Request, info: RequestInfo, kind: str) -> APIStruct:
    flags: dict[str, Any] = {name: is_true(request, name) for name in _FLAGS}
    container = request.parameter("container")
    match kind:
        case "PodExecOptions":
            return PodExecOptions(**flags, container=container, command=list(request.query.get("command", [])))
        case "PodAttachOptions":
            return PodAttachOptions(**flags, container=container)
        case "PodPortForwardOptions":
            ports = [port for port in request.query.get("ports", []) if port.isdecimal() and len(port) < 10]
            return PodPortForwardOptions(ports=[int(port) for port in ports])
        case _:
            return _PROXY[info.resource](path=asked_path(request, info))


def _query(options: APIStruct) -> dict[str, list[str]]:
    """The parameters by which a node is told."""
    match options:
        case PodExecOptions() | PodAttachOptions():
            query = {name: ["true" if getattr(options, name) else "false"] for name in _FLAGS}
            query["container"] = [options.container]
            return query | ({"command": options.command} if isinstance(options, PodExecOptions) else {})
        case PodPortForwardOptions() if options.ports:
            return {"ports": [str(port) for port in options.ports]}
    return {}
