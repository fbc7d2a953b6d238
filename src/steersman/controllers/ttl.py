"""Tells kubelets, by an annotation on their nodes, how long they may cache secrets and config maps."""

from __future__ import annotations

import msgspec

from steersman.api import labels
from steersman.api.types.core_v1 import Node
from steersman.client.client import Patch
from steersman.client.informer import Informer

from .kit import Controller, ControllerContext

STEPS = ((100, 90, 0), (500, 450, 15), (1000, 900, 30), (2000, 1800, 60), (10000, 9000, 300))
"""Up to so many nodes; from so many downwards; seconds."""


def next_step(step: int, nodes: int) -> int:
    """The step for a number of nodes; up and down happen at different numbers, so that it does not flap."""
    while step < len(STEPS) - 1 and nodes > STEPS[step][0]:
        step += 1
    while step > 0 and nodes < STEPS[step - 1][1]:
        step -= 1
    return step


class TTLController(Controller):
    """Keys are names of nodes."""

    name = "ttl-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.step = 0
        self.nodes: Informer[Node] = self.watch(Node, lambda node: [node.metadata.name])

    async def reconcile(self, key: str) -> float | None:
        step = next_step(self.step, len(self.nodes.lister))
        if step != self.step:
            self.step = step
            for node in self.nodes.lister.list():
                self.queue.add(node.metadata.name)
        found = self.nodes.lister.get(key)
        seconds = str(STEPS[self.step][2])
        if found is not None and found.metadata.annotations.get(labels.NODE_TTL) != seconds:
            body = msgspec.json.encode({"metadata": {"annotations": {labels.NODE_TTL: seconds}}})
            await self.client.patch(Node, key, Patch("application/merge-patch+json", body))
        return None
