"""PodTopologyLabels: a pod learns in which zone and region its node is (KEP-4742)."""

from __future__ import annotations

from steersman.api.types import core_v1 as v1

from .plugin import Cluster, Plugin, Request

LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")


class PodTopologyLabels(Plugin):
    """Puts the node's labels on the binding, which takes them to the pod, or on a pod that comes with its node."""

    name = "PodTopologyLabels"
    resources = frozenset({"pods"})
    subresources = frozenset({"binding"})

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        obj = request.obj
        target = obj.target.name if request.subresource else obj.spec.node_name
        node = await cluster.get(v1.Node, target) if target else None
        if node is None:
            return
        found = {key: value for key in LABELS if (value := node.metadata.labels.get(key)) is not None}
        if not found:
            return
        labels = obj.metadata.labels
        obj.metadata.labels = {**labels, **found} if request.subresource else {**found, **labels}
