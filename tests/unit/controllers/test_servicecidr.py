from __future__ import annotations

from typing import Any

import pytest

from steersman.api import labels
from steersman.api.errors import StatusError
from steersman.api.time import now
from steersman.api.types.core_v1 import Service, ServicePort, ServiceSpec
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.types.networking_v1 import IPAddress, ServiceCIDR, ServiceCIDRSpec
from steersman.controllers import servicecidr

from .world import World


def cidr(name: str, *networks: str, going: bool = False) -> ServiceCIDR:
    meta = ObjectMeta(name=name, deletion_timestamp=now() if going else None)
    return ServiceCIDR(metadata=meta, spec=ServiceCIDRSpec(cidrs=list(networks)))


def address(name: str, manager: str = labels.ADDRESS_ALLOCATOR) -> IPAddress:
    return IPAddress(metadata=ObjectMeta(name=name, labels={labels.ADDRESS_MANAGED_BY: manager}))


@pytest.mark.parametrize(
    ("others", "addresses", "needed"),
    [
        ([], [], False),
        ([], ["10.0.0.1"], True),
        ([], ["10.0.1.1", "fd00::1"], False),
        ([cidr("wide", "10.0.0.0/16")], ["10.0.0.1"], False),
        ([cidr("same", "10.0.0.0/24")], ["10.0.0.1"], False),
        ([cidr("part", "10.0.0.0/28")], ["10.0.0.1"], False),
        ([cidr("part", "10.0.0.0/28")], ["10.0.0.1", "10.0.0.99"], True),
        ([cidr("going", "10.0.0.0/16", going=True)], ["10.0.0.1"], True),
    ],
)
def test_what_keeps_a_range(others: list[ServiceCIDR], addresses: list[str], needed: bool) -> None:
    own = cidr("own", "10.0.0.0/24", going=True)
    assert servicecidr.is_needed(own, [own, *others], [address(name) for name in addresses]) is needed


def test_addresses_of_others_keep_nothing() -> None:
    own = cidr("own", "10.0.0.0/24", going=True)
    assert not servicecidr.is_needed(own, [own], [address("10.0.0.1", "gateway.example.com")])


async def test_a_range_is_ready_and_stays_while_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servicecidr, "GRACE_SECONDS", 0.0)
    async with World(kubelet=False) as world:

        async def condition(status: str, reason: str) -> bool:
            found = await world.client.get(ServiceCIDR, "more")
            return [(each.status, each.reason) for each in found.status.conditions] == [(status, reason)]

        await world.client.create(cidr("more", "10.200.0.0/28"))
        await world.until(lambda: condition("True", ""))
        found = await world.client.get(ServiceCIDR, "more")
        assert found.metadata.finalizers == [labels.FINALIZER_SERVICE_CIDR]
        spec: Any = ServiceSpec(ports=[ServicePort(port=80)], cluster_ip="10.200.0.5")
        service = Service(metadata=ObjectMeta(name="s", namespace="default"), spec=spec)
        await world.client.create(service)
        await world.client.delete(ServiceCIDR, "more")
        await world.until(lambda: condition("False", "Terminating"))
        service.metadata.name, service.spec.cluster_ip = "t", "10.200.0.6"
        with pytest.raises(StatusError, match="does not match the current range"):
            await world.client.create(service)
        await world.client.delete(Service, "s", "default")

        async def gone() -> bool:
            return "more" not in {each.metadata.name for each in (await world.client.list(ServiceCIDR)).items}

        await world.until(gone)
