"""Generated expressions give what the checker's own evaluator gives, over literals and over data.

Not asked: ``substring`` with an end, since that evaluator refuses the end of the text, which cel-go takes.
"""

import math
from datetime import timedelta

from cel_expr_python import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.cel import Environment
from steersman.cel.types import Decl
from steersman.cel.values import Duration

NUMBERS, WORDS = Decl("list", element=Decl("int")), Decl("map", element=Decl("string"))
DATA = {"n": 7, "s": "abcé", "l": [3, -1, 2], "m": {"a": "x", "b": "yy"}}
OURS = Environment({"n": Decl("int"), "s": Decl("string"), "l": NUMBERS, "m": WORDS})
THEIRS = cel.NewEnv(
    config=cel.NewEnvConfigFromYaml(
        "extensions:\n- name: optional\n- name: lists\n- name: two-var-comprehensions\n- name: strings\n"
    ),
    variables={
        "n": cel.Type.INT,
        "s": cel.Type.STRING,
        "l": cel.Type.List(cel.Type.INT),
        "m": cel.Type("map<string,string>"),
    },
)


def one(*options):
    return st.sampled_from(options)


INTS = st.recursive(
    st.integers(-5, 5).map(str) | one("n", "l[0]", "l[9]", "size(s)", "m.size()", "int('12')", "int('x')", "int(2.9)"),
    lambda inner: (
        st.builds("({} {} {})".format, inner, one("+", "-", "*", "/", "%"), inner)
        | st.builds("(9223372036854775807 {} {})".format, one("+", "-", "*"), inner)
        | st.builds("size([{}, {}])".format, inner, inner)
        | st.builds("(-{})".format, inner)
        | st.builds("[{}, {}].{}".format, inner, inner, one("sort()[0]", "reverse()[1]", "distinct().size()"))
        | st.builds("l[?{}].orValue({})".format, inner, inner)
        | st.builds("optional.of({}).optMap(o, o + {}).value()".format, inner, inner)
    ),
    max_leaves=6,
)
TEXTS = st.recursive(
    st.text("abé", max_size=3).map("'{}'".format) | one("s", "m.a", "m['b']", "m.c", "string(1.5)", "string(n)"),
    lambda inner: (
        st.builds("({} + {})".format, inner, inner)
        | st.builds("{}.{}".format, inner, one("lowerAscii()", "upperAscii()", "trim()", "charAt(1)", "substring(1)"))
        | st.builds("{}.replace({}, {})".format, inner, inner, inner)
        | st.builds("{}.substring({})".format, inner, INTS)
        | st.builds("{}.split({}).join('-')".format, inner, inner)
        | st.builds("m.?c.orValue({})".format, inner)
    ),
    max_leaves=4,
)
LISTS = st.recursive(
    st.lists(INTS, max_size=3).map(lambda items: f"[{', '.join(items)}]") | one("l", "m.map(k, size(m[k])).sort()"),
    lambda inner: (
        st.builds("({} + {})".format, inner, inner)
        | st.builds("{}.map(v, v {} {})".format, inner, one("+", "*", "%"), INTS)
        | st.builds("{}.filter(v, v > {})".format, inner, INTS)
        | st.builds("{}.transformList(i, v, i + v)".format, inner)
        | st.builds("{}.{}".format, inner, one("sort()", "reverse()", "distinct()", "slice(0, 1)"))
        | st.builds("({} + [1]).sortBy(v, -v)".format, inner)  # of empty lists it is an error to theirs alone
    ),
    max_leaves=4,
)
SPANS = one("duration('1h')", "duration('90s')", "duration('-1.5s')", "duration('2m') + duration('1s')")
TIMES = one("timestamp('2024-02-29T23:30:00Z')", "timestamp('1999-12-31T23:59:59.5Z')").flatmap(
    lambda moment: SPANS.map(f"({moment} + {{}})".format) | st.just(moment)
)
PARTS = one(
    "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes"
)
ORDER = one("==", "!=", "<", "<=", ">", ">=")
ATOMS = (
    st.builds("({} {} {})".format, INTS, ORDER, INTS)
    | st.builds("({} {} {})".format, TEXTS, ORDER, TEXTS)
    | st.builds("({} {} {})".format, SPANS, ORDER, SPANS)
    | st.builds("({} {} {})".format, TIMES, ORDER, TIMES)
    | st.builds("({}.{}() > {})".format, TIMES, PARTS, INTS)
    | st.builds("{}.{}({})".format, TEXTS, one("contains", "startsWith", "endsWith"), TEXTS)
    | st.builds("{}.matches('{}')".format, TEXTS, one("^a", "b+", "[é]", "c$"))
    | st.builds("{} in {}".format, INTS, LISTS)
    | st.builds("{} in m".format, TEXTS)
    | st.builds("{} == {}".format, LISTS, LISTS)
    | st.builds("{}.{}(v, v > {})".format, LISTS, one("all", "exists", "exists_one"), INTS)
    | st.builds("{}.{}(i, v, v > i * {})".format, LISTS, one("all", "exists"), INTS)
    | st.builds("m.exists(k, v, k + v == {})".format, TEXTS)
    | st.builds("{{'a': {}}}.a == {}".format, INTS, INTS)
    | one("has(m.a)", "has(m.z)", "type(n) == int", "dyn(s) == 'abcé'", "true")
)
BOOLS = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("({} {} {})".format, inner, one("&&", "||"), inner)
        | st.builds("!({})".format, inner)
        | st.builds("({} ? {} : {})".format, inner, inner, inner)
    ),
    max_leaves=5,
)


def same(ours, theirs):
    if isinstance(ours, Duration):
        return timedelta(microseconds=ours.nanoseconds // 1000) == theirs
    if isinstance(ours, float):
        return math.isclose(ours, theirs)
    return type(ours) is type(theirs) and ours == theirs


@given(BOOLS | INTS | LISTS | TEXTS.map("[{}]".format))
@settings(max_examples=500, deadline=None)
def test_agrees(expression):
    value = THEIRS.compile(expression).eval(data=DATA)
    ours = OURS.compile(expression, "dyn").evaluate(DATA)
    if value.type() == cel.Type.ERROR:
        assert ours.error is not None
    else:
        assert ours.error is None
        assert same(ours.value, value.plain_value())
