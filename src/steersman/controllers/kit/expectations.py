"""What a controller has done and not yet seen.

A controller that created three pods and reads its informer at once finds none, and would create three more.  It
notes what it expects to observe; until that was observed, or the time ran out (an event may have been lost with a
watch), it leaves the object alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from steersman.api.clock import SYSTEM, Clock

TIMEOUT = 300.0


class _Expected:
    __slots__ = ("creations", "deletions", "since")

    def __init__(self, since: float) -> None:
        self.creations = 0
        self.deletions = set[str]()
        self.since = since


class Expectations:
    """Per key: how many creations, and the deletion of which objects, are still to be observed."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._expected: dict[str, _Expected] = {}

    def satisfied(self, key: str) -> bool:
        """Whether everything expected was observed, or has been waited for long enough."""
        expected = self._expected.get(key)
        if expected is None:
            return True
        if (expected.creations <= 0 and not expected.deletions) or self._clock.monotonic() - expected.since > TIMEOUT:
            del self._expected[key]
            return True
        return False

    def expect_creations(self, key: str, count: int) -> None:
        """Call before creating: the observation may come before the answer."""
        self._of(key).creations += count

    def expect_deletions(self, key: str, uids: Iterable[str]) -> None:
        """Call before deleting."""
        self._of(key).deletions.update(uids)

    def creation_observed(self, key: str, count: int = 1) -> None:
        """A creation was seen, or failed and will not be seen."""
        if (expected := self._expected.get(key)) is not None:
            expected.creations -= count

    def deletion_observed(self, key: str, uid: str) -> None:
        """A deletion was seen, or failed and will not be seen."""
        if (expected := self._expected.get(key)) is not None:
            expected.deletions.discard(uid)

    def forget(self, key: str) -> None:
        """The object is gone."""
        self._expected.pop(key, None)

    def _of(self, key: str) -> _Expected:
        if self.satisfied(key):
            self._expected[key] = _Expected(self._clock.monotonic())
        return self._expected[key]
