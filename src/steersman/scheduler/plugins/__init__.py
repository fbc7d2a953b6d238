"""The plugins, in upstream's order and with its weights: the one table that says what the scheduler heeds."""

from __future__ import annotations

from steersman.scheduler.framework import FilterPlugin, ScorePlugin

from .image_locality import ImageLocality
from .inter_pod_affinity import InterPodAffinity
from .node_affinity import NodeAffinity
from .node_name import NodeName
from .node_ports import NodePorts
from .node_resources import BalancedAllocation, Fit
from .node_unschedulable import NodeUnschedulable
from .pod_topology_spread import PodTopologySpread
from .taint_toleration import TaintToleration

FILTERS: tuple[FilterPlugin, ...] = (
    NodeUnschedulable(),
    NodeName(),
    TaintToleration(),
    NodeAffinity(),
    NodePorts(),
    Fit(),
    PodTopologySpread(),
    InterPodAffinity(),
)

SCORES: tuple[tuple[ScorePlugin, int], ...] = (
    (TaintToleration(), 3),
    (NodeAffinity(), 2),
    (Fit(), 1),
    (PodTopologySpread(), 2),
    (InterPodAffinity(), 2),
    (BalancedAllocation(), 1),
    (ImageLocality(), 1),
)
