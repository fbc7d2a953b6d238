"""Fields behind feature gates that are off by default in v1.35: what clients say in them is dropped.

What an object has already it may keep, so that it can still be changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from .pods import every_container
from .types import core_v1 as v1


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
