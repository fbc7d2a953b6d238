"""What nodes may do, and how new ones begin."""

from __future__ import annotations

from typing import Any

from steersman.api.errors import not_found
from steersman.api.labels import MIRROR_POD, NAMESPACE_NODE_LEASE, TAINT_NOT_READY
from steersman.api.types import core_v1 as v1

from . import node_tokens
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
    """A kubelet writes what is its own, and the pods that run on it, and asks for their tokens alone."""

    name = "NodeRestriction"
    verbs = frozenset({"CREATE", "UPDATE", "DELETE"})
    resources = frozenset({"nodes", "pods", "serviceaccounts", "leases.coordination.k8s.io", "csinodes.storage.k8s.io",
                           "resourceslices.resource.k8s.io"})  # fmt: skip
    subresources = frozenset({"status", "eviction", "token"})

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
            case "serviceaccounts":
                if request.subresource == "token":
                    await node_tokens.check(request, cluster, node)
            case "leases":
                if request.namespace != NAMESPACE_NODE_LEASE:
                    raise request.refuse(f'can only access leases in the "{NAMESPACE_NODE_LEASE}" system namespace')
                if request.name != node:
                    raise request.refuse("can only access node lease with the same name as the requesting node")
            case "resourceslices":
                spec = (request.obj if request.verb == "CREATE" else request.old).spec
                if request.verb != "UPDATE" and spec.node_name != node:
                    verb = request.verb.lower()
                    raise request.refuse(f"can only {verb} ResourceSlice with the same NodeName as the requesting node")
            case "csinodes":
                if request.name != node:
                    raise request.refuse("can only access CSINode with the same name as the requesting node")

    @staticmethod
    def _node(request: Request, node: str) -> None:
        if request.name != node:
            raise request.refuse(f'node "{node}" is not allowed to modify node "{request.name}"')
        if request.verb == "CREATE":
            if forbidden := _forbidden_labels({}, request.obj.metadata.labels):
                listed = ", ".join(sorted(forbidden))
                raise request.refuse(f'node "{node}" is not allowed to set the following labels: {listed}')
        elif request.verb == "UPDATE":
            if request.obj.spec.taints != request.old.spec.taints:
                raise request.refuse(f'node "{node}" is not allowed to modify taints')
            if forbidden := _forbidden_labels(request.old.metadata.labels, request.obj.metadata.labels):
                raise request.refuse(f"is not allowed to modify labels: {', '.join(sorted(forbidden))}")

    @staticmethod
    async def _mirror_pod(request: Request, cluster: Cluster, node: str, pod: v1.Pod) -> None:
        if MIRROR_POD not in pod.metadata.annotations:
            raise request.refuse(
                f'pod does not have "{MIRROR_POD}" annotation, node "{node}" can only create mirror pods'
            )
        if pod.spec.node_name != node:
            raise request.refuse(f'node "{node}" can only create pods with spec.nodeName set to itself')
        owners = pod.metadata.owner_references
        if len(owners) > 1:
            raise request.refuse(f'node "{node}" can only create pods with a single owner reference set to itself')
        if not owners or (owners[0].api_version, owners[0].kind, owners[0].name) != ("v1", "Node", node):
            raise request.refuse(f'node "{node}" can only create pods with an owner reference set to itself')
        owner = owners[0]
        if not owner.controller:
            raise request.refuse(f'node "{node}" can only create pods with a controller owner reference set to itself')
        if owner.block_owner_deletion:
            raise request.refuse(f'node "{node}" must not set blockOwnerDeletion on an owner reference')
        itself = await cluster.get(v1.Node, node)
        if itself is None:
            raise not_found("nodes", node)
        if owner.uid != itself.metadata.uid:
            raise request.refuse(f"node {node} UID mismatch: expected {owner.uid} got {itself.metadata.uid}")
        if pod.spec.service_account_name:
            raise request.refuse(f'node "{node}" can not create pods that reference a service account')
        if referenced := _referenced(pod):
            raise request.refuse(f'node "{node}" can not create pods that reference {referenced}')

    async def _pod(self, request: Request, cluster: Cluster, node: str) -> None:
        pod: Any = request.obj if request.obj is not None else request.old
        if request.verb == "CREATE":
            if request.subresource == "eviction":
                evicted = await cluster.get(v1.Pod, request.name, request.namespace)
                if evicted is not None and evicted.spec.node_name != node:
                    raise request.refuse(f'node "{node}" can only evict pods with spec.nodeName set to itself')
                return
            await self._mirror_pod(request, cluster, node, pod)
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


def _referenced(pod: v1.Pod) -> str:
    """Which other objects a pod reads from the API, if any: with a mirror pod a node could reach for them."""
    spec = pod.spec
    containers = (*spec.init_containers, *spec.containers)
    variables = [each.value_from for container in containers for each in container.env if each.value_from is not None]
    sources = [each for container in containers for each in container.env_from]
    projections = [each for volume in spec.volumes if volume.projected is not None for each in volume.projected.sources]
    if (
        spec.image_pull_secrets
        or any(volume.secret is not None for volume in spec.volumes)
        or any(each.secret_key_ref is not None for each in variables)
        or any(each.secret_ref is not None for each in sources)
        or any(each.secret is not None for each in projections)
    ):
        return "secrets"
    if (
        any(volume.config_map is not None for volume in spec.volumes)
        or any(each.config_map_key_ref is not None for each in variables)
        or any(each.config_map_ref is not None for each in sources)
        or any(each.config_map is not None for each in projections)
    ):
        return "configmaps"
    if any(each.cluster_trust_bundle is not None for each in projections):
        return "clustertrustbundles"
    if any(volume.persistent_volume_claim is not None for volume in spec.volumes):
        return "persistentvolumeclaims"
    return ""


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
