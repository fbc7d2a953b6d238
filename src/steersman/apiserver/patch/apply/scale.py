"""Managers of ``/scale``: those who own the parent's replicas, in the words of a Scale, and back."""

from __future__ import annotations

from collections.abc import Sequence

from steersman.api.types.autoscaling_v1 import Scale
from steersman.api.types.meta_v1 import ManagedFieldsEntry

from . import fields as sets
from . import managers
from .field_manager import stored
from .managers import Managed, Manager, Owned

VIEW = stored("autoscaling/v1", Scale)

_REPLICAS = ("f:spec", "f:replicas")
"""Where they are in a Scale, and in most that have one; others say their ``path``."""


def _at(manager: Manager, version: str) -> Manager:
    return manager if manager.applies else manager._replace(version=version)


def of_parent(
    entries: Sequence[ManagedFieldsEntry], version: str, path: tuple[str, ...] = _REPLICAS
) -> list[ManagedFieldsEntry]:
    """The managers of a Scale, from those of its parent in a version."""
    result: Managed = {
        _at(manager, VIEW.version): Owned(VIEW.version, owned.time, sets.of(_REPLICAS))
        for manager, owned in managers.decode(entries).items()
        if owned.version == version and sets.has(owned.fields, path)
    }
    return managers.encode(result)


def to_parent(
    entries: Sequence[ManagedFieldsEntry],
    scale: Sequence[ManagedFieldsEntry],
    version: str,
    path: tuple[str, ...] = _REPLICAS,
) -> list[ManagedFieldsEntry]:
    """The managers of the parent after the Scale has been written."""
    replicas = sets.of(path)
    owners = {_at(manager, version): owned for manager, owned in managers.decode(scale).items()}
    result: Managed = {}
    for manager, owned in managers.decode(entries).items():
        if owned.version != version or not sets.has(owned.fields, path) or manager in owners:
            result[manager] = owned
        elif rest := sets.difference(owned.fields, replicas):
            result[manager] = owned.with_fields(rest)
    for manager, owned in owners.items():
        if sets.has(owned.fields, _REPLICAS):
            present = result.get(manager)
            fields = sets.union(present.fields, replicas) if present is not None else replicas
            result[manager] = Owned(version, owned.time, fields)
    return managers.encode(result)
