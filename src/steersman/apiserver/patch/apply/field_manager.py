"""Keeps ``metadata.managedFields`` of one type's objects, and applies configurations to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.types.meta_v1 import ManagedFieldsEntry
from steersman.api.types.scalars import FieldsV1
from steersman.apiserver.patch.faults import unexpected

from . import last_applied, managers, reduced
from .configuration import Configuration
from .conflicts import Conflicts
from .creation import creations
from .fields import LEAF, Fields
from .managers import Managed, Owned
from .ownership import Applied, Changes, Target, applied, updated
from .schemas import schema_of
from .values import Comparison, compare, faults


class View(NamedTuple):
    """How stored objects look in one version in which they are served."""

    version: str
    type: type[Any]
    to_storage: Callable[[Any], Any]
    from_storage: Callable[[Any], Any]


def _same(obj: Any) -> Any:
    return obj


def stored(version: str, type_: type[Any]) -> View:
    """The view of objects as they are stored."""
    return View(version, type_, _same, _same)


class FieldManager:
    """The managers of a type's objects.

    ``views`` are the versions in which they are served, the stored one among them.  Objects that come in and go
    out are those of the stored version; ``version`` is the one in which the caller speaks, ``ignored`` what a write
    does not change although it says so.  ``now`` tells whole seconds.
    """

    def __init__(self, views: Iterable[View], now: Callable[[], datetime]) -> None:
        self._views = {view.version: view for view in views}
        self._creations = {version: creations(view.type) for version, view in self._views.items()}
        self._instant = now

    def view(self, version: str) -> View | None:
        """How objects look in a version, None for one that is not known."""
        return self._views.get(version)

    # -- updating ------------------------------------------------------------------------------------------------

    def created(self, new: Any, name: str, version: str, ignored: Fields = LEAF) -> None:
        """Note in a new object who made it."""
        meta = new.metadata
        manager = managers.updater(name, version)
        if meta.managed_fields and (given := _foreign(meta.managed_fields)):
            changes = self._changes(None, new, ignored)
            meta.managed_fields = managers.encode(updated(given, changes, manager, self._instant()))
            return
        seen = self._views[version].from_storage(new)
        fields = self._creations[version].fields(seen, ignored)
        owned = {manager: Owned(version, self._instant(), raw=FieldsV1(fields))} if fields else {}
        meta.managed_fields = managers.encode(owned)

    def updated(
        self, new: Any, old: Any, name: str, version: str, subresource: str = "", ignored: Fields = LEAF
    ) -> None:
        """Note in the new state of an object who changed it.

        Managers that the new state names itself replace those of the old one, but not through a subresource;
        an object that has no managers stays without.
        """
        entries: list[ManagedFieldsEntry] = old.metadata.managed_fields
        managed = self._given(new, entries) if not subresource else None
        foreign = managed is not None
        if managed is None:
            managed = managers.decode(entries)
        if not managed:
            new.metadata.managed_fields = []
            return
        changes = self._changes(old, new, ignored)
        changed = changes.at(version)
        assert changed is not None
        if changed.same:
            new.metadata.managed_fields = managers.encode(managed) if foreign else entries
            return
        manager = managers.updater(name, version, subresource)
        new.metadata.managed_fields = managers.encode(updated(managed, changes, manager, self._instant()))

    def _given(self, new: Any, entries: list[ManagedFieldsEntry]) -> Managed | None:
        """The managers that a new state names, None where it does not, or names them badly."""
        given = new.metadata.managed_fields
        if not given or given == entries:
            return None
        return {} if managers.is_reset(given) else _foreign(given) or None

    def _changes(self, old: Any | None, new: Any, ignored: Fields) -> Changes:
        def find(version: str) -> Comparison | None:
            at = self._views.get(version)
            if at is None:
                return None
            before = at.from_storage(old) if old is not None else None
            trees = reduced.pair(at.type, before, at.from_storage(new), ignored)
            return compare(*trees, schema_of(at.type))

        return Changes(find, ignored)

    # -- applying ------------------------------------------------------------------------------------------------

    def apply(
        self,
        live: Any | None,
        configuration: Configuration,
        name: str,
        version: str,
        subresource: str = "",
        ignored: Fields = LEAF,
        *,
        force: bool = False,
    ) -> Any:
        """The object with a configuration applied; a copy of the live one where that changes nothing.

        Raises Conflict, with the owner's names, where the configuration changes what others own.
        """
        tree, view = configuration.tree, self._views[version]
        configuration.check(view.type)
        schema = schema_of(view.type)
        if found := faults(tree, schema):
            message = found[0] if len(found) == 1 else "errors:\n" + "\n".join(f"  {fault}" for fault in found)
            raise unexpected(f"failed to create typed patch object ({configuration.identity}): {message}")
        now = self._instant()
        managed: Managed = {}
        if live is not None and not (managed := managers.decode(live.metadata.managed_fields)):
            first = managers.updater(managers.BEFORE_FIRST_APPLY, version, subresource)
            managed = updated({}, self._changes(None, live, ignored), first, now)
        before = reduced.whole(view.from_storage(live) if live is not None else view.type())
        manager = managers.applier(name, subresource)

        def attempt(force: bool) -> Applied:
            return applied(
                before, tree, managed, manager, version, self._target(view), now, ignored=ignored, force=force
            )

        try:
            result = attempt(force)
        except Conflicts as conflicts:
            remaining = conflicts
            if name == last_applied.MANAGER:
                remaining = conflicts.but(last_applied.allowed(before, schema))
            if remaining.owners:
                raise remaining.status_error() from None
            result = attempt(True)
        if live is not None and not result.changed:
            return codecs.copy(live)
        if name == last_applied.MANAGER:
            last_applied.synchronize(result.tree, tree)
        new = self._object(result.tree, view)
        new.metadata.managed_fields = managers.encode(result.managed)
        if live is not None:
            _keep_times(new, live)
        return new

    def _target(self, view: View) -> Callable[[str], Target | None]:
        """How objects in a view's version look in another one."""

        def convert(source: View, target: View) -> Callable[[dict[str, Any]], dict[str, Any]]:
            def through_storage(tree: dict[str, Any]) -> dict[str, Any]:
                return reduced.whole(target.from_storage(self._object(tree, source)))

            return _same if source.version == target.version else through_storage

        def find(version: str) -> Target | None:
            at = self._views.get(version)
            return Target(schema_of(at.type), convert(view, at), convert(at, view)) if at is not None else None

        return find

    @staticmethod
    def _object(tree: dict[str, Any], view: View) -> Any:
        obj, _ = codecs.decode_body(view.type, msgspec.json.encode(tree), "application/json", "Ignore")
        apply_defaults(obj)
        return view.to_storage(obj)


def _foreign(entries: list[ManagedFieldsEntry]) -> Managed:
    try:
        return managers.decode_foreign(entries)
    except ValueError:
        return {}


def _keep_times(new: Any, live: Any) -> None:
    """Take the old managers back where nothing has changed but when they wrote."""
    if not managers.same_but_for_time(new.metadata.managed_fields, live.metadata.managed_fields):
        return
    entries = new.metadata.managed_fields
    new.metadata.managed_fields = live.metadata.managed_fields
    if new != live:
        new.metadata.managed_fields = entries
