"""Pods that wait for a decision: ready ones by priority and age, failed ones until something changes that may help."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Collection, Mapping

from steersman.api.clock import Clock

from .podinfo import PodInfo

INITIAL_BACKOFF = 1.0
MAX_BACKOFF = 10.0
EARLY = 100
"""As long as no more back-offs than this are to end, those that were ended early among them, pods that may fit by now
are tried as soon as no others are to be (KEP-5142).  Without a bound they would be tried over and over with each
change, on the loop that serves everybody."""
UNSCHEDULABLE_TIMEOUT = 300.0
"""A pod is tried again after this long even if nothing was seen that may help."""


class Queued:
    """One pod in the queue.  ``info`` is replaced when the pod changes."""

    __slots__ = ("attempts", "event_seen", "info", "plugins", "since", "state", "tried", "turn")

    def __init__(self, info: PodInfo, since: float) -> None:
        self.info = info
        self.since = since
        """When it first came: its place among pods of the same priority."""
        self.attempts = 0
        self.tried = 0.0
        self.plugins: frozenset[str] = frozenset()
        """The plugins that refused it last."""
        self.state = ""
        """``active``, ``backoff``, ``unschedulable``, or ``flight`` while a decision about it is being made."""
        self.turn = 0
        """Which entry of a heap counts; older entries are skipped."""
        self.event_seen = 0


class SchedulingQueue:
    """Invariant: a pod is in exactly one state, and in a heap under its latest ``turn`` only."""

    def __init__(self, interests: Mapping[str, Collection[str]], clock: Clock) -> None:
        self._interests = interests
        self._clock = clock
        self._pods: dict[str, Queued] = {}
        self._unschedulable: dict[frozenset[str], dict[str, Queued]] = {}
        """By the plugins that refused them: an event looks at those alone that it may help."""
        self._active: list[tuple[int, float, int, str]] = []
        self._backoff: list[tuple[float, int, str]] = []
        self._turns = itertools.count(1)
        self._events = itertools.count(1)
        self._last_event: dict[str, int] = {}
        self._event_number = 0
        self._paused = False
        self.wakeup = asyncio.Event()

    def __len__(self) -> int:
        return len(self._pods)

    def state(self, uid: str) -> str:
        """Where a pod is; empty where it is not queued."""
        found = self._pods.get(uid)
        return found.state if found else ""

    def put(self, info: PodInfo) -> None:
        """Add a pod, or tell that a waiting one changed in a way that may help it."""
        found = self._pods.get(info.uid)
        if found is None:
            found = self._pods[info.uid] = Queued(info, self._clock.monotonic())
            self._activate(found)
            return
        changed = found.info.signature != info.signature
        found.info = info
        if changed and found.state == "unschedulable":
            self._release(found)

    def remove(self, uid: str) -> None:
        """Forget a pod."""
        if (found := self._pods.pop(uid, None)) is not None:
            self._leave(found)
            found.state = ""

    def pop_batch(self, limit: int) -> list[Queued]:
        """The next pods, as long as they are alike; they are in flight until :meth:`done` or :meth:`failed`."""
        if not self._paused and not self._ready():
            for item in self._early():
                self._activate(item)
        batch: list[Queued] = []
        while self._active and not self._paused and len(batch) < limit:
            _, _, turn, uid = self._active[0]
            found = self._pods.get(uid)
            if found is None or found.turn != turn or found.state != "active":
                heapq.heappop(self._active)
                continue
            if batch and (found.info.signature != batch[0].info.signature):
                break
            heapq.heappop(self._active)
            found.state = "flight"
            found.attempts += 1
            found.event_seen = self._event_number
            batch.append(found)
        if not self._active or self._paused:
            self.wakeup.clear()
        return batch

    @property
    def waiting(self) -> bool:
        """Whether a pod can be decided about now."""
        return not self._paused and (self._ready() or bool(self._early()))

    def _ready(self) -> bool:
        """Whether a pod is active."""
        self._flush()
        while self._active:
            _, _, turn, uid = self._active[0]
            found = self._pods.get(uid)
            if found is not None and found.turn == turn and found.state == "active":
                return True
            heapq.heappop(self._active)
        return False

    def _early(self) -> list[Queued]:
        """The pods in back-off that may fit by now; those at which something failed sit it out."""
        if len(self._backoff) > EARLY:
            return []
        found = [(turn, self._pods.get(uid)) for _, turn, uid in self._backoff]
        return [item for turn, item in found if item and item.turn == turn and item.state == "backoff" and item.plugins]

    def done(self, uid: str) -> None:
        """A node was found for a pod."""
        self.remove(uid)

    def failed(self, item: Queued, plugins: frozenset[str]) -> None:
        """No node was found.  What happened meanwhile counts: then it is tried again after its back-off."""
        if self._pods.get(item.info.uid) is not item:
            return
        item.plugins = plugins
        item.tried = self._clock.monotonic()
        if any(number > item.event_seen and self._helps(kind, plugins) for kind, number in self._last_event.items()):
            self._delay(item)
        else:
            item.state = "unschedulable"
            self._unschedulable.setdefault(plugins, {})[item.info.uid] = item

    def retry(self, info: PodInfo, attempts: int) -> None:
        """A pod whose binding failed: decide again after a back-off."""
        item = Queued(info, self._clock.monotonic())
        item.attempts, item.tried = attempts, self._clock.monotonic()
        self._pods[info.uid] = item
        self._delay(item)

    def event(self, kind: str) -> None:
        """Something happened; release the pods that it may help."""
        self._event_number = next(self._events)
        self._last_event[kind] = self._event_number
        for plugins in [plugins for plugins in self._unschedulable if self._helps(kind, plugins)]:
            for item in [*self._unschedulable[plugins].values()]:
                self._release(item)

    def next_due(self) -> float:
        """How many seconds until a pod's back-off or patience ends."""
        self._flush()
        now = self._clock.monotonic()
        due = now + UNSCHEDULABLE_TIMEOUT / 10
        if self._backoff:
            due = min(due, self._backoff[0][0])
        return max(0.0, due - now)

    def pause(self, paused: bool) -> None:
        """Give out no pod, or go on."""
        self._paused = paused
        self.wakeup.set()

    def hurry(self, within: float) -> list[str]:
        """End the back-offs that have no more than so many seconds left; returns the keys of those pods."""
        return [item.info.key for item in self._flush(within)]

    def _helps(self, kind: str, plugins: frozenset[str]) -> bool:
        return not plugins or any(kind in self._interests.get(plugin, ()) for plugin in plugins)

    def _activate(self, item: Queued) -> None:
        self._leave(item)
        item.state = "active"
        item.turn = next(self._turns)
        heapq.heappush(self._active, (-item.info.priority, item.since, item.turn, item.info.uid))
        self.wakeup.set()

    def _leave(self, item: Queued) -> None:
        """It is unschedulable no more, if it was."""
        if item.state == "unschedulable" and (items := self._unschedulable.get(item.plugins)) is not None:
            items.pop(item.info.uid, None)
            if not items:
                del self._unschedulable[item.plugins]

    def _ends(self, item: Queued) -> float:
        doublings = max(0, min(item.attempts, 10) - 1)
        return item.tried + min(INITIAL_BACKOFF * float(1 << doublings), MAX_BACKOFF)

    def _release(self, item: Queued) -> None:
        if self._ends(item) <= self._clock.monotonic():
            self._activate(item)
        else:
            self._delay(item)

    def _delay(self, item: Queued) -> None:
        self._leave(item)
        item.state = "backoff"
        item.turn = next(self._turns)
        heapq.heappush(self._backoff, (self._ends(item), item.turn, item.info.uid))
        self.wakeup.set()  # the sleeper has a new end to wait for

    def _flush(self, early: float = 0.0) -> list[Queued]:
        """Release the pods whose back-off ends by now, or in so many seconds."""
        latest = self._clock.monotonic() + early
        released = []
        while self._backoff and self._backoff[0][0] <= latest:
            _, turn, uid = heapq.heappop(self._backoff)
            found = self._pods.get(uid)
            if found is not None and found.turn == turn and found.state == "backoff":
                self._activate(found)
                released.append(found)
        return released

    def expire(self) -> None:
        """Release the pods that have been unschedulable for long."""
        now = self._clock.monotonic()
        for item in [item for items in self._unschedulable.values() for item in items.values()]:
            if now - item.tried >= UNSCHEDULABLE_TIMEOUT:
                self._activate(item)
