"""The REST paths of resources as OpenAPI operations, in a form that both dialects are written from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from steersman.api.resources import RETURNS_DELETED
from steersman.api.scheme import Resource, Subresource

PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
PRODUCES = ("application/json", "application/yaml")

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

# verb of the table → HTTP method, action, operation prefix, query parameters
_VERBS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "list": ("get", "list", "list", _LIST),
    "create": ("post", "post", "create", _WRITE),
    "deletecollection": ("delete", "deletecollection", "deleteCollection", {**_SELECTED, **_DELETE}),
    "get": ("get", "get", "read", {}),
    "update": ("put", "put", "replace", _WRITE),
    "patch": ("patch", "patch", "patch", {**_WRITE, "force": "boolean"}),
    "delete": ("delete", "delete", "delete", _DELETE),
}
_ON_COLLECTION = ("list", "create", "deletecollection")
_ON_OBJECT = ("get", "update", "patch", "delete")


class Operation(NamedTuple):
    """One method of one path.  ``body`` and ``answer`` are ``object``, ``list``, ``patch``, ``options``, ``text``."""

    method: str
    action: str
    operation_id: str
    tag: str
    kind: tuple[str, str, str]
    query: dict[str, str]
    body: str
    answer: str


class PathItem(NamedTuple):
    """A path, the names in it, and its operations."""

    path: str
    parameters: tuple[str, ...]
    operations: tuple[Operation, ...]


def _camel(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in text.replace("/", ".").replace("-", ".").split("."))


def _tag(resource: Resource[Any]) -> tuple[str, str]:
    """The tag of a group version, and the part of operation ids that says it."""
    group = resource.group.removesuffix(".k8s.io").removesuffix(".authorization").removesuffix(".apiserver")
    group = {"rbac": "rbacAuthorization", "flowcontrol": "flowcontrolApiserver"}.get(group, group)
    return f"{group or 'core'}_{resource.version}", _camel(group or "core") + _camel(resource.version)


def paths(resource: Resource[Any]) -> Iterator[PathItem]:
    """Every path of a resource, the deprecated ``/watch/`` ones aside."""
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scope = f"{base}/namespaces/{{namespace}}" if resource.namespaced else base
    inside = ("namespace",) if resource.namespaced else ()
    on_collection = [verb for verb in _ON_COLLECTION if verb in resource.verbs]
    on_object = [verb for verb in _ON_OBJECT if verb in resource.verbs]
    if on_collection:
        operations = tuple(_operation(resource, verb) for verb in on_collection)
        yield PathItem(f"{scope}/{resource.name}", inside, operations)
        if resource.namespaced and "list" in on_collection:
            everywhere = _operation(resource, "list", everywhere=True)
            yield PathItem(f"{base}/{resource.name}", (), (everywhere,))
    if on_object:
        operations = tuple(_operation(resource, verb) for verb in on_object)
        yield PathItem(f"{scope}/{resource.name}/{{name}}", (*inside, "name"), operations)
    for subresource in resource.subresources.values():
        path = f"{scope}/{resource.name}/{{name}}/{subresource.name}"
        if subresource.name in ("exec", "attach", "portforward", "proxy"):
            methods = ("get", "post") if subresource.name != "proxy" else ("get", "post", "put", "patch", "delete")
            operations = tuple(_connect(resource, subresource, method) for method in methods)
        else:
            operations = tuple(_operation(resource, verb, subresource=subresource) for verb in subresource.verbs)
        yield PathItem(path, (*inside, "name"), operations)


def _kind(resource: Resource[Any], subresource: Subresource | None) -> tuple[str, str, str]:
    if subresource is None or not subresource.kind:
        return resource.group, resource.version, resource.kind
    group = resource.group if subresource.group is None else subresource.group
    return group, subresource.version or resource.version, subresource.kind


def _operation(
    resource: Resource[Any], verb: str, *, subresource: Subresource | None = None, everywhere: bool = False
) -> Operation:
    method, action, prefix, query = _VERBS[verb]
    tag, scope = _tag(resource)
    name = f"{prefix}{scope}{'Namespaced' if resource.namespaced and not everywhere else ''}{resource.kind}"
    name += _camel(subresource.name) if subresource else ""
    name += "ForAllNamespaces" if everywhere else ""
    body = {"create": "object", "update": "object", "patch": "patch"}.get(verb, "")
    answer = {"list": "list", "delete": "status", "deletecollection": "status"}.get(verb, "object")
    if verb == "delete" and resource.qualified_name in RETURNS_DELETED:
        answer = "object"
    if verb in ("delete", "deletecollection"):
        body = "options"
    if subresource is not None and subresource.name == "log":
        answer = "text"
    return Operation(method, action, name, tag, _kind(resource, subresource), query, body, answer)


def _connect(resource: Resource[Any], subresource: Subresource, method: str) -> Operation:
    tag, scope = _tag(resource)
    name = f"connect{scope}{_camel(method)}{'Namespaced' if resource.namespaced else ''}{resource.kind}"
    name += _camel(subresource.name)
    return Operation(method, "connect", name, tag, _kind(resource, subresource), {}, "", "text")
