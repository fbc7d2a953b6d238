"""Who owns what after a write (KEP-555): the two ways to become an owner, updating and applying.

Both are pure.  :class:`Changes` compares the old and the new object in each API version that some manager speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from . import fields as sets
from .conflicts import Conflicts
from .fields import Fields
from .managers import Managed, Manager, Owned, cap
from .merge import merge, remove
from .schema import Schema
from .values import Comparison, compare, field_set

_SERVERS = (
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
)

STRIPPED: Fields = sets.of(
    ("f:apiVersion",), ("f:kind",), ("f:metadata",), *(("f:metadata", f"f:{name}") for name in _SERVERS)
)
"""What nobody owns: identity, and what the server decides."""


class Changes:
    """The comparison of two states of an object, by API version; ``find`` gives None for a version unknown here."""

    def __init__(self, find: Callable[[str], Comparison | None], ignored: Fields = sets.LEAF) -> None:
        self._find = find
        self._ignored = ignored
        self._found: dict[str, Comparison | None] = {}

    def at(self, version: str) -> Comparison | None:
        """The comparison in one version, without what this sort of write does not change."""
        if version not in self._found:
            found = self._find(version)
            if found is not None and self._ignored:
                found = Comparison(*[sets.without(part, self._ignored) if part else part for part in found])
            self._found[version] = found
        return self._found[version]


def updated(managed: Managed, changes: Changes, manager: Manager, now: datetime) -> Managed:
    """The managers after one of them wrote: it owns what it changed, and nobody else does."""
    changed = changes.at(manager.version)
    assert changed is not None
    taken = sets.difference(sets.union(changed.added, changed.modified), STRIPPED)
    before = managed.get(manager)
    if before is not None and not changed.removed and not sets.difference(taken, before.fields):
        # It wrote what it owns already, as whoever reports does over and over.
        result = _disown(managed, changes, manager)
        if taken:
            result[manager] = Owned(manager.version, now, raw=before.raw)
        return result
    result = _disown(managed, changes, None)
    if taken:
        if (before := result.get(manager)) is not None:
            taken = sets.union(before.fields, taken)
        result[manager] = Owned(manager.version, now, taken)
        cap(result)
    return result


def _disown(managed: Managed, changes: Changes, exempt: Manager | None) -> Managed:
    """The managers without what was changed or removed; those left with nothing are gone."""
    result: Managed = {}
    for manager, owned in managed.items():
        if manager == exempt:
            result[manager] = owned
            continue
        changed = changes.at(owned.version)
        if changed is None:
            continue
        fields = owned.fields
        for part in changed:
            if part and (lost := sets.intersection(fields, part)):
                fields = sets.difference(fields, lost)
        if fields is owned.fields:
            result[manager] = owned
        elif fields:
            result[manager] = owned.with_fields(fields)
    return result


class Target(NamedTuple):
    """How an object looks in one API version: its schema, and conversions from and to the version of the request."""

    schema: Schema
    convert: Callable[[dict[str, Any]], dict[str, Any]]
    back: Callable[[dict[str, Any]], dict[str, Any]]


class Applied(NamedTuple):
    """The merged object, and the managers after the application; ``changed`` is False where it did nothing."""

    tree: dict[str, Any]
    managed: Managed
    changed: bool


def applied(
    live: dict[str, Any],
    config: dict[str, Any],
    managed: Managed,
    manager: Manager,
    version: str,
    targets: Callable[[str], Target | None],
    now: datetime,
    *,
    ignored: Fields = sets.LEAF,
    force: bool = False,
) -> Applied:
    """Apply a valid configuration, which owns what it says and gives up what it no longer says.

    Raises :class:`.conflicts.Conflicts` where it would change what others own.
    """
    target = targets(version)
    assert target is not None
    schema = target.schema
    said = sets.without(field_set(config, schema), ignored) if ignored else field_set(config, schema)
    last = managed.get(manager)
    claims = {**managed, manager: Owned(version, now, said)}
    new = merge(live, config, schema)
    if last is not None and last.fields:
        new = _pruned(new, last, claims, version, targets)

    def find(at: str) -> Comparison | None:
        seen = targets(at)
        return compare(seen.convert(live), seen.convert(new), seen.schema) if seen is not None else None

    changes = Changes(find, ignored)
    if not force and (conflicts := _conflicts(claims, changes, manager)):
        raise Conflicts(conflicts)
    result = _disown(claims, changes, manager)
    owned = sets.difference(said, STRIPPED)
    result[manager] = Owned(version, now, owned)
    if not owned:
        del result[manager]
    difference = changes.at(version)
    assert difference is not None
    changed = not difference.same or not _same(managed, result)
    return Applied(new, result, changed)


def _same(left: Managed, right: Managed) -> bool:
    return left.keys() == right.keys() and all(
        owned.version == right[manager].version and owned.fields == right[manager].fields
        for manager, owned in left.items()
    )


def _conflicts(claims: Managed, changes: Changes, manager: Manager) -> Mapping[Manager, Fields]:
    """What the new object changes that others own."""
    result = {}
    for other, owned in claims.items():
        if other == manager or (changed := changes.at(owned.version)) is None:
            continue
        common = sets.intersection(owned.fields, sets.union(changed.modified, changed.added))
        if common:
            result[other] = common
    return result


def _pruned(
    merged: dict[str, Any], last: Owned, claims: Managed, version: str, targets: Callable[[str], Target | None]
) -> dict[str, Any]:
    """The merged object without what the applier said last time, and neither it nor anybody else claims now."""
    target = targets(last.version)
    if target is None:
        return merged
    schema = target.schema
    whole = target.convert(merged)
    said = sets.with_named(last.fields, schema)
    rest = remove(whole, said, schema) or {}
    rest = _with_claimed(whole, rest, last.version, claims, targets)
    gone = sets.difference(_named(whole, schema), _named(rest, schema))
    pruned = remove(whole, sets.intersection(gone, said), schema) or {}
    return target.back(pruned) if last.version != version else pruned


def _named(tree: dict[str, Any], schema: Schema) -> Fields:
    return sets.with_named(field_set(tree, schema, hollow=True), schema)


def _with_claimed(
    merged: dict[str, Any],
    rest: dict[str, Any],
    version: str,
    claims: Managed,
    targets: Callable[[str], Target | None],
) -> dict[str, Any]:
    """What is left, and what anybody claims of the merged object; both in one version, as is the result."""
    by_version: dict[str, Fields] = {version: sets.LEAF}
    for owned in claims.values():
        by_version[owned.version] = sets.union(by_version.get(owned.version, sets.LEAF), owned.fields)
    home = targets(version)
    assert home is not None
    for each, claimed in by_version.items():
        target = targets(each)
        if target is None or not claimed:
            continue
        schema = target.schema
        whole, left = target.convert(home.back(merged)), target.convert(home.back(rest))
        kept = sets.union(_named(left, schema), sets.with_named(claimed, schema))
        left = remove(whole, sets.difference(_named(whole, schema), kept), schema) or {}
        rest = home.convert(target.back(left))
    return rest
