"""In which form answers are given: what ``Accept`` says, indentation for people, YAML that means the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.api.errors import StatusError, not_found
from steersman.api.yaml import load_yaml
from steersman.apiserver.endpoints.answers import raw_response, status_response
from steersman.apiserver.endpoints.representation import Form, check_stream, negotiate
from steersman.apiserver.endpoints.yaml_text import to_yaml
from steersman.apiserver.http.messages import Request, Response

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PROTOBUF = "application/vnd.kubernetes.protobuf"


def request(accept: str = "", query: str = "", agent: str = "") -> Request:
    return Request("GET", "/", "/", query, {"accept": accept, "user-agent": agent})


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form()),
        ("*/*", Form()),
        ("application/*", Form()),
        ("application/json; charset=utf-8", Form()),
        ("APPLICATION/JSON", Form()),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form()),
        (f"{PROTOBUF},application/json", Form()),
        (f"{PROTOBUF};as=Table;v=v1;g=meta.k8s.io,{TABLE},application/json", Form(shape="Table")),
        (f"{TABLE}beta1,application/json", Form()),
        (TABLE.replace("v=v1", "v=v1beta1"), Form(shape="Table", version="v1beta1")),
        ("application/json;as=Table;g=other;v=v1, application/yaml", Form(yaml=True)),
        ("application/yaml", Form(yaml=True)),
        ("application/json;q=0.5, application/yaml", Form(yaml=True)),
        ("*/*, application/yaml", Form(yaml=True)),
        ("application/yaml;q=0, application/json", Form()),
        ("application/json;q=nonsense", Form()),
        ("application/json;stream=watch", Form()),
        ("application/json;pretty=1", Form(pretty=True)),
        (
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;q=0.9",
            Form(shape="PartialObjectMetadataList"),
        ),
    ],
)
def test_what_is_accepted(accept: str, form: Form) -> None:
    assert negotiate(request(accept)) == form


@pytest.mark.parametrize(
    "accept", [PROTOBUF, "text/html", "application/json;as=Table", "application/json;stream=x", ";"]
)
def test_what_is_not(accept: str) -> None:
    with pytest.raises(StatusError) as caught:
        negotiate(request(accept))
    assert (caught.value.code, caught.value.reason) == (406, "NotAcceptable")
    assert caught.value.status.message == (
        "only the following media types are accepted: application/json, application/yaml"
    )


def test_events_are_json() -> None:
    with pytest.raises(StatusError) as caught:
        check_stream(Form(yaml=True))
    assert caught.value.code == 406


@pytest.mark.parametrize(
    ("query", "agent", "pretty"),
    [
        ("", "", False),
        ("pretty=true", "", True),
        ("pretty=1", "", True),
        ("pretty=0", "curl/8", False),
        ("pretty=nonsense", "curl/8", False),
        ("pretty=", "", False),
        ("pretty", "curl/8", True),
        ("", "curl/8.5.0", True),
        ("", "Mozilla/5.0 (X11)", True),
        ("", "Wget/1.21", True),
        ("", "kubectl/v1.35", False),
    ],
)
def test_indentation_is_for_people(query: str, agent: str, pretty: bool) -> None:
    answer = raw_response(b'{"a":[1]}', request("", query, agent))
    assert answer.body == (b'{\n  "a": [\n    1\n  ]\n}' if pretty else b'{"a":[1]}')


def body_of(answer: Response) -> bytes:
    body = answer.later() if answer.later is not None else answer.body
    assert isinstance(body, bytes)
    return body


def test_what_is_long_is_written_later() -> None:
    data = json.dumps({"a": list(range(20_000))}).encode()
    answer = raw_response(data, request(), Form(yaml=True))
    assert answer.later is not None
    assert answer.content_type == "application/yaml"
    assert load_yaml(body_of(answer)) == json.loads(data)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [("application/yaml", "application/yaml"), (PROTOBUF, "application/json"), (TABLE, "application/json")],
)
def test_errors_come_in_an_acceptable_form(accept: str, media_type: str) -> None:
    answer = status_response(not_found("pods", "x").status, request(accept))
    assert (answer.status, answer.content_type) == (404, media_type)
    assert load_yaml(body_of(answer))["message"] == 'pods "x" not found'


def test_yaml_as_people_know_it() -> None:
    tree = {"b": ["x", {"c": 1}], "a": {"z": None, "t": True, "s": "true", "e": "", "l": "two\nlines\n"}}
    assert to_yaml(tree).decode() == (
        'a:\n  e: ""\n  l: |\n    two\n    lines\n  s: "true"\n  t: true\n  z: null\nb:\n- x\n- c: 1\n'
    )


@pytest.mark.parametrize(
    "text",
    ["y", "n", "0o17", "017", "1_000", "0x1F", "1e3", ".5", "<<", "=", "12:30", "~", ".inf", " a", "a: b", "- x"],
)
def test_texts_stay_texts(text: str) -> None:
    assert load_yaml(to_yaml({text: text})) == {text: text}


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.text("yn0123456789_.eox:-+~<=#'\" \n\t", max_size=8)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(TREES)
def test_yaml_means_what_json_means(tree: Any) -> None:
    assert load_yaml(to_yaml({"a": tree})) == {"a": tree}
