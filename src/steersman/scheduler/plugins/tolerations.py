"""Whether tolerations tolerate taints."""

from __future__ import annotations

from collections.abc import Iterable

from steersman.api.types.core_v1 import Toleration
from steersman.scheduler.snapshot import TaintKey


def tolerates(toleration: Toleration, taint: TaintKey) -> bool:
    """Whether one toleration tolerates one taint; an empty key with Exists tolerates everything."""
    key, value, effect = taint
    if toleration.effect and toleration.effect != effect:
        return False
    if toleration.key and toleration.key != key:
        return False
    if toleration.operator in ("", "Equal"):
        return bool(toleration.key) and toleration.value == value
    return toleration.operator == "Exists"


def tolerated(tolerations: Iterable[Toleration], taint: TaintKey) -> bool:
    """Whether any toleration tolerates a taint."""
    return any(tolerates(toleration, taint) for toleration in tolerations)
