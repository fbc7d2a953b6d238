"""DefaultTolerationSeconds: pods stay five minutes on a node that is not ready or not reachable."""

from __future__ import annotations

from steersman.api.labels import TAINT_NOT_READY, TAINT_UNREACHABLE
from steersman.api.types import core_v1 as v1

from .plugin import Cluster, Plugin, Request

_SECONDS = 300


class DefaultTolerationSeconds(Plugin):
    """See the module."""

    name = "DefaultTolerationSeconds"
    verbs = frozenset({"CREATE", "UPDATE"})
    resources = frozenset({"pods"})

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        tolerations: list[v1.Toleration] = request.obj.spec.tolerations
        for key in (TAINT_NOT_READY, TAINT_UNREACHABLE):
            if not any(each.key in (key, "") and each.effect in ("NoExecute", "") for each in tolerations):
                tolerations.append(
                    v1.Toleration(key=key, operator="Exists", effect="NoExecute", toleration_seconds=_SECONDS)
                )
