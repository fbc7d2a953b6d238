"""Services: see :mod:`steersman.apiserver.registry.services` for what makes them particular."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from steersman.api.errors import invalid
from steersman.api.types import core_v1 as v1
from steersman.api.validation import services as validation
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.services import families, fields, reservation
from steersman.apiserver.registry.services.allocator import Allocator
from steersman.apiserver.registry.strategy import Handlers, Reservation, Strategy
from steersman.storage.store import Operation


class ServiceStrategy(Strategy):
    """Linked fields, families, allocation, and the fields that come and go with the type."""

    create_on_update = True

    def __init__(self, resource: Any, cluster: Handlers) -> None:
        super().__init__(resource, cluster)
        self._families = tuple(f"IPv{network.version}" for network in cluster.config.service_networks)
        self.allocator = Allocator(cluster)

    def prepare_create(self, context: Context, new: v1.Service) -> None:
        new.status = v1.ServiceStatus()
        fields.agree(new.spec, None)
        self._settle(new, None)

    def prepare_update(self, context: Context, new: v1.Service, old: v1.Service) -> None:
        new.status = old.status
        fields.carry_over(new.spec, old.spec)
        fields.agree(new.spec, old.spec)
        self._settle(new, old)
        fields.drop(new.spec, old.spec)
        if new.spec.type != "LoadBalancer":
            new.status = v1.ServiceStatus(conditions=old.status.conditions)

    def _settle(self, new: v1.Service, old: v1.Service | None) -> None:
        if faults := families.settle(new.spec, old.spec if old is not None else None, self._families):
            raise invalid("Service", new.metadata.name, faults)

    def warnings(self, new: v1.Service, old: v1.Service | None) -> Iterable[str]:
        return validation.warnings(new)

    async def reserve(self, new: v1.Service, old: v1.Service | None) -> Reservation | None:
        return await self.allocator.reserve(new, old)

    def release(self, old: v1.Service) -> Sequence[Operation]:
        return reservation.release(old.spec)
