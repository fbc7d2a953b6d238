"""What is kept of values that are alike: it comes to the same as walking them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steersman.apiserver.patch.apply import fields
from steersman.apiserver.patch.apply.schema import SCALAR, Schema
from steersman.apiserver.patch.apply.values import everything

_FLAT: Mapping[str, Schema] = dict.fromkeys(("type", "status", "reason", "f"), SCALAR)


def _list(members: Mapping[str, Schema]) -> Schema:
    return Schema("list", item=Schema("map", members=lambda: members), keys=("type",))


CONDITIONS = _list(_FLAT)
WALKED = _list({**_FLAT, "deep": Schema("map", item=SCALAR)})
"""The same where items could be deep, so that nothing is kept of them."""

_keys = st.one_of(st.sampled_from(["Ready", "Initialized", "a b", 'a"', "", "1"]), st.sampled_from([1, True, None]))
_items = st.one_of(
    st.dictionaries(st.sampled_from(["status", "reason", "f", "unknown"]), st.text(max_size=1), max_size=3).flatmap(
        lambda rest: st.one_of(st.just(rest), _keys.map(lambda key: {**rest, "type": key}))
    ),
    st.sampled_from([None, "type", 1, ["type"]]),
)


@given(st.one_of(st.lists(_items, max_size=4), st.sampled_from([None, "type", {"type": "Ready"}])))
def test_lists_of_flat_items_are_as_if_walked(value: Any) -> None:
    assert CONDITIONS.has_flat_items
    assert not WALKED.has_flat_items
    kept, walked = everything(value, CONDITIONS), everything(value, WALKED)
    assert kept == walked
    assert fields.render({"f:conditions": kept}) == fields.render({"f:conditions": walked})


def test_little_is_kept() -> None:
    items = [{"type": str(number)} for number in range(1000)]
    kept = _list(_FLAT)
    for number in range(200):
        assert isinstance(everything(items[number : number + 2], kept), fields.Kept)
        assert 0 < len(kept.found) <= 64
    for value in (items, items[:1], [{"type": "x" * 1000}, *items[:5]]):
        found = everything(value, kept)
        assert found == everything(value, WALKED)
        assert not isinstance(found, fields.Kept)
