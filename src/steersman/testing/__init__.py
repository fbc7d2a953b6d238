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

from .control_plane import ControlPlane
from .waiting import eventually, running

__all__ = ["ControlPlane", "eventually", "running"]
