"""Mends what ties Services to their addresses and node ports, where somebody damaged it by hand.

Writes of Services cannot damage it: they change both sides in one commit.  But an ``IPAddress`` can be deleted or
edited, and a store can be edited or restored from what another version wrote.  All is looked at when a server starts
and every three minutes, by one server of all; an ``IPAddress`` that changes is looked at soon after.

Each repair is a commit that holds only if the Service is still as it was seen: it can never undo somebody's write.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from steersman.api.clock import within
from steersman.api.errors import StatusError
from steersman.api.types import core_v1 as v1
from steersman.api.types import networking_v1
from steersman.apiserver.registry.contract import SYSTEM
from steersman.client.events import EventRecorder
from steersman.client.local import LocalClient
from steersman.storage.store import CompareFailed, Operation, StoreError
from steersman.storage.watch_cache import CacheEvent, Entry

from . import ranges
from .damage import AddressEntry, Damage, PortAudit, ServiceEntry, of_address, of_service
from .reservation import NODE_PORT_PREFIX, address_key, held_addresses

if TYPE_CHECKING:
    from steersman.apiserver.registry.registry import Registry

log = logging.getLogger(__name__)

INTERVAL = 180.0
SOON = 1.0
_SLICE = 64


class Repair:
    """Looks, mends and tells."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._recorder = EventRecorder(
            LocalClient(registry, SYSTEM), "ipallocator-repair-controller", clock=registry.clock
        )
        self._suspects: set[str] = set()
        self._changed = asyncio.Event()
        self._hurried = asyncio.Event()
        self._looking = False
        self._blind = False
        """Whether the watch of addresses has ended."""

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What is damaged perhaps, and looked at within ``soon`` seconds; and what people are still to be told."""
        if self._looking or self._hurried.is_set() or (self._suspects and soon >= SOON):
            yield f"addresses of Services: {', '.join(sorted(self._suspects)[:3])}"
        yield from self._recorder.unfinished()

    def hurry(self, within: float) -> list[str]:
        """Look at once at what is damaged perhaps; what is looked at from time to time is not."""
        events = self._recorder.hurry()
        if not self._suspects or within < SOON:
            return events
        self._hurried.set()
        return [*(f"address {name}" for name in self._suspects), *events]

    async def run(self) -> None:
        """Look after everything until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run(), name="repair events")
            while True:
                # Of a cache that has ended nothing is waited for below, and whoever ends this task must get a turn.
                await asyncio.sleep(0)
                subscription = await self._subscribe()
                try:
                    await self._attempt(self.everything)
                    with contextlib.suppress(TimeoutError):
                        async with within(INTERVAL, self._registry.clock):
                            await self._follow()
                finally:
                    subscription.cancel()

    async def _follow(self) -> None:
        """Mend what is seen to be damaged, until nothing is seen any more."""
        while True:
            await self._changed.wait()
            if self._blind:
                return
            with contextlib.suppress(TimeoutError):
                async with within(SOON, self._registry.clock):
                    await self._hurried.wait()
            self._changed.clear()
            self._hurried.clear()
            suspects, self._suspects = self._suspects, set()
            await self._attempt(partial(self._look_at, suspects))

    async def _subscribe(self) -> Any:
        handler = self._registry.handler_of(networking_v1.IPAddress)
        await handler.ready()
        # All is looked at next.
        self._blind = False
        self._suspects.clear()
        self._changed.clear()
        self._hurried.clear()
        return handler.cache.subscribe(handler.resource.key(), handler.cache.revision, self._see, on_end=self._ended)

    def _see(self, event: CacheEvent) -> None:
        if event.type != "ADDED":
            self._suspects.add(event.entry.object.metadata.name)
            self._changed.set()

    def _ended(self, _: Exception | None) -> None:
        self._blind = True
        self._changed.set()

    async def _attempt(self, look: Callable[[], Any]) -> None:
        self._looking = True
        try:
            if self._registry.peers.first:
                await look()
        except (StatusError, StoreError) as error:
            log.warning("looking after the addresses of Services failed: %s", error)
        finally:
            self._looking = False

    async def _look_at(self, suspects: set[str]) -> None:
        """The Services whose ``IPAddress`` was deleted or edited; a Service that gave it up is none of them."""
        async for entry in _slices(await self._services()):
            if suspects & set(held_addresses(entry.object.spec)):
                await self._mend_service(entry)
        for name in suspects:
            if (found := self._address(name)) is not None:
                await self._mend_address(found)

    async def everything(self) -> None:
        """Look at all Services, addresses and node ports."""
        handler = self._registry.handler_of(networking_v1.IPAddress)
        await handler.ready()
        stored = (await self._registry.store.range(NODE_PORT_PREFIX)).items
        # The Services are not older than the records: those of a new one are no leak.
        ports = PortAudit(stored, self._service_key, ranges.port_range(*self._registry.config.node_ports))
        async for entry in _slices(await self._services()):
            await self._mend_service(entry)
            for damage in ports.of_service(entry):
                await self._mend(damage)
        async for found in _slices(handler.cache.list().entries):
            await self._mend_address(found)
        for operations in ports.leaks():
            await self._commit(operations)

    async def _mend_service(self, entry: ServiceEntry) -> None:
        cidrs = ranges.networks(await self._registry.list(networking_v1.ServiceCIDR))
        for damage in of_service(entry, self._address, self._service, cidrs, self._registry.now()):
            await self._mend(damage)

    async def _mend_address(self, entry: AddressEntry) -> None:
        if (damage := of_address(entry, self._service, self._service_key)) is not None:
            await self._mend(damage)

    async def _mend(self, damage: Damage) -> None:
        if await self._commit(damage.repair):
            log.warning("%s: %s", damage.reason, damage.message)
            self._recorder.event(damage.subject, "Warning", damage.reason, damage.message)

    async def _commit(self, operations: tuple[Operation, ...]) -> bool:
        """False when somebody has changed meanwhile what is concerned."""
        try:
            if operations:
                await self._registry.store.commit(operations)
        except CompareFailed:
            return False
        return True

    async def _services(self) -> list[ServiceEntry]:
        handler = self._registry.handler_of(v1.Service)
        await handler.ready()
        await handler.consistent()
        return list(handler.cache.list().entries)

    def _service_key(self, namespace: str, name: str) -> str:
        return self._registry.handler_of(v1.Service).resource.key(namespace, name)

    def _service(self, namespace: str, name: str) -> ServiceEntry | None:
        return self._registry.handler_of(v1.Service).cache.get(self._service_key(namespace, name))

    def _address(self, name: str) -> AddressEntry | None:
        return self._registry.handler_of(networking_v1.IPAddress).cache.get(address_key(name))


async def _slices(entries: Sequence[Entry[Any]]) -> AsyncIterator[Entry[Any]]:
    """The entries; the loop gets its turn now and then."""
    for number, entry in enumerate(entries, 1):
        yield entry
        if number % _SLICE == 0:
            await asyncio.sleep(0)
