"""``pods/eviction`` and ``pods/binding``: what a budget allows, what a pod can be assigned to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import core_v1 as v1
from steersman.api.types import policy_v1
from steersman.api.types.meta_v1 import Condition, DeleteOptions, LabelSelector, ObjectMeta, Preconditions
from steersman.client.local import LocalClient

from .conftest import pod

DISRUPTION = "Cannot evict pod as it would violate the pod's disruption budget."


async def running(client: LocalClient, name: str = "p", *, ready: bool = True, phase: str = "Running") -> v1.Pod:
    wanted = pod(name, node_name="n")
    wanted.metadata.labels = {"app": "x"}
    created = codecs.copy(await client.create(wanted))
    created.status.phase = phase
    created.status.conditions = [v1.PodCondition(type="Ready", status=str(ready))]
    return await client.update(created, subresource="status")


async def budget(client: LocalClient, name: str = "b", policy: str = "", **status: Any) -> None:
    spec = policy_v1.PodDisruptionBudgetSpec(selector=LabelSelector(match_labels={"app": "x"}), min_available=1)
    spec.unhealthy_pod_eviction_policy = policy
    meta = ObjectMeta(name=name, namespace="default")
    created = codecs.copy(await client.create(policy_v1.PodDisruptionBudget(metadata=meta, spec=spec)))
    created.status = policy_v1.PodDisruptionBudgetStatus(**{"observed_generation": 1, **status})
    await client.update(created, subresource="status")


async def evict(client: LocalClient, name: str = "p", options: DeleteOptions | None = None) -> StatusError | None:
    eviction = policy_v1.Eviction(metadata=ObjectMeta(name=name, namespace="default"), delete_options=options)
    try:
        await client.create_subresource(v1.Pod, name, "eviction", eviction, "default")
    except StatusError as error:
        return error
    return None


async def is_going(client: LocalClient, name: str = "p") -> bool:
    found = await client.get(v1.Pod, name, "default")
    target = [(each.reason, each.message) for each in found.status.conditions if each.type == "DisruptionTarget"]
    going = found.metadata.deletion_timestamp is not None
    assert target == ([("EvictionByEvictionAPI", "Eviction API: evicting")] if going else [])
    return going


FAILED = Condition(
    type="DisruptionAllowed",
    status="False",
    reason="SyncFailed",
    message="no scale",
    last_transition_time=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("status", "cause", "retry"),
    [
        (
            {"current_healthy": 1, "desired_healthy": 2},
            "The disruption budget b needs 2 healthy pods and has 1 currently",
            None,
        ),
        (
            {"current_healthy": 3, "desired_healthy": 2},
            "The disruption budget b does not allow evicting pods currently",
            None,
        ),
        (
            {"conditions": [FAILED]},
            "The disruption budget b does not allow evicting pods currently because it failed sync: no scale",
            None,
        ),
        ({"observed_generation": 0}, "The disruption budget b is still being processed by the server.", 10),
    ],
)
async def test_a_budget_that_allows_nothing(
    client: LocalClient, status: dict[str, Any], cause: str, retry: int | None
) -> None:
    await running(client)
    await budget(client, **status)
    error = await evict(client)
    assert error is not None
    assert (error.code, error.reason, error.status.message) == (429, "TooManyRequests", DISRUPTION)
    details = error.status.details
    assert details is not None
    assert [(each.reason, each.message) for each in details.causes] == [("DisruptionBudget", cause)]
    assert details.retry_after_seconds == retry
    assert not await is_going(client)


async def test_the_last_disruption(client: LocalClient) -> None:
    """Two evictions, one disruption: one goes, and the budget says that it is spent."""
    await asyncio.gather(*(running(client, name) for name in ("p", "q")))
    await budget(client, disruptions_allowed=1, current_healthy=2, desired_healthy=1)
    errors = await asyncio.gather(evict(client, "p"), evict(client, "q"))
    assert sorted(error.code if error else 0 for error in errors) == [0, 429]
    gone = [name for name, error in zip("pq", errors, strict=True) if error is None]
    assert [name for name in "pq" if await is_going(client, name)] == gone
    spent = (await client.get(policy_v1.PodDisruptionBudget, "b", "default")).status
    assert (spent.disruptions_allowed, list(spent.disrupted_pods)) == (0, gone)
    assert [(each.type, each.status, each.reason) for each in spent.conditions] == [
        ("DisruptionAllowed", "False", "InsufficientPods")
    ]


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        ({"disruptions_allowed": -1}, "pdb disruptions allowed is negative"),
        (
            {"disrupted_pods": {f"p{number}": "2026-01-01T00:00:00Z" for number in range(2001)}},
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        ),
    ],
)
def test_a_budget_that_makes_no_sense(status: dict[str, Any], detail: str) -> None:
    from steersman.apiserver.registry.strategies.eviction import exhausted

    found = policy_v1.PodDisruptionBudget(metadata=ObjectMeta(name="b"))
    found.status = policy_v1.PodDisruptionBudgetStatus(**status)
    error = exhausted(found)
    assert error is not None
    assert (error.code, error.status.message) == (403, f'poddisruptionbudget.policy "b" is forbidden: {detail}')


@pytest.mark.parametrize(
    ("policy", "current", "desired", "code"),
    [
        ("", 2, 2, 0),
        ("", 1, 2, 429),
        ("", 0, 0, 429),
        ("IfHealthyBudget", 1, 2, 429),
        ("AlwaysAllow", 1, 2, 0),
    ],
)
async def test_unhealthy_pods(client: LocalClient, policy: str, current: int, desired: int, code: int) -> None:
    await running(client, ready=False)
    await budget(client, policy=policy, current_healthy=current, desired_healthy=desired)
    error = await evict(client)
    assert (error.code if error else 0) == code
    assert await is_going(client) == (code == 0)
    assert (await client.get(policy_v1.PodDisruptionBudget, "b", "default")).status.disrupted_pods == {}


@pytest.mark.parametrize("phase", ["Pending", "Running"])
async def test_pods_that_no_budget_counts(client: LocalClient, phase: str) -> None:
    """A pending pod goes although there are two budgets that allow nothing; a running one gets a 500."""
    await running(client, phase=phase)
    await budget(client)
    await budget(client, "c")
    error = await evict(client)
    if phase == "Pending":
        assert error is None
        assert await is_going(client)
        assert await evict(client) is None, "one that is going already"
        return
    assert error is not None
    assert error.code == 500
    assert error.status.message == (
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    )


async def test_a_pod_that_has_ended_is_gone_at_once(client: LocalClient) -> None:
    await running(client, phase="Succeeded")
    await budget(client)
    assert await evict(client) is None
    with pytest.raises(StatusError, match="not found"):
        await client.get(v1.Pod, "p", "default")


async def test_the_options_of_the_deletion_count(client: LocalClient) -> None:
    present = await running(client)
    for wrong in (Preconditions(uid="other"), Preconditions(resource_version="1")):
        error = await evict(client, options=DeleteOptions(preconditions=wrong))
        assert error is not None
        assert error.code == 409
        assert not await is_going(client)
    for dry in (DeleteOptions(dry_run=["All"]), DeleteOptions(dry_run=["Some"])):
        error = await evict(client, options=dry)
        assert (error.code if error else 0) == (0 if dry.dry_run == ["All"] else 422)
        assert not await is_going(client)
    right = Preconditions(uid=present.metadata.uid, resource_version=present.metadata.resource_version)
    assert await evict(client, options=DeleteOptions(grace_period_seconds=7, preconditions=right)) is None
    assert (await client.get(v1.Pod, "p", "default")).metadata.deletion_grace_period_seconds == 7


async def test_an_eviction_names_its_pod(client: LocalClient) -> None:
    with pytest.raises(StatusError) as error:
        await client.create_subresource(v1.Pod, "p", "eviction", policy_v1.Eviction(), "default")
    assert (error.value.code, error.value.status.message) == (400, "name in URL does not match name in Eviction object")


@pytest.mark.parametrize(
    ("meta", "target", "code", "message"),
    [
        ({"name": "q"}, {"name": "n"}, 400, "name in URL does not match name in Binding object"),
        ({}, {}, 422, "target.name: Required value"),
        ({}, {"name": "n", "kind": "Pod"}, 422, 'target.kind: Unsupported value: "Pod": supported values'),
        ({"uid": "u"}, {"name": "n"}, 409, "Precondition failed: UID in precondition: u, UID in object meta: "),
        ({"resource_version": "1"}, {"name": "n"}, 409, "Precondition failed: ResourceVersion in precondition: 1,"),
    ],
)
async def test_bindings_that_are_refused(
    client: LocalClient, meta: dict[str, Any], target: dict[str, Any], code: int, message: str
) -> None:
    await client.create(pod())
    binding = v1.Binding(metadata=ObjectMeta(**{"name": "p", **meta}), target=v1.ObjectReference(**target))
    with pytest.raises(StatusError) as error:
        await client.create_subresource(v1.Pod, "p", "binding", binding, "default")
    assert error.value.code == code
    assert message in error.value.status.message


async def test_a_gated_pod_is_not_bound(client: LocalClient) -> None:
    await client.create(pod(scheduling_gates=[v1.PodSchedulingGate(name="example.com/wait")]))
    binding = v1.Binding(metadata=ObjectMeta(name="p"), target=v1.ObjectReference(name="n"))
    with pytest.raises(StatusError) as error:
        await client.create_subresource(v1.Pod, "p", "binding", binding, "default")
    assert error.value.status.message == (
        'Operation cannot be fulfilled on pods/binding "p": pod p has non-empty .spec.schedulingGates'
    )


async def test_pods_are_bound_the_old_way_too(client: LocalClient) -> None:
    """On the collection of bindings: to admission that is another resource, and it adds no labels."""
    await client.create(v1.Node(metadata=ObjectMeta(name="n", labels={"topology.kubernetes.io/zone": "z"})))
    await client.create(pod())
    binding = v1.Binding(metadata=ObjectMeta(name="p", namespace="default"), target=v1.ObjectReference(name="n"))
    await client.create(binding)
    bound = await client.get(v1.Pod, "p", "default")
    assert (bound.spec.node_name, bound.metadata.labels) == ("n", {})


async def test_a_bound_pod_knows_its_zone(client: LocalClient) -> None:
    node = v1.Node(metadata=ObjectMeta(name="n", labels={"topology.kubernetes.io/zone": "z", "other": "o"}))
    await client.create(node)
    await client.create(pod())
    binding = v1.Binding(
        metadata=ObjectMeta(name="p", namespace="default", annotations={"a": "b"}, labels={"l": "m"}),
        target=v1.ObjectReference(kind="Node", name="n"),
    )
    await client.create_subresource(v1.Pod, "p", "binding", binding, "default")
    bound = await client.get(v1.Pod, "p", "default")
    assert bound.metadata.labels == {"l": "m", "topology.kubernetes.io/zone": "z"}
    assert bound.metadata.annotations == {"a": "b"}
    assert [(each.type, each.status, each.observed_generation) for each in bound.status.conditions] == [
        ("PodScheduled", "True", 1)
    ]
