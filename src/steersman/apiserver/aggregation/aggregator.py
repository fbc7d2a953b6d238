"""The layer, composed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from steersman.apiserver.registry.registry import Registry

from .local import GroupVersion
from .registration import Registration
from .trust import Authorities, Trust


class Aggregator:
    """``served`` are the group-versions that are built in.  ``ready`` is set when each has its APIService."""

    def __init__(
        self,
        registry: Registry,
        served: Callable[[], Iterable[GroupVersion]],
        authorities: Authorities | None = None,
    ) -> None:
        self._registration = Registration(registry, served)
        self._trust = Trust(registry, authorities) if authorities is not None else None
        self.ready = self._registration.ready

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._registration.run(), name="APIService registration")
            await self.ready.wait()
            if self._trust is not None:
                tasks.create_task(self._trust.run(), name="extension authentication")
