"""Validation: every fault of an object at once, with its path.

:data:`TABLE` has one row per kind: the grammar of its names, what is checked of an object, and what of a change.  Kinds
without a row have their metadata checked.  Objects are validated after defaulting and normalization.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from steersman.api.errors import FieldError
from steersman.api.resources import TABLE as RESOURCES
from steersman.api.types import (
    apps_v1,
    autoscaling_v1,
    autoscaling_v2,
    batch_v1,
    coordination_v1,
    core_v1,
    discovery_v1,
    networking_v1,
    node_v1,
    policy_v1,
    rbac_v1,
    scheduling_v1,
    storage_v1,
)

from . import (
    cluster,
    core,
    events,
    limits,
    meta,
    names,
    nodes,
    persistent_volumes,
    pod_updates,
    pods,
    services,
    workloads,
)
from .faults import Faults, Grammar

Check = Callable[[Faults, Any], None]
Change = Callable[[Faults, Any, Any], None]


class Rules(NamedTuple):
    """How one kind is checked.

    ``subresources`` are the checks of changes through a subresource, ``create`` is that of new objects alone.
    """

    check: Check | None = None
    change: Change | None = None
    name: Grammar = names.dns1123_subdomain
    subresources: dict[str, Change] = {}
    create: Check | None = None


TABLE: dict[type[Any], Rules] = {
    apps_v1.DaemonSet: Rules(workloads.daemon_set, workloads.selector_update),
    apps_v1.Deployment: Rules(workloads.deployment, workloads.selector_update),
    apps_v1.ReplicaSet: Rules(workloads.replica_set, workloads.selector_update),
    apps_v1.StatefulSet: Rules(workloads.stateful_set, workloads.stateful_set_update),
    autoscaling_v1.HorizontalPodAutoscaler: Rules(workloads.autoscaler),
    autoscaling_v2.HorizontalPodAutoscaler: Rules(workloads.autoscaler),
    batch_v1.CronJob: Rules(workloads.cron_job),
    batch_v1.Job: Rules(workloads.job, workloads.job_update),
    coordination_v1.Lease: Rules(cluster.lease),
    core_v1.Binding: Rules(core.binding),
    core_v1.ConfigMap: Rules(core.config_map, core.config_map_update),
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
    core_v1.ReplicationController: Rules(workloads.replication_controller),
    core_v1.ResourceQuota: Rules(
        limits.resource_quota,
        limits.resource_quota_update,
        subresources={"status": limits.resource_quota_status_update},
    ),
    core_v1.Secret: Rules(core.secret, core.secret_update),
    core_v1.Service: Rules(
        services.service,
        services.service_update,
        names.dns1035_label,
        {"status": services.service_status_update},
    ),
    core_v1.ServiceAccount: Rules(),
    discovery_v1.EndpointSlice: Rules(cluster.endpoint_slice, cluster.endpoint_slice_update),
    networking_v1.Ingress: Rules(cluster.ingress),
    networking_v1.NetworkPolicy: Rules(cluster.network_policy),
    networking_v1.IPAddress: Rules(services.ip_address, services.ip_address_update, services.address_name),
    networking_v1.ServiceCIDR: Rules(services.service_cidr, services.service_cidr_update),
    node_v1.RuntimeClass: Rules(cluster.runtime_class, cluster.runtime_class_update),
    policy_v1.PodDisruptionBudget: Rules(workloads.budget),
    rbac_v1.ClusterRole: Rules(cluster.cluster_role, name=names.path_segment),
    rbac_v1.ClusterRoleBinding: Rules(cluster.role_binding, cluster.role_binding_update, names.path_segment),
    rbac_v1.Role: Rules(cluster.role, name=names.path_segment),
    rbac_v1.RoleBinding: Rules(cluster.role_binding, cluster.role_binding_update, names.path_segment),
    scheduling_v1.PriorityClass: Rules(cluster.priority_class, cluster.priority_class_update),
    storage_v1.StorageClass: Rules(cluster.storage_class, cluster.storage_class_update),
}

_ANY = Rules()
_PATH_NAMED = {
    "APIService",
    "CertificateSigningRequest",
    "ClusterTrustBundle",
    "FlowSchema",
    "PriorityLevelConfiguration",
}


@cache
def _namespaced() -> dict[tuple[str, str], bool]:
    return {(resource.group_version, resource.kind): resource.namespaced for resource in RESOURCES}


def _rules(obj: Any) -> Rules:
    rules = TABLE.get(type(obj))
    if rules is not None:
        return rules
    return Rules(name=names.path_segment) if obj.kind in _PATH_NAMED else _ANY


def validate(obj: Any) -> list[FieldError]:
    """The faults of an object that is about to be created."""
    faults = Faults()
    rules = _rules(obj)
    namespaced = _namespaced().get((obj.api_version, obj.kind), bool(obj.metadata.namespace))
    meta.object_meta(faults, obj.metadata, namespaced, rules.name)
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
    rules = _rules(new)
    meta.object_meta_update(faults, new.metadata, old.metadata)
    meta.common(faults, new.metadata)
    if subresource:
        if (change := rules.subresources.get(subresource)) is not None:
            change(faults, new, old)
        return list(faults)
    if rules.change is not None:
        rules.change(faults, new, old)
    # What was accepted once stays acceptable while an object is being deleted: its finalizers must be removable.
    if rules.check is not None and (new.metadata.deletion_timestamp is None or _spec(new) != _spec(old)):
        rules.check(faults, new)
    return list(faults)


def _spec(obj: Any) -> Any:
    return getattr(obj, "spec", None)
