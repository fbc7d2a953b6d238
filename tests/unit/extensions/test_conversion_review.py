"""What is asked of a conversion webhook, and what is made of every sort of answer."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from steersman.apiserver.extensions.customresources.review import Review, Unusable, answered, converted, review

V1, V2 = "example.com/v1", "example.com/v2"
METADATA = {"name": "w", "namespace": "default", "uid": "u", "finalizers": ["example.com/f"], "labels": {"a": "b"}}
ORIGINAL: dict[str, Any] = {"apiVersion": V1, "kind": "Widget", "metadata": METADATA, "spec": {"size": 1}}
ASKED = Review("1", "v1", b"")
OLD = Review("1", "v1beta1", b"")
HEADER = {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1"}


def test_a_question() -> None:
    asked = review([b'{"a":1}', b'{"b":2}'], V2, ["v3", "v1beta1", "v1"])
    assert asked.version == "v1beta1"
    assert json.loads(asked.body) == {
        "kind": "ConversionReview",
        "apiVersion": "apiextensions.k8s.io/v1beta1",
        "request": {"uid": asked.uid, "desiredAPIVersion": V2, "objects": [{"a": 1}, {"b": 2}]},
    }
    with pytest.raises(Unusable, match="no supported conversion review versions"):
        review([], V2, ["v2"])


def response(**fields: Any) -> dict[str, Any]:
    return {**HEADER, "response": {"uid": "1", "result": {"status": "Success"}, "convertedObjects": [], **fields}}


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", "0-length response with status code: 200 and content type: application/json"),
        (
            b"<html>",
            "couldn't get version/kind; json parse error: invalid character '<' looking for beginning of value",
        ),
        ({}, "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got /, Kind="),
        (
            {**response(), "kind": "Status"},
            "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, "
            "got apiextensions.k8s.io/v1, Kind=Status",
        ),
        (HEADER, "no response provided"),
        ({**HEADER, "response": None}, "no response provided"),
        (response(uid="2"), 'expected response.uid="1", got "2"'),
        (response(uid=None), 'expected response.uid="1", got ""'),
        (response(result={"status": "Failure", "message": "I will not"}), "I will not"),
        (response(result={"status": "Failure"}), "response.result.status was 'Failure', not 'Success'"),
        (response(result={}), "response.result.status was '', not 'Success'"),
        (response(result=None), "response.result.status was '', not 'Success'"),
    ],
)
def test_answers_that_are_none(answer: Any, fault: str) -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    with pytest.raises(Unusable) as error:
        answered(ASKED, body)
    assert str(error.value) == fault


def test_answers() -> None:
    assert answered(ASKED, json.dumps(response()).encode()) == []
    assert answered(ASKED, json.dumps(response(convertedObjects=None, more=1)).encode()) == []
    assert [*map(bytes, answered(ASKED, json.dumps(response(convertedObjects=[{}, 1])).encode()))] == [b"{}", b"1"]
    # Of the old version, neither kind nor uid was ever looked at.
    assert answered(OLD, b'{"response":{"uid":"x","result":{"status":"Success"}}}') == []


def become(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": V2, "kind": "Widget", "metadata": METADATA, "spec": {"shape": {"size": 1}}, **fields}


def metadata(**fields: Any) -> dict[str, Any]:
    return become(metadata={**METADATA, **fields})


def read(tree: Any, *, alone: bool = True) -> dict[str, Any]:
    return converted(ORIGINAL, msgspec.Raw(json.dumps(tree).encode()), V2, 3, alone=alone)


AT = "invalid object at index 0: "


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        (1, AT + "Object 'Kind' is missing in '1'"),
        ({"apiVersion": V2}, AT + 'Object \'Kind\' is missing in \'{"apiVersion": "example.com/v2"}\''),
        (ORIGINAL, AT + "invalid groupVersion (expected example.com/v2, received example.com/v1)"),
        (become(apiVersion=None), AT + "invalid groupVersion (expected example.com/v2, received )"),
        (become(kind="Gadget"), AT + "invalid kind (expected Widget, received Gadget)"),
        (metadata(name="x"), "invalid object: must have the same name: w != x"),
        (metadata(namespace="x"), "invalid object: must have the same namespace: default != x"),
        (metadata(uid=None), "invalid object: must have the same UID: u != "),
        (become(metadata=[]), "invalid object: must have the same name: w != "),
        (metadata(labels=[]), "invalid metadata: invalid metadata.labels of type []interface {} in converted object"),
        (metadata(labels="x"), "invalid metadata: invalid metadata.labels of type string in converted object"),
        (
            metadata(labels={"a": 1}),
            "invalid metadata: metadata.labels[a] must be a string, but is int64 in converted object",
        ),
        (
            metadata(annotations={"a": None}),
            "invalid metadata: metadata.annotations[a] must be a string, but is <nil> in converted object",
        ),
        (
            metadata(annotations={"a b": "c"}),
            "invalid metadata: metadata.annotation: Invalid value: \"a b\": name part must consist of alphanumeric "
            "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
            "'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ),
    ],
)  # fmt: skip
def test_objects_that_are_none(tree: Any, fault: str) -> None:
    with pytest.raises(Unusable) as error:
        read(tree)
    assert str(error.value) == fault


def test_faults_of_one_among_several() -> None:
    for tree, fault in (
        (become(kind="Gadget"), "invalid converted object at index 3: invalid kind (expected Widget, received Gadget)"),
        (metadata(uid="v"), "invalid converted object at index 3: must have the same UID: u != v"),
        (
            metadata(labels=1),
            "invalid metadata in object at index 3: invalid metadata.labels of type int64 in converted object",
        ),
    ):
        with pytest.raises(Unusable) as error:
            read(tree, alone=False)
        assert str(error.value) == fault


def test_labels_and_annotations_are_a_webhooks_and_nothing_else_of_the_metadata() -> None:
    found = read(metadata(labels={"c": "d"}, annotations={"e": "f"}, finalizers=[], generation=7, garbage=1))
    assert found["metadata"] == {**METADATA, "labels": {"c": "d"}, "annotations": {"e": "f"}}
    assert found["spec"] == {"shape": {"size": 1}}
    assert "labels" not in read(metadata(labels=None))["metadata"]
