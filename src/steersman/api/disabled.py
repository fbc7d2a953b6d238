"""Fields behind feature gates that are off by default in v1.35: what clients say in them is dropped.

What an object has already it may keep, so that it can still be changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from .pods import every_container
from .types import core_v1 as v1
from .types.coordination_v1 import LeaseSpec
from .types.resource_v1 import (
    Device,
    DeviceClassSpec,
    DeviceRequestAllocationResult,
    ResourceClaim,
    ResourceClaimSpec,
    ResourceSliceSpec,
)


def drop_from_pod_spec(spec: v1.PodSpec, old: v1.PodSpec | None = None) -> None:
    """``ClusterTrustBundleProjection``, ``PodCertificateRequest``, ``GenericWorkload``, ``ContainerStopSignals``."""
    kept = {attribute for each in _projections(old) for attribute in _GATED if getattr(each, attribute) is not None}
    for projection in _projections(spec):
        for attribute in _GATED:
            if attribute not in kept:
                setattr(projection, attribute, None)
    if old is None or old.workload_ref is None:
        spec.workload_ref = None
    if old is None or not any(hooks.stop_signal for hooks in _lifecycles(old)):
        for hooks in _lifecycles(spec):
            hooks.stop_signal = ""
        for container, _ in every_container(spec, ""):
            if container.lifecycle is not None and container.lifecycle == _NO_HOOKS:
                container.lifecycle = None


_GATED = ("cluster_trust_bundle", "pod_certificate")
_NO_HOOKS = v1.Lifecycle()


def _projections(spec: v1.PodSpec | None) -> Iterator[v1.VolumeProjection]:
    for volume in spec.volumes if spec is not None else ():
        if volume.projected is not None:
            yield from volume.projected.sources


def _lifecycles(spec: v1.PodSpec) -> Iterator[v1.Lifecycle]:
    for container, _ in every_container(spec, ""):
        if container.lifecycle is not None:
            yield container.lifecycle


def drop_from_pod_status(status: v1.PodStatus, old: v1.PodStatus) -> None:
    """``InPlacePodLevelResourcesVerticalScaling``, ``DRAExtendedResource``, ``ResourceHealthStatus``."""
    if old.resources is None and not old.allocated_resources:
        status.resources, status.allocated_resources = None, {}
    if old.extended_resource_claim_status is None:
        status.extended_resource_claim_status = None
    for each in (*status.container_statuses, *status.init_container_statuses, *status.ephemeral_container_statuses):
        each.allocated_resources_status = []


def drop_from_claim_spec(spec: v1.PersistentVolumeClaimSpec, old: v1.PersistentVolumeClaimSpec | None = None) -> None:
    """``CrossNamespaceVolumeDataSource``."""
    kept = old.data_source_ref if old is not None else None
    if kept is not None and kept.namespace:
        return
    if spec.data_source_ref is not None and spec.data_source_ref.namespace:
        spec.data_source_ref = None


def drop_from_node(obj: v1.Node, old: v1.Node | None = None) -> None:
    """``DynamicKubeletConfig``, ``NodeDeclaredFeatures``; ``DisableNodeKubeProxyVersion`` is on and drops a field."""
    if old is None or old.spec.config_source is None:
        obj.spec.config_source = None
    if old is None or old.status.config is None:
        obj.status.config = None
    if old is None or not old.status.declared_features:
        obj.status.declared_features = []
    obj.status.node_info.kube_proxy_version = ""


def drop_from_lease(spec: LeaseSpec, old: LeaseSpec | None = None) -> None:
    """``CoordinatedLeaderElection``."""
    if old is None or not old.strategy:
        spec.strategy = type(spec)().strategy
    if old is None or not old.preferred_holder:
        spec.preferred_holder = type(spec)().preferred_holder


def drop_from_device_class(spec: DeviceClassSpec, old: DeviceClassSpec | None = None) -> None:
    """``DRAExtendedResource``."""
    if old is None or not old.extended_resource_name:
        spec.extended_resource_name = type(spec)().extended_resource_name


def drop_from_resource_slice(spec: ResourceSliceSpec, old: ResourceSliceSpec | None = None) -> None:
    """``DRADeviceTaints``, ``DRAPartitionableDevices``, ``DRADeviceBindingConditions``, ``DRAConsumableCapacity``."""
    before = old.devices if old is not None else []
    partitioned = old is not None and bool(old.shared_counters or old.per_device_node_selection is not None)
    for members in _DEVICE_GATES:
        used = partitioned and members is _PARTITIONS
        if used or any(_uses(device, members) for device in before):
            continue
        if members is _PARTITIONS:
            spec.shared_counters, spec.per_device_node_selection = [], None
        for device in spec.devices:
            for member in members:
                setattr(device, member, getattr(Device(), member))
            if members is _CONSUMABLE:
                for capacity in device.capacity.values():
                    capacity.request_policy = None


_PARTITIONS = ("consumes_counters", "node_name", "node_selector", "all_nodes")
_CONSUMABLE = ("allow_multiple_allocations",)
_DEVICE_GATES = (
    ("taints",),
    _PARTITIONS,
    ("binding_conditions", "binding_failure_conditions", "binds_to_node"),
    _CONSUMABLE,
)


def _uses(device: Device, members: tuple[str, ...]) -> bool:
    if members is _CONSUMABLE and any(each.request_policy is not None for each in device.capacity.values()):
        return True
    return any(getattr(device, member) not in (None, "", []) for member in members)


def drop_from_resource_claim_spec(spec: ResourceClaimSpec, old: ResourceClaimSpec | None = None) -> None:
    """``DRAConsumableCapacity``; also in templates."""
    if old is not None and _consumes(old):
        return
    for constraint in spec.devices.constraints:
        constraint.distinct_attribute = ""
    for request in spec.devices.requests:
        for each in (request.exactly, *request.first_available):
            if each is not None:
                each.capacity = None


def _consumes(spec: ResourceClaimSpec) -> bool:
    requests = (each for request in spec.devices.requests for each in (request.exactly, *request.first_available))
    return any(constraint.distinct_attribute for constraint in spec.devices.constraints) or any(
        each is not None and each.capacity is not None for each in requests
    )


def drop_from_resource_claim_status(new: ResourceClaim, old: ResourceClaim) -> None:
    """``DRAConsumableCapacity``, ``DRADeviceBindingConditions``."""
    before, results = _results(old), _results(new)
    shared = any(each.share_id or each.consumed_capacity for each in before)
    if not (shared or _consumes(old.spec) or any(device.share_id for device in old.status.devices)):
        for result in results:
            result.share_id, result.consumed_capacity = "", {}
        for device in new.status.devices:
            device.share_id = ""
    if not any(each.binding_conditions or each.binding_failure_conditions for each in before):
        for result in results:
            result.binding_conditions, result.binding_failure_conditions = [], []


def _results(claim: ResourceClaim) -> list[DeviceRequestAllocationResult]:
    allocation = claim.status.allocation
    return allocation.devices.results if allocation is not None and allocation.devices is not None else []
