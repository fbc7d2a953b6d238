"""The field numbers of the API's messages, as the tables in ``numbers/`` hold them.

A table maps a message's name to its fields, each ``jsonName=number``, with a mark where the type does not tell it all:

- ``hostPort=2?``: Go always writes the field, so that zero means absence;
- ``extra=5:items``: a list that is a message of its own, with the elements in field 1;
- ``items=24:schema-or-array`` and its like: the unions of JSON schemas;
- ``~VolumeSource=2``: a message of the same table whose fields JSON holds in the outer object.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple


class Field(NamedTuple):
    """One field of a message.

    ``zero_is_absent`` is for scalars that are optional in JSON; ``form`` is what follows the colon; ``inlined`` is the
    name of the message whose fields belong to the outer object in JSON (then ``name`` is empty).
    """

    number: int
    name: str
    zero_is_absent: bool = False
    form: str = ""
    inlined: str = ""


@cache
def table(module: str) -> dict[str, tuple[Field, ...]]:
    """The messages of a module of :mod:`steersman.api.types`, by name; empty where no numbers are known."""
    name = f"{__package__}.numbers.{module}"
    if find_spec(name) is None:
        return {}
    messages: dict[str, str] = import_module(name).MESSAGES
    return {message: tuple(_field(text) for text in fields.split()) for message, fields in messages.items()}


def message_of(type_: type) -> tuple[Field, ...] | None:
    """The fields of the message that a struct of the API is, None where its numbers are not known."""
    package, _, module = type_.__module__.rpartition(".")
    if package != "steersman.api.types":
        return None
    return table(module).get(type_.__name__)


def _field(text: str) -> Field:
    name, _, number = text.rpartition("=")
    number, _, form = number.partition(":")
    zero_is_absent = number.endswith("?")
    inlined = name[1:] if name.startswith("~") else ""
    return Field(int(number.rstrip("?")), "" if inlined else name, zero_is_absent, form, inlined)
