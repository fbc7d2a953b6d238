from __future__ import annotations

from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.resources import TABLE
from steersman.api.types import apps_v1, batch_v1, core_v1, networking_v1, rbac_v1
from steersman.api.validation import cron, validate, validate_update
from steersman.api.yaml import load_yaml

from .grammars import LABEL


def build(type_: type[Any], text: str) -> Any:
    obj = codecs.from_builtins(type_, load_yaml(text))
    obj.metadata.name = obj.metadata.name or "x"
    if type_ not in (core_v1.Namespace, core_v1.Node, core_v1.PersistentVolume, rbac_v1.ClusterRole):
        obj.metadata.namespace = obj.metadata.namespace or "default"
    apply_defaults(obj)
    return obj


def faults(type_: type[Any], text: str) -> list[str]:
    return [str(fault) for fault in validate(build(type_, text))]


GOOD_POD = "spec: {containers: [{name: a, image: b}]}"
GOOD_DEPLOYMENT = """
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: b}]}}
"""


def test_all_faults_of_a_deployment_at_once() -> None:
    found = faults(
        apps_v1.Deployment,
        """
        metadata: {name: Foo_bar}
        spec:
          replicas: -1
          selector: {matchLabels: {app: x}}
          template:
            metadata: {labels: {app: z}}
            spec:
              restartPolicy: Never
              containers:
              - name: A
                image: ""
                ports: [{containerPort: 70000}]
                volumeMounts: [{name: nope, mountPath: /x}]
                resources: {requests: {cpu: 2, foo: 1}, limits: {cpu: 1}}
        """,
    )
    container = "spec.template.spec.containers[0]"
    assert found == [
        'metadata.name: Invalid value: "Foo_bar": a lowercase RFC 1123 subdomain must consist of lower case '
        "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
        "'example.com', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        'spec.template.metadata.labels: Invalid value: {"app":"z"}: `selector` does not match template `labels`',
        f'{container}.name: Invalid value: "A": {LABEL}',
        f"{container}.image: Required value",
        f"{container}.ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        f'{container}.volumeMounts[0].name: Not found: "nope"',
        f'{container}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        f'{container}.resources.requests[foo]: Invalid value: "foo": must be a standard resource type or fully '
        "qualified",
        f'{container}.resources.requests[foo]: Invalid value: "foo": must be a standard resource for containers',
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ]


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (core_v1.Pod, GOOD_POD),
        (apps_v1.Deployment, GOOD_DEPLOYMENT),
        (apps_v1.ReplicaSet, GOOD_DEPLOYMENT),
        (apps_v1.DaemonSet, GOOD_DEPLOYMENT),
        (apps_v1.StatefulSet, GOOD_DEPLOYMENT),
        (core_v1.Service, "spec: {ports: [{port: 80, targetPort: http}]}"),
        (core_v1.Service, "spec: {clusterIP: None, clusterIPs: [None]}"),
        (core_v1.Namespace, "{}"),
        (core_v1.Node, "status: {capacity: {cpu: 2, pods: 110, memory: 1Gi, hugepages-2Mi: 0, example.com/gpu: 1}}"),
        (core_v1.ConfigMap, "data: {a.b_c-D: x}"),
        (core_v1.Secret, "type: kubernetes.io/tls\ndata: {tls.crt: YQ==, tls.key: YQ==}"),
        (rbac_v1.ClusterRole, "metadata: {name: 'system:a'}\nrules: [{nonResourceURLs: [/x], verbs: [get]}]"),
        (networking_v1.NetworkPolicy, "spec: {ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}"),
        (
            networking_v1.Ingress,
            "spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}",
        ),
        (
            core_v1.PersistentVolumeClaim,
            "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
        ),
        (
            batch_v1.CronJob,
            "spec: {schedule: '*/5 * * * MON-FRI', jobTemplate: {spec: {template: "
            "{spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}}",
        ),
    ],
)
def test_what_is_right_passes(type_: type[Any], text: str) -> None:
    assert faults(type_, text) == []
    obj = build(type_, text)
    assert validate_update(obj, obj) == []


@pytest.mark.parametrize(
    ("type_", "text", "fault"),
    [
        (core_v1.Pod, "metadata: {labels: {'-': b}}\n" + GOOD_POD, 'metadata.labels: Invalid value: "-": name part'),
        (core_v1.Pod, "metadata: {finalizers: [a]}\n" + GOOD_POD, "name is neither a standard finalizer name nor"),
        (core_v1.Pod, "spec: {containers: []}", "spec.containers: Required value"),
        (core_v1.Pod, "spec: {containers: [{name: a, image: b}, {name: a, image: b}]}", 'Duplicate value: "a"'),
        (core_v1.Pod, "spec: {restartPolicy: Sometimes, containers: [{name: a, image: b}]}", "Unsupported value"),
        (
            core_v1.Pod,
            "spec: {tolerations: [{value: x}], containers: [{name: a, image: b}]}",
            "operator must be Exists when `key` is empty",
        ),
        (
            core_v1.Pod,
            "spec: {containers: [{name: a, image: b, livenessProbe: {}}]}",
            "livenessProbe: Required value: must specify a handler type",
        ),
        (core_v1.Namespace, "metadata: {name: a.b}", 'metadata.name: Invalid value: "a.b": must not contain dots'),
        (core_v1.Namespace, "metadata: {name: a, namespace: b}", "metadata.namespace: Forbidden: not allowed on this"),
        (core_v1.Service, "metadata: {name: 1a}\nspec: {ports: [{port: 80}]}", "a DNS-1035 label must consist of"),
        (core_v1.Service, "spec: {ports: [{port: 80}, {port: 81}]}", "spec.ports[0].name: Required value"),
        (core_v1.Service, "spec: {ports: [{port: 80, nodePort: 30000}]}", "may not be used when `type` is 'ClusterIP'"),
        (core_v1.ConfigMap, "data: {'a b': x}", "a valid config key must consist of"),
        (core_v1.Secret, "type: kubernetes.io/tls", "data[tls.crt]: Required value"),
        (rbac_v1.Role, "rules: [{verbs: [get]}]", "resource rules must supply at least one api group"),
        (networking_v1.Ingress, "{}", "either `defaultBackend` or `rules` must be specified"),
    ],
)
def test_what_is_wrong_is_said(type_: type[Any], text: str, fault: str) -> None:
    assert any(fault in found for found in faults(type_, text)), faults(type_, text)


def test_a_name_is_needed() -> None:
    pod = build(core_v1.Pod, GOOD_POD)
    pod.metadata.name = ""
    assert [str(fault) for fault in validate(pod)] == [
        "metadata.name: Required value: name or generateName is required"
    ]


def test_pods_hardly_change() -> None:
    old = build(core_v1.Pod, GOOD_POD)
    new = codecs.copy(old)
    new.spec.containers[0].image = "c"
    new.spec.tolerations = [core_v1.Toleration(key="a", operator="Exists")]
    new.metadata.labels = {"a": "b"}
    assert validate_update(new, old) == []
    new.spec.hostname = "other"
    assert [fault.field for fault in validate_update(new, old)] == ["spec"]
    assert "pod updates may not change fields other than" in str(validate_update(new, old)[0])
    fewer = codecs.copy(old)
    fewer.spec.containers = []
    assert any("may not add or remove containers" in str(fault) for fault in validate_update(fewer, old))


@pytest.mark.parametrize(
    ("type_", "text", "path", "value"),
    [
        (apps_v1.Deployment, GOOD_DEPLOYMENT, "spec.selector", {"matchLabels": {"app": "other"}}),
        (core_v1.Secret, "{}", "type", "other"),
        (
            rbac_v1.RoleBinding,
            "roleRef: {kind: Role, name: a}",
            "roleRef",
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "b"},
        ),
        (core_v1.Pod, GOOD_POD, "metadata.uid", "u"),
    ],
)
def test_immutable_fields(type_: type[Any], text: str, path: str, value: Any) -> None:
    old = build(type_, text)
    tree = codecs.to_builtins(old)
    *parents, last = path.split(".")
    place = tree
    for parent in parents:
        place = place[parent]
    place[last] = value
    new = codecs.from_builtins(type_, tree)
    assert path in [fault.field for fault in validate_update(new, old)]


def test_immutable_config_maps() -> None:
    old = build(core_v1.ConfigMap, "immutable: true\ndata: {a: b}")
    new = build(core_v1.ConfigMap, "data: {a: c}")
    assert [str(fault) for fault in validate_update(new, old)] == [
        "immutable: Forbidden: field is immutable when `immutable` is set",
        "data: Forbidden: field is immutable when `immutable` is set",
    ]


def test_no_kind_makes_validation_fail() -> None:
    for resource in TABLE:
        obj = resource.type()
        apply_defaults(obj)
        validate(obj)
        for subresource in ("", "status"):
            validate_update(obj, obj, subresource)


@pytest.mark.parametrize("schedule", ["* * * * *", "0 0 1 1 0", "@daily", "*/5 1-3,5 ? JAN-MAR mon", "@every 1h30m"])
def test_cron_schedules(schedule: str) -> None:
    assert cron.fault(schedule) == ""


@pytest.mark.parametrize(
    ("schedule", "fault"),
    [
        ("61 * * * *", "end of range (61) above maximum (59): 61"),
        ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
        ("a * * * *", "failed to parse int from a"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1)"),
        ("*/0 * * * *", "step of range should be a positive number"),
        ("@often", "unrecognized descriptor: @often"),
    ],
)
def test_cron_schedules_that_are_refused(schedule: str, fault: str) -> None:
    assert fault in cron.fault(schedule)
