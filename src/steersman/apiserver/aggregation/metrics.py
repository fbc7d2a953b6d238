"""Which APIServices are not available, and how often discovery was made anew, for ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from steersman.apiserver.endpoints.measuring import Counter


class Availability:
    """Counts under upstream's names."""

    def __init__(self) -> None:
        self._present = Counter(
            "aggregator_unavailable_apiservice", "APIServices that are not available (1).", ("name",), gauge=True
        )
        self._changes = Counter(
            "aggregator_unavailable_apiservice_total",
            "How often APIServices became unavailable, by reason.",
            ("name", "reason"),
        )
        self._aggregations = Counter(
            "aggregator_discovery_aggregation_count_total", "How often aggregated discovery documents were made.", ()
        )

    def collect(self) -> Iterator[Metric]:
        """The metrics of all APIServices."""
        yield from self._present.collect()
        yield from self._changes.collect()
        yield from self._aggregations.collect()

    def set(self, name: str, available: bool) -> None:
        """Note how an APIService is."""
        self._present.values[(name,)] = 0 if available else 1

    def count(self, name: str, reason: str) -> None:
        """An APIService was available, and is no more."""
        self._changes.add((name, reason or "UnknownReason"))

    def aggregated(self) -> None:
        """A discovery document was made."""
        self._aggregations.add(())

    def forget(self, name: str) -> None:
        """An APIService has gone."""
        self._present.values.pop((name,), None)
