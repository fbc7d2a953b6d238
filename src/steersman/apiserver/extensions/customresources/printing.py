"""Tables of custom resources (``additionalPrinterColumns``), and the fields by which they can be selected."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from steersman.api.meta import TableColumnDefinition
from steersman.api.tables import Printer
from steersman.api.types.apiextensions_v1 import CustomResourceColumnDefinition, SelectableField
from steersman.api.unstructured import Unstructured, to_tree
from steersman.apiserver.extensions.columns import Column, compile_column, selected
from steersman.apiserver.extensions.jsonpath import JSONPath, JSONPathError

log = logging.getLogger(__name__)

_AGE = CustomResourceColumnDefinition(name="Age", type="date", json_path=".metadata.creationTimestamp")
_NAME = TableColumnDefinition(name="Name", type="string", format="name")


def printer(definitions: Sequence[CustomResourceColumnDefinition]) -> Printer:
    """The rows of tables: the name, then the columns that are declared, or the age where none is."""
    compiled: list[Column] = []
    columns = [_NAME]
    for definition in definitions or (_AGE,):
        try:
            compiled.append(compile_column(definition))
        except JSONPathError as error:
            log.warning("the column %s is left out: %s", definition.name, error)
            continue
        columns.append(
            TableColumnDefinition(
                name=definition.name,
                type=definition.type,
                format=definition.format,
                description=definition.description,
                priority=definition.priority or 0,
            )
        )

    def row(obj: Unstructured, now: datetime) -> list[Any]:
        tree = to_tree(obj)
        return [obj.metadata.name, *(column(tree, now) for column in compiled)]

    return Printer(columns, row)


def selectable(definitions: Sequence[SelectableField]) -> dict[str, Callable[[Any], str]]:
    """What selectors may ask for, by the name of the field: its path without the leading dot."""

    def extractor(path: JSONPath) -> Callable[[Any], str]:
        return lambda obj: selected(path, to_tree(obj))

    return {
        definition.json_path.removeprefix("."): extractor(JSONPath(definition.json_path)) for definition in definitions
    }
