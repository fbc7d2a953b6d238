from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .world import needs_root, world

pytestmark = [
    pytest.mark.root,
    needs_root,
    pytest.mark.skipif(not Path("/usr/lib/cni/bridge").exists(), reason="needs the CNI plugins in /usr/lib/cni"),
]

SCRIPT = """
import sys
from steersman.network.agent import NetworkConfig, apply, teardown
config = NetworkConfig("n", sys.argv[2] + "/cni", sys.argv[2] + "/data", bridge="sttbr0", table="tnet", mtu=1400)
apply(config, ("10.244.7.0/24",)) if sys.argv[1] == "up" else teardown(config)
"""


def test_pods_get_addresses_reach_out_and_everything_goes_away(tmp_path: Path) -> None:
    with world() as net:
        net.run(net.node, "sysctl", "-qw", "net.ipv4.ip_forward=0")
        net.serve(net.stranger, "outside", 9000)
        links = net.run(net.node, "ip", "-o", "link")
        net.run(net.node, "iptables", "-P", "FORWARD", "DROP")
        tables = net.run(net.node, "nft", "list", "tables")
        filters = net.run(net.node, "iptables", "-S", "FORWARD")
        for _ in range(2):
            net.run(net.node, sys.executable, "-c", SCRIPT, "up", str(tmp_path))
        conflist = json.loads((tmp_path / "cni" / "10-steersman.conflist").read_text())
        plugin = conflist["plugins"][0] | {"cniVersion": "1.0.0", "name": conflist["name"]}
        pod = net._namespace(f"{net.prefix}cni")
        environment = [
            f"CNI_NETNS=/var/run/netns/{pod}",
            "CNI_IFNAME=eth0",
            "CNI_PATH=/usr/lib/cni",
            "CNI_CONTAINERID=c1",
        ]
        command = ["env", "CNI_COMMAND=ADD", *environment, "/usr/lib/cni/bridge"]
        result = json.loads(net.run(net.node, *command, stdin=json.dumps(plugin)))
        address = result["ips"][0]["address"].partition("/")[0]
        assert address.startswith("10.244.7.")
        assert "mtu 1400" in net.run(pod, "ip", "-o", "link", "show", "eth0")
        assert net.ask(pod, "192.0.2.9", 9000) == ["outside 192.0.2.7"]

        mapping = {"portMappings": [{"hostPort": 8088, "containerPort": 80, "protocol": "tcp"}]}
        portmap = conflist["plugins"][1] | {"cniVersion": "1.0.0", "name": "n", "runtimeConfig": mapping}
        portmap["prevResult"] = result
        for action in ("ADD", "DEL"):
            command = ["env", f"CNI_COMMAND={action}", *environment, "/usr/lib/cni/portmap"]
            net.run(net.node, *command, stdin=json.dumps(portmap))
        assert "CNI-HOSTPORT-DNAT" in net.run(net.node, "iptables", "-t", "nat", "-S")

        net.run(net.node, sys.executable, "-c", SCRIPT, "down", str(tmp_path))
        assert net.run(net.node, "nft", "list", "tables") == tables
        assert net.run(net.node, "ip", "-o", "link").count("\n") == links.count("\n")
        assert net.run(net.node, "sysctl", "-n", "net.ipv4.ip_forward").strip() == "0"
        assert net.run(net.node, "iptables", "-S", "FORWARD") == filters
        assert "tnet" not in net.run(net.node, "nft", "list", "tables")
        assert not (tmp_path / "cni" / "10-steersman.conflist").exists()
        assert not (tmp_path / "data" / "ipam").exists()
        net.run(net.node, sys.executable, "-c", SCRIPT, "down", str(tmp_path))  # again: nothing to do, no error


TWO = """
import sys
from steersman.network.agent import NetworkConfig, apply, teardown
action, name, root, cidr = sys.argv[1:]
config = NetworkConfig("n", f"{root}/{name}/cni", f"{root}/{name}/data", bridge=f"st{name}0", table=f"{name}-network")
apply(config, (cidr,)) if action == "up" else teardown(config)
"""


def test_the_last_cluster_on_a_machine_puts_routing_back(tmp_path: Path) -> None:
    with world() as net:
        net.run(net.node, "sysctl", "-qw", "net.ipv4.ip_forward=0")

        def do(action: str, name: str, cidr: str = "10.244.7.0/24") -> str:
            net.run(net.node, sys.executable, "-c", TWO, action, name, str(tmp_path), cidr)
            return net.run(net.node, "sysctl", "-n", "net.ipv4.ip_forward").strip()

        assert do("up", "one") == "1"
        assert do("up", "two", "10.245.7.0/24") == "1"
        assert do("down", "one") == "1"  # the other one needs it
        assert do("up", "two", "10.245.7.0/24") == "1"
        assert do("up", "three", "10.246.7.0/24") == "1"
        assert do("down", "two") == "1"
        assert do("down", "three") == "0"
