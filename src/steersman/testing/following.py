"""The state of objects as it changes: first what is, then what is after each change."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import TypeVar, cast

from steersman.api.errors import StatusError
from steersman.api.scheme import Object, Resource
from steersman.client.client import ALL, Client, Selectors, WatchEvent
from steersman.client.informer import object_key

T = TypeVar("T", bound=Object)

EXPIRED = 410


async def follow_all(
    client: Client, resource: Resource[T], namespace: str = "", selectors: Selectors = ALL
) -> AsyncGenerator[dict[str, T]]:
    """The chosen objects by their keys, without end; the same dict each time."""
    while True:
        page = await client.list(resource, namespace, selectors=selectors)
        present = {object_key(each): each for each in page.items}
        yield present
        watch = client.watch(resource, namespace, selectors=selectors, resource_version=page.resource_version)
        try:
            async with contextlib.aclosing(cast("AsyncGenerator[WatchEvent[T]]", watch)) as events:
                async for event in events:
                    if event.type == "BOOKMARK":
                        continue
                    if event.type == "DELETED":
                        present.pop(object_key(event.object), None)
                    else:
                        present[object_key(event.object)] = event.object
                    yield present
        except StatusError as error:
            if error.status.code != EXPIRED:
                raise


async def follow(client: Client, resource: Resource[T], name: str, namespace: str = "") -> AsyncGenerator[T | None]:
    """One object, None while it is not there."""
    selectors = Selectors(fields=f"metadata.name={name}")
    async with contextlib.aclosing(follow_all(client, resource, namespace, selectors)) as states:
        async for present in states:
            yield next(iter(present.values()), None)
