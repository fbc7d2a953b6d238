"""Keeps the endpoint slices of services: the addresses and conditions of the pods each selects.

Slices are at most ``max_endpoints_per_slice`` long and are changed as little as possible: endpoints stay in
the slice they are in, new ones fill the gaps, and only what does not fit makes a new slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from steersman.api import labels
from steersman.api.errors import StatusError, is_not_found
from steersman.api.time import rfc3339
from steersman.api.types.core_v1 import Node, ObjectReference, Pod, Service
from steersman.api.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.informer import Informer, object_key

from .kit import Controller, ControllerContext, Expectations, controller_of, controller_reference, services
from .kit.pods import is_ready
from .kit.refusals import harmless

MANAGER = "endpointslice-controller.k8s.io"


class Plan(msgspec.Struct):
    """What to write so that the slices of a service say what is."""

    create: list[EndpointSlice] = []
    update: list[EndpointSlice] = []
    delete: list[EndpointSlice] = []


def endpoint(pod: Pod, service: Service, family: str, zone: str) -> Endpoint:
    """What a slice says about a pod."""
    serving = is_ready(pod)
    terminating = pod.metadata.deletion_timestamp is not None
    ready = bool(service.spec.publish_not_ready_addresses) or (serving and not terminating)
    return Endpoint(
        addresses=[services.address(pod, family)],
        conditions=EndpointConditions(ready=ready, serving=serving, terminating=terminating),
        hostname=services.hostname(pod, service),
        node_name=pod.spec.node_name,
        target_ref=ObjectReference(
            kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
        ),
        zone=zone,
    )


def ports(pod: Pod, service: Service) -> list[EndpointPort]:
    """The service's ports as the pod has them."""
    found = []
    for port in service.spec.ports:
        number = services.target_port(pod, port)
        if number is not None:
            found.append(
                EndpointPort(
                    name=port.name, port=number, protocol=port.protocol or "TCP", app_protocol=port.app_protocol
                )
            )
    return found


def families(service: Service) -> list[str]:
    """The address types to make slices for."""
    return service.spec.ip_families or ["IPv6" if ":" in service.spec.cluster_ip else "IPv4"]


def plan(
    service: Service, pods: Sequence[Pod], zones: dict[str, str], present: Sequence[EndpointSlice], limit: int
) -> Plan:
    """Compare what is wanted with the slices there are."""
    result = Plan(create=[], update=[], delete=[])
    wanted_labels = {
        **services.inherited_labels(service),
        labels.SERVICE_NAME: service.metadata.name,
        labels.MANAGED_BY: MANAGER,
    }
    trigger = rfc3339(services.last_change(service, pods))
    unused = {item.metadata.uid: item for item in present}
    for family in families(service):
        groups: dict[bytes, tuple[list[EndpointPort], dict[str, Endpoint]]] = {}
        for pod in sorted(pods, key=lambda item: item.metadata.name):
            if not services.address(pod, family):
                continue
            offered = ports(pod, service)
            key = msgspec.json.encode(offered)
            zone = zones.get(pod.spec.node_name, "")
            groups.setdefault(key, (offered, {}))[1][pod.metadata.uid] = endpoint(pod, service, family, zone)
        if not groups:
            # A service without pods has one empty slice, so that watchers know it exists.
            groups[b""] = ([], {})
        for offered, endpoints in groups.values():
            ours = [
                item
                for item in present
                if item.metadata.uid in unused and item.address_type == family and item.ports == offered
            ]
            if not ours and not endpoints:
                ours = [item for item in unused.values() if item.address_type == family][:1]
            for item in ours:
                del unused[item.metadata.uid]
            _fill(result, service, family, offered, endpoints, ours, wanted_labels, trigger, limit)
    result.delete += unused.values()
    return result


def _fill(
    result: Plan,
    service: Service,
    family: str,
    offered: list[EndpointPort],
    endpoints: dict[str, Endpoint],
    present: Sequence[EndpointSlice],
    wanted_labels: dict[str, str],
    trigger: str,
    limit: int,
) -> None:
    remaining = dict(endpoints)
    kept: list[tuple[EndpointSlice, list[Endpoint]]] = []
    for item in sorted(present, key=lambda each: -len(each.endpoints)):
        uids = [each.target_ref.uid for each in item.endpoints if each.target_ref is not None]
        kept.append((item, [remaining.pop(uid) for uid in uids if uid in remaining]))
    rest = [*remaining.values()]
    for _, inside in kept:
        room = max(limit - len(inside), 0)
        inside += rest[:room]
        rest = rest[room:]
    spare = [pair for pair in kept if not pair[1]]
    for item, _ in spare if endpoints else spare[1:]:
        result.delete.append(item)
    for item, inside in kept:
        if any(item is deleted for deleted in result.delete):
            continue
        if inside != item.endpoints or item.metadata.labels != wanted_labels or item.ports != offered:
            metadata = msgspec.structs.replace(
                item.metadata,
                labels=wanted_labels,
                annotations={**item.metadata.annotations, labels.ENDPOINTS_LAST_CHANGE: trigger},
            )
            result.update.append(msgspec.structs.replace(item, metadata=metadata, endpoints=inside, ports=offered))
    while rest or not (kept or endpoints):
        metadata = ObjectMeta(
            generate_name=f"{service.metadata.name}-",
            namespace=service.metadata.namespace,
            labels=wanted_labels,
            annotations={labels.ENDPOINTS_LAST_CHANGE: trigger},
            owner_references=[controller_reference(service)],
        )
        result.create.append(
            EndpointSlice(metadata=metadata, address_type=family, endpoints=rest[:limit], ports=offered)
        )
        rest = rest[limit:]
        if not rest:
            break


class ServiceController(Controller):
    """What the controllers of slices and of Endpoints share: keys are services, and pods lead to them."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.services: Informer[Service] = self.watch(Service, lambda obj: [object_key(obj)])
        self.pods: Informer[Pod] = context.informers.informer(Pod)
        self.listen(self.pods, self._pod_changed, self._pod_updated, self._pod_changed)

    def _with_endpoints(self, namespace: str) -> Iterator[Service]:
        return filter(services.has_endpoints, self.services.lister.list(namespace))

    def _pod_changed(self, pod: Pod) -> None:
        for service in self._with_endpoints(pod.metadata.namespace):
            if services.matches(service, pod):
                self.queue.add(object_key(service))

    def _pod_updated(self, old: Pod, new: Pod) -> None:
        if any(self._with_endpoints(new.metadata.namespace)) and self._relevant(old) != self._relevant(new):
            self._pod_changed(new)
            if old.metadata.labels != new.metadata.labels:
                self._pod_changed(old)

    @staticmethod
    def _relevant(pod: Pod) -> tuple[object, ...]:
        """What of a pod endpoints depend on: most updates of a pod are none of theirs."""
        return (
            pod.metadata.uid,
            pod.metadata.labels,
            pod.metadata.deletion_timestamp is not None,
            pod.spec.node_name,
            pod.status.phase,
            pod.status.pod_ip,
            [item.ip for item in pod.status.pod_ips],
            is_ready(pod),
        )

    def backends(self, service: Service, *, terminating: bool) -> list[Pod]:
        """The pods that can be endpoints of the service."""
        return [
            pod
            for pod in self.pods.lister.list(service.metadata.namespace)
            if services.matches(service, pod) and services.carries(pod, terminating=terminating)
        ]


class EndpointSliceController(ServiceController):
    """Keys are services."""

    name = "endpointslice-controller"
    component = "endpoint-slice-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.expectations = Expectations(context.clock)
        self.slices: Informer[EndpointSlice] = context.informers.informer(EndpointSlice)
        self.slices.lister.add_index("service", _service_of)
        self.listen(self.slices, self._slice_added, self._slice_updated, self._slice_deleted)
        self.listen(self.services, on_update=self._service_replaced, on_delete=self._service_gone)
        self.nodes: Informer[Node] = context.informers.informer(Node)
        self.listen(self.nodes, self._zone_changed, self._node_updated, self._zone_changed)

    def _slice_added(self, item: EndpointSlice) -> None:
        for key in _service_of(item):
            self.expectations.creation_observed(key)
            self.queue.add(key)

    def _service_replaced(self, old: Service, new: Service) -> None:
        if old.metadata.uid != new.metadata.uid:
            self._service_gone(old)

    def _service_gone(self, service: Service) -> None:
        """What was expected for this one must not hold up another that gets its name before we look."""
        self.expectations.forget(object_key(service))

    def _slice_updated(self, old: EndpointSlice, new: EndpointSlice) -> None:
        if old.metadata.uid != new.metadata.uid:  # deleted and made anew between two lists
            self._slice_deleted(old)
        for key in {*_service_of(old), *_service_of(new)}:
            self.queue.add(key)

    def _slice_deleted(self, item: EndpointSlice) -> None:
        for key in _service_of(item):
            self.expectations.deletion_observed(key, item.metadata.uid)
            self.queue.add(key)

    def _node_updated(self, old: Node, new: Node) -> None:
        if old.metadata.labels.get(labels.TOPOLOGY_ZONE) != new.metadata.labels.get(labels.TOPOLOGY_ZONE):
            self._zone_changed(new)

    def _zone_changed(self, node: Node) -> None:
        if self.nodes.has_synced and labels.TOPOLOGY_ZONE in node.metadata.labels:
            for service in self.services.lister.list():
                self.queue.add(object_key(service))

    async def reconcile(self, key: str) -> float | None:
        service = self.services.lister.by_key(key)
        if service is None:
            self.expectations.forget(key)  # the slices go with their owner
            return None
        if service.metadata.deletion_timestamp is not None or not services.has_endpoints(service):
            return None
        if not self.expectations.satisfied(key):
            return 1.0  # slices we made are not seen yet; their arrival adds the key as well
        present = [
            item
            for item in self.slices.lister.by_index("service", key)
            if item.metadata.deletion_timestamp is None
            and ((owner := controller_of(item.metadata)) is None or owner.uid == service.metadata.uid)
        ]
        zones = {
            node.metadata.name: node.metadata.labels.get(labels.TOPOLOGY_ZONE, "") for node in self.nodes.lister.list()
        }
        todo = plan(
            service,
            self.backends(service, terminating=True),
            zones,
            present,
            self.context.config.max_endpoints_per_slice,
        )
        await self._write(key, service, todo)
        return None

    async def _write(self, key: str, service: Service, todo: Plan) -> None:
        self.expectations.expect_creations(key, len(todo.create))
        self.expectations.expect_deletions(key, [item.metadata.uid for item in todo.delete])
        # Endpoints that move must be somewhere at any time: first what adds, then what takes away.
        pending = len(todo.create)
        try:
            for item in todo.create:
                await self.client.create(item)
                pending -= 1
            for item in todo.update:
                await self.client.update(item)
            for item in todo.delete:
                try:
                    await self.client.delete(EndpointSlice, item.metadata.name, item.metadata.namespace)
                except StatusError as error:
                    if not is_not_found(error):
                        raise
                    self.expectations.deletion_observed(key, item.metadata.uid)
        except BaseException as error:
            self.expectations.creation_observed(key, pending)
            for item in todo.delete:
                self.expectations.deletion_observed(key, item.metadata.uid)
            if isinstance(error, StatusError) and harmless(error):
                return
            if isinstance(error, StatusError) and error.reason != "Conflict":
                message = f"Error updating Endpoint Slices for Service {key}: {error}"
                self.recorder.event(service, "Warning", "FailedToUpdateEndpointSlices", message)
            raise


def _service_of(item: EndpointSlice) -> Iterable[str]:
    """The key of the service whose slice this controller manages."""
    marks = item.metadata.labels
    if marks.get(labels.MANAGED_BY) != MANAGER or not marks.get(labels.SERVICE_NAME):
        return ()
    return (f"{item.metadata.namespace}/{marks[labels.SERVICE_NAME]}",)
