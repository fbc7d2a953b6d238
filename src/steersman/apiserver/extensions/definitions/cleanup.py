"""What becomes of the objects of a definition that is being deleted: they go first."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator

from steersman.api.errors import StatusError
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.apiserver.registry.contract import OWN, ListOptions
from steersman.apiserver.registry.definition_conditions import FINALIZER, TERMINATING, set_condition
from steersman.apiserver.registry.registry import Registry
from steersman.apiserver.registry.store import Handler

from .outline import outline

log = logging.getLogger(__name__)

_LOOK_AGAIN = (0.01, 0.05, 0.2, 1.0, 5.0)
"""Seconds between looks at whether everything has gone; the last one for ever."""


class Cleanup:
    """``instances`` finds who has the objects of a definition, None where it was never established."""

    def __init__(
        self, registry: Registry, definitions: Handler, instances: Callable[[str], Handler | None], name: str
    ) -> None:
        self._registry = registry
        self._definitions = definitions
        self._instances = instances
        self._name = name
        self._pause = 0.0
        self._wake = asyncio.Event()

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """Whether it does something now, or looks again within ``soon`` seconds."""
        if self._pause <= soon:
            yield f"definitions: cleaning up {self._name}"

    def hurry(self, within: float) -> bool:
        """Look again at once; False where that would not come within so many seconds."""
        if self._pause > within:
            return False
        self._pause = 0.0
        self._wake.set()
        return True

    async def run(self) -> None:
        """Delete the objects, wait until they have gone, and let go of the definition."""
        name, delays = self._name, iter(_LOOK_AGAIN)
        while True:
            self._pause = 0.0
            try:
                if await self._step(name):
                    return
            except StatusError as error:
                log.warning("the objects of %s could not be deleted: %s", name, error)
            self._pause = next(delays, _LOOK_AGAIN[-1])
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._wake.wait()

    async def _step(self, name: str) -> bool:
        """Do what can be done now; True when nothing is left to do."""
        entry = self._definitions.cache.get(self._definitions.resource.key("", name))
        if entry is None:
            return True
        metadata = outline(entry).metadata
        if metadata.deletion_timestamp is None or FINALIZER not in metadata.finalizers:
            return True
        handler = self._instances(name)
        if handler is None:
            await self._release(name, "NeverEstablished", "resource was never established")
            return True
        if not (await handler.list("", ListOptions(limit=1))).entries:
            await self._release(name, "InstanceDeletionCompleted", "removed all instances")
            return True
        await self._tell(name, "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
        try:
            await handler.delete_collection(OWN, "", ListOptions(), DeleteOptions())
        except StatusError as error:
            await self._tell(name, "True", "InstanceDeletionFailed", f"could not issue all deletes: {error}")
            raise
        return False

    async def _tell(self, name: str, status: str, reason: str, message: str) -> None:
        def change(definition: CustomResourceDefinition) -> None:
            set_condition(definition, TERMINATING, status, reason, message, self._registry.now())

        await self._definitions.amend("", name, change)

    async def _release(self, name: str, reason: str, message: str) -> None:
        def change(definition: CustomResourceDefinition) -> None:
            kept = [each for each in definition.metadata.finalizers if each != FINALIZER]
            definition.metadata.finalizers = kept

        await self._tell(name, "False", reason, message)
        await self._definitions.modify(OWN, "", name, change)
