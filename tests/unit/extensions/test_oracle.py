"""Random schemas and values: verdicts are those of ``jsonschema-rs``, and what is prepared once stays as it is."""

import copy
from typing import Any

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.apiserver.extensions.structural import compile_schema

NAMES = st.sampled_from(["a", "b", "c", "d"])
TEXTS = st.sampled_from(["", "a", "ab", "abc", "ä", "x-1"])
SCALARS = st.one_of(TEXTS, st.integers(-3, 12), st.booleans(), st.sampled_from([0.5, 2.5]), st.none())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
BOUNDS = st.integers(0, 3)


def optional(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=members)


STRINGS = optional(
    minLength=BOUNDS,
    maxLength=BOUNDS,
    pattern=st.sampled_from(["^a", "b$", "^[a-z]+$", "^a(b|c)*$"]),
    enum=st.lists(TEXTS, min_size=1, max_size=3, unique=True),
)
NUMBERS = optional(
    minimum=st.integers(-2, 5),
    maximum=st.integers(-2, 9),
    exclusiveMinimum=st.booleans(),
    exclusiveMaximum=st.booleans(),
    multipleOf=st.integers(1, 4),
)


def typed(name: str, members: dict[str, Any]) -> dict[str, Any]:
    # Draft 4 has exclusive bounds beside inclusive ones only, as OpenAPI 3.0 has.
    for bound in ("Minimum", "Maximum"):
        if bound.lower() not in members:
            members.pop(f"exclusive{bound}", None)
    return {"type": name} | members


RESTRICTIONS = st.one_of(
    STRINGS,
    NUMBERS.map(lambda members: {k: v for k, v in members.items() if not k.startswith("exclusive")}),
    optional(minItems=BOUNDS, maxItems=BOUNDS),
    optional(minProperties=BOUNDS, maxProperties=BOUNDS, required=st.lists(NAMES, min_size=1, max_size=2, unique=True)),
)


def compounds(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    lists = optional(minItems=BOUNDS, maxItems=BOUNDS, uniqueItems=st.booleans(), items=inner)
    objects = optional(
        properties=st.dictionaries(NAMES, inner, max_size=3),
        required=st.lists(NAMES, min_size=1, max_size=2, unique=True),
        minProperties=BOUNDS,
        maxProperties=BOUNDS,
    )
    maps = optional(additionalProperties=st.one_of(inner, st.booleans()), maxProperties=BOUNDS)
    return st.one_of(
        lists.map(lambda members: typed("array", members)),
        objects.map(lambda members: typed("object", members)),
        maps.map(lambda members: typed("object", members)),
        st.tuples(
            inner,
            optional(
                allOf=st.lists(RESTRICTIONS, min_size=1, max_size=2),
                anyOf=st.lists(RESTRICTIONS, min_size=1, max_size=3),
                oneOf=st.lists(RESTRICTIONS, min_size=1, max_size=3),
            ),
            optional(**{"not": RESTRICTIONS}),
        ).map(lambda parts: parts[0] | parts[1] | parts[2]),
    )


SCHEMAS = st.recursive(
    st.one_of(
        STRINGS.map(lambda members: typed("string", members)),
        NUMBERS.map(lambda members: typed("number", members)),
        NUMBERS.map(lambda members: typed("integer", members)),
        st.just({"type": "boolean"}),
    ),
    compounds,
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(schema=SCHEMAS, value=VALUES)
def test_verdicts_are_those_of_another_implementation(schema: dict[str, Any], value: Any) -> None:
    whole = {"type": "object", "properties": {"f": schema}}
    expected = jsonschema_rs.Draft4Validator(whole).is_valid({"f": value})
    assert (compile_schema(whole).validate({"f": value}) == []) is expected


@settings(max_examples=200, deadline=None)
@given(schema=SCHEMAS, old=VALUES, new=VALUES)
def test_an_update_tells_no_more_than_a_creation(schema: dict[str, Any], old: Any, new: Any) -> None:
    compiled = compile_schema({"type": "object", "properties": {"f": schema}})
    created = compiled.validate({"f": new})
    if not compiled.validate({"f": old}) or not created:
        assert bool(compiled.validate_update({"f": new}, {"f": old})) == bool(created)
    assert compiled.validate_update({"f": old}, {"f": copy.deepcopy(old)}) == []


def with_defaults(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    flags = optional(**{"nullable": st.booleans(), "x-kubernetes-preserve-unknown-fields": st.just(True)})
    objects = st.fixed_dictionaries({"properties": st.dictionaries(NAMES, inner, max_size=3)})
    return st.one_of(
        st.tuples(objects, flags, optional(default=st.just({}))).map(lambda parts: parts[0] | parts[1] | parts[2]),
        st.fixed_dictionaries({"items": inner}, optional={"default": st.just([])}),
        st.fixed_dictionaries({"additionalProperties": st.one_of(inner, st.just(True))}),
    )


DEFAULTING = st.recursive(
    optional(nullable=st.booleans(), default=st.one_of(TEXTS, st.integers())), with_defaults, max_leaves=6
)


@settings(max_examples=300, deadline=None)
@given(schema=DEFAULTING, value=VALUES)
def test_what_is_pruned_and_defaulted_stays_as_it_is(schema: dict[str, Any], value: Any) -> None:
    compiled = compile_schema({"type": "object", "properties": {"f": schema}})
    obj = {"f": value}
    compiled.prune(obj)
    once = copy.deepcopy(obj)
    assert compiled.prune(obj) == []
    assert obj == once
    compiled.default(obj)
    once = copy.deepcopy(obj)
    compiled.default(obj)
    assert compiled.prune(obj) == []
    assert obj == once
