"""What the components in a cluster's own process ask of its API server, where faults may befall it, too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from steersman.api.scheme import Resource, Scheme
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.api.user import User
from steersman.apiserver.registry.contract import ListOptions, ResourceHandler, Subscription, WatchSink
from steersman.apiserver.registry.registry import Registry
from steersman.client.client import Patch

from .selection import Asked

Before = Callable[[Asked], Awaitable[None]]
"""Awaited before a request is carried out; may raise StatusError."""


class InnerWatches:
    """The open watches of components."""

    def __init__(self) -> None:
        self._open: dict[WatchSink, Asked] = {}

    def add(self, asked: Asked, sink: WatchSink) -> None:
        """Know of one."""
        self._open[sink] = asked

    def remove(self, sink: WatchSink) -> None:
        """Know of one no more."""
        self._open.pop(sink, None)

    def end(self, chooses: Callable[[Asked], bool]) -> int:
        """End those that are chosen; how many they are."""
        chosen = [sink for sink, asked in self._open.items() if chooses(asked)]
        for sink in chosen:
            self.remove(sink)
            sink.end(None)
        return len(chosen)


class InnerServer:
    """A :class:`steersman.client.local.LocalServer` for one user; ``before`` is awaited while there are faults."""

    def __init__(
        self, registry: Registry, user: User, standing: Sequence[object], before: Before, watches: InnerWatches
    ) -> None:
        self._registry = registry
        self._user = user
        self._standing = standing
        self._before = before
        self._watches = watches
        self.context = registry.context
        self.list_options = registry.list_options

    @property
    def scheme(self) -> Scheme:
        return self._registry.scheme

    def handler(self, resource: Resource[Any]) -> InnerHandler:
        return InnerHandler(self._registry.handler(resource), self._user, self._standing, self._before, self._watches)


class InnerHandler:
    """A :class:`steersman.client.local.LocalHandler`."""

    __slots__ = ("_before", "_handler", "_standing", "_user", "_watches", "resource")

    def __init__(
        self,
        handler: ResourceHandler,
        user: User,
        standing: Sequence[object],
        before: Before,
        watches: InnerWatches,
    ) -> None:
        self._handler = handler
        self._user = user
        self._standing = standing
        self._before = before
        self._watches = watches
        self.resource = handler.resource

    def _asked(self, verb: str, namespace: str, name: str = "", subresource: str = "") -> Asked:
        resource = self.resource
        return Asked(
            verb, self._user.name, resource.group, resource.version, resource.name, subresource, namespace, name
        )

    async def get(self, namespace: str, name: str, *, resource_version: str = "") -> Any:
        if self._standing:
            await self._before(self._asked("get", namespace, name))
        return await self._handler.get(namespace, name, resource_version=resource_version)

    async def list(self, namespace: str, options: ListOptions) -> Any:
        if self._standing:
            await self._before(self._asked("list", namespace))
        return await self._handler.list(namespace, options)

    async def watch(self, namespace: str, options: ListOptions, sink: WatchSink) -> Subscription:
        asked = self._asked("watch", namespace)
        if self._standing:
            await self._before(asked)
        subscription = await self._handler.watch(namespace, options, sink)
        self._watches.add(asked, sink)
        return _Followed(subscription, self._watches, sink)

    async def create(self, context: Any, namespace: str, obj: Any) -> Any:
        if self._standing:
            await self._before(self._asked("create", namespace, obj.metadata.name or obj.metadata.generate_name))
        return await self._handler.create(context, namespace, obj)

    async def update(
        self, context: Any, namespace: str, name: str, obj: Any, *, subresource: str = "", lent: bool = False
    ) -> tuple[Any, bool]:
        if self._standing:
            await self._before(self._asked("update", namespace, name, subresource))
        return await self._handler.update(context, namespace, name, obj, subresource=subresource, lent=lent)

    async def patch(
        self, context: Any, namespace: str, name: str, patch: Patch, *, subresource: str = ""
    ) -> tuple[Any, bool]:
        if self._standing:
            await self._before(self._asked("patch", namespace, name, subresource))
        return await self._handler.patch(context, namespace, name, patch, subresource=subresource)

    async def delete(self, context: Any, namespace: str, name: str, options: DeleteOptions) -> Any:
        if self._standing:
            await self._before(self._asked("delete", namespace, name))
        return await self._handler.delete(context, namespace, name, options)

    async def delete_collection(
        self, context: Any, namespace: str, options: ListOptions, delete_options: DeleteOptions
    ) -> Any:
        if self._standing:
            await self._before(self._asked("deletecollection", namespace))
        return await self._handler.delete_collection(context, namespace, options, delete_options)

    async def get_subresource(self, namespace: str, name: str, subresource: str) -> Any:
        if self._standing:
            await self._before(self._asked("get", namespace, name, subresource))
        return await self._handler.get_subresource(namespace, name, subresource)

    async def update_subresource(
        self, context: Any, namespace: str, name: str, subresource: str, transform: Callable[[Any], Any]
    ) -> Any:
        if self._standing:
            await self._before(self._asked("update", namespace, name, subresource))
        return await self._handler.update_subresource(context, namespace, name, subresource, transform)

    async def create_subresource(self, context: Any, namespace: str, name: str, subresource: str, body: Any) -> Any:
        if self._standing:
            await self._before(self._asked("create", namespace, name, subresource))
        return await self._handler.create_subresource(context, namespace, name, subresource, body)


class _Followed:
    """A watch that is known of until it is cancelled."""

    def __init__(self, subscription: Subscription, watches: InnerWatches, sink: WatchSink) -> None:
        self._subscription = subscription
        self._watches = watches
        self._sink = sink

    def cancel(self) -> None:
        self._watches.remove(self._sink)
        self._subscription.cancel()

    def progress(self) -> None:
        self._subscription.progress()
