"""When stages come: on a clock that is turned, with what happens to objects in the meantime."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from steersman.api.errors import StatusError, conflict, invalid, not_found, service_unavailable
from steersman.api.types.core_v1 import Container, Pod, PodSpec, PodStatus
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.client import Client
from steersman.client.events import EventRecorder
from steersman.simulation.keeper import Keeper
from steersman.simulation.stage import Outcome, Stage, StageFault, Subject
from steersman.testing.turnable_clock import TurnableClock

from .test_stage_files import Here


class Store:
    """As much of a client as a keeper needs: the last version of a few pods, and what is to fail."""

    def __init__(self) -> None:
        self.pods: dict[str, Pod] = {}
        self.failures: list[StatusError] = []
        self.written: list[str] = []
        self.writing = asyncio.Event()

    async def get(self, _: object, name: str, namespace: str) -> Pod:
        if name not in self.pods:
            raise not_found("pods", name)
        return self.pods[name]

    async def update(self, pod: Pod, *, subresource: str) -> Pod:
        self.writing.set()
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.pods[pod.metadata.name] = pod
        self.written.append(pod.status.phase)
        return pod


def step(name: str, before: str, after: str, delay: float | None = None, **settings: Any) -> Stage:
    """From one phase to the next."""
    return Stage(
        name=name,
        kind="Pod",
        matches=lambda subject: subject.pod.status.phase == before,
        next=lambda subject: Outcome(status=PodStatus(phase=after)),
        delay=(lambda _: delay) if delay is not None else None,
        **settings,
    )


def pod(phase: str = "A", version: str = "1", name: str = "p") -> Pod:
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}", resource_version=version),
        spec=PodSpec(containers=[Container(name="c")], node_name="node-0"),
        status=PodStatus(phase=phase),
    )


class World:
    def __init__(self, *stages: Stage) -> None:
        self.store = Store()
        self.clock = TurnableClock(datetime(2026, 11, 21, tzinfo=UTC), frozen=True)
        client = cast("Client", self.store)
        recorder = EventRecorder(client, "kubelet", clock=self.clock)
        self.events: list[tuple[str, str, str, str]] = []
        recorder.event = lambda obj, *told: self.events.append((obj.metadata.name, *told))  # type: ignore[method-assign,union-attr]
        self.keeper: Keeper[Pod] = Keeper(
            Pod, stages, client, self.clock, random.Random(0), recorder, 2, lambda _: Here()
        )

    def tell(self, present: Pod) -> None:
        self.store.pods[present.metadata.name] = present
        self.keeper.observe(present)

    async def settle(self) -> None:
        while any(self.keeper.unfinished()):
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def working(*stages: Stage) -> AsyncIterator[World]:
    world = World(*stages)
    task = asyncio.create_task(world.keeper.run())
    yield world
    await world.settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_stage_comes_after_its_delay() -> None:
    async with working(step("ab", "A", "B", 5.0)) as world:
        world.tell(pod())
        await world.clock.advance(4.9)
        await world.settle()
        assert world.store.written == []
        assert [*world.keeper.unfinished()] == []
        assert [*world.keeper.unfinished(1.0)] == ["simulated Pod: the next stage of one"]
        await world.clock.advance(0.2)
        await world.settle()
        assert world.store.written == ["B"]


async def test_a_change_does_not_begin_the_delay_anew() -> None:
    async with working(step("ab", "A", "B", 5.0)) as world:
        world.tell(pod())
        await world.clock.advance(4.0)
        changed = pod(version="2")
        changed.metadata.labels = {"new": "yes"}
        world.tell(changed)
        await world.clock.advance(1.1)
        await world.settle()
        assert world.store.pods["p"].metadata.labels == {"new": "yes"}
        assert world.store.written == ["B"]


async def test_a_delay_that_moves_is_asked_again() -> None:
    delays = iter((5.0, 10.0))
    moving = msgspec.structs.replace(step("ab", "A", "B", delay_moves=True), delay=lambda _: next(delays))
    async with working(moving) as world:
        world.tell(pod())
        world.tell(pod(version="2"))
        await world.clock.advance(9.0)
        await world.settle()
        assert world.store.written == []
        await world.clock.advance(1.1)
        await world.settle()
        assert world.store.written == ["B"]


async def test_what_no_longer_matches_or_is_gone_goes_through_nothing() -> None:
    async with working(step("ab", "A", "B", 5.0)) as world:
        world.tell(pod())
        world.tell(pod("Z", "2"))
        world.tell(pod(name="q"))
        world.keeper.forget(pod(name="q"))
        world.tell(pod(name="r"))
        world.keeper.retain(set())
        await world.clock.advance(10.0)
        await world.settle()
        assert world.store.written == []


async def test_who_waits_long_is_asked_for_again() -> None:
    async with working(step("ab", "A", "B", 600.0)) as world:
        for name in ("p", "gone", "changed"):
            world.tell(pod(name=name))
        del world.store.pods["gone"]
        world.store.pods["changed"] = pod("Z", "2", "changed")
        world.store.pods["p"] = pod(version="7")
        await world.clock.advance(601.0)
        await world.settle()
        assert world.store.written == ["B"]
        assert world.store.pods["p"].metadata.resource_version == "7"


async def test_a_change_while_it_is_written_is_decided_about_afterwards() -> None:
    async with working(step("ab", "A", "B"), step("cd", "C", "D")) as world:
        world.tell(pod())
        await asyncio.wait_for(world.store.writing.wait(), 5)
        world.keeper.observe(pod("C", "2"))
        await world.settle()
        assert world.store.written == ["B", "D"]


async def test_a_lost_race_is_left_to_the_newer_version() -> None:
    async with working(step("ab", "A", "B")) as world:
        world.store.failures = [conflict("pods", "p", "changed")]
        world.tell(pod())
        await world.settle()
        await world.clock.advance(120.0)
        await world.settle()
        assert world.store.written == []
        world.tell(pod(version="2"))
        await world.settle()
        assert world.store.written == ["B"]


async def test_other_failures_are_tried_again() -> None:
    async with working(step("ab", "A", "B")) as world:
        world.store.failures = [service_unavailable("away"), service_unavailable("away")]
        world.tell(pod())
        await world.settle()
        await world.clock.advance(0.9)
        await world.settle()
        assert len(world.store.failures) == 1
        for _ in range(2):
            await world.clock.advance(2.0)
            await world.settle()
        assert world.store.written == ["B"]


async def test_an_immediate_stage_waits_for_nobody() -> None:
    async with working(step("ab", "A", "B", immediate_next=True), step("bc", "B", "C")) as world:
        world.tell(pod())
        await world.settle()
        assert world.store.written == ["B", "C"]


def faulty(error: Exception) -> Stage:
    def fail(_: Subject) -> Outcome:
        raise error

    return Stage(name="bad", kind="Pod", matches=lambda subject: subject.pod.status.phase == "X", next=fail)


@pytest.mark.parametrize(("error", "trace"), [(StageFault("nothing there"), False), (RuntimeError("oh"), True)])
async def test_a_fault_in_a_stage_hurts_nobody_else(
    error: Exception, trace: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with working(faulty(error), step("ab", "A", "B")) as world:
        for number in range(100):
            world.tell(pod("X", name=f"bad-{number}"))
        world.tell(pod())
        await world.settle()
        assert world.store.written == ["B"]
        assert caplog.messages == [f"stage bad of Pod default/bad-0: {error}"]
        assert bool(caplog.records[0].exc_info) is trace
        assert len(world.events) == 100
        assert world.events[0] == ("bad-0", "Warning", "FailedStage", f"stage bad: {error}")
        await world.clock.advance(61.0)
        world.tell(pod("X", name="late"))
        await world.settle()
        assert caplog.messages[1:] == [
            f"stage bad of Pod default/late: {error} (99 more failures of this stage before)"
        ]


async def test_a_selector_that_fails_does_not_match(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Subject) -> bool:
        raise StageFault("no such key: a")

    bad = msgspec.structs.replace(step("bad", "A", "C"), matches=fail)
    async with working(bad, step("ab", "A", "B")) as world:
        world.tell(pod())
        await world.settle()
        assert world.store.written == ["B"]
    assert caplog.messages == ["stage bad of Pod default/p: no such key: a"]


async def test_what_the_server_does_not_want_is_asked_for_seldom() -> None:
    async with working(step("ab", "A", "B")) as world:
        world.store.failures = [invalid("Pod", "p", []) for _ in range(2)]
        world.tell(pod())
        await world.settle()
        assert [event[1:3] for event in world.events] == [("Warning", "FailedStage")]
        await world.clock.advance(59.0)
        await world.settle()
        assert len(world.store.failures) == 1
        await world.clock.advance(2.0)
        await world.settle()
        assert (world.store.failures, world.store.written, len(world.events)) == ([], [], 1)
        await world.clock.advance(121.0)
        await world.settle()
        assert world.store.written == ["B"]


async def test_what_was_not_wanted_is_tried_anew_when_it_has_changed() -> None:
    async with working(step("ab", "A", "B")) as world:
        world.store.failures = [invalid("Pod", "p", [])]
        world.tell(pod())
        await world.settle()
        world.tell(pod(version="2"))
        await world.settle()
        assert world.store.written == ["B"]
        await world.clock.advance(7200.0)
        await world.settle()
        assert world.store.written == ["B"]


async def test_what_failed_can_be_hurried_and_comes_once() -> None:
    async with working(step("ab", "A", "B")) as world:
        world.store.failures = [service_unavailable("no"), service_unavailable("no")]
        world.tell(pod())
        await world.settle()
        for _ in range(2):
            assert world.keeper.hurry() == ["simulated Pod default/p"]
            await world.settle()
        assert world.store.written == ["B"]
        assert world.keeper.hurry() == []
        await world.clock.advance(10.0)
        assert world.store.written == ["B"]
