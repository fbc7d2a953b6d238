"""What must be so before anything is started."""

import socket
from pathlib import Path

import pytest

from steersman.cluster import config as configuration
from steersman.cluster import preflight
from steersman.cluster.config import ConfigError

TABLES = "table ip nat\ntable ip steersman-proxy\ntable ip steersman-network\n"
CHAIN = """table ip steersman-proxy {
	chain cluster-ips-check {
		ip daddr @cluster-ips reject
		ip daddr 10.96.0.0/12 drop
	}
}
"""


def test_services_of_another_cluster_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_nft", lambda *arguments: TABLES if arguments[1] == "tables" else CHAIN)
    monkeypatch.setattr(preflight, "_routes", lambda: iter(()))
    config = configuration.resolve(tmp_path, node_address="192.0.2.4")
    with pytest.raises(ConfigError, match=r"10\.96\.0\.0/12 overlaps the Services .* choose another --service-cidr"):
        preflight.check_ranges(config)
    preflight.check_ranges(configuration.resolve(tmp_path, node_address="192.0.2.4", service_cidr="10.112.0.0/16"))


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_taken_port_is_named_with_its_option(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} on 127\.0\.0\.1 is taken.*--dns-port"):
            preflight.check_port("127.0.0.1", port, "--dns-port", kind)


def test_an_address_that_moved_away_is_told_with_its_cure() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.254 is not an address of this machine.*--node-ip"):
        preflight.check_port("192.0.2.254", 10053, "--dns-port")
