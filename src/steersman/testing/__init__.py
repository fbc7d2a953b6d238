"""A control plane for tests: a true API server with upstream's controllers, in the test's own process.

    pytest_plugins = ["steersman.testing.plugin"]        # in conftest.py: the fixtures control_plane and namespace

    async def test_something(control_plane, namespace):
        control_plane.install("crd.yaml")
        async with control_plane.connect(Website) as client:
            async with running(Manager(client, [WebsiteController])):
                await client.create(Website(...))
                await eventually(...)

It listens on a free port of the loopback address, over TLS, and keeps its objects in memory; kubectl and any other
client find it by :attr:`.control_plane.ControlPlane.kubeconfig`.  There are no nodes: pods say that they run, as
:class:`.pods.SimulatedKubelet` has it, and nothing does.  It runs on an event loop in a thread of its own, so that
tests may be written in any style, and leaves nothing behind.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .control_plane import ControlPlane
    from .waiting import eventually, running

_HOMES = {"ControlPlane": "control_plane", "eventually": "waiting", "running": "waiting"}

__all__ = ["ControlPlane", "eventually", "running"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: the plugin is loaded by runs that need none of it."""
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
