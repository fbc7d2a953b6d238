"""Dynamic resource allocation: claims, slices and taints."""

from __future__ import annotations

from steersman.api.disabled import (
    drop_from_device_class,
    drop_from_resource_claim_spec,
    drop_from_resource_claim_status,
    drop_from_resource_slice,
)
from steersman.api.types.resource_v1 import DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice
from steersman.api.types.resource_v1alpha3 import DeviceTaintRule
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Strategy

Device = tuple[str, str, str, str]


class ResourceClaimStrategy(Strategy):
    """Writes of ``/status`` leave metadata alone; what is said of devices goes with their allocation."""

    status_metadata = False

    def prepare_create(self, context: Context, new: ResourceClaim) -> None:
        super().prepare_create(context, new)
        drop_from_resource_claim_spec(new.spec)

    def prepare_update(self, context: Context, new: ResourceClaim, old: ResourceClaim) -> None:
        super().prepare_update(context, new, old)
        drop_from_resource_claim_spec(new.spec, old.spec)

    def prepare_status(self, context: Context, new: ResourceClaim, old: ResourceClaim) -> None:
        super().prepare_status(context, new, old)
        gone = _allocated(old) - _allocated(new)
        new.status.devices = [
            each for each in new.status.devices if (each.driver, each.pool, each.device, each.share_id) not in gone
        ]
        drop_from_resource_claim_status(new, old)


class ResourceClaimTemplateStrategy(Strategy):
    """Says what claims made of it will be."""

    def prepare_create(self, context: Context, new: ResourceClaimTemplate) -> None:
        super().prepare_create(context, new)
        drop_from_resource_claim_spec(new.spec.spec)

    def prepare_update(self, context: Context, new: ResourceClaimTemplate, old: ResourceClaimTemplate) -> None:
        super().prepare_update(context, new, old)
        drop_from_resource_claim_spec(new.spec.spec, old.spec.spec)


def _allocated(claim: ResourceClaim) -> set[Device]:
    allocation = claim.status.allocation
    results = allocation.devices.results if allocation is not None and allocation.devices is not None else []
    return {(each.driver, each.pool, each.device, each.share_id) for each in results}


class DeviceClassStrategy(Strategy):
    """Counts the changes of its spec."""

    generation = True

    def prepare_create(self, context: Context, new: DeviceClass) -> None:
        super().prepare_create(context, new)
        drop_from_device_class(new.spec)

    def prepare_update(self, context: Context, new: DeviceClass, old: DeviceClass) -> None:
        drop_from_device_class(new.spec, old.spec)
        super().prepare_update(context, new, old)


class ResourceSliceStrategy(Strategy):
    """Counts the changes of its spec; says since when devices are tainted."""

    generation = True

    def prepare_create(self, context: Context, new: ResourceSlice) -> None:
        super().prepare_create(context, new)
        drop_from_resource_slice(new.spec)
        self._date(new)

    def prepare_update(self, context: Context, new: ResourceSlice, old: ResourceSlice) -> None:
        drop_from_resource_slice(new.spec, old.spec)
        if new.spec != old.spec:
            self._date(new)
        super().prepare_update(context, new, old)

    def _date(self, obj: ResourceSlice) -> None:
        now = self.cluster.now().replace(microsecond=0)
        for device in obj.spec.devices:
            for taint in device.taints:
                taint.time_added = taint.time_added or now


class DeviceTaintRuleStrategy(Strategy):
    """Counts the changes of its spec; says since when devices are tainted."""

    generation = True
    status_metadata = False

    def prepare_create(self, context: Context, new: DeviceTaintRule) -> None:
        super().prepare_create(context, new)
        self._date(new)

    def prepare_update(self, context: Context, new: DeviceTaintRule, old: DeviceTaintRule) -> None:
        if new.spec != old.spec:
            self._date(new)
        super().prepare_update(context, new, old)

    def _date(self, obj: DeviceTaintRule) -> None:
        taint = obj.spec.taint
        taint.time_added = taint.time_added or self.cluster.now().replace(microsecond=0)
