"""How somebody reaches a cluster: by a kubeconfig, as data or as a file, or by a client of ours."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from steersman.api.scheme import Resource
from steersman.client.connecting import connect
from steersman.client.custom_resources import CustomObject
from steersman.client.http import HTTPClient
from steersman.client.kubeconfig import ClientConfig

from .clients import AsyncClient, BlockingClient
from .credentials import Identity
from .life import Life

if TYPE_CHECKING:
    from .cluster import Cluster

ClientT = TypeVar("ClientT", BlockingClient, AsyncClient)


class Access(Generic[ClientT]):
    """How somebody reaches the cluster."""

    def __init__(self, life: Life, who: Identity, namespace: str, face: type[ClientT]) -> None:
        self._life = life
        self._who = who
        self._namespace = namespace
        self._kubeconfig = life.accesses.kubeconfig(who, namespace)
        self._face: type[ClientT] = face

    @property
    def kubeconfig(self) -> dict[str, Any]:
        """A kubeconfig as data, everything in it: ``kubernetes.config.load_kube_config_from_dict``, ``kr8s.api``."""
        return copy.deepcopy(self._kubeconfig.tree)

    @property
    def kubeconfig_path(self) -> Path:
        """Its file, for ``$KUBECONFIG``."""
        return self._kubeconfig.path

    @property
    def config(self) -> ClientConfig:
        """What it says."""
        return self._kubeconfig.config

    @cached_property
    def client(self) -> ClientT:
        """A client over HTTPS, which lives with the cluster, or with the test that asked for a user of its own."""
        inner = self._life.accesses.client(self._who, self._namespace)
        face: type[ClientT] = self._face
        return face(self._life.thread, inner)

    def connect(self, *types: type[CustomObject] | Resource[Any]) -> HTTPClient:
        """A client of the caller's event loop, to be used as an ``async with``."""
        return connect(*types, config=self.config)


@contextlib.contextmanager
def lent(cluster: Cluster) -> Iterator[None]:
    """For a test: who reaches the cluster within for the first time does so until the end of the block."""
    assert cluster.access  # the cluster's own stays
    accesses, thread = cluster.life.accesses, cluster.life.thread
    held = accesses.held
    try:
        yield
    finally:
        if accesses.held != held:
            thread.wait(accesses.keep(held))
