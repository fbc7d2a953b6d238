"""Generated expressions give what the checker's own evaluator gives."""

from cel_expr_python import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.apiserver.extensions.cel import Environment

OURS, THEIRS = Environment({}), cel.NewEnv()

INTS = st.recursive(
    st.integers(-5, 5).map(str),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/%"), inner)
        | st.builds("(9223372036854775807 {} {})".format, st.sampled_from("+-*"), inner)
        | st.builds("size([{}, {}])".format, inner, inner)
    ),
    max_leaves=6,
)
TEXTS = st.text("abé", max_size=3).map("'{}'".format)
ATOMS = (
    st.builds("({} {} {})".format, INTS, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), INTS)
    | st.builds("({} {} {})".format, TEXTS, st.sampled_from(["==", "<", ">="]), TEXTS)
    | st.builds("{}.{}({})".format, TEXTS, st.sampled_from(["contains", "startsWith", "endsWith"]), TEXTS)
    | st.builds("{} in [{}, {}]".format, INTS, INTS, INTS)
    | st.builds("[{}, {}].{}(v, v > {})".format, INTS, INTS, st.sampled_from(["all", "exists", "exists_one"]), INTS)
    | st.builds("{{'a': {}}}.a == {}".format, INTS, INTS)
)
BOOLS = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner)
        | st.builds("!({})".format, inner)
        | st.builds("({} ? {} : {})".format, inner, inner, inner)
    ),
    max_leaves=5,
)


@given(BOOLS)
@settings(max_examples=300, deadline=None)
def test_agrees(expression):
    theirs = THEIRS.compile(expression).eval(data={}).plain_value()
    ours = OURS.compile(expression).evaluate({})
    if isinstance(theirs, bool):
        assert (ours.value, ours.error) == (theirs, None)
    else:
        assert ours.error is not None
