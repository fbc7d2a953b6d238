"""What the registry offers to the REST endpoints and to the local client: one handler per resource."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import DeleteOptions, Status
from steersman.api.user import User
from steersman.apiserver.annotations import Annotations
from steersman.client.client import Patch
from steersman.storage.watch_cache import CacheEvent, Entry


class Context(msgspec.Struct):
    """On whose behalf, and how, something is written.

    ``field_validation`` is ``Strict``, ``Warn``, ``Ignore`` or empty; ``warnings`` collects what the response's
    ``Warning`` headers shall say, ``annotations`` what the audit log shall.  ``may_create`` raises where the caller,
    who may update, may not create: it is asked before an update creates.  ``served_as`` is the group and version that
    was asked for, where it is not the stored one.  ``own_endpoints``: the server lists itself, and passes validation
    by, because it may have an address, such as a loopback one, that nobody else may write down.
    ``own``: the server keeps its own house, and webhooks and policies are not asked: one that does not
    answer yet, or refuses everything, must not keep it from starting.
    ``applies`` says that what is written carries its managers already, as an application does.  ``weight`` is that of
    the request's body (:func:`.heavy.weight`).
    """

    user: User
    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = ""
    user_agent: str = ""
    warnings: list[str] = []
    annotations: Annotations = msgspec.field(default_factory=Annotations)
    may_create: Callable[[], Awaitable[None]] | None = None
    own_endpoints: bool = False
    own: bool = False
    served_as: str = ""
    applies: bool = False
    weight: int = 0

    def note(self, warnings: Sequence[str]) -> None:
        """Warn of something, once."""
        self.warnings.extend(warning for warning in warnings if warning not in self.warnings)


SYSTEM = User("system:apiserver", ("system:masters", "system:authenticated"))
"""The server itself."""

OWN = Context(SYSTEM, field_manager="kube-apiserver", own=True)


class ListOptions(msgspec.Struct, frozen=True):
    """The query parameters of lists and watches, parsed and checked."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    allow_watch_bookmarks: bool = False
    send_initial_events: bool | None = None
    timeout_seconds: int | None = None


class Page(NamedTuple):
    """The entries of a list that the selectors chose, at one revision."""

    entries: Sequence[Entry[Any]]
    resource_version: str
    continue_: str = ""
    remaining_item_count: int | None = None


class Subscription(Protocol):
    """An open watch on a handler."""

    def cancel(self) -> None:
        """Deliver nothing more."""
        ...

    def progress(self) -> None:
        """Deliver a bookmark of what has been delivered, where bookmarks were asked for."""
        ...


class WatchSink(Protocol):
    """Receives a watch: called on the loop, in order, never concurrently; must not block."""

    def event(self, event: CacheEvent) -> None:
        """A change, as this watch's selectors see it."""
        ...

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> None:
        """Everything up to this revision has been delivered."""
        ...

    async def drain(self) -> None:
        """Wait until what was delivered has been taken, as far as it must be; awaited between parts of the past.

        Gives others on the loop their turn.  Raises ConnectionError where it is not taken in time.
        """
        ...

    def end(self, error: Status | None) -> None:
        """Nothing more will come: the server stops, or the watch fell behind (410)."""
        ...


class ResourceHandler(Protocol):
    """All verbs of one resource, on objects; transport, authorization and representation lie outside.

    Admission, defaults, validation and strategy lie inside.  Errors are StatusError.
    """

    resource: Resource[Any]

    async def get(self, namespace: str, name: str, *, resource_version: str = "") -> Entry[Any]: ...

    async def list(self, namespace: str, options: ListOptions) -> Page: ...

    async def watch(self, namespace: str, options: ListOptions, sink: WatchSink) -> Subscription:
        """Start delivering; the present state may come first, as ADDED (:func:`.paging.plan_watch`)."""
        ...

    async def create(self, context: Context, namespace: str, obj: Any) -> Entry[Any]: ...

    async def update(
        self, context: Context, namespace: str, name: str, obj: Any, *, subresource: str = "", lent: bool = False
    ) -> tuple[Entry[Any], bool]:
        """Replace; the flag says that the object was created.  ``obj`` may be changed here, unless it is ``lent``."""
        ...

    async def patch(
        self, context: Context, namespace: str, name: str, patch: Patch, *, subresource: str = ""
    ) -> tuple[Entry[Any], bool]: ...

    async def delete(self, context: Context, namespace: str, name: str, options: DeleteOptions) -> Entry[Any] | Status:
        """The object while it lives on (grace period, finalizers); when it is gone, its last state or a Status.

        Which of the two depends on the kind: :data:`steersman.api.resources.RETURNS_DELETED`.
        """
        ...

    async def delete_collection(
        self, context: Context, namespace: str, options: ListOptions, delete_options: DeleteOptions
    ) -> Page: ...

    async def get_subresource(self, namespace: str, name: str, subresource: str) -> Any:
        """The object of a subresource with a kind of its own, such as ``scale``."""
        ...

    async def update_subresource(
        self, context: Context, namespace: str, name: str, subresource: str, transform: Callable[[Any], Any]
    ) -> Any:
        """Change such an object: ``transform`` gets the present one and returns the wanted one."""
        ...

    async def patch_subresource(
        self, context: Context, namespace: str, name: str, subresource: str, patch: Patch
    ) -> Any:
        """Patch such an object."""
        ...

    async def create_subresource(self, context: Context, namespace: str, name: str, subresource: str, body: Any) -> Any:
        """Post to ``binding``, ``eviction``, ``token``; returns the object or Status to answer."""
        ...
