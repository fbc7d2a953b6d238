"""Nodes, and the labels of nodes by which others choose them."""

from __future__ import annotations

from collections.abc import Iterator

from steersman.api.types import core_v1 as v1
from steersman.api.validation import addresses, names
from steersman.api.validation.faults import verdict

DEPRECATED_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}


def node_warnings(obj: v1.Node) -> Iterator[str]:
    """A node's own."""
    if obj.spec.config_source is not None:
        yield "spec.configSource: the feature is removed"
    if obj.spec.external_id:
        yield "spec.externalID: this field is deprecated, and is unused by Kubernetes"
    for index, cidr in enumerate(obj.spec.pod_cidrs):
        yield from addresses.network_warnings(f"spec.podCIDRs[{index}]", cidr)


def selector_term_warnings(term: v1.NodeSelectorTerm, path: str, *, soft: bool = False) -> Iterator[str]:
    """Labels that go away; and, where validation lets them pass because they are only preferred, impossible values."""
    for index, expression in enumerate(term.match_expressions):
        place = f"{path}.matchExpressions[{index}]"
        if (detail := DEPRECATED_LABELS.get(expression.key)) is not None:
            yield f"{place}.key: {expression.key} is {detail}"
        for number, value in enumerate(expression.values if soft else ()):
            for fault in verdict(names.label_value, value):
                yield f"{place}.values[{number}]: {value} is invalid, {fault}"
