"""The fields of new objects: what is kept of one must be right for the next."""

from __future__ import annotations

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
from steersman.apiserver.patch.apply.ownership import Changes, updated
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


def test_little_is_kept() -> None:
    made = creations(type(config_map()))
    for number in range(3 * MOST_KEPT):
        obj = config_map(**{f"k{number}": "v"})
        assert made.fields(obj, fields.LEAF) == b'{"f:data":{".":{},"f:k%d":{}}}' % number
    assert len(made._kept) <= MOST_KEPT
