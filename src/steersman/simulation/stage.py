"""Stages: what happens to a pod or a node that is in a certain state, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec

from steersman.api.types.core_v1 import Node, NodeStatus, Pod, PodStatus
from steersman.client.client import Patch

Kind = Literal["Pod", "Node"]


class Place(Protocol):
    """The simulated node that a stage's object is, or is on."""

    @property
    def address(self) -> str:
        """The node's own address."""
        ...

    def take_addresses(self, owner: str) -> list[str]:
        """Addresses for one more pod, by its uid: one, or one of each family."""
        ...


class Subject:
    """An object in front of the stages."""

    __slots__ = ("instant", "object", "place", "rng")

    def __init__(self, obj: Any, place: Place, instant: datetime, rng: random.Random) -> None:
        self.object = obj
        self.place = place
        self.instant = instant
        self.rng = rng

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


class Outcome(msgspec.Struct, frozen=True):
    """What a stage brings about, in this order."""

    event: tuple[str, str, str] | None = None
    """Type, reason and message."""
    status: PodStatus | NodeStatus | None = None
    """The whole of it."""
    patches: tuple[tuple[Patch, str, str], ...] = ()
    """Each with the subresource and, where it is not us, the user."""
    delete: bool = False


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One rule.  Of several that match, one is drawn by weight; ``delay`` is in seconds."""

    name: str
    kind: Kind
    matches: Callable[[Subject], bool]
    next: Callable[[Subject], Outcome]
    weight: Callable[[Subject], int] | None = None
    delay: Callable[[Subject], float] | None = None
    delay_moves: bool = False
    """The delay depends on the object: it is asked anew when that changes."""
    immediate_next: bool = False
    """What comes next is decided on what was written, before anybody else can."""


def choose(stages: tuple[Stage, ...], subject: Subject) -> Stage | None:
    """The stage that an object is to go through; None where it stays as it is."""
    matching = [stage for stage in stages if stage.matches(subject)]
    if len(matching) < 2:
        return matching[0] if matching else None
    weights = [stage.weight(subject) if stage.weight is not None else 0 for stage in matching]
    if not any(weights):
        return subject.rng.choice(matching)
    return subject.rng.choices(matching, weights)[0]
