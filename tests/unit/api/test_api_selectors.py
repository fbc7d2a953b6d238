from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import fields, selectors
from steersman.api.errors import StatusError
from steersman.api.resources import builtin_scheme
from steersman.api.types import core_v1
from steersman.api.types.meta_v1 import LabelSelector, LabelSelectorRequirement, ObjectMeta


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("! a", {}, True),
        ("a in (b, c),d notin (e)", {"a": "c"}, True),
        ("a in (b,c)", {}, False),
        ("a notin (b)", {"a": "b"}, False),
        ("a in ()", {"a": ""}, True),
        ("a in (,b)", {"a": ""}, True),
        ("a=", {"a": ""}, True),
        ("a>3", {"a": "4"}, True),
        ("a<3", {"a": "4"}, False),
        ("a>3", {"a": "x"}, False),
        ("in in (in,notin)", {"in": "notin"}, True),
        ("example.com/a.b_c=D", {"example.com/a.b_c": "D"}, True),
    ],
)
def test_label_selectors(selector: str, labels: dict[str, str], matches: bool) -> None:
    parsed = selectors.parse_labels(selector)
    assert parsed.matches(labels) is matches
    assert selectors.parse_labels(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("a in", "unable to parse requirement: found '' expected: '('"),
        ("a=!", "unable to parse requirement: found '!', expected: identifier"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("a==b,", "found '', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
    ],
)
def test_label_selectors_that_are_refused(selector: str, message: str) -> None:
    with pytest.raises(StatusError) as raised:
        selectors.parse_labels(selector)
    assert raised.value.code == 400
    assert raised.value.status.message == message


@given(st.text("ab=!(),<> in\t", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parsed = selectors.parse_labels(text)
    except StatusError as error:
        code = error.code
    else:
        code = 200
        assert selectors.parse_labels(str(parsed)).matches({"a": "b"}) == parsed.matches({"a": "b"})
    assert code in (200, 400)


def test_selectors_of_specs() -> None:
    assert not selectors.from_label_selector(None).matches({})
    assert selectors.from_label_selector(LabelSelector()).matches({})
    selector = LabelSelector(
        match_labels={"a": "b"},
        match_expressions=[
            LabelSelectorRequirement(key="c", operator="Exists"),
            LabelSelectorRequirement(key="d", operator="NotIn", values=["x"]),
        ],
    )
    assert selectors.from_label_selector(selector).matches({"a": "b", "c": ""})
    assert not selectors.from_label_selector(selector).matches({"a": "b", "c": "", "d": "x"})


def pod() -> core_v1.Pod:
    return core_v1.Pod(
        metadata=ObjectMeta(name="web", namespace="default"),
        spec=core_v1.PodSpec(node_name="n1"),
        status=core_v1.PodStatus(phase="Running"),
    )


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("spec.nodeName=n1,status.phase!=Failed", True),
        ("metadata.name==web", True),
        ("metadata.namespace!=default", False),
        ("status.podIP=", True),
        ("spec.hostNetwork=false", True),
        ("spec.nodeName=", False),
    ],
)
def test_field_selectors(selector: str, matches: bool) -> None:
    resource = builtin_scheme().for_type(core_v1.Pod)
    parsed = fields.parse_selector(resource, selector)
    assert parsed.matches(fields.selectable_fields(resource, pod())) is matches
    assert fields.matches_fields(parsed, resource, pod()) is matches


def test_field_selectors_that_are_refused() -> None:
    scheme = builtin_scheme()
    with pytest.raises(StatusError, match=r"field label not supported: spec\.foo"):
        fields.parse_selector(scheme.for_type(core_v1.Pod), "spec.foo=a")
    with pytest.raises(StatusError, match=r'"spec\.foo" is not a known field selector'):
        fields.parse_selector(scheme.for_type(core_v1.ConfigMap), "spec.foo=a")
    with pytest.raises(StatusError, match="invalid selector: 'a'; can't understand 'a'"):
        selectors.parse_fields("a")


def test_field_values_are_escaped() -> None:
    parsed = selectors.parse_fields(r"a=b\,c\=d")
    assert parsed.required_value("a") == "b,c=d"
    assert selectors.parse_fields(str(parsed)) == parsed


def test_every_kind_has_selectable_fields() -> None:
    for resource in builtin_scheme():
        assert "metadata.name" in fields.selectable_fields(resource, resource.type())


@pytest.mark.parametrize("parse", [selectors.parse_labels, selectors.parse_fields])
def test_a_selector_that_nobody_can_mean(parse: Callable[[str], object]) -> None:
    with pytest.raises(StatusError) as raised:
        parse(",".join(["a=b"] * 20_000))
    assert raised.value.code == 400
    assert "selector is too long: may not be more than 65536 characters" in raised.value.status.message


_MANY = ",".join(f"k{number}" for number in range(30))
_VALUES = ",".join(f"v{number}" for number in range(30))


@pytest.mark.parametrize("labels", [{}, {"a": "v7"}, {"a": "x", "b": ""}, {f"k{n}": "3" for n in range(30)}])
@pytest.mark.parametrize(
    "text",
    [
        "a=v7",
        _MANY,
        ",".join(f"!k{number}" for number in range(30)),
        f"a in ({_VALUES})",
        f"a notin ({_VALUES})",
        f"a notin ({_VALUES}),b,!c",
        f"{_MANY},k1=3,k2!=4,k3>2,k4<4,k5 in (3,{_VALUES})",
        f"{_MANY},k1>3",
    ],
)
def test_a_matcher_of_many_conditions_says_what_the_selector_says(text: str, labels: dict[str, str]) -> None:
    selector = selectors.parse_labels(text)
    assert selector.matcher()(labels) == selector.matches(labels)
