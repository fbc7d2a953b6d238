"""Server-side apply of whole manifests: definitions are served and namespaces usable before what needs them."""

from __future__ import annotations

import asyncio
from typing import Any

from steersman.api import codecs
from steersman.api.errors import StatusError, is_not_found
from steersman.api.scheme import Object, Resource
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.api.types.core_v1 import Namespace, ServiceAccount
from steersman.client.client import Client

from .following import follow
from .manifests import Tree

FIELD_MANAGER = "steersman-testing"
PATIENCE = 20.0
"""Seconds that a definition has to be served, and a namespace to get its service account."""


class Applier:
    """Applies objects by a client in the server's process.

    With ``service_accounts``, a namespace is waited for until pods can be made in it.
    """

    def __init__(self, client: Client, *, service_accounts: bool) -> None:
        self._client = client
        self._service_accounts = service_accounts

    async def apply(self, trees: list[Tree], namespace: str) -> list[Any]:
        """Apply them in order; what names no namespace goes to this one.

        Fields that others manage are taken over.  Raises StatusError for what is refused, ValueError for what is of
        no kind that is served.
        """
        applied: list[Any] = []
        for tree in trees:
            resource = self._client.scheme.by_kind(tree["apiVersion"], tree["kind"])
            if resource is None:
                raise ValueError(f'no matches for kind "{tree["kind"]}" in version "{tree["apiVersion"]}"')
            applied.append(obj := await self._one(resource, tree, namespace))
            if isinstance(obj, CustomResourceDefinition):
                await self._established(obj)
            elif isinstance(obj, Namespace):
                await self.usable(obj.metadata.name)
        return applied

    async def _one(self, resource: Resource[Any], tree: Tree, namespace: str) -> Object:
        metadata = tree["metadata"]
        if resource.namespaced and not metadata.get("namespace"):
            tree = {**tree, "metadata": {**metadata, "namespace": namespace}}
        obj: Object
        if not metadata.get("name") and not metadata.get("generateName"):
            raise ValueError(f"{tree['kind']}: resource name may not be empty")
        if not metadata.get("name"):
            obj = await self._client.create(codecs.from_builtins(resource.type, tree))
        else:
            obj = await self._client.apply(resource, tree, field_manager=FIELD_MANAGER, force=True)
        return obj

    async def _connect(self) -> Client:
        return self._client

    async def usable(self, namespace: str) -> None:
        """Wait until pods can be made in a namespace."""
        if not self._service_accounts:
            return
        async with asyncio.timeout(PATIENCE):
            try:
                await self._client.get(ServiceAccount, "default", namespace)
            except StatusError as error:
                if not is_not_found(error):
                    raise
                resource = self._client.scheme.for_type(ServiceAccount)
                async for present in follow(self._connect, resource, "default", namespace):
                    if present is not None:
                        return

    async def _established(self, wanted: CustomResourceDefinition) -> None:
        resource = self._client.scheme.for_type(CustomResourceDefinition)
        async with asyncio.timeout(PATIENCE):
            async for present in follow(self._connect, resource, wanted.metadata.name):
                if present is not None and _is_established(present):
                    break
            while not self._served(wanted):  # the server sees the same event, in another task
                await asyncio.sleep(0.001)

    def _served(self, definition: CustomResourceDefinition) -> bool:
        spec = definition.spec
        return all(
            self._client.scheme.by_kind(f"{spec.group}/{version.name}", spec.names.kind)
            for version in spec.versions
            if version.served
        )


def _is_established(definition: CustomResourceDefinition) -> bool:
    return any(each.type == "Established" and each.status == "True" for each in definition.status.conditions)
