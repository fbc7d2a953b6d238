"""What every resource shares: who controls an object, and representations that the published schema leaves out."""

from __future__ import annotations

from typing import Any

from msgspec import field

from .types.meta_v1 import ListMeta, ObjectMeta, OwnerReference
from .types.scalars import APIStruct, constant, required_list


def controller_of(metadata: ObjectMeta) -> OwnerReference | None:
    """The reference to the one owner that manages the object, or None."""
    for owner in metadata.owner_references:  # asked of every pod over and over: a loop is the fastest form
        if owner.controller:
            return owner
    return None


class PartialObjectMetadata(APIStruct):
    """An object of any kind reduced to its metadata."""

    kind: str = field(default_factory=constant("PartialObjectMetadata"))
    api_version: str = field(default_factory=constant("meta.k8s.io/v1"))
    metadata: ObjectMeta = field(default_factory=ObjectMeta)


class PartialObjectMetadataList(APIStruct):
    """A collection of any kind reduced to metadata."""

    kind: str = field(default_factory=constant("PartialObjectMetadataList"))
    api_version: str = field(default_factory=constant("meta.k8s.io/v1"))
    metadata: ListMeta = field(default_factory=ListMeta)
    items: list[PartialObjectMetadata] = field(default_factory=required_list)


class TableColumnDefinition(APIStruct):
    """A column: ``priority`` 0 is always shown, others in wide output."""

    name: str = field(default_factory=str)
    type: str = field(default_factory=str)
    format: str = field(default_factory=str)
    description: str = field(default_factory=str)
    priority: int = field(default_factory=int)


class TableRowCondition(APIStruct):
    """Something remarkable about a row, such as that its pod is done."""

    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    reason: str = ""
    message: str = ""


class TableRow(APIStruct):
    """A row; ``object`` is the full object, its partial metadata, or absent."""

    cells: list[Any] = field(default_factory=required_list)
    conditions: list[TableRowCondition] = field(default_factory=list)
    object: Any = None


class Table(APIStruct):
    """A collection as columns and rows, for people."""

    kind: str = field(default_factory=constant("Table"))
    api_version: str = field(default_factory=constant("meta.k8s.io/v1"))
    metadata: ListMeta = field(default_factory=ListMeta)
    column_definitions: list[TableColumnDefinition] = field(default_factory=required_list)
    rows: list[TableRow] = field(default_factory=required_list)
