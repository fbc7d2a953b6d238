"""Who looks after which nodes: those of one mark are one simulation's, and a Lease says whose.

The mark of a node is the value of its annotation ``kwok.x-k8s.io/node``; ``fake`` is that of nodes which people make
as kwok has it.  Simulations of different marks share a cluster; of those of one mark, one works and the others wait.
"""

from __future__ import annotations

import re

import msgspec

from steersman.api import labels
from steersman.api.clock import SYSTEM, Clock
from steersman.api.errors import StatusError, is_already_exists, is_not_found
from steersman.api.time import now_micro
from steersman.api.types.coordination_v1 import Lease, LeaseSpec
from steersman.api.types.core_v1 import Node
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.client import Client

FAKE = "fake"

NAMESPACE = labels.NAMESPACE_SYSTEM
FOR_GOOD = 2**31 - 1
"""Seconds."""


def mark_of(node: Node) -> str | None:
    """The mark of a simulated node; None for others."""
    return node.metadata.annotations.get(labels.SIMULATED_NODE)


def mark_of_name(name: str) -> str:
    """The mark of nodes that are called so, ``{}`` being their number."""
    return name.replace("{}", "").strip("-.") or "nodes"


def check_mark(mark: str) -> None:
    """Raises ValueError for what no Lease can be called by."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?", mark):
        raise ValueError(f"{mark!r} is no mark of nodes: use small letters, digits, dashes and dots")


def lease_name(mark: str) -> str:
    """The Lease of a mark."""
    return "steersman-simulated-nodes" if mark == FAKE else f"steersman-simulated-nodes-{mark}"


async def holder(client: Client, mark: str) -> str:
    """Who holds the Lease of a mark, or did; empty for nobody.  Raises StatusError."""
    try:
        lease = await client.get(Lease, lease_name(mark), NAMESPACE)
    except StatusError as error:
        if is_not_found(error):
            return ""
        raise
    return lease.spec.holder_identity


async def hold_for_good(client: Client, mark: str, identity: str, clock: Clock = SYSTEM) -> None:
    """Hold the Lease of a mark as long as the API server is there: for who ends with it."""
    instant = now_micro(clock)
    spec = LeaseSpec(
        holder_identity=identity, lease_duration_seconds=FOR_GOOD, acquire_time=instant, renew_time=instant
    )
    wanted = Lease(metadata=ObjectMeta(name=lease_name(mark), namespace=NAMESPACE), spec=spec)
    try:
        await client.create(wanted)
    except StatusError as error:
        if not is_already_exists(error):
            raise
        present = await client.get(Lease, wanted.metadata.name, NAMESPACE)
        await client.update(msgspec.structs.replace(present, spec=spec))
