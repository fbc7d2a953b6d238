"""The parts of a cluster on the loop of the test, for what is tested of them one by one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from steersman.api import codecs
from steersman.api.user import User
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.server import ApiServer
from steersman.client.client import Client
from steersman.controllers.config import ControllerManagerConfig
from steersman.controllers.manager import ControllerManager
from steersman.pki import files
from steersman.scheduler.scheduler import Scheduler, SchedulerConfig
from steersman.simulation import NodeShape, SimulatedNodes, SimulationConfig
from steersman.storage.embedded import EmbeddedStore
from steersman.storage.memory import MemoryStore
from steersman.storage.sqlite import SqliteStore
from steersman.testing.settling import Part, Pausing, Settling

ADMIN = User("system:steersman", ("system:masters", "system:authenticated"))


class Inside:
    def __init__(self, store: EmbeddedStore, server: ApiServer) -> None:
        self.store = store
        self.server = server
        self.client: Client = server.local_client(ADMIN)
        self.parts: list[Part] = [store, server]
        self.pausing: list[Pausing] = []
        self.settling = Settling(lambda: self.parts, lambda: store.current_revision, pausing=lambda: self.pausing)

    async def settle(self, within: float = 10.0) -> None:
        await self.settling.wait(within)

    async def create(self, *texts: str) -> list[Any]:
        made = []
        for text in texts:
            for document in codecs.load_documents(text.encode()):
                resource = self.client.scheme.by_kind(document["apiVersion"], document["kind"])
                assert resource is not None, document
                made.append(await self.client.create(codecs.from_builtins(resource.type, document)))
        return made


@contextlib.asynccontextmanager
async def inside(directory: Path | None = None, *, https: Path | None = None) -> AsyncIterator[Inside]:
    store: EmbeddedStore = MemoryStore() if directory is None else await SqliteStore.open(directory / "state.db")
    if https is not None:
        files.ensure(files.PKIConfig(https / "pki", "localhost", "127.0.0.1", "https://127.0.0.1"))
    pki = https / "pki" if https is not None else None
    server = ApiServer(ApiServerConfig(bind_address="127.0.0.1", secure_port=0, pki_directory=pki), store)
    tasks: list[asyncio.Task[None]] = []

    async def start(run: Callable[[], Any], ready: asyncio.Event) -> None:
        tasks.append(asyncio.create_task(run()))
        async with asyncio.timeout(10):
            await ready.wait()

    try:
        await start(server.run, server.ready)
        found = Inside(store, server)
        manager = ControllerManager(ControllerManagerConfig(), server.local_client(ADMIN))
        scheduler = Scheduler(SchedulerConfig(), server.local_client(ADMIN))
        nodes = SimulatedNodes(
            SimulationConfig(nodes=(NodeShape(cpu="64", memory="256Gi", pods=500),)), server.local_client(ADMIN)
        )
        found.parts += [manager, scheduler, nodes]
        found.pausing += [manager, scheduler]
        for part in (manager, scheduler, nodes):
            await start(part.run, part.ready)
        await found.settle()
        yield found
    finally:
        for task in reversed(tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await store.close()


def deployment(name: str = "web", replicas: int = 3, image: str = "a:1", namespace: str = "default") -> str:
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: c, image: "{image}"}}]}}
"""


def config_map(name: str, namespace: str = "default", data: str = "a") -> str:
    return f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, namespace: {namespace}}}
data: {{a: "{data}"}}
"""


WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
