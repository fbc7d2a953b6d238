"""The paths that are no resources' but are described too: discovery, version, OpenID; each a GET."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from steersman.api.types import meta_v1
from steersman.api.types.version import Info

from .paths import PRODUCES, camel, group_name, tag_of

_JSON = ("application/json",)


class ServerPath(NamedTuple):
    """``document`` is the name of the version 3 document it stands in; ``type`` is None where text is answered."""

    document: str
    path: str
    operation_id: str
    tag: str
    type: type[Any] | None
    consumes: tuple[str, ...]
    produces: tuple[str, ...]


FIXED = (
    ServerPath(
        ".well-known/openid-configuration",
        "/.well-known/openid-configuration/",
        "getServiceAccountIssuerOpenIDConfiguration",
        "WellKnown",
        None,
        (),
        _JSON,
    ),
    ServerPath("api", "/api/", "getCoreAPIVersions", "core", meta_v1.APIVersions, PRODUCES, PRODUCES),
    ServerPath("apis", "/apis/", "getAPIVersions", "apis", meta_v1.APIGroupList, PRODUCES, PRODUCES),
    ServerPath(
        "openid/v1/jwks",
        "/openid/v1/jwks/",
        "getServiceAccountIssuerOpenIDKeyset",
        "openid",
        None,
        (),
        ("application/jwk-set+json",),
    ),
    ServerPath("version", "/version/", "getCodeVersion", "version", Info, _JSON, _JSON),
)


def server_paths(group_versions: Iterable[tuple[str, str]]) -> Iterator[ServerPath]:
    """The fixed ones, then those of each group and of each of its versions."""
    yield from FIXED
    groups: set[str] = set()
    for group, version in group_versions:
        name = camel(group_name(group))
        prefix = f"apis/{group}" if group else "api"
        if group and group not in groups:
            groups.add(group)
            tag = group_name(group)
            yield ServerPath(prefix, f"/{prefix}/", f"get{name}APIGroup", tag, meta_v1.APIGroup, PRODUCES, PRODUCES)
        document = f"{prefix}/{version}"
        operation = f"get{name}{camel(version)}APIResources"
        resources, tag = meta_v1.APIResourceList, tag_of(group, version)
        yield ServerPath(document, f"/{document}/", operation, tag, resources, PRODUCES, PRODUCES)
