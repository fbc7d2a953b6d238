import stat
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from steersman.pki import config as config_module
from steersman.pki import files
from steersman.pki.files import PKIConfig, PKIError, ensure, load_pair


def config(tmp_path: Path, **changes: object) -> PKIConfig:
    base = PKIConfig(
        directory=tmp_path / "pki", node_name="n1", node_address="192.0.2.7", server="https://192.0.2.7:6443"
    )
    return msgspec.structs.replace(base, **changes)


def contents(tmp_path: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_makes_kubeadms_files_and_keeps_them(tmp_path: Path) -> None:
    ensure(config(tmp_path))
    first = contents(tmp_path)
    names = {path.name for path in (tmp_path / "pki").iterdir()}
    assert {"ca.crt", "ca.key", "apiserver.crt", "apiserver-kubelet-client.key", "sa.pub", "sa.key"} <= names
    assert {"admin.conf", "scheduler.conf", "kubelet.conf"} <= {path.name for path in tmp_path.iterdir()}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.rglob("*") if path.is_file())
    ensure(config(tmp_path))
    assert contents(tmp_path) == first


def test_a_new_address_renews_the_server_certificate_alone(tmp_path: Path) -> None:
    ensure(config(tmp_path))
    authority = (tmp_path / "pki/ca.crt").read_bytes()
    client = (tmp_path / "pki/front-proxy-client.crt").read_bytes()
    ensure(config(tmp_path, addresses=("203.0.113.9",)))
    pair = load_pair(tmp_path / "pki", "apiserver")
    assert pair is not None
    names = pair.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert {"203.0.113.9", "10.96.0.1", "127.0.0.1", "192.0.2.7"} <= addresses
    assert (tmp_path / "pki/ca.crt").read_bytes() == authority
    assert (tmp_path / "pki/front-proxy-client.crt").read_bytes() == client


def test_a_lost_authority_key_is_refused_and_nothing_is_replaced(tmp_path: Path) -> None:
    ensure(config(tmp_path))
    (tmp_path / "pki/ca.key").unlink()
    before = contents(tmp_path)
    with pytest.raises(PKIError, match=r"ca\.crt has lost its key"):
        ensure(config(tmp_path))
    assert contents(tmp_path) == before


def test_garbage_is_named(tmp_path: Path) -> None:
    ensure(config(tmp_path))
    (tmp_path / "pki/apiserver.key").write_text("garbage")
    with pytest.raises(PKIError, match=r"apiserver\.key"):
        ensure(config(tmp_path))


def test_a_write_leaves_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def fail(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(config_module.os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        files.write_private(target, b"new")
    assert target.read_text() == "old"
