"""Volumes of pods."""

from __future__ import annotations

from typing import Any

import msgspec

from steersman.api import errors
from steersman.api.types import core_v1 as v1

from . import names
from .faults import Faults

_HOST_PATH_TYPES = (
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)


def volumes(faults: Faults, values: list[v1.Volume], path: str) -> dict[str, v1.Volume]:
    """Every volume of a pod; returns them by name."""
    seen: set[Any] = set()
    for index, volume in enumerate(values):
        place = f"{path}[{index}]"
        if faults.required(f"{place}.name", volume.name):
            faults.grammar(f"{place}.name", volume.name, names.dns1123_label)
            faults.unique(f"{place}.name", volume.name, seen)
        _source(faults, volume, place)
    return {volume.name: volume for volume in values}


_SOURCES = {info.name: info.encode_name for info in msgspec.structs.fields(v1.Volume) if info.name != "name"}


def _source(faults: Faults, volume: v1.Volume, path: str) -> None:
    source = faults.exactly_one(path, volume, _SOURCES, "a volume type")
    place = f"{path}.{_SOURCES.get(source, '')}"
    match source:
        case "empty_dir" if volume.empty_dir is not None:
            if volume.empty_dir.size_limit:
                faults.amount(f"{place}.sizeLimit", volume.empty_dir.size_limit)
        case "host_path" if volume.host_path is not None:
            host_path(faults, volume.host_path, place)
        case "secret" if volume.secret is not None:
            faults.required(f"{place}.secretName", volume.secret.secret_name)
            _mode(faults, volume.secret.default_mode, f"{place}.defaultMode")
            _items(faults, volume.secret.items, f"{place}.items")
        case "config_map" if volume.config_map is not None:
            faults.required(f"{place}.name", volume.config_map.name)
            _mode(faults, volume.config_map.default_mode, f"{place}.defaultMode")
            _items(faults, volume.config_map.items, f"{place}.items")
        case "downward_api" if volume.downward_api is not None:
            _mode(faults, volume.downward_api.default_mode, f"{place}.defaultMode")
            _downward(faults, volume.downward_api.items, f"{place}.items")
        case "projected" if volume.projected is not None:
            _projected(faults, volume.projected, place)
        case "persistent_volume_claim" if volume.persistent_volume_claim is not None:
            faults.required(f"{place}.claimName", volume.persistent_volume_claim.claim_name)
        case "nfs" if volume.nfs is not None:
            faults.required(f"{place}.server", volume.nfs.server)
            if faults.required(f"{place}.path", volume.nfs.path) and not volume.nfs.path.startswith("/"):
                faults.invalid(f"{place}.path", volume.nfs.path, "must be an absolute path")
        case "csi" if volume.csi is not None:
            faults.required(f"{place}.driver", volume.csi.driver)
        case "ephemeral" if volume.ephemeral is not None:
            faults.required(f"{place}.volumeClaimTemplate", volume.ephemeral.volume_claim_template)


def host_path(faults: Faults, source: v1.HostPathVolumeSource, path: str) -> None:
    """A path of the node."""
    if faults.required(f"{path}.path", source.path) and ".." in source.path.split("/"):
        faults.invalid(f"{path}.path", source.path, "must not contain '..'")
    faults.one_of(f"{path}.type", source.type, _HOST_PATH_TYPES, optional=True)


def _mode(faults: Faults, mode: int | None, path: str) -> None:
    if mode is not None and not 0 <= mode <= 0o777:
        faults.invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")


def local_path(faults: Faults, value: str, path: str) -> None:
    """A path inside a volume: relative, without ``..``."""
    if not faults.required(path, value):
        return
    if value.startswith("/"):
        faults.invalid(path, value, "must be a relative path")
    if ".." in value.split("/"):
        faults.invalid(path, value, "must not contain '..'")
    elif value.startswith(".."):
        faults.invalid(path, value, "must not start with '..'")


def _items(faults: Faults, items: list[v1.KeyToPath], path: str) -> None:
    for index, item in enumerate(items):
        faults.required(f"{path}[{index}].key", item.key)
        local_path(faults, item.path, f"{path}[{index}].path")
        _mode(faults, item.mode, f"{path}[{index}].mode")


def _downward(faults: Faults, items: list[v1.DownwardAPIVolumeFile], path: str) -> None:
    for index, item in enumerate(items):
        place = f"{path}[{index}]"
        local_path(faults, item.path, f"{place}.path")
        if item.field_ref is not None:
            faults.required(f"{place}.fieldRef.fieldPath", item.field_ref.field_path)
            if item.resource_field_ref is not None:
                faults.invalid(place, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
        elif item.resource_field_ref is not None:
            faults.required(f"{place}.resourceFieldRef.containerName", item.resource_field_ref.container_name)
            faults.required(f"{place}.resourceFieldRef.resource", item.resource_field_ref.resource)
        else:
            faults.append(errors.required(place, "one of fieldRef and resourceFieldRef is required"))
        _mode(faults, item.mode, f"{place}.mode")


_PROJECTIONS = {
    "cluster_trust_bundle": "clusterTrustBundle",
    "config_map": "configMap",
    "downward_api": "downwardAPI",
    "pod_certificate": "podCertificate",
    "secret": "secret",
    "service_account_token": "serviceAccountToken",
}


def _projected(faults: Faults, projected: v1.ProjectedVolumeSource, path: str) -> None:
    _mode(faults, projected.default_mode, f"{path}.defaultMode")
    for index, source in enumerate(projected.sources):
        place = f"{path}.sources[{index}]"
        present = [name for name in _PROJECTIONS if getattr(source, name) is not None]
        for name in present[1:]:
            faults.forbidden(f"{place}.{_PROJECTIONS[name]}", "may not specify more than 1 volume type")
        if not present:
            faults.append(
                errors.required(place, "one of secret, configMap, downwardAPI, serviceAccountToken is required")
            )
        if source.secret is not None:
            faults.required(f"{place}.secret.name", source.secret.name)
            _items(faults, source.secret.items, f"{place}.secret.items")
        if source.config_map is not None:
            faults.required(f"{place}.configMap.name", source.config_map.name)
            _items(faults, source.config_map.items, f"{place}.configMap.items")
        if source.downward_api is not None:
            _downward(faults, source.downward_api.items, f"{place}.downwardAPI.items")
        if (token := source.service_account_token) is not None:
            seconds = token.expiration_seconds
            if seconds is not None and seconds < 600:
                faults.invalid(
                    f"{place}.serviceAccountToken.expirationSeconds",
                    seconds,
                    "may not specify a duration less than 10 minutes",
                )
            local_path(faults, token.path, f"{place}.serviceAccountToken.path")
