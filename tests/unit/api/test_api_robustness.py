"""Whatever arrives, it is read or refused with a 400: never anything else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.errors import StatusError
from steersman.api.types import apps_v1, core_v1
from steersman.api.validation import validate

WORDS = """
kind apiVersion metadata name labels annotations creationTimestamp spec status template containers image ports resources
limits cpu replicas selector matchLabels volumes env data managedFields fieldsV1 livenessProbe httpGet port unknown
"""
NAMES = st.sampled_from(WORDS.split())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "v1", "Pod", "apps/v1", "Deployment", "1", "1Gi", "2026-01-01T00:00:00Z", "\ud800", "a b"]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=5)),
    max_leaves=12,
)


def attempt(type_: type[Any], body: bytes, media_type: str, validation: str) -> None:
    try:
        obj, _ = codecs.decode_body(type_, body, media_type, validation)
    except StatusError as error:
        assert error.code == 400, error  # noqa: PT017
        codecs.encode(error.status)
        return
    apply_defaults(obj)
    validate(obj)
    assert codecs.copy(obj) == obj


def test_known_traps() -> None:
    for name in ("\\ud800", "\\udc00x", "\\ud83d\\ude00"):
        attempt(core_v1.Pod, f'{{"metadata":{{"name":"{name}"}}}}'.encode(), "", "Strict")
    for number in ("1" * 5000, "1" * 30, "-" + "9" * 25, "1e999", "-0", "1.5"):
        attempt(core_v1.Pod, f'{{"spec":{{"activeDeadlineSeconds":{number}}}}}'.encode(), "", "Strict")
        attempt(apps_v1.ControllerRevision, f'{{"data":{{"x":{number}}}}}'.encode(), "", "Strict")
        attempt(apps_v1.ControllerRevision, f"data: {{x: {number}}}".encode(), "application/yaml", "Strict")
    for depth in (100, 900, 990, 5000):
        attempt(apps_v1.ControllerRevision, b'{"data":{"x":' + b"[" * depth + b"]" * depth + b"}}", "", "Strict")


@settings(max_examples=300, deadline=None)
@given(TREES, st.sampled_from([core_v1.Pod, apps_v1.Deployment, core_v1.Secret]), st.sampled_from(["Strict", "Ignore"]))
def test_any_json(tree: Any, type_: type[Any], validation: str) -> None:
    attempt(type_, json.dumps(tree).encode(), "application/json", validation)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["application/json", "application/yaml"]))
def test_any_bytes(body: bytes, media_type: str) -> None:
    attempt(core_v1.Pod, body, media_type, "")


@settings(max_examples=200, deadline=None)
@given(st.text("ab:- \n[]{}&*!|>'\"#,1.~<", max_size=40))
def test_any_yaml(text: str) -> None:
    attempt(core_v1.ConfigMap, text.encode(), "application/yaml", "Strict")
