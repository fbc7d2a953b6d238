"""The fields of new and changed objects: what is kept of one, and what is passed over, must be right for the next."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.resources import builtin_scheme
from steersman.api.types.meta_v1 import OwnerReference
from steersman.apiserver.patch.apply import fields, reduced
from steersman.apiserver.patch.apply.builtin import schema_of
from steersman.apiserver.patch.apply.creation import MOST_KEPT, creations
from steersman.apiserver.patch.apply.managers import updater
from steersman.apiserver.patch.apply.ownership import STRIPPED, Changes, updated
from steersman.apiserver.patch.apply.values import compare

from .conftest import config_map
from .minimal import TABLE, build

IGNORED = fields.of(("f:status",))


def walked(obj: Any) -> bytes:
    """The same, found out each time by comparing with an object that is empty."""
    type_ = type(obj)
    comparison = compare(*reduced.pair(type_, None, obj, IGNORED), schema_of(type_))
    manager = updater("u", "v1")
    managed = updated({}, Changes(lambda _: comparison, IGNORED), manager, datetime.now(UTC))
    return fields.render(managed[manager].fields) if managed else b""


@pytest.mark.parametrize("name", TABLE)
def test_what_is_kept_is_what_is_walked(name: str) -> None:
    version, _, plural = name.rpartition("/")
    group, _, version = version.rpartition("/")
    resource = builtin_scheme().by_name(group, version, plural)
    assert resource is not None
    made = creations(resource.type)
    obj = build(resource, TABLE[name], TABLE[name].text)
    apply_defaults(obj)
    for labels, generated in (({}, ""), ({"a": "b"}, "x-"), ({"a": "c"}, "y-"), ({"a": "b", "c": "d"}, "")):
        other = codecs.copy(obj)
        other.metadata.labels = labels
        other.metadata.generate_name = generated
        if generated:
            other.metadata.finalizers = [f"example.com/{generated}"]
            other.metadata.owner_references = [OwnerReference(kind="A", api_version="v1", name="n", uid=generated)]
        assert made.fields(other, IGNORED) == walked(other)


@pytest.mark.parametrize("name", TABLE)
def test_parts_that_are_equal_make_no_difference(name: str) -> None:
    version, _, plural = name.rpartition("/")
    group, _, version = version.rpartition("/")
    resource = builtin_scheme().by_name(group, version, plural)
    assert resource is not None
    schema = schema_of(resource.type)
    obj = build(resource, TABLE[name], TABLE[name].text)
    apply_defaults(obj)
    labelled = codecs.copy(obj)
    labelled.metadata.labels = {"a": "b"}
    labelled.metadata.generation = 5
    states = [resource.type(), build(resource, TABLE[name], TABLE[name].text), obj, labelled]
    for old, new in itertools.permutations(states, 2):
        found = compare(*reduced.pair(resource.type, old, new, fields.LEAF), schema)
        wanted = compare(reduced.whole(old), reduced.whole(new), schema)
        for part, whole in zip(found, wanted, strict=True):
            assert fields.difference(part, STRIPPED) == fields.difference(whole, STRIPPED)


def test_little_is_kept() -> None:
    made = creations(type(config_map()))
    for number in range(3 * MOST_KEPT):
        obj = config_map(**{f"k{number}": "v"})
        assert made.fields(obj, fields.LEAF) == b'{"f:data":{".":{},"f:k%d":{}}}' % number
    assert len(made._kept) <= MOST_KEPT
