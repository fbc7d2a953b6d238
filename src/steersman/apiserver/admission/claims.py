"""PersistentVolumeClaimResize: a claim grows where it is bound and its storage class lets it."""

from __future__ import annotations

from decimal import Decimal

from steersman.api import quantity
from steersman.api.labels import LEGACY_STORAGE_CLASS
from steersman.api.types import core_v1 as v1
from steersman.api.types.storage_v1 import StorageClass

from .plugin import Cluster, Plugin, Request


class PersistentVolumeClaimResize(Plugin):
    """See the module."""

    name = "PersistentVolumeClaimResize"
    verbs = frozenset({"UPDATE"})
    resources = frozenset({"persistentvolumeclaims"})

    async def validate(self, request: Request, cluster: Cluster) -> None:
        new, old = request.obj, request.old
        if _size(new) <= _size(old):
            return
        if old.status.phase != "Bound":
            raise request.refuse("Only bound persistent volume claims can be expanded")
        name = _class_of(new)
        declared = await cluster.get(StorageClass, name) if name and name == _class_of(old) else None
        if declared is None or not declared.allow_volume_expansion:
            raise request.refuse(
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
                "support resize"
            )


def _size(claim: v1.PersistentVolumeClaim) -> Decimal:
    return quantity.parse(claim.spec.resources.requests.get("storage", "0"))


def _class_of(claim: v1.PersistentVolumeClaim) -> str:
    return claim.metadata.annotations.get(LEGACY_STORAGE_CLASS) or claim.spec.storage_class_name or ""
