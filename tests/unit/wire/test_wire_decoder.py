"""Reading protobuf: every type, golden bytes, and everything that is wrong."""

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.api import codecs, wire
from steersman.api.errors import StatusError
from steersman.api.resources import TABLE, builtin_scheme
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition, JSONSchemaProps
from steersman.api.types.core_v1 import ConfigMap, Pod, ResourceQuota, Secret, Service
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.api.types.policy_v1 import PodDisruptionBudget
from steersman.api.types.rbac_v1 import ClusterRole

from .encoding import block, body, filled, message, number, varint

SERVED = {f"{resource.module}.{resource.kind}": resource.type for resource in TABLE if resource.served}


def pods() -> Any:
    return builtin_scheme().by_kind("v1", "Pod")


def refused(target: Any, data: bytes) -> str:
    with pytest.raises(StatusError) as caught:
        codecs.decode_body(target, data, wire.MEDIA_TYPE)
    assert (caught.value.code, caught.value.status.reason) == (400, "BadRequest")
    return caught.value.status.message


@pytest.mark.parametrize("name", SERVED)
def test_everything_set_comes_back(name: str) -> None:
    obj = filled(SERVED[name])
    assert wire.decode(SERVED[name], message(obj)) == obj


@pytest.mark.parametrize(
    "name",
    [
        "authentication_v1.TokenRequest",
        "autoscaling_v1.Scale",
        "policy_v1.Eviction",
        "core_v1.Binding",
        "meta_v1.DeleteOptions",
        "meta_v1.Status",
    ],
)
def test_bodies_of_subresources(name: str) -> None:
    module, _, kind = name.partition(".")
    type_ = getattr(import_module(f"steersman.api.types.{module}"), kind)
    obj = filled(type_)
    assert wire.decode(type_, message(obj)) == obj


def test_golden_config_map() -> None:
    raw = block(1, block(1, b"x") + block(2, b"") + block(3, b"ns") + block(4, b"") + block(8, b""))
    raw += block(2, block(1, b"a") + block(2, b"b"))
    data = body("v1", "ConfigMap", raw)
    found, warnings = codecs.decode_body(ConfigMap, data, f"{wire.MEDIA_TYPE};charset=utf-8", "Strict")
    assert codecs.to_builtins(found) == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "x", "namespace": "ns"},
        "data": {"a": "b"},
    }
    assert warnings == []


KUBECTL = bytes.fromhex(
    "6b3873000a150a07617070732f7631120a4465706c6f796d656e7412ca010a230a0577656233331200"
    "1a0022002a003200380042005a0c0a03617070120577656233331294010802120e0a0c0a0361707012"
    "0577656233331a780a1e0a0012001a0022002a003200380042005a0c0a036170701205776562333312"
    "5612380a016112136578616d706c652e696e76616c69642f613a312a00320a0a001000185022002a00"
    "42006a007200800100880100900100a201001a00320042004a0052005800600068008201008a01009a"
    "0100c2010022020a002800"
    "38001a0c08001000180020002800380"
    "01a002200"
)
"""What ``kubectl create deployment web33 --image=example.invalid/a:1 --replicas=2 --port=80`` of v1.33.1 sends."""


def test_golden_deployment_of_kubectl() -> None:
    resource = builtin_scheme().by_kind("apps/v1", "Deployment")
    assert resource is not None
    found: Any = codecs.decode_body(resource, KUBECTL, wire.MEDIA_TYPE, "Strict")[0]
    container = {"image": "example.invalid/a:1", "name": "a", "ports": [{"containerPort": 80}], "resources": {}}
    assert codecs.to_builtins(found) == {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "web33", "labels": {"app": "web33"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web33"}},
            "strategy": {},
            "template": {
                "metadata": {"labels": {"app": "web33"}},
                "spec": {"containers": [container]},
            },
        },
        "status": {},
    }


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(KUBECTL) - 1), st.integers(0, 255))
def test_damaged_body_of_kubectl(position: int, value: int) -> None:
    data = bytearray(KUBECTL)
    data[position] = value
    resource = builtin_scheme().by_kind("apps/v1", "Deployment")
    assert resource is not None
    for damaged in (bytes(data), bytes(data[:position])):
        code = 400
        try:
            codecs.decode_body(resource, damaged, wire.MEDIA_TYPE)
        except StatusError as error:
            code = error.code
        assert code == 400


def test_zero_of_a_scalar_that_is_no_pointer_is_absence() -> None:
    port = block(1, b"") + number(2, 0) + number(3, 80)
    container = block(1, b"c") + block(6, port) + number(16, 0) + number(18, 0)
    pod = wire.decode(Pod, block(2, block(2, container) + number(4, 0) + number(11, 0)))
    tree = codecs.to_builtins(pod)["spec"]
    assert tree["containers"][0] == {"name": "c", "ports": [{"containerPort": 80}], "resources": {}}
    assert tree["terminationGracePeriodSeconds"] == 0
    assert "hostNetwork" not in tree


def test_int_or_string() -> None:
    spec = block(1, number(3, 80) + block(4, number(1, 0) + number(2, 8080) + block(3, b"")))
    spec += block(1, number(3, 81) + block(4, number(1, 1) + number(2, 0) + block(3, b"http")))
    ports = wire.decode(Service, block(2, spec)).spec.ports
    assert [port.target_port for port in ports] == [8080, "http"]


def test_numbers_are_cut_to_their_size_as_in_go() -> None:
    pod = wire.decode(Pod, block(2, number(25, 2**32 + 5) + number(4, 2**64 - 1)))
    assert (pod.spec.priority, pod.spec.termination_grace_period_seconds) == (5, -1)


def test_packed_numbers() -> None:
    packed, plain = varint(7) + varint(2**64 - 2), number(4, 7) + number(4, 2**64 - 2)
    for groups in (block(4, packed), plain):
        pod = wire.decode(Pod, block(2, block(14, groups)))
        assert pod.spec.security_context is not None
        assert pod.spec.security_context.supplemental_groups == [7, -2]


def test_unknown_fields_are_skipped() -> None:
    strange = number(900, 5) + block(901, b"abc") + varint(902 << 3 | 1) + bytes(8) + varint(903 << 3 | 5) + bytes(4)
    strange += varint(904 << 3 | 3) + number(1, 1) + varint(5 << 3 | 3) + varint(5 << 3 | 4) + varint(904 << 3 | 4)
    secret = wire.decode(Secret, strange + block(1, strange + block(1, b"s")) + strange + block(3, b"Opaque"))
    assert (secret.metadata.name, secret.type) == ("s", "Opaque")


def test_a_message_that_comes_twice_is_merged() -> None:
    secret = wire.decode(Secret, block(1, block(1, b"s")) + block(1, block(3, b"ns")))
    assert (secret.metadata.name, secret.metadata.namespace) == ("s", "ns")


def test_absent_parts_of_map_entries_are_zeros() -> None:
    quota = wire.decode(ResourceQuota, block(2, block(1, b"") + block(1, block(1, b"cpu"))))
    assert quota.spec.hard == {"": "0", "cpu": "0"}


def test_absent_time_in_a_map_is_the_zero_time() -> None:
    status = wire.decode(PodDisruptionBudget, block(3, block(2, block(1, b"pod")))).status
    assert [time.year for time in status.disrupted_pods.values()] == [1]


def test_text_that_is_not_utf8_is_replaced() -> None:
    assert wire.decode(ConfigMap, block(2, block(1, b"k") + block(2, b"a\xff"))).data == {"k": "a\ufffd"}


def test_quantities_are_made_canonical() -> None:
    resource = builtin_scheme().by_kind("v1", "ResourceQuota")
    raw = block(
        2,
        block(1, block(1, b"cpu") + block(2, block(1, b"1500m")))
        + block(1, block(1, b"m") + block(2, block(1, b"1024Mi"))),
    )
    quota: Any = codecs.decode_body(resource, body("v1", "ResourceQuota", raw), wire.MEDIA_TYPE)[0]  # type: ignore[arg-type]
    assert quota.spec.hard == {"cpu": "1500m", "m": "1Gi"}
    bad = block(2, block(1, block(1, b"cpu") + block(2, block(1, b"much"))))
    assert "quantities must match" in refused(resource, body("v1", "ResourceQuota", bad))


def test_schema_of_a_custom_resource() -> None:
    schema = JSONSchemaProps(
        type="object",
        properties={
            "a": JSONSchemaProps(type="array", items={"type": "string", "enum": ["x"]}),
            "b": JSONSchemaProps(default=3),
        },
        additional_properties=False,
        x_kubernetes_preserve_unknown_fields=True,
    )
    assert wire.decode(JSONSchemaProps, message(schema)) == schema
    crd = filled(CustomResourceDefinition)
    assert wire.decode(CustomResourceDefinition, message(crd)) == crd


def test_delete_options_of_any_version() -> None:
    raw = number(1, 0) + block(4, b"Foreground")
    options, _ = codecs.decode_body(DeleteOptions, body("apps/v1", "DeleteOptions", raw), wire.MEDIA_TYPE, "Ignore")
    assert (options.grace_period_seconds, options.propagation_policy) == (0, "Foreground")


def test_aggregation_rule() -> None:
    role = filled(ClusterRole)
    assert wire.decode(ClusterRole, message(role)) == role


def test_deep_schema_is_read_and_a_bottomless_one_refused() -> None:
    raw = b""
    for _ in range(60):
        raw = block(5, b"object") + block(29, block(1, b"a") + block(2, raw))
    found = wire.decode(JSONSchemaProps, raw)
    depth = 0
    while found.properties:
        found, depth = found.properties["a"], depth + 1
    assert depth == 60
    for field in (28, 25):
        raw = b""
        for _ in range(5000):
            raw = block(field, raw)
        with pytest.raises(wire.WireError):
            wire.decode(JSONSchemaProps, raw)
    for _ in range(3000):
        raw = block(24, block(1, raw[:100000]))
    with pytest.raises(wire.WireError):
        wire.decode(JSONSchemaProps, raw)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (block(1, b"\x0a\x05ab"), "unexpected EOF"),
        (number(1, 1), "proto: wrong wireType = 0 for field Metadata"),
        (varint(1 << 3 | 2) + varint(2**63), "proto: negative length found during unmarshaling"),
        (varint(1 << 3 | 2) + varint(2**40), "unexpected EOF"),
        (b"\xff" * 11, "proto: integer overflow"),
        (b"\x80", "unexpected EOF"),
        (varint(77 << 3 | 4), "proto: Pod: wiretype end group for non-group"),
        (b"\x00\x00", "proto: Pod: illegal tag 0 (wire type 0)"),
        (varint(77 << 3 | 6), "proto: illegal wireType 6"),
        (varint(77 << 3 | 3) * 500, "unexpected EOF"),
        (varint(77 << 3 | 1) + b"1234", "unexpected EOF"),
    ],
)
def test_malformed(raw: bytes, said: str) -> None:
    assert refused(pods(), body("v1", "Pod", raw)) == f'Pod in version "v1" cannot be handled as a Pod: {said}'


def test_envelopes_that_are_none() -> None:
    unrecognized = "the object provided is unrecognized (must be of type Pod): "
    prefix = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    assert refused(pods(), b'{"kind":"Pod"}').startswith(unrecognized + prefix)
    assert refused(pods(), b"k8s\0") == unrecognized + "empty body (6b387300)"
    assert refused(pods(), b"k8s\0\xff").startswith(unrecognized + "unexpected EOF")
    assert "unknown conversion" in refused(pods(), body("v1", "Service", b"\xff"))
    assert "does not match the expected API version (v1)" in refused(pods(), body("v2", "Pod", b"\xff"))


def test_times_out_of_range() -> None:
    stamp = block(1, block(8, number(1, 2**62)))
    assert "year outside of range" in refused(pods(), body("v1", "Pod", stamp))


def test_a_kind_without_numbers_is_an_unsupported_media_type() -> None:
    class Strange(ConfigMap):
        pass

    with pytest.raises(StatusError) as caught:
        codecs.decode_body(Strange, body("v1", "Strange", b""), wire.MEDIA_TYPE)
    assert caught.value.code == 415


def check(data: bytes) -> None:
    """Any bytes are an object or a 400."""
    code = 400
    try:
        codecs.decode_body(pods(), data, wire.MEDIA_TYPE)
    except StatusError as error:
        code = error.code
    assert code == 400


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_garbage(raw: bytes) -> None:
    check(b"k8s\0" + raw)
    check(body("v1", "Pod", raw))


WHOLE = body("v1", "Pod", message(filled(Pod)))
CRD = message(filled(CustomResourceDefinition))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=5), st.integers(0))
def test_damaged_objects(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(WHOLE)
    for position, value in changes:
        data[position] = value
    check(bytes(data))
    check(bytes(data[: end % len(data)]))
    crd = bytearray(CRD)
    for position, value in changes:
        crd[position % len(crd)] = value
    try:
        wire.decode(CustomResourceDefinition, bytes(crd))
    except wire.WireError:
        pass
