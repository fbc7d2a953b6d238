"""What all custom resources do alike, in one version of one kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steersman.api.errors import FieldError
from steersman.api.scheme import Resource
from steersman.api.types.apiextensions_v1 import CustomResourceSubresourceScale
from steersman.api.unstructured import Tree, Unstructured
from steersman.api.validation import meta, names
from steersman.api.validation.faults import Faults
from steersman.apiserver.extensions.structural.kinds import same
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Handlers, Strategy
from steersman.storage.watch_cache import Entry

from .scale import scale_access, scale_faults
from .versions import Versions

_ANNOUNCED_FINALIZERS = ("foregroundDeletion", "orphan")


class CustomResourceStrategy(Strategy):
    """Validates by a schema, counts changes, keeps the status apart where that is a subresource."""

    generation = True
    unconditional_update = False
    status_metadata = False

    def __init__(
        self,
        resource: Resource[Any],
        cluster: Handlers,
        versions: Versions,
        outdated: Mapping[str, int],
        scale: CustomResourceSubresourceScale | None,
    ) -> None:
        """``outdated``: see :class:`.version_store.VersionStore`."""
        self.resource = resource
        self.cluster = cluster
        self.has_status = "status" in resource.subresources
        self.subresources = {"status": self.prepare_status} if self.has_status else {}
        self.scale = scale_access(scale) if scale is not None else None
        self._versions = versions
        self._outdated = outdated
        self._model = versions.models[resource.group_version]
        self._scale = scale

    @property
    def is_laborious(self) -> bool:
        # A rule may cost what takes a tenth of a second, with a list of some hundred numbers.
        return self._model.schema.node.has_rules

    async def read_back(self, value: bytes) -> bytes:
        return await self._versions.read_back(value, self.resource.group_version)

    def is_outdated(self, entry: Entry[Any]) -> bool:
        return self._outdated.get(entry.key) == entry.revision

    def prepare_create(self, context: Context, new: Unstructured) -> None:
        if self.has_status:
            new.content.pop("status", None)
        new.metadata.generation = 1

    def prepare_update(self, context: Context, new: Unstructured, old: Unstructured) -> None:
        if self.has_status:
            new.content.pop("status", None)
            if "status" in old.content:
                new.content["status"] = old.content["status"]
        if not same(new.content, old.content):
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def prepare_status(self, context: Context, new: Unstructured, old: Unstructured) -> None:
        content = {name: value for name, value in old.content.items() if name != "status"}
        if "status" in new.content:
            content["status"] = new.content["status"]
        new.content = content
        for name in ("labels", "annotations", "finalizers", "owner_references"):
            setattr(new.metadata, name, getattr(old.metadata, name))

    def validate(self, context: Context, new: Unstructured) -> list[FieldError]:
        faults = Faults()
        meta.object_meta(faults, new.metadata, self.resource.namespaced, names.dns1123_subdomain)
        found = list(faults) + self._model.schema.validate(_data(new), also=self._scale_faults(new))
        return found or self._warn(context, self.warnings(new, None))

    def validate_update(
        self, context: Context, new: Unstructured, old: Unstructured, subresource: str
    ) -> list[FieldError]:
        faults = Faults()
        meta.object_meta_update(faults, new.metadata, old.metadata)
        meta.common(faults, new.metadata)
        scale = self._scale_faults(new, spec=subresource != "status")
        found = list(faults) + self._model.schema.validate_update(_data(new), _data(old), also=scale)
        return found if found or subresource else self._warn(context, self.warnings(new, old))

    def _scale_faults(self, obj: Unstructured, *, spec: bool = True) -> list[FieldError]:
        return list(scale_faults(obj, self._scale, spec=spec)) if self._scale is not None else []

    def warnings(self, new: Unstructured, old: Unstructured | None) -> Iterator[str]:
        """Of finalizers that are not qualified as they should be."""
        known = old.metadata.finalizers if old is not None else ()
        for finalizer in sorted({*new.metadata.finalizers} - {*known}):
            if "/" not in finalizer and finalizer not in _ANNOUNCED_FINALIZERS:
                yield (
                    f'metadata.finalizers: "{finalizer}": prefer a domain-qualified finalizer name '
                    "including a path (/) to avoid accidental conflicts with other finalizer writers"
                )


def _data(obj: Unstructured) -> Tree:
    """What a schema sees of an object: of the metadata, the name alone."""
    metadata = {"name": obj.metadata.name} | (
        {"generateName": obj.metadata.generate_name} if obj.metadata.generate_name else {}
    )
    return {"kind": obj.kind, "apiVersion": obj.api_version, "metadata": metadata, **obj.content}
