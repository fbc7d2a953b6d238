"""Pods: what STATUS, READY and RESTARTS say."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from steersman.api.meta import TableRowCondition
from steersman.api.types import core_v1 as v1

from .printer import NONE, Printer, age, containers, human_duration, labels

COLUMNS = (
    "Name",
    "Ready",
    "Status",
    "Restarts",
    "Age",
    "IP+",
    "Node+",
    "Nominated Node+",
    "Readiness Gates+",
)


class Summary(NamedTuple):
    """A pod's condition in one word, and its counts."""

    status: str
    ready: int
    total: int
    restarts: int
    last_restart: datetime | None


class _Restarts:
    def __init__(self) -> None:
        self.count = 0
        self.last: datetime | None = None

    def add(self, status: v1.ContainerStatus) -> None:
        self.count += status.restart_count
        terminated = status.last_state.terminated
        if terminated is not None and terminated.finished_at is not None:
            self.last = max(self.last, terminated.finished_at) if self.last else terminated.finished_at


def _has_condition(pod: v1.Pod, type_: str) -> bool:
    return any(condition.type == type_ and condition.status == "True" for condition in pod.status.conditions)


def _ending(terminated: v1.ContainerStateTerminated) -> str:
    if terminated.reason:
        return terminated.reason
    return f"Signal:{terminated.signal}" if terminated.signal else f"ExitCode:{terminated.exit_code}"


def summary(pod: v1.Pod) -> Summary:
    """What kubectl shows of a pod's state."""
    status = pod.status
    reason = status.reason or status.phase
    if any(each.type == "PodScheduled" and each.reason == "SchedulingGated" for each in status.conditions):
        reason = "SchedulingGated"
    sidecars = {each.name for each in pod.spec.init_containers if each.restart_policy == "Always"}
    ready = 0
    restarts, sidecar_restarts = _Restarts(), _Restarts()
    initializing = ""
    for index, each in enumerate(status.init_container_statuses):
        restarts.add(each)
        if each.name in sidecars:
            sidecar_restarts.add(each)
        state = each.state
        if state.terminated is not None and state.terminated.exit_code == 0:
            continue
        if each.name in sidecars and each.started:
            ready += each.ready
            continue
        if state.terminated is not None:
            initializing = f"Init:{_ending(state.terminated)}"
        elif state.waiting is not None and state.waiting.reason not in ("", "PodInitializing"):
            initializing = f"Init:{state.waiting.reason}"
        else:
            initializing = f"Init:{index}/{len(pod.spec.init_containers)}"
        break
    if initializing:
        reason = initializing
    if not initializing or _has_condition(pod, "Initialized"):
        restarts = sidecar_restarts
        running = False
        for each in reversed(status.container_statuses):
            restarts.add(each)
            state = each.state
            if state.waiting is not None and state.waiting.reason:
                reason = state.waiting.reason
            elif state.terminated is not None:
                reason = _ending(state.terminated)
            elif each.ready and state.running is not None:
                running = True
                ready += 1
        if reason == "Completed" and running:
            reason = "Running" if _has_condition(pod, "Ready") else "NotReady"
    if pod.metadata.deletion_timestamp is not None:
        if status.reason == "NodeLost":
            reason = "Unknown"
        elif status.phase not in ("Succeeded", "Failed"):
            reason = "Terminating"
    return Summary(reason, ready, len(pod.spec.containers) + len(sidecars), restarts.count, restarts.last)


def row(pod: v1.Pod, now: datetime) -> list[Any]:
    shown = summary(pod)
    restarts = str(shown.restarts)
    if shown.restarts and shown.last_restart is not None:
        restarts += f" ({human_duration((now - shown.last_restart).total_seconds())} ago)"
    gates = pod.spec.readiness_gates
    passed = sum(_has_condition(pod, gate.condition_type) for gate in gates)
    ips = pod.status.pod_ips
    return [
        pod.metadata.name,
        f"{shown.ready}/{shown.total}",
        shown.status,
        restarts,
        age(pod, now),
        (ips[0].ip if ips else pod.status.pod_ip) or NONE,
        pod.spec.node_name or NONE,
        pod.status.nominated_node_name or NONE,
        f"{passed}/{len(gates)}" if gates else NONE,
    ]


def template_row(obj: v1.PodTemplate, now: datetime) -> list[Any]:
    return [obj.metadata.name, *containers(obj.template.spec), labels(obj.template.metadata.labels)]


_DONE = {
    "Succeeded": TableRowCondition(
        type="Completed", status="True", reason="Succeeded", message="The pod has completed successfully."
    ),
    "Failed": TableRowCondition(type="Completed", status="True", reason="Failed", message="The pod failed."),
}


def conditions(pod: v1.Pod) -> list[TableRowCondition]:
    """A pod that is done is a completed row, which kubectl can leave out."""
    found = _DONE.get(pod.status.phase)
    return [found] if found is not None else []


POD = Printer(COLUMNS, row, conditions=conditions)
POD_TEMPLATE = Printer(("Name", "Containers", "Images", "Pod Labels"), template_row)
