"""Which pods stand behind a service, and under which ports: shared by slices and Endpoints."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime

from steersman.api import labels
from steersman.api.types.core_v1 import Pod, Service, ServicePort

from .conditions import condition
from .pods import is_terminal


def is_headless(service: Service) -> bool:
    """Whether the service has no virtual address of its own."""
    return service.spec.cluster_ip == "None"


def has_endpoints(service: Service) -> bool:
    """Whether pods are to be looked up for the service at all."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def matches(service: Service, pod: Pod) -> bool:
    """Whether the service's selector chooses the pod."""
    return service.spec.selector.items() <= pod.metadata.labels.items()


def carries(pod: Pod, *, terminating: bool) -> bool:
    """Whether the pod can be an endpoint: it has an address and has not ended."""
    if is_terminal(pod) or not (pod.status.pod_ip or pod.status.pod_ips):
        return False
    return terminating or pod.metadata.deletion_timestamp is None


def address(pod: Pod, family: str) -> str:
    """The pod's address of a family (``IPv4``, ``IPv6``), empty where it has none."""
    version = 6 if family == "IPv6" else 4
    for text in [item.ip for item in pod.status.pod_ips] or [pod.status.pod_ip]:
        if text and ipaddress.ip_address(text).version == version:
            return text
    return ""


def target_port(pod: Pod, port: ServicePort) -> int | None:
    """The number of the pod's port behind a service port; None where the pod has no port of that name."""
    target = port.target_port
    if target is None or target == 0 or target == "":
        return port.port
    if isinstance(target, int):
        return target
    protocol = port.protocol or "TCP"
    containers = [
        *pod.spec.containers,
        *(item for item in pod.spec.init_containers if item.restart_policy == "Always"),
    ]
    for container in containers:
        for offered in container.ports:
            if offered.name == target and (offered.protocol or "TCP") == protocol:
                return offered.container_port
    return None


def hostname(pod: Pod, service: Service) -> str:
    """The name the pod has below a headless service's; empty where it has none."""
    spec = pod.spec
    same = spec.subdomain == service.metadata.name and pod.metadata.namespace == service.metadata.namespace
    return spec.hostname if same else ""


def last_change(service: Service, pods: Iterable[Pod]) -> datetime:
    """When the newest of the changes that made the endpoints what they are happened."""
    instants = [service.metadata.creation_timestamp]
    for pod in pods:
        ready = condition(pod.status.conditions, "Ready")
        instants += [
            ready.last_transition_time if ready is not None else pod.metadata.creation_timestamp,
            pod.metadata.deletion_timestamp,
        ]
    epoch = datetime.fromtimestamp(0, UTC)
    return max((instant for instant in instants if instant is not None), default=epoch)


def inherited_labels(service: Service) -> dict[str, str]:
    """The service's labels, as its endpoints carry them."""
    reserved = {labels.HEADLESS_SERVICE, labels.SERVICE_NAME, labels.MANAGED_BY}
    result = {key: value for key, value in service.metadata.labels.items() if key not in reserved}
    if is_headless(service):
        result[labels.HEADLESS_SERVICE] = ""
    return result
