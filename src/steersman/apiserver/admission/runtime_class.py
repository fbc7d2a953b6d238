"""RuntimeClass: what the class of a pod's runtime adds to the pod (overhead, and where it can run)."""

from __future__ import annotations

from steersman.api.types import core_v1 as v1
from steersman.api.types.node_v1 import RuntimeClass

from .plugin import Cluster, Plugin, Request


class RuntimeClassAdmission(Plugin):
    """See the module."""

    name = "RuntimeClass"
    resources = frozenset({"pods"})

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        spec: v1.PodSpec = request.obj.spec
        if not spec.runtime_class_name:
            return
        found = await cluster.get(RuntimeClass, spec.runtime_class_name)
        if found is None:
            raise request.refuse(f'pod rejected: RuntimeClass "{spec.runtime_class_name}" not found')
        overhead = dict(found.overhead.pod_fixed) if found.overhead is not None else {}
        if spec.overhead and spec.overhead != overhead:
            raise request.refuse("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        spec.overhead = overhead
        if (scheduling := found.scheduling) is None:
            return
        for key, value in scheduling.node_selector.items():
            if spec.node_selector.setdefault(key, value) != value:
                raise request.refuse(
                    f"pod rejected: conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                    f"pod.spec.nodeSelector[{key}] = {spec.node_selector[key]}"
                )
        spec.tolerations.extend(each for each in scheduling.tolerations if each not in spec.tolerations)

    async def validate(self, request: Request, cluster: Cluster) -> None:
        spec: v1.PodSpec = request.obj.spec
        if spec.overhead and not spec.runtime_class_name:
            raise request.refuse("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
