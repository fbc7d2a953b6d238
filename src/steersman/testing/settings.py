"""What a test says a cluster is to be made of, checked and made what :mod:`.composition` takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from steersman.api.clock import Clock
from steersman.simulation import NodeShape, SimulationConfig, Stage, stages_of

from . import numbers
from .composition import Settings
from .turnable_clock import TurnableClock

__tracebackhide__ = True  # pytest shows what the test asked for

Stages = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Sequence[Stage]
"""By name or file, or as they are."""


def settings(
    *,
    controllers: Sequence[str],
    scheduler: bool,
    nodes: int | Sequence[NodeShape],
    stages: Stages,
    store: str | os.PathLike[str],
    clock: Clock | None,
) -> Settings:
    """See :class:`.cluster.Cluster`; raises ValueError, TypeError."""
    if not isinstance(store, (str, os.PathLike)) or not os.fspath(store):
        raise TypeError(f"store is {store!r}, neither 'memory' nor a directory")
    if store == "sqlite":
        raise ValueError("store is 'sqlite': name the directory where SQLite's files are to be")
    if not isinstance(scheduler, bool):
        raise TypeError(f"scheduler is {scheduler!r}, neither True nor False")
    if clock is not None and not hasattr(clock, "call_later"):
        raise TypeError(f"clock is {clock!r}; a steersman.testing.TurnableClock is one")
    return Settings(
        controllers=_controllers(controllers),
        scheduler=scheduler,
        simulation=SimulationConfig(nodes=_shapes(nodes), stages=_stages(stages)),
        store=None if store == "memory" else Path(store),
        clock=clock or TurnableClock(),
    )


def _controllers(names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(each, str) for each in names):
        raise TypeError(f"controllers are {names!r}: several names are expected, as in ['*', '-namespace-controller']")
    return tuple(names)


def _shapes(nodes: int | Sequence[NodeShape]) -> tuple[NodeShape, ...]:
    if isinstance(nodes, int):
        numbers.whole("nodes", nodes)
        return (NodeShape(count=nodes),)
    if not isinstance(nodes, Sequence) or not all(isinstance(each, NodeShape) for each in nodes):
        raise TypeError(f"nodes are {nodes!r}: a number is expected, or several shapes, as in [NodeShape(count=3)]")
    return tuple(nodes)


def _stages(stages: Stages) -> tuple[Stage, ...]:
    given = tuple(stages) if isinstance(stages, Sequence) and not isinstance(stages, str) else (stages,)
    objects = [each for each in given if isinstance(each, Stage)]
    names = [os.fspath(each) for each in given if isinstance(each, (str, os.PathLike))]
    if len(objects) == len(given):
        return tuple(objects)
    if len(names) == len(given):
        return stages_of(*names)
    raise TypeError(
        f"stages are {stages!r}: names or files are expected, or objects such as those of stages_of('general')"
    )
