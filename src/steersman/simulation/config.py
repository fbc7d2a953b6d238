"""The configuration of simulated nodes."""

from __future__ import annotations

import msgspec

from .ownership import FAKE
from .profiles import DEFAULT_STAGES
from .shape import NodeShape
from .stage import Stage, resource_of
from .usage import UsageRule

KUBELET_RENEWAL = 10.0
"""Seconds between a kubelet's renewals of its Lease."""

LONGEST_RENEWAL = 20.0
"""The node lifecycle controller gives up a node that was silent for 50 s: two renewals may be lost."""

RENEWALS_PER_SECOND = 200


class SimulationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Configuration of :class:`.simulated_nodes.SimulatedNodes`.

    ``renewal`` is the seconds between renewals of a node's Lease; 0 chooses by the number of nodes.  Raises ValueError
    for stages of what has none.
    """

    mark: str = FAKE
    """It looks after the nodes with this mark (:mod:`.ownership`); those that it creates have it."""
    nodes: tuple[NodeShape, ...] = ()
    stages: tuple[Stage, ...] = DEFAULT_STAGES
    usages: tuple[UsageRule, ...] = ()
    """What pods use, where metrics are served; what is not said is guessed from what they ask for."""
    renewal: float = 0.0
    report: float = 300.0
    """Seconds between a node's reports of its status where that does not change."""
    pod_networks: str = "240.0.0.0/8"
    """The nodes that it creates have their ``podCIDR`` of this range, and the cluster's own remains for other nodes.
    These ranges are reserved: nobody is reached there by mistake."""
    node_addresses: str = "241.0.0.0/16"
    pod_addresses: str = "242.0.0.0/15"
    """Of pods on nodes without a ``podCIDR``."""
    workers: int = 64
    """Writes under way at a time, of pods, and as many of nodes."""

    def __post_init__(self) -> None:
        for stage in self.stages:
            try:
                resource_of(*stage.is_of)
            except ValueError as error:
                raise ValueError(f"stage {stage.name!r}: {error}") from None

    def renewal_of(self, nodes: int) -> float:
        """Seconds between renewals where there are so many nodes: 10 s up to 2,000 nodes, never more than 20 s."""
        return self.renewal or min(LONGEST_RENEWAL, max(KUBELET_RENEWAL, nodes / RENEWALS_PER_SECOND))
