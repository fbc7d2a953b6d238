"""The groups storagemigration.k8s.io and internal.apiserver.k8s.io: in which version things are stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from steersman.api import errors
from steersman.api.types import apiserverinternal_v1alpha1, storagemigration_v1beta1

from . import names
from .faults import Faults
from .forms import conditions
from .rules import Rules

Migration = storagemigration_v1beta1.StorageVersionMigration


def migration(faults: Faults, obj: Migration) -> None:
    resource = obj.spec.resource
    if faults.required("spec.resource.resource", resource.resource, "resource is required to be set"):
        faults.joined("spec.resource.resource", resource.resource, names.dns1035_label)
    if resource.group:
        faults.joined("spec.resource.group", resource.group, names.dns1123_subdomain)


def migration_update(faults: Faults, new: Migration, old: Migration) -> None:
    faults.immutable("spec", new.spec, old.spec)


def migration_status(faults: Faults, new: Migration, old: Migration) -> None:
    version, before = new.status.resource_version, old.status.resource_version
    if not (version.isascii() and version.isdigit()) or version.startswith("0"):
        faults.invalid("status.resourceVersion", version, f"resource version is not well formed: {version}")
    conditions(faults, new.status.conditions, "status.conditions")
    if before and before != version:
        faults.invalid("status.resourceVersion", version, "field is immutable")

    def true(obj: Migration, kind: str) -> bool:
        return any(each.type == kind and each.status == "True" for each in obj.status.conditions)

    succeeded, failed, running = (true(new, kind) for kind in ("Succeeded", "Failed", "Running"))
    for wrong, detail in (
        (succeeded and failed, "Both success and failed conditions cannot be true at the same time"),
        (succeeded and running, "Running condition cannot be true when success condition is true"),
        (failed and running, "Running condition cannot be true when failed condition is true"),
        (true(old, "Succeeded") and not succeeded, "Success condition cannot be set to false once it is true"),
        (true(old, "Failed") and not failed, "Failed condition cannot be set to false once it is true"),
    ):
        if wrong:
            faults.invalid("status.conditions", new.status.conditions, detail)


def storage_version_name(text: str) -> Iterator[str]:
    """``<group>.<resource>``."""
    group, dot, resource = text.rpartition(".")
    if not dot:
        yield "name must be in the form of <group>.<resource>"
        return
    for fault in names.dns1123_subdomain(group):
        yield f"the group segment {fault}"
    for fault in names.dns1035_label(resource):
        yield f"the resource segment {fault}"


def storage_version_status(
    faults: Faults, new: apiserverinternal_v1alpha1.StorageVersion, old: apiserverinternal_v1alpha1.StorageVersion
) -> None:
    status = new.status
    for index, server in enumerate(status.storage_versions):
        place = f"status.storageVersions[{index}]"
        faults.grammar(f"{place}.apiServerID", server.api_server_id, names.dns1123_subdomain)
        faults.joined(f"{place}.encodingVersion", server.encoding_version, names.dns1035_label)
        for number, version in enumerate(server.decodable_versions):
            faults.joined(f"{place}.decodableVersions[{number}]", version, names.dns1035_label)
        if server.encoding_version not in server.decodable_versions:
            faults.invalid(
                f"{place}.decodableVersions",
                server.decodable_versions,
                f"decodableVersions must include encodingVersion {server.encoding_version}",
            )
    _common_version(faults, status)
    seen: dict[str, int] = {}
    for index, condition in enumerate(status.conditions):
        place = f"status[{index}]"
        if condition.type in seen:
            also = f"the type of the condition is not unique, it also appears in conditions[{seen[condition.type]}]"
            faults.invalid(f"{place}.type", condition.type, also)
        seen[condition.type] = index
        faults.grammar(f"{place}.type", condition.type, names.qualified_name)
        for fault in names.qualified_name(condition.status):
            faults.invalid(f"{place}.status", condition.type, fault)
        for member in ("reason", "message"):
            faults.required(f"{place}.{member}", getattr(condition, member), f"{member} cannot be empty")


def _common_version(faults: Faults, status: apiserverinternal_v1alpha1.StorageVersionStatus) -> None:
    versions = {server.encoding_version for server in status.storage_versions}
    agreed = versions.pop() if len(versions) == 1 else None
    said, place = status.common_encoding_version or None, "status.commonEncodingVersion"
    if agreed is None and said is not None:
        faults.invalid(
            place,
            said,
            "should be nil if servers do not agree on the same encoding version, or if there is no server reporting "
            "the supported versions yet",
        )
    elif agreed is not None and said is None:
        faults.append(errors.invalid_value(place, None, f"the common encoding version is {agreed}"))
    elif agreed is not None and said != agreed:
        faults.invalid(place, said, f"the actual common encoding version is {agreed}")


TABLE: dict[type[Any], Rules] = {
    apiserverinternal_v1alpha1.StorageVersion: Rules(
        name=storage_version_name, subresources={"status": storage_version_status}
    ),
    Migration: Rules(migration, migration_update, subresources={"status": migration_status}),
}
