"""What a write does not change although its body says so: the fields that nobody comes to own by it.

Upstream's ``GetResetFields``: the status where the object itself is written, everything else where the status is.
"""

from __future__ import annotations

from collections.abc import Mapping

from steersman.api.shapes import struct_shape
from steersman.apiserver.patch.apply import fields as sets
from steersman.apiserver.patch.apply.fields import Fields

from .strategy import Strategy

_METADATA = ("f:metadata",)
_LABELS = ("f:metadata", "f:labels")
_OWNERS = ("f:metadata", "f:ownerReferences")

_BESIDES: Mapping[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("deployments.apps", "status"): (_LABELS,),
    ("pods", "status"): (_OWNERS,),
    ("certificatesigningrequests.certificates.k8s.io", "status"): (("f:status", "f:conditions"),),
}
"""What writes through a subresource leave alone besides what all kinds leave alone."""

_INSTEAD: Mapping[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("certificatesigningrequests.certificates.k8s.io", "approval"): (("f:spec",), ("f:status", "f:certificate")),
}


def reset_fields(strategy: Strategy, subresource: str = "") -> Fields:
    """The fields that a write of an object, or through a subresource, leaves as they are."""
    key = (strategy.resource.qualified_name, subresource)
    if key in _INSTEAD:
        return sets.of(*_INSTEAD[key])
    if strategy.resource.custom and subresource == "status":
        return sets.of(("f:spec",))
    if subresource == "status":
        members = struct_shape(strategy.resource.type).members.values()
        content = [(f"f:{member.name}",) for member in members if member.attribute in strategy.content]
        metadata = () if strategy.status_metadata else (_METADATA,)
        return sets.of(*content, *metadata, *_BESIDES.get(key, ()))
    return sets.of(("f:status",)) if strategy.has_status else sets.LEAF
