"""Priority: the number behind the name of a pod's priority class."""

from __future__ import annotations

from steersman.api.types import core_v1 as v1
from steersman.api.types.scheduling_v1 import PriorityClass

from .plugin import Cluster, Plugin, Request

SYSTEM_CLASSES = frozenset({"system-cluster-critical", "system-node-critical"})


class Priority(Plugin):
    """Resolves the class of new pods; lets one class at most be the default, and the system's own never go."""

    name = "Priority"
    verbs = frozenset({"CREATE", "UPDATE", "DELETE"})
    resources = frozenset({"pods", "priorityclasses.scheduling.k8s.io"})

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        if request.resource.name != "pods" or request.verb == "DELETE":
            return
        spec: v1.PodSpec = request.obj.spec
        if request.verb == "UPDATE":
            before: v1.PodSpec = request.old.spec
            if spec.priority is None:
                spec.priority = before.priority
            spec.preemption_policy = spec.preemption_policy or before.preemption_policy
            return
        priority, policy = 0, "PreemptLowerPriority"
        if spec.priority_class_name:
            chosen = await cluster.get(PriorityClass, spec.priority_class_name)
            if chosen is None:
                raise request.refuse(f"no PriorityClass with name {spec.priority_class_name} was found")
        else:
            chosen = await self._default(cluster)
            if chosen is not None:
                spec.priority_class_name = chosen.metadata.name
        if chosen is not None:
            priority, policy = chosen.value, chosen.preemption_policy or policy
        if spec.priority is not None and spec.priority != priority:
            raise request.refuse(
                f"the integer value of priority ({spec.priority}) must not be provided in pod spec; "
                f"priority admission controller computed {priority} from the given PriorityClass name"
            )
        if spec.preemption_policy and spec.preemption_policy != policy:
            raise request.refuse(
                f"the string value of PreemptionPolicy ({spec.preemption_policy}) must not be provided in pod spec; "
                f"priority admission controller computed {policy} from the given PriorityClass name"
            )
        spec.priority = priority
        spec.preemption_policy = policy

    @staticmethod
    async def _default(cluster: Cluster) -> PriorityClass | None:
        defaults = [each for each in await cluster.list(PriorityClass) if each.global_default]
        return min(defaults, key=lambda each: each.value) if defaults else None

    async def validate(self, request: Request, cluster: Cluster) -> None:
        if request.resource.name == "pods":
            return
        if request.verb == "DELETE":
            if request.name in SYSTEM_CLASSES:
                raise request.refuse("this is a system priority class and cannot be deleted")
            return
        if not request.obj.global_default:
            return
        for each in await cluster.list(PriorityClass):
            if each.global_default and each.metadata.name != request.obj.metadata.name:
                raise request.refuse(
                    f"PriorityClass {each.metadata.name} is already marked as default. Only one default can exist"
                )
