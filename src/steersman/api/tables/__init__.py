"""Tables: objects as columns and rows, as ``kubectl get [-o wide]`` shows them.

Each kind has a :class:`~steersman.api.tables.printer.Printer`; :data:`TABLE` is all of them, by group and kind.
A watch prints single rows with :func:`row`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from steersman.api.meta import PartialObjectMetadata, Table, TableColumnDefinition, TableRow
from steersman.api.scheme import Resource
from steersman.api.time import now as current
from steersman.api.types.meta_v1 import ListMeta

from . import access, cluster, devices, extensions, network, pods, storage, workloads
from .printer import DEFAULT, Printer, human_duration

__all__ = ["TABLE", "Printer", "columns", "human_duration", "in_order", "printer", "row", "table"]


TABLE: dict[tuple[str, str], Printer] = {
    ("", "Pod"): pods.POD,
    ("", "PodTemplate"): pods.POD_TEMPLATE,
    **workloads.TABLE,
    **network.TABLE,
    **cluster.TABLE,
    **storage.TABLE,
    **access.TABLE,
    **extensions.TABLE,
    **devices.TABLE,
}


def printer(resource: Resource[Any]) -> Printer:
    """The printer of a resource; kinds without one show name and creation."""
    if resource.printer is not None:
        own: Printer = resource.printer
        return own
    return TABLE.get((resource.group, resource.kind), DEFAULT)


def columns(resource: Resource[Any]) -> list[TableColumnDefinition]:
    """The columns of a resource's tables."""
    return list(printer(resource).columns)


def in_order(resource: Resource[Any], objects: Iterable[Any], of: Callable[[Any], Any] = lambda obj: obj) -> list[Any]:
    """A list in the order of its table's rows; ``of`` finds the object of an item."""
    order = printer(resource).order
    return list(objects) if order is None else sorted(objects, key=lambda item: order(of(item)))


def row(resource: Resource[Any], obj: Any, now: datetime | None = None, include_object: str = "Metadata") -> TableRow:
    """One object; ``include_object`` is the query parameter ``includeObject`` (empty means ``Metadata``)."""
    embedded: Any = None
    if include_object == "Object":
        embedded = obj
    elif include_object != "None":
        embedded = PartialObjectMetadata(metadata=obj.metadata)
    found = printer(resource)
    conditions = found.conditions(obj) if found.conditions is not None else []
    return TableRow(cells=found.row(obj, now or current()), conditions=conditions, object=embedded)


def table(
    resource: Resource[Any],
    objects: Iterable[Any],
    now: datetime | None = None,
    *,
    metadata: ListMeta | None = None,
    include_object: str = "Metadata",
) -> Table:
    """A collection; ``metadata`` carries its resource version and continue token."""
    instant = now or current()
    rows = [row(resource, obj, instant, include_object) for obj in in_order(resource, objects)]
    return Table(metadata=metadata or ListMeta(), column_definitions=columns(resource), rows=rows)
