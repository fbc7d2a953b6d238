"""Defaults: what the server writes into the members that a client left out.

One function for each type that has defaults, wherever that type occurs in an object; the modules are one per family of
groups, and :data:`TABLE` is all of them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from steersman.api.unstructured import Unstructured

from . import cluster, core, workloads
from .visitor import Default, Defaulter

TABLE: dict[type[Any], Default] = {**core.TABLE, **workloads.TABLE, **cluster.TABLE}

_defaulter = Defaulter(TABLE)


def apply_defaults(obj: Any, but: Collection[str] = ()) -> None:
    """Set the defaults of an object of any kind, in place; applying them twice changes nothing.

    ``but`` are attributes whose values are known to have theirs.
    """
    if isinstance(obj, Unstructured):
        if obj.MODEL is not None:
            obj.MODEL.default(obj.content)
        return
    _defaulter.apply(obj, but)
