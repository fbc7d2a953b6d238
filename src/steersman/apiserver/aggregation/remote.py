"""One group-version that another server serves, and what is known of that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from steersman.api.labels import SERVICE_NAME
from steersman.api.scheme import Resource
from steersman.api.types.apiregistration_v1 import APIService, ServiceReference
from steersman.api.types.core_v1 import Service
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.api.unstructured import unstructured_type
from steersman.apiserver.endpoints.aggregated_discovery import CURRENT, STALE, ResourceEntry, Version
from steersman.apiserver.outgoing import TLS
from steersman.apiserver.registry.store import Handler

from .availability import is_available
from .backends import Address, Trusting, addresses


class Surroundings:
    """The Services that APIServices name, and their slices, as the watch caches have them."""

    def __init__(self, services: Handler, slices: Handler) -> None:
        self._services = services
        self._slices = slices
        self._found: dict[tuple[str, str], list[EndpointSlice]] = {}

    def of(self, reference: ServiceReference) -> tuple[Service | None, Sequence[EndpointSlice]]:
        """A Service and its slices."""
        key = (reference.namespace, reference.name)
        entry = self._services.cache.get(self._services.resource.key(*key))
        if (found := self._found.get(key)) is None:
            below = self._slices.resource.key(reference.namespace)
            listed = (each.object for each in self._slices.cache.list(below).entries)
            found = [each for each in listed if each.metadata.labels.get(SERVICE_NAME) == reference.name]
            self._found[key] = found
        return entry.object if entry is not None else None, found

    def forget(self, namespace: str) -> None:
        """Something has changed in a namespace."""
        for key in [key for key in self._found if key[0] == namespace]:
            del self._found[key]


class Remote:
    """See the module.  ``api_service`` is replaced when it changes."""

    def __init__(self, api_service: APIService, surroundings: Surroundings, trusting: Trusting) -> None:
        self._surroundings = surroundings
        self._trusting = trusting
        self._tls: TLS | None = None
        self.api_service = api_service
        self.group = api_service.spec.group
        self.version = api_service.spec.version
        self.available = is_available(api_service)
        self.in_flight = 0
        self.check = asyncio.Event()
        """Set when whether the server is there has to be looked at again."""
        self.learn = asyncio.Event()
        """Set when what the server has is to be asked for again."""
        self.checking = self.learning = True
        """Whether it is being asked because something is new; what is asked because it is time does not count."""
        self.discovered = Version(self.version, [], STALE)
        self.resources: list[Resource[Any]] = []
        """Those that were known last."""
        self.described: Mapping[str, str] = {}
        """Where its OpenAPI version 3 documents are, by the names that the index gives them."""
        self.document = b""
        """What its OpenAPI version 2 document says of the group-version."""
        self.document_etag = ""

    def unfinished(self) -> Iterator[str]:
        """What it is being asked, or is to be."""
        if self.checking or self.check.is_set():
            yield f"APIServices: whether {self.name} is there"
        if self.learning or self.learn.is_set():
            yield f"APIServices: what {self.name} has"

    @property
    def name(self) -> str:
        """Of the APIService."""
        return self.api_service.metadata.name

    @property
    def reference(self) -> ServiceReference:
        """The Service behind which the server is."""
        assert self.api_service.spec.service is not None
        return self.api_service.spec.service

    @property
    def path(self) -> str:
        """Below which its resources are."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def update(self, api_service: APIService) -> None:
        """The APIService has changed."""
        before, self.api_service = self.api_service, api_service
        was_available, self.available = self.available, is_available(api_service)
        if before.spec != api_service.spec:
            self._tls = None
            self.document_etag = ""
            self.check.set()
            self.learn.set()
        elif self.available != was_available:
            self.learn.set()

    def discover(self, found: Version) -> None:
        """Take note of what the server has; who looks after its objects keeps to what was known where it is stale."""
        self.discovered = found
        if found.freshness == CURRENT:
            self.resources = [_resource(each, self.group, self.version) for each in found.resources if each.verbs]

    def around(self) -> tuple[Service | None, Sequence[EndpointSlice]]:
        """The Service and its slices, as they are now."""
        return self._surroundings.of(self.reference)

    def addresses(self) -> list[Address]:
        """Where the server may be; raises OSError."""
        return addresses(self.reference, *self.around())

    async def tls(self) -> TLS:
        """How connections are secured; raises ValueError for authorities that cannot be read."""
        if self._tls is None:
            spec = self.api_service.spec
            made = await self._trusting.of(spec)
            if spec is not self.api_service.spec:
                return made
            self._tls = made
        return self._tls


def _resource(entry: ResourceEntry, group: str, version: str) -> Resource[Any]:
    kind = entry.response_kind.kind
    return Resource(
        group,
        version,
        entry.resource,
        kind,
        singular=entry.singular_resource,
        namespaced=entry.scope == "Namespaced",
        verbs=entry.verbs,
        storage_prefix=f"elsewhere/{group}/{entry.resource}",  # what a definition of that name has is something else
        type_=unstructured_type(kind, f"{group}/{version}" if group else version),
    )
