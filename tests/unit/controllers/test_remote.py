"""Controllers in a process of their own: over HTTPS, as ``system:kube-controller-manager``, with a lease."""

from __future__ import annotations

from pathlib import Path

from steersman.api.types.apps_v1 import Deployment
from steersman.api.types.coordination_v1 import Lease
from steersman.api.types.core_v1 import Namespace, ServiceAccount
from steersman.controllers.config import ControllerManagerConfig

from .world import World, deployment


async def test_a_deployment_comes_and_goes_with_its_namespace(tmp_path: Path) -> None:
    async with World(ControllerManagerConfig(leader_elect=True, identity="me"), pki=tmp_path) as world:
        await world.namespace()
        await world.until(lambda: world.client.get(ServiceAccount, "default", "test"))
        await world.client.create(deployment(replicas=3))

        async def available() -> bool:
            return (await world.client.get(Deployment, "web", "test")).status.available_replicas == 3

        await world.until(available)
        lease = await world.client.get(Lease, "kube-controller-manager", "kube-system")
        assert lease.spec.holder_identity == "me"
        await world.client.delete(Namespace, "test")
        await world.until(lambda: world.gone(Namespace, "test"))
        await world.kill_controllers()
        lease = await world.client.get(Lease, "kube-controller-manager", "kube-system")
        assert lease.spec.holder_identity == ""
