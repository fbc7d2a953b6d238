"""Controllers of pods, and what scales and protects them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from steersman.api.meta import controller_of
from steersman.api.types import apps_v1, autoscaling_v1, autoscaling_v2, batch_v1, core_v1, policy_v1

from .printer import (
    NONE,
    UNKNOWN,
    Printer,
    age,
    aged,
    containers,
    human_duration,
    label_selector,
    labels,
    since,
    some,
    truth,
)

_TEMPLATE = ("Containers+", "Images+", "Selector+")


def _replication_controller(obj: core_v1.ReplicationController) -> list[Any]:
    return [obj.spec.replicas or 0, obj.status.replicas, obj.status.ready_replicas or 0]


def _replica_set(obj: apps_v1.ReplicaSet) -> list[Any]:
    return [obj.spec.replicas or 0, obj.status.replicas, obj.status.ready_replicas or 0]


def _wide(obj: Any) -> list[Any]:
    return [*containers(obj.spec.template.spec), label_selector(obj.spec.selector)]


def _daemon_set(obj: apps_v1.DaemonSet) -> list[Any]:
    status = obj.status
    return [
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_ready,
        status.updated_number_scheduled or 0,
        status.number_available or 0,
        labels(obj.spec.template.spec.node_selector),
    ]


def _deployment(obj: apps_v1.Deployment) -> list[Any]:
    status = obj.status
    return [
        f"{status.ready_replicas or 0}/{obj.spec.replicas or 0}",
        status.updated_replicas or 0,
        status.available_replicas or 0,
    ]


def _stateful_set(obj: apps_v1.StatefulSet) -> list[Any]:
    return [f"{obj.status.ready_replicas or 0}/{obj.spec.replicas or 0}"]


def job_status(obj: batch_v1.Job) -> str:
    """The first of a job's conditions that matters."""
    holding = {condition.type for condition in obj.status.conditions if condition.status == "True"}
    for name in ("Complete", "Failed"):
        if name in holding:
            return name
    if obj.metadata.deletion_timestamp is not None:
        return "Terminating"
    for name in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if name in holding:
            return name
    return "Running"


def _job(obj: batch_v1.Job, now: datetime) -> list[Any]:
    spec, status = obj.spec, obj.status
    succeeded = status.succeeded or 0
    if spec.completions is not None:
        completions = f"{succeeded}/{spec.completions}"
    elif (spec.parallelism or 0) > 1:
        completions = f"{succeeded}/1 of {spec.parallelism}"
    else:
        completions = f"{succeeded}/1"
    duration = ""
    if status.start_time is not None:
        duration = human_duration(((status.completion_time or now) - status.start_time).total_seconds())
    return [
        obj.metadata.name,
        job_status(obj),
        completions,
        duration,
        age(obj, now),
        *containers(spec.template.spec),
        label_selector(spec.selector),
    ]


def _cron_job(obj: batch_v1.CronJob, now: datetime) -> list[Any]:
    spec, status = obj.spec, obj.status
    template = spec.job_template.spec
    return [
        obj.metadata.name,
        spec.schedule,
        spec.time_zone or NONE,
        truth(spec.suspend),
        len(status.active),
        since(status.last_schedule_time, now) if status.last_schedule_time else NONE,
        age(obj, now),
        *containers(template.template.spec),
        label_selector(template.selector),
    ]


def _metric(spec: autoscaling_v2.MetricSpec, status: autoscaling_v2.MetricStatus | None) -> str:
    def shown(name: str, target: autoscaling_v2.MetricTarget, current: autoscaling_v2.MetricValueStatus | None) -> str:
        prefix = f"{name}: " if name else ""
        if target.average_value:
            average = (current.average_value if current else "") or UNKNOWN
            suffix = "" if name or spec.type == "Pods" else " (avg)"
            return f"{prefix}{average}/{target.average_value}{suffix}"
        if name:
            utilization, wanted = current.average_utilization if current else None, target.average_utilization
            used = UNKNOWN if utilization is None else f"{utilization}%"
            return f"{prefix}{used}/{'<auto>' if wanted is None else f'{wanted}%'}"
        return f"{(current.value if current else '') or UNKNOWN}/{target.value}"

    match spec.type:
        case "Resource" if spec.resource:
            current = status.resource.current if status and status.resource else None
            return shown(spec.resource.name, spec.resource.target, current)
        case "ContainerResource" if spec.container_resource:
            current = status.container_resource.current if status and status.container_resource else None
            return shown(spec.container_resource.name, spec.container_resource.target, current)
        case "Pods" if spec.pods:
            return shown("", spec.pods.target, status.pods.current if status and status.pods else None)
        case "Object" if spec.object:
            return shown("", spec.object.target, status.object.current if status and status.object else None)
        case "External" if spec.external:
            return shown("", spec.external.target, status.external.current if status and status.external else None)
        case _:
            return "<unknown type>"


def _targets(obj: autoscaling_v1.HorizontalPodAutoscaler | autoscaling_v2.HorizontalPodAutoscaler) -> list[str]:
    if isinstance(obj, autoscaling_v1.HorizontalPodAutoscaler):
        target = obj.spec.target_cpu_utilization_percentage
        if target is None:
            return []
        utilization = obj.status.current_cpu_utilization_percentage
        return [f"cpu: {UNKNOWN if utilization is None else f'{utilization}%'}/{target}%"]
    current = obj.status.current_metrics
    return [
        _metric(metric, current[index] if index < len(current) else None)
        for index, metric in enumerate(obj.spec.metrics)
    ]


def _autoscaler(obj: autoscaling_v1.HorizontalPodAutoscaler | autoscaling_v2.HorizontalPodAutoscaler) -> list[Any]:
    spec, status = obj.spec, obj.status
    metrics = _targets(obj)
    return [
        f"{spec.scale_target_ref.kind}/{spec.scale_target_ref.name}",
        some(metrics, 2).replace(",", ", "),
        "<unset>" if spec.min_replicas is None else str(spec.min_replicas),
        spec.max_replicas,
        status.current_replicas or 0,
    ]


def _budget(obj: policy_v1.PodDisruptionBudget) -> list[Any]:
    spec = obj.spec
    return [
        "N/A" if spec.min_available is None else str(spec.min_available),
        "N/A" if spec.max_unavailable is None else str(spec.max_unavailable),
        obj.status.disruptions_allowed,
    ]


def _revision(obj: apps_v1.ControllerRevision) -> list[Any]:
    owner = controller_of(obj.metadata)
    if owner is None:
        return [NONE, obj.revision]
    group = owner.api_version.rpartition("/")[0]
    return [f"{owner.kind.lower()}{'.' + group if group else ''}/{owner.name}", obj.revision]


TABLE: dict[tuple[str, str], Printer] = {
    ("", "ReplicationController"): aged(
        ("Desired:integer", "Current:integer", "Ready:integer", *_TEMPLATE),
        _replication_controller,
        lambda obj: [*containers(obj.spec.template.spec), labels(obj.spec.selector)],
    ),
    ("apps", "ReplicaSet"): aged(
        ("Desired:integer", "Current:integer", "Ready:integer", *_TEMPLATE), _replica_set, _wide
    ),
    ("apps", "DaemonSet"): aged(
        (
            "Desired:integer",
            "Current:integer",
            "Ready:integer",
            "Up-to-date:integer",
            "Available:integer",
            "Node Selector",
            *_TEMPLATE,
        ),
        _daemon_set,
        _wide,
    ),
    ("apps", "Deployment"): aged(
        ("Ready", "Up-to-date", "Available", *_TEMPLATE),
        _deployment,
        lambda obj: [
            *containers(obj.spec.template.spec),
            label_selector(obj.spec.selector, empty="", wrong="<invalid>"),
        ],
    ),
    ("apps", "StatefulSet"): aged(
        ("Ready", "Containers+", "Images+"), _stateful_set, lambda obj: containers(obj.spec.template.spec)
    ),
    ("apps", "ControllerRevision"): Printer(
        ("Name", "Controller", "Revision", "Age"),
        lambda obj, now: [obj.metadata.name, *_revision(obj), age(obj, now)],
    ),
    ("batch", "Job"): Printer(("Name", "Status", "Completions", "Duration", "Age", *_TEMPLATE), _job),
    ("batch", "CronJob"): Printer(
        (
            "Name",
            "Schedule",
            "Timezone",
            "Suspend:boolean",
            "Active:integer",
            "Last Schedule",
            "Age",
            *_TEMPLATE,
        ),
        _cron_job,
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): aged(
        ("Reference", "Targets", "MinPods", "MaxPods", "Replicas"), _autoscaler
    ),
    ("policy", "PodDisruptionBudget"): aged(
        ("Min Available", "Max Unavailable", "Allowed Disruptions:integer"), _budget
    ),
}
