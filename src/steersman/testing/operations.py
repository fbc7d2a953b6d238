"""What is done with a cluster on its own event loop; :mod:`.cluster` shows it to tests, blocking or to be awaited."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

import msgspec

from steersman.api import codecs
from steersman.api.scheme import Object
from steersman.api.types.core_v1 import Event, Namespace
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.server import ApiServer
from steersman.client.client import Client, Selectors
from steersman.client.reflector import SLICE

from . import events, manifests, numbers, targets
from .applying import Applier
from .awaited import Awaited, awaited
from .composition import Composition
from .following import Connect, follow_all
from .manifests import Manifest
from .snapshots import Snapshot, Snapshots
from .targets import Target
from .turnable_clock import TurnableClock

__tracebackhide__ = True  # pytest shows what the test asked for

T = TypeVar("T", bound=Object)

TIMEOUT = 30.0
MOST_EVENTS = 15
MOST_LINES = 60
"""Of the last state of an object that did not become what was waited for."""
TELLING = ("generation", "deletionTimestamp", "finalizers", "ownerReferences")
"""Of an object's metadata."""


class NotMetError(AssertionError):
    """What was waited for did not come; the text has the last state and the events."""


class Operations:
    """Acts as an administrator, past HTTP: what is done here is none of the cluster's requests."""

    def __init__(self, composition: Composition, namespace: str = "default") -> None:
        self._composition = composition
        self._namespace = namespace
        self._of: ApiServer | None = None
        self._made: Client | None = None

    @property
    def _client(self) -> Client:
        """Of the API server that there is now: it may have been started again."""
        server = self._composition.server
        if self._made is None or self._of is not server:
            self._of, self._made = server, self._composition.client()
        return self._made

    async def _present(self) -> Client:
        await self._composition.ready.wait()
        return self._client

    @property
    def _applier(self) -> Applier:
        return Applier(self._client, service_accounts=self._composition.runs("serviceaccount-controller"))

    async def started(self) -> None:
        """Wait until everything works, pods in the default namespace included."""
        await self._composition.ready.wait()
        await self._applier.usable("default")

    async def settle(self, timeout: float = 10.0) -> None:
        """Wait until the cluster has come to rest: no part of it has anything to do.  Raises NotSettled."""
        numbers.number("timeout", timeout)
        await self._composition.settling.wait(timeout)

    async def snapshot(self) -> Snapshot:
        """Wait until the cluster is at rest, and remember what there is.  Raises NotSettled."""
        clock = self._composition.settings.clock
        turnable = clock if isinstance(clock, TurnableClock) else None
        return await Snapshots(self._composition.store, self._composition.settling, turnable).take()

    async def apply(self, *what: Manifest, namespace: str = "") -> list[Any]:
        """Apply manifests (server-side, taking over what others manage): files, directories, YAML, data, objects.

        Returns the objects, in the order in which they were applied: namespaces and definitions first, which are
        usable before anything else is applied.  What names no namespace goes to ``namespace``, else to the cluster's.
        Raises StatusError for what is refused, ValueError for what is no object or of no kind that is served.
        """
        applied = await self._applier.apply(manifests.read(what), namespace or self._namespace)
        return await _own(applied)

    async def create_namespace(self, name: str = "", *, prefix: str = "test") -> str:
        """A new namespace in which pods can be made, of this name or one that begins so; returns the name."""
        metadata = ObjectMeta(name=name) if name else ObjectMeta(generate_name=f"{prefix}-")
        made = await self._client.create(Namespace(metadata=metadata))
        await self._applier.usable(made.metadata.name)
        return made.metadata.name

    async def delete_namespace(self, name: str) -> None:
        """Begin to delete a namespace and what is in it."""
        await self._client.delete(Namespace, name)

    @overload
    async def wait_for(
        self,
        target: str | Mapping[str, Any],
        predicate: Callable[[Any], object] | None = None,
        *,
        condition: str = "",
        jsonpath: str = "",
        deleted: bool = False,
        selector: str | None = None,
        count: int | None = None,
        namespace: str = "",
        timeout: float = TIMEOUT,
    ) -> Any: ...

    @overload
    async def wait_for(
        self,
        target: T,
        predicate: Callable[[T], object] | None = None,
        *,
        condition: str = "",
        jsonpath: str = "",
        deleted: bool = False,
        namespace: str = "",
        timeout: float = TIMEOUT,
    ) -> T: ...

    async def wait_for(
        self,
        target: Any,
        predicate: Callable[[Any], object] | None = None,
        *,
        condition: str = "",
        jsonpath: str = "",
        deleted: bool = False,
        selector: str | None = None,
        count: int | None = None,
        namespace: str = "",
        timeout: float = TIMEOUT,
    ) -> Any:
        """Wait until something is true of an object, and return it as it was then.

        The target is ``kind/name`` as kubectl takes it, or an object.  What must be true is what a function says of
        the object, a condition (``Available``, ``Ready=False``), a ``jsonpath`` (``{.status.phase}=Running``), that
        the object is deleted, or merely that it is there.  For a ``kind`` without a name it must be true of each that
        the ``selector`` chooses, which are ``count``, no more and no less, or one at least; they are returned as a
        list.  What is returned is the caller's; what a function is shown is the cluster's, which it MUST NOT change.

        Raises :class:`NotMetError`, an AssertionError, after so many seconds; ValueError, TypeError for what cannot
        be waited for.
        """
        wanted = awaited(predicate, condition, jsonpath, deleted)
        numbers.number("timeout", timeout)
        if selector is not None and not isinstance(selector, str):
            raise TypeError(f"selector is {selector!r}, no text such as 'app=web'")
        if count is not None:
            numbers.whole("count", count)
        meant = targets.target(self._client.scheme, target, namespace or self._namespace)
        if meant.name and (selector is not None or count is not None):
            raise ValueError(f"{meant} is one: a selector and a count are for a kind without a name")
        as_type = None if isinstance(target, (str, Mapping)) else type(target)
        watched = _Watched(self._present, meant, wanted, as_type, selector or "", count)
        try:
            async with asyncio.timeout(timeout):
                found = await watched.until_it_holds()
        except TimeoutError:
            told = await self.event_lines(meant.namespace, MOST_EVENTS)
            raise NotMetError(watched.complaint(timeout, told)) from None
        return await _own(found) if isinstance(found, list) else found and codecs.copy(found)

    async def event_lines(self, namespace: str = "", most: int = MOST_EVENTS) -> list[str]:
        """The newest events of a namespace, or of all, a line each."""
        return events.lines((await self._client.list(Event, namespace)).items, most)


class _Watched:
    """What is waited for, and what was seen of it last."""

    def __init__(
        self,
        connect: Connect,
        meant: Target,
        wanted: Awaited,
        as_type: type[Any] | None,
        selector: str,
        count: int | None,
    ) -> None:
        self._connect = connect
        self._meant = meant
        self._wanted = wanted
        self._type = as_type
        self._selectors = Selectors(selector, f"metadata.name={meant.name}" if meant.name else "")
        self._count = count
        self._seen: dict[str, Any] = {}
        self._holding: set[str] = set()

    async def until_it_holds(self) -> Any:
        states = follow_all(self._connect, self._meant.resource, self._meant.namespace, self._selectors)
        async with contextlib.aclosing(states):
            async for present, changed in states:
                if not changed:
                    self._seen.clear()
                    self._holding.clear()
                for number, key in enumerate([changed] if changed else list(present), 1):
                    self._look(key, present.get(key))
                    if number % SLICE == 0:
                        await asyncio.sleep(0)
                if self._meant.name:
                    last = next(iter(self._seen.values()), None)
                    if self._holding or (last is None and self._wanted.holds(None)):
                        return last
                elif self._all_hold():
                    return list(self._seen.values())
        raise AssertionError("states do not end")

    def _look(self, key: str, obj: Any | None) -> None:
        """At one object alone: where there are thousands, each changes some times."""
        self._holding.discard(key)
        if obj is None:
            self._seen.pop(key, None)
            return
        seen = self._seen[key] = targets.as_type(obj, self._type) if self._type else obj
        if self._wanted.holds(seen):
            self._holding.add(key)

    def _all_hold(self) -> bool:
        if self._wanted.holds(None):  # deletion
            return not self._seen
        enough = bool(self._seen) if self._count is None else len(self._seen) == self._count
        return enough and len(self._holding) == len(self._seen)

    def complaint(self, seconds: float, told: list[str]) -> str:
        parts = [f"{self._meant}: {self._wanted.text} after {seconds:g} s"]
        if not self._meant.name and self._count is not None and len(self._seen) != self._count:
            parts[0] += f"; {len(self._seen)} are there, not {self._count}"
        failing = [each for key, each in self._seen.items() if key not in self._holding]
        for each in failing[:3]:
            parts += ["", f"{each.kind} {each.metadata.name}:", *_state(each)]
        if not self._seen and self._wanted.text != "not there":
            parts.append("there is no such object")
        parts += ["", "Events:", *(f"  {line}" for line in told or ["none"])]
        return "\n".join(parts)


async def _own(shared: list[Any]) -> list[Any]:
    """The same objects, to be changed: those of the client are the server's, too."""
    found = []
    for number, obj in enumerate(shared, 1):
        found.append(codecs.copy(obj))
        if number % SLICE == 0:
            await asyncio.sleep(0)
    return found


def _state(obj: Any) -> list[str]:
    """What may say why: all but the bulk of the metadata and, where there is a status, what was asked for."""
    tree = codecs.to_builtins(obj)
    metadata = {key: tree["metadata"][key] for key in TELLING if tree["metadata"].get(key)}
    shown = {key: value for key, value in tree.items() if key not in ("apiVersion", "kind", "metadata")}
    if shown.get("status"):
        shown.pop("spec", None)
    text = msgspec.yaml.encode({**({"metadata": metadata} if metadata else {}), **shown}).decode()
    found = [f"  {line}" for line in text.splitlines()]
    return found if len(found) <= MOST_LINES else ["  …", *found[-MOST_LINES:]]
