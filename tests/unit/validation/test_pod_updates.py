"""One row for each rule of what may change of a pod."""

from __future__ import annotations

import pytest

from steersman.api import codecs
from steersman.api.types import core_v1 as v1
from steersman.api.validation import validate_update
from steersman.api.validation.pod_updates import UPDATE_FORBIDDEN
from steersman.api.yaml import load_yaml

from .objects import merged
from .samples import POD, build, update_faults

TOLERATION = "{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: %s}"
IN_A = "{key: a, operator: In, values: [x]}"
TERMS = "requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [%s]}]}"
GATED = "schedulingGates: [{name: g}, {name: h}]"
FORBIDDEN = f"spec: Forbidden: {UPDATE_FORBIDDEN}"
MORE_TERMS = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms{}: Invalid value: {}: {}"
EXPRESSION = '{"key":"a","operator":"%s","values":["x"]}'

ALLOWED = [
    ("{}", "containers: [{name: a, image: c}]"),
    ("initContainers: [{name: i, image: b}]", "initContainers: [{name: i, image: c}]"),
    ("{}", "activeDeadlineSeconds: 10"),
    ("activeDeadlineSeconds: 10", "activeDeadlineSeconds: 5"),
    ("terminationGracePeriodSeconds: -1", "terminationGracePeriodSeconds: 1"),
    (f"tolerations: [{TOLERATION % 5}]", f"tolerations: [{TOLERATION % 7}, {{key: b, operator: Exists}}]"),
    (GATED, "schedulingGates: []"),
    (GATED, "schedulingGates: [{name: h}]"),
    (f"{GATED}, nodeSelector: {{a: b}}", "nodeSelector: {a: b, c: d}"),
    (GATED, f"affinity: {{nodeAffinity: {{{TERMS % IN_A}}}}}"),
    (
        f"{GATED}, affinity: {{nodeAffinity: {{{TERMS % IN_A}}}}}",
        f"affinity: {{nodeAffinity: {{{TERMS % (IN_A + ', {key: b, operator: Exists}')}}}}}",
    ),
]
REFUSED = [
    ("{}", "hostname: other", [FORBIDDEN]),
    ("{}", "nodeSelector: {a: b}", [FORBIDDEN]),
    ("{}", "containers: [{name: a, image: b}, {name: c, image: b}]", [
        "spec.containers: Forbidden: pod updates may not add or remove containers"
    ]),
    ("initContainers: [{name: i, image: b}]", "initContainers: []", [
        "spec.initContainers: Forbidden: pod updates may not add or remove containers"
    ]),
    ("{}", "containers: [{name: a, image: ' '}]", [
        'spec.containers[0].image: Invalid value: " ": must not have leading or trailing whitespace'
    ]),
    ("activeDeadlineSeconds: 5", "activeDeadlineSeconds: 6", [
        "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"
    ]),
    ("activeDeadlineSeconds: 5", "activeDeadlineSeconds: null", [
        "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"
    ]),
    ("{}", "activeDeadlineSeconds: 2147483648", [
        "spec.activeDeadlineSeconds: Invalid value: 2147483648: must be between 1 and 2147483647, inclusive",
        "spec.activeDeadlineSeconds: Invalid value: 2147483648: must be between 0 and 2147483647, inclusive",
    ]),
    (f"tolerations: [{TOLERATION % 5}]", "tolerations: []", [
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
    ]),
    (GATED, "schedulingGates: [{name: g}, {name: new}]", [
        "spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'new'"
    ]),
    (f"{GATED}, nodeSelector: {{a: b}}", "nodeSelector: {a: c}", [
        'spec.nodeSelector: Invalid value: {"a":"c"}: only additions to spec.nodeSelector are allowed (no mutations or '
        "deletions)"
    ]),
    (f"{GATED}, affinity: {{nodeAffinity: {{{TERMS % IN_A}}}}}", "affinity: null", [
        MORE_TERMS.format("", "[]", "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
    ]),
    (
        f"{GATED}, affinity: {{nodeAffinity: {{{TERMS % IN_A}}}}}",
        "affinity: {nodeAffinity: {" + TERMS % "{key: a, operator: NotIn, values: [x]}" + "}}",
        [
            MORE_TERMS.format(
                "[0]",
                '{"matchExpressions":[' + EXPRESSION % "NotIn" + "]}",
                "only additions are allowed (no mutations or deletions)",
            )
        ],
    ),
    (GATED, "affinity: {podAffinity: {}}", [FORBIDDEN]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), ALLOWED, ids=lambda value: str(value)[:60])
def test_what_may_change(before: str, after: str) -> None:
    base = _with_spec(before)
    assert update_faults(v1.Pod, base, f"spec: {{{after}}}") == []


@pytest.mark.parametrize(("before", "after", "said"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_may_not_change(before: str, after: str, said: list[str]) -> None:
    found = update_faults(v1.Pod, _with_spec(before), f"spec: {{{after}}}")
    assert [fault.partition("\n")[0] for fault in found] == said


def _with_spec(spec: str) -> str:
    body = spec if spec.startswith("{") else f"{{{spec}}}"
    return codecs.encode(build(v1.Pod, POD, f"spec: {body}")).decode()


def test_what_is_forbidden_is_shown() -> None:
    (fault,) = update_faults(v1.Pod, _with_spec("hostname: a"), "spec: {hostname: b}")
    assert '-  "hostname": "a"' in fault
    assert '+  "hostname": "b"' in fault


@pytest.mark.parametrize(
    ("key", "done", "what"),
    [
        ("container.apparmor.security.beta.kubernetes.io/a", "add", "AppArmor annotations"),
        ("kubernetes.io/config.mirror", "add", "mirror pod annotation"),
    ],
)
def test_annotations_that_stay(key: str, done: str, what: str) -> None:
    plain = _with_spec("nodeName: node")
    annotated = codecs.encode(build(v1.Pod, plain, f"metadata: {{annotations: {{{key}: unconfined}}}}")).decode()
    assert update_faults(v1.Pod, plain, f"metadata: {{annotations: {{{key}: unconfined}}}}") == [
        f"metadata.annotations[{key}]: Forbidden: may not add {what}"
    ]
    for change in ("null", "localhost/x"):
        assert update_faults(v1.Pod, annotated, f"metadata: {{annotations: {{{key}: {change}}}}}") == [
            f"metadata.annotations[{key}]: Forbidden: may not remove or update {what}"
        ]


# -- status ----------------------------------------------------------------------------------------------------------

ENDED = "containerStatuses: [{name: a, state: {terminated: {exitCode: %s}}}]"
RUNS = "containerStatuses: [{name: a, state: {running: {}}}]"
BACK = "Forbidden: may not be transitioned to non-terminated state"
STATUS = [
    ("{}", "{}", "conditions: [{type: 'a b', status: 'True', observedGeneration: -1}]", [
        "status.conditions[0].observedGeneration: Invalid value: -1: must be a non-negative integer",
        "status.conditions[0].Type: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or "
        "'.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
        "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ]),
    ("{}", "{}", "observedGeneration: -1", [
        "status.observedGeneration: Invalid value: -1: must be a non-negative integer"
    ]),
    ("{}", "qosClass: Burstable", "qosClass: Guaranteed", [
        'status.qosClass: Invalid value: "Guaranteed": field is immutable'
    ]),
    ("nodeName: node", "{}", "nominatedNodeName: other", [
        "status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node"
    ]),
    ("{}", "{}", "podIPs: [{ip: x}]", [
        'status.podIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
    ]),
    ("{}", "{}", "podIPs: [{ip: 10.0.0.1}, {ip: 10.0.0.2}]", [
        'status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: may specify no more than one IP for each IP '
        "family"
    ]),
    ("{}", "{}", "podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]", []),
    ("{}", "{}", "{hostIP: 10.0.0.1, hostIPs: [{ip: 10.0.0.2}]}", [
        'status.hostIPs[0].ip: Invalid value: "10.0.0.2": must be equal to `hostIP`'
    ]),
    ("restartPolicy: Never", ENDED % 0, RUNS, [f"status.containerStatuses[0].state: {BACK}"]),
    ("restartPolicy: OnFailure", ENDED % 0, RUNS, [f"status.containerStatuses[0].state: {BACK}"]),
    ("restartPolicy: OnFailure", ENDED % 1, RUNS, []),
    ("restartPolicy: Always", ENDED % 0, RUNS, []),
    ("containers: [{name: a, image: b, restartPolicy: Never}]", ENDED % 1, RUNS, [
        f"status.containerStatuses[0].state: {BACK}"
    ]),
    (
        "containers: [{name: a, image: b, restartPolicy: Never, restartPolicyRules: "
        "[{action: Restart, exitCodes: {operator: In, values: [42]}}]}]",
        ENDED % 42,
        RUNS,
        [],
    ),
    (
        "{restartPolicy: Never, initContainers: [{name: i, image: b, restartPolicy: Always}]}",
        "initContainerStatuses: [{name: i, state: {terminated: {exitCode: 1}}}]",
        "initContainerStatuses: [{name: i, state: {running: {}}}]",
        [],
    ),
    (
        "{}",
        "ephemeralContainerStatuses: [{name: e, state: {terminated: {exitCode: 1}}}]",
        "ephemeralContainerStatuses: [{name: e, state: {running: {}}}]",
        [f"status.ephemeralContainerStatuses[0].state: {BACK}"],
    ),
    ("{}", "{}", "resourceClaimStatuses: [{name: x}]", [
        'status.resourceClaimStatuses[0].name: Invalid value: "x": must match the name of an entry in '
        "`spec.resourceClaims`"
    ]),
    ("{}", "{}", "containerStatuses: [{name: a, user: {linux: {uid: -1, gid: 0, supplementalGroups: [-2]}}}]", [
        "status.containerStatuses[0].user.linux.uid: Invalid value: -1: must be between 0 and 2147483647, inclusive",
        "status.containerStatuses[0].user.linux.supplementalGroups[0]: Invalid value: -2: must be between 0 and "
        "2147483647, inclusive",
    ]),
    ("os: {name: windows}", "{}", "containerStatuses: [{name: a, user: {linux: {uid: 1, gid: 0}}}]", [
        "status.containerStatuses[0].user.linux: Forbidden: cannot be set for a windows pod"
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "before", "after", "said"), STATUS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_a_status(spec: str, before: str, after: str, said: list[str]) -> None:
    def status(text: str) -> str:
        return f"status: {text if text.startswith('{') else f'{{{text}}}'}"

    base = codecs.encode(build(v1.Pod, _with_spec(spec), status(before))).decode()
    assert update_faults(v1.Pod, base, status(after), "status") == said


# -- /resize ---------------------------------------------------------------------------------------------------------

BURSTABLE = "containers: [{name: a, image: b, resources: {requests: {cpu: 1}, limits: {cpu: 2}}}]"
RESIZE = [
    (BURSTABLE, "containers: [{name: a, image: b, resources: {requests: {cpu: 2}, limits: {cpu: 3}}}]", []),
    (BURSTABLE, "containers: [{name: a, image: b, resources: {requests: {cpu: 3}, limits: {cpu: 2}}}]", [
        'spec.containers[0].resources.requests: Invalid value: "3": must be less than or equal to cpu limit of 2'
    ]),
    (BURSTABLE, "containers: [{name: a, image: b, resources: {requests: {cpu: 1}}}]", [
        "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed"
    ]),
    ("{}", "containers: [{name: a, image: b, resources: {requests: {cpu: 1}}}]", [
        'spec: Invalid value: "": Pod QOS Class may not change as a result of resizing'
    ]),
    (
        BURSTABLE,
        "containers: [{name: a, image: b, resources: {requests: {cpu: 1, ephemeral-storage: 1}, limits: {cpu: 2}}}]",
        ["spec: Forbidden: only cpu and memory resources are mutable"],
    ),
    (BURSTABLE, "containers: [{name: z, image: b, resources: {requests: {cpu: 1}, limits: {cpu: 2}}}]", [
        "spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize"
    ]),
    (
        f"{BURSTABLE}, initContainers: [{{name: i, image: b}}]",
        "initContainers: [{name: i, image: b, resources: {requests: {cpu: 1}}}]",
        ["spec: Forbidden: resources for non-sidecar init containers are immutable"],
    ),
    (
        f"{BURSTABLE}, initContainers: [{{name: i, image: b, restartPolicy: Always}}]",
        "initContainers: [{name: i, image: b, restartPolicy: Always, resources: {requests: {cpu: 1}}}]",
        [],
    ),
    (f"{BURSTABLE}, os: {{name: windows}}", "{}", [": Forbidden: windows pods cannot be resized"]),
    (f"{BURSTABLE}, resources: {{requests: {{cpu: 5}}}}", "{}", [
        ": Forbidden: resize of pods with pod-level resources is forbidden when "
        "InPlacePodLevelResourcesVerticalScalingEnabled feature gate is disabled"
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), RESIZE, ids=lambda value: str(value)[:60])
def test_what_is_said_of_a_resize(before: str, after: str, said: list[str]) -> None:
    body = after if after.startswith("{") else f"{{{after}}}"
    assert update_faults(v1.Pod, _with_spec(before), f"spec: {body}", "resize") == said


def test_a_resize_needs_a_node_that_can() -> None:
    status = "status: {containerStatuses: [{name: a, state: {running: {}}}]}"
    base = codecs.encode(build(v1.Pod, _with_spec(BURSTABLE), status)).decode()
    assert update_faults(v1.Pod, base, "{}", "resize") == [
        "spec: Forbidden: Pod running on node without support for resize"
    ]


# -- /ephemeralcontainers --------------------------------------------------------------------------------------------

NOT_EPHEMERAL = "Forbidden: cannot be set for an Ephemeral Container"
EPHEMERAL = [
    ("{name: e, image: b}", []),
    ("{name: e, image: b, targetContainerName: a}", []),
    ("{name: e, image: b, targetContainerName: z}", ['targetContainerName: Not found: "z"']),
    ("{name: a, image: b}", ['name: Duplicate value: "a"']),
    ("{name: e, image: ' b'}", ['image: Invalid value: " b": must not have leading or trailing whitespace']),
    *((f"{{name: e, image: b, {member}}}", [f"{name}: {NOT_EPHEMERAL}"]) for member, name in (
        ("ports: [{containerPort: 1}]", "ports"),
        ("livenessProbe: {tcpSocket: {port: 1}}", "livenessProbe"),
        ("readinessProbe: {tcpSocket: {port: 1}}", "readinessProbe"),
        ("startupProbe: {tcpSocket: {port: 1}}", "startupProbe"),
        ("lifecycle: {preStop: {sleep: {seconds: 1}}}", "lifecycle"),
        ("resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}]", "resizePolicy"),
        ("restartPolicy: Always", "restartPolicy"),
        ("resources: {requests: {cpu: 1}}", "resources"),
        ("volumeMounts: [{name: v, mountPath: /x, subPath: a}]", "volumeMounts[0].subPath"),
        ("volumeMounts: [{name: v, mountPath: /x, subPathExpr: a}]", "volumeMounts[0].subPathExpr"),
    )),
]  # fmt: skip


@pytest.mark.parametrize(("container", "said"), EPHEMERAL, ids=lambda value: str(value)[:60])
def test_what_is_said_of_ephemeral_containers(container: str, said: list[str]) -> None:
    base = _with_spec("volumes: [{name: v, emptyDir: {}}]")
    found = update_faults(v1.Pod, base, f"spec: {{ephemeralContainers: [{container}]}}", "ephemeralcontainers")
    assert [fault.removeprefix("spec.ephemeralContainers[0].") for fault in found] == said


def test_ephemeral_containers_stay_as_they_are() -> None:
    old = build(v1.Pod, _with_spec("{}"))
    old.spec.ephemeral_containers = [v1.EphemeralContainer(name="e", image="b")]
    path = "spec.ephemeralContainers: Forbidden: existing ephemeral containers"
    for change, end in (([], "removed"), ([v1.EphemeralContainer(name="e", image="c")], "changed")):
        new = codecs.copy(old)
        new.spec.ephemeral_containers = change
        for each in change:
            each.image_pull_policy, each.termination_message_policy = "Always", "File"
        (fault,) = validate_update(new, old, "ephemeralcontainers")
        assert str(fault).partition("\n")[0] == f'{path} "e" may not be {end}'


def test_samples_merge() -> None:
    assert merged(load_yaml("{a: {b: 1, c: 2}}"), load_yaml("{a: {b: null, d: 3}}")) == {"a": {"c": 2, "d": 3}}
