"""In which version those who are asked about a request hear of it: the one that they know, if not its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from steersman.api.errors import internal_error
from steersman.api.scheme import Resource
from steersman.apiserver.admission.plugin import Request
from steersman.apiserver.registry.lacking import supplied
from steersman.apiserver.registry.reading import CannotConvert
from steersman.apiserver.registry.registry import Registry

T = TypeVar("T")

Convert = Callable[[Any], Any]


class Told(NamedTuple):
    """A version; ``there`` makes its objects of those of the request's own, ``back`` the other way.

    Both are for what is done by :func:`converting`.
    """

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


async def states(told: Told, request: Request) -> tuple[Any, Any]:
    """The new and the old state of what is written, as it is told."""
    obj = await converting(partial(told.there, request.obj)) if request.obj is not None else None
    old = await converting(partial(told.there, request.old)) if request.old is not None else None
    return obj, old


async def converting(work: Callable[[], T], elsewhere: Callable[[Callable[[], T]], Awaitable[T]] | None = None) -> T:
    """The result of work that converts objects, and MUST be such that it can be begun again; done ``elsewhere``."""
    try:
        return await supplied(work, elsewhere)
    except CannotConvert as error:
        raise internal_error(str(error)) from None


def _same(obj: Any) -> Any:
    return obj
