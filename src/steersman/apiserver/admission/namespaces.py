"""NamespaceLifecycle: nothing is created in a namespace that is missing or going, and some namespaces never go."""

from __future__ import annotations

from steersman.api.errors import not_found
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import StatusCause

from .plugin import Cluster, Plugin, Request

_IMMORTAL = ("default", "kube-system", "kube-public")
_EXEMPT = ("localsubjectaccessreviews.authorization.k8s.io",)


class NamespaceLifecycle(Plugin):
    """See the module."""

    name = "NamespaceLifecycle"
    verbs = frozenset({"CREATE", "DELETE"})

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        resource = request.resource
        if request.verb == "DELETE":
            if resource.qualified_name == "namespaces" and request.name in _IMMORTAL:
                raise request.refuse("this namespace may not be deleted")
            return
        if not resource.namespaced or resource.qualified_name in _EXEMPT:
            return
        name = request.namespace
        namespace = await cluster.get(v1.Namespace, name)
        if namespace is None:
            raise not_found("namespaces", name)
        if namespace.status.phase == "Terminating":
            error = request.refuse(f"unable to create new content in namespace {name} because it is being terminated")
            assert error.status.details is not None
            error.status.details.causes = [
                StatusCause(
                    reason="NamespaceTerminating",
                    message=f"namespace {name} is being terminated",
                    field="metadata.namespace",
                )
            ]
            raise error
