"""Defaults as version 3 tells them: the zero of what is always there, and the values that upstream's types declare."""

from __future__ import annotations

from typing import Any

from steersman.api.shapes import Shape

_ZERO: dict[str, Any] = {"boolean": False, "integer": 0, "number": 0, "string": "", "struct": {}}

_RBD = {"keyring": "/etc/ceph/keyring", "pool": "rbd", "user": "admin"}
_SCALE_IO = {"fsType": "xfs", "storageMode": "ThinProvisioned"}
_DECLARED: dict[str, dict[str, Any]] = {
    "io.k8s.api.core.v1.AzureDiskVolumeSource": {
        "cachingMode": "ReadWrite",
        "fsType": "ext4",
        "kind": "Shared",
        "readOnly": False,
    },
    "io.k8s.api.core.v1.ContainerPort": {"protocol": "TCP"},
    "io.k8s.api.core.v1.GRPCAction": {"service": ""},
    "io.k8s.api.core.v1.ISCSIPersistentVolumeSource": {"iscsiInterface": "default"},
    "io.k8s.api.core.v1.ISCSIVolumeSource": {"iscsiInterface": "default"},
    "io.k8s.api.core.v1.RBDPersistentVolumeSource": _RBD,
    "io.k8s.api.core.v1.RBDVolumeSource": _RBD,
    "io.k8s.api.core.v1.ScaleIOPersistentVolumeSource": _SCALE_IO,
    "io.k8s.api.core.v1.ScaleIOVolumeSource": _SCALE_IO,
    "io.k8s.api.core.v1.ServicePort": {"protocol": "TCP"},
}


def member_default(owner: str, name: str, shape: Shape, *, required: bool) -> Any:
    """The default of a member of a definition; None where it has none."""
    if (declared := _DECLARED.get(owner, {}).get(name)) is not None:
        return declared
    return _ZERO.get(shape.kind) if not shape.nullable and (required or shape.kind == "struct") else None


def item_default(shape: Shape) -> Any:
    """The default of what a list or a map holds."""
    return _ZERO.get(shape.kind)
