"""Makes ServiceCIDRs ready, and keeps those that are being deleted until no address depends on them (KEP-1880).

An address depends on a range when no other holds it.  The API servers choose from ranges that are ready, and may not
have heard yet that one goes: its finalizer therefore stays for a while after the deletion was asked for.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import ClassVar

from steersman.api import codecs, labels
from steersman.api.errors import StatusError
from steersman.api.types.meta_v1 import Condition
from steersman.api.types.networking_v1 import IPAddress, ServiceCIDR
from steersman.client.informer import Informer

from .kit import Controller, ControllerContext

GRACE_SECONDS = 10.0

_READY = Condition(type="Ready", status="True", message="Kubernetes Service CIDR is ready")
_TERMINATING = Condition(
    type="Ready",
    status="False",
    reason="Terminating",
    message="There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(cidr: ServiceCIDR) -> list[Network]:
    """The networks of a ServiceCIDR."""
    return [ipaddress.ip_network(text) for text in cidr.spec.cidrs]


def within(inner: Network, outer: Network) -> bool:
    """Whether a network is the same as another, or a part of it."""
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def is_needed(cidr: ServiceCIDR, others: Iterable[ServiceCIDR], addresses: Iterable[IPAddress]) -> bool:
    """Whether an address would be in no range without this one; ``others`` that go away do not count."""
    own = networks(cidr)
    remaining = [
        network
        for other in others
        if other.metadata.name != cidr.metadata.name and other.metadata.deletion_timestamp is None
        for network in networks(other)
    ]
    orphaned = [network for network in own if not any(within(network, other) for other in remaining)]
    for address in addresses if orphaned else ():
        if address.metadata.labels.get(labels.ADDRESS_MANAGED_BY) != labels.ADDRESS_ALLOCATOR:
            continue
        parsed = ipaddress.ip_address(address.metadata.name)
        if any(parsed in network for network in orphaned) and not any(parsed in network for network in remaining):
            return True
    return False


class ServiceCIDRController(Controller):
    """Keys are names of ServiceCIDRs."""

    name = "service-cidr-controller"
    service_account: ClassVar[str] = "service-cidrs-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        # Known before handlers are called, which look at it.
        self.cidrs: Informer[ServiceCIDR] = context.informers.informer(ServiceCIDR)
        self.watch(ServiceCIDR, self._concerned)
        self.addresses: Informer[IPAddress] = self.watch(IPAddress, lambda _: self._going())

    def _concerned(self, cidr: ServiceCIDR) -> list[str]:
        """One that comes or goes may let others go, or hold them."""
        return [cidr.metadata.name, *self._going()]

    def _going(self) -> list[str]:
        return [cidr.metadata.name for cidr in self.cidrs.lister.list() if cidr.metadata.deletion_timestamp is not None]

    async def reconcile(self, key: str) -> float | None:
        cidr = self.cidrs.lister.get(key)
        if cidr is None:
            return None
        if cidr.metadata.deletion_timestamp is None:
            if labels.FINALIZER_SERVICE_CIDR not in cidr.metadata.finalizers:
                changed = codecs.copy(cidr)
                changed.metadata.finalizers.append(labels.FINALIZER_SERVICE_CIDR)
                cidr = await self.client.update(changed)
            await self._tell(cidr, _READY)
            return None
        if is_needed(cidr, self.cidrs.lister.list(), self.addresses.lister.list()):
            await self._tell(cidr, _TERMINATING)
            return None
        elapsed = (self.context.now() - cidr.metadata.deletion_timestamp).total_seconds()
        if elapsed < GRACE_SECONDS:
            return GRACE_SECONDS - elapsed
        if labels.FINALIZER_SERVICE_CIDR in cidr.metadata.finalizers:
            changed = codecs.copy(cidr)
            changed.metadata.finalizers.remove(labels.FINALIZER_SERVICE_CIDR)
            await self.client.update(changed)
        return None

    async def _tell(self, cidr: ServiceCIDR, wanted: Condition) -> None:
        present = next((each for each in cidr.status.conditions if each.type == wanted.type), None)
        if present is not None and (present.status, present.reason, present.message) == (
            wanted.status,
            wanted.reason,
            wanted.message,
        ):
            return
        condition = codecs.copy(wanted)
        same = present is not None and present.status == wanted.status
        condition.last_transition_time = present.last_transition_time if present and same else self.context.now()
        changed = codecs.copy(cidr)
        changed.status.conditions = [each for each in changed.status.conditions if each.type != wanted.type]
        changed.status.conditions.append(condition)
        try:
            await self.client.update(changed, subresource="status")
        except StatusError:
            message = f"The ServiceCIDR Status can not be set to Ready={wanted.status}"
            self.recorder.event(cidr, "Warning", "KubernetesServiceCIDRError", message)
            raise
