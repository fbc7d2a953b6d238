"""Stages: what happens to a pod, a node or another object that is in a certain state, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, Protocol

import msgspec

from steersman.api import codecs
from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource, Scheme
from steersman.api.types.core_v1 import Node, NodeStatus, Pod, PodStatus
from steersman.client.client import Patch


class Place(Protocol):
    """The simulated node that a stage's object is, or is on."""

    @property
    def name(self) -> str:
        """The node's name."""
        ...

    @property
    def address(self) -> str:
        """The node's own address."""
        ...

    @property
    def started(self) -> datetime:
        """When the node was first seen."""
        ...

    @property
    def recovered(self) -> datetime | None:
        """Since when the node is ready again; None where it is not, or always was."""
        ...

    def take_addresses(self, owner: str) -> list[str]:
        """Addresses for one more pod, by its uid: one, or one of each family."""
        ...


class Subject:
    """An object in front of the stages."""

    __slots__ = ("_addresses", "_tree", "instant", "object", "place", "rng")

    def __init__(self, obj: Any, place: Place, instant: datetime, rng: random.Random) -> None:
        self.object = obj
        self.place = place
        self.instant = instant
        self.rng = rng
        self._tree: dict[str, Any] | None = None
        self._addresses: list[str] | None = None

    @property
    def tree(self) -> dict[str, Any]:
        """The object's JSON data, in which metadata, spec and status are always there."""
        if self._tree is None:
            self._tree = {"metadata": {}, "spec": {}, "status": {}, **codecs.to_builtins(self.object)}
        return self._tree

    @property
    def addresses(self) -> list[str]:
        """Those that a pod gets which has none; the same ones however often this is asked."""
        if self._addresses is None:
            self._addresses = self.place.take_addresses(self.object.metadata.uid)
        return self._addresses

    @property
    def taken(self) -> list[str]:
        """The addresses that were asked for."""
        return self._addresses or []

    @property
    def pod(self) -> Pod:
        """The object, of stages of pods."""
        pod: Pod = self.object
        return pod

    @property
    def node(self) -> Node:
        """The object, of stages of nodes."""
        node: Node = self.object
        return node


class StageFault(Exception):
    """What a stage says cannot be done with this object; its text says why."""


class Tell(NamedTuple):
    """An event is told of the object."""

    type: str
    reason: str
    message: str


class Amend(NamedTuple):
    """The object is patched, or one of its subresources."""

    patch: Patch
    subresource: str = ""


class Apply(NamedTuple):
    """Another object is applied, by server-side apply."""

    configuration: dict[str, Any]
    subresource: str = ""


Act = Tell | Amend | Apply


class Outcome(msgspec.Struct, frozen=True):
    """What a stage brings about, in this order."""

    status: PodStatus | NodeStatus | None = None
    """The whole of it."""
    acts: tuple[Act, ...] = ()
    delete: bool = False


def _unweighted(_: Subject) -> int | None:
    return 0


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One rule.  Of several that match, one is drawn by weight; ``delay`` is in seconds."""

    name: str
    kind: str
    matches: Callable[[Subject], bool]
    next: Callable[[Subject], Outcome]
    weight: Callable[[Subject], int | None] = _unweighted
    """None where it cannot be told."""
    delay: Callable[[Subject], float] | None = None
    delay_moves: bool = False
    """The delay depends on the object: it is asked anew when that changes."""
    immediate_next: bool = False
    """What comes next is decided on what was written, before anybody else can."""
    api_version: str = "v1"
    """Of the kind."""

    @property
    def is_of(self) -> tuple[str, str]:
        """Of what objects: API version and kind."""
        return self.api_version, self.kind


@cache
def _known() -> Scheme:
    return builtin_scheme()


def resource_of(api_version: str, kind: str) -> Resource[Any]:
    """The resource of the objects that go through stages of a kind; raises ValueError for none."""
    resource = _known().by_kind(api_version, kind)
    if resource is None or "watch" not in resource.verbs:
        raise ValueError(f"{api_version} {kind} has no stages here; only built-in kinds do")
    return resource


def choose(stages: Iterable[Stage], subject: Subject) -> Stage | None:
    """The stage that an object is to go through; None where it stays as it is."""
    return draw([stage for stage in stages if stage.matches(subject)], subject)


def draw(matching: Sequence[Stage], subject: Subject) -> Stage | None:
    """One of several, by weight."""
    if len(matching) < 2:
        return matching[0] if matching else None
    weights = [stage.weight(subject) for stage in matching]
    if any(weights):
        return subject.rng.choices(matching, [max(0, weight or 0) for weight in weights])[0]
    known = [stage for stage, weight in zip(matching, weights, strict=True) if weight is not None]
    return subject.rng.choice(known or matching)
