"""How a program comes to a client: from a kubeconfig or a pod's service account, with the custom resources it knows."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from steersman.api.errors import StatusError
from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource, Subresource
from steersman.api.types.meta_v1 import Status
from steersman.api.unstructured import Unstructured, unstructured_type

from . import kubeconfig
from .custom_resources import CustomObject, custom_resource
from .http import HTTPClient
from .kubeconfig import SERVICE_ACCOUNT_DIRECTORY, ClientConfig


def load_config(context: str = "") -> ClientConfig:
    """What ``$KUBECONFIG`` says, else a pod's service account, else ``~/.kube/config``; raises KubeconfigError."""
    if not context and not os.environ.get("KUBECONFIG") and (SERVICE_ACCOUNT_DIRECTORY / "token").exists():
        return kubeconfig.in_cluster()
    return kubeconfig.load(context=context)


def connect(*types: type[CustomObject] | Resource[Any], config: ClientConfig | None = None) -> HTTPClient:
    """A client of the cluster that the configuration names, else :func:`load_config`.

    It knows the built-in kinds and these custom resources.  Use it as an ``async with``.
    """
    scheme = builtin_scheme()
    for each in types:
        scheme.add(each if isinstance(each, Resource) else custom_resource(each))
    return HTTPClient(config or load_config(), scheme)


async def discover(client: HTTPClient, api_version: str, kind: str) -> Resource[Unstructured]:
    """A resource of which nothing is known but its kind, as the server tells of it, also to the client's scheme.

    Its objects are metadata and data (``content``).  Raises NotFound where the server has no such kind.
    """
    group, _, version = api_version.rpartition("/")
    listing = msgspec.json.decode(await client.raw(f"/apis/{api_version}" if group else f"/api/{api_version}"))
    entries = {each["name"]: each for each in listing.get("resources") or ()}
    name = next((name for name, each in entries.items() if each["kind"] == kind and "/" not in name), "")
    if not name:
        message = f'no matches for kind "{kind}" in version "{api_version}"'
        raise StatusError(Status(status="Failure", code=404, reason="NotFound", message=message))
    entry = entries[name]
    below = [each for each in entries.values() if each["name"].startswith(f"{name}/")]
    resource: Resource[Unstructured] = Resource(
        group,
        version,
        name,
        kind,
        singular=entry.get("singularName", ""),
        namespaced=entry["namespaced"],
        verbs=tuple(entry["verbs"]),
        short_names=tuple(entry.get("shortNames") or ()),
        categories=tuple(entry.get("categories") or ()),
        subresources=tuple(Subresource(each["name"].partition("/")[2], tuple(each["verbs"])) for each in below),
        type_=unstructured_type(kind, api_version),
    )
    client.scheme.add(resource)
    return resource
