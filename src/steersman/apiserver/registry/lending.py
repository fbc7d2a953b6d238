"""Objects that are written and stay their writer's: no more of them is copied than the handler may change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec.structs import replace

from steersman.api import codecs
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.unstructured import Unstructured


def borrowed(lent: Any, present: Any, untouched: Collection[str] = ()) -> Any:
    """An object that says what a lent one does, and may be changed: the lent one is not.

    Who writes mostly changes a part of what is there, and lends the rest of the present object, which nobody changes.
    Of that is shared: the attributes that are ``untouched``, and what the lists of metadata hold.
    """
    if isinstance(lent, Unstructured):
        return codecs.copy(lent)
    changed = {}
    for name in lent.__struct_fields__:
        part = getattr(lent, name)
        if part is None or isinstance(part, str | int):
            continue
        is_present = part is getattr(present, name)
        if is_present and name in untouched:
            continue
        if not isinstance(part, msgspec.Struct):  # which alone tells of what type its parts are
            return codecs.copy(lent)
        changed[name] = _metadata(part) if is_present and isinstance(part, ObjectMeta) else codecs.copy(part)
    return replace(lent, **changed)


def _metadata(meta: ObjectMeta) -> ObjectMeta:
    """A copy as deep as hooks and plugins change it in place; managers are assigned anew, always."""
    return replace(
        meta,
        labels=dict(meta.labels),
        annotations=dict(meta.annotations),
        finalizers=[*meta.finalizers],
        owner_references=[*meta.owner_references],
    )
