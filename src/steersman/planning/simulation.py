"""Carries a scenario out: its nodes join, its workloads are applied, and its events happen one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from steersman.api import labels
from steersman.api.errors import StatusError, is_already_exists, is_not_found
from steersman.api.meta import controller_of
from steersman.api.scheme import Object
from steersman.api.types.apps_v1 import Deployment, ReplicaSet
from steersman.api.types.core_v1 import Namespace, Node, Pod, ServiceAccount
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.types.policy_v1 import Eviction
from steersman.api.types.scheduling_v1 import PriorityClass
from steersman.client.client import Patch
from steersman.controllers.kit.conditions import condition

from . import report
from .faults import ScenarioError
from .happenings import Add, Befall, Happening, Scale, Wait
from .observer import Observer, label, longest_toleration
from .pools import Pool
from .report import Report, Step
from .scenario import Scenario
from .workloads import Workload
from .world import World, world

T = TypeVar("T")

WRITES = 64
"""Under way at a time."""

PULSE = 5.0
"""So many seconds pass between two looks at whether anything changes still."""

CALM = 15.0
"""The cluster is at rest when nothing has changed for so long, and nobody waits to be evicted."""

PATIENCE = 130.0
"""More than passes between two nodes that are given up one after the other; beside the pods' own patience."""

LONGEST = 24 * 3600.0
"""After that, what still changes is left to change."""

DRAIN_RETRY = 5.0
DRAIN_PATIENCE = 600.0

TYPES: dict[str, type[Deployment | ReplicaSet]] = {"deployment": Deployment, "replicaset": ReplicaSet}


Say = Callable[[str, float], None]
"""Is told of the event that happens, and how many seconds it has taken by the cluster's clock."""


def _silent(title: str, seconds: float) -> None:
    """Tell nobody."""


async def simulate(scenario: Scenario, *, seed: int = 0, say: Say = _silent) -> Report:
    """The answer to a scenario.  Raises ScenarioError for what the API server refuses."""
    try:
        return await _simulate(scenario, seed, say)
    except BaseExceptionGroup as group:  # of the tasks of the components, which the fault has ended
        fault: BaseException | None = group.subgroup(ScenarioError)
        while isinstance(fault, BaseExceptionGroup):
            fault = fault.exceptions[0]
        if fault is None:
            raise
        raise fault from fault.__cause__


async def _simulate(scenario: Scenario, seed: int, say: Say) -> Report:
    adds = [each.what.pools for each in scenario.happenings if isinstance(each.what, Add)]
    count = sum(pool.count for pools in (scenario.nodes, *adds) for pool in pools)
    async with world(count, random.Random(seed)) as made, _observing(made) as observer:
        simulation = Simulation(made, observer, say)
        steps = [await simulation.begin(scenario)]
        happenings = list(scenario.happenings)
        while happenings:
            happening = happenings.pop(0)
            wait: Wait | None = None
            if not isinstance(happening.what, Wait) and happenings and isinstance(happenings[0].what, Wait):
                wait = happenings[0].what
                text = f"{happening.text}, {happenings.pop(0).text}"
                happening = msgspec.structs.replace(happening, text=text)
            steps.append(await simulation.step(happening, wait))
        return Report(scenario=scenario.name, seed=seed, steps=steps)


@contextlib.asynccontextmanager
async def _observing(made: World) -> AsyncIterator[Observer]:
    observer = Observer(made.client, made.clock)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run(), name="observer") for each in (observer.nodes, observer.pods)]
        await observer.nodes.synced()
        await observer.pods.synced()
        yield observer
        for task in tasks:
            task.cancel()


class Simulation:
    """The world in the course of a scenario."""

    def __init__(self, made: World, observer: Observer, say: Say) -> None:
        self._world = made
        self._client = made.client
        self._clock = made.clock
        self._observer = observer
        self._say = say
        self._count = 0
        self._notes: list[str] = []

    # Steps --------------------------------------------------------------------------------------------------------

    async def begin(self, scenario: Scenario) -> Step:
        """Nodes and workloads."""

        async def start() -> None:
            await self._join(scenario.nodes, "nodes")
            await self._apply(scenario.workloads)

        return await self._step("start", start, None)

    async def step(self, happening: Happening, wait: Wait | None) -> Step:
        """An event, and what it leads to, as far as it comes while it waits."""
        what = happening.what

        async def happen() -> None:
            if isinstance(what, Befall):
                await self._befall(what)
            elif isinstance(what, Scale):
                await self._scale(what, happening.path)
            elif isinstance(what, Add):
                await self._join(what.pools, happening.path)

        return await self._step(happening.text, happen, what if isinstance(what, Wait) else wait)

    async def _step(self, title: str, act: Callable[[], Awaitable[None]], wait: Wait | None) -> Step:
        begun = self._clock.monotonic()
        self._observer.begin()
        self._notes = []
        self._say(title, 0.0)
        await act()
        if wait is not None:
            await self._clock.advance(max(0.0, wait.seconds - (self._clock.monotonic() - begun)))
            took, settled = self._clock.monotonic() - begun, self._rests()
        else:
            settled = await self._rest(title, begun)
            took = max(0.0, self._observer.last - begun)
        self._notes += await self._unmade()
        await self._world.forget()
        return self._report(title, begun, took, settled)

    async def _rest(self, title: str, begun: float) -> bool:
        """Let time pass until nothing changes any more; whether it came to that."""
        await self._clock.advance(0)
        while not self._rests():
            if self._clock.monotonic() - begun > LONGEST:
                return False
            await self._clock.advance(PULSE)
            self._say(title, self._clock.monotonic() - begun)
        return True

    def _rests(self) -> bool:
        calm = self._clock.monotonic() - self._observer.last
        if calm < CALM:
            return False
        return not self._observer.awaits_eviction() or calm > PATIENCE + longest_toleration(self._observer.pods)

    async def _unmade(self) -> list[str]:
        """Why pods that are wanted are not even there."""
        found = []
        for replica_set in (await self._client.list(ReplicaSet)).items:
            failure = condition(replica_set.status.conditions, "ReplicaFailure")
            if failure is None or failure.status != "True":
                continue
            owner = controller_of(replica_set.metadata)
            kind, name = (owner.kind, owner.name) if owner is not None else ("ReplicaSet", replica_set.metadata.name)
            found.append(f"{label(kind, name, replica_set.metadata.namespace)}: {failure.message}")
        return sorted(found)

    def _report(self, title: str, begun: float, took: float, settled: bool) -> Step:
        observer = self._observer
        nodes, pods = observer.nodes.lister.list(), observer.pods.lister.list()
        uses = report.node_uses(nodes, pods)
        return Step(
            title=title,
            at=round(begun, 1),
            took=round(took, 1),
            settled=settled,
            silenced=round(max(observer.silenced) - begun, 1) if observer.silenced else None,
            notes=self._notes,
            zones=report.zone_uses(uses),
            workloads=report.workload_uses(self._wanted, nodes, pods, observer.lowest),
            unscheduled=report.unscheduled(pods),
            evictions=report.evictions(observer.departures, begun),
            nodes=uses,
        )

    # Acts ---------------------------------------------------------------------------------------------------------

    async def _join(self, pools: Iterable[Pool], path: str) -> None:
        for number, pool in enumerate(pools):
            nodes = pool.nodes(self._count, self._clock.now().replace(microsecond=0))
            self._count += len(nodes)
            try:
                await _all(self._client.create, nodes)
            except StatusError as error:
                raise ScenarioError(f"{path}[{number}]", str(error)) from error
        await self._clock.advance(0)

    async def _apply(self, workloads: Sequence[Workload]) -> None:
        self._wanted: dict[str, int] = {}
        objects = [each.object for each in workloads]
        named = {obj.metadata.name for obj in objects if isinstance(obj, Namespace)}
        missing = {obj.metadata.namespace for obj in objects} - named - {"", "default", "kube-system", "kube-public"}
        made = [Workload(f"namespace {name}", Namespace(metadata=ObjectMeta(name=name))) for name in sorted(missing)]
        for path, obj in [*made, *sorted(workloads, key=lambda each: _rank(each.object))]:
            if isinstance(obj, Deployment | ReplicaSet | Pod):
                await self._clock.advance(0)  # a new namespace gets the service account that pods need
                replicas = 1 if isinstance(obj, Pod) else obj.spec.replicas
                name = label(obj.kind, obj.metadata.name, obj.metadata.namespace)
                self._wanted[name] = 1 if replicas is None else replicas
            try:
                await self._client.create(obj)
            except StatusError as error:
                if is_already_exists(error) and isinstance(obj, Namespace | ServiceAccount):
                    continue
                raise ScenarioError(path, str(error)) from error

    async def _scale(self, what: Scale, path: str) -> None:
        type_ = TYPES[what.kind]
        body = msgspec.json.encode({"spec": {"replicas": what.replicas}})
        try:
            await self._client.patch(type_, what.name, Patch("application/merge-patch+json", body), what.namespace)
        except StatusError as error:
            raise ScenarioError(f"{path}: scale {what.kind}/{what.name}", str(error)) from error
        self._wanted[label(type_.__name__, what.name, what.namespace)] = what.replicas

    async def _befall(self, what: Befall) -> None:
        marks = {"zone": labels.TOPOLOGY_ZONE, "region": labels.TOPOLOGY_REGION, "node": labels.HOSTNAME}
        nodes = [
            node
            for node in self._observer.nodes.lister.list()
            if node.metadata.labels.get(marks[what.scope]) == what.name
        ]
        nodes.sort(key=lambda node: node.metadata.name)
        if what.fate == "fails":
            await self._patch(nodes, {"metadata": {"annotations": {labels.SIMULATED_NODE: None}}})
        elif what.fate == "returns":
            back = {"metadata": {"annotations": {labels.SIMULATED_NODE: "fake"}}, "spec": {"unschedulable": None}}
            await self._patch(nodes, back)
        else:
            await self._patch(nodes, {"spec": {"unschedulable": True}})
            await self._clock.advance(0)
            for node in nodes:
                await self._drain(node.metadata.name)

    async def _patch(self, nodes: Sequence[Node], change: dict[str, Any]) -> None:
        patch = Patch("application/merge-patch+json", msgspec.json.encode(change))

        async def write(node: Node) -> None:
            await self._client.patch(Node, node.metadata.name, patch)

        await _all(write, nodes)

    async def _drain(self, node: str) -> None:
        """Evict the pods of a node, as ``kubectl drain --force`` does; where that is refused, again and again."""
        begun = self._clock.monotonic()
        while pods := [pod for pod in self._observer.pods.lister.by_index("node", node) if _stays(pod)]:
            refusals: list[str] = []

            async def evict(pod: Pod, refusals: list[str] = refusals) -> None:
                name, namespace = pod.metadata.name, pod.metadata.namespace
                body = Eviction(metadata=ObjectMeta(name=name, namespace=namespace))
                try:
                    await self._client.create_subresource(Pod, name, "eviction", body, namespace)
                except StatusError as error:
                    if not is_not_found(error):
                        refusals.append(f"node {node}: {error}")

            if not self._notes and any(controller_of(pod.metadata) is None for pod in pods):
                self._notes.append("pods that nothing controls were evicted, too, and do not come back")
            await _all(evict, sorted(pods, key=lambda pod: (pod.metadata.namespace, pod.metadata.name)))
            await self._clock.advance(0)
            if refusals:
                if self._clock.monotonic() - begun > DRAIN_PATIENCE:
                    self._notes += sorted(set(refusals))
                    return
                await self._clock.advance(DRAIN_RETRY)


def _rank(obj: Object) -> int:
    """What others refer to comes first."""
    return 0 if isinstance(obj, Namespace) else 1 if isinstance(obj, ServiceAccount | PriorityClass) else 2


def _stays(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is None and pod.status.phase not in ("Succeeded", "Failed")


async def _all(write: Callable[[T], Awaitable[object]], items: Sequence[T]) -> None:
    """Write many things, a bounded number at a time."""
    for start in range(0, len(items), WRITES):
        await asyncio.gather(*(write(item) for item in items[start : start + WRITES]))
