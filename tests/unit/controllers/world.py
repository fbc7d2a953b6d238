"""A control plane in this process, and a kubelet of few words that makes pods run and lets them go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.time import now
from steersman.api.types.apps_v1 import Deployment, DeploymentSpec, DeploymentStrategy, ReplicaSet
from steersman.api.types.core_v1 import (
    Container,
    Namespace,
    Node,
    NodeCondition,
    Pod,
    PodCondition,
    PodIP,
    PodSpec,
    PodTemplateSpec,
)
from steersman.api.types.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta
from steersman.api.user import User
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.server import ApiServer
from steersman.client import kubeconfig
from steersman.client.client import Client
from steersman.client.http import HTTPClient
from steersman.controllers.manager import ControllerManager, ControllerManagerConfig
from steersman.pki import files
from steersman.storage.memory import MemoryStore

ADMIN = User("admin", ("system:masters", "system:authenticated"))


class World:
    """``kubelet=False`` leaves pods as they are; with a directory for a PKI, everybody speaks HTTPS."""

    def __init__(
        self, config: ControllerManagerConfig | None = None, *, kubelet: bool = True, pki: Path | None = None
    ) -> None:
        self.pki = pki
        self.config = config or ControllerManagerConfig(root_ca=b"PEM")
        self.kubelet = kubelet
        self.broken_images: set[str] = set()
        self.client: Client = None  # type: ignore[assignment]
        self.tasks: list[asyncio.Task[Any]] = []
        self.addresses = 0

    async def __aenter__(self) -> World:
        self.store = MemoryStore()
        directory = self.pki / "pki" if self.pki is not None else None
        if directory is not None:
            names = {"node_name": "n", "node_address": "127.0.0.1", "server": "https://x", "addresses": ("127.0.0.1",)}
            files.ensure(files.PKIConfig(directory=directory, **names))
        config = ApiServerConfig(bind_address="127.0.0.1", secure_port=0, pki_directory=directory)
        self.server = ApiServer(config, self.store)
        self.tasks.append(asyncio.create_task(self.server.run()))
        async with asyncio.timeout(10):
            await self.server.ready.wait()
        self.client = self.server.local_client(ADMIN)
        manager: Client = self.client
        if self.pki is not None:
            loaded = kubeconfig.load(self.pki / "controller-manager.conf")
            manager = HTTPClient(msgspec.structs.replace(loaded, server=f"https://127.0.0.1:{self.server.port}"))
        self.manager_client = manager
        await self.start_controllers()
        if self.kubelet:
            self.tasks.append(asyncio.create_task(self._kubelet()))
        return self

    async def start_controllers(self) -> None:
        self.manager = ControllerManager(self.config, self.manager_client)
        self.controllers = asyncio.create_task(self.manager.run())
        self.tasks.append(self.controllers)
        async with asyncio.timeout(10):
            await self.manager.ready.wait()

    async def kill_controllers(self) -> None:
        self.controllers.cancel()
        await asyncio.gather(self.controllers, return_exceptions=True)

    async def __aexit__(self, *_: object) -> None:
        for task in reversed(self.tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if task is self.controllers:
                await self.manager_client.close()
        await self.store.close()

    async def _kubelet(self) -> None:
        while True:
            for pod in (await self.client.list(Pod)).items:
                try:
                    await self._sync(pod)
                except StatusError as error:
                    if error.code not in (404, 409):
                        raise
            await asyncio.sleep(0.01)

    async def _sync(self, pod: Pod) -> None:
        if pod.metadata.deletion_timestamp is not None:
            options = DeleteOptions(grace_period_seconds=0)
            await self.client.delete(Pod, pod.metadata.name, pod.metadata.namespace, options=options)
        elif not pod.status.pod_ip:
            self.addresses += 1
            healthy = not {container.image for container in pod.spec.containers} & self.broken_images
            changed = codecs.copy(pod)
            changed.status.phase = "Running"
            changed.status.pod_ip = f"10.244.0.{self.addresses}"
            changed.status.pod_ips = [PodIP(ip=changed.status.pod_ip)]
            ready = PodCondition(type="Ready", status="True" if healthy else "False", last_transition_time=now())
            changed.status.conditions = [ready]
            await self.client.update(changed, subresource="status")

    async def until(self, condition: Callable[[], Awaitable[Any]], seconds: float = 10) -> Any:
        """Wait for the condition to hold and return its value."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        if value := await condition():
                            return value
                    except StatusError as error:
                        if error.code != 404:
                            raise
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pods = [(pod.metadata.name, pod.status.phase) for pod in (await self.client.list(Pod)).items]
            raise AssertionError(f"did not come true; pods: {pods}") from None

    async def gone(self, which: type[Any], name: str, namespace: str = "") -> bool:
        try:
            await self.client.get(which, name, namespace)
        except StatusError as error:
            return error.code == 404
        return False

    async def namespace(self, name: str = "test") -> str:
        await self.client.create(Namespace(metadata=ObjectMeta(name=name)))
        return name

    async def pods(self, namespace: str = "test") -> list[Pod]:
        return (await self.client.list(Pod, namespace)).items

    async def replica_sets(self, namespace: str = "test") -> list[ReplicaSet]:
        return (await self.client.list(ReplicaSet, namespace)).items

    async def change(self, which: type[Any], name: str, namespace: str, change: Callable[[Any], None]) -> Any:
        """Read, change, write; again where somebody was faster."""
        while True:
            copy = codecs.copy(await self.client.get(which, name, namespace))
            change(copy)
            try:
                return await self.client.update(copy)
            except StatusError as error:
                if error.code != 409:
                    raise

    async def node(self, name: str, *, ready: str = "True", **labels: str) -> Node:
        node = await self.client.create(Node(metadata=ObjectMeta(name=name, labels=labels)))
        while True:
            copy = codecs.copy(await self.client.get(Node, name))
            copy.status.conditions = [
                NodeCondition(type="Ready", status=ready, last_heartbeat_time=now(), last_transition_time=now())
            ]
            try:
                return await self.client.update(copy, subresource="status")
            except StatusError as error:
                if error.code != 409:
                    raise
        return node


def template(image: str = "app:1", **labels: str) -> PodTemplateSpec:
    container = Container(name="c", image=image)
    return PodTemplateSpec(metadata=ObjectMeta(labels=labels or {"app": "web"}), spec=PodSpec(containers=[container]))


def deployment(
    name: str = "web", replicas: int = 3, image: str = "app:1", strategy: str = "", **spec: Any
) -> Deployment:
    return Deployment(
        metadata=ObjectMeta(name=name, namespace="test"),
        spec=DeploymentSpec(
            replicas=replicas,
            selector=LabelSelector(match_labels={"app": "web"}),
            template=template(image),
            strategy=DeploymentStrategy(type=strategy),
            **spec,
        ),
    )


def image_of(obj: Any) -> str:
    spec = obj.spec.template.spec if hasattr(obj.spec, "template") else obj.spec
    return str(spec.containers[0].image)


def replaced(obj: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(obj, **changes)
