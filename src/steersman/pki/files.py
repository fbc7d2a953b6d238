"""The PKI's files: read what is there, make what is missing, write atomically."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509

from .certificates import (
    KeyPair,
    Subject,
    is_current,
    issue,
    load_key,
    new_authority,
    new_key,
    private_pem,
    public_pem,
)
from .config import DNS_USER, PKIConfig, PKIError, write_private

__all__ = ["PKIConfig", "PKIError", "ensure", "kubeconfig", "load_pair", "write_private"]


def ensure(config: PKIConfig) -> None:
    """Make the whole PKI, or what of it is missing or outdated.  Raises PKIError for a file it cannot read."""
    directory = config.directory
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _authority(directory, "ca", "kubernetes")
    front_proxy = _authority(directory, "front-proxy-ca", "front-proxy-ca")
    for name, (signer, subject) in _subjects(config, authority, front_proxy).items():
        _pair(directory, name, signer, subject)
    _service_account_keys(directory)
    for name, subject in _users(config).items():
        _kubeconfig(config, name, authority, subject)


def _subjects(config: PKIConfig, authority: KeyPair, front_proxy: KeyPair) -> Mapping[str, tuple[KeyPair, Subject]]:
    service = str(ipaddress.ip_network(config.service_cidr)[1])
    domain = config.cluster_domain
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{domain}")
    addresses = dict.fromkeys((service, "127.0.0.1", "::1", config.node_address, *config.addresses))
    apiserver = Subject(
        "kube-apiserver",
        dns_names=tuple(dict.fromkeys((*names, "localhost", config.node_name))),
        addresses=tuple(addresses),
        server=True,
    )
    kubelet = Subject(
        f"system:node:{config.node_name}",
        ("system:nodes",),
        dns_names=(config.node_name,),
        addresses=tuple(dict.fromkeys((config.node_address, "127.0.0.1"))),
        server=True,
    )
    # kubeadm:cluster-admins is kubeadm's group for this certificate; here the API server is a cluster administrator
    # towards kubelets, which authorize by group.
    kubelet_client = Subject("kube-apiserver-kubelet-client", ("kubeadm:cluster-admins",), client=True)
    return {
        "apiserver": (authority, apiserver),
        "apiserver-kubelet-client": (authority, kubelet_client),
        "kubelet": (authority, kubelet),
        "front-proxy-client": (front_proxy, Subject("front-proxy-client", client=True)),
    }


def _users(config: PKIConfig) -> Mapping[str, Subject]:
    return {
        "admin": Subject("kubernetes-admin", ("system:masters",), client=True),
        "controller-manager": Subject("system:kube-controller-manager", client=True),
        "scheduler": Subject("system:kube-scheduler", client=True),
        "kubelet": Subject(f"system:node:{config.node_name}", ("system:nodes",), client=True),
        "proxy": Subject("system:kube-proxy", client=True),
        "dns": Subject(DNS_USER, client=True),
    }


def load_pair(directory: Path, name: str) -> KeyPair | None:
    """A certificate and its key from the directory, None where either is missing."""
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    try:
        return KeyPair(x509.load_pem_x509_certificate(certificate.read_bytes()), load_key(key.read_bytes()))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise PKIError(
            f"cannot read {certificate} or {key}: {error}; move both away to have them made again"
        ) from error


def _authority(directory: Path, name: str, common_name: str) -> KeyPair:
    pair = load_pair(directory, name)
    if pair is None:
        if (directory / f"{name}.crt").exists():
            raise PKIError(f"{directory / name}.crt has lost its key: restore {name}.key from a backup")
        pair = new_authority(common_name)
        # The key first: a certificate without its key could not be told from a lost key.
        write_private(directory / f"{name}.key", pair.key_pem)
        write_private(directory / f"{name}.crt", pair.certificate_pem)
    return pair


def _pair(directory: Path, name: str, authority: KeyPair, subject: Subject) -> None:
    pair = load_pair(directory, name)
    if pair is None or not is_current(pair, authority, subject):
        pair = issue(authority, subject)
        write_private(directory / f"{name}.key", pair.key_pem)
        write_private(directory / f"{name}.crt", pair.certificate_pem)


def _service_account_keys(directory: Path) -> None:
    path = directory / "sa.key"
    try:
        key = load_key(path.read_bytes())
    except FileNotFoundError:
        key = new_key()
        write_private(path, private_pem(key))
    except ValueError as error:
        raise PKIError(f"cannot read {path}: {error}; restore it from a backup") from error
    public = public_pem(key.public_key())
    if not (directory / "sa.pub").exists() or (directory / "sa.pub").read_bytes() != public:
        write_private(directory / "sa.pub", public)


def _kubeconfig(config: PKIConfig, name: str, authority: KeyPair, subject: Subject) -> None:
    path = config.directory.parent / f"{name}.conf"
    pair = _embedded(path)
    if pair is None or not is_current(pair, authority, subject):
        pair = issue(authority, subject)
    text = msgspec.yaml.encode(
        kubeconfig(
            server=config.server,
            authority_pem=authority.certificate_pem,
            pair=pair,
            user=subject.common_name,
            cluster=config.cluster_name,
        )
    )
    if not path.exists() or path.read_bytes() != text:
        write_private(path, text)


def _embedded(path: Path) -> KeyPair | None:
    """The key pair inside a kubeconfig that this module wrote, None where there is none that can be read."""
    try:
        user = msgspec.yaml.decode(path.read_bytes())["users"][0]["user"]
        certificate = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
        return KeyPair(certificate, load_key(base64.b64decode(user["client-key-data"])))
    except (OSError, LookupError, TypeError, ValueError, msgspec.DecodeError):
        return None


def kubeconfig(*, server: str, authority_pem: bytes, pair: KeyPair, user: str, cluster: str) -> dict[str, Any]:
    """A kubeconfig with one cluster, one user and one context, everything embedded."""
    context = f"{user}@{cluster}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {
                    "certificate-authority-data": base64.b64encode(authority_pem).decode(),
                    "server": server,
                },
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": base64.b64encode(pair.certificate_pem).decode(),
                    "client-key-data": base64.b64encode(pair.key_pem).decode(),
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
    }
