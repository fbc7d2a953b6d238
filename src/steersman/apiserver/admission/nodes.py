"""What nodes may do, and how new ones begin."""

from __future__ import annotations

from typing import Any

from steersman.api.labels import MIRROR_POD, TAINT_NOT_READY
from steersman.api.types import core_v1 as v1

from .plugin import Cluster, Plugin, Request

_NODE_PREFIX = "system:node:"
_KUBELET_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
    }
)


class TaintNodesByCondition(Plugin):
    """A new node is not ready: the node lifecycle controller takes the taint away when it is."""

    name = "TaintNodesByCondition"
    resources = frozenset({"nodes"})

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        taints: list[v1.Taint] = request.obj.spec.taints
        if not any(each.key == TAINT_NOT_READY and each.effect == "NoSchedule" for each in taints):
            taints.append(v1.Taint(key=TAINT_NOT_READY, effect="NoSchedule"))


class NodeRestriction(Plugin):
    """A kubelet writes its own Node, its own Lease, CSINode, and the pods that run on it; nothing else."""

    name = "NodeRestriction"
    verbs = frozenset({"CREATE", "UPDATE", "DELETE"})
    resources = frozenset({"nodes", "pods", "leases.coordination.k8s.io", "csinodes.storage.k8s.io"})
    subresources = frozenset({"status", "eviction"})

    async def validate(self, request: Request, cluster: Cluster) -> None:
        user = request.user
        if not user.name.startswith(_NODE_PREFIX) or "system:nodes" not in user.groups:
            return
        node = user.name.removeprefix(_NODE_PREFIX)
        match request.resource.name:
            case "nodes":
                self._node(request, node)
            case "pods":
                await self._pod(request, cluster, node)
            case "leases":
                if request.namespace != "kube-node-lease" or request.name != node:
                    raise request.refuse("can only access node lease with the same name as the requesting node")
            case "csinodes":
                if request.name != node:
                    raise request.refuse("can only access CSINode with the same name as the requesting node")

    @staticmethod
    def _node(request: Request, node: str) -> None:
        if request.name != node:
            raise request.refuse(f'node "{node}" is not allowed to modify node "{request.name}"')
        if request.verb == "CREATE":
            forbidden = _forbidden_labels({}, request.obj.metadata.labels)
        elif request.verb == "UPDATE":
            if request.obj.spec.taints != request.old.spec.taints:
                raise request.refuse(f'node "{node}" is not allowed to modify taints')
            forbidden = _forbidden_labels(request.old.metadata.labels, request.obj.metadata.labels)
        else:
            return
        if forbidden:
            listed = ", ".join(sorted(forbidden))
            raise request.refuse(f"is not allowed to modify labels: {listed}")

    @staticmethod
    async def _pod(request: Request, cluster: Cluster, node: str) -> None:
        pod: Any = request.obj if request.obj is not None else request.old
        if request.verb == "CREATE":
            if request.subresource == "eviction":
                evicted = await cluster.get(v1.Pod, request.name, request.namespace)
                if evicted is not None and evicted.spec.node_name != node:
                    raise request.refuse(f'node "{node}" can only evict pods with spec.nodeName set to itself')
                return
            if MIRROR_POD not in pod.metadata.annotations:
                raise request.refuse(
                    f'pod does not have "{MIRROR_POD}" annotation, node "{node}" can only create mirror pods'
                )
            if pod.spec.node_name != node:
                raise request.refuse(f'node "{node}" can only create pods with spec.nodeName set to itself')
            owners = pod.metadata.owner_references
            if len(owners) > 1 or any(each.kind != "Node" or each.name != node for each in owners):
                raise request.refuse(f'node "{node}" can only create pods with an owner reference set to itself')
        elif request.verb == "DELETE":
            if pod.spec.node_name != node:
                raise request.refuse(f'node "{node}" can only delete pods with spec.nodeName set to itself')
        elif request.subresource == "status":
            if request.old.spec.node_name != node:
                raise request.refuse(
                    f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'  # noqa: S608
                )
            if request.obj.metadata.labels != request.old.metadata.labels:
                raise request.refuse(f'node "{node}" cannot update labels through pod status')
        else:
            raise request.refuse(f'node "{node}" can only update pod status')


def _forbidden_labels(before: dict[str, str], after: dict[str, str]) -> set[str]:
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return {name for name in changed if _is_reserved(name)}


def _is_reserved(name: str) -> bool:
    """Whether a label lies in the namespaces of Kubernetes and is not one that kubelets report."""
    prefix, slash, _ = name.partition("/")
    if not slash or name in _KUBELET_LABELS:
        return False
    if prefix == "node-restriction.kubernetes.io" or prefix.endswith(".node-restriction.kubernetes.io"):
        return True
    if prefix in ("kubelet.kubernetes.io", "node.kubernetes.io") or prefix.endswith(
        (".kubelet.kubernetes.io", ".node.kubernetes.io")
    ):
        return False
    return prefix in ("kubernetes.io", "k8s.io") or prefix.endswith((".kubernetes.io", ".k8s.io"))
