"""Deployments, ReplicaSets, StatefulSets, DaemonSets, ReplicationControllers, Jobs: generations and scale."""

from __future__ import annotations

from typing import Any

from steersman.api.selectors import from_label_selector, from_set
from steersman.api.types.autoscaling_v1 import Scale, ScaleSpec, ScaleStatus
from steersman.api.types.meta_v1 import DeleteOptions, LabelSelector
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import ScaleAccess, Strategy


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


class WorkloadStrategy(Strategy):
    """Counts the changes of its spec."""

    generation = True


class ScalableStrategy(WorkloadStrategy):
    """Has ``/scale``."""

    scale = _SCALE


class DeploymentStrategy(ScalableStrategy):
    """Annotations count as changes too, because revisions carry them; ``/status`` leaves labels alone."""

    def count_change(self, new: Any, old: Any) -> None:
        if new.spec != old.spec or new.metadata.annotations != old.metadata.annotations:
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def prepare_status(self, context: Context, new: Any, old: Any) -> None:
        super().prepare_status(context, new, old)
        new.metadata.labels = old.metadata.labels


class ReplicationControllerStrategy(ScalableStrategy):
    """Leaves its pods behind unless told otherwise, as it did before there was garbage collection."""

    dependents = "Orphan"


class JobStrategy(WorkloadStrategy):
    """Leaves its pods behind unless told otherwise; fills the selector and labels that tie pods to it."""

    dependents = "Orphan"

    def warn_of_delete(self, context: Context, options: DeleteOptions) -> None:
        if not options.propagation_policy and options.orphan_dependents is None:
            context.warnings.append(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
                "them or set propagationPolicy=Orphan to suppress this warning"
            )

    def prepare_create(self, context: Context, new: Any) -> None:
        super().prepare_create(context, new)
        spec, uid, name = new.spec, new.metadata.uid, new.metadata.name
        if spec.manual_selector:
            return
        labels = spec.template.metadata.labels
        for key, value in (
            ("batch.kubernetes.io/controller-uid", uid),
            ("controller-uid", uid),
            ("batch.kubernetes.io/job-name", name),
            ("job-name", name),
        ):
            labels.setdefault(key, value)
        if spec.selector is None:
            spec.selector = LabelSelector()
        spec.selector.match_labels.setdefault("batch.kubernetes.io/controller-uid", uid)
