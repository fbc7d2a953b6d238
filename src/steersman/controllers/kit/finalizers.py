"""Finalizers: an object that is deleted stays until everybody who named a finalizer on it has taken it away.

Both ways write only if the object is as it was when it was read, and raise Conflict otherwise: the list is replaced
as a whole, and MUST NOT lose what others put into it.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from steersman.api.scheme import Object
from steersman.client.client import Client, Patch

T = TypeVar("T", bound=Object)


def has_finalizer(obj: Object, name: str) -> bool:
    """Whether a finalizer is on the object."""
    return name in obj.metadata.finalizers


def is_deleting(obj: Object) -> bool:
    """Whether the object is being deleted: it is there for its finalizers alone, and takes no new ones."""
    return obj.metadata.deletion_timestamp is not None


async def add_finalizer(client: Client, obj: T, name: str) -> T:
    """Put a finalizer on an object, unless it is there; returns the object as it is then."""
    if has_finalizer(obj, name):
        return obj
    return await _write(client, obj, [*obj.metadata.finalizers, name])


async def remove_finalizer(client: Client, obj: T, name: str) -> T:
    """Take a finalizer from an object, which may be the end of it; returns the object as it was last."""
    if not has_finalizer(obj, name):
        return obj
    return await _write(client, obj, [each for each in obj.metadata.finalizers if each != name])


async def _write(client: Client, obj: T, finalizers: list[str]) -> T:
    metadata = obj.metadata
    body = {"metadata": {"resourceVersion": metadata.resource_version, "finalizers": finalizers}}
    patch = Patch("application/merge-patch+json", msgspec.json.encode(body))
    return await client.patch(type(obj), metadata.name, patch, metadata.namespace)
