from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api.errors import StatusError
from steersman.apiserver.endpoints.protobuf import to_json


def field(number: int, data: bytes) -> bytes:
    return bytes(((number << 3) | 2, len(data))) + data


def body(version: str, kind: str, raw: bytes) -> bytes:
    header = field(1, version.encode()) + field(2, kind.encode())
    return b"k8s\0" + field(1, header) + field(2, raw) + field(3, b"") + field(4, b"")


def test_config_map() -> None:
    metadata = field(1, b"c") + field(3, b"ns") + field(5, b"") + bytes((7 << 3, 0)) + field(8, b"")
    raw = field(1, metadata) + field(2, field(1, b"a") + field(2, b"b")) + field(3, field(1, b"x") + field(2, b"\xff"))
    assert json.loads(to_json(body("v1", "ConfigMap", raw))) == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "c", "namespace": "ns"},
        "data": {"a": "b"},
        "binaryData": {"x": "/w=="},
    }


def test_inlined_members_quantities_and_zeros() -> None:
    volume = field(1, b"v") + field(2, field(2, field(1, b"Memory") + field(2, field(1, b"64Mi"))))
    container = field(1, b"c") + field(6, field(1, b"") + bytes((2 << 3, 0)) + bytes((3 << 3, 80)))
    spec = field(1, volume) + field(2, container) + bytes((4 << 3, 0))
    pod = json.loads(to_json(body("v1", "Pod", field(2, spec))))
    assert pod["spec"] == {
        "volumes": [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}],
        "containers": [{"name": "c", "ports": [{"containerPort": 80}]}],
        "terminationGracePeriodSeconds": 0,
    }


@given(st.binary(max_size=200))
def test_garbage_is_a_bad_request_or_an_object(raw: bytes) -> None:
    for data in (b"k8s\0" + raw, body("v1", "Pod", raw[:100])):
        try:
            json.loads(to_json(data))
        except StatusError as error:
            code = error.code
        else:
            code = 400
        assert code == 400


def test_unknown_kind() -> None:
    with pytest.raises(StatusError) as caught:
        to_json(body("v9", "Nothing", b""))
    assert caught.value.code == 400
