"""The tables of field numbers against the API types."""

import inspect
from importlib import import_module

import pytest

from steersman.api.resources import TABLE
from steersman.api.shapes import struct_shape
from steersman.api.types.scalars import APIStruct
from steersman.api.wire.fields import message_of, table

from .encoding import every_field

SERVED = sorted({resource.module for resource in TABLE if resource.served} | {"meta_v1", "autoscaling_v1"})

WITHOUT_NUMBER: dict[str, set[str]] = {}
"""Members that protobuf does not have, by type.  Kind and version of objects are in the envelope instead."""


def structs(module: str) -> list[type[APIStruct]]:
    found = import_module(f"steersman.api.types.{module}")
    return [
        value
        for _, value in inspect.getmembers(found, inspect.isclass)
        if value.__module__ == found.__name__ and issubclass(value, APIStruct)
    ]


@pytest.mark.parametrize("module", SERVED)
def test_every_member_has_a_number(module: str) -> None:
    without: dict[str, set[str]] = {}
    for type_ in structs(module):
        fields = message_of(type_)
        members = set(struct_shape(type_).members)
        if fields is None:
            without[type_.__name__] = members
            continue
        known = {field.name for field in every_field(type_, fields)}
        missing = members - known
        is_object = {"kind", "apiVersion"} <= missing
        if missing := missing - ({"kind", "apiVersion"} if is_object else set()):
            without[type_.__name__] = missing
    assert without == {
        name.partition(".")[2]: members for name, members in WITHOUT_NUMBER.items() if name.startswith(f"{module}.")
    }


@pytest.mark.parametrize("module", SERVED)
def test_no_number_and_no_name_is_used_twice(module: str) -> None:
    for message, fields in table(module).items():
        numbers = [field.number for field in fields]
        names = [field.name or field.inlined for field in fields]
        assert len(set(numbers)) == len(numbers), message
        assert len(set(names)) == len(names), message
        assert all(0 < number < 100 for number in numbers), message


@pytest.mark.parametrize("module", SERVED)
def test_every_name_is_a_member(module: str) -> None:
    """Whatever a table names is in the type, but for inlined parts and what a type of ours leaves out."""
    inlined = {field.inlined for fields in table(module).values() for field in fields if field.inlined}
    types = {type_.__name__: type_ for type_ in structs(module)}
    for message, fields in table(module).items():
        if message in inlined and message not in types:
            continue
        members = struct_shape(types[message]).members
        strange = {field.name for field in every_field(types[message], fields)} - set(members)
        assert not strange, message
