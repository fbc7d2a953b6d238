"""Labels of nodes that go away, in classes that choose nodes by them."""

from __future__ import annotations

from collections.abc import Iterator

from steersman.api.types import node_v1, storage_v1

from .nodes import DEPRECATED_LABELS


def storage_class_warnings(obj: storage_v1.StorageClass) -> Iterator[str]:
    """Of the topologies that it allows."""
    for number, term in enumerate(obj.allowed_topologies):
        for index, expression in enumerate(term.match_label_expressions):
            if detail := DEPRECATED_LABELS.get(expression.key):
                yield f"allowedTopologies[{number}].matchLabelExpressions[{index}].key: {detail}"


def storage_capacity_warnings(obj: storage_v1.CSIStorageCapacity) -> Iterator[str]:
    """Of the nodes that it is said of."""
    topology = obj.node_topology
    if topology is None:
        return
    for index, expression in enumerate(topology.match_expressions):
        if detail := DEPRECATED_LABELS.get(expression.key):
            yield f"nodeTopology.matchExpressions[{index}].key: {expression.key} is {detail}"
    for key in topology.match_labels:
        if detail := DEPRECATED_LABELS.get(key):
            yield f"nodeTopology.matchLabels.{key}: {detail}"


def runtime_class_warnings(obj: node_v1.RuntimeClass) -> Iterator[str]:
    """Of the nodes that its pods go to."""
    for key in obj.scheduling.node_selector if obj.scheduling is not None else ():
        if detail := DEPRECATED_LABELS.get(key):
            yield f"scheduling.nodeSelector: {detail}"
