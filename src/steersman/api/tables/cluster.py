"""Nodes, namespaces, configuration, storage, access and extensions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from steersman.api import labels as names
from steersman.api.types import (
    admissionregistration_v1,
    apiregistration_v1,
    certificates_v1,
    core_v1,
    events_v1,
    flowcontrol_v1,
    rbac_v1,
    storage_v1,
)

from .printer import NONE, UNKNOWN, UNSET, Printer, age, aged, human_duration, since, stamp

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _node(obj: core_v1.Node) -> list[Any]:
    ready = next((each.status for each in obj.status.conditions if each.type == "Ready"), None)
    status = "Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"
    if obj.spec.unschedulable:
        status += ",SchedulingDisabled"
    prefix = names.ROLE_PREFIX
    roles = {key.removeprefix(prefix) for key in obj.metadata.labels if key.startswith(prefix)}
    roles.add(obj.metadata.labels.get(names.ROLE, ""))
    return [status, ",".join(sorted(roles - {""})) or NONE]


def _node_row(obj: core_v1.Node, now: datetime) -> list[Any]:
    info = obj.status.node_info
    addresses = {each.type: each.address for each in reversed(obj.status.addresses)}
    return [
        obj.metadata.name,
        *_node(obj),
        age(obj, now),
        info.kubelet_version,
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.os_image or UNKNOWN,
        info.kernel_version or UNKNOWN,
        info.container_runtime_version or UNKNOWN,
    ]


def _event_row(obj: core_v1.Event, now: datetime) -> list[Any]:
    first = since(obj.first_timestamp or obj.event_time, now)
    last = since(obj.last_timestamp, now) if obj.last_timestamp else first
    count = obj.count or 1
    if obj.series is not None:
        last, count = since(obj.series.last_observed_time, now), obj.series.count or 0
    target = obj.involved_object.kind.lower()
    if obj.involved_object.name:
        target += f"/{obj.involved_object.name}"
    source = _source(obj.source, obj.reporting_component, obj.reporting_instance)
    return [
        last,
        obj.type,
        obj.reason,
        target,
        obj.involved_object.field_path,
        source,
        obj.message.strip(),
        first,
        str(count),
        obj.metadata.name,
    ]


def _new_event_row(obj: events_v1.Event, now: datetime) -> list[Any]:
    first = since(obj.deprecated_first_timestamp or obj.event_time, now)
    last = since(obj.deprecated_last_timestamp, now) if obj.deprecated_last_timestamp else first
    count = obj.deprecated_count or 1
    if obj.series is not None:
        last, count = since(obj.series.last_observed_time, now), obj.series.count
    regarding = obj.regarding or core_v1.ObjectReference()
    target = regarding.kind.lower() + (f"/{regarding.name}" if regarding.name else "")
    source = _source(obj.deprecated_source or core_v1.EventSource(), obj.reporting_controller, obj.reporting_instance)
    return [
        last,
        obj.type,
        obj.reason,
        target,
        regarding.field_path,
        source,
        obj.note.strip(),
        first,
        str(count),
        obj.metadata.name,
    ]


def _source(source: core_v1.EventSource, component: str, instance: str) -> str:
    return ", ".join(part for part in (source.component or component, source.host or instance) if part)


_EVENT_COLUMNS = (
    "Last Seen",
    "Type",
    "Reason",
    "Object",
    "Subobject+",
    "Source+",
    "Message",
    "First Seen+",
    "Count+",
    "Name+",
)


def access_modes(modes: list[str]) -> str:
    """``RWO,ROX``: in a fixed order, each once."""
    return ",".join(short for mode, short in _MODES.items() if mode in modes)


def _volume_row(obj: core_v1.PersistentVolume, now: datetime) -> list[Any]:
    spec = obj.spec
    claim = spec.claim_ref
    return [
        obj.metadata.name,
        spec.capacity.get("storage", "0"),
        access_modes(spec.access_modes),
        spec.persistent_volume_reclaim_policy,
        "Terminating" if obj.metadata.deletion_timestamp else obj.status.phase,
        f"{claim.namespace}/{claim.name}" if claim else "",
        spec.storage_class_name or obj.metadata.annotations.get(names.LEGACY_STORAGE_CLASS, ""),
        spec.volume_attributes_class_name or UNSET,
        obj.status.reason,
        age(obj, now),
        spec.volume_mode or UNSET,
    ]


def _claim_row(obj: core_v1.PersistentVolumeClaim, now: datetime) -> list[Any]:
    spec, status = obj.spec, obj.status
    bound = bool(spec.volume_name)
    return [
        obj.metadata.name,
        "Terminating" if obj.metadata.deletion_timestamp else status.phase,
        spec.volume_name,
        status.capacity.get("storage", "0") if bound else "",
        access_modes(status.access_modes) if bound else "",
        spec.storage_class_name or obj.metadata.annotations.get(names.LEGACY_STORAGE_CLASS, ""),
        spec.volume_attributes_class_name or UNSET,
        age(obj, now),
        spec.volume_mode or UNSET,
    ]


def _storage_class_row(obj: storage_v1.StorageClass, now: datetime) -> list[Any]:
    defaulting = (names.DEFAULT_STORAGE_CLASS, names.BETA_DEFAULT_STORAGE_CLASS)
    default = any(obj.metadata.annotations.get(name) == "true" for name in defaulting)
    return [
        f"{obj.metadata.name} (default)" if default else obj.metadata.name,
        obj.provisioner,
        obj.reclaim_policy or "Delete",
        obj.volume_binding_mode or "Immediate",
        bool(obj.allow_volume_expansion),
        age(obj, now),
    ]


def _csi_driver(obj: storage_v1.CSIDriver) -> list[Any]:
    spec = obj.spec
    return [
        spec.attach_required is not False,
        bool(spec.pod_info_on_mount),
        bool(spec.storage_capacity),
        ",".join(request.audience for request in spec.token_requests) or UNSET,
        bool(spec.requires_republish),
        ",".join(spec.volume_lifecycle_modes) or NONE,
    ]


def _quota(obj: core_v1.ResourceQuota) -> list[Any]:
    columns: dict[bool, list[str]] = {False: [], True: []}
    for name, hard in sorted(obj.status.hard.items()):
        columns[name.startswith("limits")].append(f"{name}: {obj.status.used.get(name, '0')}/{hard}")
    return [", ".join(columns[False]), ", ".join(columns[True])]


def _binding_row(obj: rbac_v1.RoleBinding | rbac_v1.ClusterRoleBinding, now: datetime) -> list[Any]:
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for each in obj.subjects:
        shown = f"{each.namespace}/{each.name}" if each.kind == "ServiceAccount" else each.name
        subjects.setdefault(each.kind, []).append(shown)
    role = f"{obj.role_ref.kind}/{obj.role_ref.name}"
    wide = [", ".join(subjects[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [obj.metadata.name, role, age(obj, now), *wide]


def _request_row(obj: certificates_v1.CertificateSigningRequest, now: datetime) -> list[Any]:
    conditions = {condition.type for condition in obj.status.conditions}
    shown: list[str] = [name for name in ("Approved", "Denied", "Failed") if name in conditions]
    shown = shown or ["Pending"]
    if obj.status.certificate:
        shown.append("Issued")
    requested = obj.spec.expiration_seconds
    return [
        obj.metadata.name,
        age(obj, now),
        obj.spec.signer_name or NONE,
        obj.spec.username,
        NONE if requested is None else human_duration(requested),
        ",".join(shown),
    ]


def _api_service(obj: apiregistration_v1.APIService) -> list[Any]:
    service = obj.spec.service
    condition = next((each for each in obj.status.conditions if each.type == "Available"), None)
    if condition is None:
        available = "Unknown"
    elif condition.status == "True":
        available = "True"
    else:
        available = f"{condition.status} ({condition.reason})"
    return [f"{service.namespace}/{service.name}" if service else "Local", available]


def _component_row(obj: core_v1.ComponentStatus, now: datetime) -> list[Any]:
    status, message, error = "Unknown", "", ""
    for condition in obj.conditions:
        if condition.type == "Healthy":
            status = "Healthy" if condition.status == "True" else "Unhealthy"
            message, error = condition.message, condition.error
            break
    return [obj.metadata.name, status, message, error]


def _admission_policy(obj: admissionregistration_v1.ValidatingAdmissionPolicy) -> list[Any]:
    kind = obj.spec.param_kind
    return [len(obj.spec.validations), f"{kind.api_version}/{kind.kind}" if kind else UNSET]


def _policy_binding(obj: admissionregistration_v1.ValidatingAdmissionPolicyBinding) -> list[Any]:
    reference = obj.spec.param_ref
    if reference is None:
        return [obj.spec.policy_name, UNSET]
    name = reference.name or "*"
    return [obj.spec.policy_name, f"{reference.namespace}/{name}" if reference.namespace else name]


def _flow_schema_row(obj: flowcontrol_v1.FlowSchema, now: datetime) -> list[Any]:
    method = obj.spec.distinguisher_method
    dangling = next((each.status for each in obj.status.conditions if each.type == "Dangling"), "?")
    return [
        obj.metadata.name,
        obj.spec.priority_level_configuration.name or NONE,
        obj.spec.matching_precedence or 0,
        method.type if method else NONE,
        age(obj, now),
        dangling,
    ]


def _priority_level(obj: flowcontrol_v1.PriorityLevelConfiguration) -> list[Any]:
    shares: Any = NONE
    queues: list[Any] = [NONE, NONE, NONE]
    if obj.spec.limited is not None:
        shares = obj.spec.limited.nominal_concurrency_shares
        response = obj.spec.limited.limit_response
        if response is not None and response.queuing is not None:
            queuing = response.queuing
            queues = [queuing.queues, queuing.hand_size, queuing.queue_length_limit]
    elif obj.spec.exempt is not None:
        shares = obj.spec.exempt.nominal_concurrency_shares
    return [obj.spec.type, shares, *queues]


def _claim_state(obj: Any) -> str:
    """Of a ResourceClaim of any version."""
    states = ["deleted"] if obj.metadata.deletion_timestamp else []
    if obj.status.allocation is None:
        states = states or ["pending"]
    else:
        states.append("allocated")
        if obj.status.reserved_for:
            states.append("reserved")
    return ",".join(states)


def _created(obj: Any, now: datetime) -> list[Any]:
    return [obj.metadata.name, stamp(obj.metadata.creation_timestamp)]


_ROLE = Printer(("Name", "Created At"), _created)
_BINDING = Printer(("Name", "Role", "Age", "Users+", "Groups+", "ServiceAccounts+"), _binding_row)
_WEBHOOKS = aged(("Webhooks:integer",), lambda obj: [len(obj.webhooks)])

TABLE: dict[tuple[str, str], Printer] = {
    ("", "Node"): Printer(
        (
            "Name",
            "Status",
            "Roles",
            "Age",
            "Version",
            "Internal-IP+",
            "External-IP+",
            "OS-Image+",
            "Kernel-Version+",
            "Container-Runtime+",
        ),
        _node_row,
    ),
    ("", "Namespace"): aged(("Status",), lambda obj: [obj.status.phase]),
    ("", "ConfigMap"): aged(("Data",), lambda obj: [len(obj.data) + len(obj.binary_data)]),
    ("", "Secret"): aged(("Type", "Data"), lambda obj: [obj.type, len(obj.data)]),
    ("", "ServiceAccount"): aged(("Secrets",), lambda obj: [len(obj.secrets)]),
    ("", "ComponentStatus"): Printer(("Name", "Status", "Message", "Error"), _component_row),
    ("", "Event"): Printer(_EVENT_COLUMNS, _event_row),
    ("events.k8s.io", "Event"): Printer(_EVENT_COLUMNS, _new_event_row),
    ("", "ResourceQuota"): aged(("Request", "Limit"), _quota),
    ("", "PersistentVolume"): Printer(
        (
            "Name",
            "Capacity",
            "Access Modes",
            "Reclaim Policy",
            "Status",
            "Claim",
            "StorageClass",
            "VolumeAttributesClass",
            "Reason",
            "Age",
            "VolumeMode+",
        ),
        _volume_row,
    ),
    ("", "PersistentVolumeClaim"): Printer(
        (
            "Name",
            "Status",
            "Volume",
            "Capacity",
            "Access Modes",
            "StorageClass",
            "VolumeAttributesClass",
            "Age",
            "VolumeMode+",
        ),
        _claim_row,
    ),
    ("storage.k8s.io", "StorageClass"): Printer(
        ("Name", "Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion", "Age"),
        _storage_class_row,
    ),
    ("storage.k8s.io", "VolumeAttributesClass"): aged(("DriverName",), lambda obj: [obj.driver_name]),
    ("storage.k8s.io", "VolumeAttachment"): aged(
        ("Attacher", "PV", "Node", "Attached:boolean"),
        lambda obj: [
            obj.spec.attacher,
            obj.spec.source.persistent_volume_name,
            obj.spec.node_name,
            obj.status.attached,
        ],
    ),
    ("storage.k8s.io", "CSINode"): aged(("Drivers:integer",), lambda obj: [len(obj.spec.drivers)]),
    ("storage.k8s.io", "CSIDriver"): aged(
        (
            "AttachRequired:boolean",
            "PodInfoOnMount:boolean",
            "StorageCapacity:boolean",
            "TokenRequests",
            "RequiresRepublish:boolean",
            "Modes",
        ),
        _csi_driver,
    ),
    ("storage.k8s.io", "CSIStorageCapacity"): Printer(
        ("Name", "StorageClassName", "Capacity"),
        lambda obj, now: [obj.metadata.name, obj.storage_class_name or "", obj.capacity],
    ),
    ("rbac.authorization.k8s.io", "Role"): _ROLE,
    ("rbac.authorization.k8s.io", "ClusterRole"): _ROLE,
    ("rbac.authorization.k8s.io", "RoleBinding"): _BINDING,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _BINDING,
    ("certificates.k8s.io", "CertificateSigningRequest"): Printer(
        ("Name", "Age", "SignerName", "Requestor", "RequestedDuration", "Condition"), _request_row
    ),
    ("certificates.k8s.io", "ClusterTrustBundle"): Printer(
        ("Name", "SignerName"), lambda obj, now: [obj.metadata.name, obj.spec.signer_name or NONE]
    ),
    ("coordination.k8s.io", "Lease"): aged(("Holder",), lambda obj: [obj.spec.holder_identity]),
    ("scheduling.k8s.io", "PriorityClass"): Printer(
        ("Name", "Value:integer", "Global-Default:boolean", "Age", "PreemptionPolicy"),
        lambda obj, now: [
            obj.metadata.name,
            obj.value,
            bool(obj.global_default),
            age(obj, now),
            obj.preemption_policy or "PreemptLowerPriority",
        ],
    ),
    ("node.k8s.io", "RuntimeClass"): aged(("Handler",), lambda obj: [obj.handler]),
    ("apiregistration.k8s.io", "APIService"): aged(("Service", "Available"), _api_service),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): aged(
        ("Validations:integer", "ParamKind"), _admission_policy
    ),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): aged(
        ("PolicyName", "ParamRef"), _policy_binding
    ),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): Printer(
        ("Name", "PriorityLevel", "MatchingPrecedence", "DistinguisherMethod", "Age", "MissingPL"), _flow_schema_row
    ),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): aged(
        ("Type", "NominalConcurrencyShares", "Queues", "HandSize", "QueueLengthLimit"), _priority_level
    ),
    ("resource.k8s.io", "DeviceClass"): aged((), lambda obj: []),
    ("resource.k8s.io", "ResourceClaim"): aged(("State",), lambda obj: [_claim_state(obj)]),
    ("resource.k8s.io", "ResourceClaimTemplate"): aged((), lambda obj: []),
    ("resource.k8s.io", "ResourceSlice"): aged(
        ("Node", "Driver", "Pool"),
        lambda obj: [
            obj.spec.node_name or ("" if not obj.spec.all_nodes else "*"),
            obj.spec.driver,
            obj.spec.pool.name,
        ],
    ),
}
