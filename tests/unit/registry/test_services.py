"""Services: addresses, node ports, families, and what happens to them when a Service changes."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import msgspec
import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import core_v1 as v1
from steersman.api.types import networking_v1
from steersman.api.types.meta_v1 import Condition, ObjectMeta
from steersman.api.validation.addresses import Network
from steersman.apiserver.endpoints.allocation_metrics import Allocated
from steersman.apiserver.registry.config import RegistryConfig
from steersman.apiserver.registry.registry import Registry
from steersman.apiserver.registry.services import ranges
from steersman.apiserver.registry.services.reservation import NODE_PORT_PREFIX
from steersman.client.client import Patch
from steersman.client.local import LocalClient

from .conftest import ADMIN, context, running, service

MERGE = "application/merge-patch+json"


@pytest.fixture
async def dual() -> AsyncIterator[LocalClient]:
    """A client of a cluster with both families."""
    async with running(RegistryConfig(service_cidr="10.96.0.0/24,fd00::/112")) as registry:
        yield LocalClient(registry, ADMIN)


async def refusal(client: LocalClient, obj: v1.Service) -> str:
    with pytest.raises(StatusError) as error:
        await client.create(obj)
    return error.value.status.message


async def patched(client: LocalClient, name: str, **spec: object) -> v1.Service:
    return await client.patch(v1.Service, name, Patch(MERGE, msgspec.json.encode({"spec": spec})), "default")


async def addresses(client: LocalClient) -> set[str]:
    """Those that are taken, beside the ``kubernetes`` Service's."""
    return {each.metadata.name for each in (await client.list(networking_v1.IPAddress)).items} - {"10.96.0.1"}


async def node_ports(registry: Registry) -> set[int]:
    found = (await registry.store.range(NODE_PORT_PREFIX)).items
    return {int(item.key.removeprefix(NODE_PORT_PREFIX)) for item in found}


# -- addresses -------------------------------------------------------------------------------------------------------


async def test_addresses_are_unique_until_there_is_none(client: LocalClient) -> None:
    created = await asyncio.gather(*(client.create(service(f"s{number}")) for number in range(253)))
    taken = {each.spec.cluster_ip for each in created}
    assert len(taken) == 253
    assert all(ipaddress.ip_address(each) in ipaddress.ip_network("10.96.0.0/24") for each in taken)
    with pytest.raises(StatusError) as error:
        await client.create(service("one-more"))
    assert error.value.code == 500
    assert "failed to allocate a serviceIP: range is full" in error.value.status.message
    await client.delete(v1.Service, "s7", "default")
    assert (await client.create(service("again"))).spec.cluster_ip == created[7].spec.cluster_ip
    assert await addresses(client) == taken


async def test_chosen_addresses(client: LocalClient) -> None:
    created = await client.create(service(cluster_ip="10.96.0.10"))
    assert created.spec.cluster_ips == ["10.96.0.10"]
    assert (created.spec.ip_families, created.spec.ip_family_policy) == (["IPv4"], "SingleStack")
    address = await client.get(networking_v1.IPAddress, "10.96.0.10")
    parent = networking_v1.ParentReference(resource="services", namespace="default", name="s")
    assert address.spec.parent_ref == parent
    assert address.metadata.labels == {
        "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }
    taken = 'Service "t" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: '
    assert await refusal(client, service("t", cluster_ip="10.96.0.10")) == f"{taken}provided IP is already allocated"
    for outside in ("192.168.0.1", "10.96.0.0", "10.96.0.255"):
        assert "the provided network does not match the current range" in await refusal(
            client, service("t", cluster_ip=outside)
        )
    assert "IPv6 is not configured on this cluster" in await refusal(client, service("t", cluster_ip="fd00::1"))
    headless = await client.create(service("h", cluster_ip="None"))
    assert headless.spec.cluster_ips == ["None"]
    assert await addresses(client) == {"10.96.0.10"}
    odd = await client.create(service("odd", cluster_ip="10.96.00.11"))
    assert odd.spec.cluster_ip == "10.96.00.11"
    assert await addresses(client) == {"10.96.0.10", "10.96.0.11"}


async def test_further_ranges(client: LocalClient, registry: Registry) -> None:
    more = networking_v1.ServiceCIDR(
        metadata=ObjectMeta(name="more"), spec=networking_v1.ServiceCIDRSpec(cidrs=["10.97.0.0/30"])
    )
    created = codecs.copy(await client.create(more))
    assert not created.status.conditions
    assert "does not match" in await refusal(client, service(cluster_ip="10.97.0.1"))
    created.status.conditions = [Condition(type="Ready", status="True", last_transition_time=registry.now())]
    await client.update(created, subresource="status")
    assert (await client.create(service(cluster_ip="10.97.0.1"))).spec.cluster_ip == "10.97.0.1"
    await asyncio.gather(*(client.create(service(f"s{number}")) for number in range(253)))
    assert (await client.create(service("last"))).spec.cluster_ip == "10.97.0.2"
    assert "range is full" in await refusal(client, service("one-more"))


async def test_a_dry_run_takes_nothing_and_tells_what_is_taken(client: LocalClient, registry: Registry) -> None:
    handler = registry.handler_of(v1.Service)
    dry = context(dry_run=True)
    seen = (await handler.create(dry, "default", service(type="LoadBalancer", external_traffic_policy="Local"))).object
    assert ipaddress.ip_address(seen.spec.cluster_ip) in ipaddress.ip_network("10.96.0.0/24")
    assert seen.spec.ports[0].node_port
    assert seen.spec.health_check_node_port
    assert not await addresses(client)
    assert not await node_ports(registry)
    held = await client.create(service("t", type="NodePort", cluster_ip="10.96.0.9"))
    again = service(type="NodePort", ports=[v1.ServicePort(port=80, node_port=held.spec.ports[0].node_port)])
    for wanted in (service(cluster_ip="10.96.0.9"), again):
        with pytest.raises(StatusError, match="already allocated"):
            await handler.create(dry, "default", wanted)


# -- node ports ------------------------------------------------------------------------------------------------------


async def test_node_ports_and_types(client: LocalClient, registry: Registry) -> None:
    created = await client.create(
        service(
            type="NodePort",
            ports=[
                v1.ServicePort(name="a", port=53, protocol="TCP"),
                v1.ServicePort(name="b", port=53, protocol="UDP"),
            ],
        )
    )
    ports = [port.node_port or 0 for port in created.spec.ports]
    assert ports[0] == ports[1]
    assert 30000 <= ports[0] <= 32767
    assert await node_ports(registry) == {ports[0]}
    one = [v1.ServicePort(port=80, node_port=ports[0])]
    expected = f"spec.ports[0].nodePort: Invalid value: {ports[0]}: provided port is already allocated"
    assert await refusal(client, service("t", type="NodePort", ports=one)) == f'Service "t" is invalid: {expected}'
    low = [v1.ServicePort(port=80, node_port=80)]
    assert "The range of valid ports is 30000-32767" in await refusal(client, service("t", type="NodePort", ports=low))
    twice = [v1.ServicePort(name=f"p{port}", port=port, node_port=30007) for port in (80, 81)]
    twice[1].protocol = "UDP"
    assert "ports[1].nodePort: Invalid value: 30007: provided port is already allocated" in await refusal(
        client, service("t", type="NodePort", ports=twice)
    )
    # An update that says nothing of addresses and ports keeps them.
    again = service(type="NodePort", ports=[codecs.copy(each) for each in created.spec.ports])
    for port in again.spec.ports:
        port.node_port = None
    kept = await client.update(again)
    assert kept.metadata.resource_version == created.metadata.resource_version
    plain = codecs.copy(kept)
    plain.spec.type = "ClusterIP"
    assert [port.node_port for port in (await client.update(plain)).spec.ports] == [None, None]
    assert not await node_ports(registry)
    taken = await client.create(service("t", type="NodePort", ports=[v1.ServicePort(port=80, node_port=ports[0])]))
    assert taken.spec.ports[0].node_port == ports[0]


async def test_an_update_moves_node_ports(client: LocalClient, registry: Registry) -> None:
    await client.create(service(type="NodePort", ports=[v1.ServicePort(name="a", port=80, node_port=30001)]))
    moved = await patched(client, "s", ports=[{"name": "a", "port": 80, "nodePort": 30002}])
    assert moved.spec.ports[0].node_port == 30002
    assert await node_ports(registry) == {30002}
    more = await patched(client, "s", ports=[{"name": "a", "port": 81}, {"name": "b", "port": 82}])
    assert more.spec.ports[0].node_port == 30002
    assert await node_ports(registry) == {port.node_port for port in more.spec.ports}
    await client.delete(v1.Service, "s", "default")
    assert not await node_ports(registry)
    assert not await addresses(client)


async def test_node_ports_run_out() -> None:
    async with running(RegistryConfig(service_cidr="10.96.0.0/24", node_ports=(30000, 30019))) as registry:
        client = LocalClient(registry, ADMIN)
        created = await asyncio.gather(*(client.create(service(f"s{n}", type="NodePort")) for n in range(20)))
        assert len({each.spec.ports[0].node_port for each in created}) == 20
        assert "failed to allocate a nodePort: range is full" in await refusal(client, service("t", type="NodePort"))
        assert len(await addresses(client)) == 20
        balancer = service("t", type="LoadBalancer", allocate_load_balancer_node_ports=False)
        balancer.spec.external_traffic_policy = "Local"
        assert "failed to allocate a HealthCheck NodePort 0: range is full" in await refusal(client, balancer)


async def test_health_check_ports(client: LocalClient, registry: Registry) -> None:
    def local(name: str, **spec: Any) -> v1.Service:
        spec.setdefault("allocate_load_balancer_node_ports", False)
        return service(name, type="LoadBalancer", external_traffic_policy="Local", **spec)

    created = await client.create(local("s"))
    port = created.spec.health_check_node_port
    assert await node_ports(registry) == {port}
    assert created.spec.ports[0].node_port is None
    with pytest.raises(StatusError) as error:
        await client.create(local("t", health_check_node_port=port))
    expected = f"failed to allocate requested HealthCheck NodePort {port}: provided port is already allocated"
    assert (error.value.code, error.value.status.message) == (500, f"Internal error occurred: {expected}")
    with pytest.raises(StatusError, match=r"spec.healthCheckNodePort: Forbidden: field is immutable"):
        await patched(client, "s", healthCheckNodePort=31999)
    plain = await patched(client, "s", externalTrafficPolicy="Cluster")
    assert plain.spec.health_check_node_port is None
    assert not await node_ports(registry)
    back = await patched(client, "s", externalTrafficPolicy="Local", healthCheckNodePort=31999)
    assert back.spec.health_check_node_port == 31999
    with pytest.raises(StatusError, match=r"spec.healthCheckNodePort: Invalid value: 31998: may only be set when"):
        await client.create(service("u", health_check_node_port=31998))


async def test_a_lost_race_over_a_chosen_port_is_run_again(registry: Registry) -> None:
    """The store is asked what is free; whoever takes it before the commit must not be in the way."""
    handler = registry.handler_of(v1.Service)
    allocator = handler.strategy.allocator  # type: ignore[attr-defined]
    numbers = iter([30100, 30100, 30100, 30101])
    allocator._candidate = lambda used: next(numbers)
    balancer = service("a", type="LoadBalancer", external_traffic_policy="Local")
    balancer.spec.allocate_load_balancer_node_ports = False
    other = codecs.copy(balancer)
    other.metadata.name = "b"
    made = await asyncio.gather(*(handler.create(context(), "default", each) for each in (balancer, other)))
    assert {each.object.spec.health_check_node_port for each in made} == {30100, 30101}


# -- types -----------------------------------------------------------------------------------------------------------


async def test_types_change(client: LocalClient, registry: Registry) -> None:
    created = codecs.copy(await client.create(service(type="LoadBalancer", load_balancer_class="example.com/a")))
    address = created.spec.cluster_ip
    created.status.load_balancer.ingress = [v1.LoadBalancerIngress(ip="192.0.2.7")]
    with_status = await client.update(created, subresource="status")
    assert with_status.status.load_balancer.ingress[0].ip_mode == "VIP"
    with pytest.raises(StatusError, match=r"spec.loadBalancerClass: Invalid value: .*: may not change once set"):
        await patched(client, "s", loadBalancerClass="example.com/b")
    port = await patched(client, "s", type="NodePort")
    assert port.spec.allocate_load_balancer_node_ports is None
    assert (port.spec.load_balancer_class, port.spec.external_traffic_policy) == ("", "Cluster")
    assert port.spec.ports[0].node_port == created.spec.ports[0].node_port
    assert not port.status.load_balancer.ingress
    with pytest.raises(StatusError, match=r"may only be used when `spec.type` is 'LoadBalancer'"):
        await client.patch(
            v1.Service,
            "s",
            Patch(MERGE, b'{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.7"}]}}}'),
            "default",
            subresource="status",
        )
    plain = await patched(client, "s", type="ClusterIP")
    assert (plain.spec.external_traffic_policy, plain.spec.ports[0].node_port) == ("", None)
    assert plain.spec.cluster_ip == address
    assert not await node_ports(registry)
    external = await patched(client, "s", type="ExternalName", externalName="example.com")
    assert (external.spec.cluster_ip, external.spec.cluster_ips, external.spec.ip_families) == ("", [], [])
    assert external.spec.ip_family_policy == ""
    assert not await addresses(client)
    back = await patched(client, "s", type="ClusterIP", clusterIP=address)
    assert (back.spec.cluster_ips, back.spec.ip_families) == ([address], ["IPv4"])
    assert await addresses(client) == {address}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"clusterIP": "10.96.0.77"}, 'spec.clusterIPs[0]: Invalid value: ["10.96.0.77"]: may not change once set'),
        ({"clusterIP": "None"}, 'spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set'),
        ({"ipFamilies": ["IPv6"]}, "expected an IPv6 value as indicated by `ipFamilies[0]`"),
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack '
            "services",
        ),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        ({"healthCheckNodePort": 31000}, "may only be set when `type` is 'LoadBalancer'"),
    ],
)
async def test_what_may_not_change(client: LocalClient, spec: dict[str, object], message: str) -> None:
    await client.create(service(cluster_ip="10.96.0.9"))
    with pytest.raises(StatusError) as error:
        await patched(client, "s", **spec)
    assert message in error.value.status.message
    assert error.value.code == 422


async def test_an_old_client_updates_what_it_knows(client: LocalClient) -> None:
    created = await client.create(service())
    mine = service(ports=[v1.ServicePort(port=81)])
    updated = await client.update(mine)
    assert updated.spec.cluster_ips == created.spec.cluster_ips
    assert updated.spec.ip_families == ["IPv4"]
    assert updated.spec.ports[0].port == 81


# -- families --------------------------------------------------------------------------------------------------------


async def test_two_families(dual: LocalClient) -> None:
    single = await dual.create(service("single"))
    assert (single.spec.ip_families, len(single.spec.cluster_ips)) == (["IPv4"], 1)
    both = await dual.create(service("both", ip_family_policy="PreferDualStack"))
    assert both.spec.ip_families == ["IPv4", "IPv6"]
    first, second = both.spec.cluster_ips
    assert ipaddress.ip_address(first) in ipaddress.ip_network("10.96.0.0/24")
    assert ipaddress.ip_address(second) in ipaddress.ip_network("fd00::/112")
    assert {first, second} <= await addresses(dual)
    with pytest.raises(StatusError, match=r"must be 'SingleStack' to release the secondary cluster IP"):
        await patched(dual, "both", clusterIPs=[first])
    alone = await patched(dual, "both", ipFamilyPolicy="SingleStack")
    assert (alone.spec.cluster_ips, alone.spec.ip_families) == ([first], ["IPv4"])
    assert second not in await addresses(dual)
    again = await patched(dual, "both", ipFamilyPolicy="RequireDualStack")
    assert again.spec.cluster_ips[0] == first
    assert len(again.spec.cluster_ips) == 2
    assert set(again.spec.cluster_ips) <= await addresses(dual)
    six = await dual.create(service("six", ip_families=["IPv6", "IPv4"], ip_family_policy="RequireDualStack"))
    assert ":" in six.spec.cluster_ip
    chosen = await dual.create(service("chosen", cluster_ip="fd00::9", cluster_ips=["fd00::9"]))
    assert chosen.spec.ip_families == ["IPv6"]
    message = await refusal(dual, service("t", cluster_ip="10.96.0.7", cluster_ips=["10.96.0.7", "fd00::7"]))
    assert "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified" in message
    before = await addresses(dual)
    await dual.delete(v1.Service, "both", "default")
    assert await addresses(dual) == before - set(again.spec.cluster_ips)


async def test_preferring_two_families_takes_what_there_is(client: LocalClient) -> None:
    created = await client.create(service(ip_family_policy="PreferDualStack"))
    assert created.spec.ip_families == ["IPv4"]
    selectorless = await client.create(service("h", cluster_ip="None", selector={}))
    assert selectorless.spec.ip_families == ["IPv4", "IPv6"]
    assert selectorless.spec.ip_family_policy == "RequireDualStack"
    assert "spec.ipFamilies[0]: Invalid value" in await refusal(client, service("t", ip_families=["IPv6"]))


# -- ranges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "size", "reserved"),
    [
        ("10.0.0.0/30", 2, 0),
        ("10.0.0.0/28", 14, 0),
        ("10.0.0.0/27", 30, 16),
        ("10.0.0.0/24", 254, 16),
        ("10.0.0.0/20", 4094, 256),
        ("10.96.0.0/12", 1048574, 256),
        ("fd00::/112", 65535, 256),
    ],
)
def test_bands_of_addresses(network: str, size: int, reserved: int) -> None:
    """The numbers of KEP-3070."""
    parsed: Network = ipaddress.ip_network(network)
    found = ranges.address_range(parsed)
    assert (found.size, found.reserved) == (size, reserved)
    if size < 5000:
        order = list(found.candidates(Random(1)))
        assert sorted(order) == list(range(found.first, found.last + 1))
        assert set(order[size - reserved :]) == set(range(found.first, found.first + reserved))


@pytest.mark.parametrize(("low", "high", "reserved"), [(1, 16, 0), (1, 17, 16), (30000, 32767, 86), (1, 65535, 128)])
def test_bands_of_ports(low: int, high: int, reserved: int) -> None:
    """The numbers of KEP-3668."""
    assert ranges.port_range(low, high).reserved == reserved


async def test_what_is_given_out_is_counted() -> None:
    async with running(RegistryConfig(service_cidr="10.96.0.0/24,fd00::/112", node_ports=(30000, 30099))) as both:
        await LocalClient(both, ADMIN).create(service(type="NodePort", ip_family_policy="RequireDualStack"))
        allocated = Allocated(both)
        await allocated.measure()
    shown = {
        sample.name.removeprefix("kube_apiserver_") + "".join(sample.labels.values()): sample.value
        for metric in allocated.collect()
        for sample in metric.samples
    }
    assert shown == {
        "clusterip_allocator_allocated_ips10.96.0.0/24": 2,
        "clusterip_allocator_allocated_ipsfd00::/112": 1,
        "clusterip_allocator_available_ips10.96.0.0/24": 252,
        "clusterip_allocator_available_ipsfd00::/112": 65534,
        "nodeport_allocator_allocated_ports": 1,
        "nodeport_allocator_available_ports": 99,
        "clusterip_allocator_allocation_total10.96.0.0/24static": 1,
        "clusterip_allocator_allocation_total10.96.0.0/24dynamic": 1,
        "clusterip_allocator_allocation_totalfd00::/112dynamic": 1,
        "nodeport_allocator_allocation_totaldynamic": 1,
    }
