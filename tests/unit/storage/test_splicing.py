"""Resource versions within JSON."""

from __future__ import annotations

import pytest

from steersman.storage.entry import is_spliced, respliced, splice

VALUES = (b'{"metadata":{}}', b'{"kind":"Pod","metadata":{"name":"a"},"spec":{"metadata":{}}}')


@pytest.mark.parametrize("value", VALUES)
def test_whether_json_is_that_of_a_value(value: bytes) -> None:
    for revision in (1, 9, 10, 123456):
        raw = splice(value, revision)
        assert is_spliced(raw, value, revision)
        assert not is_spliced(raw, value, revision + 1)
        assert not is_spliced(raw, value[:-1] + b" ", revision)
        assert not is_spliced(raw, value + b" ", revision)
        assert respliced(raw, revision + 1) == splice(value, revision + 1)


def test_what_has_no_metadata_cannot_be_spliced() -> None:
    with pytest.raises(ValueError, match="no metadata"):
        splice(b'{"kind":"Pod"}', 1)
