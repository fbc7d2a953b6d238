"""The resources that a definition makes, and the handlers that serve them: one for each version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from steersman.api.scheme import Resource, Subresource
from steersman.api.types.apiextensions_v1 import (
    CustomResourceDefinition,
    CustomResourceDefinitionNames,
    CustomResourceDefinitionVersion,
    CustomResourceSubresources,
)
from steersman.api.unstructured import Unstructured, unstructured_type
from steersman.api.versions import version_rank
from steersman.apiserver.extensions.customresources.converter import TIMEOUT, Observer, WebhookConverter, Webhooks
from steersman.apiserver.extensions.customresources.model import SchemaModel
from steersman.apiserver.extensions.customresources.printing import printer, selectable
from steersman.apiserver.extensions.customresources.strategy import CustomResourceStrategy
from steersman.apiserver.extensions.customresources.version_store import VersionStore
from steersman.apiserver.extensions.customresources.versions import Versions
from steersman.apiserver.extensions.structural import Compiler
from steersman.apiserver.patch.apply import View
from steersman.apiserver.registry.registry import Registry
from steersman.apiserver.registry.store import Handler
from steersman.storage.watch_cache import WatchCache
from steersman.storage.window import Window

_PROMPTNESS = 1.0
"""Seconds: in this time an idle webhook has converted some hundred objects."""

_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


class Served(NamedTuple):
    """What is served of a definition; ``signature`` is what it was made from."""

    signature: bytes
    handlers: Mapping[Resource[Any], Handler]
    stored: Handler
    """Of the version in which objects are stored, which need not be served."""
    stores: Sequence[VersionStore]


class _Schemas(msgspec.Struct):
    class Spec(msgspec.Struct):
        class Version(msgspec.Struct):
            class Validation(msgspec.Struct, rename={"openapi": "openAPIV3Schema"}):
                openapi: msgspec.Raw = msgspec.Raw(b"{}")

            name: str
            schema: Validation | None = None

        versions: list[Version]

    spec: Spec


_schemas = msgspec.json.Decoder(_Schemas).decode


def signature(definition: CustomResourceDefinition) -> bytes:
    """Stands for all of a definition that its resources depend on."""
    meta = definition.metadata
    # To be marked for deletion counts as a change, too.
    generation = (meta.generation or 0) - (meta.deletion_timestamp is not None)
    return msgspec.json.encode((meta.uid, generation, definition.status.accepted_names))


def serve(
    definition: CustomResourceDefinition,
    raw: bytes,
    registry: Registry,
    compiler: Compiler,
    webhooks: Webhooks | None = None,
    observe: Observer | None = None,
) -> Served:
    """Make the resources and the handlers of a definition that is established; ``raw`` is its JSON.

    ``webhooks`` asks who converts, where that is declared, and ``observe`` hears of it.

    Takes well under a millisecond: schemas are read and compiled when they are first needed.
    """
    spec = definition.spec
    names = definition.status.accepted_names or spec.names
    preserve = bool(spec.preserve_unknown_fields)
    models: dict[str, SchemaModel] = {}
    types: dict[str, type[Unstructured]] = {}
    for each in spec.versions:
        version = f"{spec.group}/{each.name}"
        models[version] = SchemaModel(partial(_schema, raw, each.name), compiler, preserve=preserve)
        types[version] = unstructured_type(names.kind, version, models[version])
    stored = next(f"{spec.group}/{each.name}" for each in spec.versions if each.storage)
    converter = _converter(definition, webhooks, observe) if webhooks is not None else None
    versions = Versions(types, models, stored, converter, registry.heavy)
    handlers: dict[Resource[Any], Handler] = {}
    stores: list[VersionStore] = []
    at_home: Handler | None = None
    for each in spec.versions:
        resource = _resource(definition, each, names, types[f"{spec.group}/{each.name}"], stored)
        store = VersionStore(registry.store, versions, resource.group_version, resource.key())
        stores.append(store)
        handler = _handler(resource, each.subresources, versions, store, registry)
        if resource.group_version == stored:
            at_home = handler
        if each.served:
            handlers[resource] = handler
    assert at_home is not None
    return Served(signature(definition), handlers, at_home, stores)


def _converter(
    definition: CustomResourceDefinition, webhooks: Webhooks, observe: Observer | None
) -> WebhookConverter | None:
    """Who converts, None where only the ``apiVersion`` changes."""
    conversion = definition.spec.conversion
    if conversion is None or conversion.strategy != "Webhook" or (declared := conversion.webhook) is None:
        return None
    return WebhookConverter(definition.metadata.name, declared, webhooks, observe)


def _schema(raw: bytes, version: str) -> Mapping[str, Any]:
    """The OpenAPI schema of a version, read off the definition's JSON."""
    for each in _schemas(raw).spec.versions:
        if each.name == version and each.schema is not None:
            found: Mapping[str, Any] = msgspec.json.decode(each.schema.openapi)
            return found
    return {}


def _resource(
    definition: CustomResourceDefinition,
    version: CustomResourceDefinitionVersion,
    names: CustomResourceDefinitionNames,
    type_: type[Unstructured],
    stored: str,
) -> Resource[Any]:
    spec = definition.spec
    subresources = []
    if version.subresources is not None and version.subresources.status is not None:
        subresources.append(Subresource("status"))
    if version.subresources is not None and version.subresources.scale is not None:
        subresources.append(Subresource("scale", kind="Scale", group="autoscaling", version="v1"))
    return Resource(
        spec.group,
        version.name,
        names.plural,
        names.kind,
        singular=names.singular,
        namespaced=spec.scope == "Namespaced",
        verbs=_VERBS,
        short_names=tuple(names.short_names),
        categories=tuple(names.categories),
        subresources=tuple(subresources),
        storage_prefix=f"{spec.group}/{names.plural}",
        storage_version=stored,
        list_kind=names.list_kind,
        type_=type_,
        printer=printer(version.additional_printer_columns),
        selectable=selectable(version.selectable_fields),
        revision=signature(definition).decode(),
        deprecation=_deprecation(definition, version) if version.deprecated else "",
    )


def _deprecation(definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion) -> str:
    """What users of a deprecated version are told."""
    if version.deprecation_warning:
        return version.deprecation_warning
    spec = definition.spec
    told = f"{spec.group}/{version.name} {spec.names.kind} is deprecated"
    current = (each.name for each in spec.versions if each.served and not each.deprecated)
    better = sorted((name for name in current if version_rank(name) < version_rank(version.name)), key=version_rank)
    return f"{told}; use {spec.group}/{better[0]} {spec.names.kind}" if better else told


def _handler(
    resource: Resource[Any],
    subresources: CustomResourceSubresources | None,
    versions: Versions,
    store: VersionStore,
    registry: Registry,
) -> Handler:
    version = resource.group_version
    scale = subresources.scale if subresources is not None else None
    strategy = CustomResourceStrategy(resource, registry, versions, store.outdated, scale)
    cache: WatchCache[Any] = WatchCache(
        store, resource.key(), resource.decode, window=Window(spare_bytes=registry.config.history_bytes)
    )

    def into(target: str) -> Callable[[Any], Any]:
        return lambda obj: versions.converted(obj, target)

    views = [
        View(other, type_, into(version), into(other)) for other, type_ in versions.types.items() if other != version
    ]
    handler = Handler(
        resource, strategy, store, cache, registry.admission, registry.now, registry.start, registry.heavy, views
    )
    if versions.converter is not None:
        # What keeps a cache back may be a webhook, of which more is to be told than that it is late.
        handler.patience = TIMEOUT + 1
        handler.promptness = _PROMPTNESS
    return handler
