"""Owner references: who controls an object, and adopting and releasing by selector."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from steersman.api.errors import StatusError, is_not_found
from steersman.api.meta import controller_of
from steersman.api.scheme import Object, Resource
from steersman.api.types.meta_v1 import OwnerReference
from steersman.api.unstructured import Unstructured
from steersman.client.client import Client, Patch
from steersman.client.custom_resources import CustomObject

T = TypeVar("T", bound=Object)

_CUSTOM = (CustomObject, Unstructured)
"""Custom resources take no strategic merge patches."""


class Selector(Protocol):
    """Anything that chooses by labels."""

    def matches(self, labels: Mapping[str, str], /) -> bool:
        """Whether an object with these labels is chosen."""
        ...


def controller_reference(owner: Object) -> OwnerReference:
    """The reference by which an object says that ``owner`` manages it."""
    return OwnerReference(
        api_version=owner.api_version,
        kind=owner.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )


def owner_key(owner: Resource[Any]) -> Callable[[Object], list[str]]:
    """From an object to the key of its controller, where that is of this resource, in whatever version of it."""

    def key(obj: Object) -> list[str]:
        reference = controller_of(obj.metadata)
        if reference is None or reference.kind != owner.kind or reference.api_version.rpartition("/")[0] != owner.group:
            return []
        return [f"{obj.metadata.namespace}/{reference.name}" if owner.namespaced else reference.name]

    return key


def by_controller(obj: Object) -> tuple[str, ...]:
    """Index function: the uid of the controller, or ``namespace/`` for an orphan."""
    reference = controller_of(obj.metadata)
    return (reference.uid,) if reference is not None else (f"{obj.metadata.namespace}/",)


def controlled_by(obj: Object, owner: Object) -> bool:
    """Whether ``owner`` manages the object."""
    reference = controller_of(obj.metadata)
    return reference is not None and reference.uid == owner.metadata.uid


async def claim(
    client: Client,
    owner: T,
    candidates: Iterable[Any],
    selector: Selector,
    adoptable: Callable[[Any], bool] = lambda obj: True,
) -> list[Any]:
    """The objects that ``owner`` manages: matching orphans are adopted, what matches no more is released.

    Before the first adoption the owner is read afresh, so that one that was deleted and recreated under its
    name adopts nothing for its predecessor.  Raises Conflict where a custom resource has changed since it was read.
    """
    claimed = []
    fresh: bool | None = None
    deleting = owner.metadata.deletion_timestamp is not None
    uid, matches = owner.metadata.uid, selector.matches
    for obj in candidates:
        metadata = obj.metadata
        reference = controller_of(metadata)
        if reference is not None:
            if reference.uid != uid:
                continue
            if matches(metadata.labels):
                claimed.append(obj)
            elif not deleting:
                await _release(client, owner, obj)
            continue
        if deleting or metadata.deletion_timestamp is not None or not matches(metadata.labels):
            continue
        if not adoptable(obj):
            continue
        if fresh is None:
            current = await client.get(type(owner), owner.metadata.name, owner.metadata.namespace)
            fresh = current.metadata.uid == uid and current.metadata.deletion_timestamp is None
        if fresh and await _adopt(client, owner, obj):
            claimed.append(obj)
    return claimed


async def _adopt(client: Client, owner: Object, obj: Any) -> bool:
    reference = controller_reference(owner)
    if isinstance(obj, _CUSTOM):
        return await _replace(client, obj, [*obj.metadata.owner_references, reference])
    return await _patch(client, obj, {"ownerReferences": [msgspec.to_builtins(reference)]})


async def _release(client: Client, owner: Object, obj: Any) -> None:
    if isinstance(obj, _CUSTOM):
        await _replace(client, obj, [each for each in obj.metadata.owner_references if each.uid != owner.metadata.uid])
    else:
        await _patch(client, obj, {"ownerReferences": [{"$patch": "delete", "uid": owner.metadata.uid}]})


async def _replace(client: Client, obj: Any, references: list[OwnerReference]) -> bool:
    """Replace the whole list, of the object as it was read alone."""
    written = {"resourceVersion": obj.metadata.resource_version, "ownerReferences": msgspec.to_builtins(references)}
    return await _patch(client, obj, written)


async def _patch(client: Client, obj: Any, metadata: dict[str, Any]) -> bool:
    body = msgspec.json.encode({"metadata": {"uid": obj.metadata.uid, **metadata}})
    custom = isinstance(obj, _CUSTOM)
    patch = Patch("application/merge-patch+json" if custom else "application/strategic-merge-patch+json", body)
    try:
        await client.patch(type(obj), obj.metadata.name, patch, obj.metadata.namespace)
    except StatusError as error:
        # Gone, or another object has the name (the uid in the patch does not fit): not ours any more.
        if is_not_found(error) or error.code == 422:
            return False
        raise
    return True
