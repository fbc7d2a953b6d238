"""Persistent volumes and claims."""

from __future__ import annotations

from collections.abc import Iterator

from steersman.api import quantity
from steersman.api.labels import LEGACY_STORAGE_CLASS
from steersman.api.types import core_v1 as v1

from .nodes import selector_term_warnings

DEPRECATED_SOURCES = {
    "photon_persistent_disk": ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    "scale_io": ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    "storageos": ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    "glusterfs": ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    "cephfs": ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    "rbd": ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
}
"""Sources that no node can mount any more, by attribute."""

_RECYCLE = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."


def fractional(path: str, amounts: dict[str, str], *names: str) -> Iterator[str]:
    """Bytes that are not whole."""
    for name in names:
        value = amounts.get(name)
        if value is not None and quantity.milli_value(value) % 1000:
            yield f'{path}[{name}]: fractional byte value "{value}" is invalid, must be an integer'


def persistent_volume_warnings(obj: v1.PersistentVolume) -> Iterator[str]:
    """A volume's own."""
    spec = obj.spec
    if LEGACY_STORAGE_CLASS in obj.metadata.annotations:
        detail = 'deprecated since v1.8; use "storageClassName" attribute instead'
        yield f"metadata.annotations[{LEGACY_STORAGE_CLASS}]: {detail}"
    if spec.persistent_volume_reclaim_policy == "Recycle":
        yield f"spec.persistentVolumeReclaimPolicy: {_RECYCLE}"
    if spec.node_affinity is not None and spec.node_affinity.required is not None:
        for index, term in enumerate(spec.node_affinity.required.node_selector_terms):
            yield from selector_term_warnings(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]")
    for attribute, (name, detail) in DEPRECATED_SOURCES.items():
        if getattr(spec, attribute) is not None:
            yield f"spec.{name}: {detail}"


def claim_warnings(spec: v1.PersistentVolumeClaimSpec, path: str = "spec") -> Iterator[str]:
    """A claim's, or those of a claim's template."""
    yield from fractional(f"{path}.resources.requests", spec.resources.requests, "storage")
    yield from fractional(f"{path}.resources.limits", spec.resources.limits, "storage")
