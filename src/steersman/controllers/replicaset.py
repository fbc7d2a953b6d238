"""Keeps as many pods as a replica set asks for.

The pods are those the selector chooses and the replica set controls; matching orphans are adopted.  Creation
starts slowly (1, 2, 4, …) so that a template that quota refuses costs one request, not five hundred.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

import msgspec

from steersman.api import selectors
from steersman.api.errors import StatusError, is_already_exists, is_not_found
from steersman.api.types.apps_v1 import ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from steersman.api.types.core_v1 import Pod
from steersman.api.types.meta_v1 import DeleteOptions, Preconditions
from steersman.client.informer import Informer, object_key, split_key

from .census import Census
from .kit import Controller, ControllerContext, Expectations, claim, controller_of
from .kit.conditions import condition
from .kit.ownership import by_controller
from .kit.pods import available_in, deletion_order, from_template, is_active
from .kit.refusals import harmless

BURST = 500
SLOW_START = 1
AT_ONCE = 32
"""So many creations at a time: more would keep the loop from everybody else for longer, and not be done sooner."""


def available(pods: Iterable[Pod], min_ready_seconds: int, instant: datetime) -> tuple[int, float | None]:
    """How many active pods are available, and after how many seconds the next one becomes so by itself."""
    count, wait = 0, None
    for pod in pods:
        remaining = available_in(pod, min_ready_seconds, instant) if is_active(pod) else None
        if remaining is None:
            continue
        count += remaining == 0
        if remaining and (wait is None or remaining < wait):
            wait = remaining
    return count, wait


def compute_status(
    replica_set: ReplicaSet, census: Census, available: int, failure: tuple[str, str] | None, instant: datetime
) -> ReplicaSetStatus:
    """The status that the pods amount to; ``failure`` is the reason and message of what just went wrong, if it did."""
    conditions = [item for item in replica_set.status.conditions if item.type != "ReplicaFailure"]
    if failure is not None:
        present = condition(replica_set.status.conditions, "ReplicaFailure")
        wanted = ReplicaSetCondition(
            type="ReplicaFailure", status="True", reason=failure[0], message=failure[1], last_transition_time=instant
        )
        if present is not None and present.reason == wanted.reason:
            wanted.last_transition_time = present.last_transition_time
        conditions.append(wanted)
    return ReplicaSetStatus(
        replicas=census.replicas,
        fully_labeled_replicas=census.labeled or None,
        ready_replicas=census.ready or None,
        available_replicas=available or None,
        terminating_replicas=census.terminating,
        observed_generation=replica_set.metadata.generation,
        conditions=conditions,
    )


async def slow_start(count: int, create: Callable[[], Awaitable[None]]) -> int:
    """Call ``create`` up to ``count`` times in batches that double up to :data:`AT_ONCE`; how often it succeeded.

    A batch in which one failed is the last; its first error is raised with ``completed`` calls noted on it.
    """
    completed, batch = 0, SLOW_START
    while completed < count:
        size = min(batch, count - completed)
        results = await asyncio.gather(*(create() for _ in range(size)), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        completed += size - len(failures)
        if failures:
            raise PartialSuccess(completed) from failures[0]
        batch = min(batch * 2, AT_ONCE)
    return completed


class PartialSuccess(Exception):
    """Some of many calls failed; the first error is the cause."""

    def __init__(self, completed: int) -> None:
        super().__init__(f"{completed} succeeded")
        self.completed = completed


class ReplicaSetController(Controller):
    """Keys are replica sets."""

    name = "replicaset-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.expectations = Expectations(context.clock)
        self._censuses: dict[str, Census] = {}
        """By the replica set's uid: of those that have been looked at."""
        self.replica_sets: Informer[ReplicaSet] = self.watch(ReplicaSet, lambda obj: [object_key(obj)])
        self.pods: Informer[Pod] = context.informers.informer(Pod)
        self.pods.lister.add_index("controller", by_controller)
        self.listen(self.pods, self._pod_added, self._pod_updated, self._pod_deleted)
        self.listen(self.replica_sets, on_update=self._replaced, on_delete=self._gone)

    def _replaced(self, old: ReplicaSet, new: ReplicaSet) -> None:
        if old.metadata.uid != new.metadata.uid:
            self._gone(old)

    def _gone(self, replica_set: ReplicaSet) -> None:
        """What was expected for this one must not hold up another that gets its name before we look."""
        self.expectations.forget(object_key(replica_set))
        self._censuses.pop(replica_set.metadata.uid, None)

    def _count(self, pod: Pod, *, gone: bool = False) -> None:
        """Have a pod counted for the replica set that controls it."""
        reference = controller_of(pod.metadata)
        if reference is not None and (census := self._censuses.get(reference.uid)) is not None:
            if gone:
                census.drop(pod)
            else:
                census.put(pod)

    def _owner(self, pod: Pod) -> str | None:
        """The key of the replica set that controls a pod."""
        reference = controller_of(pod.metadata)
        if reference is None or reference.kind != "ReplicaSet":
            return None
        owner = self.replica_sets.lister.get(reference.name, pod.metadata.namespace)
        if owner is not None and owner.metadata.uid != reference.uid:
            return None
        return f"{pod.metadata.namespace}/{reference.name}"

    def _orphaned(self, pod: Pod) -> None:
        for candidate in self.replica_sets.lister.list(pod.metadata.namespace):
            selector = selectors.from_label_selector(candidate.spec.selector)
            if not selector.empty and selector.matches(pod.metadata.labels):
                self.queue.add(object_key(candidate))

    def _pod_added(self, pod: Pod) -> None:
        self._count(pod)
        if pod.metadata.deletion_timestamp is not None:
            self._leaves(pod)
        elif (key := self._owner(pod)) is not None:
            self.expectations.creation_observed(key)
            self.queue.add(key)
        elif controller_of(pod.metadata) is None:
            self._orphaned(pod)

    def _pod_updated(self, old: Pod, new: Pod) -> None:
        if old.metadata.uid != new.metadata.uid:  # deleted and made anew between two lists
            self._pod_deleted(old)
            self._pod_added(new)
            return
        if old.metadata.owner_references != new.metadata.owner_references:
            self._count(old, gone=True)
        self._count(new)
        if new.metadata.deletion_timestamp is not None:
            # For the purpose of replacing it, a pod is gone when its deletion begins.
            self._leaves(new)
            return
        old_key, key = self._owner(old), self._owner(new)
        if old_key is not None and old_key != key:
            self.queue.add(old_key)
        if key is not None:
            self.queue.add(key)
        elif controller_of(new.metadata) is None and (
            old_key is not None or old.metadata.labels != new.metadata.labels
        ):
            self._orphaned(new)

    def _pod_deleted(self, pod: Pod) -> None:
        self._count(pod, gone=True)
        self._leaves(pod)

    def _leaves(self, pod: Pod) -> None:
        if (key := self._owner(pod)) is not None:
            self.expectations.deletion_observed(key, pod.metadata.uid)
            self.queue.add(key)

    async def reconcile(self, key: str) -> float | None:
        replica_set = self.replica_sets.lister.by_key(key)
        if replica_set is None:
            self.expectations.forget(key)
            return None
        satisfied = self.expectations.satisfied(key)
        selector = selectors.from_label_selector(replica_set.spec.selector)
        orphans = [pod for pod in self.pods.lister.by_index("controller", f"{split_key(key)[0]}/") if is_active(pod)]
        census = self._census(replica_set)
        if orphans or census.strangers:
            claimed = await claim(self.client, replica_set, [*self._controlled(replica_set), *orphans], selector)
            census = Census(replica_set, claimed)  # whom it has adopted just now, the watch tells later
        failure: tuple[str, str] | None = None
        error: BaseException | None = None
        if satisfied and replica_set.metadata.deletion_timestamp is None:
            difference = (1 if replica_set.spec.replicas is None else replica_set.spec.replicas) - census.replicas
            try:
                if difference > 0:
                    await self._create(key, replica_set, min(difference, BURST))
                elif difference < 0:
                    await self._delete(key, replica_set, min(-difference, BURST))
            except PartialSuccess as partial:
                error = partial.__cause__
                # A generated name that was taken is tried again; in a namespace that goes nothing is.
                if isinstance(error, StatusError) and harmless(error) and not is_already_exists(error):
                    error = None
                if error is not None:
                    failure = ("FailedCreate" if difference > 0 else "FailedDelete", str(error))
        elif (present := condition(replica_set.status.conditions, "ReplicaFailure")) is not None:
            failure = (present.reason, present.message)
        ready, wait = census.ready, None
        if replica_set.spec.min_ready_seconds:
            ready, wait = available(
                self._controlled(replica_set), replica_set.spec.min_ready_seconds, self.context.now()
            )
        status = compute_status(replica_set, census, ready, failure, self.context.now())
        if status != replica_set.status:
            await self.client.update(msgspec.structs.replace(replica_set, status=status), subresource="status")
        if error is not None:
            raise error
        return wait

    def _census(self, replica_set: ReplicaSet) -> Census:
        """The present one; what it judges by is the replica set's as it is now."""
        uid = replica_set.metadata.uid
        census = self._censuses.get(uid)
        if census is None or census.generation != replica_set.metadata.generation:
            census = self._censuses[uid] = Census(replica_set, self._controlled(replica_set))
        return census

    def _controlled(self, replica_set: ReplicaSet) -> list[Pod]:
        return self.pods.lister.by_index("controller", replica_set.metadata.uid)

    async def _create(self, key: str, replica_set: ReplicaSet, count: int) -> None:
        self.expectations.expect_creations(key, count)
        attempted = 0

        async def create() -> None:
            nonlocal attempted
            attempted += 1
            try:
                pod = await self.client.create(from_template(replica_set.spec.template, replica_set))
            except StatusError as error:
                self.expectations.creation_observed(key)
                if not harmless(error):
                    self.recorder.event(replica_set, "Warning", "FailedCreate", f"Error creating: {error}")
                raise
            except BaseException:
                self.expectations.creation_observed(key)
                raise
            message = f"Created pod: {pod.metadata.name}"
            self.recorder.event(replica_set, "Normal", "SuccessfulCreate", message)

        try:
            await slow_start(count, create)
        finally:
            self.expectations.creation_observed(key, count - attempted)

    async def _delete(self, key: str, replica_set: ReplicaSet, count: int) -> None:
        selector = selectors.from_label_selector(replica_set.spec.selector)
        pods = self._controlled(replica_set)
        active = [pod for pod in pods if is_active(pod) and selector.matches(pod.metadata.labels)]
        doomed = deletion_order(active, self._related(replica_set, active), self.context.now())[:count]
        self.expectations.expect_deletions(key, [pod.metadata.uid for pod in doomed])

        async def delete(pod: Pod) -> None:
            metadata = pod.metadata
            options = DeleteOptions(preconditions=Preconditions(uid=metadata.uid))
            try:
                await self.client.delete(Pod, metadata.name, metadata.namespace, options=options)
            except StatusError as error:
                self.expectations.deletion_observed(key, metadata.uid)
                if is_not_found(error) or error.reason == "Conflict":
                    return
                self.recorder.event(replica_set, "Warning", "FailedDelete", f"Error deleting: {error}")
                raise
            except BaseException:
                self.expectations.deletion_observed(key, metadata.uid)
                raise
            self.recorder.event(replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {metadata.name}")

        results = await asyncio.gather(*(delete(pod) for pod in doomed), return_exceptions=True)
        if failures := [result for result in results if isinstance(result, BaseException)]:
            raise PartialSuccess(len(results) - len(failures)) from failures[0]

    def _related(self, replica_set: ReplicaSet, active: list[Pod]) -> list[Pod]:
        """The pods of all replica sets of the same owner: they tell which nodes are crowded."""
        reference = controller_of(replica_set.metadata)
        if reference is None:
            return active
        related: list[Pod] = []
        for sibling in self.replica_sets.lister.list(replica_set.metadata.namespace):
            owner = controller_of(sibling.metadata)
            if owner is not None and owner.uid == reference.uid:
                related += filter(is_active, self.pods.lister.by_index("controller", sibling.metadata.uid))
        return related
