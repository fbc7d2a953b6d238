"""Pods: status, quality of service, grace periods, binding, eviction, ephemeral containers, resizing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from steersman.api import codecs, quantity
from steersman.api.errors import (
    FieldError,
    StatusError,
    bad_request,
    conflict,
    forbidden,
    forbidden_field,
    invalid,
    invalid_value,
    not_found,
    required,
    too_many_requests,
)
from steersman.api.selectors import from_label_selector
from steersman.api.types import core_v1 as v1
from steersman.api.types import policy_v1
from steersman.api.types.meta_v1 import DeleteOptions, Status, StatusCause, StatusDetails
from steersman.apiserver.admission.plugin import Request
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Handlers, Strategy
from steersman.storage.watch_cache import Entry

_MAX_DISRUPTED_PODS = 2000


def _node_name(entry: Entry[Any]) -> str:
    name: str = entry.object.spec.node_name
    return name


class PodStrategy(Strategy):
    """Everything that is particular about pods."""

    generation = True
    indexes = {"spec.nodeName": _node_name}

    def __init__(self, resource: Any, cluster: Handlers) -> None:
        super().__init__(resource, cluster)
        self.subresources["ephemeralcontainers"] = self.prepare_ephemeral_containers
        self.subresources["resize"] = self.prepare_resize

    def prepare_create(self, context: Context, new: v1.Pod) -> None:
        new.metadata.generation = 1
        new.status = v1.PodStatus(phase="Pending", qos_class=qos_class(new.spec))
        if new.spec.scheduling_gates:
            new.status.conditions.append(
                v1.PodCondition(
                    type="PodScheduled",
                    status="False",
                    reason="SchedulingGated",
                    message="Scheduling is blocked due to non-empty scheduling gates",
                )
            )

    def prepare_update(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        new.status = old.status
        self.count_change(new, old)

    def prepare_status(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        new.spec = old.spec
        new.metadata.owner_references = old.metadata.owner_references
        status = new.status
        status.qos_class = status.qos_class or old.status.qos_class
        if status.pod_ip and not status.pod_ips:
            status.pod_ips = [v1.PodIP(ip=status.pod_ip)]
        elif status.pod_ips:
            status.pod_ip = status.pod_ips[0].ip
        if status.host_ip and not status.host_ips:
            status.host_ips = [v1.HostIP(ip=status.host_ip)]

    def prepare_ephemeral_containers(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        """Only the ephemeral containers may change."""
        wanted = new.spec.ephemeral_containers
        new.spec = codecs.copy(old.spec)
        new.spec.ephemeral_containers = wanted
        new.status = old.status
        self.count_change(new, old)

    def prepare_resize(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        """Only the resources of containers may change."""
        wanted = {each.name: each for each in (*new.spec.containers, *new.spec.init_containers)}
        pod_level = new.spec.resources
        new.spec = codecs.copy(old.spec)
        new.spec.resources = pod_level
        for each in (*new.spec.containers, *new.spec.init_containers):
            if (other := wanted.get(each.name)) is not None:
                each.resources, each.resize_policy = other.resources, other.resize_policy
        new.status = old.status
        self.count_change(new, old)

    def validate(self, context: Context, new: v1.Pod) -> list[FieldError]:
        faults = super().validate(context, new)
        if new.spec.ephemeral_containers:
            faults.append(forbidden_field("spec.ephemeralContainers", "cannot be set on create"))
        return faults

    def validate_update(self, context: Context, new: v1.Pod, old: v1.Pod, subresource: str) -> list[FieldError]:
        faults = super().validate_update(context, new, old, subresource)
        if subresource == "resize" and not faults and qos_class(new.spec) != qos_class(old.spec):
            faults.append(
                invalid_value("spec", qos_class(new.spec), "Pod QOS Class may not change as a result of resizing")
            )
        return faults

    def grace_period(self, obj: v1.Pod, asked: int | None) -> int | None:
        if not obj.spec.node_name or obj.status.phase in ("Failed", "Succeeded"):
            return 0
        period = asked if asked is not None else obj.spec.termination_grace_period_seconds
        return period if period is not None else 0

    async def create_subresource(self, context: Context, namespace: str, name: str, subresource: str, body: Any) -> Any:
        match subresource:
            case "binding":
                return await self.bind(context, namespace, name, body)
            case "eviction":
                return await self.evict(context, namespace, name, body)
        return NotImplemented

    async def bind(self, context: Context, namespace: str, name: str, binding: v1.Binding) -> Status:
        """Assign a pod to a node, once."""
        if binding.metadata.namespace and binding.metadata.namespace != namespace:
            raise bad_request("namespace in URL does not match namespace in Binding object")
        if binding.metadata.name and binding.metadata.name != name:
            raise bad_request("name in URL does not match name in Binding object")
        if not binding.target.name:
            raise invalid("Binding", name, [required("target.name")])
        if binding.target.kind not in ("", "Node"):
            raise bad_request(f"binding to {binding.target.kind} is not supported: a pod is bound to a Node")
        node, now = binding.target.name, self.cluster.clock()
        wanted = binding.metadata

        def assign(pod: v1.Pod) -> None:
            meta = pod.metadata
            refusal = ""
            if wanted.uid and wanted.uid != meta.uid:
                refusal = f"Precondition failed: UID in precondition: {wanted.uid}, UID in object meta: {meta.uid}"
            elif wanted.resource_version and wanted.resource_version != meta.resource_version:
                refusal = (
                    f"Precondition failed: ResourceVersion in precondition: {wanted.resource_version}, "
                    f"ResourceVersion in object meta: {meta.resource_version}"
                )
            elif meta.deletion_timestamp is not None:
                refusal = f"pod {name} is being deleted, cannot be assigned to a host"
            elif pod.spec.node_name:
                refusal = f'pod {name} is already assigned to node "{pod.spec.node_name}"'
            elif pod.spec.scheduling_gates:
                refusal = f"pod {name} has non-empty .spec.schedulingGates"
            if refusal:
                raise conflict("pods/binding", name, refusal)
            pod.spec.node_name = node
            pod.status.nominated_node_name = ""
            meta.annotations.update(wanted.annotations)
            scheduled = v1.PodCondition(type="PodScheduled", status="True", last_transition_time=now)
            set_condition(pod.status.conditions, scheduled)

        await self.cluster.handler_of(v1.Pod).amend(namespace, name, assign, dry_run=context.dry_run)
        return Status(status="Success", code=201)

    async def evict(self, context: Context, namespace: str, name: str, eviction: policy_v1.Eviction) -> Status:
        """Delete a pod where its disruption budget allows it (``policy/v1`` Eviction)."""
        pod = await self.cluster.get(v1.Pod, name, namespace)
        if pod is None:
            raise not_found("pods", name)
        if eviction.metadata.name and eviction.metadata.name != name:
            raise bad_request(f"name in URL does not match name in Eviction object: {name} != {eviction.metadata.name}")
        await self.cluster.admission.validate(
            Request("CREATE", self.resource, "eviction", namespace, name, eviction, None, context.user)
        )
        options = eviction.delete_options or DeleteOptions()
        dry_run = context.dry_run or bool(options.dry_run)
        pods = self.cluster.handler_of(v1.Pod)
        terminal = pod.status.phase in ("Succeeded", "Failed", "Pending") or pod.metadata.deletion_timestamp is not None
        if not terminal and (budget := await self._budget(pod)) is not None:
            ready = any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
            always = budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow"
            healthy_budget = budget.status.current_healthy >= budget.status.desired_healthy > 0
            if ready or not (always or healthy_budget):
                await self._spend(budget, name, dry_run=dry_run)
        if not dry_run and pod.metadata.deletion_timestamp is None:
            now = self.cluster.clock()

            def mark(obj: v1.Pod) -> None:
                target = v1.PodCondition(
                    type="DisruptionTarget",
                    status="True",
                    reason="EvictionByEvictionAPI",
                    message="Eviction API: evicting",
                    last_transition_time=now,
                )
                set_condition(obj.status.conditions, target)

            await pods.amend(namespace, name, mark)
        await pods.delete(context, namespace, name, options)
        return Status(status="Success", code=201)

    async def _budget(self, pod: v1.Pod) -> policy_v1.PodDisruptionBudget | None:
        budgets = [
            each
            for each in await self.cluster.list(policy_v1.PodDisruptionBudget, pod.metadata.namespace)
            if not (selector := from_label_selector(each.spec.selector)).empty and selector.matches(pod.metadata.labels)
        ]
        if len(budgets) > 1:
            message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            raise StatusError(Status(status="Failure", code=500, message=message))
        return budgets[0] if budgets else None

    async def _spend(self, budget: policy_v1.PodDisruptionBudget, pod: str, *, dry_run: bool) -> None:
        now = self.cluster.clock()

        def spend(obj: policy_v1.PodDisruptionBudget) -> None:
            status = obj.status
            if (status.observed_generation or 0) < (obj.metadata.generation or 0):
                text = f"The disruption budget {obj.metadata.name} is still being processed by the server."
                raise _refusal(text, retry_after_seconds=10)
            if len(status.disrupted_pods) > _MAX_DISRUPTED_PODS:
                detail = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
                raise forbidden("poddisruptionbudget", obj.metadata.name, detail, "policy")
            if status.disruptions_allowed <= 0:
                raise _refusal(
                    f"The disruption budget {obj.metadata.name} needs {status.desired_healthy} healthy pods "
                    f"and has {status.current_healthy} currently"
                )
            status.disruptions_allowed -= 1
            status.disrupted_pods[pod] = now

        handler = self.cluster.handler_of(policy_v1.PodDisruptionBudget)
        await handler.amend(budget.metadata.namespace, budget.metadata.name, spend, dry_run=dry_run)


def _refusal(cause: str, retry_after_seconds: int = 0) -> StatusError:
    error = too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.")
    error.status.details = StatusDetails(
        causes=[StatusCause(reason="DisruptionBudget", message=cause)],
        retry_after_seconds=retry_after_seconds or None,
    )
    return error


def set_condition(conditions: list[v1.PodCondition], condition: v1.PodCondition) -> None:
    """Add a condition, or replace the one of its type."""
    for index, each in enumerate(conditions):
        if each.type == condition.type:
            if each.status == condition.status and each.last_transition_time is not None:
                condition.last_transition_time = each.last_transition_time
            conditions[index] = condition
            return
    conditions.append(condition)


_COMPUTE = ("cpu", "memory")


def qos_class(spec: v1.PodSpec) -> str:
    """``Guaranteed``, ``Burstable`` or ``BestEffort``, from the requests and limits of cpu and memory."""
    resources: Iterable[v1.ResourceRequirements]
    if spec.resources is not None and (spec.resources.requests or spec.resources.limits):
        resources = [spec.resources]
    else:
        resources = [each.resources for each in (*spec.containers, *spec.init_containers)]
    guaranteed, anything = True, False
    for each in resources:
        for name in _COMPUTE:
            request, limit = each.requests.get(name), each.limits.get(name)
            asked = quantity.parse(request) if request else 0
            capped = quantity.parse(limit) if limit else 0
            anything = anything or asked > 0 or capped > 0
            guaranteed = guaranteed and capped > 0 and asked == capped
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
