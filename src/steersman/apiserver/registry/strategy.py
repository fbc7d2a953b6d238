"""What a kind does differently from all others.  The base is a kind with nothing particular.

Hooks get the *new* object, which is theirs to change, and the *old* one, which is shared and is not.  After
``prepare_status`` or ``prepare_update`` the new object may share parts with the old: those MUST not be changed either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from steersman.api.errors import FieldError, StatusError
from steersman.api.scheme import Object, Resource, Scheme
from steersman.api.types.autoscaling_v1 import Scale
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.api.validation import validate, validate_update
from steersman.apiserver.admission.plugin import Chain, Cluster
from steersman.apiserver.seams import Surroundings
from steersman.storage.store import Operation, Store
from steersman.storage.watch_cache import Entry, Index

from . import deletion
from .config import RegistryConfig
from .contract import Context

if TYPE_CHECKING:
    from .store import Handler

T = TypeVar("T", bound=Object)


class Reservation(Protocol):
    """What else must be written in the commit that writes an object, such as the address it was given."""

    operations: Sequence[Operation]

    def lost(self, keys: Sequence[str]) -> StatusError | None:
        """Somebody else took these keys: undo what was chosen so that another try chooses anew, or say why not."""
        ...


class Handlers(Cluster, Protocol):
    """What strategies may use of the registry."""

    config: RegistryConfig
    store: Store
    scheme: Scheme
    surroundings: Surroundings
    admission: Chain

    def now(self) -> datetime:
        """The instant, in seconds."""
        ...

    def handler_of(self, type_: type[Any]) -> Handler:
        """The handler of a built-in type."""
        ...


class ScaleAccess(NamedTuple):
    """How a kind answers at ``/scale``; ``path`` is where its replicas are, in the words of managed fields."""

    read: Callable[[Any], Scale]
    write: Callable[[Any, int], None]
    path: tuple[str, ...] = ("f:spec", "f:replicas")


Transform = Callable[[Entry[Any] | None], Any]
"""Makes the wanted object from the present one; called again after a lost race."""

Prepare = Callable[[Context, Any, Any], None]


class Strategy:
    """One kind.  Class attributes are its properties, methods its hooks."""

    generation = False
    """Whether ``metadata.generation`` counts the changes of everything but metadata and status."""

    create_on_update = False
    """Whether PUT creates what does not exist."""

    unconditional_update = True
    """Whether an update may come without a resource version."""

    status_metadata = True
    """Whether a write of ``/status`` also changes labels, annotations, finalizers and owners."""

    dependents: deletion.Policy | None = "Background"
    """What becomes of dependents when the deletion does not say; None where there can be none."""

    indexes: Mapping[str, Index] = {}
    """By what, beside the key, watches and lists are narrowed; named as the field selector's field."""

    kept_decoded: int = 8 << 20
    """The objects of so many bytes of JSON stay decoded beside it."""

    scale: ScaleAccess | None = None

    content: tuple[str, ...] = ()
    """The attributes that a write of ``/status`` leaves alone."""

    @property
    def is_laborious(self) -> bool:
        """Whether to validate an object may take long however small it is: it is done in a thread then."""
        return False

    def __init__(self, resource: Resource[Any], cluster: Handlers) -> None:
        self.resource = resource
        self.cluster = cluster
        self.fields: tuple[str, ...] = resource.type.__struct_fields__
        self.has_status = "status" in resource.subresources and "status" in self.fields
        self.content = tuple(f for f in self.fields if f not in ("kind", "api_version", "metadata", "status"))
        self.subresources: dict[str, Prepare] = {"status": self.prepare_status} if self.has_status else {}

    def prepare_create(self, context: Context, new: Any) -> None:
        """Reset what clients may not set."""
        if self.has_status:
            new.status = self.empty_status()
        if self.generation:
            new.metadata.generation = 1

    def empty_status(self) -> Any:
        """The status of an object of which nothing has been observed."""
        return self.resource.type().status

    def prepare_update(self, context: Context, new: Any, old: Any) -> None:
        """A write of the object itself: keep the status, count the change."""
        if self.has_status:
            new.status = old.status
        self.count_change(new, old)

    def prepare_status(self, context: Context, new: Any, old: Any) -> None:
        """A write of ``/status``: keep everything else, but let metadata through unless the kind is stricter."""
        for name in self.content:
            setattr(new, name, getattr(old, name))
        if not self.status_metadata:
            for name in ("labels", "annotations", "finalizers", "owner_references"):
                setattr(new.metadata, name, getattr(old.metadata, name))

    def take_over(self, new: Any, old: Any) -> tuple[str, ...]:
        """The attributes that a write of ``/status`` leaves alone and says alike; the old values take their place."""
        alike = tuple(name for name in self.content if getattr(new, name) == getattr(old, name))
        for name in alike:
            setattr(new, name, getattr(old, name))
        return alike

    def count_change(self, new: Any, old: Any) -> None:
        """Bump the generation when the object wants something else than before."""
        if self.generation and any(getattr(new, name) != getattr(old, name) for name in self.content):
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def validate(self, context: Context, new: Any) -> list[FieldError]:
        """The faults of a new object; where there are none, what to warn of is told."""
        faults = validate(new)
        return faults or self._warn(context, self.warnings(new, None))

    def validate_update(self, context: Context, new: Any, old: Any, subresource: str) -> list[FieldError]:
        """The faults of a change; where there are none, what to warn of is told."""
        faults = validate_update(new, old, subresource)
        return faults if faults or subresource else self._warn(context, self.warnings(new, old))

    def warnings(self, new: Any, old: Any | None) -> Iterable[str]:
        """What to tell people of an object that is accepted; without an old one it is new."""
        return ()

    @staticmethod
    def _warn(context: Context, warnings: Iterable[str]) -> list[FieldError]:
        """Each once, also where a lost race has a change looked at again; never a fault."""
        context.warnings.extend(text for text in warnings if text not in context.warnings)
        return []

    async def authorize(self, context: Context, new: Any, old: Any | None) -> None:
        """Refuse what the caller may not write although it may write objects of this kind."""

    async def examine(self, context: Context, new: Any, old: Any | None) -> list[FieldError]:
        """Faults of an object that has none by itself, but that others tell of."""
        return []

    async def reserve(self, new: Any, old: Any | None) -> Reservation | None:
        """Choose what must be unique in the cluster, and say what to write for it."""
        return None

    def release(self, old: Any) -> Sequence[Operation]:
        """What to write in the commit that removes an object."""
        return ()

    async def read_back(self, value: bytes) -> bytes:
        """What is read once a value has been written; raises StoreError."""
        return value

    def is_outdated(self, entry: Entry[Any]) -> bool:
        """Whether an object is worth writing although nothing of it changes: it is stored as nothing is any more."""
        return False

    def begin_delete(self, obj: Any, options: DeleteOptions, now: datetime) -> deletion.Outcome:
        """Change a copy of the object as its deletion demands, and say what to do with it."""
        return deletion.begin(obj, options, now=now, default=self.dependents, grace_period=self.grace_period)

    def warn_of_delete(self, context: Context, options: DeleteOptions) -> None:
        """Tell the caller what may surprise them."""

    def grace_period(self, obj: Any, asked: int | None) -> int | None:
        """The seconds between the request to delete an object and its removal; None: there is no such time."""
        return None

    def released(self, obj: Any) -> bool:
        """Whether an object that is being deleted can be removed now."""
        return deletion.released(obj.metadata)

    async def create_subresource(self, context: Context, namespace: str, name: str, subresource: str, body: Any) -> Any:
        """Serve a POST to a subresource, or return NotImplemented."""
        return NotImplemented
