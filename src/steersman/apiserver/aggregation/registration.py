"""Keeps an APIService for each group-version that is served here: the built-in ones, and those of definitions.

Whoever deletes one of them gets it back; one that somebody else has put in its place is left alone, and when that goes,
ours comes back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.api.types.apiregistration_v1 import APIService
from steersman.api.types.meta_v1 import DeleteOptions, Preconditions
from steersman.apiserver.registry.contract import OWN
from steersman.apiserver.registry.registry import Registry
from steersman.storage.store import StoreError
from steersman.storage.watch_cache import Entry

from .following import follow
from .local import GroupVersion, builtin, custom, name_of, step

log = logging.getLogger(__name__)

_RETRY = 1.0
_RACES = ("AlreadyExists", "Conflict", "NotFound")
"""Another server has done it, or somebody has changed it: the change that is coming tells."""


class _Definition(msgspec.Struct):
    """So much of a definition, which may be a megabyte of schemas."""

    class Spec(msgspec.Struct):
        class Version(msgspec.Struct):
            name: str
            served: bool = False

        group: str
        versions: list[Version] = []

    spec: Spec


_definition = msgspec.json.Decoder(_Definition).decode


class Registration:
    """``served`` are the group-versions that are built in; ``ready`` is set when each has its APIService."""

    def __init__(self, registry: Registry, served: Callable[[], Iterable[GroupVersion]]) -> None:
        self.ready = asyncio.Event()
        self._registry = registry
        self._served = served
        self._builtin: dict[str, APIService] = {}
        self._custom: dict[str, int] = {}
        """How many definitions have a group-version, by the name of its APIService."""
        self._defined: dict[str, tuple[GroupVersion, ...]] = {}
        self._at_start: set[str] = set()
        """APIServices that were there at the start and have not been looked at."""
        self._pending: dict[str, None] = {}
        self._settling = False
        self._wake = asyncio.Event()

    def unfinished(self) -> Iterator[str]:
        """What is being brought into order."""
        if self._pending or self._settling:
            yield f"APIServices: {', '.join(self._pending) or 'some'} being brought into order"

    async def run(self) -> None:
        """Keep them until cancelled."""
        for group_version in self._served():
            if (wanted := builtin(*group_version)) is not None:
                self._builtin[wanted.metadata.name] = wanted
        handler = self._registry.handler_of(APIService)
        async with asyncio.TaskGroup() as tasks:
            services, definitions = asyncio.Event(), asyncio.Event()
            of_definitions = self._registry.handler_of(CustomResourceDefinition)
            tasks.create_task(follow(of_definitions, self._define, definitions), name="definitions' versions")
            await definitions.wait()
            tasks.create_task(follow(handler, self._observe, services), name="registered APIServices")
            await services.wait()
            self._at_start = set(self._pending)
            self._pending |= dict.fromkeys((*self._builtin, *self._custom))
            # All at once, so that they are one transaction.
            await asyncio.gather(*map(self._settle, self._take()))
            self.ready.set()
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._settling = True
                try:
                    await asyncio.gather(*map(self._settle, self._take()))
                finally:
                    self._settling = False

    def _take(self) -> list[str]:
        names = list(self._pending)
        self._pending.clear()
        return names

    def _look_at(self, name: str) -> None:
        self._pending[name] = None
        self._wake.set()

    def _observe(self, entry: Entry[Any], gone: bool) -> None:
        self._look_at(entry.key.rpartition("/")[2])

    def _define(self, entry: Entry[Any], gone: bool) -> None:
        name = entry.key
        present: tuple[GroupVersion, ...] = ()
        if not gone:
            try:
                spec = _definition(entry.raw).spec
            except msgspec.DecodeError as error:
                log.warning("%s has no versions that can be read: %s", name, error)
            else:
                present = tuple((spec.group, each.name) for each in spec.versions if each.served)
        before = self._defined.pop(name, ())
        if present:
            self._defined[name] = present
        if present == before:
            return
        for change, versions in ((1, present), (-1, before)):
            for group_version in versions:
                service = name_of(*group_version)
                self._custom[service] = self._custom.get(service, 0) + change
                self._look_at(service)
        self._custom = {service: count for service, count in self._custom.items() if count}

    def _wanted(self, name: str) -> APIService | None:
        if (found := self._builtin.get(name)) is not None:
            return codecs.copy(found)
        if name in self._custom:
            version, _, group = name.partition(".")
            return custom(group, version)
        return None

    async def _settle(self, name: str) -> None:
        handler = self._registry.handler_of(APIService)
        entry = handler.cache.get(handler.resource.key("", name))
        present: APIService | None = entry.object if entry is not None else None
        wanted = self._wanted(name)
        starting = name in self._at_start
        self._at_start.discard(name)
        try:
            match step(present, wanted, starting=starting):
                case "create":
                    await handler.create(OWN, "", wanted)
                case "update" if present is not None and wanted is not None:
                    changed = codecs.copy(present)
                    changed.spec = wanted.spec
                    await handler.update(OWN, "", name, changed)
                case "delete" if present is not None:
                    options = DeleteOptions(preconditions=Preconditions(uid=present.metadata.uid))
                    await handler.delete(OWN, "", name, options)
        except (StatusError, StoreError) as error:
            if isinstance(error, StatusError) and error.reason in _RACES:
                return
            log.warning("APIService %s could not be brought into order: %s", name, error)
            if starting:
                self._at_start.add(name)
            asyncio.get_running_loop().call_later(_RETRY, self._look_at, name)
