"""A client over lists in memory: enough for informers and for what the scheduler writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.resources import TABLE
from steersman.api.scheme import Scheme
from steersman.api.types.core_v1 import Binding, Pod, PodCondition
from steersman.client.client import ObjectList, WatchEvent


class FakeClient:
    def __init__(self) -> None:
        self.scheme = Scheme(TABLE)
        self.objects: dict[type, dict[str, Any]] = {}
        self.queues: dict[type, list[asyncio.Queue[WatchEvent[Any]]]] = {}
        self.version = 0
        self.bindings: list[tuple[str, str]] = []
        self.refuse_bindings: list[Exception] = []

    def put(self, *objects: Any) -> None:
        for obj in objects:
            obj = codecs.copy(obj)
            self.version += 1
            obj.metadata.resource_version = str(self.version)
            key = f"{obj.metadata.namespace}/{obj.metadata.name}"
            known = self.objects.setdefault(type(obj), {})
            event = WatchEvent("MODIFIED" if key in known else "ADDED", obj)
            known[key] = obj
            for queue in self.queues.get(type(obj), []):
                queue.put_nowait(event)

    def drop(self, obj: Any) -> None:
        key = f"{obj.metadata.namespace}/{obj.metadata.name}"
        gone = self.objects[type(obj)].pop(key)
        for queue in self.queues.get(type(obj), []):
            queue.put_nowait(WatchEvent("DELETED", gone))

    def _type(self, which: Any) -> type:
        return which if isinstance(which, type) else which.type

    async def list(self, which: Any, namespace: str = "", **_: Any) -> ObjectList[Any]:
        return ObjectList([*self.objects.get(self._type(which), {}).values()], str(self.version))

    async def watch(self, which: Any, namespace: str = "", **_: Any) -> AsyncIterator[WatchEvent[Any]]:
        queue: asyncio.Queue[WatchEvent[Any]] = asyncio.Queue()
        self.queues.setdefault(self._type(which), []).append(queue)
        while True:
            yield await queue.get()

    async def get(self, which: Any, name: str, namespace: str = "") -> Any:
        return self.objects[self._type(which)][f"{namespace}/{name}"]

    async def create(self, obj: Any, **_: Any) -> Any:
        self.put(obj)
        return obj

    async def patch(self, which: Any, name: str, patch: Any, namespace: str = "", *, subresource: str = "") -> Any:
        obj = codecs.copy(self.objects[self._type(which)][f"{namespace}/{name}"])
        for condition in msgspec.json.decode(patch.body).get("status", {}).get("conditions", []):
            obj.status.conditions = [item for item in obj.status.conditions if item.type != condition["type"]]
            obj.status.conditions.append(msgspec.convert(condition, PodCondition))
        self.put(obj)
        return obj

    async def create_subresource(self, which: Any, name: str, subresource: str, body: Any, namespace: str = "") -> Any:
        assert subresource == "binding"
        assert isinstance(body, Binding)
        if self.refuse_bindings:
            raise self.refuse_bindings.pop()
        pod = codecs.copy(self.objects[Pod][f"{namespace}/{name}"])
        pod.spec.node_name = body.target.name
        self.bindings.append((name, body.target.name))
        self.put(pod)
        return body


async def eventually(check: Any, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.005)
