"""Lets faults befall a cluster, on its event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Unpack

from steersman.api.scheme import Resource
from steersman.api.user import User
from steersman.apiserver.endpoints.exchange import Carry
from steersman.apiserver.endpoints.request_info import RequestInfo
from steersman.apiserver.http.messages import Answer, Request, Stream
from steersman.apiserver.server import ApiServer
from steersman.storage.embedded import EmbeddedStore
from steersman.storage.store import Compacted, CompareFailed, Put

from . import numbers
from .fault import RequestFault, ShortWatch, Standing, StoreFault, select
from .faulty_store import Mishap
from .inner import InnerServer, InnerWatches
from .selection import Asked, Selection, Where, named_in
from .streams import End, Watches
from .vocabulary import Vocabulary

_BOOKKEEPING = "compact_rev_key"
"""What who compacts an etcd writes before."""


class Watching(Where, total=False):
    """Whose watches, and whether also those of components ``inside``."""

    inside: bool


class FaultInjection:
    """See :mod:`.faults`."""

    def __init__(self, store: Callable[[], EmbeddedStore], restart: Callable[[float], Awaitable[None]]) -> None:
        self.vocabulary = Vocabulary(self._resources)
        self.standing = Standing(self._touch, self._cut, self.vocabulary, seed=0)
        self._store = store
        self._restart = restart
        self._server: ApiServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watches = Watches()
        self._inner = InnerWatches()

    def _resources(self) -> list[Resource[Any]]:
        """What there is now, other servers' resources included; from any thread."""
        if (server := self._server) is None:
            return []
        return [*server.scheme, *server.elsewhere.resources()]

    def _cut(self, selection: Selection, inside: bool) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end_watches, selection, "cut", inside)

    # -- what happens once ---------------------------------------------------------------------------------------

    async def drop_watches(self, *, clean: bool = False, **which: Unpack[Watching]) -> int:
        """End the watches that are open: cut, or as if their time were up; how many they were."""
        selection, inside = select(self.vocabulary, which)
        return self._end_watches(selection, "clean" if clean else "cut", inside)

    def _end_watches(self, selection: Selection, how: End, inside: bool) -> int:
        ended = self._watches.end(selection.chooses, how)
        return ended + self._inner.end(selection.chooses) if inside else ended

    async def compact(self) -> None:
        """Let all that was before now be forgotten.

        Open watches end with 410 Expired; whoever goes on from a resource version, or a continue token, of before gets
        it, too, and lists again.
        """
        store = self._store()
        # Whoever has seen the newest version has seen one of the past now.
        await store.commit([Put(_BOOKKEEPING, str(store.current_revision).encode())])
        with contextlib.suppress(Compacted):
            await store.compact(store.current_revision)
        if self._server is not None:
            for _, cache in self._server.registry.caches():
                cache.forget_past()

    async def restart(self, down: float = 0.0) -> None:
        """End the control plane, and start it again after so many seconds: same port, same store, same credentials.

        Clients see their connections end, and no new ones accepted meanwhile.  Ready when this returns.
        """
        numbers.number("down", down)
        await self._restart(down)

    # -- on the cluster's loop -----------------------------------------------------------------------------------

    def attach(self, server: ApiServer, spared: User) -> None:
        """Let happen to an API server what stands; before it has any client.  Inside, one user is spared."""
        self._loop = asyncio.get_running_loop()
        self._server = server
        server.filters.append(self._answer)
        registry = server.registry
        server.local = lambda user: (
            registry if user == spared else InnerServer(registry, user, self.standing.faults, self._before, self._inner)
        )

    def befalls(self, operation: Literal["read", "write"], key: str) -> Mishap | None:
        """What befalls an operation of the store."""
        for fault in tuple(self.standing.faults):
            if isinstance(fault, StoreFault) and (mishap := fault.befall(operation, key)) is not None:
                return mishap
        return None

    async def _answer(self, request: Request, info: RequestInfo, carry: Carry) -> Answer:
        if not self.standing.faults and info.verb != "watch":
            return await carry()
        asked = Asked(
            info.verb,
            request.user.name,
            info.group,
            info.version,
            info.resource,
            info.subresource,
            info.namespace,
            info.name or (named_in(request.body) if info.verb == "create" else ""),
            request.headers.get("user-agent", ""),
            info.path,
        )
        befallen: list[RequestFault] = []
        for fault in tuple(self.standing.faults):
            if isinstance(fault, RequestFault) and fault.befalls(asked):
                await fault.before(asked)
                befallen.append(fault)
        answer = await carry()
        for fault in befallen:
            answer = fault.after(asked, answer)
        if info.verb == "watch" and isinstance(answer, Stream):
            limits = [fault.limit for fault in befallen if isinstance(fault, ShortWatch)]
            self._watches.follow(asked, answer, min(limits, default=None))
        return answer

    async def _before(self, asked: Asked) -> None:
        """What befalls a component inside."""
        for fault in tuple(self.standing.faults):
            if isinstance(fault, RequestFault) and fault.inside and fault.befalls(asked):
                await fault.before(asked, inside=True)

    async def _touch(self, asked: Asked) -> None:
        """Write an object as it is."""
        assert self._server is not None
        resource = self._server.scheme.by_name(asked.group, asked.version, asked.resource)
        if resource is None or not asked.name:
            return
        store = self._store()
        found = await store.get(resource.key(asked.namespace, asked.name))
        if found is not None:
            with contextlib.suppress(CompareFailed):  # then somebody else did
                await store.commit([Put(found.key, found.value, found.mod_revision)])
