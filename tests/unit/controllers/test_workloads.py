from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from steersman.api.types.apps_v1 import Deployment, ReplicaSet, ReplicaSetSpec
from steersman.api.types.core_v1 import ConfigMap, Event, Pod
from steersman.api.types.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta
from steersman.controllers.kit.conditions import condition

from .world import World, deployment, image_of, template


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        await world.namespace()
        await world.until(lambda: world.client.get(ConfigMap, "kube-root-ca.crt", "test"))
        await world.until(lambda: _service_account(world))
        yield world


async def _service_account(world: World) -> object:
    from steersman.api.types.core_v1 import ServiceAccount

    return await world.client.get(ServiceAccount, "default", "test")


async def rolled_out(world: World, image: str, replicas: int = 3) -> bool:
    found = await world.client.get(Deployment, "web", "test")
    pods = await world.pods()
    return (
        len(pods) == replicas
        and all(image_of(pod) == image for pod in pods)
        and found.status.available_replicas == replicas
        and found.status.updated_replicas == replicas
        and found.status.observed_generation == found.metadata.generation
    )


def set_image(image: str):  # type: ignore[no-untyped-def]
    def change(obj: Deployment) -> None:
        obj.spec.template.spec.containers[0].image = image

    return change


async def test_a_replica_set_makes_replaces_and_adopts_pods(world: World) -> None:
    orphan = template()
    await world.client.create(
        Pod(metadata=ObjectMeta(name="orphan", namespace="test", labels={"app": "web"}), spec=orphan.spec)
    )
    spec = ReplicaSetSpec(replicas=3, selector=LabelSelector(match_labels={"app": "web"}), template=template())
    await world.client.create(ReplicaSet(metadata=ObjectMeta(name="rs", namespace="test"), spec=spec))

    async def settled() -> bool:
        found = await world.client.get(ReplicaSet, "rs", "test")
        return found.status.available_replicas == 3 and len(await world.pods()) == 3

    await world.until(settled)
    pods = await world.pods()
    assert {owner.name for pod in pods for owner in pod.metadata.owner_references} == {"rs"}
    assert "orphan" in {pod.metadata.name for pod in pods}
    victim = pods[0].metadata
    await world.client.delete(Pod, victim.name, "test")
    await world.until(lambda: world.gone(Pod, victim.name, "test"))
    await world.until(settled)

    async def events() -> bool:
        found = (await world.client.list(Event, "test")).items
        return any(
            event.reason == "SuccessfulCreate" and event.message.startswith("Created pod: rs-") for event in found
        )

    await world.until(events)


async def test_a_pod_that_no_longer_matches_is_released_and_replaced(world: World) -> None:
    await world.client.create(deployment(replicas=1))
    await world.until(lambda: rolled_out(world, "app:1", 1))
    (pod,) = await world.pods()
    await world.change(Pod, pod.metadata.name, "test", lambda obj: obj.metadata.labels.update(app="debug"))

    async def released() -> bool:
        pods = await world.pods()
        return len(pods) == 2 and any(not item.metadata.owner_references for item in pods)

    await world.until(released)


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
async def test_a_deployment_rolls_to_a_new_template_and_back(world: World, strategy: str) -> None:
    await world.client.create(deployment(strategy=strategy))
    await world.until(lambda: rolled_out(world, "app:1"))
    await world.change(Deployment, "web", "test", set_image("app:2"))
    await world.until(lambda: rolled_out(world, "app:2"))

    async def complete() -> bool:
        found = await world.client.get(Deployment, "web", "test")
        progressing = condition(found.status.conditions, "Progressing")
        available = condition(found.status.conditions, "Available")
        return (
            progressing is not None
            and progressing.reason == "NewReplicaSetAvailable"
            and available is not None
            and available.reason == "MinimumReplicasAvailable"
        )

    await world.until(complete)
    found = await world.client.get(Deployment, "web", "test")
    assert found.metadata.annotations["deployment.kubernetes.io/revision"] == "2"
    assert found.metadata.generation == 2  # its template's change, and nobody else's
    await world.change(Deployment, "web", "test", set_image("app:1"))  # what `rollout undo` does
    await world.until(lambda: rolled_out(world, "app:1"))
    sets = await world.replica_sets()
    assert len(sets) == 2
    back = next(item for item in sets if image_of(item) == "app:1")
    assert back.metadata.annotations["deployment.kubernetes.io/revision"] == "3"
    assert back.metadata.annotations["deployment.kubernetes.io/revision-history"] == "1"


async def test_a_broken_image_stops_the_rollout_with_the_old_pods_serving(world: World) -> None:
    await world.client.create(deployment(replicas=4, progress_deadline_seconds=1))
    await world.until(lambda: rolled_out(world, "app:1", 4))
    world.broken_images.add("app:bad")
    await world.change(Deployment, "web", "test", set_image("app:bad"))

    async def timed_out() -> bool:
        found = await world.client.get(Deployment, "web", "test")
        progressing = condition(found.status.conditions, "Progressing")
        return progressing is not None and progressing.reason == "ProgressDeadlineExceeded"

    await world.until(timed_out)
    pods = await world.pods()
    assert sum(image_of(pod) == "app:1" for pod in pods) == 3  # 4, of which 25 % may be unavailable
    assert len(pods) == 5


async def test_pausing_holds_the_template_back_but_not_the_scale(world: World) -> None:
    await world.client.create(deployment(replicas=2))
    await world.until(lambda: rolled_out(world, "app:1", 2))

    def pause(obj: Deployment) -> None:
        obj.spec.paused = True
        obj.spec.replicas = 5
        obj.spec.template.spec.containers[0].image = "app:2"

    await world.change(Deployment, "web", "test", pause)

    async def scaled() -> bool:
        pods = await world.pods()
        found = await world.client.get(Deployment, "web", "test")
        reasons = {item.reason for item in found.status.conditions}
        return len(pods) == 5 and "DeploymentPaused" in reasons

    await world.until(scaled)
    assert {image_of(pod) for pod in await world.pods()} == {"app:1"}
    await world.change(Deployment, "web", "test", lambda obj: setattr(obj.spec, "paused", None))
    await world.until(lambda: rolled_out(world, "app:2", 5))


async def test_controllers_killed_in_a_rollout_finish_it_later(world: World) -> None:
    await world.client.create(deployment(replicas=6))
    await world.until(lambda: rolled_out(world, "app:1", 6))
    await world.change(Deployment, "web", "test", set_image("app:2"))
    for _ in range(4):
        await world.kill_controllers()
        await world.start_controllers()
    await world.until(lambda: rolled_out(world, "app:2", 6))


async def test_history_is_trimmed(world: World) -> None:
    await world.client.create(deployment(replicas=1, revision_history_limit=1))
    for number in (1, 2, 3):
        if number > 1:
            await world.change(Deployment, "web", "test", set_image(f"app:{number}"))
        await world.until(lambda image=f"app:{number}": rolled_out(world, image, 1))  # type: ignore[misc]

    async def trimmed() -> bool:
        return {image_of(item) for item in await world.replica_sets()} == {"app:2", "app:3"}

    await world.until(trimmed)


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_deleting_a_deployment_takes_everything_with_it(world: World, policy: str) -> None:
    await world.client.create(deployment())
    await world.until(lambda: rolled_out(world, "app:1"))
    options = DeleteOptions(propagation_policy=policy)
    await world.client.delete(Deployment, "web", "test", options=options)

    async def empty() -> bool:
        return not await world.pods() and not await world.replica_sets()

    await world.until(empty)
    await world.until(lambda: world.gone(Deployment, "web", "test"))


async def test_orphaning_sets_dependents_free(world: World) -> None:
    await world.client.create(deployment())
    await world.until(lambda: rolled_out(world, "app:1"))
    await world.client.delete(Deployment, "web", "test", options=DeleteOptions(propagation_policy="Orphan"))
    await world.until(lambda: world.gone(Deployment, "web", "test"))
    (replica_set,) = await world.replica_sets()
    assert replica_set.metadata.owner_references == []
    assert len(await world.pods()) == 3
