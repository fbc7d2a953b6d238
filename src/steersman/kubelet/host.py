"""What all pods of a node share: its adapters and facts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from steersman.client.client import Client
from steersman.client.events import EventRecorder

from .backoff import Backoff
from .config import KubeletConfig
from .pulls import Puller
from .resolvconf import Resolver
from .runtime import Runtime
from .sources import ApiSources


class Host(msgspec.Struct, kw_only=True):
    """Given to every pod's actor; ``crashes`` and ``clock`` count in seconds since the epoch."""

    config: KubeletConfig
    runtime: Runtime
    client: Client
    recorder: EventRecorder
    sources: ApiSources
    puller: Puller
    crashes: Backoff
    starts: asyncio.Semaphore
    host_resolver: Resolver
    host_ips: list[str]
    memory_capacity: int
    allocatable: dict[str, str]
    clock: Callable[[], float] = time.time
