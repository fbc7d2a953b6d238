"""Objects of every kind with anything in their fields: judged, printed, and read as they are written."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import codecs, tables
from steersman.api.defaults import apply_defaults
from steersman.api.errors import StatusError
from steersman.api.resources import TABLE
from steersman.api.scheme import Resource
from steersman.api.shapes import Shape, struct_shape
from steersman.api.validation import validate, validate_update

from .effort import examples

TEXTS = ["", "text", "a/b", "::1", "10.0.0.0/8", "é", "1", "A" * 300, "-", "..", "a=b", "{}", "\n", "65536", "*", "cpu",
         "10.0.0.1", "Always", "* * * * *", "%"]  # fmt: skip
VALUES: dict[str, list[Any]] = {
    "string": TEXTS,
    "integer": [0, -1, 1, 2**31 - 1, -(2**31), 65536],
    "int-or-string": [0, -1, 1, 65536, *TEXTS],
    "number": [0.0, -1.5, 7.5],
    "boolean": [True, False],
    "bytes": ["", "Ynl0ZXM=", "e30="],
    "time": ["2026-01-02T03:04:05Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-02T03:04:05.000006Z"],
    "quantity": ["0", "-1", "1.5Gi", "7", "1e3", "100m"],
    "any": [{"a": 1}, {}],
}
STORED = [resource for resource in TABLE if resource.verbs != ("create",) and resource.name != "componentstatuses"]
DEPTH = 2


def filled(shape: Shape, random: Random, share: float, above: tuple[type[Any], ...] = ()) -> Any:
    """JSON of a type with this share of its members; None where the type is too deep in itself."""
    match shape.kind:
        case "struct":
            assert shape.struct is not None
            if above.count(shape.struct) >= DEPTH:
                return None
            members = [each for each in struct_shape(shape.struct).members.values() if random.random() < share]
            found = {each.name: filled(each.shape, random, share, (*above, shape.struct)) for each in members}
            return {name: value for name, value in found.items() if value is not None}
        case "list":
            assert shape.item is not None
            items = [filled(shape.item, random, share, above) for _ in range(random.choice((0, 1, 1, 2)))]
            return [each for each in items if each is not None]
        case "map":
            assert shape.item is not None
            item = filled(shape.item, random, share, above)
            return {} if item is None else {random.choice(TEXTS): item}
        case kind:
            return random.choice(VALUES[kind])


def made(resource: Resource[Any], random: Random) -> Any:
    """An object; None where it cannot be read."""
    tree = filled(Shape("struct", struct=resource.type), random, random.choice((0.2, 0.5, 0.9, 1)))
    tree |= {"kind": resource.kind, "apiVersion": resource.group_version}
    tree.setdefault("metadata", {})["name"] = "x"
    try:
        found, _ = codecs.decode_body(resource.type, msgspec.json.encode(tree), "application/json", "Ignore")
    except StatusError:
        return None
    return found


@given(st.sampled_from(STORED), st.integers(0, 2**32))
@examples(250)
def test_any_object(resource: Resource[Any], seed: int) -> None:
    random = Random(seed)
    old, new = made(resource, random), made(resource, random)
    if old is None or new is None:
        return
    for each in (old, new):
        apply_defaults(each)
        written = codecs.encode(each)
        assert codecs.encode(codecs.decode(resource.type, written)) == written
        tables.table(resource, [each])
        validate(each)
    for subresource in ("", *(["status"] if "status" in resource.subresources else [])):
        for fault in validate_update(new, old, subresource):
            assert str(fault)
