"""What every long-running process of a cluster does alike: its loop, its log, its signals."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from . import preflight

log = logging.getLogger(__name__)

SETTLED = 2.0
"""Seconds after which modules, types and tables are there: what lives then is not looked at by the collector again."""


COLLECTION = (20_000, 10, 10)
"""Thresholds of the collector: with Python's own it takes a third of the time in which many objects come and go.

What is in no cycle, which is nearly everything here, goes at once without it.  The first is above what requests under
way hold, and looked at in a few milliseconds.
"""

SWITCH_INTERVAL = 0.001
"""Seconds that a thread which works on a large object lets the loop wait; Python's own five are felt by everybody."""


MALLOPT = {-8: 1, -3: 1_000_000, -1: 4_000_000}
"""mallopt(3): M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD, the latter two in bytes.

Without them glibc keeps an arena for each thread, and raises both thresholds to the size of the largest body it has
seen: what one large request has needed would stay with the process.
"""


def run(main: Callable[[], Coroutine[Any, Any, None]], *, verbose: bool) -> None:
    """Run a process until it ends or SIGTERM or SIGINT cancels it; logs go to stderr."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s.%(msecs)03d %(levelname).1s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
        stream=sys.stderr,
    )
    for name in ("asyncio", "aiohttp", "grpc"):
        logging.getLogger(name).setLevel(logging.WARNING)
    preflight.raise_file_limit()
    _return_freed_memory()
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(*COLLECTION)
    uvloop.run(_until_signalled(main()))


def _return_freed_memory() -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library than glibc
        return
    for parameter, value in MALLOPT.items():
        mallopt(parameter, value)


async def _until_signalled(main: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(main, name="main")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    loop.call_later(SETTLED, gc.freeze)
    log.info("starting, pid %d", os.getpid())
    with contextlib.suppress(asyncio.CancelledError):
        await task
    log.info("stopped")
