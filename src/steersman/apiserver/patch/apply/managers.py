"""Who manages what of an object: ``metadata.managedFields`` as a mapping from managers to what they own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec

from steersman.api import codecs
from steersman.api.types.meta_v1 import ManagedFieldsEntry
from steersman.api.types.scalars import FieldsV1
from steersman.api.yaml import YAMLError

from . import fields as sets
from .fields import Fields

MAX_UPDATERS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ANCIENT_CHANGES = "ancient-changes"
BEFORE_FIRST_APPLY = "before-first-apply"


class Manager(NamedTuple):
    """Whom an entry is about.  ``version`` is empty for appliers: they own in one version at a time."""

    name: str
    operation: str
    version: str = ""
    subresource: str = ""

    @property
    def applies(self) -> bool:
        """Whether it owns by applying."""
        return self.operation == "Apply"


class Owned:
    """What a manager owns, in the words of one API version, and since when."""

    __slots__ = ("_fields", "_raw", "time", "version")

    def __init__(
        self, version: str, time: datetime | None, fields: Fields | None = None, raw: FieldsV1 | None = None
    ) -> None:
        self.version = version
        self.time = time
        self._fields = fields
        self._raw = raw

    @property
    def fields(self) -> Fields:
        """The fields; parsed when first asked for."""
        if self._fields is None:
            assert self._raw is not None
            self._fields = sets.parse(bytes(self._raw))
        return self._fields

    @property
    def raw(self) -> FieldsV1:
        """The fields as JSON."""
        if self._raw is None:
            assert self._fields is not None
            self._raw = FieldsV1(sets.render(self._fields))
        return self._raw

    def with_fields(self, fields: Fields) -> Owned:
        """The same manager owning other fields."""
        return Owned(self.version, self.time, fields)


Managed: TypeAlias = dict[Manager, Owned]


def applier(name: str, subresource: str = "") -> Manager:
    """A manager that applies."""
    return Manager(name, "Apply", "", subresource)


def updater(name: str, version: str, subresource: str = "") -> Manager:
    """A manager that writes in any other way."""
    return Manager(name or "unknown", "Update", version, subresource)


def decode(entries: Sequence[ManagedFieldsEntry]) -> Managed:
    """The managers of entries that this server wrote."""
    result: Managed = {}
    for entry in entries:
        version = "" if entry.operation == "Apply" else entry.api_version
        manager = Manager(entry.manager, entry.operation, version, entry.subresource)
        result[manager] = Owned(entry.api_version, entry.time, raw=entry.fields_v1)
    return result


def decode_foreign(entries: Sequence[ManagedFieldsEntry]) -> Managed:
    """The managers of entries that somebody sent; raises ValueError for what cannot be."""
    result: Managed = {}
    for index, entry in enumerate(entries):
        if entry.operation not in ("Apply", "Update"):
            raise ValueError("operation must be `Apply` or `Update`")
        if not entry.api_version:
            raise ValueError("apiVersion must not be empty")
        if entry.fields_type != "FieldsV1":
            if not entry.fields_type:
                raise ValueError(f"missing fieldsType in managed fields entry {index}")
            raise ValueError(f'invalid fieldsType "{entry.fields_type}" in managed fields entry {index}')
        version = "" if entry.operation == "Apply" else entry.api_version
        manager = Manager(entry.manager, entry.operation, version, entry.subresource)
        raw = bytes(entry.fields_v1)
        fields = sets.parse_foreign(raw) if raw not in (b"", b"null") else sets.LEAF
        result[manager] = Owned(entry.api_version, entry.time, fields)
    return result


def is_reset(entries: Sequence[ManagedFieldsEntry]) -> bool:
    """Whether somebody asks to forget all managers: a single empty entry."""
    return len(entries) == 1 and entries[0] == ManagedFieldsEntry()


def note_reset(obj: Any, body: bytes) -> None:
    """Tell an empty list of managers, which asks to forget them all, from none."""
    if obj.metadata.managed_fields:
        return
    try:
        tree = codecs.load_yaml(body)
    except YAMLError:  # not everything that JSON may escape, and no protobuf
        return
    if names_none(tree):
        obj.metadata.managed_fields = [ManagedFieldsEntry()]


def names_none(tree: Any) -> bool:
    """Whether an object's data has an empty list of managers."""
    metadata = tree.get("metadata") if isinstance(tree, dict) else None
    return isinstance(metadata, dict) and metadata.get("managedFields") == []


def encode(managed: Managed) -> list[ManagedFieldsEntry]:
    """The entries, in upstream's order: appliers first, then by time and name."""
    entries = [
        ManagedFieldsEntry(
            manager=manager.name,
            operation=manager.operation,
            api_version=owned.version,
            time=owned.time,
            fields_type="FieldsV1",
            fields_v1=owned.raw,
            subresource=manager.subresource,
        )
        for manager, owned in managed.items()
    ]
    if len(entries) > 1:
        entries.sort(key=_place)
    return entries


def _place(entry: ManagedFieldsEntry) -> tuple[str, datetime, str, str, str]:
    return entry.operation, _second(entry.time), entry.manager, entry.api_version, entry.subresource


def _second(time: datetime | None) -> datetime:
    if time is None:
        return _EPOCH
    return time.replace(microsecond=0) if time.microsecond else time


def same_but_for_time(left: Sequence[ManagedFieldsEntry], right: Sequence[ManagedFieldsEntry]) -> bool:
    """Whether entries say the same, apart from when."""
    if len(left) != len(right):
        return False
    timeless = [
        sorted((msgspec.structs.replace(each, time=None) for each in side), key=_place) for side in (left, right)
    ]
    return timeless[0] == timeless[1]


def cap(managed: Managed) -> None:
    """Merge the oldest updaters of a version into one, ``ancient-changes``, until there are few enough."""
    if len(managed) <= MAX_UPDATERS:
        return
    updaters = [manager for manager in managed if not manager.applies]
    excess = len(updaters) - MAX_UPDATERS
    if excess <= 0:
        return
    updaters.sort(key=lambda manager: (_second(managed[manager].time), manager))
    firsts: dict[str, Manager] = {}
    for manager in updaters:
        if excess <= 0:
            return
        owned = managed[manager]
        bucket = updater(ANCIENT_CHANGES, owned.version)
        if (first := firsts.setdefault(owned.version, manager)) is manager:
            continue
        if bucket not in managed:
            managed[bucket] = managed.pop(first)
        fields = sets.union(managed[bucket].fields, owned.fields)
        managed[bucket] = Owned(owned.version, owned.time, fields)
        if manager != bucket:
            del managed[manager]
        excess -= 1
