"""A Client over a dictionary: just enough API for a kubelet to work against."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from steersman.api import codecs, errors
from steersman.api.resources import builtin_scheme
from steersman.api.types.authentication_v1 import TokenRequest
from steersman.api.types.core_v1 import Pod
from steersman.client.client import ALL, ObjectList, WatchEvent


class MemoryAPI:
    def __init__(self):
        self.scheme = builtin_scheme()
        self.objects = {}
        self.revision = 0
        self.changed = asyncio.Condition()
        self.log = []
        self.down = False

    def _resource(self, which):
        return self.scheme.for_type(which) if isinstance(which, type) else which

    def _check(self):
        if self.down:
            raise errors.service_unavailable("the API is down")

    async def _put(self, resource, obj, kind):
        obj = codecs.copy(obj)
        self.revision += 1
        obj.metadata.resource_version = str(self.revision)
        key = (resource.name, obj.metadata.namespace, obj.metadata.name)
        if kind == "DELETED":
            self.objects.pop(key, None)
        else:
            self.objects[key] = obj
        self.log.append((self.revision, resource.name, kind, obj))
        async with self.changed:
            self.changed.notify_all()
        return obj

    async def get(self, which, name, namespace=""):
        self._check()
        resource = self._resource(which)
        try:
            return self.objects[resource.name, namespace, name]
        except KeyError:
            raise errors.not_found(resource.name, name) from None

    async def list(self, which, namespace="", *, selectors=ALL, limit=0, continue_="", resource_version=""):
        self._check()
        resource = self._resource(which)
        items = [
            obj
            for key, obj in self.objects.items()
            if key[0] == resource.name and (not namespace or key[1] == namespace)
        ]
        return ObjectList(items, str(self.revision))

    async def watch(self, which, namespace="", *, selectors=ALL, resource_version="", bookmarks=True):
        resource = self._resource(which)
        position = int(resource_version or 0)
        while True:
            for revision, name, kind, obj in list(self.log):
                if revision > position:
                    position = revision
                    if name == resource.name:
                        yield WatchEvent(kind, obj)
            async with self.changed:
                if self.revision <= position:
                    await self.changed.wait()

    async def create(self, obj, *, dry_run=False):
        self._check()
        resource = self.scheme.for_type(type(obj))
        if resource.name == "subjectaccessreviews":
            return obj
        key = (resource.name, obj.metadata.namespace, obj.metadata.name)
        if key in self.objects:
            raise errors.already_exists(resource.name, obj.metadata.name)
        obj = codecs.copy(obj)
        obj.metadata.uid = str(uuid.uuid4())
        obj.metadata.creation_timestamp = datetime.now(UTC).replace(microsecond=0)
        obj.metadata.generation = 1
        return await self._put(resource, obj, "ADDED")

    async def update(self, obj, *, subresource="", dry_run=False):
        self._check()
        resource = self.scheme.for_type(type(obj))
        old = await self.get(resource, obj.metadata.name, obj.metadata.namespace)
        if obj.metadata.resource_version and obj.metadata.resource_version != old.metadata.resource_version:
            raise errors.conflict(resource.name, obj.metadata.name, errors.MODIFIED)
        if subresource == "status":
            changed = codecs.copy(old)
            changed.status = obj.status
            obj = changed
        return await self._put(resource, obj, "MODIFIED")

    async def patch(self, which, name, patch, namespace="", *, subresource=""):
        return await self.get(which, name, namespace)

    async def delete(self, which, name, namespace="", *, options=None):
        self._check()
        resource = self._resource(which)
        old = await self.get(resource, name, namespace)
        if options and options.preconditions and options.preconditions.uid not in ("", None, old.metadata.uid):
            raise errors.conflict(resource.name, name, "uid")
        grace = options.grace_period_seconds if options else None
        if resource.name == "pods" and grace != 0:
            changed = codecs.copy(old)
            grace = grace if grace is not None else old.spec.termination_grace_period_seconds
            grace = 30 if grace is None else grace
            changed.metadata.deletion_timestamp = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=grace)
            changed.metadata.deletion_grace_period_seconds = grace
            await self._put(resource, changed, "MODIFIED")
            return
        await self._put(resource, old, "DELETED")

    async def create_subresource(self, which, name, subresource, body, namespace=""):
        self._check()
        assert isinstance(body, TokenRequest)
        answer = codecs.copy(body)
        answer.status.token = f"token-of-{name}"
        answer.status.expiration_timestamp = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3600)
        return answer

    async def close(self):
        return

    async def wait(self, which, name, namespace, predicate, timeout=30):
        async with asyncio.timeout(timeout):
            while True:
                resource = self._resource(which)
                obj = self.objects.get((resource.name, namespace, name))
                if predicate(obj):
                    return obj
                async with self.changed:
                    await self.changed.wait()

    def events(self, name):
        return [
            (obj.reason, obj.message)
            for key, obj in self.objects.items()
            if key[0] == "events" and obj.involved_object.name == name
        ]


def ready(pod: Pod | None) -> bool:
    return pod is not None and any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
