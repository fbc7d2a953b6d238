"""Sets of fields: their algebra, and the FieldsV1 form."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steersman.apiserver.patch.apply import elements, fields
from steersman.apiserver.patch.apply.elements import by_key, by_value, path_text

Path = tuple[str, ...]

_elements = st.one_of(
    st.sampled_from(["f:a", "f:b", "f:spec", "f:.", 'v:"a"', "v:1", "v:true", "i:0", "i:10", "i:2"]),
    st.dictionaries(
        st.sampled_from(["name", "port"]), st.one_of(st.integers(0, 200), st.text("ab", max_size=2)), min_size=1
    ).map(by_key),
)
_paths = st.lists(_elements, min_size=1, max_size=4).map(tuple)
_sets = st.sets(_paths, max_size=8)


def _paths_of(value: fields.Fields) -> set[Path]:
    return set(fields.paths(value))


@given(_sets)
def test_a_set_survives_its_json(paths: set[Path]) -> None:
    value = fields.of(*paths)
    raw = fields.render(value)
    assert fields.parse(raw) == value == fields.parse_foreign(raw)
    assert fields.render(fields.parse(raw)) == raw
    assert _paths_of(value) == paths


@given(_sets, _sets)
def test_the_algebra_is_that_of_sets(left: set[Path], right: set[Path]) -> None:
    a, b = fields.of(*left), fields.of(*right)
    assert fields.union(a, b) == fields.of(*(left | right))
    assert fields.intersection(a, b) == fields.of(*(left & right))
    assert fields.difference(a, b) == fields.of(*(left - right))
    below = {path for path in left if any(path[: len(each)] == each for each in right)}
    assert fields.without(a, b) == fields.of(*(left - below))
    assert all(fields.has(a, path) for path in left)
    assert not any(fields.has(a, path) for path in right - left)


def test_fields_come_sorted_as_upstream_sorts_them() -> None:
    value = fields.of(
        ("f:z",),
        ("f:a", "f:b"),
        ("f:a",),
        ('k:{"port":443}', "f:x"),
        ('k:{"port":80}',),
        ("v:2",),
        ("v:10",),
        ('v:"s"',),
        ("i:10",),
        ("i:9",),
    )
    assert fields.render(value) == (
        b'{"f:a":{".":{},"f:b":{}},"f:z":{},"k:{\\"port\\":80}":{},"k:{\\"port\\":443}":{"f:x":{}},'
        b'"v:2":{},"v:10":{},"v:\\"s\\"":{},"i:9":{},"i:10":{}}'
    )


def test_sent_sets_are_brought_into_one_form() -> None:
    sent = b'{"f:b": {".": {}}, "k:{\\"b\\": 1, \\"a\\" : \\"x\\"}": {}, "x:later": {}, "v: 1": {}}'
    assert fields.render(fields.parse_foreign(sent)) == b'{"f:b":{},"k:{\\"a\\":\\"x\\",\\"b\\":1}":{},"v:1":{}}'


def test_what_is_no_set_is_refused() -> None:
    for raw in (b"[]", b'{"f:a": 1}', b'{"k:x": {}}', b'{"k:1": {}}', b'{"i:x": {}}', b'{"f:a": {"f:b": []}}', b"{"):
        try:
            fields.parse_foreign(raw)
        except ValueError:
            continue
        raise AssertionError(raw)


def test_paths_read_as_upstream_writes_them() -> None:
    path = (
        "f:spec",
        "f:containers",
        by_key({"name": "web"}),
        "f:ports",
        by_key({"port": 80, "name": "a"}),
        by_value("x"),
    )
    assert path_text((*path, "i:3")) == '.spec.containers[name="web"].ports[name="a",port=80][="x"][3]'


def test_what_is_large_is_remembered_by_nobody() -> None:
    memos = (fields._parsed, fields._leaves, fields._text, elements._remembered)
    long, many = "f:" + "x" * 5000, {f"f:member-{number}": fields.LEAF for number in range(2000)}
    value = {long: {long: fields.LEAF}, "f:data": many, by_value("y" * 5000): {by_value("z" * 5000): fields.LEAF}}
    fields.render({"f:data": fields.LEAF})
    before = [memo.cache_info().currsize for memo in memos]
    raw = fields.render(value)
    assert fields.parse(raw) == value
    after = [memo.cache_info().currsize for memo in memos]
    assert sum(after) - sum(before) < len(many) + 10  # the names of the members, and nothing that holds all of them
    assert after[0] == before[0]
    assert after[1] == before[1]
