"""Validation: every fault of an object at once, with its path.

:data:`TABLE` has one row per kind: the grammar of its names, what is checked of an object, and what of a change.  Kinds
without a row have their metadata checked.  Objects are validated after defaulting and normalization.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from steersman.api.errors import FieldError
from steersman.api.resources import TABLE as RESOURCES
from steersman.api.types import core_v1

from . import (
    admission_policies,
    apiextensions,
    apiregistration,
    apps,
    autoscaling,
    batch,
    certificates,
    coordination,
    core,
    devices,
    discovery,
    events,
    flowcontrol,
    limits,
    meta,
    migration,
    names,
    networking,
    nodes,
    persistent_volumes,
    pod_updates,
    pods,
    policy,
    rbac,
    replication_controllers,
    scheduling,
    services,
    storage,
    webhooks,
)
from .faults import Faults
from .rules import Rules

_CORE: dict[type[Any], Rules] = {
    core_v1.Binding: Rules(core.binding),
    core_v1.ConfigMap: Rules(core.config_map, core.config_map_update, change_first=True),
    core_v1.Endpoints: Rules(core.endpoints),
    core_v1.Event: Rules(events.event),
    core_v1.LimitRange: Rules(limits.limit_range),
    core_v1.Namespace: Rules(
        core.namespace,
        name=names.dns1123_label,
        subresources={"status": core.namespace_status_update, "finalize": core.namespace_finalize_update},
    ),
    core_v1.Node: Rules(
        nodes.node, nodes.node_update, subresources={"status": nodes.node_status_update}, create=nodes.new_node
    ),
    core_v1.PersistentVolume: Rules(persistent_volumes.persistent_volume, persistent_volumes.persistent_volume_update),
    core_v1.PersistentVolumeClaim: Rules(
        persistent_volumes.claim,
        persistent_volumes.claim_update,
        subresources={"status": persistent_volumes.claim_status_update},
    ),
    core_v1.Pod: Rules(
        pods.pod,
        pod_updates.pod_update,
        subresources={
            "status": pod_updates.pod_status_update,
            "ephemeralcontainers": pod_updates.ephemeral_containers_update,
            "resize": pod_updates.pod_resize_update,
        },
        create=pods.new_pod,
    ),
    core_v1.PodTemplate: Rules(pods.pod_template),
    core_v1.ReplicationController: Rules(replication_controllers.replication_controller),
    core_v1.ResourceQuota: Rules(
        limits.resource_quota,
        limits.resource_quota_update,
        subresources={"status": limits.resource_quota_status_update},
    ),
    core_v1.Secret: Rules(core.secret, core.secret_update, change_first=True),
    core_v1.Service: Rules(
        services.service,
        services.service_update,
        names.dns1035_label,
        {"status": services.service_status_update},
        change_first=True,
    ),
    core_v1.ServiceAccount: Rules(),
}

TABLE: dict[type[Any], Rules] = {
    **_CORE,
    **admission_policies.TABLE,
    **apiextensions.TABLE,
    **apiregistration.TABLE,
    **apps.TABLE,
    **autoscaling.TABLE,
    **batch.TABLE,
    **certificates.TABLE,
    **coordination.TABLE,
    **devices.TABLE,
    **discovery.TABLE,
    **flowcontrol.TABLE,
    **migration.TABLE,
    **networking.TABLE,
    **policy.TABLE,
    **rbac.TABLE,
    **scheduling.TABLE,
    **storage.TABLE,
    **webhooks.TABLE,
}

_ANY = Rules()


@cache
def _namespaced() -> dict[tuple[str, str], bool]:
    return {(resource.group_version, resource.kind): resource.namespaced for resource in RESOURCES}


def _metadata(faults: Faults, obj: Any, rules: Rules) -> None:
    namespaced = _namespaced().get((obj.api_version, obj.kind), bool(obj.metadata.namespace))
    meta.object_meta(faults, obj.metadata, namespaced, rules.name)


def validate_metadata(obj: Any) -> list[FieldError]:
    """The faults of a new object's metadata, where it is known that there are no others."""
    faults = Faults()
    _metadata(faults, obj, TABLE.get(type(obj), _ANY))
    return list(faults)


def validate(obj: Any) -> list[FieldError]:
    """The faults of an object that is about to be created."""
    faults = Faults()
    rules = TABLE.get(type(obj), _ANY)
    _metadata(faults, obj, rules)
    if rules.check is not None:
        rules.check(faults, obj)
    if rules.create is not None:
        rules.create(faults, obj)
    return list(faults)


def validate_update(new: Any, old: Any, subresource: str = "") -> list[FieldError]:
    """The faults of a change: of what it leads to, and of the way there.

    With a subresource (``status``, ``ephemeralcontainers``) only the metadata and what that may change is checked.
    """
    faults = Faults()
    rules = TABLE.get(type(new), _ANY)
    meta.object_meta_update(faults, new.metadata, old.metadata)
    meta.common(faults, new.metadata)
    if subresource:
        if (change := rules.subresources.get(subresource)) is not None:
            change(faults, new, old)
        return list(faults)
    if rules.change is not None and rules.change_first:
        rules.change(faults, new, old)
    # What was accepted once stays acceptable while an object is being deleted: its finalizers must be removable.
    changed = new.metadata.deletion_timestamp is None or _spec(new) != _spec(old)
    if rules.recheck and rules.check is not None and changed:
        rules.check(faults, new)
    if rules.change is not None and not rules.change_first:
        rules.change(faults, new, old)
    return list(faults)


def _spec(obj: Any) -> Any:
    return getattr(obj, "spec", None)
