"""Whether this node takes a pod: the checks a kubelet makes whatever the scheduler thought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from steersman.api.types.core_v1 import Node, NodeSelectorRequirement, Pod

from .qos import milli_or_value, pod_requests
from .status import Waiting


def admit(pod: Pod, others: Iterable[Pod], node: Node | None, allocatable: Mapping[str, str]) -> Waiting | None:
    """None when the pod may run beside the others, else the reason and the message of its refusal."""
    others = list(others)
    wanted = pod_requests(pod) | {"pods": 1}
    for name, amount in sorted(wanted.items()):
        if amount == 0 or name not in allocatable:
            continue
        total = milli_or_value(name, allocatable[name])
        used = sum((pod_requests(other) | {"pods": 1}).get(name, 0) for other in others)
        if used + amount > total:
            message = (
                f"Pod was rejected: Node didn't have enough resource: {name}, "
                f"requested: {amount}, used: {used}, capacity: {total}"
            )
            return Waiting(f"OutOf{name}", message)
    if _ports(pod) & {port for other in others for port in _ports(other)}:
        message = "node(s) didn't have free ports for the requested pod ports"
        return Waiting("NodePorts", f"Pod was rejected: Predicate NodePorts failed: {message}")
    if node is not None and not matches_node(pod, node):
        message = "node(s) didn't match Pod's node affinity/selector"
        return Waiting("NodeAffinity", f"Pod was rejected: Predicate NodeAffinity failed: {message}")
    return None


def _ports(pod: Pod) -> set[tuple[str, str, int]]:
    return {
        (port.protocol or "TCP", port.host_ip or "0.0.0.0", port.host_port)  # noqa: S104
        for container in pod.spec.containers
        for port in container.ports
        if port.host_port
    }


def matches_node(pod: Pod, node: Node) -> bool:
    """Whether a node satisfies a pod's node selector and required node affinity."""
    labels = node.metadata.labels
    if any(labels.get(key) != value for key, value in pod.spec.node_selector.items()):
        return False
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity is not None else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity is not None else None
    if required is None:
        return True
    fields = {"metadata.name": node.metadata.name}
    return any(
        (term.match_expressions or term.match_fields)
        and all(_holds(each, labels) for each in term.match_expressions)
        and all(_holds(each, fields) for each in term.match_fields)
        for term in required.node_selector_terms
    )


def _holds(requirement: NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            try:
                have, want = int(value or ""), int(requirement.values[0])
            except (ValueError, IndexError):
                return False
            return have > want if requirement.operator == "Gt" else have < want
    return False
