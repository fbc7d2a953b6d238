"""The feed of the RBAC index: what it knows survives a store that is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from steersman.api.errors import service_unavailable
from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource
from steersman.apiserver.authz import rbac
from steersman.apiserver.authz.rbac import RBACAuthorizer
from steersman.apiserver.registry.contract import ListOptions, Page


class Handler:
    """A handler whose store is away for the first reads, and after the watch has ended."""

    def __init__(self, resource: Resource[Any], failures: int) -> None:
        self.resource = resource
        self.failures = failures
        self.sinks: list[Any] = []

    async def list(self, namespace: str, options: ListOptions) -> Page:
        if self.failures:
            self.failures -= 1
            raise service_unavailable("the store cannot serve now")
        return Page([], "7")

    async def watch(self, namespace: str, options: ListOptions, sink: Any) -> Any:
        self.sinks.append(sink)
        return self

    def cancel(self) -> None:
        pass


async def test_it_waits_for_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rbac, "RETRY_SECONDS", 0.001)
    handlers: dict[Resource[Any], Handler] = {}

    def handler(resource: Resource[Any]) -> Any:
        return handlers.setdefault(resource, Handler(resource, failures=2))

    authorizer = RBACAuthorizer(builtin_scheme(), handler)
    task = asyncio.create_task(authorizer.run())
    async with asyncio.timeout(5):
        await authorizer.ready.wait()
        for each in handlers.values():
            each.failures = 2
            each.sinks[0].end(None)
        while not all(len(each.sinks) == 2 for each in handlers.values()):
            await asyncio.sleep(0.001)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])
