"""The identity Lease of an API server in ``kube-system``, by which people and peers know it (KEP-1965).

It is renewed every ten seconds and stays when its server goes; after an hour without renewal any server removes it.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import socket
import uuid
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from steersman.api import codecs, labels
from steersman.api.errors import StatusError, is_already_exists, is_conflict, is_not_found
from steersman.api.time import now_micro
from steersman.api.types.coordination_v1 import Lease, LeaseSpec
from steersman.api.types.meta_v1 import DeleteOptions, ObjectMeta, Preconditions

from .contract import OWN

if TYPE_CHECKING:
    from .registry import Registry

log = logging.getLogger(__name__)

DURATION_SECONDS = 3600
RENEW_SECONDS = 10.0
KIND = "kube-apiserver"


def lease_name(hostname: str, address: str) -> str:
    """The same for every process that serves this address on this host."""
    digest = hashlib.sha256(f"{hostname}/{address}/{KIND}".encode()).digest()[:16]
    return f"apiserver-{base64.b32encode(digest).decode().rstrip('=').lower()}"


def expired(lease: Lease, now: datetime) -> bool:
    """Whether a server has not renewed its lease in time."""
    spec = lease.spec
    if spec.renew_time is None or spec.lease_duration_seconds is None:
        return True
    return spec.renew_time + timedelta(seconds=spec.lease_duration_seconds) < now


class Identity:
    """Holds the lease of this process."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._hostname = socket.gethostname().lower()
        self._process = uuid.uuid4()

    @property
    def name(self) -> str:
        """The lease's name; empty for a server that is not announced."""
        address = self._registry.config.advertise_address
        return lease_name(self._hostname, address) if address else ""

    async def run(self) -> None:
        """Renew the lease, and from time to time remove those of others, until cancelled."""
        for turn in count():
            try:
                if turn % round(DURATION_SECONDS / RENEW_SECONDS) == 0:
                    await self.collect()
                else:
                    await self.step()
            except (StatusError, OSError) as error:
                log.warning("looking after the identity leases of API servers failed: %s", error)
            await self._registry.clock.sleep(RENEW_SECONDS)

    async def step(self) -> None:
        """Renew the lease, or make it."""
        if not self.name:
            return
        wanted = Lease(
            metadata=ObjectMeta(
                name=self.name,
                namespace=labels.NAMESPACE_SYSTEM,
                labels={labels.APISERVER_IDENTITY: KIND, labels.HOSTNAME: self._hostname},
            ),
            spec=LeaseSpec(
                holder_identity=f"{self.name}_{self._process}",
                lease_duration_seconds=DURATION_SECONDS,
                renew_time=now_micro(self._registry.clock),
            ),
        )

        def renew(lease: Lease) -> None:
            lease.metadata.labels.update(wanted.metadata.labels)
            lease.spec = codecs.copy(wanted.spec)

        handler = self._registry.handler_of(Lease)
        try:
            await handler.amend(labels.NAMESPACE_SYSTEM, self.name, renew)
        except StatusError as error:
            if not is_not_found(error):
                raise
            try:
                await handler.create(OWN, labels.NAMESPACE_SYSTEM, wanted)
            except StatusError as failure:
                if not is_already_exists(failure):
                    raise

    async def collect(self) -> None:
        """Remove the leases of servers that are gone for long."""
        handler = self._registry.handler_of(Lease)
        for lease in await self._registry.list(Lease, labels.NAMESPACE_SYSTEM):
            meta = lease.metadata
            if meta.labels.get(labels.APISERVER_IDENTITY) != KIND or meta.name == self.name:
                continue
            if expired(lease, self._registry.now()):
                condition = Preconditions(uid=meta.uid, resource_version=meta.resource_version)
                try:
                    await handler.delete(OWN, meta.namespace, meta.name, DeleteOptions(preconditions=condition))
                except StatusError as error:
                    if not (is_not_found(error) or is_conflict(error)):
                        raise
