"""A cluster inside a test: an API server, controllers, a scheduler and simulated nodes in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self

import steersman.scheduler.scheduler  # noqa: F401 - what starts a cluster does not wait for it then
from steersman.api.clock import Clock
from steersman.api.scheme import Resource
from steersman.client.custom_resources import CustomObject
from steersman.client.http import HTTPClient
from steersman.client.kubeconfig import ClientConfig
from steersman.simulation import DEFAULT_STAGES, NodeShape

from .access import Access, ClientT
from .clients import AsyncClient, BlockingClient
from .clocks import AsyncClock, BlockingClock
from .credentials import ADMIN, Identity
from .faces import awaitable, blocking
from .faults import AsyncFaults, BlockingFaults
from .life import Life
from .operations import Operations
from .requests import Requests
from .settings import Stages, settings
from .snapshot_faces import AsyncSnapshot, BlockingSnapshot
from .thread import LoopThread, StoppedError


class _Running(Generic[ClientT]):
    """What the two faces of a cluster have in common: an administrator's access, and how others get theirs."""

    _face: type[ClientT]

    def __init__(self, namespace: str = "default") -> None:
        self.namespace = namespace
        """Where objects go that name no namespace."""
        self._life: Life | None = None
        self._is_view = False

    def __repr__(self) -> str:
        where = "not running"
        if self.runs:
            where = f"at {self.life.credentials.server or 'no address yet'}, namespace {self.namespace}"
        return f"<{type(self).__name__} {where}>"

    @property
    def life(self) -> Life:
        if self._life is None or self._life.over:
            raise StoppedError("the cluster was not started, or was stopped")
        return self._life

    @property
    def runs(self) -> bool:
        """Whether it was started and not stopped."""
        return self._life is not None and not self._life.over

    @property
    def _thread(self) -> LoopThread:
        return self.life.thread

    @cached_property
    def _inner(self) -> Operations:
        return Operations(self.life.composition, self.namespace)

    @cached_property
    def access(self) -> Access[ClientT]:
        """An administrator's."""
        return Access(self.life, ADMIN, self.namespace, self._face)

    @property
    def kubeconfig(self) -> dict[str, Any]:
        """An administrator's kubeconfig as data; see :class:`Access`."""
        return self.access.kubeconfig

    @property
    def kubeconfig_path(self) -> Path:
        """Its file."""
        return self.access.kubeconfig_path

    @property
    def config(self) -> ClientConfig:
        """What it says."""
        return self.access.config

    @property
    def client(self) -> ClientT:
        """An administrator's client over HTTPS, which knows all kinds that the server knows."""
        return self.access.client

    @property
    def requests(self) -> Requests:
        """What clients asked of the cluster."""
        return self.life.composition.requests

    def connect(self, *types: type[CustomObject] | Resource[Any]) -> HTTPClient:
        """An administrator's client of the caller's event loop, to be used as an ``async with``."""
        return self.access.connect(*types)

    def in_namespace(self, name: str) -> Self:
        """The same running cluster, seen from another namespace: objects go there, and kubeconfigs name it.

        Who started the cluster stops it, not who looks at it so.
        """
        view = copy.copy(self)
        view._life = self.life
        view._is_view = True
        view._forget()
        view.namespace = name
        return view

    def _forget(self) -> None:
        for name in ("_inner", "access", "awaitable"):
            self.__dict__.pop(name, None)

    def as_user(self, name: str, groups: Iterable[str] = ()) -> Access[ClientT]:
        """The access of somebody else, by a client certificate.  RBAC decides what they may.

        Who asks for the same user again has the same certificate and client.
        """
        __tracebackhide__ = True
        if not name:
            raise ValueError("as_user: a user has a name")
        if isinstance(groups, str):
            raise TypeError(f"as_user: groups are several texts, such as [{groups!r}]")
        return Access(self.life, Identity(name, tuple(groups)), self.namespace, self._face)


class AsyncCluster(_Running[AsyncClient]):
    """A running cluster whose methods are awaited, on whatever event loop."""

    _face = AsyncClient

    apply = awaitable(Operations.apply)
    wait_for = awaitable(Operations.wait_for)
    create_namespace = awaitable(Operations.create_namespace)
    delete_namespace = awaitable(Operations.delete_namespace)
    event_lines = awaitable(Operations.event_lines)
    settle = awaitable(Operations.settle)

    @property
    def faults(self) -> AsyncFaults:
        """What may be let go wrong."""
        return AsyncFaults(self._thread, self.life.composition.faults)

    def snapshot(self) -> AsyncSnapshot:
        """Remember the world once the cluster is at rest: ``async with`` restores it at the end."""
        return AsyncSnapshot(self._thread, self._inner.snapshot)

    @property
    def clock(self) -> AsyncClock:
        """The time that the cluster's parts see."""
        return AsyncClock(self._thread, self.life.clock)


class Cluster(_Running[BlockingClient]):
    """A cluster to be used as a ``with``, by :meth:`start` and :meth:`stop`, or as an ``async with``.

    The ``with`` gives the cluster itself, whose methods block; ``async with`` gives an :class:`AsyncCluster`, which has
    the same methods to be awaited (:attr:`awaitable`, of a cluster that runs).  Both may be used from any thread.

    - ``controllers`` chooses among upstream's: ``*`` for all, names, ``-name`` for not that one; none where empty.
    - ``scheduler``: whether pods are given nodes.
    - ``nodes``: how many simulated nodes, or of what shapes; pods on them say that they run, and nothing does.
    - ``stages``: what nodes and pods go through, by name (``general``, ``chaos``) or file, or as objects; by default
      pods run, and end, the moment that they should.
    - ``store``: ``memory``, or a directory for SQLite's files, which stays.
    - ``clock``: the time that all parts see; by default the machine's, until it is turned (:attr:`clock`).

    Raises ValueError, TypeError for what no cluster can be made of.
    """

    _face = BlockingClient

    apply = blocking(Operations.apply)
    wait_for = blocking(Operations.wait_for)
    create_namespace = blocking(Operations.create_namespace)
    delete_namespace = blocking(Operations.delete_namespace)
    event_lines = blocking(Operations.event_lines)
    settle = blocking(Operations.settle)

    @property
    def faults(self) -> BlockingFaults:
        """What may be let go wrong."""
        return BlockingFaults(self._thread, self.life.composition.faults)

    def snapshot(self) -> BlockingSnapshot:
        """Remember the world once the cluster is at rest: ``with`` restores it at the end.  Raises NotSettled."""
        return BlockingSnapshot(self._thread, self._thread.wait(self._inner.snapshot()))

    @property
    def clock(self) -> BlockingClock:
        """The time that the cluster's parts see."""
        return BlockingClock(self._thread, self.life.clock)

    def __init__(
        self,
        *,
        controllers: Sequence[str] = ("*",),
        scheduler: bool = True,
        nodes: int | Sequence[NodeShape] = 1,
        stages: Stages = DEFAULT_STAGES,
        store: str | os.PathLike[str] = "memory",
        clock: Clock | None = None,
    ) -> None:
        __tracebackhide__ = True
        super().__init__()
        self._settings = settings(
            controllers=controllers, scheduler=scheduler, nodes=nodes, stages=stages, store=store, clock=clock
        )

    @cached_property
    def awaitable(self) -> AsyncCluster:
        """The same running cluster, with methods to be awaited."""
        face = AsyncCluster(self.namespace)
        face._life = self.life
        return face

    def start(self) -> Cluster:
        """Start it and wait until everything works; raises StartError where it does not."""
        life = self._begin()
        try:
            life.ready.result()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it; with a store in memory, its objects are gone."""
        if (life := self._end()) is not None:
            with contextlib.suppress(Exception):  # told when it was to be ready, or of no consequence any more
                life.thread.ended.result()
            life.finish()

    def __enter__(self) -> Cluster:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> AsyncCluster:
        life = self._begin()
        try:
            await asyncio.wrap_future(life.ready)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self.awaitable

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (life := self._end()) is not None:
            with contextlib.suppress(Exception):
                await asyncio.shield(asyncio.wrap_future(life.thread.ended))
            life.finish()

    def _begin(self) -> Life:
        if self._life is not None:
            raise RuntimeError("the cluster runs already")
        self._life = life = Life(self._settings)
        life.begin()
        return life

    def _end(self) -> Life | None:
        """Tell it to end, and forget what was made of it; None where nothing runs."""
        life = self._life
        if life is not None:
            if self._is_view:
                raise RuntimeError(
                    f"who started the cluster stops it: this is how namespace {self.namespace!r} sees it"
                )
            self._life = None
            self._forget()
            if life.thread.is_elsewhere:
                return None
            life.end()
        return life
