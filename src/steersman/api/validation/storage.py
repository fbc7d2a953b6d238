"""The group storage.k8s.io."""

from __future__ import annotations

from typing import Any

import msgspec

from steersman.api import errors
from steersman.api.types import core_v1, storage_v1, storage_v1beta1

from . import meta, names
from .faults import Faults, verdict
from .rules import Rules

MAX_PARAMETERS = 512
MAX_PARAMETERS_SIZE = 256 * 1024
MAX_NODE_ID = 256

AttributesClass = storage_v1.VolumeAttributesClass | storage_v1beta1.VolumeAttributesClass


# -- classes ---------------------------------------------------------------------------------------------------------


def storage_class(faults: Faults, obj: storage_v1.StorageClass) -> None:
    _provisioner(faults, obj.provisioner, "provisioner")
    _parameters(faults, obj.parameters)
    faults.one_of("reclaimPolicy", obj.reclaim_policy, ("Delete", "Retain"), optional=True)
    faults.one_of("volumeBindingMode", obj.volume_binding_mode, ("Immediate", "WaitForFirstConsumer"))
    seen: list[Any] = []
    for index, term in enumerate(obj.allowed_topologies):
        place = f"allowedTopologies[{index}]"
        found = _topology(faults, term, place)
        if found in seen:
            faults.append(errors.duplicate(f"{place}.matchLabelExpressions", ""))
        seen.append(found)


def _topology(faults: Faults, term: core_v1.TopologySelectorTerm, path: str) -> dict[str, frozenset[str]]:
    """The values of each key, which identify a term."""
    found: dict[str, frozenset[str]] = {}
    faults.required(f"{path}.matchLabelExpressions", term.match_label_expressions)
    for index, expression in enumerate(term.match_label_expressions):
        place = f"{path}.matchLabelExpressions[{index}]"
        if not expression.values:
            faults.append(errors.required(f"{place}.values"))
        values: set[str] = set()
        for number, value in enumerate(expression.values):
            faults.unique(f"{place}.values[{number}]", value, values)
        faults.grammar(f"{place}.key", expression.key, names.qualified_name)
        if expression.key in found:
            faults.append(errors.duplicate(f"{place}.key", expression.key))
        found[expression.key] = frozenset(values)
    return found


def _provisioner(faults: Faults, provisioner: str, path: str) -> None:
    if faults.required(path, provisioner):
        lower = provisioner.lower()
        for fault in verdict(names.qualified_name, lower):
            faults.invalid(path, lower, fault)


def _parameters(faults: Faults, parameters: dict[str, str], *, optional: bool = True) -> None:
    if len(parameters) > MAX_PARAMETERS:
        faults.append(errors.too_long("parameters", MAX_PARAMETERS))
        return
    if "" in parameters:
        faults.invalid("parameters", "", "field can not be empty.")
    if sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > MAX_PARAMETERS_SIZE:
        faults.append(errors.too_long("parameters", MAX_PARAMETERS_SIZE))
    if not optional:
        faults.required("parameters", parameters, "must contain at least one key/value pair")


def storage_class_update(faults: Faults, new: storage_v1.StorageClass, old: storage_v1.StorageClass) -> None:
    for attribute, name in (
        ("parameters", "parameters"),
        ("provisioner", "provisioner"),
        ("reclaim_policy", "reclaimPolicy"),
    ):
        if getattr(new, attribute) != getattr(old, attribute):
            faults.forbidden(name, f"updates to {name} are forbidden.")
    faults.immutable("volumeBindingMode", new.volume_binding_mode, old.volume_binding_mode)


def attributes_class(faults: Faults, obj: AttributesClass) -> None:
    _provisioner(faults, obj.driver_name, "driverName")
    _parameters(faults, obj.parameters, optional=False)


def attributes_class_update(faults: Faults, new: AttributesClass, old: AttributesClass) -> None:
    for attribute, name in (("driver_name", "driverName"), ("parameters", "parameters")):
        if getattr(new, attribute) != getattr(old, attribute):
            faults.forbidden(name, f"updates to {name} are forbidden.")


# -- drivers and nodes -----------------------------------------------------------------------------------------------


def driver_name(faults: Faults, path: str, name: str) -> None:
    """The name of a CSI driver."""
    faults.required(path, name)
    faults.shorter(path, name, 63)
    for fault in verdict(names.dns1123_subdomain, name.lower()):
        faults.invalid(path, name, fault)


def csi_driver(faults: Faults, obj: storage_v1.CSIDriver) -> None:
    spec = obj.spec
    for name, value in (
        ("attachedRequired", spec.attach_required),
        ("podInfoOnMount", spec.pod_info_on_mount),
        ("storageCapacity", spec.storage_capacity),
    ):
        if value is None:
            faults.append(errors.required(f"spec.{name}"))
    faults.one_of(
        "spec.fsGroupPolicy", spec.fs_group_policy, ("File", "None", "ReadWriteOnceWithFSType"), optional=True
    )
    _token_requests(faults, spec)
    for mode in spec.volume_lifecycle_modes:
        if mode not in ("Persistent", "Ephemeral"):
            faults.unsupported("spec.volumeLifecycleModes", mode, ("Persistent", "Ephemeral"))
    if spec.se_linux_mount is None:
        faults.append(errors.required("spec.seLinuxMount"))
    period = spec.node_allocatable_update_period_seconds
    if period is not None and period < 10:
        faults.invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, "must be greater than or equal to 10 seconds")
    if spec.service_account_token_in_secrets is not None and not spec.token_requests:
        faults.invalid(
            "spec.serviceAccountTokenInSecrets",
            spec.service_account_token_in_secrets,
            "may only be set when tokenRequests is specified",
        )


def _token_requests(faults: Faults, spec: storage_v1.CSIDriverSpec) -> None:
    audiences: set[str] = set()
    for index, request in enumerate(spec.token_requests):
        place = f"spec.tokenRequests[{index}]"
        if request.audience in audiences:
            faults.append(errors.duplicate(f"{place}.audience", request.audience))
            continue
        audiences.add(request.audience)
        seconds = request.expiration_seconds
        if seconds is None:
            continue
        if seconds < 600:
            faults.invalid(f"{place}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        if seconds > 1 << 32:
            faults.invalid(f"{place}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")


def csi_driver_update(faults: Faults, new: storage_v1.CSIDriver, old: storage_v1.CSIDriver) -> None:
    faults.immutable("spec.attachedRequired", new.spec.attach_required, old.spec.attach_required)
    faults.immutable("spec.volumeLifecycleModes", new.spec.volume_lifecycle_modes, old.spec.volume_lifecycle_modes)


def csi_node(faults: Faults, obj: storage_v1.CSINode) -> None:
    seen: set[str] = set()
    for index, driver in enumerate(obj.spec.drivers):
        place = f"spec.drivers[{index}]"
        driver_name(faults, f"{place}.name", driver.name)
        if faults.required(f"{place}.nodeID", driver.node_id) and len(driver.node_id.encode()) > MAX_NODE_ID:
            faults.invalid(f"{place}.nodeID", driver.node_id, f"must be {MAX_NODE_ID} characters or less")
        if driver.allocatable is not None:
            faults.natural(f"{place}.allocatable.count", driver.allocatable.count)
        faults.unique(f"{place}.name", driver.name, seen)
        keys: set[str] = set()
        for key in driver.topology_keys:
            faults.required(place, key)
            faults.unique(place, key, keys)
            faults.grammar(place, key, names.qualified_name)


def csi_node_update(faults: Faults, new: storage_v1.CSINode, old: storage_v1.CSINode) -> None:
    """Drivers come and go; those that stay change how many volumes they can attach and nothing else (KEP-4876)."""
    after = {driver.name: driver for driver in new.spec.drivers}
    for before in old.spec.drivers:
        if before.name in after:
            mine, theirs = (msgspec.structs.replace(each, allocatable=None) for each in (after[before.name], before))
            faults.immutable("spec.drivers", mine, theirs)


# -- capacities and attachments --------------------------------------------------------------------------------------


def storage_capacity(faults: Faults, obj: storage_v1.CSIStorageCapacity) -> None:
    meta.label_selector(faults, obj.node_topology, "nodeTopology")
    faults.grammar("storageClassName", obj.storage_class_name or "", names.dns1123_subdomain)
    faults.amount("capacity", obj.capacity)


def storage_capacity_update(
    faults: Faults, new: storage_v1.CSIStorageCapacity, old: storage_v1.CSIStorageCapacity
) -> None:
    faults.immutable("nodeTopology", new.node_topology, old.node_topology)
    faults.immutable("storageClassName", new.storage_class_name, old.storage_class_name)


def volume_attachment(faults: Faults, obj: storage_v1.VolumeAttachment) -> None:
    spec = obj.spec
    driver_name(faults, "spec.attacher", spec.attacher)
    inline, volume = spec.source.inline_volume_spec, spec.source.persistent_volume_name
    detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
    if inline is not None and volume:
        faults.forbidden("spec.source", detail)
    elif inline is None and not volume:
        faults.append(errors.required("spec.source", detail))
    elif inline is not None:
        _inline(faults, inline, "spec.source.inlineVolumeSpec")
    if volume:
        faults.grammar("spec.source.persistentVolumeName", volume, names.dns1123_subdomain)
    faults.grammar("spec.nodeName", spec.node_name, names.dns1123_subdomain)
    _attachment_status(faults, obj.status)


def _inline(faults: Faults, spec: core_v1.PersistentVolumeSpec, path: str) -> None:
    """A volume that is not an object of its own, but came from a pod."""
    context = "in the context of inline volumes"
    if spec.claim_ref is not None:
        faults.forbidden(f"{path}.claimRef", f"may not be specified {context}")
    if spec.capacity:
        faults.forbidden(f"{path}.capacity", f"may not be specified {context}")
    if spec.csi is None:
        faults.append(errors.required(f"{path}.csi", f"has to be specified {context}"))
    else:
        driver_name(faults, f"{path}.csi.driver", spec.csi.driver)
        faults.required(f"{path}.csi.volumeHandle", spec.csi.volume_handle)
    faults.required(f"{path}.accessModes", spec.access_modes)


def volume_attachment_status(
    faults: Faults, new: storage_v1.VolumeAttachment, old: storage_v1.VolumeAttachment
) -> None:
    _attachment_status(faults, new.status)


def _attachment_status(faults: Faults, status: storage_v1.VolumeAttachmentStatus) -> None:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in status.attachment_metadata.items())
    if size > MAX_PARAMETERS_SIZE:
        faults.append(errors.too_long("status.attachmentMetadata", MAX_PARAMETERS_SIZE))
    for name, error in (("attachError", status.attach_error), ("detachError", status.detach_error)):
        if error is None:
            continue
        if len(error.message.encode()) > 1024:
            faults.append(errors.too_long(f"status.{name}.message", MAX_PARAMETERS_SIZE))
        if error.error_code is not None and error.error_code < 0:
            faults.between(f"status.{name}.errorCode", error.error_code, 0, 2**31 - 1)


def volume_attachment_update(
    faults: Faults, new: storage_v1.VolumeAttachment, old: storage_v1.VolumeAttachment
) -> None:
    faults.immutable("spec", new.spec, old.spec)


_ATTRIBUTES_CLASS = Rules(attributes_class, attributes_class_update)

TABLE: dict[type[Any], Rules] = {
    storage_v1.CSIDriver: Rules(csi_driver, csi_driver_update),
    storage_v1.CSINode: Rules(csi_node, csi_node_update),
    storage_v1.CSIStorageCapacity: Rules(storage_capacity, storage_capacity_update, recheck=False),
    storage_v1.StorageClass: Rules(storage_class, storage_class_update, recheck=False),
    storage_v1.VolumeAttachment: Rules(
        volume_attachment, volume_attachment_update, subresources={"status": volume_attachment_status}
    ),
    storage_v1.VolumeAttributesClass: _ATTRIBUTES_CLASS,
    storage_v1beta1.VolumeAttributesClass: _ATTRIBUTES_CLASS,
}
