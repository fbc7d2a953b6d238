"""Kinds, their types, and what they are called over REST.

A :class:`Resource` is one row of the REST table in one version.  The table of the built-in resources is
:mod:`steersman.api.resources`; a :class:`Scheme` indexes a table, and servers may add rows to theirs (CRDs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from .types.meta_v1 import ObjectMeta
from .unstructured import decode_hook


class Object(Protocol):
    """What every API object of a kind has."""

    kind: str
    api_version: str
    metadata: ObjectMeta


T = TypeVar("T", bound=Object)

_GROWING = ("create", "patch", "update")

STANDARD_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Subresource(msgspec.Struct, frozen=True):
    """A subresource: its name, its verbs, and the kind it speaks where that is not the parent's.

    ``aliases`` are further versions under which bodies of that kind are taken.
    """

    name: str
    verbs: tuple[str, ...] = ("get", "patch", "update")
    kind: str = ""
    group: str | None = None
    version: str = ""
    aliases: tuple[str, ...] = ()


class Resource(Generic[T]):
    """One resource in one version.

    ``name`` is the plural (``pods``), ``module`` the module of :mod:`steersman.api.types` that holds its type.
    ``storage_version`` names the ``group/version`` under which objects are stored, where another version
    of the same kind is; ``storage_prefix`` is the part of the store's key after ``/registry/``.  ``aliases`` are
    further versions that bodies may name.

    Custom resources have no module: ``type_`` is their type, ``printer`` makes the rows of their tables, ``selectable``
    are their fields beside the metadata that selectors see, ``deprecation`` is what users of the version are told, and
    ``revision`` stands for the definition that made them.
    """

    def __init__(
        self,
        group: str,
        version: str,
        name: str,
        kind: str,
        *,
        module: str = "",
        singular: str = "",
        namespaced: bool = False,
        verbs: tuple[str, ...] = STANDARD_VERBS,
        short_names: tuple[str, ...] = (),
        categories: tuple[str, ...] = (),
        subresources: tuple[Subresource, ...] = (),
        storage_prefix: str = "",
        storage_version: str = "",
        served: bool = True,
        aliases: tuple[str, ...] = (),
        list_kind: str = "",
        type_: type[T] | None = None,
        printer: Any = None,
        selectable: Mapping[str, Callable[[Any], str]] | None = None,
        deprecation: str = "",
        revision: str = "",
    ) -> None:
        self.group = group
        self.version = version
        self.name = name
        self.kind = kind
        self.module = module
        self.singular = singular or kind.lower()
        self.namespaced = namespaced
        self.verbs = verbs
        self.short_names = short_names
        self.categories = categories
        self.subresources = {subresource.name: subresource for subresource in subresources}
        self.storage_prefix = storage_prefix or name
        self.group_version = f"{group}/{version}" if group else version
        self.storage_version = storage_version or self.group_version
        self.served = served
        self.aliases = aliases
        self.list_kind = list_kind or f"{kind}List"
        self.printer = printer
        self.selectable = selectable or {}
        self.deprecation = deprecation
        self.revision = revision
        self.terminating = False
        """Whether its definition is being deleted: nothing more is created."""
        self._type = type_

    @property
    def offered_verbs(self) -> tuple[str, ...]:
        """The verbs that discovery tells of."""
        return tuple(each for each in self.verbs if each not in _GROWING) if self.terminating else self.verbs

    @property
    def custom(self) -> bool:
        """Whether a CustomResourceDefinition made it."""
        return self._type is not None

    @property
    def qualified_name(self) -> str:
        """``deployments.apps``; ``pods`` in the core group."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @cached_property
    def type(self) -> type[T]:
        """The type that holds an object, imported when first asked for."""
        if self._type is not None:
            return self._type
        result: type[T] = getattr(import_module(f"steersman.api.types.{self.module}"), self.kind)
        return result

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[T]:
        """Reads an object from JSON; unknown fields are dropped."""
        return msgspec.json.Decoder(self.type, dec_hook=decode_hook)

    def decode(self, data: bytes) -> T:
        """Read an object from JSON, by the decoder, which is made when it is first needed: that takes a millisecond."""
        return self.decoder.decode(data)

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The REST path of the collection or, with a name, of the object."""
        parts = ["/apis", self.group] if self.group else ["/api"]
        parts.append(self.version)
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.name, name, subresource) if part]
        return "/".join(parts)

    def key(self, namespace: str = "", name: str = "") -> str:
        """The store's key of an object; without a name, the prefix of the collection, ending in ``/``."""
        prefix = f"/registry/{self.storage_prefix}/"
        if not self.namespaced:
            return prefix + name
        return f"{prefix}{namespace}/{name}" if namespace else prefix

    def __repr__(self) -> str:
        return f"<Resource {self.group_version} {self.name}>"


class Scheme:
    """An index over resources: by kind, by REST name, by type."""

    def __init__(self, resources: Iterable[Resource[Any]]) -> None:
        self._by_name: dict[tuple[str, str, str], Resource[Any]] = {}
        self._by_kind: dict[tuple[str, str, str], Resource[Any]] = {}
        self._by_type: dict[type[Any], Resource[Any]] = {}
        self.generation = 0
        """Grows with every change, so that what is derived from a scheme can be kept."""
        self._listeners: dict[Callable[[], object], None] = {}
        for resource in resources:
            self.add(resource)

    @property
    def undiscovered(self) -> Mapping[str, str]:
        """Group-versions of which it is not known what resources they have, and why."""
        return {}

    def add(self, resource: Resource[Any]) -> None:
        """Register a resource."""
        if (before := self._by_kind.get((resource.group, resource.version, resource.kind))) is not None:
            self._forget_types(before)
        self._by_name[resource.group, resource.version, resource.name] = resource
        self._by_kind[resource.group, resource.version, resource.kind] = resource
        self._grow()

    def listen(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Call back at once after every change, until what this returns is called."""
        self._listeners[changed] = None
        return lambda: self._listeners.pop(changed, None)

    def _grow(self) -> None:
        self.generation += 1
        for changed in [*self._listeners]:
            changed()

    def changed(self) -> None:
        """A resource is no longer what it was: what is derived from the scheme is to be derived again."""
        self._grow()

    def remove(self, resource: Resource[Any]) -> None:
        """Forget a resource; what was registered in its place since stays."""
        if self._by_name.get((resource.group, resource.version, resource.name)) is resource:
            del self._by_name[resource.group, resource.version, resource.name]
        if self._by_kind.get((resource.group, resource.version, resource.kind)) is resource:
            del self._by_kind[resource.group, resource.version, resource.kind]
        self._forget_types(resource)
        self._grow()

    def _forget_types(self, resource: Resource[Any]) -> None:
        for type_ in [type_ for type_, known in self._by_type.items() if known is resource]:
            del self._by_type[type_]

    def __iter__(self) -> Iterator[Resource[Any]]:
        return iter(self._by_name.values())

    def by_name(self, group: str, version: str, name: str) -> Resource[Any] | None:
        """The resource of a REST path, or None."""
        return self._by_name.get((group, version, name))

    def by_kind(self, api_version: str, kind: str) -> Resource[Any] | None:
        """The resource of an object's ``apiVersion`` and ``kind``, or None."""
        group, _, version = api_version.rpartition("/")
        return self._by_kind.get((group, version, kind))

    def for_type(self, type_: type[T]) -> Resource[T]:
        """The resource whose objects are of this type; raises KeyError where it has none."""
        if (resource := self._by_type.get(type_)) is None:
            sample = type_()
            found = self.by_kind(sample.api_version, sample.kind)
            if found is None:
                raise KeyError(type_)
            resource = self._by_type[type_] = found
        return resource
