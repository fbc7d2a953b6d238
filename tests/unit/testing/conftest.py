from __future__ import annotations

import asyncio
import string
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from steersman.testing import Cluster

from .inside import Inside, inside

CACHES = ("watch cache ", "progress ", "end of ")
"""What a kind that is served has; for one that is no more it goes within some seconds."""


@pytest.fixture(autouse=True)
def shared_cluster_is_as_it_was(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test on the cluster of all tests leaves no task, thread, watch or revision that is held."""
    if "kubernetes_cluster" not in request.fixturenames:
        yield
        return
    cluster: Cluster = request.getfixturevalue("kubernetes_cluster")
    before = cluster.life.thread.wait(parts_of(cluster))
    yield
    deadline = time.monotonic() + 5.0
    while left := cluster.life.thread.wait(parts_of(cluster)) - before:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


async def parts_of(cluster: Cluster) -> Counter[str]:
    """What goes on in a cluster, but for caches."""
    composition = cluster.life.composition
    await composition.settling.wait()
    names = [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}]
    found = Counter(name.rstrip(string.digits) for name in names if not name.startswith(CACHES))
    found.update(f"thread {each.name}" for each in threading.enumerate() if each.name.startswith("steersman"))
    for resource, handler in composition.server.registry._stored.items():
        found[f"watch of {resource.qualified_name}"] = len(handler.cache._subscriptions)
    found["held revision"] = len(composition.store._holds)
    return found


@pytest.fixture(params=["memory"])
async def world(request: pytest.FixtureRequest, tmp_path: Path, as_their_json_says: None) -> AsyncIterator[Inside]:
    """``sqlite`` where a test asks for it by ``indirect``."""
    async with inside(tmp_path if request.param == "sqlite" else None) as found:
        yield found
