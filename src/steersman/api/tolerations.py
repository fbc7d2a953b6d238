"""Taints as people write them, and whether tolerations tolerate them: what all that knows of nodes must agree on."""

from __future__ import annotations

from collections.abc import Iterable

from .types.core_v1 import Taint, Toleration


def parse_taint(text: str) -> Taint:
    """``key=value:effect`` or ``key:effect``; raises ValueError."""
    left, colon, effect = text.rpartition(":")
    if not colon or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise ValueError(f"{text!r} is no taint: write key=value:effect")
    key, _, value = left.partition("=")
    return Taint(key=key, value=value, effect=effect)


def tolerates(toleration: Toleration, key: str, value: str, effect: str) -> bool:
    """Whether one toleration tolerates a taint; an empty key with Exists tolerates everything.

    The operators ``Lt`` and ``Gt`` stand behind a feature gate that is off in v1.35, and tolerate nothing.
    """
    if toleration.effect and toleration.effect != effect:
        return False
    if toleration.key and toleration.key != key:
        return False
    if toleration.operator in ("", "Equal"):
        return bool(toleration.key) and toleration.value == value
    return toleration.operator == "Exists"


def tolerated(tolerations: Iterable[Toleration], key: str, value: str, effect: str) -> bool:
    """Whether any toleration tolerates a taint."""
    return any(tolerates(toleration, key, value, effect) for toleration in tolerations)
