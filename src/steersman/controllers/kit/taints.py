"""Taints and tolerations, as the controllers of nodes read and write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from steersman.api.tolerations import tolerates
from steersman.api.types.core_v1 import Node, Taint, Toleration
from steersman.client.client import Client, Patch


def tolerated_seconds(taints: Iterable[Taint], tolerations: Sequence[Toleration]) -> float | None:
    """How long a pod may stay under all these taints: 0 for not at all, None for ever."""
    shortest: float | None = None
    for taint in taints:
        matching = [item for item in tolerations if tolerates(item, taint.key, taint.value, taint.effect)]
        if not matching:
            return 0.0
        for item in matching:
            if item.toleration_seconds is not None:
                seconds = max(float(item.toleration_seconds), 0.0)
                shortest = seconds if shortest is None else min(shortest, seconds)
    return shortest


def merged(present: Sequence[Taint], wanted: Sequence[Taint], managed: Iterable[tuple[str, str]]) -> list[Taint]:
    """The taints with those of ``managed`` (key and effect) replaced by the wanted ones; what is there stays as is."""
    managed = set(managed)
    names = {(item.key, item.effect) for item in wanted}
    kept = [item for item in present if (item.key, item.effect) not in managed or (item.key, item.effect) in names]
    there = {(item.key, item.effect) for item in kept}
    return kept + [item for item in wanted if (item.key, item.effect) not in there]


async def write_taints(client: Client, node: Node, taints: list[Taint]) -> None:
    """Replace the taints of a node, unless it was changed since it was read (Conflict)."""
    body = {
        "metadata": {"resourceVersion": node.metadata.resource_version},
        "spec": {"taints": msgspec.to_builtins(taints, builtin_types=()) or None},
    }
    patch = Patch("application/merge-patch+json", msgspec.json.encode(body))
    await client.patch(Node, node.metadata.name, patch)
