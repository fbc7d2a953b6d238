"""The keys and certificates of a cluster inside a test, and the kubeconfigs made of them.

Everything lies in a directory of the cluster's own, for its owner alone, and goes with it: nothing is synced to disk.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from steersman.client.kubeconfig import ClientConfig
from steersman.pki import files
from steersman.pki.certificates import KeyPair, Subject, issue, new_authority, new_key, private_pem, public_pem


class Identity(NamedTuple):
    """Who somebody is, in a certificate."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = Identity("kubernetes-admin", ("system:masters",))
ADDRESSES = ("127.0.0.1", "::1", "10.96.0.1")
NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class Kubeconfig(msgspec.Struct, frozen=True):
    """How somebody reaches the cluster: as data, and as a file."""

    tree: dict[str, Any]
    path: Path
    config: ClientConfig


class Credentials:
    """Makes them in a directory, which is there and is the caller's to remove."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pki = directory / "pki"
        self.server = ""
        self._authority = new_authority("kubernetes")
        self._kubeconfigs = 0
        self._pairs: dict[Identity, KeyPair] = {}
        self._make()

    def _make(self) -> None:
        self.pki.mkdir(mode=0o700)
        front_proxy = new_authority("front-proxy-ca")
        # What the API server calls kubelets with: kubeadm's group for it.
        kubelet_client = Subject("kube-apiserver-kubelet-client", ("kubeadm:cluster-admins",), client=True)
        for name, pair in {
            "ca": self._authority,
            "front-proxy-ca": front_proxy,
            "front-proxy-client": issue(front_proxy, Subject("front-proxy-client", client=True)),
            "apiserver": issue(self._authority, Subject("kube-apiserver", (), NAMES, ADDRESSES, server=True)),
            "apiserver-kubelet-client": issue(self._authority, kubelet_client),
        }.items():
            _write(self.pki / f"{name}.crt", pair.certificate_pem)
            _write(self.pki / f"{name}.key", pair.key_pem)
        tokens = new_key()
        _write(self.pki / "sa.key", private_pem(tokens))
        _write(self.pki / "sa.pub", public_pem(tokens.public_key()))
        self._pair(ADMIN)

    @property
    def authority_pem(self) -> bytes:
        """The certificate of the authority that everybody trusts."""
        return self._authority.certificate_pem

    def serve_at(self, port: int) -> None:
        """The API server listens there: kubeconfigs can be made."""
        self.server = f"https://127.0.0.1:{port}"

    @property
    def admin(self) -> ClientConfig:
        """The access of an administrator."""
        return self._config(self._pair(ADMIN), "")

    def kubeconfig(self, who: Identity = ADMIN, namespace: str = "") -> Kubeconfig:
        """A kubeconfig of somebody with a certificate of their own, and its file."""
        pair = self._pair(who)
        tree = files.kubeconfig(
            server=self.server, authority_pem=self.authority_pem, pair=pair, user=who.name, cluster="steersman"
        )
        if namespace:
            tree["contexts"][0]["context"]["namespace"] = namespace
        path = self.directory / "admin.conf"
        if who != ADMIN or path.exists():
            self._kubeconfigs += 1
            path = self.directory / f"{self._kubeconfigs}.conf"
        _write(path, msgspec.yaml.encode(tree))
        return Kubeconfig(tree, path, self._config(pair, namespace))

    def forget(self, who: Identity) -> None:
        """Let go of somebody's certificate; who asks for it again gets another one."""
        self._pairs.pop(who, None)

    def _pair(self, who: Identity) -> KeyPair:
        if who not in self._pairs:
            self._pairs[who] = issue(self._authority, Subject(who.name, who.groups, client=True))
        return self._pairs[who]

    def _config(self, pair: KeyPair, namespace: str) -> ClientConfig:
        return ClientConfig(
            server=self.server,
            ca_data=self.authority_pem,
            client_certificate_data=pair.certificate_pem,
            client_key_data=pair.key_pem,
            namespace=namespace or "default",
        )


def _write(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
