"""The API servers that live, and the endpoints of the ``kubernetes`` Service, which lists them.

Each server of a shared store holds a key under its address and writes it again every ten seconds.  A key that did not
change for fifteen seconds *by the observer's clock* belongs to a server that is dead: whoever notices removes it, so
clocks need not agree.  A server that stops removes its own.  Two servers are told apart by their addresses: each needs
one of its own.  On a store that is nobody else's there is one server and no key.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from steersman.api import labels
from steersman.api.errors import StatusError, is_already_exists, is_not_found
from steersman.api.types import core_v1 as v1
from steersman.api.types import discovery_v1
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.storage.store import CompareFailed, Delete, Put, StoreError

from .contract import OWN

if TYPE_CHECKING:
    from .registry import Registry

log = logging.getLogger(__name__)

PREFIX = "/registry/masterleases/"
NAME = "kubernetes"
TIME_TO_LEAVE = 0.5
"""Seconds that a server which stops takes at most to say so."""

_CONTEXT = msgspec.structs.replace(OWN, own_endpoints=True)


class Peer(msgspec.Struct, frozen=True):
    """Where a server is reached; the value of its key."""

    address: str
    port: int


class _Sight(NamedTuple):
    revision: int
    since: float


class Peers:
    """``live`` are the servers that were found by the last :meth:`step`, in the order of their addresses."""

    def __init__(self, registry: Registry, *, time_to_live: float = 15.0) -> None:
        self.live: list[Peer] = []
        self._registry = registry
        self._time_to_live = time_to_live
        self._seen: dict[str, _Sight] = {}
        self._left = False

    @property
    def own(self) -> Peer | None:
        """The server itself; None where it is not announced."""
        config = self._registry.config
        if not config.advertise_address or not config.secure_port:
            return None
        return Peer(config.advertise_address, config.secure_port)

    @property
    def first(self) -> bool:
        """Whether this server does what one of all shall do."""
        return not self.live or self.own is None or self.live[0] == self.own

    async def step(self) -> None:
        """Renew the own key, look at the others', and write down who lives."""
        own = self.own
        if own is None or self._left:
            return
        if self._registry.config.shared_store:
            try:
                await self._registry.store.commit([Put(PREFIX + own.address, msgspec.json.encode(own))])
                self.live = await self._look()
            except StoreError as error:
                log.warning("cannot tell which API servers live: %s", error)
                return
        else:
            self.live = [own]
        await self._publish()

    async def leave(self) -> None:
        """Say that this server stops."""
        own = self.own
        if own is None or self._left or not self._registry.config.shared_store:
            return
        self._left = True
        try:
            async with asyncio.timeout(TIME_TO_LEAVE):
                await self._registry.store.commit([Delete(PREFIX + own.address)])
                self.live = await self._look()
                await self._publish()
        except (StoreError, StatusError, TimeoutError) as error:
            log.warning("could not take %s out of the endpoints of the API: %s", own.address, error)

    async def _look(self) -> list[Peer]:
        """The servers whose keys change; the keys of others are removed."""
        store, now = self._registry.store, self._registry.clock.monotonic()
        found: dict[str, _Sight] = {}
        live = []
        for item in (await store.range(PREFIX)).items:
            before = self._seen.get(item.key)
            unchanged = before is not None and before.revision == item.mod_revision
            sight = before if before is not None and unchanged else _Sight(item.mod_revision, now)
            if now - sight.since >= self._time_to_live:
                log.info("the API server at %s lives no more", item.key.removeprefix(PREFIX))
                with contextlib.suppress(CompareFailed):
                    await store.commit([Delete(item.key, item.mod_revision)])
                continue
            found[item.key] = sight
            live.append(msgspec.json.decode(item.value, type=Peer))
        self._seen = found
        return sorted(live, key=lambda peer: (len(peer.address), peer.address))

    async def _publish(self) -> None:
        if self.live:  # the last one that leaves leaves its address, as it may come back
            for wanted in endpoints(self.live):
                await self._write(wanted)

    async def _write(self, wanted: Any) -> None:
        handler = self._registry.handler_of(type(wanted))

        def change(obj: Any) -> None:
            for name in handler.strategy.content:
                setattr(obj, name, getattr(wanted, name))
            obj.metadata.labels.update(wanted.metadata.labels)

        try:
            await handler.modify(_CONTEXT, labels.NAMESPACE_DEFAULT, NAME, change)
        except StatusError as error:
            if not is_not_found(error):
                raise
            try:
                await handler.create(_CONTEXT, labels.NAMESPACE_DEFAULT, wanted)
            except StatusError as failure:
                if not is_already_exists(failure):  # the next step looks again
                    raise


def endpoints(live: list[Peer]) -> tuple[v1.Endpoints, discovery_v1.EndpointSlice]:
    """What tells of the servers; all are taken to have the first one's port, as upstream does."""
    port = live[0].port
    family = ipaddress.ip_address(live[0].address).version
    legacy = v1.Endpoints(
        metadata=ObjectMeta(name=NAME, namespace=labels.NAMESPACE_DEFAULT, labels={labels.SKIP_MIRROR: "true"}),
        subsets=[
            v1.EndpointSubset(
                addresses=[v1.EndpointAddress(ip=peer.address) for peer in live],
                ports=[v1.EndpointPort(name="https", port=port, protocol="TCP")],
            )
        ],
    )
    slice_ = discovery_v1.EndpointSlice(
        metadata=ObjectMeta(name=NAME, namespace=labels.NAMESPACE_DEFAULT, labels={labels.SERVICE_NAME: NAME}),
        address_type=f"IPv{family}",
        endpoints=[
            discovery_v1.Endpoint(addresses=[peer.address], conditions=discovery_v1.EndpointConditions(ready=True))
            for peer in live
            if ipaddress.ip_address(peer.address).version == family
        ],
        ports=[discovery_v1.EndpointPort(name="https", port=port, protocol="TCP")],
    )
    return legacy, slice_
