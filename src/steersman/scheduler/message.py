"""What people read when a pod fits nowhere; the words are upstream's, because tools and people match on them."""

from __future__ import annotations

from collections.abc import Mapping

from .framework import Diagnosis
from .podinfo import PodInfo
from .snapshot import Snapshot

NO_NODES = "no nodes available to schedule pods"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


def _available(nodes: int, reasons: Mapping[str, int]) -> str:
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return f"0/{nodes} nodes are available: {listed}."


def unschedulable(pod: PodInfo, diagnosis: Diagnosis, snapshot: Snapshot) -> str:
    """The message of FailedScheduling events and of the PodScheduled condition."""
    if not diagnosis.nodes:
        return NO_NODES
    return f"{_available(diagnosis.nodes, diagnosis.reasons)}{_preemption(pod, diagnosis, snapshot)}"


def _preemption(pod: PodInfo, diagnosis: Diagnosis, snapshot: Snapshot) -> str:
    """Why preemption does not help.  Nothing is said where it could: it is not implemented yet."""
    if pod.preemption_policy == "Never":
        return " preemption: not eligible due to preemptionPolicy=Never."
    for node in diagnosis.resolvable:
        if any(other.priority < pod.priority for other in snapshot.pods_on(node)):
            return ""
    reasons: dict[str, int] = {}
    if diagnosis.resolvable:
        reasons[NO_VICTIMS] = len(diagnosis.resolvable)
    if rest := diagnosis.nodes - len(diagnosis.resolvable):
        reasons[NOT_HELPFUL] = rest
    return f" preemption: {_available(diagnosis.nodes, reasons)}"
