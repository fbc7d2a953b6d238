"""Counters and histograms that cost a fraction of a microsecond, because one loop alone writes them.

They are made into what ``/metrics`` shows when somebody asks, possibly in another thread: what is copied then is copied
in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UnknownMetricFamily,
)

from steersman.client.distribution import Distribution

Labels = tuple[str, ...]

MOST_SERIES = 5000
"""Label sets of one metric: more would be the work of somebody who makes names up."""


class Counter:
    """A number for each set of labels; as a gauge it may fall too.

    The library makes the names of counters end in ``_total``.  Those of upstream that do not are shown without a type.
    """

    def __init__(self, name: str, help_text: str, labels: Sequence[str], *, gauge: bool = False) -> None:
        if gauge:
            self._family: type[Any] = GaugeMetricFamily
        else:
            self._family = CounterMetricFamily if name.endswith("_total") else UnknownMetricFamily
        self._name, self._help, self._labels = name, help_text, labels
        self.values: dict[Labels, float] = {}

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Count."""
        values = self.values
        if labels in values:
            values[labels] += amount
        elif len(values) < MOST_SERIES:
            values[labels] = amount

    def set(self, labels: Labels, value: float) -> None:
        """Of a gauge: what is the case."""
        if labels in self.values or len(self.values) < MOST_SERIES:
            self.values[labels] = value

    def collect(self) -> Iterator[Metric]:
        """As Prometheus has it."""
        family = self._family(self._name, self._help, labels=self._labels)
        for labels, value in list(self.values.items()):
            family.add_metric(labels, value)
        yield family


class Histogram:
    """A distribution for each set of labels."""

    def __init__(self, name: str, help_text: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._name, self._help, self._labels, self._bounds = name, help_text, labels, bounds
        self._of: dict[Labels, Distribution] = {}

    def observe(self, labels: Labels, value: float) -> None:
        """Count a value."""
        if (distribution := self._of.get(labels)) is None:
            distribution = self._new(labels)
        distribution.observe(value)

    def observer(self, labels: Labels) -> Callable[[float], None]:
        """Counts the values of a set of labels, for those who have many of them."""
        return (self._of.get(labels) or self._new(labels)).observe

    def _new(self, labels: Labels) -> Distribution:
        distribution = Distribution(self._bounds)
        if len(self._of) < MOST_SERIES:
            self._of[labels] = distribution
        return distribution

    def collect(self) -> Iterator[Metric]:
        """As Prometheus has it."""
        family = HistogramMetricFamily(self._name, self._help, labels=self._labels)
        for labels, distribution in list(self._of.items()):
            if not any(distribution.counts):
                continue
            family.add_metric(labels, distribution.buckets(), distribution.total)
        yield family
