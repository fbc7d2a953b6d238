"""The layer, composed: it follows the APIServices, and knows who answers which request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from steersman.api.errors import StatusError
from steersman.api.labels import SERVICE_NAME
from steersman.api.scheme import Resource
from steersman.api.types.apiregistration_v1 import APIService
from steersman.api.types.core_v1 import Service
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.apiserver.endpoints.aggregated_discovery import STALE, Version
from steersman.apiserver.endpoints.connecting.locations import is_proxyable
from steersman.apiserver.endpoints.pipeline import Delegate
from steersman.apiserver.endpoints.priorities import REGISTRATION, Priority, priority
from steersman.apiserver.endpoints.request_info import RequestInfo
from steersman.apiserver.outgoing import Outgoing
from steersman.apiserver.registry.registry import Registry
from steersman.storage.store import StoreError
from steersman.storage.watch_cache import Entry

from .availability import LOCAL, is_available
from .backends import Identity, Trusting
from .checking import Checking
from .following import follow
from .learning import Learning
from .local import GroupVersion, group_version_of
from .metrics import Availability
from .proxying import Proxying, Refused
from .registration import Registration
from .remote import Remote, Surroundings
from .trust import Authorities, Trust

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 30.0
_DESCRIBED = "/openapi/v3/"
_TRICKS = frozenset({"", ".", ".."})


class Aggregator:
    """``served`` are the group-versions that are built in; ``allowed`` says which addresses may be connected to.

    ``ready`` is set when each of them has its APIService, and all remote ones are known.
    """

    def __init__(
        self,
        registry: Registry,
        served: Callable[[], Iterable[GroupVersion]],
        authorities: Authorities | None = None,
        identity: Identity | None = None,
        allowed: Callable[[str], bool] = is_proxyable,
        refused: Refused = lambda info, code: None,
    ) -> None:
        self.ready = asyncio.Event()
        self.generation = 0
        self._listeners: dict[Callable[[], object], None] = {}
        self.metrics = Availability()
        self._registry = registry
        self._registration = Registration(registry, served)
        self._trust = Trust(registry, authorities) if authorities is not None else None
        self._outgoing = Outgoing(_CONNECT_SECONDS)
        self._trusting = Trusting(identity)
        self._surroundings = Surroundings(registry.handler_of(Service), registry.handler_of(EndpointSlice))
        self._proxying = Proxying(self._outgoing, allowed, refused)
        self._checking = Checking(registry, self._outgoing, self._trusting, self.metrics, allowed)
        self._learning = Learning(self._outgoing, allowed, self._changed)
        self._priorities: dict[GroupVersion, Priority] = {}
        self._remotes: dict[GroupVersion, Remote] = {}
        self._tasks: dict[GroupVersion, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._prefixes: tuple[bytes, ...] = ()
        self._localized: set[str] = set()
        self._localizing = ""
        self._wake = asyncio.Event()
        self._seeing = False
        self._seen = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._group = tasks
                tasks.create_task(self._registration.run(), name="APIService registration")
                await self._registration.ready.wait()
                handler = self._registry.handler_of(APIService)
                known = asyncio.Event()
                tasks.create_task(follow(handler, self._observe, known), name="APIServices")
                await known.wait()
                if self._remotes:
                    await self._seen.wait()  # requests are passed on from the first one on
                self.ready.set()
                if self._trust is not None:
                    tasks.create_task(self._trust.run(), name="extension authentication")
                await self._localize()
        finally:
            self._group = None
            await self._outgoing.close()

    def unfinished(self) -> Iterator[str]:
        """What is being decided about APIServices, and asked because something changed, not because it is time."""
        yield from self._registration.unfinished()
        for remote in self._remotes.values():
            yield from remote.unfinished()
        for name in (*self._localized, self._localizing):
            if name:
                yield f"APIServices: condition of {name}"

    # -- whose is a request --------------------------------------------------------------------------------------

    def find(self, info: RequestInfo) -> Delegate | None:
        """Who answers a request in this server's place."""
        if not self._remotes:
            return None
        path = info.path.removeprefix(_DESCRIBED)
        remote = self._remotes.get(_asked_of(info, path))
        if remote is None or (path is not info.path and path not in remote.described):
            return None
        return partial(self._proxying.pass_on, remote)

    def passes_on(self, target: bytes) -> bool:
        """Whether the body of a request with this target is passed on as it arrives."""
        return target.startswith(self._prefixes)

    # -- what others have ----------------------------------------------------------------------------------------

    def priority(self, group: str, version: str) -> Priority:
        """In which order a group-version is listed."""
        if (group, version) == REGISTRATION:
            return priority(group, version)
        return self._priorities.get((group, version)) or priority(group, version)

    def built(self) -> None:
        """Count a document that was made of what is known."""
        self.metrics.aggregated()

    def versions(self) -> Iterator[tuple[str, Version]]:
        """The group-versions of other servers."""
        for (group, _), remote in self._remotes.items():
            yield group, remote.discovered

    def resources(self) -> Iterator[Resource[Any]]:
        """The resources of other servers that were known last."""
        return (resource for remote in self._remotes.values() for resource in remote.resources)

    def undiscovered(self) -> Mapping[str, str]:
        """The group-versions of other servers that cannot be asked now what they have."""
        stale = [remote for remote in self._remotes.values() if remote.discovered.freshness == STALE]
        names = [f"{remote.group}/{remote.version}" if remote.group else remote.version for remote in stale]
        return {name: f"stale GroupVersion discovery: {name}" for name in names}

    def described(self) -> Mapping[str, str]:
        """Where the OpenAPI version 3 documents of other servers are, by their names in the index."""
        return {name: url for remote in self._remotes.values() for name, url in remote.described.items()}

    def documents(self) -> Mapping[str, bytes]:
        """What other servers' OpenAPI version 2 documents say of their group-versions."""
        return {remote.path.removeprefix("/"): remote.document for remote in self._remotes.values() if remote.document}

    # -- following -----------------------------------------------------------------------------------------------

    def listen(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Call back at once after every change, until what this returns is called."""
        self._listeners[changed] = None
        return lambda: self._listeners.pop(changed, None)

    def _changed(self) -> None:
        self.generation += 1
        for changed in [*self._listeners]:
            changed()

    def _observe(self, entry: Entry[Any], gone: bool) -> None:
        service: APIService = entry.object
        name = service.metadata.name
        group_version = group_version_of(name)
        if gone:
            self._priorities.pop(group_version, None)
            self.metrics.forget(name)
            self._remove(group_version)
            self._changed()
            return
        if group_version == REGISTRATION:
            return  # what says who serves what is served here
        spec = service.spec
        ranked = Priority(spec.group_priority_minimum, spec.version_priority)
        if self._priorities.get(group_version) != ranked:
            self._priorities[group_version] = ranked
            self._changed()
        if spec.service is None:
            self._remove(group_version)
            self.metrics.set(name, True)
            if not any((each.reason, each.status) == ("Local", "True") for each in service.status.conditions):
                self._localized.add(name)
                self._wake.set()
            return
        self.metrics.set(name, is_available(service))
        if (known := self._remotes.get(group_version)) is not None:
            self._surroundings.forget(known.reference.namespace)
            known.update(service)
        else:
            self._add(group_version, Remote(service, self._surroundings, self._trusting))

    def _add(self, group_version: GroupVersion, remote: Remote) -> None:
        assert self._group is not None
        self._remotes[group_version] = remote
        self._tasks[group_version] = self._group.create_task(self._look_after(remote), name=f"remote {remote.name}")
        self._rewrite()

    def _remove(self, group_version: GroupVersion) -> None:
        if (remote := self._remotes.pop(group_version, None)) is not None:
            self._tasks.pop(group_version).cancel()
            self._surroundings.forget(remote.reference.namespace)
            self._rewrite()

    def _rewrite(self) -> None:
        self._prefixes = tuple(f"{remote.path}/".encode() for remote in self._remotes.values())
        self._changed()

    async def _look_after(self, remote: Remote) -> None:
        if self._group is not None and not self._seeing:
            self._seeing = True
            self._group.create_task(self._see(), name="remote Services")
        await self._seen.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._checking.run(remote), name=f"availability of {remote.name}")
            tasks.create_task(self._learning.run(remote), name=f"discovery of {remote.name}")

    async def _see(self) -> None:
        """Follow the Services and their slices, from the first remote APIService on."""
        services, slices = asyncio.Event(), asyncio.Event()
        of = self._registry.handler_of
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow(of(Service), self._look_around, services), name="remote Services")
            tasks.create_task(follow(of(EndpointSlice), self._look_around, slices), name="remote slices")
            await services.wait()
            await slices.wait()
            self._seen.set()

    def _look_around(self, entry: Entry[Any], gone: bool) -> None:
        """A Service has changed, or a slice: few are of servers, and those of others are not even decoded."""
        namespace, name = entry.key.rsplit("/", 2)[1:]
        self._surroundings.forget(namespace)
        found = [remote for remote in self._remotes.values() if remote.reference.namespace == namespace]
        if found:
            name = entry.object.metadata.labels.get(SERVICE_NAME, name)
        for remote in found:
            if remote.reference.name == name:
                remote.check.set()

    async def _localize(self) -> None:
        """What was remote and is local is available."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for name in list(self._localized):
                self._localized.discard(name)
                self._localizing = name
                try:
                    await self._checking.write(name, LOCAL)
                except (StatusError, StoreError) as error:
                    log.warning("the condition of %s could not be written: %s", name, error)
                finally:
                    self._localizing = ""


def _asked_of(info: RequestInfo, path: str) -> GroupVersion:
    """The group-version that a request is about; empty for none.

    A path that another server may read otherwise than it was authorized here is about none.
    """
    parts = path.strip("/").split("/")
    if info.is_resource:
        return (info.group, info.version) if _TRICKS.isdisjoint(parts) else ("", "")
    match parts:
        case ["apis", group, version]:
            return group, version
        case ["api", version]:
            return "", version
    return "", ""
