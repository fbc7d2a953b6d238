"""Data that contradict their declared types make errors that are CEL's, never Python's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.cel import CELError, CostExceeded, Environment, from_schema

PROPERTIES = {
    "flag": {"type": "boolean"},
    "count": {"type": "integer"},
    "share": {"type": "number"},
    "text": {"type": "string"},
    "raw": {"type": "string", "format": "byte"},
    "when": {"type": "string", "format": "date-time"},
    "span": {"type": "string", "format": "duration"},
    "either": {"x-kubernetes-int-or-string": True},
    "texts": {"type": "array", "items": {"type": "string"}},
    "counts": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "parts": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["text"],
        "items": {"type": "object", "properties": {"text": {"type": "string"}, "count": {"type": "integer"}}},
    },
}
ENVIRONMENT = Environment({"self": from_schema({"type": "object", "properties": PROPERTIES})})
ANY = st.sampled_from([f"self.{name}" for name in PROPERTIES])

COUNTS = st.sampled_from(["1", "0", "-3", "self.count", "size(self.text)", "self.counts[0]", "int(self.share)"])
TEXTS = st.sampled_from(
    ["'a'", "self.text", "string(self.count)", "self.texts[0]", "self.labels.a", "self.labels['b']"]
)
LISTS = st.sampled_from(["self.texts", "self.texts + ['x']", "self.text.split(',')", "self.labels.map(k, k)"])
SETS = st.sampled_from(["self.counts", "self.counts + [3]", "self.counts.filter(c, c > 1)", "self.counts.sort()"])
DATED = st.sampled_from(["self.when", "timestamp(self.text)", "self.when + self.span"])
ATOMS = st.one_of(
    st.just("self.flag"),
    st.builds("{} {} {}".format, COUNTS, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), COUNTS),
    st.builds("{} {} {} == {}".format, COUNTS, st.sampled_from(["+", "-", "*", "/", "%"]), COUNTS, COUNTS),
    st.builds("{} {} {}".format, TEXTS, st.sampled_from(["==", "<", ">="]), TEXTS),
    st.builds("({} + {}).{}({})".format, TEXTS, TEXTS, st.sampled_from(["contains", "startsWith", "matches"]), TEXTS),
    st.builds("{}.{}".format, TEXTS, st.sampled_from(["lowerAscii() != ''", "find('[a-z]') != ''", "size() > 1"])),
    st.builds("({}).{}(v, v == {})".format, LISTS, st.sampled_from(["all", "exists", "exists_one"]), TEXTS),
    st.builds("({}).{}".format, LISTS, st.sampled_from(["join(',') == ''", "isSorted()", "max() > 'a'", "size() > 0"])),
    st.builds("({}).{}".format, SETS, st.sampled_from(["sum() > 1", "min() == 1", "distinct().size() == 1"])),
    st.builds("{} in {}".format, COUNTS, SETS),
    st.builds("{} in self.labels".format, TEXTS),
    st.builds("({}).getFullYear() > 2000".format, DATED),
    st.builds("self.parts.exists(p, p.count > {} && p.text == {})".format, COUNTS, TEXTS),
    st.builds("self.parts.all(i, p, i == {} || has(p.text))".format, COUNTS),
    st.builds("self.labels.exists(k, v, k + v == {})".format, TEXTS),
    st.builds("self.?labels[?{}].orValue('') == {}".format, TEXTS, TEXTS),
    st.builds("has({})".format, ANY),
    st.builds("type({0}) == type({1}) || [dyn({0})] != [dyn({1})]".format, ANY, ANY),
    st.builds("dyn({}) == dyn({})".format, ANY, ANY),
    st.sampled_from(["self.parts + self.parts == self.parts", "self.raw == b'a'", "self.span > duration('1s')"]),
    st.sampled_from(["quantity(self.text).isInteger()", "ip(self.text).family() == 4", "isURL(self.text)"]),
    st.sampled_from(["'%d %s'.format([self.count, self.text]) != ''", "self.either == 1 || self.either < 'a'"]),
)
RULES = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner)
        | st.builds("!({})".format, inner)
        | st.builds("({} ? {} : {})".format, inner, inner, inner)
    ),
    max_leaves=4,
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64), st.floats(allow_nan=False), st.text(max_size=4)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "count", "a", "b"]), inner),
    max_leaves=5,
)


@given(RULES, JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(PROPERTIES, JSON)))
@settings(max_examples=400, deadline=None)
def test_evaluation_gives_a_value_or_an_error(rule, value):
    result = ENVIRONMENT.compile(rule).evaluate({"self": value})
    assert result.error is None or isinstance(result.error, CELError | CostExceeded)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("self.count < 3", {"count": []}),
        ("self.count + 1 > 0", {"count": "a"}),
        ("self.counts[0] < 3", {"counts": [None]}),
        ("self.labels.a.startsWith('b')", {"labels": {"a": None}}),
        ("self.text.startsWith('a')", {"text": 1}),
        ("self.text.contains('a')", {"text": ["a"]}),
        ("self.text + 'a' != ''", {"text": 3}),
        ("self.texts.all(t, t != '')", {"texts": "abc"}),
        ("self.texts[0] == 'a'", {"texts": "abc"}),
        ("self.labels.a == 'b'", {"labels": ["a"]}),
        ("self.flag && true", {"flag": 1}),
        ("self.flag ? true : false", {"flag": "true"}),
        ("self.when.getFullYear() > 1", {"when": 7}),
        ("self.counts.sum() > 1", {"counts": {}}),
    ],
)
def test_there_is_no_such_overload(rule, value):
    assert str(ENVIRONMENT.compile(rule).evaluate({"self": value}).error) == "no such overload"


def test_errors_are_absorbed_as_cel_absorbs_them():
    for rule in ("self.count < 3 || true", "!(self.count < 3 && false)", "[1].exists(i, self.count < i || i == 1)"):
        assert ENVIRONMENT.compile(rule).evaluate({"self": {"count": None}})[::2] == (True, None)
