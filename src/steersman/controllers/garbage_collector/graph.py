"""Who depends on whom: a graph over all objects, changed by what the informers report.  No input, no output."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence, Set
from typing import Any

from steersman.api import labels
from steersman.api.scheme import Resource, Scheme
from steersman.api.types.meta_v1 import ObjectMeta, OwnerReference

ABSENT_CACHE = 2000


class Vertex:
    """One object.  ``virtual`` says that it was referred to as an owner and not seen yet."""

    __slots__ = (
        "_dependents",
        "deleting",
        "deleting_dependents",
        "name",
        "namespace",
        "owners",
        "resource",
        "uid",
        "virtual",
    )

    def __init__(self, resource: Resource[Any] | None, namespace: str, name: str, uid: str, *, virtual: bool) -> None:
        self.resource = resource
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.virtual = virtual
        self.owners: Sequence[OwnerReference] = ()
        self._dependents: set[Vertex] | None = None  # most objects have none, and an empty set takes 216 bytes
        self.deleting = False
        self.deleting_dependents = False

    @property
    def dependents(self) -> Set[Vertex]:
        """The objects that refer to this one as an owner of theirs."""
        return self._dependents if self._dependents is not None else _NONE

    def add_dependent(self, dependent: Vertex) -> None:
        """An object refers to this one."""
        if self._dependents is None:
            self._dependents = {dependent}
        else:
            self._dependents.add(dependent)

    def discard_dependent(self, dependent: Vertex) -> None:
        """An object is gone, or refers to this one no more."""
        if self._dependents is not None:
            self._dependents.discard(dependent)

    def blocks(self, owner: Vertex) -> bool:
        """Whether this dependent keeps its owner from going in a foreground deletion."""
        return any(reference.uid == owner.uid and reference.block_owner_deletion for reference in self.owners)

    def __repr__(self) -> str:
        return f"<{self.resource.name if self.resource else '?'} {self.namespace}/{self.name} {self.uid}>"


_NONE: Set[Vertex] = frozenset()


class Graph:
    """Takes in what is observed and asks for what shall be looked at.

    ``look(uid)`` is called for an object that may have to be deleted, ``orphan(uid)`` for an owner whose
    dependents shall be set free.
    """

    def __init__(self, scheme: Scheme, look: Callable[[str], None], orphan: Callable[[str], None]) -> None:
        self._scheme = scheme
        self._look = look
        self._orphan = orphan
        self.vertices: dict[str, Vertex] = {}
        self._absent: OrderedDict[str, None] = OrderedDict()

    def absent(self, uid: str) -> bool:
        """Whether the owner with this uid is known not to exist.

        Uids are used again by nobody but who restores what was there, which :meth:`observe` sees.
        """
        return uid in self._absent

    def note_absent(self, uid: str) -> None:
        """An owner with this uid does not exist."""
        self._absent[uid] = None
        self._absent.move_to_end(uid)
        if len(self._absent) > ABSENT_CACHE:
            self._absent.popitem(last=False)

    def observe(self, resource: Resource[Any], metadata: ObjectMeta) -> None:
        """An object was added or changed."""
        self._absent.pop(metadata.uid, None)
        vertex = self.vertices.get(metadata.uid)
        if vertex is None:
            vertex = Vertex(resource, metadata.namespace, metadata.name, metadata.uid, virtual=False)
            self.vertices[metadata.uid] = vertex
        elif vertex.virtual:
            vertex.virtual = False
            if (vertex.namespace, vertex.name) != (metadata.namespace, metadata.name):
                # Somebody referred to this uid under wrong coordinates: their owner is absent, let them be looked at.
                for dependent in vertex.dependents:
                    self._look(dependent.uid)
            vertex.namespace, vertex.name = metadata.namespace, metadata.name
        vertex.resource = resource
        before = vertex.owners
        vertex.owners = metadata.owner_references  # of the newest version, so that no older one is held
        if before != vertex.owners:
            self._relink(vertex, before)
        was_deleting, was_foreground = vertex.deleting, vertex.deleting_dependents
        vertex.deleting = metadata.deletion_timestamp is not None
        vertex.deleting_dependents = vertex.deleting and labels.FINALIZER_FOREGROUND in metadata.finalizers
        if vertex.deleting and labels.FINALIZER_ORPHAN in metadata.finalizers:
            self._orphan(vertex.uid)
        if vertex.deleting_dependents and not was_foreground:
            for dependent in vertex.dependents:
                self._look(dependent.uid)
            self._look(vertex.uid)
        if vertex.deleting and not was_deleting:
            self._look_at_waiting_owners(vertex.owners)

    def forget(self, uid: str) -> None:
        """An object is gone, or was found never to have existed."""
        vertex = self.vertices.pop(uid, None)
        self.note_absent(uid)
        if vertex is None:
            return
        for reference in vertex.owners:
            if (owner := self.vertices.get(reference.uid)) is not None:
                owner.discard_dependent(vertex)
        for dependent in vertex.dependents:
            self._look(dependent.uid)
        self._look_at_waiting_owners(vertex.owners)

    def _relink(self, vertex: Vertex, before: Sequence[OwnerReference]) -> None:
        now = {reference.uid for reference in vertex.owners}
        removed = False
        for reference in before:
            owner = self.vertices.get(reference.uid)
            if reference.uid not in now:
                removed = True
                if owner is not None:
                    owner.discard_dependent(vertex)
            if owner is not None and owner.deleting_dependents:
                self._look(owner.uid)  # one that blocked it may block no more
        for reference in vertex.owners:
            owner = self.vertices.get(reference.uid)
            if owner is None:
                owner = self._virtual(vertex, reference)
            owner.add_dependent(vertex)
            if owner.deleting_dependents or self.absent(reference.uid):
                self._look(vertex.uid)
        if removed:
            self._look(vertex.uid)

    def _virtual(self, dependent: Vertex, reference: OwnerReference) -> Vertex:
        resource = self._scheme.by_kind(reference.api_version, reference.kind)
        namespace = dependent.namespace if resource is not None and resource.namespaced else ""
        owner = Vertex(resource, namespace, reference.name, reference.uid, virtual=True)
        self.vertices[reference.uid] = owner
        self._look(owner.uid)
        return owner

    def _look_at_waiting_owners(self, owners: Sequence[OwnerReference]) -> None:
        for reference in owners:
            owner = self.vertices.get(reference.uid)
            if owner is not None and owner.deleting_dependents:
                self._look(owner.uid)
