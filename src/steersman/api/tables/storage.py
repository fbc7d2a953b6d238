"""Volumes, claims, classes and drivers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from steersman.api import labels as names
from steersman.api.types import core_v1, storage_v1

from .printer import NONE, UNSET, Printer, age, aged

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


_DEFAULT_ATTRIBUTES_CLASS = "volumeattributesclass.alpha.kubernetes.io/is-default-class"


def access_modes(modes: list[str]) -> str:
    """``RWO,ROX``: in a fixed order, each once."""
    return ",".join(short for mode, short in _MODES.items() if mode in modes)


def _volume_row(obj: core_v1.PersistentVolume, now: datetime) -> list[Any]:
    spec = obj.spec
    claim = spec.claim_ref
    return [
        obj.metadata.name,
        spec.capacity.get("storage", "0"),
        access_modes(spec.access_modes),
        spec.persistent_volume_reclaim_policy,
        "Terminating" if obj.metadata.deletion_timestamp else obj.status.phase,
        f"{claim.namespace}/{claim.name}" if claim else "",
        spec.storage_class_name or obj.metadata.annotations.get(names.LEGACY_STORAGE_CLASS, ""),
        spec.volume_attributes_class_name or UNSET,
        obj.status.reason,
        age(obj, now),
        spec.volume_mode or UNSET,
    ]


def _claim_row(obj: core_v1.PersistentVolumeClaim, now: datetime) -> list[Any]:
    spec, status = obj.spec, obj.status
    bound = bool(spec.volume_name)
    return [
        obj.metadata.name,
        "Terminating" if obj.metadata.deletion_timestamp else status.phase,
        spec.volume_name,
        status.capacity.get("storage", "0") if bound else "",
        access_modes(status.access_modes) if bound else "",
        spec.storage_class_name or obj.metadata.annotations.get(names.LEGACY_STORAGE_CLASS, ""),
        spec.volume_attributes_class_name or UNSET,
        age(obj, now),
        spec.volume_mode or UNSET,
    ]


def _default(name: str, annotations: dict[str, str], *marks: str) -> str:
    return f"{name} (default)" if any(annotations.get(mark) == "true" for mark in marks) else name


def _storage_class_row(obj: storage_v1.StorageClass, now: datetime) -> list[Any]:
    return [
        _default(
            obj.metadata.name,
            obj.metadata.annotations,
            names.DEFAULT_STORAGE_CLASS,
            names.BETA_DEFAULT_STORAGE_CLASS,
        ),
        obj.provisioner,
        obj.reclaim_policy or "Delete",
        obj.volume_binding_mode or "Immediate",
        bool(obj.allow_volume_expansion),
        age(obj, now),
    ]


def _csi_driver(obj: storage_v1.CSIDriver) -> list[Any]:
    spec = obj.spec
    return [
        spec.attach_required is not False,
        bool(spec.pod_info_on_mount),
        bool(spec.storage_capacity),
        ",".join(request.audience for request in spec.token_requests) or UNSET,
        bool(spec.requires_republish),
        ",".join(spec.volume_lifecycle_modes) or NONE,
    ]


def _attributes_class_row(obj: storage_v1.VolumeAttributesClass, now: datetime) -> list[Any]:
    name = _default(obj.metadata.name, obj.metadata.annotations, _DEFAULT_ATTRIBUTES_CLASS)
    return [name, obj.driver_name, age(obj, now)]


TABLE: dict[tuple[str, str], Printer] = {
    ("", "PersistentVolume"): Printer(
        (
            "Name",
            "Capacity",
            "Access Modes",
            "Reclaim Policy",
            "Status",
            "Claim",
            "StorageClass",
            "VolumeAttributesClass",
            "Reason",
            "Age",
            "VolumeMode+",
        ),
        _volume_row,
    ),
    ("", "PersistentVolumeClaim"): Printer(
        (
            "Name",
            "Status",
            "Volume",
            "Capacity",
            "Access Modes",
            "StorageClass",
            "VolumeAttributesClass",
            "Age",
            "VolumeMode+",
        ),
        _claim_row,
    ),
    ("storage.k8s.io", "StorageClass"): Printer(
        ("Name", "Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion", "Age"),
        _storage_class_row,
    ),
    ("storage.k8s.io", "VolumeAttributesClass"): Printer(("Name", "DriverName", "Age"), _attributes_class_row),
    ("storage.k8s.io", "VolumeAttachment"): aged(
        ("Attacher:string:name", "PV", "Node", "Attached:boolean"),
        lambda obj: [
            obj.spec.attacher,
            obj.spec.source.persistent_volume_name,
            obj.spec.node_name,
            obj.status.attached,
        ],
    ),
    ("storage.k8s.io", "CSINode"): aged(("Drivers:integer",), lambda obj: [len(obj.spec.drivers)]),
    ("storage.k8s.io", "CSIDriver"): aged(
        (
            "AttachRequired:boolean",
            "PodInfoOnMount:boolean",
            "StorageCapacity:boolean",
            "TokenRequests",
            "RequiresRepublish:boolean",
            "Modes",
        ),
        _csi_driver,
    ),
    ("storage.k8s.io", "CSIStorageCapacity"): Printer(
        ("Name", "StorageClassName", "Capacity"),
        lambda obj, now: [obj.metadata.name, obj.storage_class_name or "", obj.capacity or UNSET],
    ),
}
