"""The events of a scenario, as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec

from . import pools
from .faults import ScenarioError
from .pools import Pool

Scope = Literal["zone", "region", "node"]
Fate = Literal["fails", "returns", "drains"]


class Befall(msgspec.Struct, frozen=True):
    """Nodes fail, are drained, or return from either."""

    scope: Scope
    name: str
    fate: Fate


class Scale(msgspec.Struct, frozen=True):
    """A workload gets so many replicas."""

    kind: str
    name: str
    namespace: str
    replicas: int


class Wait(msgspec.Struct, frozen=True):
    """So many seconds pass, and no more."""

    seconds: float


class Add(msgspec.Struct, frozen=True):
    """Nodes join."""

    pools: tuple[Pool, ...]


class Happening(msgspec.Struct, frozen=True):
    """One event; ``text`` is what it is called, ``path`` where it is written."""

    path: str
    text: str
    what: Befall | Scale | Wait | Add


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = 7 * _UNITS["d"]
MOST_REPLICAS = 100_000

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def seconds(text: str) -> float:
    """``90s``, ``10m``, ``1h30m``; raises ValueError."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration: write such as 90s, 10m or 1h30m")
    found = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if found > LONGEST:
        raise ValueError(f"{text} is too long: wait for 7d at most")
    return found


def _replicas(text: str) -> int:
    if len(text) > 9 or int(text) > MOST_REPLICAS:
        raise ValueError(f"{text} replicas are too many: {MOST_REPLICAS} at most")
    return int(text)


_NAME = r"[a-zA-Z0-9][\w.-]*"
_PHRASES: tuple[tuple[re.Pattern[str], Callable[..., Any]], ...] = (
    (re.compile(rf"(zone|region|node) ({_NAME}) (fails|returns|drains)"), Befall),
    (
        re.compile(rf"scale (deployment|replicaset)/({_NAME})(?: in ({_NAME}))? to (\d+)"),
        lambda kind, name, namespace, replicas: Scale(kind, name, namespace or "default", _replicas(replicas)),
    ),
    (re.compile(r"wait (\S+)"), lambda text: Wait(seconds(text))),
)

HELP = (
    "write such as: zone a fails; node a-0 drains; zone a returns; scale deployment/web to 10; "
    "scale deployment/web in shop to 10; wait 10m; add nodes: {count: 2, zone: a}"
)


def read(items: Iterable[Any], names: dict[str, str], places: set[tuple[str, str]]) -> tuple[Happening, ...]:
    """The events; ``names`` are the nodes that there are, ``places`` zones and regions.  Raises ScenarioError."""
    return tuple(_read(item, f"events[{number}]", names, places) for number, item in enumerate(items))


def _read(item: Any, path: str, names: dict[str, str], places: set[tuple[str, str]]) -> Happening:
    if isinstance(item, dict) and len(item) == 1:
        ((key, value),) = item.items()
        if key == "add nodes":
            return _added(value, f"{path}.{key}", names, places)
        item = f"{key} {value}" if isinstance(value, str) else item
    if not isinstance(item, str):
        raise ScenarioError(path, f"this is no event; {HELP}")
    text = " ".join(item.split())
    for pattern, make in _PHRASES:
        if found := pattern.fullmatch(text):
            try:
                what = make(*found.groups())
            except ValueError as error:
                raise ScenarioError(path, str(error)) from error
            if isinstance(what, Befall):
                _check_place(what, path, names, places)
            return Happening(path, text, what)
    raise ScenarioError(path, f"{text!r} is no event; {HELP}")


def _check_place(what: Befall, path: str, names: dict[str, str], places: set[tuple[str, str]]) -> None:
    known = sorted(names) if what.scope == "node" else sorted(name for scope, name in places if scope == what.scope)
    if what.name not in known:
        some = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        raise ScenarioError(path, f"there is no {what.scope} {what.name!r}; there are: {some or 'none'}")


def _added(value: Any, path: str, names: dict[str, str], places: set[tuple[str, str]]) -> Happening:
    items = value if isinstance(value, list) else [value]
    made = tuple(convert(item, Pool, f"{path}[{number}]") for number, item in enumerate(items))
    made = pools.numbered(made, path, names)
    places |= places_of(made)
    count = sum(pool.count for pool in made)
    return Happening(path, f"add {count} node{'' if count == 1 else 's'}", Add(made))


def places_of(made: Iterable[Pool]) -> set[tuple[str, str]]:
    """The zones and regions of nodes."""
    found = {("zone", pool.zone) for pool in made} | {("region", pool.region) for pool in made}
    return {(scope, name) for scope, name in found if name}


_AT = re.compile(r"(.*) - at `\$\.?(.*)`$", re.DOTALL)


def convert(tree: Any, type_: Any, path: str) -> Any:
    """Data as a struct; raises ScenarioError, with the path to what is wrong."""
    try:
        return msgspec.convert(tree, type_)
    except msgspec.ValidationError as error:
        text, at = str(error), ""
        if found := _AT.fullmatch(text):
            text, at = found.groups()
        fault = text.replace("`", '"')
        where = f"{path}{at}" if at.startswith("[") or not path or not at else f"{path}.{at}"
        raise ScenarioError(where, fault[:1].lower() + fault[1:]) from error
