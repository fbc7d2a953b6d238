"""The registry: a handler for every resource of the scheme, over one store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from steersman.api import time
from steersman.api.clock import SYSTEM, Clock
from steersman.api.errors import StatusError, no_route, service_unavailable
from steersman.api.scheme import Object, Resource, Scheme
from steersman.api.types import core_v1
from steersman.api.types.meta_v1 import DeleteOptions, Preconditions
from steersman.api.user import User
from steersman.apiserver.admission.plugin import Chain, Plugin
from steersman.apiserver.admission.table import default_plugins
from steersman.apiserver.seams import Surroundings
from steersman.storage.store import Store
from steersman.storage.watch_cache import WatchCache
from steersman.storage.window import Window

from .bootstrap import bootstrap, essentials
from .config import RegistryConfig
from .contract import OWN, Context, ListOptions, ResourceHandler
from .conversion import CONVERSIONS, ConvertingHandler, view_of
from .ephemeral import ComponentStatuses, EphemeralHandler, Reviews
from .heavy import HeavyWork
from .identity import Identity
from .peers import Peers
from .reading import Reader, unavailable
from .services.repair import Repair
from .store import Handler
from .strategies.table import TABLE
from .strategy import Strategy

T = TypeVar("T", bound=Object)

log = logging.getLogger(__name__)

"""As whom the server writes on its own behalf."""

_EXPIRY_INTERVAL = 60.0
_ESSENTIALS_INTERVAL = 10.0


class Registry:
    """Handlers are made when first asked for, and each reads its part of the store when first used.

    ``bootstrap_objects`` are created at start where they do not exist (RBAC policy and the like), after the
    namespaces, priority classes and the ``kubernetes`` Service.  Caches and upkeep live while :meth:`run` runs;
    ``ready`` is set when all is there.
    """

    def __init__(
        self,
        store: Store,
        scheme: Scheme,
        config: RegistryConfig | None = None,
        *,
        surroundings: Surroundings | None = None,
        bootstrap_objects: Sequence[Object] = (),
        plugins: Sequence[Plugin] | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.store = store
        self.scheme = scheme
        self.config = config or RegistryConfig()
        self.surroundings = surroundings or Surroundings()
        self.clock = clock
        self.ready = asyncio.Event()
        self.heavy = HeavyWork()
        self.admission = Chain(default_plugins() if plugins is None else plugins, self)
        self.peers = Peers(self)
        self.identity = Identity(self)
        self._bootstrap_objects = bootstrap_objects
        self._reviews = Reviews(self.surroundings, self)
        self._handlers: dict[Resource[Any], ResourceHandler] = {}
        self._stored: dict[Resource[Any], Handler] = {}
        self._by_type: dict[type[Any], Handler] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._running = asyncio.Event()
        self._started: dict[Resource[Any], asyncio.Task[None]] = {}
        self._repair = Repair(self)

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What subscribers have not been told of yet, and what is being mended."""
        for handler in list(self._stored.values()):
            yield from handler.cache.unfinished()
        yield from self._repair.unfinished(soon)

    def hurry(self, within: float) -> list[str]:
        """Mend at once what would be mended within so many seconds; returns what that is."""
        return self._repair.hurry(within)

    def now(self) -> datetime:
        """The instant by the clock, with the resolution of the API's ``Time``."""
        return time.now(self.clock)

    patience = 5.0
    """Seconds that requests have which were under way when what they are for was removed, or replaced."""

    async def run(self) -> None:
        """Keep the caches filled, see to it that what every cluster has is there, expire events; until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._running.set()
                await bootstrap(self, self._bootstrap_objects)
                self.ready.set()
                tasks.create_task(self._expire_events(), name="event expiry")
                tasks.create_task(self._keep_essentials(), name="essentials")
                tasks.create_task(self.identity.run(), name="identity lease")
                tasks.create_task(self._repair.run(), name="service repair")
                await asyncio.Event().wait()
        finally:
            self._tasks = None
            self._running.clear()
            self.ready.clear()
            self._started.clear()

    # -- handlers ------------------------------------------------------------------------------------------------

    def handler(self, resource: Resource[Any]) -> ResourceHandler:
        """The handler of a resource of the scheme."""
        if (handler := self._handlers.get(resource)) is None:
            handler = self._handlers[resource] = self._make(resource)
        return handler

    def _make(self, resource: Resource[Any]) -> ResourceHandler:
        if resource.custom:
            raise no_route()  # one that has been removed
        if resource.qualified_name == "componentstatuses":
            return ComponentStatuses(resource, self.surroundings)
        if resource.verbs == ("create",):
            return EphemeralHandler(resource, self._reviews.table.get(resource.name), self.admission)
        if resource.storage_version == resource.group_version:
            return self._store_handler(resource)
        conversion = CONVERSIONS.get((resource.group_version, resource.kind))
        stored = self.scheme.by_kind(resource.storage_version, resource.kind)
        if conversion is None or stored is None:
            raise LookupError(f"{resource} is stored as {resource.storage_version}, and nothing converts it")
        return ConvertingHandler(resource, self._store_handler(stored), conversion)

    def _store_handler(self, resource: Resource[Any]) -> Handler:
        if (handler := self._stored.get(resource)) is None:
            strategy = TABLE.get(resource.qualified_name, Strategy)(resource, self)
            cache = WatchCache(
                self.store,
                resource.key(),
                resource.decode,
                indexes=strategy.indexes,
                kept_decoded=strategy.kept_decoded,
                window=Window(spare_bytes=self.config.history_bytes),
            )
            views = [
                view_of(each, CONVERSIONS[each.group_version, each.kind])
                for each in self.scheme
                if each.kind == resource.kind
                and each.storage_version == resource.group_version
                and (each.group_version, each.kind) in CONVERSIONS
            ]
            handler = Handler(
                resource, strategy, self.store, cache, self.admission, self.now, self.start, self.heavy, views
            )
            self._stored[resource] = handler
        return handler

    def caches(self) -> list[tuple[Resource[Any], WatchCache[Any]]]:
        """The watch caches that there are by now."""
        return [(resource, handler.cache) for resource, handler in list(self._stored.items())]

    def handler_of(self, type_: type[Any]) -> Handler:
        """The handler of a built-in type that is stored as it is."""
        if (handler := self._by_type.get(type_)) is None:
            handler = self._by_type[type_] = self._store_handler(self.scheme.for_type(type_))
        return handler

    def add(self, resource: Resource[Any], handler: Handler, *, visible: bool = True) -> None:
        """Serve a resource that is not built in; one that is not visible to the server itself alone."""
        self._handlers[resource] = self._stored[resource] = handler
        if visible:
            self.scheme.add(resource)

    def remove(self, resource: Resource[Any]) -> None:
        """Serve it no longer: its watches end at once, and requests under way have a little time."""
        self.scheme.remove(resource)
        self.admission.forget(resource)
        self._handlers.pop(resource, None)
        if (handler := self._stored.pop(resource, None)) is not None:
            handler.cache.end_subscriptions()
        if (task := self._started.pop(resource, None)) is not None:
            asyncio.get_running_loop().call_later(self.patience, self._end, handler, task)

    @staticmethod
    def _end(handler: Handler | None, feeding: asyncio.Task[None]) -> None:
        if handler is not None:
            handler.cache.ready.clear()
        feeding.cancel()

    def converter(self, source: Resource[Any], target: Resource[Any]) -> Callable[[Any], Any] | None:
        """What makes objects of one version of a resource those of another; None where nothing does.

        It raises :class:`.lacking.Lacking` where somebody else has to be asked.
        """
        handler = self._handlers.get(source) or self._stored.get(source)
        if isinstance(handler, Handler) and (view := handler.view(target.group_version)) is not None:
            return view.from_storage
        conversion = CONVERSIONS.get((source.group_version, source.kind))
        return conversion.to_storage if conversion is not None else None

    async def start(self, handler: Reader) -> None:
        """Start a handler's cache where nobody has yet, and wait for it; raises 404 for one that has been removed."""
        await self._running.wait()
        resource = handler.resource
        if resource.custom and self._stored.get(resource) is not handler:
            raise no_route()
        if (feeding := self._started.get(resource)) is None:
            if self._tasks is None:
                raise service_unavailable("the server is shutting down")
            name = f"watch cache {resource.qualified_name}"
            feeding = self._started[resource] = self._tasks.create_task(handler.cache.run(), name=name)
        filled = asyncio.ensure_future(handler.cache.ready.wait())
        failed = handler.cache.failure()
        try:
            await asyncio.wait((filled, failed, feeding), return_when=asyncio.FIRST_COMPLETED)
        finally:
            filled.cancel()
            failed.cancel()
        if not filled.done():
            if failed.done() and not failed.cancelled():
                raise unavailable(failed.result())
            # It has been removed meanwhile, perhaps because a definition changed: those who ask again find the next.
            raise no_route() if resource.custom else service_unavailable("the server is shutting down")

    # -- for the local client ----------------------------------------------------------------------------------------

    def context(self, user: User, *, dry_run: bool = False, field_manager: str = "") -> Context:
        """The context of a write."""
        return Context(user, dry_run=dry_run, field_manager=field_manager, field_validation="Ignore")

    def list_options(self, **parameters: Any) -> ListOptions:
        """The options of a list or a watch."""
        return ListOptions(**parameters)

    # -- reading, for admission and strategies -----------------------------------------------------------------------

    async def get(self, type_: type[T], name: str, namespace: str = "") -> T | None:
        """An object from the cache, shared; None where there is none."""
        handler = self.handler_of(type_)
        if not handler.cache.ready.is_set():
            await self.start(handler)
        key = handler.resource.key(namespace, name)
        entry = handler.cache.get(key)
        if entry is None:
            # Over etcd the cache may not have seen yet what was created a moment ago.
            await handler.consistent()
            entry = handler.cache.get(key)
        if entry is None:
            return None
        obj: T = entry.object
        return obj

    async def list(self, type_: type[T], namespace: str = "") -> list[T]:
        """All objects of a type from the cache, or those of a namespace; shared."""
        handler = self.handler_of(type_)
        if not handler.cache.ready.is_set():
            await self.start(handler)
        if not len(handler.cache):  # as most clusters have it for what admission asks of every pod
            return []
        entries = handler.cache.list(handler.resource.key(namespace)).entries if namespace else handler.cache
        return [entry.object for entry in entries]

    # -- upkeep ------------------------------------------------------------------------------------------------------

    async def _keep_essentials(self) -> None:
        while True:
            await self.clock.sleep(_ESSENTIALS_INTERVAL)
            try:
                await essentials(self)
            except (StatusError, OSError) as error:
                log.warning("looking after what every cluster has failed: %s", error)

    async def _expire_events(self) -> None:
        """Remove events some time after they were last written, as upstream's leases on them do."""
        while True:
            await self.clock.sleep(_EXPIRY_INTERVAL)
            try:
                if self.peers.first:
                    await self.expire_events()
            except (StatusError, OSError) as error:
                log.warning("expiring events failed: %s", error)

    async def expire_events(self) -> int:
        """Remove the events whose time is over; return how many."""
        horizon = self.now() - timedelta(seconds=self.config.event_ttl_seconds)
        handler = self.handler_of(core_v1.Event)
        removed = 0
        for number, event in enumerate(await self.list(core_v1.Event), 1):
            if number % 64 == 0:
                await asyncio.sleep(0)
            if last_seen(event) < horizon:
                meta = event.metadata
                options = DeleteOptions(preconditions=Preconditions(uid=meta.uid))
                try:
                    await handler.delete(OWN, meta.namespace, meta.name, options)
                    removed += 1
                except StatusError as error:
                    if error.reason not in ("NotFound", "Conflict"):
                        raise
        return removed


def last_seen(event: core_v1.Event) -> datetime:
    """The newest instant that an event speaks of."""
    instants = [event.last_timestamp, event.event_time, event.metadata.creation_timestamp]
    if event.series is not None:
        instants.append(event.series.last_observed_time)
    return max(instant for instant in instants if instant is not None)
