"""Discovery: which groups, versions and resources there are.

``/api``, ``/apis``, ``/apis/{group}`` and ``/{api,apis/{group}}/{version}`` in the classic form, and ``/api`` and
``/apis`` aggregated into one document (KEP-3352) for clients that ask for it.  Documents are built when
first asked for and kept, as bytes with their ETag, until the scheme changes, or what is known of other servers.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import msgspec

from steersman.api.scheme import Resource, Scheme
from steersman.api.types import meta_v1
from steersman.api.versions import version_rank
from steersman.apiserver.http.messages import Request, Response

from .aggregated_discovery import (
    GROUP,
    Aggregated,
    Group,
    GroupList,
    GroupName,
    Version,
    media_type,
    resource_entry,
    subresource_kind,
)
from .answers import NO_CACHE
from .priorities import priority


class Document:
    """One answer, ready to be sent."""

    __slots__ = ("body", "content_type", "etag")

    def __init__(self, value: Any, content_type: str = "application/json") -> None:
        self.body = msgspec.json.encode(value)
        self.content_type = content_type
        self.etag = f'"{hashlib.sha512(self.body).hexdigest().upper()}"'


class Discovery:
    """Answers discovery requests from a scheme.

    ``is_served`` says which resources are offered (by default those that upstream serves unasked); ``address`` is what
    ``serverAddressByClientCIDRs`` says; ``aggregated`` knows what other servers serve.  Call :meth:`changed` when
    ``is_served`` would answer otherwise than before.
    """

    def __init__(
        self,
        scheme: Scheme,
        *,
        is_served: Callable[[Resource[Any]], bool] | None = None,
        address: Callable[[], str] = lambda: "",
        aggregated: Aggregated | None = None,
    ) -> None:
        self._scheme = scheme
        self._is_served = is_served or (lambda resource: resource.served)
        self._address = address
        self._aggregated = aggregated
        self._generation = (-1, -1)
        self._documents: dict[str, Document | None] = {}
        self._groups: dict[str, dict[str, list[Resource[Any]] | Version]] = {}
        """The versions of each group: our resources, or what another server said of its."""

    def changed(self) -> None:
        """Forget what has been built."""
        self._generation = (-1, -1)

    @property
    def _present(self) -> tuple[int, int]:
        return self._scheme.generation, self._aggregated.generation if self._aggregated is not None else 0

    def respond(self, request: Request) -> Response | None:
        """The answer, or None where the path is none of discovery's or the method is not GET; takes about 1 ms."""
        if request.method not in ("GET", "HEAD") or not request.path.startswith("/api"):
            return None
        path = request.path.rstrip("/")
        parts = path.split("/")[1:]
        if len(parts) > (2 if parts[0] == "api" else 3) or parts[0] not in ("api", "apis"):
            return None
        if self._generation != self._present:
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
        if self._generation != self._present:
            self._index()
        return [
            f"{group}/{version}" if group else version for group, found in self._groups.items() for version in found
        ]

    def _index(self) -> None:
        groups: dict[str, dict[str, list[Resource[Any]] | Version]] = {}
        for resource in self._scheme:
            if self._is_served(resource):
                found = groups.setdefault(resource.group, {}).setdefault(resource.version, [])
                assert isinstance(found, list)
                found.append(resource)
        rank = priority
        if self._aggregated is not None:
            rank = self._aggregated.priority
            for group, version in self._aggregated.versions():
                groups.setdefault(group, {})[version.version] = version
        priorities = {group: {version: rank(group, version) for version in found} for group, found in groups.items()}

        def group_rank(group: str) -> tuple[bool, int, str]:
            return bool(group), -max(each.group for each in priorities[group].values()), group

        def rank_within(group: str) -> Callable[[str], tuple[int, tuple[int, int, int, str]]]:
            return lambda version: (-priorities[group][version].version, version_rank(version))

        self._groups = {
            group: {version: groups[group][version] for version in sorted(groups[group], key=rank_within(group))}
            for group in sorted(groups, key=group_rank)
        }
        self._documents = {}
        self._generation = self._present

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
            case ["api", version] if isinstance(own := self._groups.get("", {}).get(version), list):
                return Document(_without(_resource_list(version, own), "apiVersion"))
            case ["apis", group, version] if group and isinstance(
                own := self._groups.get(group, {}).get(version), list
            ):
                return Document(_resource_list(f"{group}/{version}", own))
            case _:
                return None

    def _group(self, group: str) -> meta_v1.APIGroup:
        versions = [
            meta_v1.GroupVersionForDiscovery(group_version=f"{group}/{version}", version=version)
            for version in self._groups[group]
        ]
        return meta_v1.APIGroup(name=group, versions=versions, preferred_version=versions[0])

    def _aggregate(self, groups: Iterable[str], form: str) -> Document:
        if self._aggregated is not None:
            self._aggregated.built()
        items = [
            Group(GroupName(group), [_version(*each) for each in self._groups.get(group, {}).items()])
            for group in groups
        ]
        return Document(GroupList(api_version=f"{GROUP}/{form}", items=items), media_type(form))


def _version(version: str, found: list[Resource[Any]] | Version) -> Version:
    if isinstance(found, Version):
        return found
    return Version(version, [resource_entry(resource) for resource in sorted(found, key=_by_name)])


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
        if form in (("APIGroupDiscoveryList", GROUP, "v2"), ("APIGroupDiscoveryList", GROUP, "v2beta1")):
            return parameters["v"]
    return ""


def _without(value: Any, *names: str) -> dict[str, Any]:
    """A document as upstream writes it: the core group's, and what stands in a list, say less of what they are."""
    tree: dict[str, Any] = msgspec.to_builtins(value)
    return {name: member for name, member in tree.items() if name not in names}


def _by_name(resource: Resource[Any]) -> str:
    return resource.name


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
            group, version, kind = subresource_kind(resource, subresource)
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
