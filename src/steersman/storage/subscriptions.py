"""Who is told about a change: the subscribers of one cache, indexed so that a change touches only those it concerns.

A change that concerns many is delivered in slices, so that the loop stays responsive; later changes then wait behind
it, and every subscriber sees one order.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .entry import CacheEvent

log = logging.getLogger(__name__)

SLICE = 128
"""So many at a time: over TLS, two milliseconds."""


class Subscription:
    """One subscriber; :meth:`cancel` it when done."""

    __slots__ = ("_on_end", "_owner", "active", "callback", "index", "on_progress", "prefix", "since")

    def __init__(
        self,
        owner: Subscriptions,
        prefix: str,
        since: int,
        callback: Callable[[CacheEvent], None],
        on_progress: Callable[[int], None] | None,
        on_end: Callable[[Exception | None], None] | None,
        index: tuple[str, str] | None,
    ) -> None:
        self._owner = owner
        self.prefix = prefix
        self.since = since
        self.index = index
        self.on_progress = on_progress
        self.active = True
        self.callback = callback
        self._on_end = on_end

    def covers(self, key: str) -> bool:
        """Whether a key lies below the prefix, or is the one key."""
        return key.startswith(self.prefix) if self.prefix[-1] == "/" else key == self.prefix

    def fail(self, error: Exception) -> None:
        """End one whose callback raised."""
        log.error("a subscriber of %s failed and is dropped", self.prefix, exc_info=error)
        self.end(error)

    def cancel(self) -> None:
        """Deliver nothing more; ``on_end`` is not called."""
        if self.active:
            self.active = False
            self._owner.remove(self)

    def progress(self) -> None:
        """Tell this subscriber alone how far it has got, after what is still on its way to it."""
        if self.active and self.on_progress is not None:
            self._owner.report(self)

    def end(self, error: Exception | None) -> None:
        """Cancel, and say so."""
        if self.active:
            self.cancel()
            if self._on_end is not None:
                try:
                    self._on_end(error)
                except Exception:
                    log.exception("a subscriber of %s failed to end", self.prefix)


def deliver(event: CacheEvent, subscriptions: Iterable[Subscription]) -> None:
    """Hand a change over to those who have not seen it."""
    # A thousand may hear of one change: no call is made for each but the subscriber's own.
    revision = event.revision
    for subscription in subscriptions:
        if subscription.active and revision > subscription.since:
            try:
                subscription.callback(event)
            except Exception as error:
                subscription.fail(error)


def _hand_over(event: CacheEvent | int, subscriptions: Iterable[Subscription]) -> None:
    """A change, or progress to a revision."""
    if not isinstance(event, int):
        deliver(event, subscriptions)
        return
    for subscription in subscriptions:
        report = subscription.on_progress
        if subscription.active and report is not None and event >= subscription.since:
            try:
                report(event)
            except Exception as error:
                subscription.fail(error)


class Subscriptions:
    """All subscribers of one cache, which says by ``revision`` what it has handed over for delivery."""

    def __init__(self, prefix: str, revision: Callable[[], int]) -> None:
        self._prefix = prefix
        self._revision = revision
        self._by_scope: dict[str, dict[Subscription, None]] = {}
        self._by_index: dict[tuple[str, str], dict[Subscription, None]] = {}
        self._queue: deque[tuple[CacheEvent | int, list[Subscription]]] = deque()
        self._position = 0
        self._scheduled = False

    def _place(self, subscription: Subscription) -> tuple[dict[str, dict[Subscription, None]], str]:
        if subscription.index is not None:
            return self._by_index, subscription.index  # type: ignore[return-value]
        return self._by_scope, subscription.prefix

    def add(self, subscription: Subscription) -> None:
        """Deliver what comes from now on."""
        if subscription.active:
            places, place = self._place(subscription)
            places.setdefault(place, {})[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscriber."""
        places, place = self._place(subscription)
        if (found := places.get(place)) is not None:
            found.pop(subscription, None)
            if not found:
                del places[place]

    @property
    def undelivered(self) -> int:
        """How many changes wait for their turn."""
        return len(self._queue)

    def __len__(self) -> int:
        return sum(map(len, self._by_scope.values())) + sum(map(len, self._by_index.values()))

    def _all(self) -> list[Subscription]:
        places = [*self._by_scope.values(), *self._by_index.values()]
        return [subscription for place in places for subscription in place]

    def dispatch(self, event: CacheEvent, key: str, index_values: Iterable[tuple[str, str]]) -> None:
        """Tell those whom a change of a key concerns."""
        targets: list[Subscription] = []
        if scopes := self._by_scope:
            if (found := scopes.get(self._prefix)) is not None:
                targets += found
            slash = key.find("/", len(self._prefix))
            while slash >= 0:
                if (found := scopes.get(key[: slash + 1])) is not None:
                    targets += found
                slash = key.find("/", slash + 1)
            if (found := scopes.get(key)) is not None:
                targets += found
        if self._by_index:
            for value in index_values:
                if (found := self._by_index.get(value)) is not None:
                    targets += [
                        s for s in found if s.prefix == key or (s.prefix[-1] == "/" and key.startswith(s.prefix))
                    ]
        if targets:
            self._enqueue(event, targets)

    def progress(self, revision: int) -> None:
        """Tell all who want to know that everything up to a revision has been delivered."""
        if targets := [subscription for subscription in self._all() if subscription.on_progress is not None]:
            self._enqueue(revision, targets)

    def report(self, subscription: Subscription) -> None:
        """Tell one subscriber how far it has got."""
        self._enqueue(self._revision(), [subscription])

    def end(self, error: Exception | None) -> None:
        """End every subscription."""
        for subscription in self._all():
            subscription.end(error)

    def _enqueue(self, event: CacheEvent | int, targets: list[Subscription]) -> None:
        if not self._queue and len(targets) <= SLICE:
            _hand_over(event, targets)
            return
        self._queue.append((event, targets))
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        budget = SLICE
        while self._queue and budget > 0:
            event, targets = self._queue[0]
            part = targets[self._position : self._position + budget]
            _hand_over(event, part)
            budget -= len(part)
            self._position += len(part)
            if self._position >= len(targets):
                self._queue.popleft()
                self._position = 0
        if self._queue:
            asyncio.get_running_loop().call_soon(self._drain)
        else:
            self._scheduled = False
