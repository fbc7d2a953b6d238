"""The nodes of a scenario: pools of nodes that are alike."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from steersman.api import labels
from steersman.api.types.core_v1 import Node
from steersman.api.validation.names import label_value
from steersman.simulation import NodeShape
from steersman.simulation.shape import ShapeError

from .faults import ScenarioError

Amount = str | int | float
"""As manifests may write it: ``"500m"``, ``4``, ``0.5``."""

MOST = 10_000
_CAMEL = {"ephemeral_storage": "ephemeralStorage"}


class Pool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """``name`` has ``{}`` where the number goes; without one it follows a dash.

    Without a name, nodes are called after their zone.  Numbers begin with ``first``, or after those that there are.
    """

    count: int = 1
    name: str = ""
    first: int | None = None
    zone: str = ""
    region: str = ""
    cpu: Amount = "8"
    memory: Amount = "32Gi"
    pods: int = 110
    ephemeral_storage: Amount = "100Gi"
    resources: dict[str, Amount] = {}
    """Others, such as ``nvidia.com/gpu``."""
    labels: dict[str, str] = {}
    taints: tuple[str, ...] = ()
    """``key=value:effect`` or ``key:effect``."""

    @property
    def _shape(self) -> NodeShape:
        place = {labels.TOPOLOGY_ZONE: self.zone, labels.TOPOLOGY_REGION: self.region}
        return NodeShape(
            count=self.count,
            name=self.name or f"{self.zone or 'node'}-{{}}",
            cpu=str(self.cpu),
            memory=str(self.memory),
            pods=self.pods,
            ephemeral_storage=str(self.ephemeral_storage),
            resources={name: str(amount) for name, amount in self.resources.items()},
            labels={**{key: value for key, value in place.items() if value}, **self.labels},
            taints=self.taints,
        )

    def names(self) -> list[str]:
        """What its nodes are called."""
        shape = self._shape
        return [shape.node_name(number) for number in self._numbers]

    def next_number(self, taken: Collection[str]) -> int:
        """The first number after those that nodes of these names have."""
        shape = self._shape
        if shape.node_name(0) == shape.node_name(1):
            return 0  # one node, whose name has no number
        before, *others = map(re.escape, (shape.name if "{}" in shape.name else f"{shape.name}-{{}}").split("{}"))
        pattern = re.compile(before + r"(?P<number>0|[1-9][0-9]*)" + "(?P=number)".join(others))
        return max((int(found[1]) + 1 for name in taken if (found := pattern.fullmatch(name))), default=0)

    @property
    def _numbers(self) -> range:
        first = self.first or 0
        return range(first, first + self.count)

    def nodes(self, before: int, instant: datetime) -> list[Node]:
        """Its nodes as they register; ``before`` is how many nodes there are already."""
        shape = self._shape
        return [
            shape.node(number, address(before + place), network(before + place), instant)
            for place, number in enumerate(self._numbers)
        ]

    def check(self, path: str) -> None:
        """Raises ScenarioError."""
        if not 1 <= self.count <= MOST:
            raise ScenarioError(f"{path}.count", f"must be from 1 to {MOST}")
        if self.first is not None and self.first < 0:
            raise ScenarioError(f"{path}.first", "must not be negative")
        for field in ("zone", "region"):
            for fault in label_value(getattr(self, field)):
                raise ScenarioError(f"{path}.{field}", fault)
        try:
            shape = self._shape
        except ShapeError as error:
            field = _CAMEL.get(error.field, error.field)
            raise ScenarioError(f"{path}.{field}", error.fault) from error
        if self.count > 1 and shape.node_name(0) == shape.node_name(1):
            raise ScenarioError(f"{path}.name", "write {} for the number")


def numbered(pools: Sequence[Pool], path: str, taken: dict[str, str]) -> tuple[Pool, ...]:
    """The pools, with the numbers that their nodes get.

    ``taken`` are the names of other nodes, and where they are from, and is added to.  Raises ScenarioError.
    """
    found = []
    for number, pool in enumerate(pools):
        here = f"{path}[{number}]"
        pool.check(here)
        if pool.first is None:
            pool = msgspec.structs.replace(pool, first=pool.next_number(taken))
        found.append(pool)
        if len(taken) + pool.count > MOST:
            raise ScenarioError(f"{here}.count", f"too many nodes: {MOST} at most")
        for name in pool.names():
            if name in taken:
                raise ScenarioError(
                    f"{here}.name", f"there is a node {name} already, of {taken[name]}: give one pool a name"
                )
            taken[name] = here
    return tuple(found)


def address(number: int) -> str:
    """The address of a node; of a range in which nobody is."""
    return f"241.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def network(number: int) -> str:
    """The network of a node's pods."""
    return f"240.{number >> 8 & 255}.{number & 255}.0/24" if number < 1 << 16 else ""
