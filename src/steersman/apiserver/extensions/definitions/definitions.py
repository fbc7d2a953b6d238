"""Follows the definitions and serves what they define."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition, CustomResourceDefinitionNames
from steersman.apiserver.extensions.customresources.converter import Observer, Webhooks
from steersman.apiserver.extensions.structural import Compiler
from steersman.apiserver.registry.definition_conditions import ESTABLISHED, is_true
from steersman.apiserver.registry.registry import Registry
from steersman.apiserver.registry.store import Handler
from steersman.storage.watch_cache import CacheEvent, Entry

from . import approval, naming
from .cleanup import Cleanup
from .outline import outline
from .rules import LateRules
from .serving import Served, serve, signature

log = logging.getLogger(__name__)

_RETRY = 1.0
"""Seconds until a decision that could not be written is tried again."""


class Definitions:
    """``ready`` is set when everything that was defined before is served.

    ``webhooks`` asks those who convert objects; without, all conversions change the ``apiVersion`` alone.
    """

    def __init__(
        self,
        registry: Registry,
        compiler: Compiler | None = None,
        *,
        webhooks: Webhooks | None = None,
        observe: Observer | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self._registry = registry
        builtin = [resource for resource in registry.scheme if not resource.custom]
        self._builtin = frozenset((resource.group, resource.version) for resource in builtin)
        self._occupied = frozenset(resource.storage_prefix for resource in builtin)
        self._compiler = compiler or Compiler(LateRules())
        self._webhooks = webhooks
        self._hears = observe
        self._served: dict[str, Served] = {}
        self._names: dict[str, tuple[str, CustomResourceDefinitionNames | None]] = {}
        """The groups of all definitions and the names that they have been given."""
        self._pending: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._deciding = ""
        self._cleanups: dict[str, Cleanup] = {}

    @property
    def _handler(self) -> Handler:
        return self._registry.handler_of(CustomResourceDefinition)

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What is to be decided, cleaned up or converted; not what waits for somebody's finalizer."""
        for name in (*self._pending, self._deciding):
            if name:
                yield f"definitions: {name}"
        for cleanup in self._cleanups.values():
            yield from cleanup.unfinished(soon)
        for served in self._served.values():
            for store in served.stores:
                yield from store.unfinished()

    def hurry(self, within: float) -> list[str]:
        """Look at once whether what is being cleaned up has gone, where that comes within so many seconds."""
        return [name for name, cleanup in self._cleanups.items() if cleanup.hurry(within)]

    async def run(self) -> None:
        """Follow until cancelled."""
        handler = self._handler
        async with asyncio.TaskGroup() as tasks:
            while True:
                ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                # Of a cache that has ended nothing is waited for below, and whoever ends this task must get a turn.
                await asyncio.sleep(0)
                subscription = await self._subscribe(handler, ended)
                try:
                    deciding = tasks.create_task(self._decide(tasks), name="custom resource definitions")
                    await ended
                finally:
                    subscription.cancel()
                    deciding.cancel()

    async def _subscribe(self, handler: Handler, ended: asyncio.Future[None]) -> Any:
        await handler.ready()
        listing = handler.cache.list()
        present = {entry.key.rpartition("/")[2] for entry in listing.entries}
        for name in [name for name in self._names if name not in present]:
            self._withdraw(name)
            del self._names[name]
        for entry in listing.entries:
            self._observe(entry)
        subscription = handler.cache.subscribe(
            handler.resource.key(), listing.revision, self._event, on_end=_resolver(ended)
        )
        self.ready.set()
        return subscription

    def _event(self, event: CacheEvent) -> None:
        definition = outline(event.entry)
        if event.type == "DELETED":
            self._withdraw(definition.metadata.name)
            del self._names[definition.metadata.name]
            self._look_at_group(definition.spec.group)
        else:
            self._observe(event.entry)

    def _observe(self, entry: Entry[Any]) -> None:
        """Serve what is established at once, so that whoever sees that finds its resources.

        Versions of a group that are built in are nobody else's, neither are the places where their objects are stored.
        """
        definition = outline(entry)
        name = definition.metadata.name
        group, names = definition.spec.group, definition.status.accepted_names
        self._names[name] = (group, names)
        plural = names.plural if names is not None else ""
        if is_true(definition, ESTABLISHED) and f"{group}/{plural}" not in self._occupied:
            served = self._served.get(name)
            if served is None or served.signature != signature(definition):
                self._withdraw(name)
                try:
                    self._served[name] = made = serve(
                        definition, entry.raw, self._registry, self._compiler, self._webhooks, self._hears
                    )
                except Exception:
                    log.exception("%s cannot be served", name)
                else:
                    for resource, handler in made.handlers.items():
                        visible = (resource.group, resource.version) not in self._builtin
                        self._registry.add(resource, handler, visible=visible)
                    self._registry.add(made.stored.resource, made.stored, visible=False)
            self._note_end(definition)
        self._look_at(name)

    def _note_end(self, definition: CustomResourceDefinition) -> None:
        """While a definition is being deleted, its objects are served, and no new ones are made."""
        served = self._served.get(definition.metadata.name)
        if served is not None and definition.metadata.deletion_timestamp is not None:
            for resource in served.handlers:
                resource.terminating = True
            self._registry.scheme.changed()

    def _withdraw(self, name: str) -> None:
        if (served := self._served.pop(name, None)) is not None:
            for resource in (*served.handlers, served.stored.resource):
                self._registry.remove(resource)

    def _look_at(self, name: str) -> None:
        self._pending[name] = None
        self._wake.set()

    def _look_at_group(self, group: str) -> None:
        """Names that one has given up may be had by others."""
        for name, (other, _) in self._names.items():
            if other == group:
                self._look_at(name)

    def _taken(self, definition: CustomResourceDefinition) -> Iterator[CustomResourceDefinitionNames]:
        """The names that other definitions of the group have."""
        for name, (group, names) in self._names.items():
            if names is not None and group == definition.spec.group and name != definition.metadata.name:
                yield names

    # -- deciding ------------------------------------------------------------------------------------------------

    async def _decide(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                name = next(iter(self._pending))
                del self._pending[name]
                self._deciding = name
                try:
                    await self._settle(name, tasks)
                except StatusError as error:
                    if error.status.code == 404:
                        continue
                    log.warning("the status of %s could not be written: %s", name, error)
                    loop.call_later(_RETRY, self._look_at, name)
                except Exception:
                    log.exception("%s could not be settled", name)
                    loop.call_later(_RETRY, self._look_at, name)
                finally:
                    self._deciding = ""

    async def _settle(self, name: str, tasks: asyncio.TaskGroup) -> None:
        """Write into the status of a definition what its names come to; begin to clean up after one that goes."""
        entry = self._handler.cache.get(self._handler.resource.key("", name))
        if entry is None:
            return
        definition = outline(entry)
        released = False

        def change(present: CustomResourceDefinition) -> None:
            nonlocal released
            before = present.status.accepted_names
            naming.accept(present, self._taken(present), self._registry.now())
            approval.judge(present, self._registry.now())
            released = before is not None and before != present.status.accepted_names

        # Most need nothing, as after a start: to know that, no copy of their schemas is made.
        attempt = msgspec.structs.replace(definition, status=codecs.copy(definition.status))
        change(attempt)
        if attempt.status != definition.status:
            await self._handler.amend("", name, change)
        if released:
            self._look_at_group(definition.spec.group)
        if definition.metadata.deletion_timestamp is not None and name not in self._cleanups:
            cleanup = self._cleanups[name] = Cleanup(self._registry, self._handler, self._instances, name)
            task = tasks.create_task(cleanup.run(), name=f"cleaning up {name}")
            task.add_done_callback(lambda _: self._cleanups.pop(name, None))

    def _instances(self, name: str) -> Handler | None:
        """Who has the objects of a definition; None where it has never been established."""
        served = self._served.get(name)
        return served.stored if served is not None else None


def _resolver(future: asyncio.Future[None]) -> Callable[[Exception | None], None]:
    def resolve(_: Exception | None) -> None:
        if not future.done():
            future.set_result(None)

    return resolve
