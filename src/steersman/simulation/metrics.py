"""``metrics.k8s.io/v1beta1`` of simulated nodes and their pods: paths to answers.

Every answer is made of what the API says at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from steersman.api.clock import SYSTEM, Clock
from steersman.api.errors import StatusError, is_not_found, no_route, not_found
from steersman.api.scheme import Object
from steersman.api.time import rfc3339
from steersman.api.types.core_v1 import Node, Pod
from steersman.client.client import Client, Selectors

from .ownership import mark_of
from .usage import Amounts, UsageRule, pod_usage, total, written

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
GROUP_VERSION = f"{GROUP}/{VERSION}"
WINDOW = "30s"

_VERBS = ["get", "list"]
_GROUP = {
    "name": GROUP,
    "versions": [{"groupVersion": GROUP_VERSION, "version": VERSION}],
    "preferredVersion": {"groupVersion": GROUP_VERSION, "version": VERSION},
}
_DOCUMENTS: dict[tuple[str, ...], dict[str, Any]] = {
    ("apis",): {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_GROUP]},
    ("apis", GROUP): {"kind": "APIGroup", "apiVersion": "v1", **_GROUP},
    ("apis", GROUP, VERSION): {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": GROUP_VERSION,
        "resources": [
            {"name": "nodes", "singularName": "", "namespaced": False, "kind": "NodeMetrics", "verbs": _VERBS},
            {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": _VERBS},
        ],
    },
}


class Metrics:
    """Answers GETs; raises StatusError."""

    def __init__(self, client: Client, rules: tuple[UsageRule, ...] = (), clock: Clock = SYSTEM) -> None:
        self._client = client
        self._rules = rules
        self._clock = clock

    async def answer(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """The document at a path."""
        parts = tuple(path.strip("/").split("/"))
        if (document := _DOCUMENTS.get(parts)) is not None:
            return document
        match parts:
            case ("apis", str(group), str(version), *rest) if (group, version) == (GROUP, VERSION):
                selectors = Selectors(labels=query.get("labelSelector", ""))
                match rest:
                    case ["nodes"]:
                        return _list("NodeMetricsList", await self._nodes(selectors))
                    case ["nodes", name]:
                        return await self._node(name)
                    case ["pods"]:
                        return _list("PodMetricsList", await self._pods("", selectors))
                    case ["namespaces", namespace, "pods"]:
                        return _list("PodMetricsList", await self._pods(namespace, selectors))
                    case ["namespaces", namespace, "pods", name]:
                        return await self._pod(namespace, name)
        raise no_route()

    async def _nodes(self, selectors: Selectors) -> list[dict[str, Any]]:
        nodes = (await self._client.list(Node, selectors=selectors, resource_version="0")).items
        used: dict[str, Amounts] = {node.metadata.name: {} for node in nodes if mark_of(node) is not None}
        for pod in (await self._client.list(Pod, resource_version="0")).items:
            if pod.spec.node_name in used and pod.status.phase == "Running":
                total(pod_usage(pod, self._rules), used[pod.spec.node_name])
        return [self._node_metrics(node, used[node.metadata.name]) for node in nodes if node.metadata.name in used]

    async def _node(self, name: str) -> dict[str, Any]:
        try:
            node = await self._client.get(Node, name)
        except StatusError as error:
            raise not_found("nodemetrics", name, GROUP) if is_not_found(error) else error from None
        if mark_of(node) is None:
            raise not_found("nodemetrics", name, GROUP)
        used: Amounts = {}
        page = await self._client.list(Pod, selectors=Selectors(fields=f"spec.nodeName={name}"))
        for pod in page.items:
            if pod.status.phase == "Running":
                total(pod_usage(pod, self._rules), used)
        return self._node_metrics(node, used)

    async def _pods(self, namespace: str, selectors: Selectors) -> list[dict[str, Any]]:
        is_ours = await self._is_ours()
        pods = (await self._client.list(Pod, namespace, selectors=selectors, resource_version="0")).items
        return [self._pod_metrics(pod) for pod in pods if is_ours(pod)]

    async def _pod(self, namespace: str, name: str) -> dict[str, Any]:
        try:
            pod = await self._client.get(Pod, name, namespace)
        except StatusError as error:
            raise not_found("podmetrics", name, GROUP) if is_not_found(error) else error from None
        if not (await self._is_ours())(pod):
            raise not_found("podmetrics", name, GROUP)
        return self._pod_metrics(pod)

    async def _is_ours(self) -> Callable[[Pod], bool]:
        nodes = (await self._client.list(Node, resource_version="0")).items
        names = {node.metadata.name for node in nodes if mark_of(node) is not None}
        return lambda pod: pod.spec.node_name in names and pod.status.phase == "Running"

    def _node_metrics(self, node: Node, used: Amounts) -> dict[str, Any]:
        usage = written({"cpu": used.get("cpu", _NOTHING), "memory": used.get("memory", _NOTHING), **used})
        return {**_header("NodeMetrics", node, self._clock.now()), "usage": usage}

    def _pod_metrics(self, pod: Pod) -> dict[str, Any]:
        containers = [{"name": name, "usage": written(used)} for name, used in pod_usage(pod, self._rules)]
        return {**_header("PodMetrics", pod, self._clock.now()), "containers": containers}


_NOTHING = Decimal(0)


def _header(kind: str, obj: Object, instant: datetime) -> dict[str, Any]:
    meta = obj.metadata
    metadata: dict[str, Any] = {"name": meta.name, "creationTimestamp": rfc3339(instant), "labels": meta.labels}
    if meta.namespace:
        metadata["namespace"] = meta.namespace
    return {
        "kind": kind,
        "apiVersion": GROUP_VERSION,
        "metadata": metadata,
        "timestamp": rfc3339(instant),
        "window": WINDOW,
    }


def _list(kind: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": GROUP_VERSION, "metadata": {}, "items": items}
