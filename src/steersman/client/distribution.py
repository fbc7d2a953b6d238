"""How values are distributed, counted at a fraction of a microsecond each, because one loop alone counts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate


class Distribution:
    """How often values fell below each bound; the last count is for those above all."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self, skip: int = 0) -> list[tuple[str, float]]:
        """Cumulative counts by bound, without the first bounds where others count finer."""
        sums = list(accumulate(self.counts))
        names = [*(format(bound, "g") for bound in self._bounds), "+Inf"]
        return [(name, float(count)) for name, count in list(zip(names, sums, strict=True))[skip:]]
