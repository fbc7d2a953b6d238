"""The operator as a task on the test's own event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import async_sites  # noqa: F401 - registers its handlers
import kopf
import pytest

from steersman.testing import AsyncCluster

HANDLERS = kopf.get_default_registry()
EXAMPLE = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def kubeconfig(async_kubernetes: AsyncCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(async_kubernetes.kubeconfig_path))


@contextlib.asynccontextmanager
async def operating(namespace: str) -> AsyncIterator[None]:
    """The operator at work; no fixture, because kopf waits for all tasks that began after it."""
    ready, stop = asyncio.Event(), asyncio.Event()
    working = kopf.operator(
        registry=HANDLERS, standalone=True, namespaces=[namespace], ready_flag=ready, stop_flag=stop
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(working)
        await ready.wait()
        yield
        stop.set()


async def test_a_site_is_served(async_kubernetes: AsyncCluster) -> None:
    async with operating(async_kubernetes.namespace):
        await async_kubernetes.apply(EXAMPLE / "site.yaml")
        await async_kubernetes.wait_for("site/hello", jsonpath="{.status.ready}=true")
        pods = await async_kubernetes.wait_for("pods", condition="Ready", selector="site=hello", count=2)
        assert {pod.spec.containers[0].image for pod in pods} == {"registry.example.com/hello:1"}


async def test_a_site_without_replicas_has_one(async_kubernetes: AsyncCluster) -> None:
    site = {"apiVersion": "example.com/v1", "kind": "Site", "metadata": {"name": "hello"}, "spec": {"image": "a"}}
    async with operating(async_kubernetes.namespace):
        await async_kubernetes.apply(site)
        await async_kubernetes.wait_for("deployment/hello", lambda found: found.status.ready_replicas == 1)
    assert len(async_kubernetes.requests.of(verb="create", resource="deployments", code=201)) == 1
