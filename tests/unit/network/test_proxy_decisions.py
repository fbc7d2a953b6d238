from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from steersman.api.types.core_v1 import (
    LoadBalancerIngress,
    LoadBalancerStatus,
    Node,
    NodeSpec,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
)
from steersman.api.types.discovery_v1 import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    ForNode,
    ForZone,
)
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.network import agent, host
from steersman.network.cni import conflist
from steersman.proxy import conntrack
from steersman.proxy.rules import EMPTY, Layout, fragment, names
from steersman.proxy.state import NodeView, service_state
from steersman.proxy.transaction import Claims, full, incremental

from .fakes import FakeClient

HERE = NodeView(name="here", zone="z1")
LAYOUT = Layout("t", ("10.96.0.0/12",), "10.244.0.0/16", ("192.0.2.7",))


def endpoint(address: str, ready: bool | None = True, node: str = "there", **fields: object) -> Endpoint:
    serving, terminating = fields.pop("serving", ready), fields.pop("terminating", False)
    conditions = EndpointConditions(ready=ready, serving=serving, terminating=terminating)  # type: ignore[arg-type]
    return Endpoint(addresses=[address], conditions=conditions, node_name=node, **fields)  # type: ignore[arg-type]


def decide(*endpoints: Endpoint, ingress: str = "", **spec: object):
    port = ServicePort(name="http", port=80, protocol="TCP", node_port=spec.pop("node_port", None))  # type: ignore[arg-type]
    spec.setdefault("cluster_ip", "10.96.0.5")
    status = ServiceStatus(
        load_balancer=LoadBalancerStatus(ingress=[LoadBalancerIngress(ip=ingress)] if ingress else [])
    )
    service = Service(
        metadata=ObjectMeta(name="web", namespace="default"),
        spec=ServiceSpec(ports=[port], **spec),  # type: ignore[arg-type]
        status=status,
    )
    ports = [EndpointPort(name="http", port=8080, protocol="TCP")]
    slices = [EndpointSlice(address_type="IPv4", endpoints=[*endpoints], ports=ports)]
    return service_state(service, slices, HERE)


def addresses(endpoints) -> list[str]:
    return [item.address for item in endpoints]


def test_who_is_proxied() -> None:
    assert decide(cluster_ip="None") is None
    assert decide(cluster_ip="") is None
    assert decide(type="ExternalName") is None
    assert decide(cluster_ip="fd00::1") is None


def test_ready_then_terminating_endpoints() -> None:
    ending = endpoint("10.0.0.2", ready=False, serving=True, terminating=True)
    unready = endpoint("10.0.0.3", ready=False)
    assert addresses(decide(endpoint("10.0.0.1"), ending, unready).ports[0].cluster) == ["10.0.0.1"]
    assert addresses(decide(ending, unready).ports[0].cluster) == ["10.0.0.2"]
    assert decide(unready).ports[0].cluster == ()
    assert decide(endpoint("10.0.0.1", ready=None), endpoint("10.0.0.1")).ports[0].cluster[0].port == 8080


def test_traffic_policies() -> None:
    both = (endpoint("10.0.0.1", node="here"), endpoint("10.0.0.2"))
    port = decide(*both, internal_traffic_policy="Local").ports[0]
    assert addresses(port.internal_endpoints) == ["10.0.0.1"]
    port = decide(*both, external_traffic_policy="Local", node_port=30000, type="NodePort").ports[0]
    assert (addresses(port.internal_endpoints), addresses(port.external_endpoints)) == (
        ["10.0.0.1", "10.0.0.2"],
        ["10.0.0.1"],
    )
    port = decide(both[1], internal_traffic_policy="Local").ports[0]
    assert port.internal_endpoints == ()
    assert port.has_any


def test_hints_are_heeded_when_all_have_them() -> None:
    def hinted(address: str, zone: str, node: str = "") -> Endpoint:
        nodes = [ForNode(name=node)] if node else []
        return endpoint(address, hints=EndpointHints(for_zones=[ForZone(name=zone)], for_nodes=nodes))

    near, far = hinted("10.0.0.1", "z1"), hinted("10.0.0.2", "z2")
    assert addresses(decide(near, far).ports[0].cluster) == ["10.0.0.1"]
    assert len(decide(near, far, endpoint("10.0.0.3")).ports[0].cluster) == 3
    assert len(decide(far).ports[0].cluster) == 1
    nodes = hinted("10.0.0.1", "z1", "other"), hinted("10.0.0.2", "z1", "here")
    assert addresses(decide(*nodes).ports[0].cluster) == ["10.0.0.2"]


def test_golden_plain_service() -> None:
    state = decide(endpoint("10.0.0.1"), endpoint("10.0.0.2"), node_port=30080, external_ips=["203.0.113.9"])
    result = fragment(LAYOUT, state)
    assert result.chains == {}
    assert result.elements == {
        ("cluster-ips", "10.96.0.5"): "",
        ("hairpin", "10.0.0.1 . 10.0.0.1"): "",
        ("hairpin", "10.0.0.2 . 10.0.0.2"): "",
        ("endpoints", "10.96.0.5 . tcp . 80 . 0"): "10.0.0.1 . 8080",
        ("endpoints", "10.96.0.5 . tcp . 80 . 1"): "10.0.0.2 . 8080",
        ("service-ips", "10.96.0.5 . tcp . 80"): "goto lb-2",
        ("endpoints", "203.0.113.9 . tcp . 80 . 0"): "10.0.0.1 . 8080",
        ("endpoints", "203.0.113.9 . tcp . 80 . 1"): "10.0.0.2 . 8080",
        ("service-ips", "203.0.113.9 . tcp . 80"): "goto external-lb-2",
        ("nodeport-endpoints", "tcp . 30080 . 0"): "10.0.0.1 . 8080",
        ("nodeport-endpoints", "tcp . 30080 . 1"): "10.0.0.2 . 8080",
        ("service-nodeports", "tcp . 30080"): "goto nodeport-lb-2",
    }


def test_golden_local_load_balancer_with_source_ranges() -> None:
    state = decide(
        endpoint("10.0.0.1", node="here"),
        endpoint("10.0.0.2"),
        type="LoadBalancer",
        ingress="203.0.113.9",
        external_traffic_policy="Local",
        load_balancer_source_ranges=["198.51.100.0/25", "198.51.100.128/25"],
        health_check_node_port=32000,
    )
    assert (state.health_check_node_port, state.local_endpoints) == (32000, 1)
    result = fragment(LAYOUT, state)
    name = names(state.ports[0])
    assert name.endswith("-default/web/tcp/http")
    assert result.chains == {
        f"endpoint-{name}__10.0.0.1/8080": ("meta l4proto tcp dnat to 10.0.0.1:8080",),
        f"endpoint-{name}__10.0.0.2/8080": ("meta l4proto tcp dnat to 10.0.0.2:8080",),
        f"service-{name}": (
            f"numgen random mod 2 0 goto endpoint-{name}__10.0.0.1/8080",
            f"goto endpoint-{name}__10.0.0.2/8080",
        ),
        f"local-{name}": (f"goto endpoint-{name}__10.0.0.1/8080",),
        f"external-{name}": (
            f"ip saddr 10.244.0.0/16 goto service-{name}",
            "fib saddr type local jump mark-for-masquerade",
            f"fib saddr type local goto service-{name}",
            f"goto local-{name}",
        ),
        f"firewall-{name}": ("ip saddr 198.51.100.0/24 return", "drop"),
    }
    assert result.elements["firewall-ips", "203.0.113.9 . tcp . 80"] == f"goto firewall-{name}"
    assert result.elements["service-ips", "203.0.113.9 . tcp . 80"] == f"goto external-{name}"


def test_an_element_claimed_twice_is_installed_once() -> None:
    one = fragment(LAYOUT, decide(endpoint("10.0.0.1"), external_ips=["203.0.113.9"]))
    two = fragment(LAYOUT, decide(cluster_ip="10.96.0.6", external_ips=["203.0.113.9"]))
    claims = Claims()
    change, _ = incremental(LAYOUT, {"a": (EMPTY, one), "b": (EMPTY, two)}, claims)
    assert change.count("203.0.113.9 . tcp . 80 : goto") == 2  # in two different maps
    same, _ = incremental(LAYOUT, {"c": (EMPTY, one)}, claims)
    assert same == ""
    gone, _ = incremental(LAYOUT, {"a": (one, EMPTY)}, claims)
    assert gone == ""
    gone, _ = incremental(LAYOUT, {"c": (one, EMPTY)}, claims)
    assert "delete element ip t service-ips" in gone
    assert full(LAYOUT, [], {}, {}).startswith("add table ip t\ndelete table ip t\n")


def test_stale_flows() -> None:
    text = (
        "udp 17 29 src=10.1.1.1 dst=10.96.0.10 sport=4000 dport=53 [UNREPLIED] "
        "src=10.0.0.1 dst=10.1.1.1 sport=5353 dport=4000\n"
        "udp 17 29 src=10.1.1.2 dst=10.96.0.10 sport=4001 dport=53 src=10.0.0.9 dst=10.1.1.2 sport=5353 dport=4001\n"
        "udp 17 29 src=10.1.1.3 dst=10.96.0.10 sport=4002 dport=53 src=10.96.0.10 dst=10.1.1.3 sport=53 dport=4002\n"
        "udp 17 29 src=10.1.1.4 dst=192.0.2.7 sport=4003 dport=53 src=192.0.2.7 dst=10.1.1.4 sport=53 dport=4003\n"
    )
    flows = conntrack.parse(text)
    assert len(flows) == 4
    frontends = {("10.96.0.10", 53): frozenset({("10.0.0.1", 5353)}), ("", 53): frozenset({("10.0.0.1", 5353)})}
    assert [flow.source for flow in conntrack.stale(flows, frontends)] == ["10.1.1.2", "10.1.1.3"]
    nobody = {("10.96.0.10", 53): frozenset()}
    assert [flow.source for flow in conntrack.stale(flows, nobody)] == ["10.1.1.1", "10.1.1.2"]


def test_cni_configuration_and_mtu(tmp_path: Path) -> None:
    bridge, portmap = conflist("c", "br9", ("10.244.1.0/24",), 1400, "/data/ipam")["plugins"]
    assert (bridge["bridge"], bridge["mtu"], bridge["ipMasq"], bridge["hairpinMode"]) == ("br9", 1400, False, True)
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert portmap["capabilities"] == {"portMappings": True}
    (tmp_path / "wlan0").mkdir()
    (tmp_path / "wlan0" / "mtu").write_text("1420\n")
    header = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    route = "wlan0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n"
    assert host.default_mtu(header + route, tmp_path) == 1420
    assert host.default_mtu(header, tmp_path) == 1500


async def test_the_agent_waits_for_a_pod_cidr(monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[tuple[str, ...]] = []
    monkeypatch.setattr(agent, "apply", lambda config, cidrs: applied.append(cidrs))
    client = FakeClient()
    client.put(Node(metadata=ObjectMeta(name="n")))
    network = agent.NetworkAgent(agent.NetworkConfig("n", "/nowhere", "/nowhere"), client)  # type: ignore[arg-type]
    task = asyncio.create_task(network.run())
    client.put(
        Node(metadata=ObjectMeta(name="n"), spec=NodeSpec(pod_cidr="10.244.1.0/24", pod_cidrs=["10.244.1.0/24"]))
    )
    await asyncio.wait_for(network.ready.wait(), 5)
    assert applied == [("10.244.1.0/24",)]
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
