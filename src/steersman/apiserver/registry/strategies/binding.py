"""``pods/binding``: a pod is assigned to a node, once."""

from __future__ import annotations

from msgspec.structs import replace

from steersman.api.errors import FieldError, bad_request, conflict, invalid, not_supported, required
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import ObjectMeta, Status
from steersman.apiserver.admission.plugin import Request
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Handlers

from .conditions import set_condition


def faults(binding: v1.Binding) -> list[FieldError]:
    """What is wrong with a binding."""
    found: list[FieldError] = []
    if binding.target.kind not in ("", "Node"):
        found.append(not_supported("target.kind", binding.target.kind, ["<empty>", "Node"]))
    if not binding.target.name:
        found.append(required("target.name"))
    return found


def refusal(pod: v1.Pod, wanted: ObjectMeta) -> str:
    """Why a pod cannot be assigned; empty where it can."""
    meta = pod.metadata
    if wanted.uid and wanted.uid != meta.uid:
        return f"Precondition failed: UID in precondition: {wanted.uid}, UID in object meta: {meta.uid}"
    if wanted.resource_version and wanted.resource_version != meta.resource_version:
        return (
            f"Precondition failed: ResourceVersion in precondition: {wanted.resource_version}, "
            f"ResourceVersion in object meta: {meta.resource_version}"
        )
    if meta.deletion_timestamp is not None:
        return f"pod {meta.name} is being deleted, cannot be assigned to a host"
    if pod.spec.node_name:
        return f'pod {meta.name} is already assigned to node "{pod.spec.node_name}"'
    if pod.spec.scheduling_gates:
        return f"pod {meta.name} has non-empty .spec.schedulingGates"
    return ""


def _assignable(pod: v1.Pod) -> v1.Pod:
    """A copy as deep as an assignment changes it."""
    meta, status = pod.metadata, pod.status
    return replace(
        pod,
        metadata=replace(meta),
        spec=replace(pod.spec),
        status=replace(status, conditions=list(status.conditions)),
    )


async def bind(
    cluster: Handlers, context: Context, namespace: str, name: str, binding: v1.Binding, *, admitted: bool = False
) -> Status:
    """Assign a pod, with the binding's annotations and those of its labels that the pod does not have."""
    wanted = binding.metadata
    if wanted.namespace and wanted.namespace != namespace:
        raise bad_request("namespace in URL does not match namespace in Binding object")
    if wanted.name != name:
        raise bad_request("name in URL does not match name in Binding object")
    if found := faults(binding):
        raise invalid("Binding", name, found)
    pods = cluster.handler_of(v1.Pod)
    if not admitted:
        request = Request(
            "CREATE", pods.resource, "binding", namespace, name, binding, None, context.user,
            dry_run=context.dry_run, warnings=context.warnings,
            annotations=context.annotations, field_manager=context.field_manager,
        )  # fmt: skip
        await cluster.admission.admit(request)
    now = cluster.now()

    def assign(pod: v1.Pod) -> None:
        if reason := refusal(pod, wanted):
            raise conflict("pods/binding", name, reason)
        meta = pod.metadata
        pod.spec.node_name = binding.target.name
        pod.status.nominated_node_name = ""
        if wanted.annotations:
            meta.annotations = {**meta.annotations, **wanted.annotations}
        if wanted.labels:
            meta.labels = {**wanted.labels, **meta.labels}
        scheduled = v1.PodCondition(
            type="PodScheduled", status="True", last_transition_time=now, observed_generation=meta.generation
        )
        set_condition(pod.status.conditions, scheduled)

    await pods.amend(namespace, name, assign, dry_run=context.dry_run, copy=_assignable)
    return Status(status="Success", code=201)
