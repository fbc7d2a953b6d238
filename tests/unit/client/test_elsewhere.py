"""Components that see the resources of other servers beside their own server's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource
from steersman.api.types.core_v1 import ConfigMap
from steersman.api.unstructured import unstructured_type
from steersman.client.elsewhere import WiderScheme


def resource(group: str, name: str) -> Resource[Any]:
    kind = name.title()
    return Resource(group, "v1", name, kind, type_=unstructured_type(kind, f"{group}/v1"))


class Others:
    def __init__(self) -> None:
        self.generation = 0
        self.found: list[Resource[Any]] = []
        self.listeners: list[Callable[[], object]] = []

    def listen(self, changed: Callable[[], object]) -> Callable[[], None]:
        self.listeners.append(changed)
        return lambda: self.listeners.remove(changed)

    def resources(self) -> Iterator[Resource[Any]]:
        return iter(self.found)

    def undiscovered(self) -> Mapping[str, str]:
        return {"dead.example.com/v1": "why"}


def test_a_scheme_tells_of_changes_to_what_either_serves() -> None:
    own, others = builtin_scheme(), Others()
    told: list[int] = []
    wider = WiderScheme(own, others)
    stop = wider.listen(lambda: told.append(wider.generation))
    own.add(resource("example.com", "things"))
    others.generation += 1
    for changed in others.listeners:
        changed()
    assert told == sorted(set(told))
    assert len(told) == 2
    stop()
    own.changed()
    assert len(told) == 2
    assert not others.listeners


def test_a_scheme_with_what_others_serve() -> None:
    own, others = builtin_scheme(), Others()
    wider = WiderScheme(own, others)
    assert list(wider) == list(own)
    before = wider.generation
    theirs, custom = resource("example.com", "things"), resource("example.com", "others")
    own.add(custom)
    assert wider.generation > before
    assert wider.by_kind("example.com/v1", "Others") is custom
    before = wider.generation
    others.found, others.generation = [theirs], 1
    assert wider.generation > before
    # Who has a group-version has all of it.
    assert wider.by_name("example.com", "v1", "things") is theirs
    assert wider.by_name("example.com", "v1", "others") is None
    assert custom not in list(wider)
    assert theirs in list(wider)
    assert wider.for_type(ConfigMap) is own.for_type(ConfigMap)
    assert wider.undiscovered == {"dead.example.com/v1": "why"}
    others.found, others.generation = [], 2
    assert list(wider) == list(own)
