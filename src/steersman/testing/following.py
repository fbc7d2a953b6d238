"""The state of objects as it changes: first what is, then what is after each change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar, cast

from steersman.api.errors import StatusError
from steersman.api.scheme import Object, Resource
from steersman.client.client import ALL, Client, Selectors, WatchEvent
from steersman.client.informer import object_key

T = TypeVar("T", bound=Object)

Connect = Callable[[], Awaitable[Client]]
"""Gives the client of the API server that there is now, once it serves: it may be started again meanwhile."""

EXPIRED = 410
FAILED = 500
PAUSE = 0.01
"""Seconds between a watch that ended and the next list."""


async def follow_all(
    connect: Connect, resource: Resource[T], namespace: str = "", selectors: Selectors = ALL
) -> AsyncGenerator[tuple[dict[str, T], str]]:
    """The chosen objects by their keys, and the key of what has changed, empty where it may be all; without end.

    It is the same dict until it may be all.
    """
    while True:
        client = await connect()
        try:
            page = await client.list(resource, namespace, selectors=selectors)
            present = {object_key(each): each for each in page.items}
            yield present, ""
            watch = client.watch(resource, namespace, selectors=selectors, resource_version=page.resource_version)
            async with contextlib.aclosing(cast("AsyncGenerator[WatchEvent[T]]", watch)) as events:
                async for event in events:
                    if event.type == "BOOKMARK":
                        continue
                    key = object_key(event.object)
                    if event.type == "DELETED":
                        present.pop(key, None)
                    else:
                        present[key] = event.object
                    yield present, key
        except StatusError as error:
            if error.status.code != EXPIRED and (error.status.code or 0) < FAILED:
                raise
        await asyncio.sleep(PAUSE)


async def follow(connect: Connect, resource: Resource[T], name: str, namespace: str = "") -> AsyncGenerator[T | None]:
    """One object, None while it is not there."""
    selectors = Selectors(fields=f"metadata.name={name}")
    async with contextlib.aclosing(follow_all(connect, resource, namespace, selectors)) as states:
        async for present, _ in states:
            yield next(iter(present.values()), None)
