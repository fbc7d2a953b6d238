"""The default storage class of claims, and the default ingress class of ingresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from steersman.api.labels import (
    BETA_DEFAULT_STORAGE_CLASS,
    DEFAULT_INGRESS_CLASS,
    DEFAULT_STORAGE_CLASS,
    LEGACY_INGRESS_CLASS,
    LEGACY_STORAGE_CLASS,
)
from steersman.api.types.networking_v1 import IngressClass
from steersman.api.types.storage_v1 import StorageClass

from .plugin import Cluster, Plugin, Request


class DefaultStorageClass(Plugin):
    """A claim that names no class gets the default one: the newest, where several are."""

    name = "DefaultStorageClass"
    resources = frozenset({"persistentvolumeclaims"})

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        claim = request.obj
        if claim.spec.storage_class_name is not None or LEGACY_STORAGE_CLASS in claim.metadata.annotations:
            return
        marks = (DEFAULT_STORAGE_CLASS, BETA_DEFAULT_STORAGE_CLASS)
        defaults = [each for each in await cluster.list(StorageClass) if _marked(each, marks)]
        if defaults:
            claim.spec.storage_class_name = _newest(defaults)


class DefaultIngressClass(Plugin):
    """An ingress that names no class gets the default one."""

    name = "DefaultIngressClass"
    resources = frozenset({"ingresses.networking.k8s.io"})

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        ingress = request.obj
        if ingress.spec.ingress_class_name or LEGACY_INGRESS_CLASS in ingress.metadata.annotations:
            return
        defaults = [each for each in await cluster.list(IngressClass) if _marked(each, (DEFAULT_INGRESS_CLASS,))]
        if defaults:
            ingress.spec.ingress_class_name = _newest(defaults)


def _newest(objects: Sequence[Any]) -> str:
    """The name of the newest object, the first by name among equals."""
    newest = max(each.metadata.creation_timestamp for each in objects)
    name: str = min(each.metadata.name for each in objects if each.metadata.creation_timestamp == newest)
    return name


def _marked(obj: Any, annotations: Sequence[str]) -> bool:
    return any(obj.metadata.annotations.get(name) == "true" for name in annotations)
