"""What the server's own process has no handlers for: the resources of other API servers, reached through HTTPS.

A component that looks after everything there is (the garbage collector, the namespace controller) is given an
:class:`ElsewhereClient`, and cannot tell which of its resources are served where.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from steersman.api.meta import PartialObjectMetadata
from steersman.api.scheme import Object, Resource, Scheme
from steersman.api.types.meta_v1 import DeleteOptions

from .client import ALL, Client, ObjectList, Patch, Selectors, WatchEvent, Which

T = TypeVar("T", bound=Object)


class Elsewhere(Protocol):
    """What is known of other servers; ``generation`` grows with every change."""

    generation: int

    def listen(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Call back at once after every change, until what this returns is called."""
        ...

    def resources(self) -> Iterable[Resource[Any]]:
        """Their resources, each the same object for as long as nothing is different."""
        ...

    def undiscovered(self) -> Mapping[str, str]:
        """Of which group-versions it is not known what resources they have now, and why."""
        ...


class WiderScheme(Scheme):
    """A server's own resources and those of others, who come first where both have a group-version."""

    def __init__(self, own: Scheme, elsewhere: Elsewhere) -> None:
        self._own = own
        self._elsewhere = elsewhere
        self._seen = -1
        self._foreign: set[tuple[str, str]] = set()
        super().__init__(())

    @property
    def generation(self) -> int:
        return self._own.generation + self._elsewhere.generation

    @generation.setter
    def generation(self, value: int) -> None:
        pass

    @property
    def undiscovered(self) -> Mapping[str, str]:
        """See :class:`Elsewhere`."""
        return self._elsewhere.undiscovered()

    def listen(self, changed: Callable[[], object]) -> Callable[[], None]:
        own, elsewhere = self._own.listen(changed), self._elsewhere.listen(changed)

        def stop() -> None:
            own()
            elsewhere()

        return stop

    def _look(self) -> None:
        if self._seen == self._elsewhere.generation:
            return
        self._seen = self._elsewhere.generation
        self._by_name.clear()
        self._by_kind.clear()
        for resource in self._elsewhere.resources():
            self.add(resource)
        self._foreign = {(group, version) for group, version, _ in self._by_name}

    def __iter__(self) -> Iterator[Resource[Any]]:
        self._look()
        yield from (each for each in self._own if (each.group, each.version) not in self._foreign)
        yield from list(self._by_name.values())

    def by_name(self, group: str, version: str, name: str) -> Resource[Any] | None:
        self._look()
        if (group, version) in self._foreign:
            return super().by_name(group, version, name)
        return self._own.by_name(group, version, name)

    def by_kind(self, api_version: str, kind: str) -> Resource[Any] | None:
        self._look()
        group, _, version = api_version.rpartition("/")
        if (group, version) in self._foreign:
            return super().by_kind(api_version, kind)
        return self._own.by_kind(api_version, kind)

    def for_type(self, type_: type[T]) -> Resource[T]:
        return self._own.for_type(type_)


class ElsewhereClient(Client):
    """``own`` for the server's resources; for those of others the client that ``connect`` makes when first needed."""

    def __init__(self, own: Client, elsewhere: Elsewhere, connect: Callable[[], Client]) -> None:
        self._own = own
        self._scheme = WiderScheme(own.scheme, elsewhere)
        self._connect = connect
        self._other: Client | None = None

    @property
    def scheme(self) -> Scheme:
        return self._scheme

    async def close(self) -> None:
        await self._own.close()
        if self._other is not None:
            await self._other.close()

    def _of(self, which: Which[Any]) -> Client:
        if not isinstance(which, Resource) or self._own.scheme.by_name(which.group, which.version, which.name) is which:
            return self._own
        if self._other is None:
            self._other = self._connect()
        return self._other

    async def get(self, which: Which[T], name: str, namespace: str = "") -> T:
        return await self._of(which).get(which, name, namespace)

    async def list(
        self,
        which: Which[T],
        namespace: str = "",
        *,
        selectors: Selectors = ALL,
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
    ) -> ObjectList[T]:
        return await self._of(which).list(
            which,
            namespace,
            selectors=selectors,
            limit=limit,
            continue_=continue_,
            resource_version=resource_version,
        )

    def watch(
        self,
        which: Which[T],
        namespace: str = "",
        *,
        selectors: Selectors = ALL,
        resource_version: str = "",
        bookmarks: bool = True,
    ) -> AsyncIterator[WatchEvent[T]]:
        return self._of(which).watch(
            which, namespace, selectors=selectors, resource_version=resource_version, bookmarks=bookmarks
        )

    async def list_metadata(self, resource: Resource[Any], namespace: str = "") -> ObjectList[PartialObjectMetadata]:
        return await self._of(resource).list_metadata(resource, namespace)

    def watch_metadata(
        self, resource: Resource[Any], namespace: str = "", *, resource_version: str = ""
    ) -> AsyncIterator[WatchEvent[PartialObjectMetadata]]:
        return self._of(resource).watch_metadata(resource, namespace, resource_version=resource_version)

    async def create(self, obj: T, *, dry_run: bool = False) -> T:
        return await self._own.create(obj, dry_run=dry_run)

    async def update(self, obj: T, *, subresource: str = "", dry_run: bool = False) -> T:
        return await self._own.update(obj, subresource=subresource, dry_run=dry_run)

    async def patch(self, which: Which[T], name: str, patch: Patch, namespace: str = "", *, subresource: str = "") -> T:
        return await self._of(which).patch(which, name, patch, namespace, subresource=subresource)

    async def delete(
        self, which: Which[T], name: str, namespace: str = "", *, options: DeleteOptions | None = None
    ) -> None:
        await self._of(which).delete(which, name, namespace, options=options)

    async def delete_collection(
        self,
        which: Which[T],
        namespace: str = "",
        *,
        selectors: Selectors = ALL,
        options: DeleteOptions | None = None,
    ) -> None:
        await self._of(which).delete_collection(which, namespace, selectors=selectors, options=options)

    async def create_subresource(
        self, which: Which[Any], name: str, subresource: str, body: T, namespace: str = ""
    ) -> T:
        return await self._of(which).create_subresource(which, name, subresource, body, namespace)

    async def get_subresource(
        self, which: Which[Any], name: str, subresource: str, type_: type[T], namespace: str = ""
    ) -> T:
        return await self._of(which).get_subresource(which, name, subresource, type_, namespace)
