from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from steersman.api import codecs, micro_times
from steersman.api.errors import StatusError
from steersman.api.resources import TABLE, builtin_scheme
from steersman.api.shapes import struct_shape
from steersman.api.types import apps_v1, batch_v1, coordination_v1, core_v1, events_v1, meta_v1
from steersman.api.yaml import YAMLError, load_documents, load_yaml

DEPLOYMENT = 'Deployment in version "v1" cannot be handled as a Deployment: '
UNREADABLE = (
    "the object provided is unrecognized (must be of type Deployment): couldn't get version/kind; json parse error: "
)
POD = 'Pod in version "v1" cannot be handled as a Pod: '


def deployment(rest: str) -> bytes:
    return f'{{"kind":"Deployment","apiVersion":"apps/v1",{rest}}}'.encode()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            deployment('"spec":{"replicas":"3"}'),
            DEPLOYMENT
            + "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            deployment('"spec":{"replicas":3.0}'),
            DEPLOYMENT
            + "json: cannot unmarshal number 3.0 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            deployment('"spec":{"replicas":3000000000}'),
            DEPLOYMENT + "json: cannot unmarshal number 3000000000 into Go struct field "
            "DeploymentSpec.spec.replicas of type int32",
        ),
        (
            deployment('"metadata":{"labels":{"a":1}}'),
            DEPLOYMENT + "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            deployment('"spec":{"template":{"spec":{"containers":{}}}}'),
            DEPLOYMENT + "json: cannot unmarshal object into Go struct field "
            "PodSpec.spec.template.spec.containers of type []v1.Container",
        ),
        (
            b'{"kind":"Pod","apiVersion":"v1"}',
            'Pod in version "v1" cannot be handled as a Deployment: '
            "converting (v1.Pod) to (apps.Deployment): unknown conversion",
        ),
        (
            b'{"kind":"Deployment","apiVersion":"apps/v1beta1"}',
            "the API version in the data (apps/v1beta1) does not match the expected API version (apps/v1)",
        ),
        (
            deployment('"metadata":3').replace(b'"Deployment"', b"null"),
            DEPLOYMENT + "json: cannot unmarshal number into Go struct field Deployment.metadata of type v1.ObjectMeta",
        ),
        (b'{"kind":"Deployment"', UNREADABLE + 'unexpected end of JSON input ({"kind":"Deployment")'),
        (b"", UNREADABLE + "unexpected end of JSON input (<empty>)"),
        (b" \n", UNREADABLE + "unexpected end of JSON input (200a)"),
        (b"{} x", UNREADABLE + "invalid character 'x' after top-level value ({} x)"),
        (b"<a/>", UNREADABLE + "invalid character '<' looking for beginning of value (3c612f3e)"),
        (b"\xef\xbb\xbf{}", UNREADABLE + "invalid character 'ï' looking for beginning of value (efbbbf7b7d)"),
        ("{}".encode("utf-16"), None),
        (b'{"a":1,}', UNREADABLE + """invalid character '}' looking for beginning of object key string ({"a":1,})"""),
        (b'{"a" 1}', UNREADABLE + """invalid character '1' after object key ({"a" 1})"""),
        (b"[]", None),
        (b'{"a":' * 5000, None),
    ],
)
def test_what_cannot_be_read_is_400_in_upstreams_words(body: bytes, message: str | None) -> None:
    with pytest.raises(StatusError) as raised:
        codecs.decode_body(apps_v1.Deployment, body)
    assert raised.value.code == 400
    assert raised.value.reason == "BadRequest"
    if message is not None:
        assert raised.value.status.message == message


def test_null_is_taken_for_anything() -> None:
    body = (
        b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":null,"labels":null,"annotations":{"a":null},'
        b'"creationTimestamp":null,"finalizers":[null]},"spec":{"containers":[{"name":"a","ports":null}],'
        b'"hostNetwork":null,"securityContext":null},"status":null}'
    )
    pod, warnings = codecs.decode_body(core_v1.Pod, body)
    assert warnings == []
    assert pod.metadata.annotations == {"a": ""}
    assert pod.metadata.finalizers == [""]
    assert pod.spec.containers[0].ports == []
    assert pod.status == core_v1.PodStatus()


def test_quantities_may_be_numbers_and_become_canonical() -> None:
    limits = b'{"cpu":1,"memory":"1024Ki","example.com/x":0.5,"ephemeral-storage":"0.5"}'
    body = b'{"spec":{"containers":[{"name":"a","resources":{"limits":' + limits + b"}}]}}"
    pod, _ = codecs.decode_body(core_v1.Pod, body)
    assert pod.spec.containers[0].resources.limits == {
        "cpu": "1",
        "memory": "1Mi",
        "example.com/x": "500m",
        "ephemeral-storage": "500m",
    }


def test_malformed_quantity() -> None:
    body = b'{"kind":"Pod","apiVersion":"v1","spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":"x"}}}]}}'
    with pytest.raises(StatusError, match="quantities must match the regular expression"):
        codecs.decode_body(core_v1.Pod, body)


def test_times_are_truncated_and_in_utc() -> None:
    body = b'{"metadata":{"creationTimestamp":"2026-01-02T03:04:05.678+02:00"}}'
    pod, _ = codecs.decode_body(core_v1.Pod, body)
    assert b'"creationTimestamp":"2026-01-02T01:04:05Z"' in codecs.encode(pod)


BAD = deployment('"spec":{"replicas":3,"foo":1,"template":{"spec":{"containers":[{"name":"x","bar":1}]}},"replicas":4}')
PROBLEMS = [
    'unknown field "spec.foo"',
    'unknown field "spec.template.spec.containers[0].bar"',
    'duplicate field "spec.replicas"',
]


def test_strict_names_every_unknown_and_duplicate_field() -> None:
    with pytest.raises(StatusError) as raised:
        codecs.decode_body(apps_v1.Deployment, BAD, "", "Strict")
    assert raised.value.status.message == DEPLOYMENT + "strict decoding error: " + ", ".join(PROBLEMS)


@pytest.mark.parametrize("validation", ["Warn", ""])
def test_warn_reports_them(validation: str) -> None:
    obj, warnings = codecs.decode_body(apps_v1.Deployment, BAD, "", validation)
    assert warnings == PROBLEMS
    assert obj.spec.replicas == 4


def test_what_is_twice_below_what_is_unknown_or_free_is_not_told() -> None:
    body = b'{"foo":{"a":1,"a":2},"foo":3,"metadata":{"labels":{"x":"1","x":"2"}},"data":{"a":{"b":1,"b":2}}}'
    obj, warnings = codecs.decode_body(apps_v1.ControllerRevision, body)
    assert warnings == ['unknown field "foo"', 'duplicate field "metadata.labels.x"']
    assert (obj.metadata.labels, obj.data) == ({"x": "2"}, {"a": {"b": 2}})


def test_no_more_than_a_hundred_problems_are_told() -> None:
    body = deployment(",".join(f'"f{number}":1' for number in range(200)))
    assert len(codecs.decode_body(apps_v1.Deployment, body)[1]) == 100


def test_bytes_that_are_no_text_are_replaced() -> None:
    config_map, _ = codecs.decode_body(core_v1.ConfigMap, b'{"data":{"a":"x\xffy"}}')
    assert config_map.data == {"a": "x\ufffdy"}


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b'{"spec":{"containers":[' + b",".join([b"{}"] * 40_000) + b"]}}", ""),
        (b'{"data":{' + b",".join(b'"%d":""' % number for number in range(110_000)) + b"}}", ""),
        (b"spec:\n  containers:\n" + b"  - {}\n" * 40_000, "application/yaml"),
    ],
)
def test_more_structure_than_any_object_has(body: bytes, media_type: str) -> None:
    with pytest.raises(StatusError) as raised:
        codecs.decode_body(core_v1.Pod, body, media_type)
    assert (raised.value.code, raised.value.reason) == (413, "RequestEntityTooLarge")


def test_braces_in_texts_are_no_structure() -> None:
    body = msgspec.json.encode({"data": {"a": "{,[" * 100_000}})
    assert len(codecs.decode_body(core_v1.ConfigMap, body)[0].data["a"]) == 300_000


def test_ignore_is_silent() -> None:
    assert codecs.decode_body(apps_v1.Deployment, BAD, "", "Ignore")[1] == []


def test_strict_accepts_what_is_right() -> None:
    body = codecs.encode(apps_v1.Deployment(spec=apps_v1.DeploymentSpec(replicas=1)))
    assert codecs.decode_body(apps_v1.Deployment, body, "", "Strict")[1] == []


@pytest.mark.parametrize("media_type", ["application/cbor", "text/yaml", "json", "multipart/form-data; boundary=x"])
def test_unknown_media_type_is_415(media_type: str) -> None:
    with pytest.raises(StatusError) as raised:
        codecs.decode_body(core_v1.Pod, b"x", media_type)
    assert raised.value.code == 415
    assert raised.value.status.message == (
        "the body of the request was in an unknown format - accepted media types include: application/json, "
        "application/yaml, application/vnd.kubernetes.protobuf"
    )


def test_delete_options_come_under_any_version() -> None:
    body = b'{"kind":"DeleteOptions","apiVersion":"apps/v1","propagationPolicy":"Orphan"}'
    assert codecs.decode_body(meta_v1.DeleteOptions, body)[0].propagation_policy == "Orphan"


def test_a_resource_may_be_the_target() -> None:
    resource = builtin_scheme().by_name("apps", "v1", "deployments")
    assert resource is not None
    assert isinstance(codecs.decode_body(resource, deployment('"spec":{}'))[0], apps_v1.Deployment)


def test_every_kind_survives_a_round_trip() -> None:
    for resource in TABLE:
        obj = resource.type()
        assert codecs.copy(obj) == obj
        assert codecs.from_builtins(resource.type, codecs.to_builtins(obj)) == obj
        assert codecs.decode(resource.type, codecs.encode(obj)) == obj


def test_secret_data_may_be_wrapped_and_must_be_base64() -> None:
    assert codecs.decode(core_v1.Secret, b'{"data":{"a":"YWJj\\nZGVm"}}').data == {"a": b"abcdef"}
    with pytest.raises(StatusError, match="illegal base64 data at input byte 1"):
        codecs.decode(core_v1.Secret, b'{"data":{"a":"Y!=="}}')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0644", 420),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("-12", -12),
        ("12:30", "12:30"),
        ("2001-01-01", "2001-01-01"),
        ("2001-12-14T21:59:43Z", "2001-12-14T21:59:43Z"),
        ("1.0", 1),
        ("1.5e3", 1500),
        (".5", 0.5),
        ("yes", True),
        ("Off", False),
        ("n", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("'yes'", "yes"),
        ("!!str 12", "12"),
        ("1.2.3", "1.2.3"),
        ("08", 8),
        ("123456789012345678901234567890", 1.2345678901234568e29),
    ],
)
def test_yaml_scalars_mean_what_they_mean_to_go(text: str, value: Any) -> None:
    assert load_yaml(f"key: {text}\n") == {"key": value}


def test_yaml_merges_aliases_and_keys() -> None:
    assert load_yaml("a: &a {x: 1, z: 3}\nb: {<<: *a, x: 2}\n1: q\ntrue: r\n") == {
        "a": {"x": 1, "z": 3},
        "b": {"x": 2, "z": 3},
        "1": "q",
        "true": "r",
    }


def test_yaml_documents() -> None:
    assert list(load_documents("a: 1\n---\n---\nb: 2\n")) == [{"a": 1}, None, {"b": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", 'line 2: key "a" already set in map'),
        ("a: &x [*x]", "anchor 'x' value contains itself"),
        ("a: *x", "anchor"),
        ("[" * 3000, "max depth"),
        ("a: [1", "line"),
        ("a: .inf", "unsupported value"),
        (
            "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"a{n + 1}: &a{n + 1} [{','.join([f'*a{n}'] * 9)}]\n" for n in range(9)),
            "excessive aliasing",
        ),
    ],
)
def test_yaml_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(YAMLError, match=message):
        load_yaml(text)


def test_yaml_bodies() -> None:
    body = b"kind: ConfigMap\napiVersion: v1\ndata: {a: 'x', a: 'y'}\nnope: 1\n"
    obj, warnings = codecs.decode_body(core_v1.ConfigMap, body, "application/yaml; charset=utf-8")
    assert obj.data == {"a": "y"}
    assert warnings == ['line 3: key "a" already set in map', 'unknown field "nope"']
    with pytest.raises(StatusError) as raised:
        codecs.decode_body(core_v1.ConfigMap, body, "application/yaml", "Strict")
    assert raised.value.status.message == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal errors:\n'
        '  line 3: key "a" already set in map, unknown field "nope"'
    )


def test_encoding_keeps_members_that_go_always_writes() -> None:
    status = msgspec.json.decode(codecs.encode(core_v1.ContainerStatus(name="a")))
    assert status == {
        "image": "",
        "imageID": "",
        "lastState": {},
        "name": "a",
        "ready": False,
        "restartCount": 0,
        "state": {},
    }


def test_encoding_writes_what_go_holds_by_value() -> None:
    def encoded(obj: Any) -> Any:
        return msgspec.json.decode(codecs.encode(obj))

    condition = core_v1.PodCondition(type="Ready", status="True")
    assert encoded(condition) == {
        "lastProbeTime": None,
        "lastTransitionTime": None,
        "status": "True",
        "type": "Ready",
    }
    event = encoded(events_v1.Event())
    assert event["eventTime"] is event["deprecatedFirstTimestamp"] is event["deprecatedLastTimestamp"] is None
    assert event["regarding"] == event["deprecatedSource"] == {}
    assert encoded(core_v1.ContainerStateRunning()) == {"startedAt": None}
    core = encoded(core_v1.Event())
    assert core["reportingComponent"] == core["reportingInstance"] == ""
    assert encoded(core_v1.GRPCAction(port=1)) == {"port": 1, "service": ""}
    assert encoded(apps_v1.StatefulSetStatus()) == {"availableReplicas": 0, "replicas": 0}
    assert encoded(batch_v1.JobStatus()) == encoded(meta_v1.ObjectMeta()) == {}


def _micro_times(type_: Any, above: tuple[Any, ...] = ()) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for name, member in struct_shape(type_).members.items():
        if member.shape.format == "micro-time":
            found.add((name,))
        elif (inner := member.shape.struct) is not None and inner not in above:
            found |= {(name, *rest) for rest in _micro_times(inner, (*above, inner))}
    return found


def test_every_instant_with_microseconds_is_known() -> None:
    for resource in TABLE:
        places = {place.names for place in micro_times.PLACES.get(resource.type, ())}
        assert _micro_times(resource.type) == places, resource.kind


def test_microseconds_are_written_although_they_are_none() -> None:
    lease = coordination_v1.Lease(metadata=meta_v1.ObjectMeta(name="l"))
    lease.spec.renew_time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    lease.spec.acquire_time = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert msgspec.json.decode(codecs.encode(lease))["spec"] == {
        "acquireTime": "2026-01-02T03:04:05.000006Z",
        "renewTime": "2026-01-02T03:04:05.000000Z",
    }
    event = events_v1.Event(event_time=datetime(1, 1, 1, tzinfo=UTC), series=events_v1.EventSeries(count=1))
    written = codecs.encode(event)
    assert b'"eventTime":"0001-01-01T00:00:00.000000Z"' in written
    assert codecs.decode(events_v1.Event, written) == event
