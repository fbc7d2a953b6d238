"""The scheduler and the DNS server on the real registry, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.message
import pytest

from steersman.api import codecs
from steersman.api.resources import TABLE
from steersman.api.scheme import Scheme
from steersman.api.types.core_v1 import Container, Event, Node, Pod, PodSpec, ResourceRequirements, ServiceAccount
from steersman.api.types.meta_v1 import DeleteOptions, ObjectMeta
from steersman.api.user import User
from steersman.apiserver.registry.registry import Registry
from steersman.client.client import Client
from steersman.client.local import LocalClient
from steersman.dns.objects import service_objects
from steersman.dns.server import DNSConfig, DNSServer
from steersman.scheduler.scheduler import Scheduler, SchedulerConfig
from steersman.storage.memory import MemoryStore


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    registry = Registry(MemoryStore(), Scheme(TABLE))
    task = asyncio.create_task(registry.run())
    await asyncio.wait_for(registry.ready.wait(), 10)
    result = LocalClient(registry, User("system:admin", ("system:masters",)))
    await result.create(ServiceAccount(metadata=ObjectMeta(name="default", namespace="default")))
    yield result
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def poll(check, seconds: float = 10.0):
    async with asyncio.timeout(seconds):
        while not (result := await check()):
            await asyncio.sleep(0.02)
        return result


async def test_pods_are_bound_and_the_rest_told_why(client: Client) -> None:
    node = await client.create(Node(metadata=ObjectMeta(name="n1")))
    node = codecs.copy(node)
    node.spec.taints = []  # new nodes are tainted not-ready
    node = codecs.copy(await client.update(node))
    node.status.allocatable = {"cpu": "2", "memory": "4Gi", "pods": "110"}
    await client.update(node, subresource="status")
    scheduler = Scheduler(SchedulerConfig(), client)
    task = asyncio.create_task(scheduler.run())
    await asyncio.wait_for(scheduler.ready.wait(), 10)
    for number in range(5):
        container = Container(name="c", image="i", resources=ResourceRequirements(requests={"cpu": "500m"}))
        metadata = ObjectMeta(name=f"p{number}", namespace="default")
        await client.create(Pod(metadata=metadata, spec=PodSpec(containers=[container])))

    async def settled() -> list[Pod] | None:
        pods = (await client.list(Pod, "default")).items
        told = [pod for pod in pods if not pod.spec.node_name and pod.status.conditions]
        return pods if len(told) == 1 and sum(pod.spec.node_name == "n1" for pod in pods) == 4 else None

    pods = await poll(settled)
    for pod in pods:
        condition = next(item for item in pod.status.conditions if item.type == "PodScheduled")
        assert condition.status == ("True" if pod.spec.node_name else "False")
        if not pod.spec.node_name:
            assert condition.reason == "Unschedulable"
            assert condition.message.startswith("0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1")

    async def events() -> bool:
        reasons = [event.reason for event in (await client.list(Event, "default")).items]
        return reasons.count("Scheduled") == 4 and "FailedScheduling" in reasons

    await poll(events)
    running = next(pod for pod in pods if pod.spec.node_name)
    await client.delete(Pod, running.metadata.name, "default", options=DeleteOptions(grace_period_seconds=0))

    async def all_bound() -> bool:
        return all(pod.spec.node_name for pod in (await client.list(Pod, "default")).items)

    await poll(all_bound)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_dns_service_is_valid_and_resolves(client: Client) -> None:
    for obj in service_objects("10.96.0.10", ["192.0.2.7"], 5353):
        await client.create(obj)
    server = DNSServer(DNSConfig(port=0, upstreams=("127.0.0.1:9",)), client)
    task = asyncio.create_task(server.run())
    await asyncio.wait_for(server.ready.wait(), 10)
    for name, address in (("kube-dns.kube-system", "10.96.0.10"), ("kubernetes.default", "10.96.0.1")):
        query = dns.message.make_query(f"{name}.svc.cluster.local", "A")
        reply = await dns.asyncquery.udp(query, "127.0.0.1", timeout=5, port=server.bound_port)
        assert [rdata.to_text() for rrset in reply.answer for rdata in rrset] == [address]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
