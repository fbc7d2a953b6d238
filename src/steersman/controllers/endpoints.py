"""Keeps the Endpoints object of each service, for those who do not read endpoint slices yet."""

from __future__ import annotations

import msgspec

from steersman.api import labels
from steersman.api.errors import StatusError, is_already_exists, is_not_found
from steersman.api.time import rfc3339
from steersman.api.types.core_v1 import (
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    ObjectReference,
    Pod,
    Service,
)
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.informer import Informer, object_key

from .endpointslice import ServiceController, families, ports
from .kit import ControllerContext, services
from .kit.pods import is_ready
from .kit.refusals import harmless

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
CAPACITY = 1000


def subsets(service: Service, pods: list[Pod]) -> tuple[list[EndpointSubset], bool]:
    """The pods grouped by their ports, and whether there were too many for one object."""
    family = families(service)[0]
    groups: dict[bytes, EndpointSubset] = {}
    for pod in sorted(pods, key=lambda item: item.metadata.name):
        ip = services.address(pod, family)
        if not ip:
            continue
        offered = [
            EndpointPort(name=port.name, port=port.port or 0, protocol=port.protocol, app_protocol=port.app_protocol)
            for port in ports(pod, service)
        ]
        if not offered and not (services.is_headless(service) and not service.spec.ports):
            continue
        target = EndpointAddress(
            ip=ip,
            hostname=services.hostname(pod, service),
            node_name=pod.spec.node_name,
            target_ref=ObjectReference(
                kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
            ),
        )
        subset = groups.setdefault(msgspec.json.encode(offered), EndpointSubset(ports=offered))
        if is_ready(pod) or service.spec.publish_not_ready_addresses:
            subset.addresses.append(target)
        else:
            subset.not_ready_addresses.append(target)
    result = [groups[key] for key in sorted(groups)]
    total = sum(len(subset.addresses) + len(subset.not_ready_addresses) for subset in result)
    if total <= CAPACITY:
        return result, False
    room = CAPACITY
    for subset in result:
        subset.addresses = subset.addresses[:room]
        room -= len(subset.addresses)
    for subset in result:
        subset.not_ready_addresses = subset.not_ready_addresses[:room]
        room -= len(subset.not_ready_addresses)
    return [subset for subset in result if subset.addresses or subset.not_ready_addresses], True


class EndpointsController(ServiceController):
    """Keys are services."""

    name = "endpoints-controller"
    service_account = "endpoint-controller"
    component = "endpoint-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.endpoints: Informer[Endpoints] = context.informers.informer(Endpoints)
        self.listen(
            self.endpoints, self._ours, lambda old, new: self._ours(new), lambda obj: self.queue.add(object_key(obj))
        )

    def _ours(self, obj: Endpoints) -> None:
        if obj.metadata.labels.get(MANAGED_BY) == MANAGER:
            self.queue.add(object_key(obj))

    async def reconcile(self, key: str) -> float | None:
        service = self.services.lister.by_key(key)
        present = self.endpoints.lister.by_key(key)
        if service is None:
            # Only what this controller made: Endpoints without a service may be somebody's own.
            if present is not None and present.metadata.labels.get(MANAGED_BY) == MANAGER:
                try:
                    await self.client.delete(Endpoints, present.metadata.name, present.metadata.namespace)
                except StatusError as error:
                    if not is_not_found(error):
                        raise
            return None
        if service.metadata.deletion_timestamp is not None or not services.has_endpoints(service):
            return None
        tolerant = bool(service.spec.publish_not_ready_addresses)
        pods = self.backends(service, terminating=tolerant)
        wanted, truncated = subsets(service, pods)
        marks = {**services.inherited_labels(service), MANAGED_BY: MANAGER}
        capacity = "truncated" if truncated else None
        if (
            present is not None
            and present.subsets == wanted
            and present.metadata.labels == marks
            and present.metadata.annotations.get(labels.OVER_CAPACITY) == capacity
        ):
            return None
        annotations = dict(present.metadata.annotations) if present is not None else {}
        annotations[labels.ENDPOINTS_LAST_CHANGE] = rfc3339(services.last_change(service, pods))
        annotations.pop(labels.OVER_CAPACITY, None)
        if capacity is not None:
            annotations[labels.OVER_CAPACITY] = capacity
        try:
            if present is None:
                metadata = ObjectMeta(name=service.metadata.name, namespace=service.metadata.namespace)
                metadata.labels, metadata.annotations = marks, annotations
                await self.client.create(Endpoints(metadata=metadata, subsets=wanted))
            else:
                metadata = msgspec.structs.replace(present.metadata, labels=marks, annotations=annotations)
                await self.client.update(msgspec.structs.replace(present, metadata=metadata, subsets=wanted))
        except StatusError as error:
            if is_already_exists(error):
                raise  # not seen yet: look again
            if harmless(error):
                return None
            if error.reason != "Conflict":
                verb = "create" if present is None else "update"
                message = f"Failed to {verb} endpoint {key}: {error}"
                self.recorder.event(service, "Warning", f"FailedTo{verb.title()}Endpoint", message)
            raise
        return None
