from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from steersman.proxy.state import Endpoint, PortState, ServiceState

from .world import World, needs_root, world

pytestmark = [pytest.mark.root, needs_root]

APPLY = str(Path(__file__).with_name("apply_proxy.py"))


def service(name: str, ip: str, endpoints: list[str], **fields: object) -> ServiceState:
    targets = tuple(Endpoint(address, 8080) for address in endpoints)
    port = PortState("default", name, "http", str(fields.pop("protocol", "tcp")), ip, 80, cluster=targets)
    port = msgspec.structs.replace(port, has_any=bool(endpoints), **fields)
    return ServiceState("default", name, (port,))


def apply(net: World, *steps: list[ServiceState]) -> None:
    text = "\n".join("full" if step == [] else msgspec.json.encode(step).decode() for step in steps)
    net.run(net.node, sys.executable, APPLY, stdin=text)


@pytest.fixture(scope="module")
def net():
    with world() as result:
        for number in (2, 3, 4):
            namespace = result.pod(number)
            if number != 4:
                result.serve(namespace, f"pod{number}", 8080)
        yield result


def pod(net: World, number: int) -> str:
    return f"{net.prefix}p{number}"


def names(answers: list[str]) -> set[str]:
    return {answer.split()[0] for answer in answers}


def test_cluster_ip_from_pod_node_and_itself(net: World) -> None:
    apply(net, [service("web", "10.96.0.10", ["10.244.0.2", "10.244.0.3"])])
    answers = net.ask(pod(net, 4), "10.96.0.10", 80, 60)
    counts = Counter(answer.split()[0] for answer in answers)
    assert set(counts) == {"pod2", "pod3"}
    assert min(counts.values()) > 10
    assert {answer.split()[1] for answer in answers} == {"10.244.0.4"}  # the client's address is kept
    assert names(net.ask(net.node, "10.96.0.10", 80, 20)) == {"pod2", "pod3"}
    itself = net.ask(pod(net, 2), "10.96.0.10", 80, 30)
    assert names(itself) == {"pod2", "pod3"}
    assert {answer for answer in itself if answer.startswith("pod2")} == {"pod2 10.244.0.1"}  # hairpin: masqueraded


def test_udp(net: World) -> None:
    apply(net, [service("dns", "10.96.0.11", ["10.244.0.2", "10.244.0.3"], protocol="udp")])
    assert names(net.ask(pod(net, 4), "10.96.0.11", 80, 30, "udp")) == {"pod2", "pod3"}


def test_node_port_external_ip_and_strangers(net: World) -> None:
    web = service("web", "10.96.0.10", ["10.244.0.2", "10.244.0.3"], node_port=30080, external_ips=("10.99.0.5",))
    apply(net, [web])
    answers = net.ask(net.stranger, "192.0.2.7", 30080, 30)
    assert names(answers) == {"pod2", "pod3"}
    assert {answer.split()[1] for answer in answers} == {"10.244.0.1"}
    assert names(net.ask(net.node, "192.0.2.7", 30080, 20)) == {"pod2", "pod3"}
    assert names(net.ask(net.stranger, "10.99.0.5", 80, 20)) == {"pod2", "pod3"}


def test_local_policy_keeps_the_client_and_drops_without_endpoints(net: World) -> None:
    here = (Endpoint("10.244.0.2", 8080),)
    web = service("web", "10.96.0.10", ["10.244.0.2", "10.244.0.3"], node_port=30080, external_local=True, local=here)
    apply(net, [web])
    assert set(net.ask(net.stranger, "192.0.2.7", 30080, 10)) == {"pod2 192.0.2.9"}
    assert names(net.ask(pod(net, 4), "192.0.2.7", 30080, 20)) == {"pod2", "pod3"}
    apply(net, [service("web", "10.96.0.10", ["10.244.0.3"], node_port=30080, external_local=True)])
    assert set(net.ask(net.stranger, "192.0.2.7", 30080, 1)) == {"TimeoutError"}
    assert names(net.ask(pod(net, 4), "192.0.2.7", 30080, 5)) == {"pod3"}


def test_no_endpoints_are_refused_and_unknown_addresses_dropped(net: World) -> None:
    apply(net, [service("web", "10.96.0.10", [], node_port=30080)])
    for namespace in (pod(net, 4), net.node):
        assert net.ask(namespace, "10.96.0.10", 80) == ["ConnectionRefusedError"]
        assert net.ask(namespace, "10.96.0.10", 81) == ["ConnectionRefusedError"]
    assert net.ask(net.stranger, "192.0.2.7", 30080) == ["ConnectionRefusedError"]
    assert net.ask(pod(net, 4), "10.96.0.99", 80) == ["TimeoutError"]


def test_affinity_survives_a_full_replacement(net: World) -> None:
    web = service("web", "10.96.0.10", ["10.244.0.2", "10.244.0.3"], affinity=600)
    apply(net, [web])
    chosen = names(net.ask(pod(net, 4), "10.96.0.10", 80, 20))
    assert len(chosen) == 1
    assert "10.244.0.4 expires" in net.run(net.node, "nft", "list", "table", "ip", "t")
    apply(net, [web], [])
    assert names(net.ask(pod(net, 4), "10.96.0.10", 80, 20)) == chosen


def test_incremental_changes_reach_the_state_of_a_full_write(net: World) -> None:
    one = service("one", "10.96.0.10", ["10.244.0.2"], node_port=30001)
    grown = service("one", "10.96.0.10", ["10.244.0.2", "10.244.0.3"], node_port=30001)
    sticky = service("two", "10.96.0.12", ["10.244.0.2", "10.244.0.3"], affinity=60)
    claimed = service("zzz", "10.96.0.13", ["10.244.0.3"], external_ips=("10.99.0.5",))
    rival = service("aaa", "10.96.0.14", ["10.244.0.2"], external_ips=("10.99.0.5",))

    def dump() -> list[str]:
        lines = net.run(net.node, "nft", "-s", "list", "table", "ip", "t").replace("\t", "").replace(",\n", ", ")
        return sorted(part.strip(" {}") for line in lines.splitlines() for part in line.split(", "))

    apply(net, [one], [sticky], [grown, sticky, claimed], [rival, claimed, grown], [claimed, grown, sticky])
    stepwise = dump()
    apply(net, [claimed, grown, sticky])
    assert stepwise == dump()


def test_teardown_leaves_nothing(net: World) -> None:
    apply(net, [service("web", "10.96.0.10", ["10.244.0.2"])])
    net.run(net.node, sys.executable, "-c", "from steersman.proxy.sync import teardown; teardown('t'); teardown('t')")
    done = subprocess.run(["ip", "netns", "exec", net.node, "nft", "list", "tables"], capture_output=True, check=True)
    assert b"table ip t\n" not in done.stdout
