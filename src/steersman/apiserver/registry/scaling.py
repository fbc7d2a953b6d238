"""``/scale`` (autoscaling/v1) of a stored kind: a view of its replicas, whose owners are those of ``spec.replicas``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from steersman.api import codecs
from steersman.api.errors import bad_request, invalid, invalid_value
from steersman.api.scheme import Resource
from steersman.api.types.autoscaling_v1 import Scale
from steersman.apiserver import patch as patches
from steersman.apiserver.patch.apply import FieldManager, scale
from steersman.apiserver.seams import Now
from steersman.client.client import Patch
from steersman.storage.watch_cache import Entry

from . import metadata
from .contract import Context
from .patching import patched_object, read_configuration
from .strategy import ScaleAccess, Transform


class Write(Protocol):
    """Writes what a function makes of the present object."""

    def __call__(
        self, context: Context, namespace: str, name: str, transform: Transform
    ) -> Awaitable[tuple[Entry[Any], bool]]: ...


class Scaling:
    """See the module."""

    def __init__(self, resource: Resource[Any], access: ScaleAccess, now: Now, write: Write) -> None:
        self._resource = resource
        self._access = access
        self._write = write
        self._fields = FieldManager((scale.VIEW,), now)

    def read(self, entry: Entry[Any]) -> Scale:
        """The scale of an object."""
        return self.of(entry.object, entry.revision)

    def of(self, obj: Any, revision: int) -> Scale:
        """The scale of an object that is, or is to be, stored."""
        meta = obj.metadata
        result = self._access.read(obj)
        result.metadata.name = meta.name
        result.metadata.namespace = meta.namespace
        result.metadata.uid = meta.uid
        result.metadata.creation_timestamp = meta.creation_timestamp
        result.metadata.resource_version = str(revision) if revision else meta.resource_version
        return result

    def put(self, obj: Any, wanted: Scale) -> None:
        """Change an object to a scale."""
        self._access.write(obj, wanted.spec.replicas or 0)

    async def update(self, context: Context, namespace: str, name: str, transform: Callable[[Scale], Scale]) -> Scale:
        """Write the scale that a function, which may change its argument, makes of the present one."""

        def change(present: Scale) -> Scale:
            wanted: Scale = codecs.copy(transform(codecs.copy(present)))
            self._fields.updated(wanted, present, context.field_manager, scale.VIEW.version, "scale")
            return wanted

        return await self._rescale(context, namespace, name, change)

    async def patch(self, context: Context, namespace: str, name: str, patch: Patch) -> Scale:
        """Write the scale with a patch of any kind."""
        if patch.type != patches.APPLY_PATCH:
            return await self.update(context, namespace, name, lambda present: patched_object(present, patch, context))
        configuration = await read_configuration(patch)
        manager = patch.field_manager or context.field_manager

        def change(present: Scale) -> Scale:
            wanted: Scale = self._fields.apply(
                present, configuration, manager, scale.VIEW.version, "scale", force=patch.force
            )
            context.note(configuration.verdict(context.field_validation))
            return wanted

        return await self._rescale(context, namespace, name, change)

    async def _rescale(self, context: Context, namespace: str, name: str, change: Callable[[Scale], Scale]) -> Scale:
        def rescale(entry: Entry[Any] | None) -> Any:
            assert entry is not None
            obj = codecs.copy(entry.object)
            entries, version = obj.metadata.managed_fields, self._resource.group_version
            present = self.read(entry)
            present.metadata.managed_fields = scale.of_parent(entries, version, self._access.path)
            wanted = change(present)
            if wanted.metadata.name and wanted.metadata.name != name:
                raise bad_request(
                    f"the name of the object ({wanted.metadata.name}) does not match the name on the URL ({name})"
                )
            replicas = wanted.spec.replicas or 0
            if replicas < 0:
                fault = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
                raise invalid("Scale", name, [fault], "autoscaling")
            metadata.check_uid(self._resource, wanted.metadata, obj.metadata.uid, namespace, name)
            obj.metadata.resource_version = wanted.metadata.resource_version
            self._access.write(obj, replicas)
            obj.metadata.managed_fields = scale.to_parent(
                entries, wanted.metadata.managed_fields, version, self._access.path
            )
            return obj

        entry, _ = await self._write(msgspec.structs.replace(context, applies=True), namespace, name, rescale)
        return self.read(entry)
