"""Looks at objects that may have to go, and deletes, releases or orphans them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from steersman.api import labels
from steersman.api.errors import StatusError, is_not_found
from steersman.api.meta import PartialObjectMetadata
from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import DeleteOptions, ObjectMeta, OwnerReference, Preconditions
from steersman.client.client import Patch
from steersman.client.informer import Registration
from steersman.controllers.kit import Controller, ControllerContext

from .graph import Graph, Vertex

log = logging.getLogger(__name__)

UNKNOWN_KIND_DELAY = 60.0

SCHEME_INTERVAL = 1.0
"""Seconds between looks at which resources there are."""


class Owners(msgspec.Struct):
    """The owner references of an object, by the state of the owner."""

    solid: list[OwnerReference] = []
    dangling: list[OwnerReference] = []
    waiting: list[OwnerReference] = []
    """Those that wait for their dependents in a foreground deletion."""
    unknown: bool = False
    """An owner is of a kind this scheme does not have; it counts as solid."""


def collectable(context: ControllerContext) -> list[Resource[Any]]:
    """The resources whose objects can own or be owned; each once, events left out."""
    chosen: dict[str, Resource[Any]] = {}
    for resource in context.client.scheme:
        if not resource.served or not {"list", "watch", "delete"} <= set(resource.verbs) or resource.name == "events":
            continue
        prefix = resource.storage_prefix
        if prefix not in chosen or resource.group_version == resource.storage_version:
            chosen[prefix] = resource
    return [*chosen.values()]


class GarbageCollector(Controller):
    """Keys are ``delete/<uid>`` and ``orphan/<uid>``."""

    name = "garbage-collector-controller"
    service_account = "generic-garbage-collector"
    workers = 20

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.graph = Graph(
            context.client.scheme,
            look=lambda uid: self.queue.add(f"delete/{uid}"),
            orphan=lambda uid: self.queue.add(f"orphan/{uid}"),
        )
        self._monitored: dict[Resource[Any], Registration] = {}
        self._generation = -1
        self._ended = False
        self._follow_scheme()

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        if self.client.scheme.generation != self._generation:
            yield f"{self.name}: resources that are new, or gone"
        yield from super().unfinished(soon)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        # The resources that one definition has come and go together.
        stop = self.client.scheme.listen(lambda: loop.call_soon(self._follow_scheme))
        try:
            await super().run()
        finally:
            self._ended = True
            stop()

    async def background(self) -> None:
        while True:
            # By the machine's clock: what is served changes by no time that passes.
            await asyncio.sleep(SCHEME_INTERVAL)
            self._follow_scheme()

    def _follow_scheme(self) -> None:
        """Watch the resources that there are now; definitions of custom ones come, change and go."""
        scheme = self.client.scheme
        if self._ended or scheme.generation == self._generation:
            return
        self._generation = scheme.generation
        present = dict.fromkeys(collectable(self.context))
        for resource in [each for each in self._monitored if each not in present]:
            registration = self._monitored.pop(resource)
            registration.remove()
            self.registrations.remove(registration)
            self.context.informers.forget(resource)
            if not any(each.storage_prefix == resource.storage_prefix for each in present):
                # A definition goes after its objects have gone.
                for uid in [uid for uid, vertex in self.graph.vertices.items() if vertex.resource is resource]:
                    self.graph.forget(uid)
        for resource in present:
            if resource not in self._monitored:
                self._monitor(resource)

    def _monitor(self, resource: Resource[Any]) -> None:
        def observe(obj: PartialObjectMetadata) -> None:
            self.graph.observe(resource, obj.metadata)

        def updated(old: PartialObjectMetadata, new: PartialObjectMetadata) -> None:
            if old.metadata.uid != new.metadata.uid:  # deleted and made anew between two lists
                self.graph.forget(old.metadata.uid)
            self.graph.observe(resource, new.metadata)

        def gone(obj: PartialObjectMetadata) -> None:
            self.graph.forget(obj.metadata.uid)

        informer = self.context.informers.metadata(resource)
        if resource.custom:
            # Nobody waits for these: what is not known yet is asked for.
            self.registrations.append(informer.add_handler(observe, updated, gone))
        else:
            self.listen(informer, observe, updated, gone)
        self._monitored[resource] = self.registrations[-1]

    async def reconcile(self, key: str) -> float | None:
        action, _, uid = key.partition("/")
        vertex = self.graph.vertices.get(uid)
        if vertex is None:
            return None
        if action == "orphan":
            await self._orphan(vertex)
            return None
        return await self._consider(vertex)

    async def _live(self, resource: Resource[Any], namespace: str, name: str) -> ObjectMeta | None:
        try:
            obj = await self.client.get(resource, name, namespace)
        except StatusError as error:
            # A resource that is not served now is another matter: its objects may be there again soon.
            if is_not_found(error) and error.status.details is not None and error.status.details.name:
                return None
            raise
        metadata: ObjectMeta = obj.metadata
        return metadata

    async def _consider(self, vertex: Vertex) -> float | None:
        if vertex.resource is None:
            return UNKNOWN_KIND_DELAY if vertex.dependents else None
        if vertex.resource.custom:
            # Its definition may have changed since: then it is served anew.
            resource = self.client.scheme.by_kind(vertex.resource.group_version, vertex.resource.kind)
            vertex.resource = resource or vertex.resource
        if vertex.deleting and not vertex.deleting_dependents:
            return None
        if vertex.virtual and vertex.resource.namespaced and not vertex.namespace:
            return None  # a cluster-scoped object refers to a namespaced owner: invalid, and left alone
        latest = await self._live(vertex.resource, vertex.namespace, vertex.name)
        if latest is None or latest.uid != vertex.uid:
            self.graph.forget(vertex.uid)
            return None
        if vertex.virtual:
            # It exists, and its informer will tell, once there is one.
            return (30.0 if self._listens(vertex.resource) else SCHEME_INTERVAL) if vertex.dependents else None
        if vertex.deleting_dependents:
            await self._finish_foreground(vertex)
            return None
        if not latest.owner_references or latest.deletion_timestamp is not None:
            return None
        owners = await self._classify(vertex, latest)
        if owners.solid:
            if owners.dangling or owners.waiting:
                lost = {reference.uid for reference in (*owners.dangling, *owners.waiting)}
                kept = [reference for reference in latest.owner_references if reference.uid not in lost]
                await self._write_owners(vertex, latest, kept)
            return UNKNOWN_KIND_DELAY if owners.unknown else None
        if owners.waiting and vertex.dependents:
            if any(dependent.deleting_dependents for dependent in vertex.dependents):
                # A circle of owners that wait for each other: this one steps out of it.
                freed = [
                    msgspec.structs.replace(reference, block_owner_deletion=False)
                    for reference in latest.owner_references
                ]
                await self._write_owners(vertex, latest, freed)
                latest = await self._live(vertex.resource, vertex.namespace, vertex.name)
                if latest is None:
                    return None
            await self._delete(vertex, latest, "Foreground")
            return None
        if labels.FINALIZER_ORPHAN in latest.finalizers:
            policy = "Orphan"
        elif labels.FINALIZER_FOREGROUND in latest.finalizers:
            policy = "Foreground"
        else:
            policy = "Background"
        await self._delete(vertex, latest, policy)
        return None

    def _listens(self, resource: Resource[Any]) -> bool:
        return resource in self._monitored and self.context.informers.metadata(resource).has_synced

    async def _classify(self, vertex: Vertex, latest: ObjectMeta) -> Owners:
        owners = Owners(solid=[], dangling=[], waiting=[])
        for reference in latest.owner_references:
            if self.graph.absent(reference.uid):
                owners.dangling.append(reference)
                continue
            resource = self.client.scheme.by_kind(reference.api_version, reference.kind)
            if resource is None or (resource.namespaced and not vertex.namespace):
                owners.unknown = owners.unknown or resource is None
                owners.solid.append(reference)
                continue
            owner = await self._live(resource, vertex.namespace if resource.namespaced else "", reference.name)
            if owner is None or owner.uid != reference.uid:
                self.graph.note_absent(reference.uid)
                owners.dangling.append(reference)
            elif owner.deletion_timestamp is not None and labels.FINALIZER_FOREGROUND in owner.finalizers:
                owners.waiting.append(reference)
            else:
                owners.solid.append(reference)
        return owners

    async def _finish_foreground(self, vertex: Vertex) -> None:
        """Let an owner go once nothing blocks it; until then see to those who do."""
        blocking = [dependent for dependent in vertex.dependents if dependent.blocks(vertex)]
        if not blocking:
            await self._remove_finalizer(vertex, labels.FINALIZER_FOREGROUND)
            return
        for dependent in blocking:
            if not dependent.deleting_dependents:
                self.queue.add(f"delete/{dependent.uid}")

    async def _orphan(self, vertex: Vertex) -> None:
        """Take the owner out of its dependents' references, then let it go."""
        for dependent in [*vertex.dependents]:
            if dependent.resource is None:
                continue
            latest = await self._live(dependent.resource, dependent.namespace, dependent.name)
            if latest is None or latest.uid != dependent.uid:
                continue
            kept = [reference for reference in latest.owner_references if reference.uid != vertex.uid]
            if len(kept) != len(latest.owner_references):
                await self._write_owners(dependent, latest, kept)
        await self._remove_finalizer(vertex, labels.FINALIZER_ORPHAN)

    async def _remove_finalizer(self, vertex: Vertex, finalizer: str) -> None:
        assert vertex.resource is not None
        latest = await self._live(vertex.resource, vertex.namespace, vertex.name)
        if latest is None or latest.uid != vertex.uid or finalizer not in latest.finalizers:
            return
        await self._patch(vertex, latest, {"finalizers": [item for item in latest.finalizers if item != finalizer]})

    async def _write_owners(self, vertex: Vertex, latest: ObjectMeta, owners: Sequence[OwnerReference]) -> None:
        await self._patch(vertex, latest, {"ownerReferences": msgspec.to_builtins(owners)})

    async def _patch(self, vertex: Vertex, latest: ObjectMeta, changes: dict[str, Any]) -> None:
        """Change metadata of the very version that was read; Conflict means: look again."""
        assert vertex.resource is not None
        body = {"metadata": {"uid": latest.uid, "resourceVersion": latest.resource_version, **changes}}
        patch = Patch("application/merge-patch+json", msgspec.json.encode(body))
        try:
            await self.client.patch(vertex.resource, vertex.name, patch, vertex.namespace)
        except StatusError as error:
            if not is_not_found(error):
                raise

    async def _delete(self, vertex: Vertex, latest: ObjectMeta, policy: str) -> None:
        assert vertex.resource is not None
        options = DeleteOptions(
            preconditions=Preconditions(uid=latest.uid, resource_version=latest.resource_version),
            propagation_policy=policy,
        )
        try:
            await self.client.delete(vertex.resource, vertex.name, vertex.namespace, options=options)
        except StatusError as error:
            if not is_not_found(error):
                raise
