from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
import yaml

from steersman.client import kubeconfig
from steersman.client.kubeconfig import KubeconfigError


def config(server: str = "https://a:6443", name: str = "one") -> dict[str, object]:
    data = base64.b64encode(b"PEM").decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": data}}],
        "users": [{"name": name, "user": {"client-certificate-data": data, "client-key": "key.pem"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "ns"}}],
    }


def write(path: Path, tree: object) -> Path:
    path.write_text(yaml.safe_dump(tree))
    return path


def test_inline_data_and_files_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"KEY")
    loaded = kubeconfig.load(write(tmp_path / "config", config()))
    assert (loaded.server, loaded.namespace) == ("https://a:6443", "ns")
    assert (loaded.ca_data, loaded.client_certificate_data, loaded.client_key_data) == (b"PEM", b"PEM", b"KEY")


def test_several_files_the_first_wins(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"KEY")
    first = write(tmp_path / "first", config("https://first"))
    other = config("https://other")
    other["clusters"] = [*other["clusters"], {"name": "two", "cluster": {"server": "https://two"}}]  # type: ignore[misc]
    other["contexts"] = [*other["contexts"], {"name": "two", "context": {"cluster": "two"}}]  # type: ignore[misc]
    second = write(tmp_path / "second", other)
    assert kubeconfig.load([first, second]).server == "https://first"
    assert kubeconfig.load([first, second], "two").server == "https://two"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"current-context": "none"}, 'context "none" does not exist'),
        ({"current-context": ""}, "no current context"),
        ({"clusters": []}, 'cluster "one" does not exist'),
        ({"users": [{"name": "one", "user": {"exec": {"command": "x"}}}]}, 'exec plugin: invalid apiVersion ""'),
        ({"users": [{"name": "one", "user": {"exec": {"args": ["x"]}}}]}, "command must be specified"),
        ({"users": [{"name": "one", "user": {"auth-provider": {"name": "x"}}}]}, "auth-provider is not supported"),
        ({"clusters": "x"}, "not a list"),
        (
            {"clusters": [{"name": "one", "cluster": {"server": "https://a", "proxy-url": "socks5://b"}}]},
            'proxy-url: "socks5://b" is neither http nor https',
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(KubeconfigError, match=message):
        kubeconfig.load(write(tmp_path / "config", {**config(), **change}))


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "none"
    monkeypatch.setenv("KUBECONFIG", str(missing))
    for path in ((), missing):
        with pytest.raises(KubeconfigError, match=f"{missing}: no such kubeconfig file"):
            kubeconfig.load(path)


def test_merging_keeps_the_rest_and_can_be_undone(tmp_path: Path) -> None:
    target = write(tmp_path / "config", config("https://mine", "mine"))
    os.chmod(target, 0o644)
    kubeconfig.merge_context(target, yaml.safe_dump(config("https://new", "admin")), "steersman")
    kubeconfig.merge_context(target, config("https://newer", "admin"), "steersman")
    tree = yaml.safe_load(target.read_text())
    assert tree["current-context"] == "steersman"
    assert [item["name"] for item in tree["clusters"]] == ["mine", "steersman"]
    assert tree["clusters"][1]["cluster"]["server"] == "https://newer"
    assert tree["contexts"][1]["context"] == {"cluster": "steersman", "user": "steersman", "namespace": "ns"}
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config"]
    kubeconfig.remove_context(target, "steersman")
    tree = yaml.safe_load(target.read_text())
    assert ([item["name"] for item in tree["users"]], tree["current-context"]) == (["mine"], "")


def test_merging_follows_links_and_does_not_select_unless_asked(tmp_path: Path) -> None:
    target = write(tmp_path / "real", config("https://mine", "mine"))
    link = tmp_path / "link"
    link.symlink_to(target)
    kubeconfig.merge_context(link, config("https://new", "admin"), "steersman", select=False)
    assert link.is_symlink()
    assert yaml.safe_load(target.read_text())["current-context"] == "mine"


def test_inside_a_cluster(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_bytes(b"CA")
    (tmp_path / "namespace").write_text("ns\n")
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    loaded = kubeconfig.in_cluster(tmp_path, environment)
    assert (loaded.server, loaded.namespace, loaded.ca_data) == ("https://[fd00::1]:443", "ns", b"CA")
    with pytest.raises(KubeconfigError):
        kubeconfig.in_cluster(tmp_path, {})
