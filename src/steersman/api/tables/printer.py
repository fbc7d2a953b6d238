"""What a printer is, and the ways in which cells are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from steersman.api import selectors
from steersman.api.meta import TableColumnDefinition, TableRowCondition
from steersman.api.time import rfc3339
from steersman.api.types import meta_v1

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"

Row = Callable[[Any, datetime], list[Any]]


class Printer:
    """The columns of a kind, and the function that gives an object's cells at an instant.

    ``conditions`` says what is remarkable about an object as a row; ``order`` in which order lists show their rows
    where that is not the list's own.
    """

    __slots__ = ("columns", "conditions", "order", "row")

    def __init__(
        self,
        columns: Sequence[str | TableColumnDefinition],
        row: Row,
        *,
        conditions: Callable[[Any], list[TableRowCondition]] | None = None,
        order: Callable[[Any], Any] | None = None,
    ) -> None:
        self.columns = tuple(_column(each) if isinstance(each, str) else each for each in columns)
        self.row = row
        self.conditions = conditions
        self.order = order


def _column(text: str) -> TableColumnDefinition:
    """A column written as ``Name[:type[:format]][+]``; ``+`` marks what only wide output shows."""
    wide = text.endswith("+")
    name, _, rest = text.removesuffix("+").partition(":")
    type_, _, format_ = rest.partition(":")
    return TableColumnDefinition(
        name=name,
        type=type_ or "string",
        format=format_ or ("name" if name == "Name" else ""),
        priority=1 if wide else 0,
    )


def human_duration(seconds: float) -> str:
    """A duration in at most two units, as kubectl shows ages."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 120:
        return f"{total}s"
    minutes, second = divmod(total, 60)
    if minutes < 10:
        return f"{minutes}m{second}s" if second else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours, minute = divmod(minutes, 60)
    if hours < 8:
        return f"{hours}h{minute}m" if minute else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days, hour = divmod(hours, 24)
    if days < 8:
        return f"{days}d{hour}h" if hour else f"{days}d"
    if days < 730:
        return f"{days}d"
    years, day = divmod(days, 365)
    if years < 8:
        return f"{years}y{day}d" if day else f"{years}y"
    return f"{years}y"


def since(instant: datetime | None, now: datetime) -> str:
    """How long ago an instant was."""
    return UNKNOWN if instant is None else human_duration((now - instant).total_seconds())


def age(obj: Any, now: datetime) -> str:
    """How long ago an object was created."""
    return since(obj.metadata.creation_timestamp, now)


def stamp(instant: datetime | None) -> str | None:
    """An instant as it stands in the API."""
    return None if instant is None else rfc3339(instant)


def labels(pairs: Mapping[str, str]) -> str:
    """``a=b,c=d``."""
    return ",".join(f"{key}={value}" for key, value in sorted(pairs.items())) or NONE


def label_selector(selector: meta_v1.LabelSelector | None, *, empty: str = NONE, wrong: str = "<error>") -> str:
    """A selector in the syntax of the command line."""
    try:
        return str(selectors.from_label_selector(selector)) or empty
    except ValueError:
        return wrong


def containers(spec: Any) -> list[str]:
    """The names and the images of a pod's containers."""
    return [
        ",".join(container.name for container in spec.containers),
        ",".join(container.image for container in spec.containers),
    ]


def some(values: Iterable[str], limit: int = 3, empty: str = NONE) -> str:
    """The first few of a list, and how many more there are."""
    items = list(values)
    if not items:
        return empty
    more = f" + {len(items) - limit} more..." if len(items) > limit else ""
    return ",".join(items[:limit]) + more


def truth(value: bool | None) -> str:
    """A flag that may be absent."""
    return UNSET if value is None else str(value)


def default_row(obj: Any, now: datetime) -> list[Any]:
    """Kinds without columns of their own."""
    return [obj.metadata.name, stamp(obj.metadata.creation_timestamp)]


DEFAULT = Printer(("Name", "Created At:date"), default_row)


def aged(
    columns: Sequence[str], cells: Callable[[Any], list[Any]], wide: Callable[[Any], list[Any]] | None = None
) -> Printer:
    """A printer of the usual form: name, cells of the kind, age, then what only wide output shows."""

    def row(obj: Any, now: datetime) -> list[Any]:
        result = [obj.metadata.name, *cells(obj), age(obj, now)]
        if wide is not None:
            result += wide(obj)
        return result

    usual = [column for column in columns if not column.endswith("+")]
    extra = [column for column in columns if column.endswith("+")]
    return Printer(("Name", *usual, "Age", *extra), row)
