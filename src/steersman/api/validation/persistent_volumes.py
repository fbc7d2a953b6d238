"""Persistent volumes and the claims to them."""

from __future__ import annotations

from posixpath import normpath
from typing import Any

from steersman.api import codecs, differences, errors, quantity
from steersman.api.labels import BETA_TO_GA_LABELS, LEGACY_STORAGE_CLASS
from steersman.api.pods import native
from steersman.api.types import core_v1 as v1

from . import meta, names
from .faults import IMMUTABLE, Faults, verdict
from .placement import node_selector
from .volume_sources import ISCSI_NAME_TOO_LONG, PERSISTENT, iscsi_name_too_long, one_source

_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
_VOLUME_MODES = ("Block", "Filesystem")
_NEEDS_CSI = "has to be specified when using volumeAttributesClassName"


def _access_modes(faults: Faults, modes: list[str], path: str) -> None:
    for mode in modes:
        if mode not in _ACCESS_MODES:
            faults.append(errors.not_supported(path, mode, _ACCESS_MODES))
    known = {mode for mode in modes if mode in _ACCESS_MODES}
    if "ReadWriteOncePod" in known and len(known) > 1:
        faults.forbidden(path, "may not use ReadWriteOncePod with other access modes")


# -- volumes ---------------------------------------------------------------------------------------------------------


def persistent_volume(faults: Faults, obj: v1.PersistentVolume) -> None:
    volume_spec(faults, obj.spec, "spec", obj.metadata.name)


def volume_spec(faults: Faults, spec: v1.PersistentVolumeSpec, path: str, name: str) -> None:
    """Storage of the cluster."""
    faults.required(f"{path}.accessModes", spec.access_modes)
    _access_modes(faults, spec.access_modes, f"{path}.accessModes")
    _capacity(faults, spec.capacity, f"{path}.capacity")
    faults.one_of(
        f"{path}.persistentVolumeReclaimPolicy",
        spec.persistent_volume_reclaim_policy,
        _RECLAIM_POLICIES,
        optional=True,
    )
    if spec.node_affinity is not None:
        place = f"{path}.nodeAffinity.required"
        if spec.node_affinity.required is None:
            faults.append(errors.required(place, "must specify required node constraints"))
        else:
            node_selector(faults, spec.node_affinity.required, place)
    one_source(faults, spec, path, PERSISTENT)
    if spec.iscsi is not None and iscsi_name_too_long(spec.iscsi, name):
        faults.invalid(f"{path}.iscsi.targetportal", spec.iscsi.target_portal, ISCSI_NAME_TOO_LONG)
    if spec.local is not None and spec.node_affinity is None:
        faults.append(errors.required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    if spec.persistent_volume_reclaim_policy == "Recycle" and _whole_host(spec.host_path):
        detail = "may not be 'recycle' for a hostPath mount of '/'"
        faults.forbidden(f"{path}.persistentVolumeReclaimPolicy", detail)
    if spec.storage_class_name:
        faults.grammar(f"{path}.storageClassName", spec.storage_class_name, names.dns1123_subdomain)
    faults.one_of(f"{path}.volumeMode", spec.volume_mode, _VOLUME_MODES, optional=True)
    if spec.volume_attributes_class_name is not None:
        place = f"{path}.volumeAttributesClassName"
        faults.name(place, spec.volume_attributes_class_name, names.dns1123_subdomain, "an empty string is disallowed")
        if spec.csi is None:
            faults.append(errors.required(f"{path}.csi", _NEEDS_CSI))


def _whole_host(source: v1.HostPathVolumeSource | None) -> bool:
    return source is not None and bool(source.path) and normpath(source.path) in ("/", "//")


def _capacity(faults: Faults, amounts: dict[str, str], path: str) -> None:
    faults.required(path, amounts)
    if set(amounts) != {"storage"}:
        faults.append(errors.not_supported(path, amounts, ("storage",)))
    for name, value in amounts.items():
        _basic(faults, value, f"{path}[{name}]")
        faults.positive_amount(f"{path}[{name}]", value)


def _basic(faults: Faults, value: str, path: str) -> None:
    if quantity.value(value) < 0:
        faults.invalid(path, quantity.value(value), "must be a valid resource quantity")


def persistent_volume_update(faults: Faults, new: v1.PersistentVolume, old: v1.PersistentVolume) -> None:
    """What a volume is stays; where it may be used is only ever made more precise."""
    mine, theirs = _source(new.spec), _source(old.spec)
    csi, before = mine.get("csi"), theirs.get("csi")
    if csi is not None and before is not None and before.controller_expand_secret_ref is None:
        mine["csi"] = csi = codecs.copy(csi)
        csi.controller_expand_secret_ref = None
    if mine != theirs:
        diff = differences.between(theirs, mine)
        detail = f"spec.persistentvolumesource is immutable after creation\n{diff}"
        faults.forbidden("spec.persistentvolumesource", detail)
    faults.immutable("volumeMode", new.spec.volume_mode, old.spec.volume_mode)
    if old.spec.node_affinity is not None and _relabelled(new.spec.node_affinity, old.spec.node_affinity):
        detail = f"{IMMUTABLE}, except for updating from beta label to GA"
        faults.invalid("nodeAffinity", new.spec.node_affinity, detail)
    if old.spec.volume_attributes_class_name is not None and new.spec.volume_attributes_class_name is None:
        detail = "update from non-nil value to nil is forbidden"
        faults.forbidden("spec.volumeAttributesClassName", detail)


def _source(spec: v1.PersistentVolumeSpec) -> dict[str, Any]:
    return {source.name: getattr(spec, attribute) for attribute, source in PERSISTENT.items()}


def _relabelled(new: v1.VolumeNodeAffinity | None, old: v1.VolumeNodeAffinity) -> bool:
    """Whether a change is more than of beta labels into their successors."""
    if new is None:
        return True
    wanted = codecs.copy(old)
    terms = new.required.node_selector_terms if new.required is not None else []
    for mine, theirs in zip(terms, wanted.required.node_selector_terms if wanted.required else [], strict=False):
        for after, before in zip(mine.match_expressions, theirs.match_expressions, strict=False):
            if BETA_TO_GA_LABELS.get(before.key) == after.key:
                before.key = after.key
    return new != wanted


# -- claims ----------------------------------------------------------------------------------------------------------


def claim(faults: Faults, obj: v1.PersistentVolumeClaim) -> None:
    claim_spec(faults, obj.spec, "spec")


def claim_spec(faults: Faults, spec: v1.PersistentVolumeClaimSpec, path: str) -> None:
    """A wish for storage; also that of templates."""
    faults.required(f"{path}.accessModes", spec.access_modes, "at least 1 access mode is required")
    meta.label_selector(faults, spec.selector, f"{path}.selector")
    _access_modes(faults, spec.access_modes, f"{path}.accessModes")
    storage = spec.resources.requests.get("storage")
    if storage is None:
        faults.append(errors.required(f"{path}.resources[storage]"))
    else:
        faults.positive_amount(f"{path}.resources[storage]", storage)
    if spec.storage_class_name:
        faults.grammar(f"{path}.storageClassName", spec.storage_class_name, names.dns1123_subdomain)
    faults.one_of(f"{path}.volumeMode", spec.volume_mode, _VOLUME_MODES, optional=True)
    for name, source in (("dataSource", spec.data_source), ("dataSourceRef", spec.data_source_ref)):
        if source is not None:
            _data_source(faults, source, f"{path}.{name}")
    _same_data_source(faults, spec, path)
    if spec.volume_attributes_class_name:
        place = f"{path}.volumeAttributesClassName"
        faults.grammar(place, spec.volume_attributes_class_name, names.dns1123_subdomain)


def _data_source(faults: Faults, source: v1.TypedLocalObjectReference | v1.TypedObjectReference, path: str) -> None:
    faults.required(f"{path}.name", source.name)
    faults.required(f"{path}.kind", source.kind)
    if not source.api_group:
        if source.kind != "PersistentVolumeClaim":
            detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            faults.invalid(path, source.kind, detail)
    else:
        faults.grammar(f"{path}.apiGroup", source.api_group, names.dns1123_subdomain)
    if isinstance(source, v1.TypedObjectReference) and source.namespace:
        faults.grammar(f"{path}.namespace", source.namespace, names.dns1123_label)


def _same_data_source(faults: Faults, spec: v1.PersistentVolumeClaimSpec, path: str) -> None:
    """The older field says the same as the newer one, which alone can name another namespace."""
    source, reference = spec.data_source, spec.data_source_ref
    if source is None or reference is None:
        return
    if reference.namespace:
        detail = "may not be specified when dataSourceRef.namespace is specified"
        faults.invalid(path, f"{path}.dataSource", detail)
    elif (source.api_group, source.kind, source.name) != (reference.api_group, reference.kind, reference.name):
        faults.invalid(path, f"{path}.dataSource", "must match dataSourceRef")


CLAIM_FORBIDDEN = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


def claim_update(faults: Faults, new: v1.PersistentVolumeClaim, old: v1.PersistentVolumeClaim) -> None:
    """A claim is bound once, to a class once; only when it is bound may it grow."""
    wanted, kept = codecs.copy(new.spec), codecs.copy(old.spec)
    kept.volume_name = kept.volume_name or wanted.volume_name
    before = old.metadata.annotations.get(LEGACY_STORAGE_CLASS)
    after = new.metadata.annotations.get(LEGACY_STORAGE_CLASS)
    moved = before is not None and kept.storage_class_name is None and wanted.storage_class_name == before
    if moved and after in (None, before):
        wanted.storage_class_name = None
    else:
        path = f"metadata.annotations.{LEGACY_STORAGE_CLASS}"
        faults.immutable(path, after or "", before or "")
        if kept.storage_class_name is None and before in (None, wanted.storage_class_name):
            wanted.storage_class_name = None
    if new.status.phase == "Bound":
        if "storage" in kept.resources.requests:
            wanted.resources.requests["storage"] = kept.resources.requests["storage"]
        wanted.volume_attributes_class_name = kept.volume_attributes_class_name
    if wanted != kept:
        faults.forbidden("spec", f"{CLAIM_FORBIDDEN}\n{differences.between(kept, wanted)}")
    size, previous = (quantity.parse(each.spec.resources.requests.get("storage", "0")) for each in (new, old))
    if size < previous and size <= quantity.parse(old.status.capacity.get("storage", "0")):
        faults.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")
    faults.immutable("volumeMode", new.spec.volume_mode, old.spec.volume_mode)
    _attributes_class(faults, new, old)


def _attributes_class(faults: Faults, new: v1.PersistentVolumeClaim, old: v1.PersistentVolumeClaim) -> None:
    """A class of attributes that was applied can be exchanged, not taken away."""
    if old.status.current_volume_attributes_class_name in (None, ""):
        return
    name = new.spec.volume_attributes_class_name
    if name != old.spec.volume_attributes_class_name and not name:
        to = "nil" if name is None else "empty string"
        detail = f"update to {to} is forbidden when status.currentVolumeAttributesClassName is not nil"
        faults.forbidden("spec.volumeAttributesClassName", detail)


_RESIZE_STATES = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
)


def claim_status_update(faults: Faults, new: v1.PersistentVolumeClaim, old: v1.PersistentVolumeClaim) -> None:
    """What was given, and how far a resize is."""
    for name, value in new.status.capacity.items():
        _basic(faults, value, f"status.capacity[{name}]")
    path = "status.allocatedResourceStatuses"
    for name, state in new.status.allocated_resource_statuses.items():
        _claimed_resource(faults, name, path)
        if state not in _RESIZE_STATES:
            faults.append(errors.not_supported(path, name, _RESIZE_STATES))
    path = "status.allocatedResources"
    for name, value in new.status.allocated_resources.items():
        before = len(faults)
        _claimed_resource(faults, name, path)
        if len(faults) == before:
            _basic(faults, value, f"{path}[{name}]")


def _claimed_resource(faults: Faults, name: str, path: str) -> None:
    if found := verdict(names.qualified_name, name):
        for fault in found:
            faults.invalid(path, name, fault)
    elif native(name) and name != "storage":
        faults.append(errors.not_supported(path, name, ("storage",)))
