"""The downward API: what a pod may learn about itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_UP, Decimal

import msgspec

from steersman.api import quantity
from steersman.api.types.core_v1 import Container, Pod, ResourceFieldSelector

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class DownwardError(Exception):
    """The field or resource is none of those offered."""


def field_value(pod: Pod, path: str, *, pod_ips: list[str], host_ips: list[str]) -> str:
    """The value of a ``fieldRef``."""
    if match := _SUBSCRIPT.fullmatch(path):
        values = pod.metadata.labels if match[1] == "labels" else pod.metadata.annotations
        return values.get(match[2], "")
    simple = {
        "metadata.name": pod.metadata.name,
        "metadata.namespace": pod.metadata.namespace,
        "metadata.uid": pod.metadata.uid,
        "spec.nodeName": pod.spec.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": host_ips[0] if host_ips else "",
        "status.hostIPs": ",".join(host_ips),
        "status.podIP": pod_ips[0] if pod_ips else "",
        "status.podIPs": ",".join(pod_ips),
    }
    if path in simple:
        return simple[path]
    if path in ("metadata.labels", "metadata.annotations"):
        values = pod.metadata.labels if path.endswith("labels") else pod.metadata.annotations
        quoted = ((key, msgspec.json.encode(value).decode()) for key, value in sorted(values.items()))
        return "\n".join(f"{key}={value}" for key, value in quoted)
    raise DownwardError(f"unsupported fieldPath: {path}")


def resource_value(
    pod: Pod, container: Container, selector: ResourceFieldSelector, node_allocatable: Mapping[str, str]
) -> str:
    """The value of a ``resourceFieldRef``; an absent limit is what the node can give."""
    if selector.container_name:
        everyone = [*pod.spec.containers, *pod.spec.init_containers]
        found = next((each for each in everyone if each.name == selector.container_name), None)
        if found is None:
            raise DownwardError(f"container {selector.container_name} not found")
        container = found
    kind, _, name = selector.resource.partition(".")
    if kind not in ("limits", "requests") or not name:
        raise DownwardError(f"unsupported container resource : {selector.resource}")
    chosen = container.resources.limits if kind == "limits" else container.resources.requests
    text = chosen.get(name, "")
    if not text and kind == "requests":
        text = container.resources.limits.get(name, "")
        if not text:
            return "0"
    if not text:
        text = node_allocatable.get(name, "0")
    divisor = quantity.parse(selector.divisor) if selector.divisor else Decimal(0)
    if not divisor:
        divisor = Decimal(1)
    return str(int((quantity.parse(text) / divisor).to_integral_value(ROUND_UP)))
