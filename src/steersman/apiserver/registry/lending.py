"""Objects that are written and stay their writer's: no more of them is copied than the handler may change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec.structs import replace

from steersman.api import codecs
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.unstructured import Unstructured


def own(lent: Any, present: Any, untouched: Collection[str] = ()) -> Any:
    """An object that says what a lent one does, and may be changed: the lent one is not.

    Who writes mostly changes a part of what is there, and lends the rest of the present object, which nobody changes.
    Of that is shared: the attributes that are ``untouched``, and what is inside of the members of metadata.
    """
    if isinstance(lent, Unstructured):
        return codecs.copy(lent)
    result = replace(lent)
    for name in result.__struct_fields__:
        part = getattr(lent, name)
        if part is None or isinstance(part, str | int):
            continue
        if part is getattr(present, name):
            if name in untouched:
                continue
            if name == "metadata":
                result.metadata = _metadata(part)
                continue
        if not isinstance(part, msgspec.Struct):  # which alone tells of what type its parts are
            return codecs.copy(lent)
        setattr(result, name, codecs.copy(part))
    return result


def _metadata(meta: ObjectMeta) -> ObjectMeta:
    """A copy as deep as a write changes it in place."""
    return replace(meta, labels=dict(meta.labels), annotations=dict(meta.annotations))
