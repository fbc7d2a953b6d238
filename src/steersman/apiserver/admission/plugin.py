"""What an admission plugin is, and the chain that asks all of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from steersman.api.errors import StatusError, forbidden
from steersman.api.scheme import Object, Resource
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.api.user import User
from steersman.apiserver.annotations import Annotations
from steersman.apiserver.seams import Surroundings

from .observer import Observer, Seconds, Step, Unobserved
from .order import rank
from .reinvocation import Reinvocation

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
    ``annotations`` are for the audit log.
    """

    __slots__ = (
        "annotations",
        "dry_run",
        "field_manager",
        "name",
        "namespace",
        "obj",
        "old",
        "options",
        "own",
        "reinvocation",
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
        annotations: Annotations | None = None,
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
        self.annotations = annotations if annotations is not None else Annotations()
        self.reinvocation = Reinvocation()
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


class Asked(NamedTuple):
    """A plugin that a form of request concerns; ``admitted`` is told how long it took to have nothing against one."""

    name: str
    ask: Callable[[Request, Cluster], Awaitable[None]]
    admitted: Seconds


class Chain:
    """Plugins, in upstream's order.  Which of them a form of request concerns is decided once."""

    def __init__(self, plugins: Sequence[Plugin], cluster: Cluster) -> None:
        self.plugins: tuple[Plugin, ...] = ()
        self._observer: Observer = Unobserved()
        self._cluster = cluster
        self._decided: dict[tuple[str, Resource[Any], str, bool, Step], tuple[Asked, ...]] = {}
        self.add(*plugins)

    def add(self, *plugins: Plugin) -> None:
        """Ask these as well, each in its place."""
        self.plugins = tuple(sorted((*self.plugins, *plugins), key=lambda plugin: rank(plugin.name)))
        self._decided.clear()

    def tell(self, observer: Observer) -> None:
        """Tell somebody else what is done from now on."""
        self._observer = observer
        self._decided.clear()

    def forget(self, resource: Resource[Any]) -> None:
        """A resource is no longer served."""
        for form in [form for form in self._decided if form[1] is resource]:
            del self._decided[form]

    async def admit(self, request: Request) -> None:
        """Let every plugin change the object, then ask every one: for what is admitted in one go."""
        await self.mutate(request)
        await self.validate(request)

    async def mutate(self, request: Request) -> None:
        """Let every plugin change the object; all again where what people configured changed it."""
        if not (asked := self._asked("admit", request)):
            return
        started, rejected = time.perf_counter(), True
        try:
            await self._ask(asked, "admit", request)
            if request.reinvocation.wanted:
                request.reinvocation.round += 1
                await self._ask(asked, "admit", request)
            rejected = False
        finally:
            self._observer.step(request.verb, rejected, "admit", time.perf_counter() - started)

    async def validate(self, request: Request) -> None:
        """Ask every plugin; the first that refuses raises."""
        if not (asked := self._asked("validate", request)):
            return
        started, rejected = time.perf_counter(), True
        try:
            await self._ask(asked, "validate", request)
            rejected = False
        finally:
            self._observer.step(request.verb, rejected, "validate", time.perf_counter() - started)

    async def _ask(self, asked: Sequence[Asked], step: Step, request: Request) -> None:
        """Ask one after the other; what each takes begins where the one before it ended."""
        cluster = self._cluster
        started = time.perf_counter()
        for name, ask, admitted in asked:
            try:
                await ask(request, cluster)
            except BaseException:
                self._observer.plugin(name, request.verb, True, step, time.perf_counter() - started)
                raise
            ended = time.perf_counter()
            admitted(ended - started)
            started = ended

    def _asked(self, step: Step, request: Request) -> tuple[Asked, ...]:
        """Whom a request concerns; of what the server keeps for itself, nothing that people configured is asked."""
        form = (request.verb, request.resource, request.subresource, request.own, step)
        if (asked := self._decided.get(form)) is None:
            method = "mutate" if step == "admit" else "validate"
            asked = self._decided[form] = tuple(
                Asked(plugin.name, getattr(plugin, method), self._observer.admitting(plugin.name, request.verb, step))
                for plugin in self.plugins
                if getattr(type(plugin), method) is not getattr(Plugin, method)
                and plugin.concerns(request.verb, request.resource, request.subresource)
                and not (request.own and plugin.configured)
            )
        return asked
