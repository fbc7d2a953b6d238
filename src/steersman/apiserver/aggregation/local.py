"""The APIServices of what is served here: which there must be, and what to do about those there are.  Pure."""

from __future__ import annotations

from typing import Literal

from steersman.api.types.apiregistration_v1 import APIService, APIServiceSpec
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.endpoints.priorities import BUILTIN, CUSTOM, REGISTRATION, Priority

GroupVersion = tuple[str, str]

LABEL = "kube-aggregator.kubernetes.io/automanaged"
ON_START, ALWAYS = "onstart", "true"
"""Values of the label: brought into order when a server starts, or at all times."""


def name_of(group: str, version: str) -> str:
    """The name of a group-version's APIService."""
    return f"{version}.{group}"


def group_version_of(name: str) -> GroupVersion:
    """The group-version that an APIService of this name is about."""
    version, _, group = name.partition(".")
    return group, version


def builtin(group: str, version: str) -> APIService | None:
    """The APIService of a built-in group-version; None where there is none, as for that of APIServices themselves."""
    found = BUILTIN.get((group, version))
    return None if found is None or (group, version) == REGISTRATION else _api_service(group, version, found, ON_START)


def custom(group: str, version: str) -> APIService:
    """The APIService of a group-version that definitions make."""
    return _api_service(group, version, CUSTOM, ALWAYS)


def _api_service(group: str, version: str, priority: Priority, managed: str) -> APIService:
    return APIService(
        metadata=ObjectMeta(name=name_of(group, version), labels={LABEL: managed}),
        spec=APIServiceSpec(
            group=group,
            version=version,
            group_priority_minimum=priority.group,
            version_priority=priority.version,
        ),
    )


Step = Literal["create", "update", "delete"]


def step(present: APIService | None, wanted: APIService | None, *, starting: bool) -> Step | None:
    """What to do about one APIService; nothing where somebody else manages it.

    ``starting``: it is the first look at it since the server began, and it was there before.
    """
    if present is None:
        return "create" if wanted is not None else None
    managed = present.metadata.labels.get(LABEL, "")
    if managed not in (ON_START, ALWAYS) or (managed == ON_START and not starting):
        return None
    if wanted is None:
        return "delete"
    if wanted.metadata.labels[LABEL] == ON_START and not starting:
        return None
    return "update" if present.spec != wanted.spec else None
