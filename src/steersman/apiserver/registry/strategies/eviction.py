"""``pods/eviction``: a pod is deleted where its disruption budget allows it (``policy/v1``, KEP-3017, KEP-85).

A budget's ``disruptionsAllowed`` is spent by compare-and-swap before the pod goes; the pod's name in ``disruptedPods``
tells the disruption controller that the loss has been counted.
"""

from __future__ import annotations

from typing import Any

import msgspec

from steersman.api.errors import (
    MODIFIED,
    StatusError,
    bad_request,
    conflict,
    forbidden,
    is_conflict,
    not_found,
    timeout,
    too_many_requests,
)
from steersman.api.selectors import from_label_selector
from steersman.api.types import core_v1 as v1
from steersman.api.types import policy_v1
from steersman.api.types.meta_v1 import Condition, DeleteOptions, Preconditions, Status, StatusCause, StatusDetails
from steersman.apiserver.admission.plugin import Request
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.deletion import check_options, check_preconditions
from steersman.apiserver.registry.strategy import Handlers

from .conditions import is_ready, set_condition

MAX_DISRUPTED_PODS = 2000
ATTEMPTS = 20
"""How often an eviction that races with others is tried again."""

_ALLOWED = "DisruptionAllowed"


async def evict(cluster: Handlers, context: Context, namespace: str, name: str, eviction: policy_v1.Eviction) -> Status:
    """Evict a pod, or say why not."""
    if eviction.metadata.name != name:
        raise bad_request("name in URL does not match name in Eviction object")
    dry_run = context.dry_run or bool(eviction.delete_options is not None and eviction.delete_options.dry_run)
    pods = cluster.handler_of(v1.Pod)
    request = Request(
        "CREATE", pods.resource, "eviction", namespace, name, eviction, None, context.user,
        dry_run=dry_run, warnings=context.warnings,
        annotations=context.annotations, field_manager=context.field_manager,
    )  # fmt: skip
    await cluster.admission.mutate(request)
    options = eviction.delete_options or DeleteOptions()
    check_options(options)
    if dry_run and not options.dry_run:
        options = msgspec.structs.replace(options, dry_run=["All"])
    await cluster.admission.validate(request)
    for _ in range(ATTEMPTS):
        pod = await cluster.get(v1.Pod, name, namespace)
        if pod is None:
            raise not_found("pods", name)
        if not goes_freely(pod):
            break
        try:
            await _remove(cluster, context, pod, _pinned(options, pod) if _may_become_healthy(pod) else options)
        except StatusError as error:
            if not is_conflict(error) or _version(options):
                raise
            continue
        return Status(status="Success", code=201)
    else:
        raise conflict("pods", name, MODIFIED)
    budget = await _budget(cluster, pod)
    if budget is None:
        await _remove(cluster, context, pod, options)
    elif counts_for_nothing(pod, budget):
        try:
            await _remove(cluster, context, pod, _pinned(options, pod))
        except StatusError as error:
            if not is_conflict(error) or _version(options):
                raise
            raise _still_processed(budget) from error
    else:
        await _spend(cluster, budget, name, dry_run=bool(options.dry_run))
        await _remove(cluster, context, pod, options)
    return Status(status="Success", code=201)


def goes_freely(pod: v1.Pod) -> bool:
    """Whether no budget counts a pod: it has ended, has not begun, or is going already."""
    return pod.status.phase in ("Succeeded", "Failed", "Pending") or pod.metadata.deletion_timestamp is not None


def counts_for_nothing(pod: v1.Pod, budget: policy_v1.PodDisruptionBudget) -> bool:
    """Whether an unhealthy pod may go without the budget losing anything (``unhealthyPodEvictionPolicy``)."""
    if is_ready(pod):
        return False
    if budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return True
    return budget.status.current_healthy >= budget.status.desired_healthy > 0


def _may_become_healthy(pod: v1.Pod) -> bool:
    return pod.status.phase == "Pending" and pod.metadata.deletion_timestamp is None


def _version(options: DeleteOptions) -> str:
    return options.preconditions.resource_version if options.preconditions is not None else ""


def _pinned(options: DeleteOptions, pod: v1.Pod) -> DeleteOptions:
    """Options under which the pod only goes as it has been judged."""
    return options if _version(options) else _at(options, pod)


def _at(options: DeleteOptions, pod: v1.Pod) -> DeleteOptions:
    uid = options.preconditions.uid if options.preconditions is not None else ""
    wanted = Preconditions(uid=uid, resource_version=pod.metadata.resource_version)
    return msgspec.structs.replace(options, preconditions=wanted)


async def _remove(cluster: Handlers, context: Context, pod: v1.Pod, options: DeleteOptions) -> None:
    """Say on the pod that it is evicted, then delete it."""
    pods, name, namespace = cluster.handler_of(v1.Pod), pod.metadata.name, pod.metadata.namespace
    now = cluster.now()

    def mark(obj: v1.Pod) -> None:
        meta = obj.metadata
        if (error := check_preconditions(pods.resource, meta, int(meta.resource_version), options)) is not None:
            raise error
        evicted = v1.PodCondition(
            type="DisruptionTarget",
            status="True",
            reason="EvictionByEvictionAPI",
            message="Eviction API: evicting",
            last_transition_time=now,
            observed_generation=obj.metadata.generation,
        )
        set_condition(obj.status.conditions, evicted)

    if not options.dry_run:
        marked = await pods.amend(namespace, name, mark)
        if _version(options):
            options = _at(options, marked.object)
    await pods.delete(context, namespace, name, options)


async def _budget(cluster: Handlers, pod: v1.Pod) -> policy_v1.PodDisruptionBudget | None:
    budgets = [
        each
        for each in await cluster.list(policy_v1.PodDisruptionBudget, pod.metadata.namespace)
        if _selects(each, pod.metadata.labels)
    ]
    if len(budgets) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise StatusError(Status(status="Failure", code=500, message=message))
    return budgets[0] if budgets else None


def _selects(budget: policy_v1.PodDisruptionBudget, labels: dict[str, str]) -> bool:
    """An absent selector chooses nothing, an empty one everything; one that cannot be read, nothing."""
    if budget.spec.selector is None:
        return False
    try:
        return from_label_selector(budget.spec.selector).matches(labels)
    except ValueError:
        return False


async def _spend(cluster: Handlers, budget: policy_v1.PodDisruptionBudget, pod: str, *, dry_run: bool) -> None:
    now = cluster.now()

    def spend(obj: policy_v1.PodDisruptionBudget) -> None:
        if (error := exhausted(obj)) is not None:
            raise error
        status = obj.status
        status.disruptions_allowed -= 1
        if status.disruptions_allowed == 0:
            _disallow(obj, now)
        status.disrupted_pods[pod] = now

    handler = cluster.handler_of(policy_v1.PodDisruptionBudget)
    try:
        await handler.amend(budget.metadata.namespace, budget.metadata.name, spend, dry_run=dry_run)
    except StatusError as error:
        if not is_conflict(error):
            raise
        detail = f'couldn\'t update PodDisruptionBudget "{budget.metadata.name}" due to conflicts'
        raise timeout("", "", detail, 10) from error


def exhausted(budget: policy_v1.PodDisruptionBudget) -> StatusError | None:
    """Why a budget allows no disruption; None where it does."""
    name, status = budget.metadata.name, budget.status
    if (status.observed_generation or 0) < (budget.metadata.generation or 0):
        return _still_processed(budget)
    for wrong, detail in (
        (status.disruptions_allowed < 0, "pdb disruptions allowed is negative"),
        (
            len(status.disrupted_pods) > MAX_DISRUPTED_PODS,
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        ),
    ):
        if wrong:
            return forbidden("poddisruptionbudget", name, detail, "policy")
    if status.disruptions_allowed > 0:
        return None
    failed = next((each for each in status.conditions if each.type == _ALLOWED and each.reason == "SyncFailed"), None)
    if failed is not None and failed.status == "False" and failed.message:
        return _refusal(
            f"The disruption budget {name} does not allow evicting pods currently because it failed sync: "
            f"{failed.message}"
        )
    if status.current_healthy <= status.desired_healthy:
        return _refusal(
            f"The disruption budget {name} needs {status.desired_healthy} healthy pods "
            f"and has {status.current_healthy} currently"
        )
    return _refusal(f"The disruption budget {name} does not allow evicting pods currently")


def _disallow(budget: policy_v1.PodDisruptionBudget, now: Any) -> None:
    """Set the condition that the last disruption leaves behind."""
    condition = Condition(
        type=_ALLOWED,
        status="False",
        reason="InsufficientPods",
        last_transition_time=now,
        observed_generation=budget.status.observed_generation,
    )
    conditions = budget.status.conditions
    for index, each in enumerate(conditions):
        if each.type == _ALLOWED:
            if each.status == condition.status:
                condition.last_transition_time = each.last_transition_time
            conditions[index] = condition
            return
    conditions.append(condition)


def _still_processed(budget: policy_v1.PodDisruptionBudget) -> StatusError:
    text = f"The disruption budget {budget.metadata.name} is still being processed by the server."
    return _refusal(text, retry_after_seconds=10)


def _refusal(cause: str, retry_after_seconds: int = 0) -> StatusError:
    error = too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.")
    error.status.details = StatusDetails(
        causes=[StatusCause(reason="DisruptionBudget", message=cause)],
        retry_after_seconds=retry_after_seconds or None,
    )
    return error
