"""What a request is about, read off its method and path as authorization, audit and metrics see it."""

from __future__ import annotations

from typing import NamedTuple

from steersman.api.errors import StatusError
from steersman.api.selectors import parse_fields
from steersman.apiserver.http.messages import Request

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


class RequestInfo(NamedTuple):
    """``is_resource`` tells API resources from other paths; for the latter only ``verb`` and ``path`` count.

    ``parts`` is the path after the namespace: resource, name, subresource, and what follows.
    """

    is_resource: bool
    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    parts: tuple[str, ...] = ()


def request_info(request: Request) -> RequestInfo:
    """Classify a request (upstream's RequestInfoFactory)."""
    path, method = request.path, request.method
    segments = path.strip("/").split("/")
    if len(segments) < 3 or segments[0] not in ("api", "apis"):
        return RequestInfo(False, method.lower(), path)
    if segments[0] == "api":
        group, version, rest = "", segments[1], segments[2:]
    else:
        if len(segments) < 4:
            return RequestInfo(False, method.lower(), path)
        group, version, rest = segments[1], segments[2], segments[3:]
    verb = _VERBS.get(method, "")
    if rest[0] in ("watch", "proxy"):
        if len(rest) < 2:
            return RequestInfo(False, method.lower(), path)
        verb, rest = rest[0], rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if not name and verb == "delete":
        verb = "deletecollection"
    elif not name and verb == "get":
        verb = "watch" if request.query_string and _is_true(request.parameter("watch", "false")) else "list"
        if request.query_string and (selector := request.parameter("fieldSelector")):
            name = _named(selector)
    return RequestInfo(True, verb, path, group, version, namespace, rest[0], subresource, name, tuple(rest))


def has_gap(info: RequestInfo) -> bool:
    """Whether an empty segment stands where a name belongs.

    Such a path MUST NOT be served: without a name it would be taken for a collection, and be authorized for a
    subresource of its members.
    """
    if "//" not in info.path:
        return False
    segments = info.path.strip("/").split("/")
    return "" in segments[: len(segments) - max(len(info.parts) - 3, 0)]


def _is_true(text: str) -> bool:
    return text.lower() not in ("false", "0")


def _named(selector: str) -> str:
    """The name that a field selector restricts a list to; such a list is authorized like a get.

    It MUST be read as the list itself reads it: an escaped comma would smuggle in a name that restricts nothing.
    """
    if "metadata.name" not in selector:
        return ""
    try:
        name = parse_fields(selector).required_value("metadata.name") or ""
    except StatusError:
        return ""
    return "" if name in (".", "..") or "/" in name or "%" in name else name
