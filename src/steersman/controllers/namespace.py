"""Empties namespaces that are being deleted, then lets them go.

The order: pods first, so that nothing they use vanishes under them (KEP-5080); then everything else that is
namespaced.  What remains (finalizers, grace periods) is told in the namespace's conditions.  Only when nothing is
left, the ``kubernetes`` finalizer is taken off ``spec.finalizers``.  Interrupted anywhere, it begins again: every
step asks for what is there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.errors import StatusError, is_conflict, is_not_found, service_unavailable
from steersman.api.scheme import Resource, Scheme
from steersman.api.types.core_v1 import Namespace, NamespaceCondition, Pod
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.client.informer import Informer

from .kit import Controller, ControllerContext

FINALIZER = "kubernetes"

FIRST_WAIT, LONGEST_WAIT = 0.25, 15.0
"""Seconds until a namespace that is not empty yet is looked at again; the wait doubles."""


class Remainder(msgspec.Struct):
    """What is left in a namespace after an attempt to empty it."""

    instances: Counter[str] = msgspec.field(default_factory=Counter)
    """By qualified resource name."""
    finalizers: Counter[str] = msgspec.field(default_factory=Counter)
    failures: list[str] = msgspec.field(default_factory=list)
    grace: float = 0.0
    """The seconds that the slowest pod still has."""
    undiscovered: Mapping[str, str] = {}
    """Group-versions of which nobody knows what they have in the namespace, and why."""

    @property
    def empty(self) -> bool:
        """Whether the namespace may go."""
        return not self.instances and not self.failures and not self.undiscovered


def deletable(scheme: Scheme) -> list[Resource[Any]]:
    """The namespaced resources that hold objects, each once though several versions may serve it."""
    chosen: dict[str, Resource[Any]] = {}
    for resource in scheme:
        if not resource.namespaced or not resource.served or not {"list", "delete"} <= set(resource.verbs):
            continue
        prefix = resource.storage_prefix
        if prefix not in chosen or resource.group_version == resource.storage_version:
            chosen[prefix] = resource
    return sorted(chosen.values(), key=lambda resource: (resource.group, resource.name))


def conditions(remainder: Remainder) -> list[NamespaceCondition]:
    """The conditions that tell people what keeps the namespace, False where nothing does."""
    content = finalizers = deletion = discovery = None
    if remainder.undiscovered:
        discovery = "Discovery failed for some groups, {} failing: {}: {}".format(
            len(remainder.undiscovered),
            "unable to retrieve the complete list of server APIs",
            ", ".join(f"{name}: {why}" for name, why in sorted(remainder.undiscovered.items())),
        )
    if remainder.failures:
        deletion = "Failed to delete all resource types, {} remaining: {}".format(
            len(remainder.failures), ", ".join(sorted(remainder.failures))
        )
    if remainder.instances:
        content = "Some resources are remaining: " + ", ".join(
            f"{name} has {count} resource instances" for name, count in sorted(remainder.instances.items())
        )
    if remainder.finalizers:
        finalizers = "Some content in the namespace has finalizers remaining: " + ", ".join(
            f"{name} in {count} resource instances" for name, count in sorted(remainder.finalizers.items())
        )
    rows = (
        (
            "NamespaceDeletionDiscoveryFailure",
            discovery,
            "DiscoveryFailed",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            "",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            deletion,
            "ContentDeletionFailed",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            content,
            "SomeResourcesRemain",
            "ContentRemoved",
            "All content successfully removed",
        ),
        (
            "NamespaceFinalizersRemaining",
            finalizers,
            "SomeFinalizersRemain",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        ),
    )
    return [
        NamespaceCondition(type=type_, status="True", reason=bad, message=message)
        if message is not None
        else NamespaceCondition(type=type_, status="False", reason=good, message=fine)
        for type_, message, bad, good, fine in rows
    ]


def apply_conditions(namespace: Namespace, wanted: list[NamespaceCondition], instant: datetime) -> bool:
    """Put conditions into a namespace (a copy of one's own); whether anything changed."""
    changed = False
    present = {item.type: item for item in namespace.status.conditions}
    for item in wanted:
        old = present.get(item.type)
        if old is not None and (old.status, old.reason, old.message) == (item.status, item.reason, item.message):
            continue
        changed = True
        item.last_transition_time = (
            old.last_transition_time if old is not None and old.status == item.status else instant
        )
        if old is None:
            namespace.status.conditions.append(item)
        else:
            namespace.status.conditions[namespace.status.conditions.index(old)] = item
    return changed


class NamespaceController(Controller):
    """Keys are names of namespaces."""

    name = "namespace-controller"
    workers = 10

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.waits: dict[str, float] = {}
        """By uid: how long a namespace waited last; one that somebody's finalizer keeps must not be polled for ever."""
        self.namespaces: Informer[Namespace] = self.watch(Namespace, lambda obj: [obj.metadata.name])
        self.listen(self.namespaces, on_delete=self._gone)
        # The last pod's end is what most deletions wait for: react to it rather than look again later.
        self.pods: Informer[Pod] = self.listen(context.informers.informer(Pod), on_delete=self._pod_gone)

    def _gone(self, namespace: Namespace) -> None:
        self.waits.pop(namespace.metadata.uid, None)

    def _pod_gone(self, pod: Pod) -> None:
        name = pod.metadata.namespace
        namespace = self.namespaces.lister.get(name)
        if namespace is not None and namespace.metadata.deletion_timestamp and not self.pods.lister.list(name):
            self.queue.add(name)

    async def reconcile(self, key: str) -> float | None:
        known = self.namespaces.lister.get(key)
        if known is None or known.metadata.deletion_timestamp is None:
            return None
        try:
            namespace = await self.client.get(Namespace, key)
            if namespace.metadata.deletion_timestamp is None or FINALIZER not in namespace.spec.finalizers:
                return None
            if namespace.status.phase != "Terminating":
                namespace = codecs.copy(namespace)
                namespace.status.phase = "Terminating"
                namespace = await self.client.update(namespace, subresource="status")
            remainder = await self._empty(key)
            copy = codecs.copy(namespace)
            if apply_conditions(copy, conditions(remainder), self.context.now()):
                namespace = await self.client.update(copy, subresource="status")
            if remainder.empty:
                copy = codecs.copy(namespace)
                copy.spec.finalizers = [name for name in copy.spec.finalizers if name != FINALIZER]
                await self.client.update(copy, subresource="finalize")
                return None
        except StatusError as error:
            if is_not_found(error):
                return None
            if is_conflict(error):
                return 0.05
            raise
        if remainder.failures:
            # Mostly another server's fault: tried again, ever more slowly.
            raise service_unavailable(f"deletion of namespace {key} is incomplete: {'; '.join(remainder.failures)}")
        uid = known.metadata.uid
        wait = min(max(self.waits.get(uid, FIRST_WAIT / 2) * 2, remainder.grace / 2), LONGEST_WAIT)
        self.waits[uid] = wait
        return wait

    async def _empty(self, namespace: str) -> Remainder:
        undiscovered = self.client.scheme.undiscovered
        resources = [each for each in deletable(self.client.scheme) if each.group_version not in undiscovered]
        remainder = Remainder(undiscovered=undiscovered)
        pods = [resource for resource in resources if resource.qualified_name == "pods"]
        for resource in pods:
            await self._delete(resource, namespace, remainder)
        if remainder.instances or remainder.failures:
            return remainder
        limit = asyncio.Semaphore(8)

        async def delete(resource: Resource[Any]) -> None:
            async with limit:
                await self._delete(resource, namespace, remainder)

        async with asyncio.TaskGroup() as group:
            for resource in resources:
                if resource not in pods:
                    group.create_task(delete(resource), name=f"empty {namespace} of {resource.name}")
        return remainder

    async def _delete(self, resource: Resource[Any], namespace: str, remainder: Remainder) -> None:
        """Delete all objects of a resource and note what stays."""
        try:
            page = await self.client.list_metadata(resource, namespace)
            if not page.items:
                return
            options = DeleteOptions(propagation_policy="Background")
            if "deletecollection" in resource.verbs:
                await self.client.delete_collection(resource, namespace, options=options)
            else:
                for item in page.items:
                    try:
                        await self.client.delete(resource, item.metadata.name, namespace, options=options)
                    except StatusError as error:
                        if not is_not_found(error):
                            raise
            page = await self.client.list_metadata(resource, namespace)
        except StatusError as error:
            if error.code in (404, 405):
                return  # not served here (any more)
            remainder.failures.append(f"{resource.qualified_name}: {error}")
            return
        if page.items:
            remainder.instances[f"{resource.name}.{resource.group}"] = len(page.items)
        for item in page.items:
            remainder.finalizers.update(item.metadata.finalizers)
            grace = item.metadata.deletion_grace_period_seconds
            remainder.grace = max(remainder.grace, float(grace or 0))
