from __future__ import annotations

import asyncio

import pytest

from fixtures.fake_client import FakeClient
from steersman.api import errors
from steersman.api.types.coordination_v1 import Lease
from steersman.client.leader_election import LeaderElection
from steersman.testing.turnable_clock import TurnableClock


def election(client: FakeClient, identity: str) -> LeaderElection:
    return LeaderElection(client, "lock", identity, lease_duration=1.0, renew_deadline=0.5, retry_period=0.02)


async def test_one_leads_and_the_next_takes_over_at_once_when_released() -> None:
    client = FakeClient()
    order: list[str] = []

    async def lead(identity: str) -> None:
        async with election(client, identity):
            order.append(f"+{identity}")
            await asyncio.sleep(0.1)
            order.append(f"-{identity}")

    async with asyncio.timeout(10):
        await asyncio.gather(lead("a"), lead("b"), lead("c"))
    assert len(order) == 6
    for start, end in zip(order[::2], order[1::2], strict=True):
        assert (start[0], end[0], start[1:]) == ("+", "-", end[1:])
    lease = await client.get(Lease, "lock", "kube-system")
    assert (lease.spec.holder_identity, lease.spec.lease_transitions) == ("", 2)


@pytest.mark.parametrize("fault", [errors.service_unavailable("no"), LookupError("a fault of ours")])
async def test_a_holder_that_cannot_renew_loses_and_another_takes_over(fault: Exception) -> None:
    client = FakeClient()

    def refuse(verb: str, obj: object) -> None:
        if isinstance(obj, Lease) and obj.spec.holder_identity == "a":
            raise fault

    async with asyncio.timeout(10):
        async with election(client, "a") as leadership:
            client.fail = refuse
            await leadership.lost()
        async with election(client, "b"):
            lease = await client.get(Lease, "lock", "kube-system")
            assert lease.spec.holder_identity == "b"


async def test_a_leader_that_died_is_followed_once_its_lease_is_over_by_the_clock() -> None:
    client, clock, led = FakeClient(), TurnableClock(frozen=True), list[tuple[str, float]]()

    async def work(identity: str) -> None:
        async with LeaderElection(client, "lock", identity, clock=clock):
            led.append((identity, clock.monotonic()))
            await asyncio.Event().wait()

    first = asyncio.create_task(work("a"))
    await clock.advance(0)
    second = asyncio.create_task(work("b"))
    await clock.advance(3600)
    assert led == [("a", 0.0)]  # who renews leads on

    def die(verb: str, obj: object) -> None:
        if getattr(getattr(obj, "spec", None), "holder_identity", None) != "b":
            raise errors.service_unavailable("cut off")

    client.fail = die
    await clock.advance(12)
    assert [who for who, _ in led] == ["a"]
    await clock.advance(8)
    assert [who for who, _ in led] == ["a", "b"]
    assert 3612 < led[1][1] <= 3620
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
