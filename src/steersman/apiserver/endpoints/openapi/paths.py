"""The REST paths of resources as OpenAPI operations, in a form that both dialects are written from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from steersman.api.resources import RETURNS_DELETED
from steersman.api.scheme import Resource, Subresource
from steersman.apiserver.patch import STRATEGIC_MERGE_PATCH

PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
PRODUCES = ("application/json", "application/yaml")
_STREAMED = (*PRODUCES, "application/json;stream=watch")
_ANYTHING = ("*/*",)

_STRING = "string"
_LIST = {
    "allowWatchBookmarks": "boolean",
    "continue": _STRING,
    "fieldSelector": _STRING,
    "labelSelector": _STRING,
    "limit": "integer",
    "resourceVersion": _STRING,
    "resourceVersionMatch": _STRING,
    "sendInitialEvents": "boolean",
    "timeoutSeconds": "integer",
    "watch": "boolean",
}
_WRITE = {"dryRun": _STRING, "fieldManager": _STRING, "fieldValidation": _STRING}
_DELETE = {
    "dryRun": _STRING,
    "gracePeriodSeconds": "integer",
    "ignoreStoreReadErrorWithClusterBreakingPotential": "boolean",
    "orphanDependents": "boolean",
    "propagationPolicy": _STRING,
}
_SELECTED = {name: _LIST[name] for name in _LIST if name not in ("allowWatchBookmarks", "watch")}
_PRETTY = {"pretty": _STRING}

_STREAM = {"container": _STRING, "stderr": "boolean", "stdin": "boolean", "stdout": "boolean", "tty": "boolean"}
_CONNECT: dict[str, dict[str, str]] = {
    "attach": _STREAM,
    "exec": {"command": _STRING, **_STREAM},
    "portforward": {"ports": "integer"},
    "proxy": {"path": _STRING},
}
_LOG = {
    "container": _STRING,
    "follow": "boolean",
    "insecureSkipTLSVerifyBackend": "boolean",
    "limitBytes": "integer",
    "previous": "boolean",
    "sinceSeconds": "integer",
    "stream": _STRING,
    "tailLines": "integer",
    "timestamps": "boolean",
}
_PROXIED = ("delete", "get", "head", "options", "patch", "post", "put")

Body = Literal["", "object", "patch", "options"]
Content = Literal["object", "list", "status", "event", "text"]


class _Verb(NamedTuple):
    """How a verb of the REST table is said: its method, its action, how its operation ids begin, its parameters."""

    method: str
    action: str
    prefix: str
    query: Mapping[str, str]
    body: Body = ""
    answer: Content = "object"
    codes: tuple[int, ...] = (200,)


_VERBS: dict[str, _Verb] = {
    "list": _Verb("get", "list", "list", _LIST, answer="list"),
    "create": _Verb("post", "post", "create", _WRITE, "object", codes=(200, 201, 202)),
    "deletecollection": _Verb("delete", "deletecollection", "delete", {**_SELECTED, **_DELETE}, "options", "status"),
    "get": _Verb("get", "get", "read", {}),
    "update": _Verb("put", "put", "replace", _WRITE, "object", codes=(200, 201)),
    "patch": _Verb("patch", "patch", "patch", {**_WRITE, "force": "boolean"}, "patch", codes=(200, 201)),
    "delete": _Verb("delete", "delete", "delete", _DELETE, "options", "status", (200, 202)),
    "watch": _Verb("get", "watch", "watch", _LIST, answer="event"),
    "watchlist": _Verb("get", "watchlist", "watch", _LIST, answer="event"),
}
_ON_COLLECTION = ("list", "create", "deletecollection")
_ON_OBJECT = ("get", "update", "patch", "delete")


class Operation(NamedTuple):
    """One method of one path; ``codes`` are the answers of success, which all carry ``answer``."""

    method: str
    action: str
    operation_id: str
    tag: str
    kind: tuple[str, str, str]
    query: Mapping[str, str]
    body: Body
    answer: Content
    codes: tuple[int, ...] = (200,)
    consumes: tuple[str, ...] = _ANYTHING
    produces: tuple[str, ...] = PRODUCES


class PathItem(NamedTuple):
    """A path, the names in it, and its operations."""

    path: str
    parameters: tuple[str, ...]
    operations: tuple[Operation, ...]


def camel(text: str) -> str:
    """``apps/v1`` as operation ids say it: ``AppsV1``."""
    return "".join(part[:1].upper() + part[1:] for part in text.replace("/", ".").replace("-", ".").split("."))


def group_name(group: str) -> str:
    """What tags call a group: ``core``, ``apps``, ``rbacAuthorization``."""
    first, *rest = (group.removesuffix(".k8s.io") or "core").replace("-", ".").split(".")
    return first + "".join(part.capitalize() for part in rest)


def tag_of(group: str, version: str) -> str:
    """The tag of a group version."""
    return f"{group_name(group)}_{version}"


def paths(resource: Resource[Any]) -> Iterator[PathItem]:
    """Every path of a resource, with the deprecated ones under ``/watch/``."""
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    inside = ("namespace",) if resource.namespaced else ()
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    collection = f"{base}{scope}/{resource.name}"
    on_collection = [verb for verb in _ON_COLLECTION if verb in resource.verbs]
    on_object = [verb for verb in _ON_OBJECT if verb in resource.verbs]
    if on_collection:
        yield PathItem(collection, inside, tuple(_operation(resource, verb) for verb in on_collection))
        if resource.namespaced and "list" in on_collection:
            yield PathItem(f"{base}/{resource.name}", (), (_operation(resource, "list", everywhere=True),))
    if on_object:
        operations = tuple(_operation(resource, verb) for verb in on_object)
        yield PathItem(f"{collection}/{{name}}", (*inside, "name"), operations)
    for subresource in resource.subresources.values():
        yield from _subresource(resource, subresource, f"{collection}/{{name}}/{subresource.name}", (*inside, "name"))
    if "watch" in resource.verbs and not resource.custom:
        watched = f"{base}/watch{scope}/{resource.name}"
        yield PathItem(watched, inside, (_operation(resource, "watchlist"),))
        yield PathItem(f"{watched}/{{name}}", (*inside, "name"), (_operation(resource, "watch"),))
        if resource.namespaced:
            everywhere = _operation(resource, "watchlist", everywhere=True)
            yield PathItem(f"{base}/watch/{resource.name}", (), (everywhere,))


def _subresource(
    resource: Resource[Any], subresource: Subresource, path: str, parameters: tuple[str, ...]
) -> Iterator[PathItem]:
    if subresource.name == "proxy":
        yield PathItem(path, parameters, tuple(_connect(resource, subresource, method) for method in _PROXIED))
        deeper = tuple(_connect(resource, subresource, method, "WithPath") for method in _PROXIED)
        yield PathItem(f"{path}/{{path}}", (*parameters, "path"), deeper)
    elif subresource.name in _CONNECT:
        yield PathItem(path, parameters, tuple(_connect(resource, subresource, method) for method in ("get", "post")))
    else:
        operations = tuple(_operation(resource, verb, subresource=subresource) for verb in subresource.verbs)
        yield PathItem(path, parameters, operations)


def _kind(resource: Resource[Any], subresource: Subresource | None) -> tuple[str, str, str]:
    if subresource is None or not subresource.kind:
        return resource.group, resource.version, resource.kind
    group = resource.group if subresource.group is None else subresource.group
    return group, subresource.version or resource.version, subresource.kind


def _operation(
    resource: Resource[Any], verb: str, *, subresource: Subresource | None = None, everywhere: bool = False
) -> Operation:
    form = _VERBS[verb]
    name = form.prefix + camel(group_name(resource.group)) + camel(resource.version)
    name += "Collection" if verb == "deletecollection" else ""
    name += "Namespaced" if resource.namespaced and not everywhere else ""
    name += resource.kind + (camel(subresource.name) if subresource else "")
    name += "List" if verb == "watchlist" else ""
    name += "ForAllNamespaces" if everywhere else ""
    query, answer = {**form.query, **_PRETTY}, form.answer
    produces: tuple[str, ...] = PRODUCES
    if verb == "delete" and resource.qualified_name in RETURNS_DELETED:
        answer = "object"
    if subresource is not None and subresource.name == "log":
        query, answer, produces = {**_LOG, **_PRETTY}, "text", ("text/plain", *PRODUCES)
    elif form.answer in ("list", "event"):
        produces = _STREAMED
    return Operation(
        form.method,
        form.action,
        name,
        tag_of(resource.group, resource.version),
        _kind(resource, subresource),
        query,
        form.body,
        answer,
        form.codes,
        _consumed(resource, form.body),
        produces,
    )


def _consumed(resource: Resource[Any], body: Body) -> tuple[str, ...]:
    if body != "patch":
        return ("application/json", "application/yaml") if resource.custom else _ANYTHING
    return tuple(each for each in PATCHES if not resource.custom or each != STRATEGIC_MERGE_PATCH)


def _connect(resource: Resource[Any], subresource: Subresource, method: str, suffix: str = "") -> Operation:
    name = f"connect{camel(group_name(resource.group))}{camel(resource.version)}{camel(method)}"
    name += ("Namespaced" if resource.namespaced else "") + resource.kind + camel(subresource.name) + suffix
    return Operation(
        method,
        "connect",
        name,
        tag_of(resource.group, resource.version),
        _kind(resource, subresource),
        _CONNECT[subresource.name],
        "",
        "text",
        produces=_ANYTHING,
    )
