"""Objects of other kinds than pods and nodes, which go through stages wherever they are."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from steersman.api.clock import Clock
from steersman.api.scheme import Object, Resource
from steersman.client.client import Client, EventType
from steersman.client.events import EventRecorder
from steersman.client.reflector import SLICE, Reflector

from .addresses import Exhausted
from .keeper import Keeper
from .stage import Stage

T = TypeVar("T", bound=Object)


class _Nowhere:
    """The place of what is on no node."""

    name = ""
    address = ""
    recovered: datetime | None = None

    def __init__(self, started: datetime) -> None:
        self.started = started

    def take_addresses(self, owner: str) -> list[str]:
        raise Exhausted("only pods have addresses")


class OtherObjects(Reflector[T]):
    """All objects of one kind.  They are not kept: what is to become of them is decided when they change."""

    def __init__(
        self,
        resource: Resource[T],
        stages: tuple[Stage, ...],
        client: Client,
        clock: Clock,
        rng: random.Random,
        recorder: EventRecorder,
        workers: int,
    ) -> None:
        super().__init__(client, resource, clock=clock)
        nowhere = _Nowhere(clock.now())
        self.keeper: Keeper[T] = Keeper(resource.type, stages, client, clock, rng, recorder, workers, lambda _: nowhere)

    async def replace(self, objects: list[T]) -> None:
        self.keeper.retain({obj.metadata.uid for obj in objects})
        for number, obj in enumerate(objects, 1):
            self.keeper.observe(obj)
            if number % SLICE == 0:
                await asyncio.sleep(0)

    def change(self, type_: EventType, obj: T) -> None:
        if type_ == "DELETED":
            self.keeper.forget(obj)
        else:
            self.keeper.observe(obj)

    def unfinished_within(self, soon: float) -> Iterator[str]:
        """What it does, and whether a stage comes within so many seconds."""
        yield from self.unfinished()
        yield from self.keeper.unfinished(soon)

    async def serve(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.keeper.run(), name=f"simulated {self.resource.kind} stages")
            group.create_task(self.run(), name=f"simulated {self.resource.kind} reflector")
