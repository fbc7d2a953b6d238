"""Run inside a node's namespace: a registry, and a proxy on it; stdin lines are lists of the endpoints to have."""

import asyncio
import json
import sys

from steersman.api import codecs
from steersman.api.resources import TABLE
from steersman.api.scheme import Scheme
from steersman.api.types.core_v1 import Node, Service, ServicePort, ServiceSpec
from steersman.api.types.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.registry.registry import Registry
from steersman.client.local import LocalClient
from steersman.proxy.proxy import Proxy, ProxyConfig
from steersman.storage.memory import MemoryStore


async def main() -> None:
    registry = Registry(MemoryStore(), Scheme(TABLE))
    async with asyncio.TaskGroup() as group:
        group.create_task(registry.run())
        await registry.ready.wait()
        client = LocalClient(registry, User("system:admin", ("system:masters",)))
        node = codecs.copy(await client.create(Node(metadata=ObjectMeta(name="n1"))))
        node.status.addresses = codecs.from_builtins(
            Node, {"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.7"}]}}
        ).status.addresses
        await client.update(node, subresource="status")
        ports = [ServicePort(name="tcp", port=80, protocol="TCP"), ServicePort(name="udp", port=80, protocol="UDP")]
        spec = ServiceSpec(cluster_ip="10.96.0.50", type="NodePort", ports=ports)
        await client.create(Service(metadata=ObjectMeta(name="web", namespace="default"), spec=spec))
        slice_ = EndpointSlice(
            metadata=ObjectMeta(name="web-1", namespace="default", labels={"kubernetes.io/service-name": "web"}),
            address_type="IPv4",
            ports=[
                EndpointPort(name="tcp", port=8080, protocol="TCP"),
                EndpointPort(name="udp", port=8080, protocol="UDP"),
            ],
        )
        slice_ = await client.create(slice_)
        proxy = Proxy(ProxyConfig("n1", table="t", healthz_port=10256, check_period=0.2), client)
        group.create_task(proxy.run())
        await proxy.ready.wait()
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            slice_ = codecs.copy(slice_)
            slice_.endpoints = [Endpoint(addresses=[address]) for address in json.loads(line)]
            slice_ = await client.update(slice_)
        raise SystemExit


asyncio.run(main())
