"""HorizontalPodAutoscalers in both versions."""

from __future__ import annotations

from steersman.api import codecs
from steersman.api.types import autoscaling_v1, autoscaling_v2
from steersman.api.types.meta_v1 import ObjectMeta
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
    assert [each.resource.target.average_utilization for each in new.spec.metrics] == [50, 80]  # type: ignore[union-attr]
    assert new.metadata.annotations == stored.metadata.annotations
