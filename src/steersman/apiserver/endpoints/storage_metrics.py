"""What is stored, how the store does, and what watches were sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from steersman.api.scheme import Resource
from steersman.api.types.version import Info
from steersman.storage.forwarding import ForwardingStore
from steersman.storage.store import (
    CompareFailed,
    Delete,
    KeyValue,
    Operation,
    Put,
    Range,
    Store,
    StoreError,
)
from steersman.storage.watch_cache import WatchCache

from .measuring import Counter, Histogram
from .metrics import SECONDS


class MeteredStore(ForwardingStore):
    """A store that measures what is asked of another one, by operation and kind of object."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._seconds = Histogram(
            "etcd_request_duration_seconds", "How long the store took.", ("operation", "type"), SECONDS
        )
        self._errors = Counter("etcd_request_errors_total", "What the store failed at.", ("operation", "type"))

    def collect(self) -> Iterator[Metric]:
        """The metrics of the store."""
        yield from self._seconds.collect()
        yield from self._errors.collect()

    async def get(self, key: str) -> KeyValue | None:
        started = time.perf_counter()
        found = await self._store.get(key)
        self._seconds.observe(("get", _type(key)), time.perf_counter() - started)
        return found

    async def range(
        self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0, counted: bool = True
    ) -> Range:
        started = time.perf_counter()
        found = await self._store.range(prefix, start=start, limit=limit, revision=revision, counted=counted)
        self._seconds.observe(("list", _type(prefix)), time.perf_counter() - started)
        return found

    async def commit(self, operations: Sequence[Operation]) -> int:
        first = operations[0] if operations else None
        labels = (_verb(first), _type(first.key) if first is not None else "")
        started = time.perf_counter()
        try:
            return await self._store.commit(operations)
        except CompareFailed:
            raise
        except StoreError:
            self._errors.add(labels)
            raise
        finally:
            self._seconds.observe(labels, time.perf_counter() - started)


def _type(key: str) -> str:
    """``pods`` of ``/registry/pods/default/a``."""
    return key.split("/", 3)[2] if key.count("/") > 1 else ""


def _verb(operation: Operation | None) -> str:
    if isinstance(operation, Delete):
        return "delete"
    return "create" if isinstance(operation, Put) and operation.expected == 0 else "update"


class Stored:
    """How much there is of each resource; ``caches`` are the watch caches there are now."""

    def __init__(
        self,
        caches: Callable[[], Iterable[tuple[Resource[Any], WatchCache[Any]]]],
        watches: Callable[[], Iterable[tuple[Resource[Any], int]]],
        store: Store,
    ) -> None:
        self._caches = caches
        self._watches = watches
        self._store = store
        self._size = 0

    async def measure(self) -> None:
        """Ask the store how large it is."""
        self._size = await self._store.size()

    def collect(self) -> Iterator[Metric]:
        """The metrics of all caches."""
        objects = GaugeMetricFamily("apiserver_storage_objects", "Objects of a resource.", labels=("resource",))
        counts = GaugeMetricFamily("apiserver_resource_objects", "Objects of a resource.", labels=("group", "resource"))
        revisions = GaugeMetricFamily(
            "apiserver_watch_cache_resource_version",
            "Up to where a watch cache knows everything.",
            labels=("group", "resource"),
        )
        for resource, cache in list(self._caches()):
            if cache.ready.is_set():
                objects.add_metric((resource.qualified_name,), len(cache))
                counts.add_metric((resource.group, resource.name), len(cache))
                revisions.add_metric((resource.group, resource.name), cache.revision)
        size = GaugeMetricFamily(
            "apiserver_storage_size_bytes", "What the store takes.", labels=("storage_cluster_id",)
        )
        size.add_metric(("etcd-0",), self._size)
        yield from (objects, counts, revisions, size)
        sent = Counter("apiserver_watch_events_total", "Events sent to watchers.", ("group", "version", "resource"))
        for resource, count in list(self._watches()):
            sent.add((resource.group, resource.version, resource.name), count)
        yield from sent.collect()


class BuildInfo:
    """Which build this is."""

    def __init__(self, version: Info) -> None:
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """The one number, and all that is said of it."""
        names = ("build_date", "compiler", "git_commit", "git_tree_state", "git_version", "go_version", "major",
                 "minor", "platform")  # fmt: skip
        family = GaugeMetricFamily("kubernetes_build_info", "What this is built from.", labels=names)
        family.add_metric([str(getattr(self._version, name)) for name in names], 1)
        yield family
