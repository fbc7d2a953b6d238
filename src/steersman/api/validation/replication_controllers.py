"""ReplicationControllers: what ReplicaSets were before they had selectors of sets."""

from __future__ import annotations

from steersman.api.types import core_v1

from .apps import workload_template
from .faults import Faults


def replication_controller(faults: Faults, obj: core_v1.ReplicationController) -> None:
    faults.natural("spec.replicas", obj.spec.replicas)
    faults.natural("spec.minReadySeconds", obj.spec.min_ready_seconds)
    labels = obj.spec.template.metadata.labels
    if faults.required("spec.selector", obj.spec.selector) and not obj.spec.selector.items() <= labels.items():
        faults.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    workload_template(faults, obj.spec.template)
