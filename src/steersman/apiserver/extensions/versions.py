"""In which version those who are asked about a request hear of it: the one that they know, if not its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from steersman.api.scheme import Resource
from steersman.apiserver.registry.registry import Registry

Convert = Callable[[Any], Any]


class Told(NamedTuple):
    """A version; ``there`` makes its objects of those of the request's own, ``back`` the other way."""

    resource: Resource[Any]
    there: Convert
    back: Convert


class Versions:
    """The versions of every resource."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._generation = -1
        self._others: dict[Resource[Any], tuple[Resource[Any], ...]] = {}

    def others(self, resource: Resource[Any]) -> tuple[Resource[Any], ...]:
        """The other versions in which a resource is served."""
        scheme = self._registry.scheme
        if scheme.generation != self._generation:
            self._generation = scheme.generation
            self._others = {}
        if (found := self._others.get(resource)) is None:
            found = self._others[resource] = tuple(
                each
                for each in scheme
                if each.storage_prefix == resource.storage_prefix
                and each.kind == resource.kind
                and each is not resource
            )
        return found

    def told(self, own: Resource[Any], spoken: Resource[Any]) -> Told | None:
        """How a request for one version is told in another; None where nothing converts."""
        if spoken is own:
            return Told(own, _same, _same)
        there, back = self._registry.converter(own, spoken), self._registry.converter(spoken, own)
        return Told(spoken, there, back) if there is not None and back is not None else None


def _same(obj: Any) -> Any:
    return obj
