"""A pod's status on its way to the API: computed when something was seen, written by a task of its own."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from steersman.api import codecs
from steersman.api.errors import StatusError, is_conflict, is_not_found
from steersman.api.time import now
from steersman.api.types.core_v1 import Pod, PodStatus
from steersman.api.types.meta_v1 import DeleteOptions, Preconditions

from . import names, status
from .record import PodRecord
from .status import Observation

log = logging.getLogger(__name__)

RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


def _retry_delay(attempt: int) -> float:
    return RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]


class StatusReporter:
    """Keeps the newest status; intermediate ones that the API was too slow for are never written."""

    def __init__(self, record: PodRecord) -> None:
        self.status: PodStatus = record.pod.status
        self._record = record
        self._changed = asyncio.Event()
        self._written = b""

    def publish(self, seen: Observation) -> None:
        """Compute the status from what was seen, and have it written."""
        base = codecs.copy(self._record.pod)
        base.status.start_time = self.status.start_time or base.status.start_time
        if self.status.conditions:
            own = {each.type: each for each in self.status.conditions if each.type in status.OWNED_CONDITIONS}
            others = [each for each in base.status.conditions if each.type not in own]
            base.status.conditions = [*own.values(), *others]
        if self.status.container_statuses:
            base.status.container_statuses = self.status.container_statuses
            base.status.init_container_statuses = self.status.init_container_statuses
        if self.status.ephemeral_container_statuses:
            base.status.ephemeral_container_statuses = self.status.ephemeral_container_statuses
        self.status = status.compute(base, seen, now())
        self._changed.set()

    async def run(self) -> None:
        """Write until cancelled."""
        attempt = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._write()
                attempt = 0
            except (StatusError, OSError) as error:
                if is_not_found(error):
                    continue
                if not is_conflict(error):
                    log.debug("status of %s not written: %s", names.describe(self._record.pod), error)
                self._changed.set()
                await asyncio.sleep(_retry_delay(attempt))
                attempt += 1

    async def flush(self) -> None:
        """Write the last status before the pod goes; gives up after a few attempts."""
        for delay in RETRY_SECONDS:
            try:
                await self._write()
                return
            except (StatusError, OSError) as error:
                if is_not_found(error):
                    self._record.removed = True
                    return
                await asyncio.sleep(delay)

    async def delete(self) -> None:
        """Delete the pod from the API, now that nothing is left of it here."""
        metadata = self._record.pod.metadata
        options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=self._record.uid))
        attempt = 0
        while not self._record.removed:
            try:
                await self._record.host.client.delete(Pod, metadata.name, metadata.namespace, options=options)
                return
            except (StatusError, OSError) as error:
                if is_not_found(error) or is_conflict(error):
                    return
                await asyncio.sleep(_retry_delay(attempt))
                attempt += 1

    async def _write(self) -> None:
        """Bring the API's status in line with ours; raises what the client raises."""
        wanted, client = self.status, self._record.host.client
        encoded = codecs.encode(wanted)
        if encoded == self._written or self._record.removed:
            return
        latest = self._record.pod
        for fresh in (False, True):
            if fresh:
                latest = await client.get(Pod, latest.metadata.name, latest.metadata.namespace)
                if latest.metadata.uid != self._record.uid:
                    return
            update = codecs.copy(latest)
            update.status = _merged(wanted, latest.status)
            if codecs.encode(update.status) == codecs.encode(latest.status):
                break
            try:
                await client.update(update, subresource="status")
                break
            except StatusError as error:
                if fresh or not is_conflict(error):
                    raise
        self._written = encoded


def _merged(wanted: PodStatus, latest: PodStatus) -> PodStatus:
    """Our status with the conditions that others have written meanwhile."""
    foreign = [each for each in latest.conditions if each.type not in status.OWNED_CONDITIONS]
    theirs = {each.type for each in foreign}
    mine = [each for each in wanted.conditions if each.type not in theirs]
    return msgspec.structs.replace(wanted, conditions=[*mine, *foreign])
