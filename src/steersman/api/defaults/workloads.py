"""The groups apps, batch, autoscaling and scheduling."""

from __future__ import annotations

from typing import Any

from steersman.api.types import apps_v1, autoscaling_v1, autoscaling_v2, batch_v1, scheduling_v1

from .visitor import Default


def deployment(obj: apps_v1.Deployment) -> None:
    spec = obj.spec
    spec.replicas = 1 if spec.replicas is None else spec.replicas
    spec.strategy.type = spec.strategy.type or "RollingUpdate"
    if spec.strategy.type == "RollingUpdate":
        rolling = spec.strategy.rolling_update = spec.strategy.rolling_update or apps_v1.RollingUpdateDeployment()
        rolling.max_unavailable = "25%" if rolling.max_unavailable is None else rolling.max_unavailable
        rolling.max_surge = "25%" if rolling.max_surge is None else rolling.max_surge
    if spec.revision_history_limit is None:
        spec.revision_history_limit = 10
    if spec.progress_deadline_seconds is None:
        spec.progress_deadline_seconds = 600


def replica_set(obj: apps_v1.ReplicaSet) -> None:
    if obj.spec.replicas is None:
        obj.spec.replicas = 1


def stateful_set(obj: apps_v1.StatefulSet) -> None:
    spec = obj.spec
    spec.pod_management_policy = spec.pod_management_policy or "OrderedReady"
    strategy = spec.update_strategy
    if not strategy.type:
        strategy.type = "RollingUpdate"
        strategy.rolling_update = strategy.rolling_update or apps_v1.RollingUpdateStatefulSetStrategy()
    if strategy.type == "RollingUpdate" and strategy.rolling_update is not None:
        rolling = strategy.rolling_update
        rolling.partition = rolling.partition or 0
        rolling.max_unavailable = 1 if rolling.max_unavailable is None else rolling.max_unavailable
    retention = spec.persistent_volume_claim_retention_policy
    if retention is None:
        retention = apps_v1.StatefulSetPersistentVolumeClaimRetentionPolicy()
        spec.persistent_volume_claim_retention_policy = retention
    retention.when_deleted = retention.when_deleted or "Retain"
    retention.when_scaled = retention.when_scaled or "Retain"
    spec.replicas = 1 if spec.replicas is None else spec.replicas
    if spec.revision_history_limit is None:
        spec.revision_history_limit = 10


def daemon_set(obj: apps_v1.DaemonSet) -> None:
    strategy = obj.spec.update_strategy
    strategy.type = strategy.type or "RollingUpdate"
    if strategy.type == "RollingUpdate":
        rolling = strategy.rolling_update = strategy.rolling_update or apps_v1.RollingUpdateDaemonSet()
        rolling.max_unavailable = 1 if rolling.max_unavailable is None else rolling.max_unavailable
        rolling.max_surge = 0 if rolling.max_surge is None else rolling.max_surge
    if obj.spec.revision_history_limit is None:
        obj.spec.revision_history_limit = 10


def job(obj: batch_v1.Job) -> None:
    spec = obj.spec
    if spec.completions is None and spec.parallelism is None:
        spec.completions = 1
    spec.parallelism = 1 if spec.parallelism is None else spec.parallelism
    if spec.backoff_limit is None:
        spec.backoff_limit = 6 if spec.backoff_limit_per_index is None else 2**31 - 1
    spec.completion_mode = spec.completion_mode or "NonIndexed"
    spec.suspend = bool(spec.suspend)
    spec.manual_selector = bool(spec.manual_selector)
    if not spec.pod_replacement_policy:
        spec.pod_replacement_policy = "Failed" if spec.pod_failure_policy else "TerminatingOrFailed"
    obj.metadata.labels = obj.metadata.labels or dict(spec.template.metadata.labels)


def pod_condition_pattern(obj: batch_v1.PodFailurePolicyOnPodConditionsPattern) -> None:
    obj.status = obj.status or "True"


def cron_job(obj: batch_v1.CronJob) -> None:
    spec = obj.spec
    spec.concurrency_policy = spec.concurrency_policy or "Allow"
    spec.suspend = bool(spec.suspend)
    if spec.successful_jobs_history_limit is None:
        spec.successful_jobs_history_limit = 3
    if spec.failed_jobs_history_limit is None:
        spec.failed_jobs_history_limit = 1


def autoscaler_v1(obj: autoscaling_v1.HorizontalPodAutoscaler) -> None:
    if obj.spec.min_replicas is None:
        obj.spec.min_replicas = 1


def autoscaler(obj: autoscaling_v2.HorizontalPodAutoscaler) -> None:
    v2 = autoscaling_v2
    spec = obj.spec
    if spec.min_replicas is None:
        spec.min_replicas = 1
    if not spec.metrics:
        target = v2.MetricTarget(type="Utilization", average_utilization=80)
        spec.metrics = [v2.MetricSpec(type="Resource", resource=v2.ResourceMetricSource(name="cpu", target=target))]
    if spec.behavior is None:
        return
    up = spec.behavior.scale_up = spec.behavior.scale_up or v2.HPAScalingRules()
    if up.stabilization_window_seconds is None:
        up.stabilization_window_seconds = 0
    up.select_policy = up.select_policy or "Max"
    up.policies = up.policies or [
        v2.HPAScalingPolicy(type="Pods", value=4, period_seconds=15),
        v2.HPAScalingPolicy(type="Percent", value=100, period_seconds=15),
    ]
    down = spec.behavior.scale_down = spec.behavior.scale_down or v2.HPAScalingRules()
    down.select_policy = down.select_policy or "Max"
    down.policies = down.policies or [v2.HPAScalingPolicy(type="Percent", value=100, period_seconds=15)]


def priority_class(obj: scheduling_v1.PriorityClass) -> None:
    obj.preemption_policy = obj.preemption_policy or "PreemptLowerPriority"


TABLE: dict[type[Any], Default] = {
    apps_v1.DaemonSet: daemon_set,
    apps_v1.Deployment: deployment,
    apps_v1.ReplicaSet: replica_set,
    apps_v1.StatefulSet: stateful_set,
    autoscaling_v1.HorizontalPodAutoscaler: autoscaler_v1,
    autoscaling_v2.HorizontalPodAutoscaler: autoscaler,
    batch_v1.CronJob: cron_job,
    batch_v1.Job: job,
    batch_v1.PodFailurePolicyOnPodConditionsPattern: pod_condition_pattern,
    scheduling_v1.PriorityClass: priority_class,
}
