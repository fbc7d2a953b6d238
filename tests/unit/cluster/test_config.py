import shutil
from pathlib import Path

import pytest

from steersman.cluster import config
from steersman.cluster.config import ConfigError


def test_is_kept_in_the_data_directory_and_changed_by_settings(tmp_path: Path) -> None:
    first = config.resolve(tmp_path, secure_port=7443, node_address="192.0.2.4")
    config.save(first)
    assert config.load(tmp_path) == first
    second = config.resolve(tmp_path, kubelet_port=11250, secure_port=None)
    assert (second.secure_port, second.kubelet_port) == (7443, 11250)


def test_two_clusters_share_no_name(tmp_path: Path) -> None:
    clusters = [config.resolve(tmp_path / name) for name in ("a", "b")]
    assert len({cluster.identity for cluster in clusters}) == 2
    assert len({cluster.bridge for cluster in clusters}) == 2
    assert all(len(cluster.bridge) <= 15 for cluster in clusters)


def test_an_unknown_layout_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("99\n")
    with pytest.raises(ConfigError, match=r"layout version '99'.*reads version 1"):
        config.resolve(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["VERSION"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"service_cidr": "10.244.0.0/16"}, "overlap"),
        ({"service_cidr": "10.96.0.1/12"}, "host bits set"),
        ({"service_cidr": "10.96.0.0/16,10.97.0.0/16"}, "must be of different IP families"),
        ({"service_cidr": "10.96.0.0/16,fd00::/112,fd01::/112"}, "not contain more than two networks"),
        ({"service_cidr": "10.96.0.0/16,fd00::/48"}, "too large; of IPv6, the mask must be >= 64"),
        ({"service_cidr": "10.96.0.0/16,"}, "does not appear to be an IPv4 or IPv6 network"),
        ({"service_node_port_range": "30000"}, "no range of ports.*--service-node-port-range"),
        ({"service_node_port_range": "30010-30000"}, "no range of ports"),
        ({"bind_address": "nowhere"}, "does not appear to be an IPv4 or IPv6 address"),
        ({"node_name": "my_host"}, "'my_host' cannot be a node name.*--node-name"),
        ({"cluster_domain": "cluster.local."}, "cannot be a cluster domain"),
        ({"simulated_shape": "cpu=8,4Gi"}, "'4Gi' is no part of a shape: write such as cpu=8,memory=32Gi,pods=110"),
        ({"simulated_shape": "disk=8"}, "'disk' is no resource of nodes"),
        ({"simulated_shape": "cpu=much"}, "is no quantity"),
        ({"simulated_taint": "mine"}, "'mine' is no taint"),
        ({"simulated_stages": "slow"}, "there are no stages 'slow'; choose of fast, general, chaos, or name a file"),
        ({"airgap_images": "/nowhere/at/all"}, "is no directory.*--airgap-images"),
        ({"runtime_config": "example.com/v1"}, "'example.com/v1' is no group-version.*--runtime-config"),
        ({"runtime_config": "storage.k8s.io/v1beta1=true"}, "is no group-version that can be served"),
        ({"runtime_config": "admissionregistration.k8s.io/v1beta1=maybe"}, "is no group-version that can be served"),
        ({"runtime_config": "apps/v1=false"}, "'apps/v1=false' would turn off what is always served"),
        ({"runtime_config": "api/all=false"}, "'api/all=false' would turn off what is always served"),
    ],
)
def test_nonsense_is_named(tmp_path: Path, settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.resolve(tmp_path, **settings)


def test_a_directory_has_one_name_however_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tmp_path / "with blank"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config.save(config.resolve(real, node_address="192.0.2.4"))
    for name in (tmp_path / "link", Path("../link"), Path("../elsewhere/../with blank")):
        found = config.load(name)
        assert found is not None
        assert (found.root, found.identity) == (real, config.resolve(real).identity)


def test_a_copied_directory_leads_not_back_to_the_first_cluster(tmp_path: Path) -> None:
    first = config.resolve(tmp_path / "first", node_address="192.0.2.4")
    config.save(first)
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    second = config.load(tmp_path / "second")
    assert second is not None
    assert second.root == tmp_path / "second"
    assert second.identity != first.identity


def test_a_cluster_keeps_the_ranges_with_which_it_was_made(tmp_path: Path) -> None:
    first = config.resolve(tmp_path, node_address="192.0.2.4", service_cidr="10.50.0.0/16")
    config.save(first)
    assert config.resolve(tmp_path, service_cidr="10.51.0.0/16").service_cidr == "10.51.0.0/16"  # it never ran
    (tmp_path / "server").mkdir()
    with pytest.raises(ConfigError, match=r"was made with --service-cidr 10\.50\.0\.0/16.*cannot get 10\.51"):
        config.resolve(tmp_path, service_cidr="10.51.0.0/16")
    with pytest.raises(ConfigError, match="--cluster-cidr"):
        config.resolve(tmp_path, cluster_cidr="10.52.0.0/16")
    assert config.resolve(tmp_path, secure_port=7443).service_cidr == "10.50.0.0/16"
    assert config.resolve(tmp_path, datastore="memory", service_cidr="10.51.0.0/16").datastore == "memory"


def test_a_directory_of_images_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tars").mkdir()
    monkeypatch.chdir(tmp_path)
    assert config.resolve(tmp_path / "data", airgap_images="tars").airgap_images == str(tmp_path / "tars")


def test_services_of_two_families(tmp_path: Path) -> None:
    found = config.resolve(tmp_path, service_cidr="10.96.0.0/16, fd00::/112")
    assert [str(network) for network in found.service_networks] == ["10.96.0.0/16", "fd00::/112"]
    assert (found.kubernetes_address, found.dns_address) == ("10.96.0.1", "10.96.0.10")
    assert config.resolve(tmp_path, service_cidr="fd00::/112").kubernetes_address == "fd00::1"


def test_which_versions_are_served_too(tmp_path: Path) -> None:
    text = "admissionregistration.k8s.io/v1beta1, coordination.k8s.io/v1beta1=true,scheduling.k8s.io/v1alpha1=false"
    resolved = config.resolve(tmp_path, runtime_config=text)
    assert resolved.runtime_versions == ("admissionregistration.k8s.io/v1beta1", "coordination.k8s.io/v1beta1")


@pytest.mark.parametrize(
    ("text", "served", "missing"),
    [
        ("api/beta=true", "admissionregistration.k8s.io/v1beta1", "scheduling.k8s.io/v1alpha1"),
        ("api/all=true,api/beta=false", "scheduling.k8s.io/v1alpha1", "admissionregistration.k8s.io/v1beta1"),
        ("scheduling.k8s.io/v1alpha1=false,api/all", "coordination.k8s.io/v1beta1", "scheduling.k8s.io/v1alpha1"),
    ],
)
def test_many_versions_are_named_at_once(tmp_path: Path, text: str, served: str, missing: str) -> None:
    found = config.resolve(tmp_path, runtime_config=text).runtime_versions
    assert served in found
    assert missing not in found
