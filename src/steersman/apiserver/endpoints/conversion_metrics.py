"""What the webhooks did that convert custom resources."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from .measuring import Counter, Histogram

_BRIEF = tuple(0.001 * 2**power for power in range(15))
_LONG = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 45, 60)


class ConversionMetrics:
    """See :class:`steersman.apiserver.extensions.customresources.converter.Observer`."""

    def __init__(self) -> None:
        self._conversions = Histogram(
            "apiserver_crd_conversion_webhook_duration_seconds",
            "How long conversions took, by definition.",
            ("crd_name", "from_version", "to_version", "succeeded"),
            _BRIEF,
        )
        labels = ("result", "failure_type")
        self._requests = Counter("apiserver_conversion_webhook_request_total", "Questions to webhooks.", labels)
        self._seconds = Histogram(
            "apiserver_conversion_webhook_duration_seconds", "How long webhooks took.", labels, _LONG
        )

    def observe(self, definition: str, source: str, target: str, seconds: float, failure: str) -> None:
        """Count one question."""
        self._conversions.observe((definition, source, target, "false" if failure else "true"), seconds)
        labels = ("failure" if failure else "success", failure)
        self._requests.add(labels)
        self._seconds.observe(labels, seconds)

    def collect(self) -> Iterator[Metric]:
        """The metrics."""
        yield from self._conversions.collect()
        yield from self._requests.collect()
        yield from self._seconds.collect()
