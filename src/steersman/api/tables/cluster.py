"""Nodes, namespaces, configuration, events, leases, quotas, classes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from steersman.api import labels as names
from steersman.api.types import core_v1, events_v1

from .printer import NONE, UNKNOWN, Printer, age, aged, since


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
        count,
        obj.metadata.name,
    ]


def _new_event_row(obj: events_v1.Event, now: datetime) -> list[Any]:
    first = since(obj.deprecated_first_timestamp or obj.event_time, now)
    last = since(obj.deprecated_last_timestamp, now) if obj.deprecated_last_timestamp else first
    count = obj.deprecated_count or 1
    if obj.series is not None:
        last, count = since(obj.series.last_observed_time, now), obj.series.count
    regarding = obj.regarding
    target = regarding.kind.lower() + (f"/{regarding.name}" if regarding.name else "")
    source = _source(obj.deprecated_source, obj.reporting_controller, obj.reporting_instance)
    return [
        last,
        obj.type,
        obj.reason,
        target,
        regarding.field_path,
        source,
        obj.note.strip(),
        first,
        count,
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


def _quota(obj: core_v1.ResourceQuota) -> list[Any]:
    columns: dict[bool, list[str]] = {False: [], True: []}
    for name, hard in sorted(obj.status.hard.items()):
        columns[name.startswith("limits.")].append(f"{name}: {obj.status.used.get(name, '0')}/{hard}")
    return [", ".join(columns[False]), ", ".join(columns[True])]


def _component_row(obj: core_v1.ComponentStatus, now: datetime) -> list[Any]:
    status, message, error = "Unknown", "", ""
    for condition in obj.conditions:
        if condition.type == "Healthy":
            status = "Healthy" if condition.status == "True" else "Unhealthy"
            message, error = condition.message, condition.error
            break
    return [obj.metadata.name, status, message, error]


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
    ("coordination.k8s.io", "LeaseCandidate"): aged(
        ("LeaseName", "BinaryVersion", "EmulationVersion"),
        lambda obj: [obj.spec.lease_name, obj.spec.binary_version, obj.spec.emulation_version],
    ),
    ("autoscaling", "Scale"): aged(
        ("Desired:integer", "Available:integer"), lambda obj: [obj.spec.replicas or 0, obj.status.replicas]
    ),
}
