"""Simulated nodes: they register, send heartbeats, and take pods through their phases, and run nothing.

Watches: all Nodes; all Pods that are bound.  A Node annotated ``kwok.x-k8s.io/node`` is simulated, whoever made it;
the value says by whom (:mod:`.ownership`).  All objects of other kinds for which it has stages.

Writes: the Nodes that it is told to create and are missing when it starts; a Lease in ``kube-node-lease`` for each
simulated node, renewed every 10 to 20 s, the longer the more nodes there are; the status of nodes, once it is not
ready and every five minutes; the status of their pods as their :mod:`stages <.stage>` have it; and it deletes pods for
good that are to go.

Guarantees: no two pods that have not ended have the same address; a pod that is being deleted goes within its grace
period.  All state that matters is in the API: what is started again takes over what it finds, and nothing breaks
where it dies.  What a node's kubelet would be asked for beside that (logs, exec) is not there.
"""

from .config import SimulationConfig
from .profiles import DEFAULT_STAGES, stages_of, usages_of
from .shape import NodeShape, parse_shape
from .simulated_nodes import SimulatedNodes
from .stage import Stage

__all__ = [
    "DEFAULT_STAGES",
    "NodeShape",
    "SimulatedNodes",
    "SimulationConfig",
    "Stage",
    "parse_shape",
    "stages_of",
    "usages_of",
]
