"""Whatever stands in a member of an object, validation answers with faults, never with an exception."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.errors import StatusError
from steersman.api.quantity import QuantityError
from steersman.api.validation import validate, validate_update

from .minimal import TABLE, build, status
from .test_every_kind import STORED

STRINGS = ("", "?", "a:b,c/d", "1-2", "é" * 300)
NUMBERS = (-1, 0, (1 << 31) - 1)


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from leaves(value, (*path, key))
    else:
        yield path, tree


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    tree = copy.deepcopy(tree)
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return tree


def odd(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool):
        return ()
    return STRINGS if isinstance(value, str) else NUMBERS if isinstance(value, int) else ()


@pytest.mark.parametrize("key", sorted(STORED))
def test_odd_values(key: str) -> None:
    resource, row = STORED[key], TABLE[key]
    good = build(resource, row, row.text)
    if row.status:
        good.status = status(resource, row)
    apply_defaults(good)
    tree, tried = codecs.to_builtins(good), 0
    for path, value in list(leaves(tree)):
        for wrong in odd(value):
            try:
                obj = codecs.from_builtins(resource.type, replaced(tree, path, wrong))
            except StatusError:
                continue
            apply_defaults(obj)
            tried += 1
            try:
                validate(obj)
                validate_update(obj, good)
                validate_update(good, obj, "status")
                validate_update(obj, good, "status")
            except QuantityError:  # decoding refuses what is no quantity
                continue
    assert tried > 5
