"""Taking turns, whoever awaits them on whatever event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections import deque


class Turns:
    """A lock like :class:`asyncio.Lock`, but for several event loops: in the order of those who came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: deque[concurrent.futures.Future[None]] = deque()

    async def __aenter__(self) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            turn: concurrent.futures.Future[None] = concurrent.futures.Future()
            self._waiting.append(turn)
        try:
            await asyncio.wrap_future(turn)
        except BaseException:  # cancelled, or closed with its loop
            with self._lock:
                if not turn.cancel():
                    self._pass_on()  # it was given a moment ago
            raise

    async def __aexit__(self, *_: object) -> None:
        with self._lock:
            self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if turn.set_running_or_notify_cancel():
                turn.set_result(None)
                return
        self._taken = False
