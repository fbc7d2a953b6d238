"""What the work queues of the controllers in this process hold, and how long keys wait and take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from steersman.client.workqueue import WorkQueue

_LABELS = ("name",)


class Queues:
    """``queues`` gives those that there are now; under upstream's names."""

    def __init__(self, queues: Callable[[], Iterable[WorkQueue[str]]]) -> None:
        self._queues = queues

    def collect(self) -> Iterator[Metric]:
        """As Prometheus has it."""
        adds = CounterMetricFamily("workqueue_adds_total", "Keys put into the queue.", labels=_LABELS)
        retries = CounterMetricFamily("workqueue_retries_total", "Keys that were tried again.", labels=_LABELS)
        depth = GaugeMetricFamily("workqueue_depth", "Keys that wait.", labels=_LABELS)
        unfinished = GaugeMetricFamily(
            "workqueue_unfinished_work_seconds", "How long all keys under work have been so, together.", labels=_LABELS
        )
        longest = GaugeMetricFamily(
            "workqueue_longest_running_processor_seconds", "How long the oldest key under work has been so.",
            labels=_LABELS,
        )  # fmt: skip
        waited = HistogramMetricFamily("workqueue_queue_duration_seconds", "How long keys waited.", labels=_LABELS)
        worked = HistogramMetricFamily("workqueue_work_duration_seconds", "How long keys took.", labels=_LABELS)
        for queue in self._queues():
            name, ages = (queue.name,), queue.ages()
            adds.add_metric(name, queue.adds)
            retries.add_metric(name, queue.retries)
            depth.add_metric(name, len(queue))
            unfinished.add_metric(name, sum(ages))
            longest.add_metric(name, max(ages, default=0.0))
            waited.add_metric(name, queue.waited.buckets(), queue.waited.total)
            worked.add_metric(name, queue.worked.buckets(), queue.worked.total)
        yield from (adds, retries, depth, unfinished, longest, waited, worked)
