"""Who reaches a cluster, and how: a certificate, kubeconfigs and a client for each user, for all who ask for the same.

A run of thousands of tests asks thousands of times.  What is asked for within a test can be let go of with it
(:meth:`Accesses.keep`); all else goes with the cluster.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from steersman.client.kubeconfig import ClientConfig

from .credentials import Credentials, Identity, Kubeconfig

if TYPE_CHECKING:
    from steersman.client.http import HTTPClient

Held = Mapping[Identity, frozenset[str]]
"""The users of a moment, and the namespaces that their kubeconfigs name."""


class _Known:
    """What there is of a user: kubeconfigs by the namespaces that they name, and a client once somebody wants one."""

    def __init__(self) -> None:
        self.kubeconfigs: dict[str, Kubeconfig] = {}
        self.client: HTTPClient | None = None


class Accesses:
    """Those of one cluster; from any thread."""

    def __init__(self, credentials: Credentials, connect: Callable[[ClientConfig], HTTPClient]) -> None:
        self._credentials = credentials
        self._connect = connect
        self._known: dict[Identity, _Known] = {}
        self._lock = threading.RLock()

    def kubeconfig(self, who: Identity, namespace: str) -> Kubeconfig:
        """A user's kubeconfig that names a namespace."""
        with self._lock:
            found = self._known.setdefault(who, _Known()).kubeconfigs
            if namespace not in found:
                found[namespace] = self._credentials.kubeconfig(who, namespace)
            return found[namespace]

    def client(self, who: Identity, namespace: str) -> HTTPClient:
        """A user's client, on the cluster's loop: the same one from whatever namespace, which it has none of."""
        with self._lock:
            config = self.kubeconfig(who, namespace).config
            known = self._known[who]
            if known.client is None:
                known.client = self._connect(config)
            return known.client

    @property
    def held(self) -> Held:
        """What there is now."""
        with self._lock:
            return {who: frozenset(known.kubeconfigs) for who, known in self._known.items()}

    async def keep(self, held: Held) -> None:
        """Let go of what has come since: connections are closed, files removed; on the cluster's loop."""
        gone: list[HTTPClient] = []
        with self._lock:
            for who, known in [*self._known.items()]:
                for namespace in known.kubeconfigs.keys() - held.get(who, frozenset()):
                    with contextlib.suppress(FileNotFoundError):
                        known.kubeconfigs.pop(namespace).path.unlink()
                if who not in held:
                    del self._known[who]
                    self._credentials.forget(who)
                    gone += [known.client] if known.client is not None else []
        for client in gone:
            await client.close()
