"""Watches as one watcher sees them: selectors turn changes into arrivals and departures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from steersman.api.errors import expired
from steersman.api.fields import matches_fields, parse_selector
from steersman.api.scheme import Resource
from steersman.api.selectors import FieldSelector, LabelSelector, parse_labels
from steersman.storage.store import Compacted
from steersman.storage.watch_cache import CacheEvent, Entry, respliced

from .contract import ListOptions, WatchSink

Select = Callable[[Entry[Any]], bool]


class _Labelled(msgspec.Struct, gc=False):
    class Metadata(msgspec.Struct, gc=False):
        labels: dict[str, str] = {}

    metadata: Metadata


_LONG = 4 * 1024
"""Characters of selectors that take a millisecond or two to read."""

_FEW = 16
"""Conditions that are tried in about the time that it takes to look at an object at all."""

_labelled = msgspec.json.Decoder(_Labelled).decode


def is_long(options: ListOptions) -> bool:
    """Whether selectors take long to read."""
    return len(options.label_selector) + len(options.field_selector) > _LONG


class Selection:
    """The label and field selectors of a list or a watch.

    ``select`` is for a watch, whose objects many look at; ``scan`` for a list: of objects that nobody has decoded yet
    it reads no more than it must.  Both are None where everything is wanted.  ``labour``: how many objects of another
    selection could be looked at in the time that one of this takes.
    """

    __slots__ = ("_matches", "_resource", "fields", "labels", "labour", "scan", "select")

    def __init__(self, resource: Resource[Any], label_selector: str, field_selector: str) -> None:
        self._resource = resource
        self.labels: LabelSelector = parse_labels(label_selector)
        self.fields: FieldSelector = parse_selector(resource, field_selector)
        conditions = len(self.fields.requirements) + sum(1 + len(each.values) for each in self.labels.requirements)
        self.labour = 1 + conditions // _FEW
        self._matches = self.labels.matcher()
        self.select = self._compile(resource)
        self.scan = self._by_labels if self.fields.empty and not self.labels.empty else self.select

    def _compile(self, resource: Resource[Any]) -> Select | None:
        labels, fields, matches = self.labels, self.fields, self._matches
        if labels.empty and fields.empty:
            return None
        if fields.empty:
            return lambda entry: matches(entry.object.metadata.labels)
        if labels.empty:
            return lambda entry: matches_fields(fields, resource, entry.object)

        def select(entry: Entry[Any]) -> bool:
            obj = entry.object
            return matches(obj.metadata.labels) and matches_fields(fields, resource, obj)

        return select

    def _by_labels(self, entry: Entry[Any]) -> bool:
        known = entry.peek() or _labelled(entry.raw)
        return self._matches(known.metadata.labels)

    def scope(self, namespace: str) -> str:
        """The key, or the prefix of the keys, of all that can be selected."""
        resource = self._resource
        if resource.namespaced and not namespace:
            namespace = _safe(self.fields.required_value("metadata.namespace"))
        if namespace or not resource.namespaced:
            return resource.key(namespace, _safe(self.fields.required_value("metadata.name")))
        return resource.key()


def _safe(name: str | None) -> str:
    return "" if name is None or "/" in name else name


class Filter:
    """Passes to a sink what its selection lets it see."""

    __slots__ = ("_decode", "_select", "_sink", "bookmarks")

    def __init__(
        self, sink: WatchSink, select: Select | None, decode: Callable[[bytes], Any], *, bookmarks: bool
    ) -> None:
        self._sink = sink
        self._select = select
        self._decode = decode
        self.bookmarks = bookmarks

    def event(self, event: CacheEvent) -> None:
        """A change of any object."""
        select = self._select
        if select is None:
            self._sink.event(event)
            return
        previous = event.previous
        before = previous is not None and select(previous)
        if event.type == "DELETED":
            if before:
                self._sink.event(event)
            return
        after = select(event.entry)
        if after:
            kind = "MODIFIED" if before else "ADDED"
            self._sink.event(event if event.type == kind else event._replace(type="ADDED"))
        elif before and previous is not None:
            # The watcher is told of the state it knew, at the revision at which it stopped to match.
            last = Entry(previous.key, event.revision, respliced(previous.raw, event.revision), self._decode)
            self._sink.event(CacheEvent("DELETED", event.revision, last, previous))

    def progress(self, revision: int) -> None:
        """Everything up to a revision has been delivered."""
        if self.bookmarks:
            self._sink.bookmark(revision)

    def end(self, error: Exception | None) -> None:
        """Nothing more will come."""
        if isinstance(error, Compacted):
            self._sink.end(expired("The resourceVersion for the provided watch is too old.").status)
        else:
            self._sink.end(None)


class Ended:
    """The subscription of a watch that never began."""

    def cancel(self) -> None:
        """Nothing to do."""

    def progress(self) -> None:
        """Nothing to say."""
