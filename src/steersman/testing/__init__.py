"""A cluster for tests: a true API server with upstream's controllers and scheduler, in the test's own process.

    def test_something(kubernetes):                     # the fixture that comes with steersman[testing]
        kubernetes.apply("crd.yaml", "deployment.yaml")
        kubernetes.wait_for("deployment/web", condition="Available")

    with Cluster() as cluster: ...                      # or without pytest; blocking
    async with Cluster() as cluster: ...                # the same methods, to be awaited

It listens on a free port of the loopback address, over TLS, with RBAC, and keeps its objects in memory; kubectl and any
other client find it by :attr:`.cluster.Cluster.kubeconfig_path`.  Nodes are simulated: pods on them say that they run,
and nothing does.  It runs on an event loop in a thread of its own, so that tests may be written in any style, and
leaves nothing behind.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steersman.simulation import NodeShape, Stage

    from .access import Access
    from .cluster import AsyncCluster, Cluster
    from .operations import NotMetError
    from .settling import NotSettled
    from .snapshots import NotRestored
    from .turnable_clock import TurnableClock
    from .waiting import eventually, running

_HOMES = {
    "Access": "steersman.testing.access",
    "AsyncCluster": "steersman.testing.cluster",
    "Cluster": "steersman.testing.cluster",
    "NodeShape": "steersman.simulation",
    "NotMetError": "steersman.testing.operations",
    "NotRestored": "steersman.testing.snapshots",
    "NotSettled": "steersman.testing.settling",
    "Stage": "steersman.simulation",
    "TurnableClock": "steersman.testing.turnable_clock",
    "eventually": "steersman.testing.waiting",
    "running": "steersman.testing.waiting",
}

__all__ = [
    "Access",
    "AsyncCluster",
    "Cluster",
    "NodeShape",
    "NotMetError",
    "NotRestored",
    "NotSettled",
    "Stage",
    "TurnableClock",
    "eventually",
    "running",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: the plugin is loaded by runs that need none of it."""
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
