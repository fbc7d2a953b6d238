"""The core group, pods and replication controllers aside."""

from __future__ import annotations

from typing import Any

from steersman.api import errors, quantity
from steersman.api.types import core_v1 as v1

from . import meta, names
from .faults import IMMUTABLE, Faults
from .placement import node_selector
from .pods import resource_name
from .volumes import host_path

DATA_LIMIT = 1024 * 1024
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_SECRET_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def _frozen(faults: Faults, new: Any, old: Any) -> None:
    """``immutable`` objects stay as they are."""
    if not old.immutable:
        return
    if not new.immutable:
        faults.forbidden("immutable", "field is immutable when `immutable` is set")
    for attribute, name in (("data", "data"), ("binary_data", "binaryData")):
        if getattr(new, attribute, None) != getattr(old, attribute, None):
            faults.forbidden(name, "field is immutable when `immutable` is set")


def config_map(faults: Faults, obj: v1.ConfigMap) -> None:
    size = 0
    for key, text in obj.data.items():
        faults.grammar(f"data[{key}]", key, names.config_map_key)
        if key in obj.binary_data:
            faults.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
        size += len(text.encode())
    for key, value in obj.binary_data.items():
        faults.grammar(f"binaryData[{key}]", key, names.config_map_key)
        size += len(value)
    if size > DATA_LIMIT:
        faults.append(errors.too_long("", DATA_LIMIT))


def config_map_update(faults: Faults, new: v1.ConfigMap, old: v1.ConfigMap) -> None:
    _frozen(faults, new, old)


def secret(faults: Faults, obj: v1.Secret) -> None:
    for key in obj.data:
        faults.grammar(f"data[{key}]", key, names.config_map_key)
    if sum(map(len, obj.data.values())) > DATA_LIMIT:
        faults.append(errors.too_long("data", DATA_LIMIT))
    if obj.type == "kubernetes.io/service-account-token":
        if not obj.metadata.annotations.get("kubernetes.io/service-account.name"):
            faults.append(errors.required("metadata.annotations[kubernetes.io/service-account.name]"))
    elif obj.type == "kubernetes.io/basic-auth" and not {"username", "password"} & obj.data.keys():
        faults.append(errors.required("data[username]"))
        faults.append(errors.required("data[password]"))
    for key in _SECRET_KEYS.get(obj.type, ()):
        if key not in obj.data:
            faults.append(errors.required(f"data[{key}]"))


def secret_update(faults: Faults, new: v1.Secret, old: v1.Secret) -> None:
    faults.immutable("type", new.type, old.type)
    _frozen(faults, new, old)


def node(faults: Faults, obj: v1.Node) -> None:
    seen: set[Any] = set()
    for index, taint in enumerate(obj.spec.taints):
        place = f"spec.taints[{index}]"
        faults.name(f"{place}.key", taint.key, names.qualified_name)
        faults.grammar(f"{place}.value", taint.value, names.label_value)
        faults.one_of(f"{place}.effect", taint.effect, ("NoSchedule", "PreferNoSchedule", "NoExecute"))
        faults.unique(place, (taint.key, taint.effect), seen, taint)
    for index, cidr in enumerate(obj.spec.pod_cidrs):
        faults.grammar(f"spec.podCIDRs[{index}]", cidr, names.cidr)
    for name, amount in obj.status.capacity.items():
        resource_name(faults, name, f"status.capacity[{name}]")
        faults.amount(f"status.capacity[{name}]", amount)


def node_update(faults: Faults, new: v1.Node, old: v1.Node) -> None:
    if old.spec.pod_cidrs and new.spec.pod_cidrs != old.spec.pod_cidrs:
        faults.forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if old.spec.provider_id and new.spec.provider_id != old.spec.provider_id:
        faults.forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')


def endpoints(faults: Faults, obj: v1.Endpoints) -> None:
    for number, subset in enumerate(obj.subsets):
        place = f"subsets[{number}]"
        if not subset.addresses and not subset.not_ready_addresses:
            faults.append(errors.required(place, "must specify `addresses` or `notReadyAddresses`"))
        for name, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for index, address in enumerate(addresses):
                where = f"{place}.{name}[{index}]"
                faults.grammar(f"{where}.ip", address.ip, names.ip)
                if address.hostname:
                    faults.grammar(f"{where}.hostname", address.hostname, names.dns1123_label)
        for index, port in enumerate(subset.ports):
            where = f"{place}.ports[{index}]"
            if port.name:
                faults.grammar(f"{where}.name", port.name, names.dns1123_label)
            elif len(subset.ports) > 1:
                faults.append(errors.required(f"{where}.name"))
            faults.port(f"{where}.port", port.port)
            faults.one_of(f"{where}.protocol", port.protocol, _PROTOCOLS)


def event(faults: Faults, obj: v1.Event) -> None:
    namespace, involved = obj.metadata.namespace, obj.involved_object.namespace
    # Events about cluster-scoped objects live in these two.
    agrees = namespace == involved if involved else namespace in ("default", "kube-system")
    if not agrees:
        faults.invalid("involvedObject.namespace", involved, "does not match event.namespace")


def persistent_volume(faults: Faults, obj: v1.PersistentVolume) -> None:
    spec = obj.spec
    if faults.required("spec.accessModes", spec.access_modes):
        for mode in spec.access_modes:
            faults.one_of("spec.accessModes", mode, _ACCESS_MODES)
    if not spec.capacity:
        faults.append(errors.required("spec.capacity"))
    elif set(spec.capacity) != {"storage"}:
        faults.append(errors.not_supported("spec.capacity", spec.capacity, ("storage",)))
    for name, amount in spec.capacity.items():
        if quantity.parse(amount) <= 0:
            faults.invalid(f"spec.capacity[{name}]", amount, "must be greater than zero")
    if spec.host_path is not None:
        host_path(faults, spec.host_path, "spec.hostPath")
    if spec.local is not None:
        faults.required("spec.local.path", spec.local.path)
        if spec.node_affinity is None or spec.node_affinity.required is None:
            faults.append(errors.required("spec.nodeAffinity", "Local volume requires node affinity"))
    if spec.node_affinity is not None and spec.node_affinity.required is not None:
        node_selector(faults, spec.node_affinity.required, "spec.nodeAffinity.required")
    faults.one_of(
        "spec.persistentVolumeReclaimPolicy",
        spec.persistent_volume_reclaim_policy,
        ("Delete", "Recycle", "Retain"),
        optional=True,
    )
    faults.one_of("spec.volumeMode", spec.volume_mode, ("Block", "Filesystem"), optional=True)
    if spec.storage_class_name:
        faults.grammar("spec.storageClassName", spec.storage_class_name, names.dns1123_subdomain)


def persistent_volume_update(faults: Faults, new: v1.PersistentVolume, old: v1.PersistentVolume) -> None:
    faults.immutable("spec.volumeMode", new.spec.volume_mode, old.spec.volume_mode)
    for name in ("host_path", "local", "nfs", "csi", "iscsi", "fc"):
        if getattr(new.spec, name) != getattr(old.spec, name):
            faults.forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")
            return


def claim(faults: Faults, obj: v1.PersistentVolumeClaim) -> None:
    spec = obj.spec
    if not spec.access_modes:
        faults.append(errors.required("spec.accessModes", "at least 1 access mode is required"))
    for mode in spec.access_modes:
        faults.one_of("spec.accessModes", mode, _ACCESS_MODES)
    meta.label_selector(faults, spec.selector, "spec.selector")
    storage = spec.resources.requests.get("storage")
    if storage is None:
        faults.append(errors.required("spec.resources[storage]"))
    elif quantity.parse(storage) <= 0:
        faults.invalid("spec.resources[storage]", storage, "must be greater than zero")
    faults.one_of("spec.volumeMode", spec.volume_mode, ("Block", "Filesystem"), optional=True)
    if spec.storage_class_name:
        faults.grammar("spec.storageClassName", spec.storage_class_name, names.dns1123_subdomain)


CLAIM_FORBIDDEN = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


def claim_update(faults: Faults, new: v1.PersistentVolumeClaim, old: v1.PersistentVolumeClaim) -> None:
    for name in ("access_modes", "selector", "volume_mode", "data_source", "data_source_ref"):
        if getattr(new.spec, name) != getattr(old.spec, name):
            faults.forbidden("spec", CLAIM_FORBIDDEN)
            return
    for name in ("volume_name", "storage_class_name"):  # may be filled in once
        before = getattr(old.spec, name)
        if before and getattr(new.spec, name) != before:
            faults.forbidden("spec", CLAIM_FORBIDDEN)
            return
    wanted, present = (each.spec.resources.requests.get("storage", "0") for each in (new, old))
    if quantity.parse(wanted) < quantity.parse(present):
        faults.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")


def limit_range(faults: Faults, obj: v1.LimitRange) -> None:
    seen: set[Any] = set()
    for index, item in enumerate(obj.spec.limits):
        place = f"spec.limits[{index}]"
        faults.name(f"{place}.type", item.type, names.qualified_name)
        faults.unique(f"{place}.type", item.type, seen)
        for name, low in item.min.items():
            high = item.max.get(name)
            if high is not None and quantity.parse(low) > quantity.parse(high):
                faults.invalid(f"{place}.min[{name}]", low, f"min value {low} is greater than max value {high}")


def resource_quota(faults: Faults, obj: v1.ResourceQuota) -> None:
    for name, amount in obj.spec.hard.items():
        faults.grammar(f"spec.hard[{name}]", name, names.qualified_name)
        faults.amount(f"spec.hard[{name}]", amount)


def resource_quota_update(faults: Faults, new: v1.ResourceQuota, old: v1.ResourceQuota) -> None:
    if sorted(new.spec.scopes) != sorted(old.spec.scopes):
        faults.invalid("spec.scopes", new.spec.scopes, IMMUTABLE)


def binding(faults: Faults, obj: v1.Binding) -> None:
    if obj.target.kind and obj.target.kind != "Node":
        faults.append(errors.not_supported("target.kind", obj.target.kind, ("Node", "<empty>")))
    faults.required("target.name", obj.target.name)
