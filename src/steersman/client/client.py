"""The Client contract: the Kubernetes API, typed by the API types.

Two transports implement it, :mod:`steersman.client.local` (inside the server's process: no HTTP, no JSON) and
:mod:`steersman.client.http`; ``tests/contract/test_client.py`` runs over both.  Errors are
:class:`steersman.api.errors.StatusError`.  Objects that come out of a client may be shared: treat them as
immutable and change a copy (:func:`steersman.api.codecs.copy`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from steersman.api.meta import PartialObjectMetadata
from steersman.api.scheme import Object, Resource, Scheme
from steersman.api.types.meta_v1 import DeleteOptions

T = TypeVar("T", bound=Object)

Which = type[T] | Resource[T]
"""What a call is about: the type of a built-in kind, or a resource of the scheme."""

EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


class ObjectList(NamedTuple, Generic[T]):
    """A page of a collection; ``continue_`` is empty on the last page."""

    items: list[T]
    resource_version: str
    continue_: str = ""
    remaining_item_count: int | None = None


class WatchEvent(NamedTuple, Generic[T]):
    """One change.  A BOOKMARK's object carries nothing but its resource version."""

    type: EventType
    object: T


class Selectors(msgspec.Struct, frozen=True):
    """Restricts a list or a watch; both in the syntax of the query parameters."""

    labels: str = ""
    fields: str = ""


class Patch(msgspec.Struct, frozen=True):
    """A patch and its media type.  ``force`` and ``field_manager`` belong to server-side apply."""

    type: Literal[
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ]
    body: bytes
    field_manager: str = ""
    force: bool = False


ALL = Selectors()


class Reader(Protocol):
    """Reads objects.  ``namespace`` is empty for cluster-scoped resources and for all namespaces."""

    async def get(self, which: Which[T], name: str, namespace: str = "") -> T:
        """One object; raises NotFound."""
        ...

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
        """A consistent page of a collection (all of it where ``limit`` is 0).

        ``resource_version="0"`` takes whatever the cache holds.  Raises Expired for an old continue token.
        """
        ...

    def watch(
        self,
        which: Which[T],
        namespace: str = "",
        *,
        selectors: Selectors = ALL,
        resource_version: str = "",
        bookmarks: bool = True,
    ) -> AsyncIterator[WatchEvent[T]]:
        """The changes after a resource version, in order; close the iterator to stop.

        Ends when the server ends it; raises Expired when the version is too old.
        """
        ...

    async def list_metadata(self, resource: Resource[Any], namespace: str = "") -> ObjectList[PartialObjectMetadata]:
        """The metadata of a whole collection, of any resource."""
        ...

    def watch_metadata(
        self, resource: Resource[Any], namespace: str = "", *, resource_version: str = ""
    ) -> AsyncIterator[WatchEvent[PartialObjectMetadata]]:
        """Like :meth:`watch`, with metadata alone."""
        ...


class Writer(Protocol):
    """Writes objects.  The namespace is the object's own where it has one."""

    async def create(self, obj: T, *, dry_run: bool = False) -> T:
        """Create an object; raises AlreadyExists, Invalid, Forbidden."""
        ...

    async def update(self, obj: T, *, subresource: str = "", dry_run: bool = False) -> T:
        """Replace an object (or its ``status``, say); with a resource version, raises Conflict when outdated.

        The object is not changed, and MUST NOT be by others until this returns.
        """
        ...

    async def patch(self, which: Which[T], name: str, patch: Patch, namespace: str = "", *, subresource: str = "") -> T:
        """Patch an object."""
        ...

    async def apply(
        self,
        which: Which[T],
        configuration: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool = False,
        subresource: str = "",
    ) -> T:
        """Apply a configuration (KEP-555), which creates what does not exist.

        Raises Conflict where it changes what others manage, unless forced.
        """
        metadata = configuration.get("metadata") or {}
        body = msgspec.json.encode(configuration)
        patch = Patch("application/apply-patch+yaml", body, field_manager=field_manager, force=force)
        name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
        return await self.patch(which, name, patch, namespace, subresource=subresource)

    async def delete(
        self, which: Which[T], name: str, namespace: str = "", *, options: DeleteOptions | None = None
    ) -> None:
        """Begin to delete an object; raises NotFound, or Conflict where a precondition fails."""
        ...

    async def delete_collection(
        self,
        which: Which[T],
        namespace: str = "",
        *,
        selectors: Selectors = ALL,
        options: DeleteOptions | None = None,
    ) -> None:
        """Begin to delete every object of a collection that the selectors choose."""
        ...

    async def create_subresource(
        self, which: Which[Any], name: str, subresource: str, body: T, namespace: str = ""
    ) -> T:
        """Post to a subresource: ``binding``, ``eviction``, ``token``; returns what it answers.

        The answer is decoded as the body's own type, or is the body where the answer is a Status.
        """
        ...

    async def get_subresource(
        self, which: Which[Any], name: str, subresource: str, type_: type[T], namespace: str = ""
    ) -> T:
        """Read a subresource such as ``scale``."""
        ...


class Client(Reader, Writer, Protocol):
    """The whole API."""

    @property
    def scheme(self) -> Scheme:
        """The resources this client knows."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
