"""Simulated nodes as a component."""

from __future__ import annotations

import asyncio
import logging
import random
import zlib
from collections.abc import Awaitable, Callable, Iterator

import msgspec

from steersman.api import labels
from steersman.api.clock import SYSTEM, Clock
from steersman.api.errors import StatusError, is_already_exists
from steersman.api.types.core_v1 import Node, Pod
from steersman.client.client import Client, EventType, Selectors
from steersman.client.events import EventRecorder
from steersman.client.informer import Informer
from steersman.client.reflector import SLICE, Reflector

from .addresses import AddressPool, Exhausted, Networks
from .config import SimulationConfig
from .crew import Crew
from .general import recover
from .heartbeats import Heartbeats
from .keeper import Keeper
from .node import SimulatedNode
from .other_objects import OtherObjects
from .ownership import FAKE, mark_of
from .pod_status import TERMINAL
from .shape import NodeShape, internal_ip
from .stage import Amend, Stage, Subject, resource_of

log = logging.getLogger(__name__)

COMPONENT = "kubelet"
BOUND = Selectors(fields="spec.nodeName!=")
RETRY = 1.0

MOST_STRANGERS = 10_000
"""Where there were pods on more nodes that are not ours, the pods of any node that comes are looked for."""


class _Pods(Reflector[Pod]):
    """All pods that are bound.  They are not kept: what is to become of them is decided when they change."""

    def __init__(
        self,
        client: Client,
        replace: Callable[[list[Pod]], Awaitable[None]],
        change: Callable[[EventType, Pod], None],
        clock: Clock,
    ) -> None:
        super().__init__(client, Pod, selectors=BOUND, clock=clock)
        self._replace = replace
        self._change = change

    async def replace(self, objects: list[Pod]) -> None:
        await self._replace(objects)

    def change(self, type_: EventType, obj: Pod) -> None:
        try:
            self._change(type_, obj)
        except Exception:  # one pod's fault must not stop the others
            log.exception("cannot decide about pod %s/%s", obj.metadata.namespace, obj.metadata.name)


def _makes_ready(stage: Stage, subject: Subject) -> bool:
    """Whether a node that has no condition gets one by a stage that says whether it is ready."""
    try:
        if not stage.matches(subject):
            return False
        outcome = stage.next(subject)
    except Exception:  # it is told when the node goes through the stage
        return False
    if outcome.status is not None:
        return any(each.type == "Ready" for each in outcome.status.conditions)
    return any(isinstance(act, Amend) and b'"type":"Ready"' in act.patch.body for act in outcome.acts)


class SimulatedNodes:
    """Looks after simulated nodes until cancelled; ``ready`` is set once those it is to create are there."""

    def __init__(
        self,
        config: SimulationConfig,
        client: Client,
        *,
        clock: Clock = SYSTEM,
        rng: random.Random | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self._config = config
        self._client = client
        self._clock = clock
        rng = rng or random.Random()
        self._nodes: dict[str, SimulatedNode] = {}
        self._strangers: set[str] = set()
        """Names of other nodes that had pods, of those that were ours, too."""
        self._too_many = False
        """Whether there are others of which nobody knows any more."""
        # Others, of other marks, give out addresses of the same ranges.
        begin = 0.0 if config.mark == FAKE else zlib.crc32(config.mark.encode()) / 2**32
        self._addresses = AddressPool(config.node_addresses, begin)
        self._networks = Networks(config.pod_networks, begin)
        self._elsewhere = AddressPool(config.pod_addresses, begin)
        self._node_informer: Informer[Node] = Informer(client, Node, clock=clock)
        self._events = EventRecorder(client, COMPONENT, clock=clock)
        self._rng = rng
        stages: dict[tuple[str, str], list[Stage]] = {}
        for stage in config.stages:
            stages.setdefault(stage.is_of, []).append(stage)
        node_stages = tuple(stages.pop(("v1", "Node"), ()))
        self._node_stages = tuple(stage for stage in node_stages if stage.next is not recover)
        pod_stages = tuple(stages.pop(("v1", "Pod"), ()))
        self._others = [
            OtherObjects(resource_of(*kind), tuple(found), client, clock, rng, self._events, config.workers)
            for kind, found in stages.items()
        ]
        self._node_keeper: Keeper[Node] = Keeper(
            Node, node_stages, client, clock, rng, self._events, config.workers, self._place_of_node
        )
        self._pod_keeper: Keeper[Pod] = Keeper(
            Pod, pod_stages, client, clock, rng, self._events, config.workers, self._place_of_pod, self._lost
        )
        self._pods = _Pods(client, self._replace_pods, self._change_pod, clock)
        self._heartbeats = Heartbeats(
            config, client, clock, rng, lambda: config.renewal_of(len(self._nodes)), self._current
        )
        self._missing = 0
        self._registration: Crew[tuple[NodeShape, int]] = Crew("simulated nodes", config.workers, self._register)
        self._newcomers: Crew[str] = Crew("simulated newcomers", 4, self._look_for_pods)

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What it does now, and whether a stage comes within so many seconds; nothing while at rest."""
        for crew in (self._registration, self._newcomers):
            yield from crew.unfinished()
        yield from self._heartbeats.unfinished()
        yield from self._node_keeper.unfinished(soon)
        yield from self._pod_keeper.unfinished(soon)
        yield from self._node_informer.unfinished()
        yield from self._pods.unfinished()
        for other in self._others:
            yield from other.unfinished_within(soon)
        yield from self._events.unfinished()

    def hurry(self, within: float) -> list[str]:
        """Write at once what could not be written and is to be tried again; stages come in their time."""
        others = [what for other in self._others for what in (*other.keeper.hurry(), *other.hurry())]
        informers = (*self._node_informer.hurry(), *self._pods.hurry())
        return [*self._node_keeper.hurry(), *self._pod_keeper.hurry(), *others, *self._events.hurry(), *informers]

    async def run(self) -> None:
        """Work until cancelled."""
        self._node_informer.add_handler(self._node_added, self._node_updated, self._node_deleted)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._events.run(), name="simulated events")
            group.create_task(self._node_informer.run(), name="simulated nodes informer")
            await self._node_informer.synced()
            group.create_task(self._pods.run(), name="simulated pods")
            group.create_task(self._newcomers.run(), name="simulated newcomers")
            group.create_task(self._node_keeper.run(), name="simulated nodes' stages")
            group.create_task(self._pod_keeper.run(), name="simulated pods' stages")
            group.create_task(self._heartbeats.run_renewals(), name="simulated leases")
            group.create_task(self._heartbeats.run_reports(), name="simulated node statuses")
            for other in self._others:
                group.create_task(other.serve(), name=f"simulated {other.resource.kind}")
            for missing in self._to_create():
                self._missing += 1
                self._registration.add(missing)
            registration = group.create_task(self._registration.run(), name="simulated registrations")
            await self._pods.synced()
            if not self._missing:
                self.ready.set()
            await self.ready.wait()
            registration.cancel()

    # Nodes ----------------------------------------------------------------------------------------------------

    def _to_create(self) -> Iterator[tuple[NodeShape, int]]:
        older: dict[str, list[str]] = {}
        for shape in self._config.nodes:
            for number in range(shape.count):
                present = self._node_informer.lister.get(shape.node_name(number))
                if present is None:
                    yield shape, number
                elif not self._is_ours(present):
                    mark = mark_of(present)
                    whose = f"its mark is {mark!r}" if mark is not None else "it is not simulated"
                    log.warning("there is a node %s already, which is left alone: %s", present.metadata.name, whose)
                elif not self._node_stages and (differences := shape.differences(number, present)):
                    older.setdefault(", ".join(differences), []).append(present.metadata.name)
        for what, names in older.items():
            which = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
            log.warning("already there, and keeping %s that are others than those said now: %s", what, which)

    def _is_ours(self, node: Node) -> bool:
        return mark_of(node) == self._config.mark

    async def _register(self, missing: tuple[NodeShape, int]) -> None:
        shape, number = missing
        name = shape.node_name(number)
        try:
            await self._create(shape, number, name, self._addresses.take(name))
        except Exhausted as error:
            log.warning("node %s is not registered: %s", name, error)
        self._missing -= 1
        if not self._missing and self._pods.has_synced:
            self.ready.set()

    async def _create(self, shape: NodeShape, number: int, name: str, address: str) -> None:
        """Until it is there, whoever made it."""
        network = self._networks.take(shape.pods)
        node = self._registered(shape.node(number, address, network, self._clock.now().replace(microsecond=0)), address)
        while True:
            try:
                await self._client.create(node)
                return
            except StatusError as error:
                if is_already_exists(error):
                    return
                log.warning("cannot register node %s: %s", name, error)
                await self._clock.sleep(RETRY)

    def _registered(self, node: Node, address: str) -> Node:
        """As it registers: ready, unless a stage of a file is to make it so."""
        node.metadata.annotations[labels.SIMULATED_NODE] = self._config.mark
        if not self._node_stages:
            return node
        new = msgspec.structs.replace(node, status=msgspec.structs.replace(node.status, conditions=[], addresses=[]))
        place = SimulatedNode(new, address, self._elsewhere, self._clock.now())
        subject = Subject(new, place, self._clock.now(), self._rng)
        return new if any(_makes_ready(stage, subject) for stage in self._node_stages) else node

    def _node_added(self, node: Node) -> None:
        if not self._is_ours(node):
            if address := internal_ip(node):
                self._addresses.mark(address, node.metadata.name)
            if node.spec.pod_cidr:
                self._networks.mark(node.spec.pod_cidr)
            return
        name = node.metadata.name
        if address := internal_ip(node):
            self._addresses.mark(address, name)
        if node.spec.pod_cidr:
            self._networks.mark(node.spec.pod_cidr)
        try:
            place = SimulatedNode(node, address or self._addresses.take(name), self._elsewhere, self._clock.now())
        except Exhausted as error:
            log.warning("node %s is not looked after: %s", name, error)
            return
        self._nodes[name] = place
        self._heartbeats.start(place)
        self._node_keeper.observe(node)
        if self._too_many or name in self._strangers:
            self._strangers.discard(name)
            self._newcomers.add(name)

    def _node_updated(self, old: Node, new: Node) -> None:
        place = self._nodes.get(new.metadata.name)
        if place is not None and place.uid == new.metadata.uid and self._is_ours(new):
            was_ready = place.ready
            place.update(new)
            self._node_keeper.observe(new)
            if place.recovered and not was_ready:
                self._newcomers.add(place.name)
        elif place is not None or self._is_ours(new):
            self._node_deleted(old)
            self._node_added(new)

    def _node_deleted(self, node: Node) -> None:
        if (place := self._nodes.pop(node.metadata.name, None)) is not None:
            self._node_keeper.forget(node)
            self._addresses.release(place.address, place.name)
            self._remember(place.name)

    def _remember(self, name: str) -> None:
        """Pods of a node that is not ours are looked for if it comes, or comes back."""
        if len(self._strangers) < MOST_STRANGERS or name in self._strangers:
            self._strangers.add(name)
        else:
            self._too_many = True

    def _current(self, place: SimulatedNode) -> Node | None:
        """The node of a place; None where it is gone."""
        if self._nodes.get(place.name) is not place:
            return None
        return self._node_informer.lister.get(place.name)

    async def _look_for_pods(self, name: str) -> None:
        """Decide about the pods of a node that was not ours before, or not ready."""
        while True:
            try:
                page = await self._client.list(Pod, selectors=Selectors(fields=f"spec.nodeName={name}"))
                break
            except StatusError as error:
                log.warning("cannot list the pods of node %s: %s", name, error)
                await self._clock.sleep(RETRY)
        for pod in page.items:
            self._observe(pod)

    def _place_of_node(self, node: Node) -> SimulatedNode | None:
        return self._nodes.get(node.metadata.name)

    # Pods -----------------------------------------------------------------------------------------------------

    def _place_of_pod(self, pod: Pod) -> SimulatedNode | None:
        return self._nodes.get(pod.spec.node_name)

    async def _replace_pods(self, pods: list[Pod]) -> None:
        self._strangers.clear()
        self._too_many = False
        there = {pod.metadata.uid for pod in pods}
        self._pod_keeper.retain(there)

        def has_addresses(uid: str) -> bool:
            return uid in there or self._pod_keeper.is_busy(uid)

        self._elsewhere.retain(has_addresses)
        for number, place in enumerate([*self._nodes.values()], 1):
            place.retain_addresses(has_addresses)
            if number % SLICE == 0:
                await asyncio.sleep(0)
        for number, pod in enumerate(pods, 1):
            self._observe(pod)
            if number % SLICE == 0:
                await asyncio.sleep(0)

    def _change_pod(self, type_: EventType, pod: Pod) -> None:
        if type_ != "DELETED":
            self._observe(pod)
            return
        self._pod_keeper.forget(pod)
        if (place := self._nodes.get(pod.spec.node_name)) is not None and not pod.spec.host_network:
            place.release_addresses((each.ip for each in pod.status.pod_ips), pod.metadata.uid)

    def _observe(self, pod: Pod) -> None:
        place = self._nodes.get(pod.spec.node_name)
        if place is None:
            self._remember(pod.spec.node_name)
            return
        if pod.status.pod_ip and not pod.spec.host_network:
            account = place.release_addresses if pod.status.phase in TERMINAL else place.mark_addresses
            account([each.ip for each in pod.status.pod_ips], pod.metadata.uid)
        self._pod_keeper.observe(pod)

    def _lost(self, pod: Pod, addresses: list[str]) -> None:
        """Addresses were given, and not written."""
        if (place := self._nodes.get(pod.spec.node_name)) is not None:
            place.release_addresses(addresses, pod.metadata.uid)
