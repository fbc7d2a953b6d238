"""Discovery: which groups, versions and resources there are.

``/api``, ``/apis``, ``/apis/{group}`` and ``/{api,apis/{group}}/{version}`` in the classic form, and ``/api`` and
``/apis`` aggregated into one document (KEP-3352) for clients that ask for it.  Documents are built when
first asked for and kept, as bytes with their ETag, until the scheme changes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import field

from steersman.api.scheme import Resource, Scheme, Subresource
from steersman.api.types import meta_v1
from steersman.api.versions import version_rank
from steersman.apiserver.http.messages import Request, Response

from .answers import NO_CACHE

# Groups are listed by priority, as upstream's APIServices have it; groups that are not named here follow by name.
_GROUP_ORDER = (
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
)
_GROUP = "apidiscovery.k8s.io"


class _Kind(msgspec.Struct):
    group: str
    version: str
    kind: str


class _Subresource(msgspec.Struct, omit_defaults=True):
    subresource: str
    response_kind: _Kind | None = field(name="responseKind", default=None)
    verbs: tuple[str, ...] = ()


class _Resource(msgspec.Struct, omit_defaults=True):
    resource: str
    response_kind: _Kind = field(name="responseKind")
    scope: str
    singular_resource: str = field(name="singularResource")
    verbs: tuple[str, ...]
    short_names: tuple[str, ...] = field(name="shortNames", default=())
    categories: tuple[str, ...] = ()
    subresources: list[_Subresource] = field(default_factory=list)


class _Version(msgspec.Struct, omit_defaults=True):
    version: str
    resources: list[_Resource]
    freshness: str = field(default_factory=lambda: "Current")


class _Group(msgspec.Struct):
    metadata: dict[str, Any]
    versions: list[_Version]


class Document:
    """One answer, ready to be sent."""

    __slots__ = ("body", "content_type", "etag")

    def __init__(self, value: Any, content_type: str = "application/json") -> None:
        self.body = msgspec.json.encode(value)
        self.content_type = content_type
        self.etag = f'"{hashlib.sha512(self.body).hexdigest().upper()}"'


def group_rank(group: str) -> tuple[int, str]:
    """Sorts groups as upstream lists them."""
    return (_GROUP_ORDER.index(group), "") if group in _GROUP_ORDER else (len(_GROUP_ORDER), group)


class Discovery:
    """Answers discovery requests from a scheme.

    ``is_served`` says which resources are offered (by default those that upstream serves unasked); ``address`` is what
    ``serverAddressByClientCIDRs`` says.  Call :meth:`changed` when ``is_served`` would answer otherwise than before.
    """

    def __init__(
        self,
        scheme: Scheme,
        *,
        is_served: Callable[[Resource[Any]], bool] | None = None,
        address: Callable[[], str] = lambda: "",
    ) -> None:
        self._scheme = scheme
        self._is_served = is_served or (lambda resource: resource.served)
        self._address = address
        self._generation = -1
        self._documents: dict[str, Document | None] = {}
        self._groups: dict[str, dict[str, list[Resource[Any]]]] = {}

    def changed(self) -> None:
        """Forget what has been built."""
        self._generation = -1

    def respond(self, request: Request) -> Response | None:
        """The answer, or None where the path is none of discovery's or the method is not GET; takes about 1 ms."""
        if request.method not in ("GET", "HEAD") or not request.path.startswith("/api"):
            return None
        path = request.path.rstrip("/")
        parts = path.split("/")[1:]
        if len(parts) > (2 if parts[0] == "api" else 3) or parts[0] not in ("api", "apis"):
            return None
        if self._generation != self._scheme.generation:
            self._index()
        key = path
        if len(parts) == 1 and (version := _aggregation(request.headers.get("accept", ""))):
            key = f"{path}?{version}"
        if key not in self._documents:
            self._documents[key] = self._build(key)
        document = self._documents[key]
        if document is None:
            del self._documents[key]  # paths that do not exist are without number
            return None
        headers = dict(NO_CACHE)
        if len(parts) == 1:
            # Caches may keep the aggregated form, and ask whether it is still right.
            headers = {
                "ETag": document.etag,
                "Vary": "Accept",
                **({"Cache-Control": "public"} if key != path else NO_CACHE),
            }
            if request.headers.get("if-none-match") == document.etag:
                return Response(b"", 304, document.content_type, headers)
        return Response(document.body, 200, document.content_type, headers)

    def group_versions(self) -> list[str]:
        """Every served ``group/version``, core first."""
        if self._generation != self._scheme.generation:
            self._index()
        return [
            f"{group}/{version}" if group else version for group, found in self._groups.items() for version in found
        ]

    def _index(self) -> None:
        groups: dict[str, dict[str, list[Resource[Any]]]] = {}
        for resource in self._scheme:
            if self._is_served(resource):
                groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
        self._groups = {
            group: {version: groups[group][version] for version in sorted(groups[group], key=version_rank)}
            for group in sorted(groups, key=group_rank)
        }
        self._documents = {}
        self._generation = self._scheme.generation

    def _build(self, key: str) -> Document | None:
        path, _, aggregated = key.partition("?")
        match path.split("/")[1:]:
            case ["api"] if aggregated:
                return self._aggregate([""], aggregated)
            case ["apis"] if aggregated:
                return self._aggregate([group for group in self._groups if group], aggregated)
            case ["api"]:
                addresses = [meta_v1.ServerAddressByClientCIDR(client_cidr="0.0.0.0/0", server_address=self._address())]
                versions = list(self._groups.get("", {}))
                found = meta_v1.APIVersions(versions=versions, server_address_by_client_cidrs=addresses)
                return Document(_without(found, "apiVersion"))
            case ["apis"]:
                groups = [self._group(group) for group in self._groups if group]
                listed = [_without(group, "kind", "apiVersion") for group in groups]
                return Document({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})
            case ["apis", group] if group in self._groups and group:
                return Document(self._group(group))
            case ["api", version] if version in self._groups.get("", {}):
                return Document(_without(_resource_list(version, self._groups[""][version]), "apiVersion"))
            case ["apis", group, version] if group and version in self._groups.get(group, {}):
                return Document(_resource_list(f"{group}/{version}", self._groups[group][version]))
            case _:
                return None

    def _group(self, group: str) -> meta_v1.APIGroup:
        versions = [
            meta_v1.GroupVersionForDiscovery(group_version=f"{group}/{version}", version=version)
            for version in self._groups[group]
        ]
        return meta_v1.APIGroup(name=group, versions=versions, preferred_version=versions[0])

    def _aggregate(self, groups: Iterable[str], version: str) -> Document:
        items = [
            _Group(
                {"name": group},
                [
                    _Version(version, [_aggregated(resource) for resource in sorted(found, key=_by_name)])
                    for version, found in self._groups.get(group, {}).items()
                ],
            )
            for group in groups
        ]
        value = {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": items,
        }
        return Document(value, f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList")


@lru_cache(maxsize=64)
def _aggregation(accept: str) -> str:
    """The version of the aggregated form that is preferred to the classic one; empty for the classic one."""
    clauses: list[tuple[float, dict[str, str]]] = []
    for text in accept.split(","):
        media_type, *pairs = (part.strip() for part in text.split(";"))
        parameters = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 1.0
        if quality > 0 and media_type in ("application/json", "application/*", "*/*"):
            clauses.append((-quality, parameters))
    for _, parameters in sorted(clauses, key=lambda clause: clause[0]):
        if "as" not in parameters:
            return ""
        form = (parameters["as"], parameters.get("g"), parameters.get("v"))
        if form in (("APIGroupDiscoveryList", _GROUP, "v2"), ("APIGroupDiscoveryList", _GROUP, "v2beta1")):
            return parameters["v"]
    return ""


def _without(value: Any, *names: str) -> dict[str, Any]:
    """A document as upstream writes it: the core group's, and what stands in a list, say less of what they are."""
    tree: dict[str, Any] = msgspec.to_builtins(value)
    return {name: member for name, member in tree.items() if name not in names}


def _by_name(resource: Resource[Any]) -> str:
    return resource.name


def _kind_of(resource: Resource[Any], subresource: Subresource) -> tuple[str, str, str]:
    if not subresource.kind:
        return resource.group, resource.version, resource.kind
    group = resource.group if subresource.group is None else subresource.group
    return group, subresource.version or resource.version, subresource.kind


def storage_version_hash(resource: Resource[Any]) -> str:
    """Stands for the version under which a resource is stored; empty where nothing is stored."""
    if "watch" not in resource.verbs:
        return ""
    group, _, version = resource.storage_version.rpartition("/")
    digest = hashlib.sha256(f"{group}/{version}/{resource.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _resource_list(group_version: str, resources: Iterable[Resource[Any]]) -> meta_v1.APIResourceList:
    listed = []
    for resource in sorted(resources, key=_by_name):
        listed.append(
            meta_v1.APIResource(
                name=resource.name,
                singular_name=resource.singular,
                namespaced=resource.namespaced,
                kind=resource.kind,
                verbs=list(resource.offered_verbs),
                short_names=list(resource.short_names),
                categories=list(resource.categories),
                storage_version_hash=storage_version_hash(resource),
            )
        )
        for subresource in sorted(resource.subresources.values(), key=lambda each: each.name):
            group, version, kind = _kind_of(resource, subresource)
            foreign = (group, version) != (resource.group, resource.version)
            listed.append(
                meta_v1.APIResource(
                    name=f"{resource.name}/{subresource.name}",
                    namespaced=resource.namespaced,
                    group=group if foreign else "",
                    version=version if foreign else "",
                    kind=kind,
                    verbs=list(subresource.verbs),
                )
            )
    return meta_v1.APIResourceList(group_version=group_version, resources=listed)


def _response_kind(resource: Resource[Any], subresource: Subresource) -> _Kind:
    group, version, kind = _kind_of(resource, subresource)
    foreign = (group, version) != (resource.group, resource.version)
    return _Kind(group, version, kind) if foreign else _Kind("", "", kind)


def _aggregated(resource: Resource[Any]) -> _Resource:
    """A kind without group and version is one of the group version that lists it."""
    return _Resource(
        resource=resource.name,
        response_kind=_Kind("", "", resource.kind),
        scope="Namespaced" if resource.namespaced else "Cluster",
        singular_resource=resource.singular,
        verbs=resource.offered_verbs,
        short_names=resource.short_names,
        categories=resource.categories,
        subresources=[
            _Subresource(each.name, _response_kind(resource, each), each.verbs)
            for each in sorted(resource.subresources.values(), key=lambda each: each.name)
        ],
    )
