"""HorizontalPodAutoscalers in both versions."""

from __future__ import annotations

import json

from steersman.api import codecs
from steersman.api.types import autoscaling_v1, autoscaling_v2
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.yaml import load_yaml
from steersman.apiserver.registry import autoscalers
from steersman.client.local import LocalClient


async def test_autoscalers_in_both_versions(client: LocalClient) -> None:
    v2 = autoscaling_v2
    metrics = [
        v2.MetricSpec(
            type="Resource",
            resource=v2.ResourceMetricSource(
                name=name, target=v2.MetricTarget(type="Utilization", average_utilization=value)
            ),
        )
        for name, value in (("cpu", 70), ("memory", 80))
    ]
    wanted = v2.HorizontalPodAutoscaler(
        metadata=ObjectMeta(name="h", namespace="default"),
        spec=v2.HorizontalPodAutoscalerSpec(
            max_replicas=4,
            scale_target_ref=v2.CrossVersionObjectReference(kind="Deployment", name="d", api_version="apps/v1"),
            metrics=metrics,
        ),
    )
    stored = await client.create(wanted)
    old = await client.get(autoscaling_v1.HorizontalPodAutoscaler, "h", "default")
    assert old.spec.target_cpu_utilization_percentage == 70
    assert "autoscaling.alpha.kubernetes.io/metrics" in old.metadata.annotations
    changed = codecs.copy(old)
    changed.spec.target_cpu_utilization_percentage = 50
    await client.update(changed)
    new = await client.get(v2.HorizontalPodAutoscaler, "h", "default")
    assert [each.resource.target.average_utilization for each in new.spec.metrics] == [80, 50]  # type: ignore[union-attr]
    assert new.metadata.annotations == stored.metadata.annotations


FULL = """
metadata: {name: h, annotations: {a: b}}
spec:
  minReplicas: 1
  maxReplicas: 4
  scaleTargetRef: {kind: Deployment, name: d, apiVersion: apps/v1}
  behavior:
    scaleUp: {stabilizationWindowSeconds: 0, selectPolicy: Max, policies: [{type: Pods, value: 4, periodSeconds: 15}]}
  metrics:
  - type: Object
    object:
      describedObject: {kind: Service, name: s, apiVersion: v1}
      metric: {name: hits, selector: {matchLabels: {c: d}}}
      target: {type: AverageValue, averageValue: "3"}
  - {type: Pods, pods: {metric: {name: hits}, target: {type: AverageValue, averageValue: 500m}}}
  - {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1Gi}}}
  - type: ContainerResource
    containerResource: {name: cpu, container: c, target: {type: Utilization, averageUtilization: 30}}
  - {type: External, external: {metric: {name: queue}, target: {type: Value, value: "9"}}}
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
status:
  currentReplicas: 2
  desiredReplicas: 3
  currentMetrics:
  - type: Resource
    resource: {name: cpu, current: {averageUtilization: 50, averageValue: 100m}}
  - {type: External, external: {metric: {name: queue}, current: {value: "7"}}}
  conditions:
  - {type: AbleToScale, status: "True", lastTransitionTime: "2026-01-02T03:04:05Z", reason: R, message: m}
"""


def test_what_version_1_does_not_know_is_written_as_upstream_writes_it() -> None:
    old = autoscalers.to_v1(codecs.from_builtins(autoscaling_v2.HorizontalPodAutoscaler, load_yaml(FULL)))
    prefix = "autoscaling.alpha.kubernetes.io/"
    carried = {
        name.removeprefix(prefix): json.loads(text)
        for name, text in old.metadata.annotations.items()
        if name.startswith(prefix)
    }
    assert old.spec.target_cpu_utilization_percentage == 70
    assert old.status.current_cpu_utilization_percentage == 50
    target = {"kind": "Service", "name": "s", "apiVersion": "v1"}
    assert carried == {
        "metrics": [
            {
                "type": "Object",
                "object": {
                    "target": target,
                    "metricName": "hits",
                    "targetValue": "0",
                    "selector": {"matchLabels": {"c": "d"}},
                    "averageValue": "3",
                },
            },
            {"type": "Pods", "pods": {"metricName": "hits", "targetAverageValue": "500m"}},
            {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1Gi"}},
            {
                "type": "ContainerResource",
                "containerResource": {"name": "cpu", "targetAverageUtilization": 30, "container": "c"},
            },
            {"type": "External", "external": {"metricName": "queue", "targetValue": "9"}},
        ],
        "current-metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "currentAverageUtilization": 50, "currentAverageValue": "100m"},
            },
            {"type": "External", "external": {"metricName": "queue", "currentValue": "7"}},
        ],
        "conditions": [
            {
                "type": "AbleToScale",
                "status": "True",
                "lastTransitionTime": "2026-01-02T03:04:05Z",
                "reason": "R",
                "message": "m",
            }
        ],
        "behavior": {
            "ScaleUp": {
                "StabilizationWindowSeconds": 0,
                "SelectPolicy": "Max",
                "Policies": [{"Type": "Pods", "Value": 4, "PeriodSeconds": 15}],
                "Tolerance": None,
            },
            "ScaleDown": None,
        },
    }


def test_nothing_is_lost_by_way_of_version_1() -> None:
    wanted = codecs.from_builtins(autoscaling_v2.HorizontalPodAutoscaler, load_yaml(FULL))
    assert autoscalers.to_v2(autoscalers.to_v1(wanted)) == wanted


def test_annotations_that_cannot_be_read_say_nothing() -> None:
    old = autoscaling_v1.HorizontalPodAutoscaler(
        metadata=ObjectMeta(
            name="h",
            annotations={
                f"autoscaling.alpha.kubernetes.io/{name}": text
                for name, text in (("metrics", "[7]"), ("behavior", '{"ScaleUp": 3}'), ("conditions", "{"))
            },
        )
    )
    new = autoscalers.to_v2(old)
    assert (new.spec.metrics, new.spec.behavior, new.status.conditions) == ([], None, [])
    assert new.metadata.annotations == {}
