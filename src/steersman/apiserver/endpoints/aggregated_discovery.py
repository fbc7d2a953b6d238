"""Discovery in the aggregated form (KEP-3352): what is known of a group-version, of our own and of other servers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from msgspec import field

from steersman.api.scheme import Resource, Subresource
from steersman.api.types.meta_v1 import APIResource, APIResourceList

from .priorities import Priority

GROUP = "apidiscovery.k8s.io"
CURRENT, STALE = "Current", "Stale"


class Kind(msgspec.Struct):
    """A kind without group and version is one of the group-version that lists it."""

    group: str = ""
    version: str = ""
    kind: str = ""


class SubresourceEntry(msgspec.Struct, omit_defaults=True):
    subresource: str
    response_kind: Kind = field(name="responseKind", default_factory=Kind)
    verbs: tuple[str, ...] = ()


class ResourceEntry(msgspec.Struct, omit_defaults=True):
    resource: str
    scope: str
    verbs: tuple[str, ...]
    singular_resource: str = field(name="singularResource", default_factory=lambda: "")
    response_kind: Kind = field(name="responseKind", default_factory=Kind)
    short_names: tuple[str, ...] = field(name="shortNames", default=())
    categories: tuple[str, ...] = ()
    subresources: list[SubresourceEntry] = field(default_factory=list)


class Version(msgspec.Struct, omit_defaults=True):
    """A version of a group; one that is stale could not be asked for last."""

    version: str
    resources: list[ResourceEntry] = field(default_factory=list)
    freshness: str = field(default_factory=lambda: CURRENT)


class GroupName(msgspec.Struct):
    name: str = ""


class Group(msgspec.Struct):
    metadata: GroupName
    versions: list[Version] = field(default_factory=list)


class GroupList(msgspec.Struct, kw_only=True):
    kind: str = "APIGroupDiscoveryList"
    api_version: str = field(name="apiVersion", default="")
    metadata: dict[str, Any] = field(default_factory=dict)
    items: list[Group] = field(default_factory=list)


class Aggregated(Protocol):
    """The group-versions that other servers serve, and in which order all are listed."""

    generation: int
    """Grows with every change."""

    def priority(self, group: str, version: str) -> Priority: ...

    def built(self) -> None:
        """Told of each document in the aggregated form that is made."""
        ...

    def versions(self) -> Iterable[tuple[str, Version]]:
        """Those of other servers, by their group."""
        ...


def media_type(version: str) -> str:
    """The content type of a list in a version of the aggregated form."""
    return f"application/json;g={GROUP};v={version};as=APIGroupDiscoveryList"


def read_groups(data: bytes) -> list[Group]:
    """The groups of another server's list; raises ValueError for what is none."""
    return msgspec.json.decode(data, type=GroupList).items


def read_resources(data: bytes, group: str, version: str) -> Version:
    """A version from another server's APIResourceList; raises ValueError for what is none."""
    found = msgspec.json.decode(data, type=APIResourceList)
    entries: dict[str, ResourceEntry] = {}
    for each in found.resources:
        name, _, subresource = each.name.partition("/")
        if not subresource:
            entries[name] = ResourceEntry(
                resource=name,
                scope="Namespaced" if each.namespaced else "Cluster",
                verbs=tuple(each.verbs),
                singular_resource=each.singular_name,
                response_kind=_kind(each, group, version),
                short_names=tuple(each.short_names),
                categories=tuple(each.categories),
            )
    for each in found.resources:
        name, _, subresource = each.name.partition("/")
        if subresource:
            if (parent := entries.get(name)) is None:
                scope = "Namespaced" if each.namespaced else "Cluster"
                parent = entries[name] = ResourceEntry(resource=name, scope=scope, verbs=())
            kind = _kind(each, group, version)
            parent.subresources.append(SubresourceEntry(subresource, kind, tuple(each.verbs)))
    return Version(version, list(entries.values()))


def _kind(resource: APIResource, group: str, version: str) -> Kind:
    return Kind(resource.group or group, resource.version or version, resource.kind)


def resource_entry(resource: Resource[Any]) -> ResourceEntry:
    """One of our own resources."""
    return ResourceEntry(
        resource=resource.name,
        response_kind=Kind(kind=resource.kind),
        scope="Namespaced" if resource.namespaced else "Cluster",
        singular_resource=resource.singular,
        verbs=resource.offered_verbs,
        short_names=resource.short_names,
        categories=resource.categories,
        subresources=[
            SubresourceEntry(each.name, _response_kind(resource, each), each.verbs)
            for each in sorted(resource.subresources.values(), key=lambda each: each.name)
        ],
    )


def subresource_kind(resource: Resource[Any], subresource: Subresource) -> tuple[str, str, str]:
    """Group, version and kind of what a subresource speaks."""
    if not subresource.kind:
        return resource.group, resource.version, resource.kind
    group = resource.group if subresource.group is None else subresource.group
    return group, subresource.version or resource.version, subresource.kind


def _response_kind(resource: Resource[Any], subresource: Subresource) -> Kind:
    group, version, kind = subresource_kind(resource, subresource)
    foreign = (group, version) != (resource.group, resource.version)
    return Kind(group, version, kind) if foreign else Kind(kind=kind)
