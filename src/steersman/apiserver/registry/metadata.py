"""What the server does to the metadata of every object, and what it does not let clients do."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any
from uuid import UUID

from steersman.api.errors import StatusError, bad_request, conflict
from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import ObjectMeta, Status, StatusDetails

NAME_ATTEMPTS = 8


def generated_name_taken(resource: Resource[Any], name: str) -> StatusError:
    """409 when every attempt at a generated name met an object of that name."""
    details = StatusDetails(group=resource.group, kind=resource.name, name=name, retry_after_seconds=1)
    message = (
        f'{resource.qualified_name} "{name}" already exists, the server was not able to generate a unique name '
        "for the object"
    )
    return StatusError(Status(status="Failure", code=409, reason="AlreadyExists", message=message, details=details))


def new_uid() -> str:
    """A random UUID (version 4)."""
    bits = random.getrandbits(128)
    bits = bits & ~(0xF << 76) | 4 << 76
    return str(UUID(int=bits & ~(0x3 << 62) | 0x2 << 62))


def check_namespace(resource: Resource[Any], meta: ObjectMeta, namespace: str) -> None:
    """The namespace of the body must be that of the request, which fills it where it is absent."""
    if not resource.namespaced:
        meta.namespace = ""
        return
    if not meta.namespace:
        meta.namespace = namespace
    elif meta.namespace != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if not namespace:
        raise bad_request("an empty namespace may not be set during creation")


def check_name(meta: ObjectMeta, name: str) -> None:
    """The name of what is written must be that of the request: a patch that takes it away takes everything away."""
    if not meta.name:
        raise bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if meta.name != name:
        raise bad_request(f"the name of the object ({meta.name}) does not match the name on the URL ({name})")


def check_uid(resource: Resource[Any], meta: ObjectMeta, present: str, namespace: str, name: str) -> None:
    """Raise 409 where a write names the uid of another object; ``present`` is empty where there is none."""
    if meta.uid and meta.uid != present:
        raise conflict(
            resource.name,
            name,
            f"StorageError: invalid object, Code: 4, Key: {resource.key(namespace, name)}, ResourceVersion: 0, "
            f"AdditionalErrorMsg: Precondition failed: UID in precondition: {meta.uid}, UID in object meta: {present}",
            resource.group,
        )


def fill_new(meta: ObjectMeta, now: datetime) -> None:
    """Set what the server decides of a new object; what clients say about it is ignored."""
    meta.uid = new_uid()
    meta.creation_timestamp = now
    meta.deletion_timestamp = None
    meta.deletion_grace_period_seconds = None
    meta.self_link = ""
    meta.generation = None


def keep_equal(new: ObjectMeta, old: ObjectMeta) -> None:
    """Hold what is equal once: the new object has it of the old one from then on, so nobody may change it in place."""
    if new.labels == old.labels:
        new.labels = old.labels
    if new.annotations == old.annotations:
        new.annotations = old.annotations
    if new.finalizers == old.finalizers:
        new.finalizers = old.finalizers
    if new.owner_references == old.owner_references:
        new.owner_references = old.owner_references


def carry_over(new: ObjectMeta, old: ObjectMeta) -> None:
    """Take over what the writer of an update left out and may not change."""
    new.generation = old.generation
    new.self_link = ""
    new.uid = new.uid or old.uid
    new.creation_timestamp = new.creation_timestamp or old.creation_timestamp
    new.deletion_timestamp = new.deletion_timestamp or old.deletion_timestamp
    if new.deletion_grace_period_seconds is None:
        new.deletion_grace_period_seconds = old.deletion_grace_period_seconds
    new.generate_name = new.generate_name or old.generate_name
