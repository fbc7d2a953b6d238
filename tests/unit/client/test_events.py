from __future__ import annotations

import asyncio

from fixtures.fake_client import FakeClient
from steersman.api import errors
from steersman.api.types.core_v1 import ConfigMap, Event
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client import events
from steersman.client.events import EventRecorder
from steersman.testing.turnable_clock import TurnableClock

SUBJECT = ConfigMap(metadata=ObjectMeta(name="x", namespace="ns", uid="u"))


async def sent(client: FakeClient, recorder: EventRecorder) -> list[Event]:
    task = asyncio.create_task(recorder.run())
    async with asyncio.timeout(5):
        await recorder.flushed()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return (await client.list(Event)).items


async def test_says_who_and_what_and_counts() -> None:
    client = FakeClient()
    recorder = EventRecorder(client, "kubelet", "node-1")
    for _ in range(3):
        recorder.event(SUBJECT, "Warning", "Failed", "it broke")
    (event,) = await sent(client, recorder)
    assert event.metadata.namespace == "ns"
    assert event.metadata.name.startswith("x.")
    assert (event.involved_object.kind, event.involved_object.name, event.involved_object.uid) == (
        "ConfigMap",
        "x",
        "u",
    )
    assert (event.type, event.reason, event.message, event.count) == ("Warning", "Failed", "it broke", 3)
    assert (event.source.component, event.source.host) == ("kubelet", "node-1")
    assert (event.reporting_component, event.reporting_instance) == ("kubelet", "node-1")


async def test_similar_events_are_combined_and_floods_cut_off() -> None:
    client = FakeClient()
    recorder = EventRecorder(client, "c", clock=TurnableClock(frozen=True))
    for number in range(40):
        recorder.event(SUBJECT, "Normal", "Created", f"pod {number}")
    written = await sent(client, recorder)
    assert len(written) == events.SIMILAR_EVENTS
    combined = [event for event in written if event.message.startswith("(combined from similar events): ")]
    assert [event.count for event in combined] == [events.SPAM_BURST - events.SIMILAR_EVENTS + 1]
    assert recorder.dropped == 40 - events.SPAM_BURST


async def test_the_queue_is_bounded_and_rejections_are_final() -> None:
    client = FakeClient()
    recorder = EventRecorder(client, "c")

    def refuse(verb: str, obj: object) -> None:
        raise errors.forbidden("events", "", "namespace ns is being terminated")

    client.fail = refuse
    for _ in range(events.QUEUE_LENGTH + 5):
        recorder.event(SUBJECT, "Normal", "R", "m")
    assert recorder.dropped == 5
    assert await sent(client, recorder) == []


async def test_what_is_to_be_tried_again_waits_and_can_be_hurried() -> None:
    client, clock = FakeClient(), TurnableClock(frozen=True)
    recorder = EventRecorder(client, "c", clock=clock)
    tries = 0

    def refuse(verb: str, obj: object) -> None:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise errors.too_many_requests("later", 1)

    client.fail = refuse
    recorder.event(SUBJECT, "Normal", "Created", "it is there")
    task = asyncio.create_task(recorder.run())
    while tries < 1 or [*recorder.unfinished()]:
        await asyncio.sleep(0)
    assert recorder.hurry() == ["c: event Created of ConfigMap x, and 0 more"]
    while tries < 2 or [*recorder.unfinished()]:
        await asyncio.sleep(0)
    await clock.advance(events.FIRST_RETRY)  # no longer than before: the try that was hurried does not count
    assert tries == 3
    await clock.advance(events.FIRST_RETRY)
    assert tries == 3
    await clock.advance(events.FIRST_RETRY)
    assert tries == 4
    async with asyncio.timeout(5):
        await recorder.flushed()
    assert recorder.hurry() == []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
