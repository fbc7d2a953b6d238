"""Deployments, ReplicaSets, StatefulSets, DaemonSets, ReplicationControllers: generations, scale, warnings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from steersman.api.selectors import from_label_selector, from_set
from steersman.api.types import apps_v1
from steersman.api.types.autoscaling_v1 import Scale, ScaleSpec, ScaleStatus
from steersman.api.warnings.pods import name_warnings, template_warnings
from steersman.api.warnings.volumes import claim_warnings
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import ScaleAccess

from .templates import TemplatedStrategy

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
"""How often the template of a DaemonSet has changed; ``extensions/v1beta1`` had a member for it."""


def _read(obj: Any) -> Scale:
    selector = obj.spec.selector
    text = str(from_set(selector) if isinstance(selector, dict) else from_label_selector(selector))
    return Scale(
        spec=ScaleSpec(replicas=obj.spec.replicas or None),
        status=ScaleStatus(replicas=obj.status.replicas or 0, selector=text),
    )


def _write(obj: Any, replicas: int) -> None:
    obj.spec.replicas = replicas


_SCALE = ScaleAccess(_read, _write)


class WorkloadStrategy(TemplatedStrategy):
    """Warns of what is odd in its template."""

    def warnings(self, new: Any, old: Any | None) -> Iterator[str]:
        if old is None or new.metadata.generation != old.metadata.generation:
            yield from self.spec_warnings(new)

    def spec_warnings(self, new: Any) -> Iterator[str]:
        """What to tell people of a new spec."""
        return template_warnings(new.spec.template, "spec.template")


class ScalableStrategy(WorkloadStrategy):
    """Has ``/scale``; its pods are named after it."""

    scale = _SCALE

    def warnings(self, new: Any, old: Any | None) -> Iterator[str]:
        if old is None:
            yield from name_warnings(new.metadata.name, "Pod names and hostnames")
        yield from super().warnings(new, old)


class DeploymentStrategy(ScalableStrategy):
    """Annotations count as changes too, because revisions carry them; ``/status`` leaves labels alone."""

    def count_change(self, new: apps_v1.Deployment, old: apps_v1.Deployment) -> None:
        if new.spec != old.spec or new.metadata.annotations != old.metadata.annotations:
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def prepare_status(self, context: Context, new: apps_v1.Deployment, old: apps_v1.Deployment) -> None:
        super().prepare_status(context, new, old)
        new.metadata.labels = old.metadata.labels


class StatefulSetStrategy(ScalableStrategy):
    """Warns of its claims as well."""

    def spec_warnings(self, new: apps_v1.StatefulSet) -> Iterator[str]:
        yield from super().spec_warnings(new)
        for index, claim in enumerate(new.spec.volume_claim_templates):
            yield from claim_warnings(claim.spec, f"spec.volumeClaimTemplates[{index}]")
        if (new.spec.revision_history_limit or 0) < 0:
            yield (
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is "
                "recommended"
            )


class DaemonSetStrategy(WorkloadStrategy):
    """Counts the changes of its template in an annotation, too."""

    def prepare_create(self, context: Context, new: apps_v1.DaemonSet) -> None:
        super().prepare_create(context, new)
        said = new.metadata.annotations.get(TEMPLATE_GENERATION, "")
        if not (said.isascii() and said.isdigit()) or int(said) < 1:
            new.metadata.annotations[TEMPLATE_GENERATION] = "1"

    def prepare_update(self, context: Context, new: apps_v1.DaemonSet, old: apps_v1.DaemonSet) -> None:
        super().prepare_update(context, new, old)
        count = int(old.metadata.annotations.get(TEMPLATE_GENERATION, "0"))
        if new.spec.template != old.spec.template:
            count += 1
        new.metadata.annotations = {**new.metadata.annotations, TEMPLATE_GENERATION: str(count)}


class ReplicationControllerStrategy(ScalableStrategy):
    """Leaves its pods behind unless told otherwise, as it did before there was garbage collection."""

    dependents = "Orphan"
