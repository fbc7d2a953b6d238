"""The core group."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from steersman.api import labels, quantity
from steersman.api.pods import totals
from steersman.api.types import core_v1 as v1

from .visitor import Default

_TAG = re.compile(r":([^:/@]+)$")
_POD_LEVEL = ("cpu", "memory")


def pull_policy(image: str) -> str:
    """``Always`` for an image without tag and digest or with the tag ``latest``, else ``IfNotPresent``."""
    if "@" in image:
        return "IfNotPresent"
    tag = _TAG.search(image)
    return "Always" if tag is None or tag[1] == "latest" else "IfNotPresent"


def container(obj: v1.Container | v1.EphemeralContainer) -> None:
    obj.image_pull_policy = obj.image_pull_policy or pull_policy(obj.image)
    obj.termination_message_path = obj.termination_message_path or "/dev/termination-log"
    obj.termination_message_policy = obj.termination_message_policy or "File"


def container_port(obj: v1.ContainerPort) -> None:
    obj.protocol = obj.protocol or "TCP"


def probe(obj: v1.Probe) -> None:
    obj.timeout_seconds = obj.timeout_seconds or 1
    obj.period_seconds = obj.period_seconds or 10
    obj.success_threshold = obj.success_threshold or 1
    obj.failure_threshold = obj.failure_threshold or 3


def http_get(obj: v1.HTTPGetAction) -> None:
    obj.path = obj.path or "/"
    obj.scheme = obj.scheme or "HTTP"


def resources(obj: v1.ResourceRequirements | v1.VolumeResourceRequirements) -> None:
    round_to_milli(obj.limits)
    round_to_milli(obj.requests)


def round_to_milli(amounts: dict[str, str]) -> None:
    """Nothing finer than a thousandth is kept of a resource amount."""
    for name, amount in amounts.items():
        if amount and amount[-1] in "nu":
            exact, form = quantity.parse_with_format(amount)
            rounded = (exact * 1000).to_integral_value(ROUND_CEILING if exact > 0 else "ROUND_FLOOR")
            amounts[name] = quantity.format_quantity(Decimal(rounded) / 1000, form)


def pod(obj: v1.Pod) -> None:
    spec = obj.spec
    for each in (*spec.containers, *spec.init_containers):
        for name, limit in each.resources.limits.items():
            each.resources.requests.setdefault(name, limit)
    _pod_level(spec)
    if spec.enable_service_links is None:
        spec.enable_service_links = True
    if spec.host_network:
        for each in (*spec.containers, *spec.init_containers):
            for port in each.ports:
                port.host_port = port.host_port or port.container_port
    if not obj.status.phase:
        obj.status.phase = "Pending"


def _pod_level(spec: v1.PodSpec) -> None:
    """Requests of the whole pod (KEP-2837): what its containers request, else its limit."""
    if spec.resources is None or not spec.resources.limits:
        return
    requests = spec.resources.requests
    for name, total in totals(spec, "requests").items():
        if name in _POD_LEVEL and name not in requests:
            requests[name] = quantity.format_binary(total) if name == "memory" else quantity.format_decimal(total)
    for name, limit in spec.resources.limits.items():
        if name in _POD_LEVEL or name.startswith("hugepages-"):
            requests.setdefault(name, limit)


def pod_spec(obj: v1.PodSpec) -> None:
    obj.dns_policy = obj.dns_policy or "ClusterFirst"
    obj.restart_policy = obj.restart_policy or "Always"
    obj.scheduler_name = obj.scheduler_name or "default-scheduler"
    if obj.security_context is None:
        obj.security_context = v1.PodSecurityContext()
    if obj.termination_grace_period_seconds is None:
        obj.termination_grace_period_seconds = 30
    # The old name of the field is kept equal to the new one.
    obj.service_account_name = obj.service_account_name or obj.service_account
    obj.service_account = obj.service_account_name


def volume(obj: v1.Volume) -> None:
    members = (name for name in obj.__struct_fields__ if name != "name")
    if all(getattr(obj, name) is None for name in members):
        obj.empty_dir = v1.EmptyDirVolumeSource()
    if obj.image is not None and not obj.image.pull_policy:
        obj.image.pull_policy = pull_policy(obj.image.reference)


def file_mode(
    obj: v1.SecretVolumeSource | v1.ConfigMapVolumeSource | v1.DownwardAPIVolumeSource | v1.ProjectedVolumeSource,
) -> None:
    if obj.default_mode is None:
        obj.default_mode = 0o644


def token_projection(obj: v1.ServiceAccountTokenProjection) -> None:
    if obj.expiration_seconds is None:
        obj.expiration_seconds = 3600


def field_selector(obj: v1.ObjectFieldSelector) -> None:
    obj.api_version = obj.api_version or "v1"


def resource_field_selector(obj: v1.ResourceFieldSelector) -> None:
    obj.divisor = obj.divisor or "0"


def iscsi(obj: v1.ISCSIVolumeSource | v1.ISCSIPersistentVolumeSource) -> None:
    obj.iscsi_interface = obj.iscsi_interface or "default"


def rbd(obj: v1.RBDVolumeSource | v1.RBDPersistentVolumeSource) -> None:
    obj.pool = obj.pool or "rbd"
    obj.user = obj.user or "admin"
    obj.keyring = obj.keyring or "/etc/ceph/keyring"


def azure_disk(obj: v1.AzureDiskVolumeSource) -> None:
    obj.caching_mode = obj.caching_mode or "ReadWrite"
    obj.kind = obj.kind or "Shared"
    obj.fs_type = obj.fs_type or "ext4"
    if obj.read_only is None:
        obj.read_only = False


def scale_io(obj: v1.ScaleIOVolumeSource | v1.ScaleIOPersistentVolumeSource) -> None:
    obj.fs_type = obj.fs_type or "xfs"
    obj.storage_mode = obj.storage_mode or "ThinProvisioned"


def service(obj: v1.Service) -> None:
    spec = obj.spec
    spec.type = spec.type or "ClusterIP"
    spec.session_affinity = spec.session_affinity or "None"
    if spec.session_affinity == "None":
        spec.session_affinity_config = None
    elif spec.session_affinity == "ClientIP":
        config = spec.session_affinity_config
        if config is None or config.client_ip is None or config.client_ip.timeout_seconds is None:
            spec.session_affinity_config = v1.SessionAffinityConfig(client_ip=v1.ClientIPConfig(timeout_seconds=10800))
    for port in spec.ports:
        port.protocol = port.protocol or "TCP"
        port.target_port = port.target_port or port.port
    external = spec.type in ("NodePort", "LoadBalancer") or (spec.type == "ClusterIP" and spec.external_ips)
    if external and not spec.external_traffic_policy:
        spec.external_traffic_policy = "Cluster"
    if spec.type in ("ClusterIP", "NodePort", "LoadBalancer"):
        spec.internal_traffic_policy = spec.internal_traffic_policy or "Cluster"
    if spec.type == "LoadBalancer":
        if spec.allocate_load_balancer_node_ports is None:
            spec.allocate_load_balancer_node_ports = True
        for ingress in obj.status.load_balancer.ingress:
            if ingress.ip and not ingress.ip_mode:
                ingress.ip_mode = "VIP"


def secret(obj: v1.Secret) -> None:
    obj.type = obj.type or "Opaque"


def namespace(obj: v1.Namespace) -> None:
    if obj.metadata.name:
        obj.metadata.labels[labels.METADATA_NAME] = obj.metadata.name
    obj.status.phase = obj.status.phase or "Active"


def node_status(obj: v1.NodeStatus) -> None:
    if not obj.allocatable:
        obj.allocatable = dict(obj.capacity)
    round_to_milli(obj.capacity)
    round_to_milli(obj.allocatable)


def persistent_volume(obj: v1.PersistentVolume) -> None:
    obj.status.phase = obj.status.phase or "Pending"
    obj.spec.persistent_volume_reclaim_policy = obj.spec.persistent_volume_reclaim_policy or "Retain"
    obj.spec.volume_mode = obj.spec.volume_mode or "Filesystem"


def claim(obj: v1.PersistentVolumeClaim) -> None:
    obj.status.phase = obj.status.phase or "Pending"


def claim_spec(obj: v1.PersistentVolumeClaimSpec) -> None:
    obj.volume_mode = obj.volume_mode or "Filesystem"


def endpoints(obj: v1.Endpoints) -> None:
    for subset in obj.subsets:
        for port in subset.ports:
            port.protocol = port.protocol or "TCP"


def replication_controller(obj: v1.ReplicationController) -> None:
    template_labels = obj.spec.template.metadata.labels
    obj.spec.selector = obj.spec.selector or dict(template_labels)
    obj.metadata.labels = obj.metadata.labels or dict(template_labels)
    if obj.spec.replicas is None:
        obj.spec.replicas = 1


def limit_range_item(obj: v1.LimitRangeItem) -> None:
    if obj.type != "Container":
        return
    _fill(obj.default, obj.max)
    _fill(obj.default_request, obj.default)
    _fill(obj.default_request, obj.min)


def _fill(target: dict[str, str], source: Mapping[str, str]) -> None:
    for name, amount in source.items():
        target.setdefault(name, amount)


TABLE: dict[type[Any], Default] = {
    v1.AzureDiskVolumeSource: azure_disk,
    v1.ConfigMapVolumeSource: file_mode,
    v1.Container: container,
    v1.ContainerPort: container_port,
    v1.DownwardAPIVolumeSource: file_mode,
    v1.Endpoints: endpoints,
    v1.EphemeralContainer: container,
    v1.HTTPGetAction: http_get,
    v1.ISCSIPersistentVolumeSource: iscsi,
    v1.ISCSIVolumeSource: iscsi,
    v1.LimitRangeItem: limit_range_item,
    v1.Namespace: namespace,
    v1.NodeStatus: node_status,
    v1.ObjectFieldSelector: field_selector,
    v1.PersistentVolume: persistent_volume,
    v1.PersistentVolumeClaim: claim,
    v1.PersistentVolumeClaimSpec: claim_spec,
    v1.Pod: pod,
    v1.PodSpec: pod_spec,
    v1.Probe: probe,
    v1.ProjectedVolumeSource: file_mode,
    v1.RBDPersistentVolumeSource: rbd,
    v1.RBDVolumeSource: rbd,
    v1.ReplicationController: replication_controller,
    v1.ResourceFieldSelector: resource_field_selector,
    v1.ResourceRequirements: resources,
    v1.ScaleIOPersistentVolumeSource: scale_io,
    v1.ScaleIOVolumeSource: scale_io,
    v1.Secret: secret,
    v1.SecretVolumeSource: file_mode,
    v1.Service: service,
    v1.ServiceAccountTokenProjection: token_projection,
    v1.Volume: volume,
    v1.VolumeResourceRequirements: resources,
}
