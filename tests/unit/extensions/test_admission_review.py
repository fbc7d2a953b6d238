"""What is said of answers of admission webhooks that are none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from steersman.apiserver.extensions.webhook_client import CallFailed
from steersman.apiserver.extensions.webhooks.review import Review, verdict

ASKED = Review("u", "v1", b"")


def answer(**members: Any) -> bytes:
    response = {"uid": "u", "allowed": True, **members}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).encode()


def patch(text: bytes) -> bytes:
    return answer(patchType="JSONPatch", patch=base64.b64encode(text).decode())


SYNTAX = "failed to call webhook: couldn't get version/kind; json parse error: "
TYPES = "failed to call webhook: json: cannot unmarshal "
PATCH = "received undecodable patch in webhook response: "


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "failed to call webhook: 0-length response with status code: 200 and content type: application/json"),
        (b"not json", f"{SYNTAX}invalid character 'o' in literal null (expecting 'u')"),
        (b'{"response":', f"{SYNTAX}unexpected end of JSON input"),
        (answer(allowed="yes"), f"{TYPES}string into Go struct field AdmissionResponse.response.allowed of type bool"),
        (
            b'{"response": "yes"}',
            f"{TYPES}string into Go struct field AdmissionReview.response of type v1.AdmissionResponse",
        ),
        (answer(patch="!!!"), "failed to call webhook: illegal base64 data at input byte 0"),
        (patch(b"[{"), f"{PATCH}unexpected end of JSON input"),
        (patch(b"{}"), f"{PATCH}json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
        (patch(b"[1]"), f"{PATCH}json: cannot unmarshal number into Go value of type jsonpatch.Operation"),
    ],
)
def test_unusable_answers_in_the_words_of_gos_decoder(body: bytes, told: str) -> None:
    with pytest.raises(CallFailed) as failed:
        verdict(ASKED, body, mutating=True)
    assert str(failed.value) == told


def test_wrapped_base64_and_null_are_read() -> None:
    body = answer(patchType="JSONPatch", patch="bnVs\nbA==", warnings=None)
    assert verdict(ASKED, body, mutating=True).patch == []
