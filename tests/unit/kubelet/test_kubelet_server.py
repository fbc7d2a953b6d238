"""What a kubelet's endpoints demand and show."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from steersman.kubelet.config import KubeletConfig
from steersman.kubelet.server.access import Refused, subresources
from steersman.kubelet.server.introspection import configz
from steersman.kubelet.server.node_logs import listing, locate


@pytest.mark.parametrize(
    ("path", "enough"),
    [
        ("/pods", ("pods", "proxy")),
        ("/pods/", ("pods", "proxy")),
        ("/runningpods/", ("pods", "proxy")),
        ("/healthz/syncloop", ("healthz", "proxy")),
        ("/configz", ("configz", "proxy")),
        ("/stats/summary", ("stats",)),
        ("/metrics/cadvisor", ("metrics",)),
        ("/logs/syslog", ("log",)),
        ("/checkpoint/d/p/c", ("checkpoint",)),
        ("/containerLogs/d/p/c", ("proxy",)),
        ("/exec/d/p/c", ("proxy",)),
        ("/podsecrets", ("proxy",)),
        ("/", ("proxy",)),
    ],
)
def test_subresources(path: str, enough: tuple[str, ...]) -> None:
    assert subresources(path) == enough


def test_node_logs_stay_below_their_root(tmp_path: Path) -> None:
    root = tmp_path / "log"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a<b").write_text("text")
    (tmp_path / "secret").write_text("secret")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "in").symlink_to(root / "sub")
    assert locate(root, "/sub/a<b").read_text() == "text"
    assert locate(root, "/in") == root / "sub"
    for path in ("/out", "/../secret", "/missing", "/sub/\0"):
        with pytest.raises(Refused, match="404"):
            locate(root, path)
    assert listing(root / "sub") == b'<!doctype html>\n<pre>\n<a href="a%3Cb">a&lt;b</a>\n</pre>\n'


def test_configz() -> None:
    shown = msgspec.json.decode(configz(KubeletConfig(node_name="n", node_ip="10.0.0.1", root_dir=Path("/x"))))
    assert shown["kubeletconfig"]["maxPods"] == 110
    assert shown["kubeletconfig"]["syncFrequency"] == "1m0s"
    assert shown["kubeletconfig"]["clusterDNS"] == ["10.96.0.10"]
