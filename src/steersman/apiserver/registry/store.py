"""The generic handler: every write of every stored resource goes through here, and is decided here.

Writes read the object from the watch cache, decide, and commit with the revision they read; whoever lost a race decides
again on what the store says is there now.  Where nothing is to be committed (it is refused, or changes nothing), what
another server wrote may be missing from the cache: such a decision holds only once the cache is known to be current.
The JSON of an object is made once, here.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.errors import (
    MODIFIED,
    FieldError,
    StatusError,
    already_exists,
    conflict,
    invalid,
    invalid_value,
    is_not_found,
    method_not_supported,
    not_found,
    service_unavailable,
)
from steersman.api.generated_names import generated_name
from steersman.api.resources import RETURNS_DELETED
from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import DeleteOptions, ObjectMeta, Status, StatusDetails
from steersman.apiserver import patch as patches
from steersman.apiserver.admission.plugin import Chain, Request
from steersman.apiserver.patch.apply import FieldManager, View, stored
from steersman.apiserver.patch.apply.fields import Fields
from steersman.apiserver.seams import Now
from steersman.client.client import Patch
from steersman.storage.store import (
    CompareFailed,
    Put,
    Store,
)
from steersman.storage.watch_cache import Entry, WatchCache, is_spliced, splice

from . import metadata
from .commits import Commits
from .contract import Context, ListOptions, Page
from .deletion import check_options, check_preconditions
from .heavy import LARGE, HeavyWork, is_large
from .lacking import supplied
from .lending import borrowed
from .patching import patched, read_configuration
from .reading import Reader
from .reset_fields import reset_fields
from .scaling import Scaling
from .strategy import Strategy, Transform
from .turns import Turn

T = TypeVar("T")

_MAX_ATTEMPTS = 1000
"""Upstream tries without end; here those who lose write one after the other."""


class Handler(Commits):
    """One stored resource in its storage version."""

    def __init__(
        self,
        resource: Resource[Any],
        strategy: Strategy,
        store: Store,
        cache: WatchCache[Any],
        admission: Chain,
        now: Now,
        start: Callable[[Reader], Awaitable[None]],
        heavy: HeavyWork,
        views: Sequence[View] = (),
    ) -> None:
        super().__init__(resource, strategy, store, cache, start, heavy)
        own = stored(resource.group_version, resource.type)
        self._ignored: dict[str, Fields] = {}
        self._scaling = Scaling(resource, strategy.scale, now, self._rescale) if strategy.scale else None
        self._fields = FieldManager((own, *views), now)
        self._admission = admission
        self._now = now

    def view(self, version: str) -> View | None:
        """How the objects look in another version, None for one that is not known."""
        return self._fields.view(version)

    # -- creating ------------------------------------------------------------------------------------------------

    async def create(self, context: Context, namespace: str, obj: Any) -> Entry[Any]:
        """Create an object, which is then the handler's to change."""
        if self.promptness is None:
            await self.ready()
        meta = obj.metadata
        metadata.check_namespace(self.resource, meta, namespace)
        if meta.resource_version:
            raise StatusError(
                Status(status="Failure", code=500, message="resourceVersion should not be set on objects to be created")
            )
        large = context.weight > LARGE

        def complete() -> None:
            apply_defaults(obj)
            if not context.applies:
                version = context.served_as or self.resource.group_version
                self._fields.created(obj, context.field_manager, version, self._reset_by(""))

        await self._decided(complete, large)
        request = Request(
            "CREATE",
            self.resource,
            "",
            meta.namespace,
            meta.name,
            obj,
            None,
            context.user,
            dry_run=context.dry_run,
            warnings=context.warnings,
            annotations=context.annotations,
            field_manager=context.field_manager,
            own=context.own,
        )
        await self._admission.mutate(request)
        metadata.check_namespace(self.resource, meta, namespace)
        generated = not meta.name and bool(meta.generate_name)
        if generated:
            meta.name = generated_name(meta.generate_name)
        metadata.fill_new(meta, self._now())
        self.strategy.prepare_create(context, obj)
        await self.strategy.authorize(context, obj, None)
        if not context.own_endpoints:

            def check() -> list[FieldError]:
                return self.strategy.validate(context, obj)

            faults = await self._heavy.do(check) if large or self.strategy.is_laborious else check()
            if faults := faults or await self.strategy.examine(context, obj, None):
                raise invalid(self.resource.kind, meta.name, faults, self.resource.group)
        request.name = meta.name
        await self._admission.validate(request)
        for _ in range(metadata.NAME_ATTEMPTS if generated else _MAX_ATTEMPTS):
            reservation = await self.strategy.reserve(obj, None)
            key = self.resource.key(meta.namespace, meta.name)
            value = codecs.encode(obj)
            if context.dry_run:
                if await self._there(key) is not None:
                    raise already_exists(self.resource.name, meta.name, self.resource.group)
                if await self._obtainable(reservation):
                    return Entry(key, 0, await self._read_back(value), self.decode)
                continue
            try:
                return await self._commit(Put(key, value, 0), obj, reservation)
            except CompareFailed as error:
                if key in error.current:
                    if not generated:
                        raise already_exists(self.resource.name, meta.name, self.resource.group) from None
                    meta.name = generated_name(meta.generate_name)
                if reservation is not None and (lost := reservation.lost(list(error.current))) is not None:
                    raise lost from None
        if generated:
            raise metadata.generated_name_taken(self.resource, meta.name)
        raise service_unavailable("the object could not be given what must be unique; please try again")

    # -- updating ------------------------------------------------------------------------------------------------

    async def update(
        self, context: Context, namespace: str, name: str, obj: Any, *, subresource: str = "", lent: bool = False
    ) -> tuple[Entry[Any], bool]:
        """Replace an object, or the part of it that a subresource is; the flag says that it was created.

        The object is the handler's to change, unless it is ``lent``.
        """
        self._check_subresource(subresource, "update")
        if not lent:
            metadata.check_namespace(self.resource, obj.metadata, namespace)
        metadata.check_name(obj.metadata, name)
        untouched = self.strategy.content if subresource == "status" else ()
        # Without a resource version a lost race is tried again, and the body must be whole then.
        version = obj.metadata.resource_version

        def transform(entry: Entry[Any] | None) -> Any:
            if lent and entry is not None:
                return borrowed(obj, entry.object, untouched)
            if lent or not version:
                return codecs.copy(obj)
            obj.metadata.resource_version = version
            return obj

        create = self.strategy.create_on_update and not subresource
        return await self._write(context, namespace, name, transform, subresource, create=create, version=version)

    async def patch(
        self, context: Context, namespace: str, name: str, patch: Patch, *, subresource: str = ""
    ) -> tuple[Entry[Any], bool]:
        """Patch an object, or the part of it that a subresource is."""
        if patch.type == patches.APPLY_PATCH:
            return await self._apply(context, namespace, name, patch, subresource)
        patches.check_media_type(patch.type)

        def transform(entry: Entry[Any] | None) -> Any:
            assert entry is not None
            return patched(msgspec.json.decode(entry.raw), patch, self.resource.type, context)

        return await self.transform(context, namespace, name, transform, subresource=subresource)

    async def _apply(
        self, context: Context, namespace: str, name: str, patch: Patch, subresource: str
    ) -> tuple[Entry[Any], bool]:
        """Apply a configuration (KEP-555), which creates what does not exist."""
        self._check_subresource(subresource, "patch")
        configuration = await read_configuration(patch)
        version, ignored = context.served_as or self.resource.group_version, self._reset_by(subresource)
        manager = patch.field_manager or context.field_manager
        context = msgspec.structs.replace(context, applies=True)

        def transform(entry: Entry[Any] | None) -> Any:
            live = entry.object if entry is not None else None
            obj = self._fields.apply(live, configuration, manager, version, subresource, ignored, force=patch.force)
            context.note(configuration.verdict(context.field_validation))
            if entry is None:
                self._check_absent(obj.metadata, name)
            return obj

        return await self._write(context, namespace, name, transform, subresource, create=not subresource)

    def _check_absent(self, meta: ObjectMeta, name: str) -> None:
        """What a configuration that creates must say, and must not."""
        metadata.check_name(meta, name)
        if meta.uid:
            detail = f"uid mismatch: the provided object specified uid {meta.uid}, and no existing object was found"
            raise conflict(self.resource.name, name, detail, self.resource.group)

    async def transform(
        self, context: Context, namespace: str, name: str, transform: Transform, *, subresource: str = ""
    ) -> tuple[Entry[Any], bool]:
        """Write what a function makes of the present object, which it is given and MUST NOT change."""
        self._check_subresource(subresource, "patch")
        return await self._write(context, namespace, name, transform, subresource, create=False)

    async def _rescale(
        self, context: Context, namespace: str, name: str, transform: Transform
    ) -> tuple[Entry[Any], bool]:
        """Write the object of another scale, which is what admission is asked about."""
        entry, created = await self._write(context, namespace, name, transform, "", create=False, scale=True)
        await self._object(entry)
        return entry, created

    async def modify(
        self, context: Context, namespace: str, name: str, change: Callable[[Any], None], *, subresource: str = ""
    ) -> Entry[Any]:
        """Change a copy of the present object in place and write it; repeated after a lost race."""

        def transform(entry: Entry[Any] | None) -> Any:
            assert entry is not None
            obj = codecs.copy(entry.object)
            change(obj)
            return obj

        return (await self._write(context, namespace, name, transform, subresource, create=False))[0]

    async def amend(
        self,
        namespace: str,
        name: str,
        change: Callable[[Any], None],
        *,
        dry_run: bool = False,
        copy: Callable[[Any], Any] = codecs.copy,
    ) -> Entry[Any]:
        """Change the object on the server's own behalf: like :meth:`modify`, past admission, hooks and validation.

        ``copy`` makes what ``change`` may change, a deep copy where it does not say how deep.
        """
        entry = await self._present(namespace, name)
        current = False
        turn: Turn | None = None
        try:
            for _ in range(_MAX_ATTEMPTS):
                if entry is None:
                    raise not_found(self.resource.name, name, self.resource.group)
                copied = functools.partial(copy, await self._object(entry))
                obj = await self._heavy.do(copied) if is_large(entry.raw) else copied()
                try:
                    change(obj)
                except StatusError:
                    if current or (newer := await self._current(entry)) is entry:
                        raise
                    entry, current = newer, True
                    continue
                obj.metadata.resource_version = ""
                value = codecs.encode(obj)
                same = is_spliced(entry.raw, value, entry.revision)
                if same and not current and (newer := await self._current(entry)) is not entry:
                    entry, current = newer, True
                    continue
                if same or dry_run:
                    return Entry(entry.key, entry.revision, splice(value, entry.revision), self.decode)
                try:
                    return await self._commit(Put(entry.key, value, entry.revision), obj, None)
                except CompareFailed as error:
                    turn, entry = await self._line_up(turn, entry.key, self._entry_of(error.current[entry.key]))
            raise conflict(self.resource.name, name, MODIFIED, self.resource.group)
        finally:
            if turn is not None:
                turn.end()

    async def _decided(self, decide: Callable[[], T], large: bool) -> T:
        """What plain code decides, which may need what others have to be asked for."""
        return await supplied(decide, self._heavy.do if large else None)

    def _reset_by(self, subresource: str) -> Fields:
        """What a write through a subresource leaves alone."""
        if (found := self._ignored.get(subresource)) is None:
            found = self._ignored[subresource] = reset_fields(self.strategy, subresource)
        return found

    def _check_subresource(self, subresource: str, verb: str) -> None:
        if subresource and subresource not in self.strategy.subresources:
            raise method_not_supported(f"{self.resource.name}/{subresource}", verb, self.resource.group)

    async def _write(
        self,
        context: Context,
        namespace: str,
        name: str,
        transform: Transform,
        subresource: str,
        *,
        create: bool,
        version: str = "",
        scale: bool = False,
    ) -> tuple[Entry[Any], bool]:
        """Write what is made of the present object.

        ``version``: of the object that is meant alone, so that what is refused need not be tried on another.
        """
        entry = await self._present(namespace, name, version)
        current = False
        turn: Turn | None = None
        try:
            for _ in range(_MAX_ATTEMPTS):
                if entry is None:
                    if not create:
                        raise not_found(self.resource.name, name, self.resource.group)
                    large = context.weight > LARGE
                    obj = await self._decided(lambda: transform(None), large)
                    metadata.check_uid(self.resource, obj.metadata, "", namespace, name)
                    obj.metadata.resource_version = ""
                    if context.may_create is not None:
                        await context.may_create()
                    try:
                        return await self.create(context, namespace, obj), True
                    except StatusError as error:
                        if error.reason != "AlreadyExists":
                            raise
                        entry = await self._present(namespace, name)
                        continue
                try:
                    new = await self._prepared(context, namespace, name, transform, subresource, entry, scale=scale)
                except StatusError:
                    if version or current or (newer := await self._current(entry)) is entry:
                        raise
                    entry, current = newer, True
                    continue
                old = entry.object
                if self.strategy.released(new):
                    if context.dry_run or await self._remove(entry, new):
                        # Without its finalizers: who took the last one away is told that it is away.
                        new.metadata.resource_version = ""
                        raw = splice(codecs.encode(new), entry.revision)
                        return Entry(entry.key, entry.revision, raw, self.decode), False
                    entry = await self._fetch(entry.key)
                    continue
                reservation = await self.strategy.reserve(new, old)
                new.metadata.resource_version = ""
                value = codecs.encode(new)
                same = is_spliced(entry.raw, value, entry.revision) and not self.strategy.is_outdated(entry)
                if same and not (reservation is not None and reservation.operations):
                    if current or (newer := await self._current(entry)) is entry:
                        return entry, False
                    entry, current = newer, True
                    continue
                if context.dry_run:
                    if await self._obtainable(reservation):
                        raw = splice(await self._read_back(value), entry.revision)
                        return Entry(entry.key, entry.revision, raw, self.decode), False
                    continue
                try:
                    return await self._commit(Put(entry.key, value, entry.revision), new, reservation), False
                except CompareFailed as error:
                    if reservation is not None and (lost := reservation.lost(list(error.current))) is not None:
                        raise lost from None
                    if entry.key in error.current:
                        found = self._entry_of(error.current[entry.key])
                        turn, entry = await self._line_up(turn, entry.key, found)
            raise conflict(self.resource.name, name, MODIFIED, self.resource.group)
        finally:
            if turn is not None:
                turn.end()

    async def _prepared(
        self,
        context: Context,
        namespace: str,
        name: str,
        transform: Transform,
        subresource: str,
        entry: Entry[Any],
        *,
        scale: bool,
    ) -> Any:
        """The object that would be written over an entry, admitted and valid."""
        large = is_large(entry.raw, context.weight)
        old = await self._object(entry)

        def change() -> Any:
            new = transform(entry)
            metadata.check_namespace(self.resource, new.metadata, namespace)
            metadata.check_name(new.metadata, name)
            metadata.check_uid(self.resource, new.metadata, old.metadata.uid, namespace, name)
            apply_defaults(new, self.strategy.take_over(new, old) if subresource == "status" else ())
            if not context.applies:
                version, ignored = context.served_as or self.resource.group_version, self._reset_by(subresource)
                self._fields.updated(new, old, context.field_manager, version, subresource, ignored)
            return new

        new = await self._decided(change, large)
        meta = new.metadata
        scaling = self._scaling if scale else None
        request = Request(
            "UPDATE",
            self.resource,
            subresource if scaling is None else "scale",
            namespace,
            name,
            new if scaling is None else scaling.of(new, entry.revision),
            old if scaling is None else scaling.of(old, entry.revision),
            context.user,
            dry_run=context.dry_run,
            warnings=context.warnings,
            annotations=context.annotations,
            field_manager=context.field_manager,
            own=context.own,
        )
        await self._admission.mutate(request)
        metadata.check_namespace(self.resource, meta, namespace)
        if scaling is not None:
            scaling.put(new, request.obj)
        if not meta.resource_version:
            if not self.strategy.unconditional_update:
                fault = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
                raise invalid(self.resource.kind, name, [fault], self.resource.group)
        elif meta.resource_version != str(entry.revision):
            if not meta.resource_version.isdigit():
                detail = f'strconv.ParseUint: parsing "{meta.resource_version}": invalid syntax'
                fault = invalid_value("metadata.resourceVersion", meta.resource_version, detail)
                raise invalid(self.resource.kind, name, [fault], self.resource.group)
            raise conflict(self.resource.name, name, MODIFIED, self.resource.group)
        metadata.carry_over(meta, old.metadata)
        if subresource:
            self.strategy.subresources[subresource](context, new, old)
        else:
            self.strategy.prepare_update(context, new, old)
        metadata.keep_equal(new.metadata, old.metadata)
        await self.strategy.authorize(context, new, old)
        if not context.own_endpoints:

            def check() -> list[FieldError]:
                return self.strategy.validate_update(context, new, old, subresource)

            faults = await self._heavy.do(check) if large or self.strategy.is_laborious else check()
            if faults := faults or await self.strategy.examine(context, new, old):
                raise invalid(self.resource.kind, name, faults, self.resource.group)
        await self._admission.validate(request)
        return new

    # -- deleting ------------------------------------------------------------------------------------------------

    async def delete(self, context: Context, namespace: str, name: str, options: DeleteOptions) -> Entry[Any] | Status:
        """Begin to delete an object."""
        check_options(options)
        entry = await self._present(namespace, name)
        dry_run = context.dry_run or bool(options.dry_run)
        admitted = current = False
        expired: Entry[Any] | None = None
        for _ in range(_MAX_ATTEMPTS):
            if entry is None:
                if expired is not None:
                    return self._gone(expired, codecs.copy(expired.object), expired.revision)
                raise not_found(self.resource.name, name, self.resource.group)
            old = await self._object(entry)
            known = entry is expired
            if not known and (error := check_preconditions(self.resource, old.metadata, entry.revision, options)):
                fresh = await self._fetch(entry.key)
                if fresh is None or fresh.revision == entry.revision:
                    raise error
                entry = fresh
                continue
            if not admitted:
                self.strategy.warn_of_delete(context, options)
                request = Request(
                    "DELETE",
                    self.resource,
                    "",
                    namespace,
                    name,
                    None,
                    old,
                    context.user,
                    dry_run=dry_run,
                    warnings=context.warnings,
                    annotations=context.annotations,
                    options=options,
                    own=context.own,
                )
                await self._admission.mutate(request)
                await self._admission.validate(request)
                admitted = True
            copy = functools.partial(codecs.copy, old)
            obj = await self._heavy.do(copy) if is_large(entry.raw) else copy()
            outcome = self.strategy.begin_delete(obj, options, self._now())
            if outcome == "unchanged":
                if current or (newer := await self._current(entry)) is entry:
                    return entry
                entry, current = newer, True
                continue
            if outcome == "remove" or (outcome == "expire" and dry_run):
                revision = entry.revision if dry_run else await self._remove(entry, obj)
                if revision:
                    return self._gone(entry, obj, revision)
                entry = await self._fetch(entry.key)
                continue
            obj.metadata.resource_version = ""
            value = codecs.encode(obj)
            if dry_run:
                raw = splice(await self._read_back(value), entry.revision)
                return Entry(entry.key, entry.revision, raw, self.decode)
            try:
                entry = await self._commit(Put(entry.key, value, entry.revision), obj, None)
            except CompareFailed as failure:
                entry = self._entry_of(failure.current[entry.key])
                continue
            if outcome == "update":
                return entry
            expired = entry
        raise conflict(self.resource.name, name, MODIFIED, self.resource.group)

    def _gone(self, entry: Entry[Any], obj: Any, revision: int) -> Entry[Any] | Status:
        """What is answered of an object that is gone: its last state, at the revision at which it went."""
        meta = obj.metadata
        if self.resource.qualified_name in RETURNS_DELETED:
            meta.resource_version = ""
            return Entry(entry.key, revision, splice(codecs.encode(obj), revision), self.decode)
        details = StatusDetails(name=meta.name, group=self.resource.group, kind=self.resource.name, uid=meta.uid)
        return Status(status="Success", details=details)

    async def delete_collection(
        self, context: Context, namespace: str, options: ListOptions, delete_options: DeleteOptions
    ) -> Page:
        """Begin to delete every object that the selectors choose; the answer is what was there."""
        check_options(delete_options)
        page = await self.list(namespace, options)
        for entry in page.entries:
            meta = entry.object.metadata
            try:
                await self.delete(context, meta.namespace, meta.name, delete_options)
            except StatusError as error:
                if not is_not_found(error):
                    raise
        return page

    # -- subresources --------------------------------------------------------------------------------------------

    async def get_subresource(self, namespace: str, name: str, subresource: str) -> Any:
        """``scale``."""
        scaling = self._scaling_of(subresource, "get")
        entry = await self.get(namespace, name)
        await self._object(entry)
        return scaling.read(entry)

    async def update_subresource(
        self, context: Context, namespace: str, name: str, subresource: str, transform: Callable[[Any], Any]
    ) -> Any:
        """Change ``scale``: ``transform`` gets the present one and returns the wanted one."""
        return await self._scaling_of(subresource, "update").update(context, namespace, name, transform)

    async def patch_subresource(
        self, context: Context, namespace: str, name: str, subresource: str, patch: Patch
    ) -> Any:
        """Patch ``scale``."""
        return await self._scaling_of(subresource, "patch").patch(context, namespace, name, patch)

    def _scaling_of(self, subresource: str, verb: str) -> Scaling:
        if subresource != "scale" or self._scaling is None:
            raise method_not_supported(f"{self.resource.name}/{subresource}", verb, self.resource.group)
        return self._scaling

    async def create_subresource(self, context: Context, namespace: str, name: str, subresource: str, body: Any) -> Any:
        """Post to a subresource that the kind's strategy serves."""
        await self.ready()
        result = await self.strategy.create_subresource(context, namespace, name, subresource, body)
        if result is NotImplemented:
            raise method_not_supported(f"{self.resource.name}/{subresource}", "create", self.resource.group)
        return result
