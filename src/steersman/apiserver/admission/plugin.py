"""What an admission plugin is, and the chain that asks all of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol, TypeVar

from steersman.api.errors import StatusError, forbidden
from steersman.api.scheme import Object, Resource
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.api.user import User
from steersman.apiserver.seams import Surroundings

T = TypeVar("T", bound=Object)

Verb = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


class Cluster(Protocol):
    """What plugins may read of the cluster: shared objects, not to be changed; and whom they may ask."""

    surroundings: Surroundings

    async def get(self, type_: type[T], name: str, namespace: str = "") -> T | None:
        """An object, or None."""
        ...

    async def list(self, type_: type[T], namespace: str = "") -> Sequence[T]:
        """All objects of a type, or those of one namespace."""
        ...


class Request:
    """A write that wants to be admitted.  ``obj`` is None for a deletion, ``old`` for a creation.

    ``options`` are a deletion's, ``field_manager`` is who writes otherwise.  ``own``: the server keeps its own house.
    """

    __slots__ = (
        "dry_run",
        "field_manager",
        "name",
        "namespace",
        "obj",
        "old",
        "options",
        "own",
        "resource",
        "subresource",
        "user",
        "verb",
        "warnings",
    )

    def __init__(
        self,
        verb: Verb,
        resource: Resource[Any],
        subresource: str,
        namespace: str,
        name: str,
        obj: Any,
        old: Any,
        user: User,
        *,
        dry_run: bool = False,
        warnings: list[str] | None = None,
        field_manager: str = "",
        options: DeleteOptions | None = None,
        own: bool = False,
    ) -> None:
        self.own = own
        self.verb = verb
        self.resource = resource
        self.subresource = subresource
        self.namespace = namespace
        self.name = name
        self.obj = obj
        self.old = old
        self.user = user
        self.dry_run = dry_run
        self.warnings = warnings if warnings is not None else []
        self.field_manager = field_manager
        self.options = options

    def refuse(self, detail: str) -> StatusError:
        """The 403 that says why not."""
        name = self.name or (self.obj.metadata.name or self.obj.metadata.generate_name if self.obj is not None else "")
        return forbidden(self.resource.name, name or "Unknown", detail, self.resource.group)


class Plugin:
    """One rule.  A plugin mutates, validates, or both; what it does not override is not called.

    ``verbs`` and ``resources`` (qualified names; empty: every resource) say when; ``subresources`` names those
    it also wants to see; ``configured`` is one that asks what people configure.
    """

    name: str
    verbs: frozenset[Verb] = frozenset({"CREATE"})
    resources: frozenset[str] = frozenset()
    subresources: frozenset[str] = frozenset()
    configured = False

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        """Change ``request.obj``, or refuse."""

    async def validate(self, request: Request, cluster: Cluster) -> None:
        """Refuse, or not."""

    def concerns(self, verb: Verb, resource: Resource[Any], subresource: str) -> bool:
        """Whether requests of a form are this plugin's business."""
        if verb not in self.verbs or (self.resources and resource.qualified_name not in self.resources):
            return False
        return not subresource or subresource in self.subresources


class Chain:
    """Plugins in order.  Which of them a form of request concerns is decided once.

    ``observe`` is told each time: plugin, verb, whether it refused, ``admit`` or ``validate``, and the seconds.
    """

    def __init__(self, plugins: Sequence[Plugin], cluster: Cluster) -> None:
        self.plugins = tuple(plugins)
        self.observe: Callable[[str, str, bool, str, float], None] = lambda *_: None
        self._cluster = cluster
        self._mutating: dict[tuple[str, Resource[Any], str], tuple[Plugin, ...]] = {}
        self._validating: dict[tuple[str, Resource[Any], str], tuple[Plugin, ...]] = {}

    def add(self, *plugins: Plugin) -> None:
        """Ask these as well, after all others."""
        self.plugins += plugins
        self._mutating.clear()
        self._validating.clear()

    def forget(self, resource: Resource[Any]) -> None:
        """A resource is no longer served."""
        for decided in (self._mutating, self._validating):
            for form in [form for form in decided if form[1] is resource]:
                del decided[form]

    async def admit(self, request: Request) -> None:
        """Let every plugin change the object, then ask every one: for what is admitted in one go."""
        await self.mutate(request)
        await self.validate(request)

    async def mutate(self, request: Request) -> None:
        """Let every plugin change the object."""
        form = (request.verb, request.resource, request.subresource)
        if (plugins := self._mutating.get(form)) is None:
            plugins = self._mutating[form] = self._concerned(request, "mutate")
        for plugin in plugins:
            if not (request.own and plugin.configured):
                await self._ask(plugin, plugin.mutate, "admit", request)

    async def validate(self, request: Request) -> None:
        """Ask every plugin; the first that refuses raises."""
        form = (request.verb, request.resource, request.subresource)
        if (plugins := self._validating.get(form)) is None:
            plugins = self._validating[form] = self._concerned(request, "validate")
        for plugin in plugins:
            if not (request.own and plugin.configured):
                await self._ask(plugin, plugin.validate, "validate", request)

    async def _ask(
        self, plugin: Plugin, step: Callable[[Request, Cluster], Awaitable[None]], name: str, request: Request
    ) -> None:
        started, rejected = time.perf_counter(), True
        try:
            await step(request, self._cluster)
            rejected = False
        finally:
            self.observe(plugin.name, request.verb, rejected, name, time.perf_counter() - started)

    def _concerned(self, request: Request, method: str) -> tuple[Plugin, ...]:
        return tuple(
            plugin
            for plugin in self.plugins
            if getattr(type(plugin), method) is not getattr(Plugin, method)
            and plugin.concerns(request.verb, request.resource, request.subresource)
        )
