"""One row for each rule of containers: what is changed of a valid one, and what is said."""

from __future__ import annotations

import pytest

from steersman.api.types import core_v1 as v1

from .grammars import LABEL, SUBDOMAIN
from .samples import POD, faults, relative

CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
ENV_NAME = (
    "a valid environment variable name must consist only of printable ASCII characters other than '=' (regex used for "
    "validation is '^[ -<>-~]+$')"
)
ONE_HANDLER = "Forbidden: may not specify more than 1 handler type"
SIZES = "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the"
SIGNALS = ", ".join(
    f'"SIG{name}"'
    for name in (
        *[
            "ABRT",
            "ALRM",
            "BUS",
            "CHLD",
            "CLD",
            "CONT",
            "FPE",
            "HUP",
            "ILL",
            "INT",
            "IO",
            "IOT",
            "KILL",
            "PIPE",
            "POLL",
            "PROF",
            "PWR",
            "QUIT",
            "RTMAX",
            "RTMAX-1",
        ],
        *(f"RTMAX-{number}" for number in (10, 11, 12, 13, 14, 2, 3, 4, 5, 6, 7, 8, 9)),
        "RTMIN",
        *(f"RTMIN+{number}" for number in (1, 10, 11, 12, 13, 14, 15, 2, 3, 4, 5, 6, 7, 8, 9)),
        *[
            "SEGV",
            "STKFLT",
            "STOP",
            "SYS",
            "TERM",
            "TRAP",
            "TSTP",
            "TTIN",
            "TTOU",
            "URG",
            "USR1",
            "USR2",
            "VTALRM",
            "WINCH",
            "XCPU",
            "XFSZ",
        ],
    )
)

NAMES_AND_IMAGES = [
    ("name: ''", ["name: Required value"]),
    ("name: A", [f'name: Invalid value: "A": {LABEL}']),
    ("name: a.b", ['name: Invalid value: "a.b": must not contain dots']),
    ("image: ''", ["image: Required value"]),
    ("image: ' b'", ['image: Invalid value: " b": must not have leading or trailing whitespace']),
    (
        "imagePullPolicy: Often",
        ['imagePullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"'],
    ),
    (
        "terminationMessagePolicy: Shout",
        ['terminationMessagePolicy: Unsupported value: "Shout": supported values: "File", "FallbackToLogsOnError"'],
    ),
]
PORTS = [
    ("ports: [{containerPort: 0}]", ["ports[0].containerPort: Required value"]),
    (
        "ports: [{containerPort: 65536}]",
        ["ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive"],
    ),
    (
        "ports: [{containerPort: 1, hostPort: -1}]",
        ["ports[0].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive"],
    ),
    (
        "ports: [{containerPort: 1, protocol: ICMP}]",
        ['ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
    ),
    (
        "ports: [{containerPort: 1, name: sixteen-letters-}]",
        [
            'ports[0].name: Invalid value: "sixteen-letters-": must be no more than 15 characters',
            'ports[0].name: Invalid value: "sixteen-letters-": must not begin or end with a hyphen',
        ],
    ),
    (
        "ports: [{containerPort: 1, name: '80'}]",
        ['ports[0].name: Invalid value: "80": must contain at least one letter (a-z)'],
    ),
    (
        "ports: [{containerPort: 1, name: a--b}]",
        ['ports[0].name: Invalid value: "a--b": must not contain consecutive hyphens'],
    ),
    (
        "ports: [{containerPort: 1, name: A1a}]",
        ['ports[0].name: Invalid value: "A1a": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'],
    ),
    (
        "ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]",
        ['ports[1].name: Duplicate value: "a"'],
    ),
    (
        "ports: [{containerPort: 1, hostPort: 80}, {containerPort: 2, hostPort: 80}]",
        ['ports[1].hostPort: Duplicate value: "TCP//80"'],
    ),
    ("ports: [{containerPort: 1, hostPort: 80}, {containerPort: 2, hostPort: 80, protocol: UDP}]", []),
]
ENVIRONMENT = [
    ("env: [{name: ''}]", ["env[0].name: Required value"]),
    ("env: [{name: a=b}]", [f'env[0].name: Invalid value: "a=b": {ENV_NAME}']),
    ("env: [{name: 'a b/c'}]", []),
    (
        "env: [{name: a, valueFrom: {}}]",
        [
            'env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, '
            "`configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        ],
    ),
    (
        "env: [{name: a, value: b, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]",
        ['env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ),
    (
        "env: [{name: a, valueFrom: {fieldRef: {fieldPath: metadata.name}, secretKeyRef: {name: s, key: k}}}]",
        ['env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time'],
    ),
    (
        "env: [{name: a, valueFrom: {fieldRef: {fieldPath: ''}}}]",
        ["env[0].valueFrom.fieldRef.fieldPath: Required value"],
    ),
    (
        "env: [{name: a, valueFrom: {fieldRef: {fieldPath: metadata.whoops}}}]",
        [
            'env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.whoops": error converting fieldPath: field '
            "label not supported: metadata.whoops"
        ],
    ),
    (
        "env: [{name: a, valueFrom: {fieldRef: {fieldPath: metadata.name, apiVersion: v2}}}]",
        [
            'env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.name": error converting fieldPath: '
            "unsupported pod version: v2"
        ],
    ),
    (
        "env: [{name: a, valueFrom: {fieldRef: {fieldPath: metadata.labels}}}]",
        [
            'env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: '
            '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
            '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
        ],
    ),
    ("env: [{name: a, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['x']\"}}}]", []),
    (
        "env: [{name: a, valueFrom: {fieldRef: {fieldPath: \"metadata.annotations['/x']\"}}}]",
        ['env[0].valueFrom.fieldRef: Invalid value: "/x": prefix part must be non-empty'],
    ),
    (
        "env: [{name: a, valueFrom: {resourceFieldRef: {resource: ''}}}]",
        ["env[0].valueFrom.resourceFieldRef.resource: Required value"],
    ),
    (
        "env: [{name: a, valueFrom: {resourceFieldRef: {resource: limits.disk}}}]",
        [
            'env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.disk": supported values: '
            '"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", '
            '"requests.ephemeral-storage", "requests.memory"'
        ],
    ),
    ("env: [{name: a, valueFrom: {resourceFieldRef: {resource: requests.hugepages-2Mi, divisor: 1Mi}}}]", []),
    (
        "env: [{name: a, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 10m}}}]",
        [
            'env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m and 1 '
            "are supported with the cpu resource"
        ],
    ),
    (
        "env: [{name: a, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 2}}}]",
        [f'env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.memory": {SIZES} memory resource'],
    ),
    (
        "env: [{name: a, valueFrom: {resourceFieldRef: {resource: limits.ephemeral-storage, divisor: 2}}}]",
        [
            'env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.ephemeral-storage": '
            f"{SIZES} local ephemeral storage resource"
        ],
    ),
    (
        "env: [{name: a, valueFrom: {resourceFieldRef: {resource: limits.hugepages-2Mi, divisor: 2}}}]",
        [
            'env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.hugepages-2Mi": '
            f"{SIZES} hugepages resource"
        ],
    ),
    (
        "env: [{name: a, valueFrom: {configMapKeyRef: {name: '', key: ''}}}]",
        [
            f'env[0].valueFrom.configMapKeyRef.name: Invalid value: "": {SUBDOMAIN}',
            "env[0].valueFrom.configMapKeyRef.key: Required value",
        ],
    ),
    (
        "env: [{name: a, valueFrom: {secretKeyRef: {name: s, key: 'a b'}}}]",
        [f'env[0].valueFrom.secretKeyRef.key: Invalid value: "a b": {CONFIG_KEY}'],
    ),
    (
        "env: [{name: a, valueFrom: {fileKeyRef: {key: K, volumeName: none, path: ../x}}}]",
        [
            "env[0].valueFrom.fileKeyRef.path: Invalid value: \"../x\": must not contain '..'",
            'env[0].valueFrom.fileKeyRef.volumeName: Not found: "none"',
        ],
    ),
    (
        "env: [{name: a, valueFrom: {fileKeyRef: {}}}]",
        [
            "env[0].valueFrom.fileKeyRef.key: Required value",
            "env[0].valueFrom.fileKeyRef.volumeName: Required value",
            "env[0].valueFrom.fileKeyRef.path: Required value",
            'env[0].valueFrom.fileKeyRef.volumeName: Not found: ""',
        ],
    ),
    ("envFrom: [{}]", ['envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`']),
    (
        "envFrom: [{configMapRef: {name: a}, secretRef: {name: a}}]",
        ['envFrom: Invalid value: "": may not have more than one field specified at a time'],
    ),
    ("envFrom: [{configMapRef: {}}]", ["envFrom[0].configMapRef.name: Required value"]),
    ("envFrom: [{secretRef: {name: A}}]", [f'envFrom[0].secretRef.name: Invalid value: "A": {SUBDOMAIN}']),
    (
        "envFrom: [{prefix: a=, secretRef: {name: a}}]",
        [f'envFrom[0].prefix: Invalid value: "a=": {ENV_NAME}'],
    ),
]
PROBES = [
    ("livenessProbe: {}", ["livenessProbe: Required value: must specify a handler type"]),
    (
        "livenessProbe: {exec: {command: [a]}, tcpSocket: {port: 1}, grpc: {port: 1}}",
        [f"livenessProbe.tcpSocket: {ONE_HANDLER}", f"livenessProbe.grpc: {ONE_HANDLER}"],
    ),
    ("livenessProbe: {exec: {}}", ["livenessProbe.exec.command: Required value"]),
    (
        "livenessProbe: {httpGet: {port: 0, scheme: FTP}}",
        [
            "livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
            'livenessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"',
        ],
    ),
    (
        "livenessProbe: {httpGet: {port: http, httpHeaders: [{name: 'X Y', value: z}]}}",
        [
            'livenessProbe.httpGet.httpHeaders: Invalid value: "X Y": a valid HTTP header must consist of '
            "alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"
        ],
    ),
    (
        "livenessProbe: {tcpSocket: {port: '80'}}",
        ['livenessProbe.tcpSocket.port: Invalid value: "80": must contain at least one letter (a-z)'],
    ),
    (
        "livenessProbe: {grpc: {port: 70000}}",
        ["livenessProbe.grpc.port: Invalid value: 70000: must be between 1 and 65535, inclusive"],
    ),
    *(
        (
            f"readinessProbe: {{tcpSocket: {{port: 1}}, {name}: -1}}",
            [f"readinessProbe.{name}: Invalid value: -1: must be greater than or equal to 0"],
        )
        for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
    ),
    (
        "livenessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 0}",
        ["livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0"],
    ),
    (
        "livenessProbe: {tcpSocket: {port: 1}, successThreshold: 2}",
        ["livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    (
        "startupProbe: {tcpSocket: {port: 1}, successThreshold: 2}",
        ["startupProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    ("readinessProbe: {tcpSocket: {port: 1}, successThreshold: 2}", []),
    (
        "readinessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 5}",
        ["readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes"],
    ),
    ("lifecycle: {preStop: {}}", ["lifecycle.preStop: Required value: must specify a handler type"]),
    ("lifecycle: {postStart: {exec: {}}}", ["lifecycle.postStart.exec.command: Required value"]),
    (
        "lifecycle: {preStop: {sleep: {seconds: 31}}}",
        [
            "lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than "
            "terminationGracePeriodSeconds (30)"
        ],
    ),
    ("lifecycle: {preStop: {sleep: {seconds: 0}}}", []),
    (
        "lifecycle: {stopSignal: SIGTERM}",
        ["lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`"],
    ),
]
RESTARTS = [
    (
        "restartPolicy: Sometimes",
        ['restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
    ),
    (
        "restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]",
        ["restartPolicy: Required value: must specify restartPolicy when restart rules are used"],
    ),
    (
        "{restartPolicy: Never, restartPolicyRules: [{action: RestartAllContainers}]}",
        [
            'restartPolicyRules[0].action: Unsupported value: "RestartAllContainers": supported values: "Restart"',
            "restartPolicyRules[0].exitCodes: Required value: must be specified",
        ],
    ),
    (
        "{restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: Near}}]}",
        ['restartPolicyRules[0].exitCodes.operator: Unsupported value: "Near": supported values: "In", "NotIn"'],
    ),
    (
        "{restartPolicy: Never, restartPolicyRules: ["
        + ", ".join(["{action: Restart, exitCodes: {operator: In, values: [1]}}"] * 21)
        + "]}",
        ["restartPolicyRules: Too many: 21: must have at most 20 items"],
    ),
    (
        "{restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: "
        + str(list(range(256)))
        + "}}]}",
        ["restartPolicyRules[0].exitCodes.values: Too many: 256: must have at most 255 items"],
    ),
    (
        "resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}, {resourceName: cpu, restartPolicy: ''}]",
        ['resizePolicy[1]: Duplicate value: "cpu"', "resizePolicy: Required value"],
    ),
    (
        "resizePolicy: [{resourceName: disk, restartPolicy: Maybe}]",
        [
            'resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"',
            'resizePolicy: Unsupported value: "Maybe": supported values: "NotRequired", "RestartContainer"',
        ],
    ),
]


@pytest.mark.parametrize(
    ("change", "said"), [*NAMES_AND_IMAGES, *PORTS, *ENVIRONMENT, *PROBES, *RESTARTS], ids=lambda value: str(value)[:60]
)
def test_what_is_said_of_a_container(change: str, said: list[str]) -> None:
    body = change if change.startswith("{") else f"{{{change}}}"
    base = POD.replace("containers: [{name: a, image: b}]", "containers: []")
    entries = body[1:-1]
    given = {entry.split(":")[0].strip() for entry in (entries,)}
    defaults = "".join(f"{key}: {value}, " for key, value in (("name", "a"), ("image", "b")) if key not in given)
    found = faults(v1.Pod, base, f"spec: {{containers: [{{{defaults}{entries}}}]}}")
    assert relative(found, "spec.containers[0].") == said


MOUNT = "spec: {volumes: [{name: v, emptyDir: {}}, {name: p, persistentVolumeClaim: {claimName: c}}], containers: [%s]}"
MOUNTS = [
    (
        "volumeMounts: [{name: '', mountPath: /x}]",
        ["volumeMounts[0].name: Required value", 'volumeMounts[0].name: Not found: ""'],
    ),
    ("volumeMounts: [{name: w, mountPath: /x}]", ['volumeMounts[0].name: Not found: "w"']),
    ("volumeMounts: [{name: v, mountPath: ''}]", ["volumeMounts[0].mountPath: Required value"]),
    (
        "volumeMounts: [{name: v, mountPath: /x}, {name: v, mountPath: /x}]",
        ['volumeMounts[1].mountPath: Invalid value: "/x": must be unique'],
    ),
    (
        "volumeMounts: [{name: v, mountPath: /x, subPath: /y}]",
        ['volumeMounts.subPath: Invalid value: "/y": must be a relative path'],
    ),
    (
        "volumeMounts: [{name: v, mountPath: /x, subPath: a/../b}]",
        ["volumeMounts.subPath: Invalid value: \"a/../b\": must not contain '..'"],
    ),
    (
        "volumeMounts: [{name: v, mountPath: /x, subPath: a, subPathExpr: /b}]",
        [
            'volumeMounts[0].subPathExpr: Invalid value: "/b": subPathExpr and subPath are mutually exclusive',
            'volumeMounts.subPathExpr: Invalid value: "/b": must be a relative path',
        ],
    ),
    (
        "volumeMounts: [{name: v, mountPath: /x, mountPropagation: Upwards}]",
        [
            'volumeMounts.mountPropagation: Unsupported value: "Upwards": supported values: "Bidirectional", '
            '"HostToContainer", "None"'
        ],
    ),
    (
        "volumeMounts: [{name: v, mountPath: /x, mountPropagation: Bidirectional}]",
        [
            "volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to "
            "privileged containers"
        ],
    ),
    (
        "{securityContext: {privileged: true}, "
        "volumeMounts: [{name: v, mountPath: /x, mountPropagation: Bidirectional}]}",
        [],
    ),
    (
        "volumeMounts: [{name: v, mountPath: /x, recursiveReadOnly: Enabled, mountPropagation: HostToContainer}]",
        [
            "volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true",
            "volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not "
            "specified",
        ],
    ),
    (
        "volumeMounts: [{name: v, mountPath: /x, recursiveReadOnly: Often}]",
        [
            'volumeMounts.recursiveReadOnly: Unsupported value: "Often": supported values: "Disabled", "Enabled", '
            '"IfPossible"'
        ],
    ),
    (
        "{volumeMounts: [{name: p, mountPath: /x}], volumeDevices: [{name: p, devicePath: /x}]}",
        [
            'volumeMounts[0].name: Invalid value: "p": must not already exist in volumeDevices',
            'volumeMounts[0].mountPath: Invalid value: "/x": must not already exist as a path in volumeDevices',
            'volumeDevices[0].name: Invalid value: "p": must not already exist in volumeMounts',
            'volumeDevices[0].devicePath: Invalid value: "/x": must not already exist as a path in volumeMounts',
        ],
    ),
    (
        "volumeDevices: [{name: v, devicePath: /dev/x}]",
        [
            'volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or '
            "Ephemeral for block mode"
        ],
    ),
    ("volumeDevices: [{name: w, devicePath: /dev/x}]", ['volumeDevices[0].name: Not found: "w"']),
    (
        "volumeDevices: [{name: '', devicePath: ''}]",
        [
            "volumeDevices[0].name: Required value",
            'volumeDevices[0].name: Not found: ""',
            "volumeDevices[0].devicePath: Required value",
        ],
    ),
    (
        "volumeDevices: [{name: p, devicePath: /dev/../x}]",
        ["volumeDevices[0].devicePath: Invalid value: \"/dev/../x\": can not contain backsteps ('..')"],
    ),
    (
        "volumeDevices: [{name: p, devicePath: /dev/x}, {name: p, devicePath: /dev/x}]",
        [
            'volumeDevices[1].name: Invalid value: "p": must be unique',
            'volumeDevices[1].devicePath: Invalid value: "/dev/x": must be unique',
        ],
    ),
]


@pytest.mark.parametrize(("change", "said"), MOUNTS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_mounts(change: str, said: list[str]) -> None:
    entries = change[1:-1] if change.startswith("{") else change
    found = faults(v1.Pod, POD, MOUNT % f"{{name: a, image: b, {entries}}}")
    assert relative(found, "spec.containers[0].") == said


OTHERS = [
    ("containers: []", ["containers: Required value"]),
    (
        "containers: [{name: a, image: b}, {name: a, image: b}]",
        ['containers[1].name: Duplicate value: "a"'],
    ),
    (
        "containers: [{name: a, image: b, ports: [{containerPort: 1, hostPort: 2}]}, "
        "{name: c, image: b, ports: [{containerPort: 3, hostPort: 2}]}]",
        ['containers[1].ports[0].hostPort: Duplicate value: "TCP//2"'],
    ),
    ("initContainers: [{name: a, image: b}]", ['initContainers[0].name: Duplicate value: "a"']),
    (
        "initContainers: [{name: i, image: b, lifecycle: {preStop: {sleep: {seconds: 1}}}, "
        "livenessProbe: {tcpSocket: {port: 1}}, readinessProbe: {tcpSocket: {port: 1}}, "
        "startupProbe: {tcpSocket: {port: 1}}}]",
        [
            f"initContainers[0].{name}: Forbidden: may not be set for init containers without restartPolicy=Always"
            for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
        ],
    ),
    (
        "initContainers: [{name: i, image: b, restartPolicy: Always, livenessProbe: {tcpSocket: {port: 0}}}]",
        [
            "initContainers[0].livenessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ],
    ),
    (
        "initContainers: [{name: i, image: b, restartPolicy: Always, "
        "restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]}]",
        [
            "initContainers[0].restartPolicyRules: Forbidden: restartPolicyRules are not allowed for init containers "
            "with restart policy Always"
        ],
    ),
    (
        "initContainers: [{name: i, image: b, restartPolicyRules: [{action: Restart, "
        "exitCodes: {operator: In, values: [1]}}]}]",
        ["initContainers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used"],
    ),
    (
        "{restartPolicy: Never, containers: [{name: a, image: b, "
        "resizePolicy: [{resourceName: cpu, restartPolicy: RestartContainer}]}]}",
        [
            "containers[0].resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when pod "
            "`restartPolicy` is 'Never'"
        ],
    ),
    (
        "{os: {name: linux}, containers: [{name: a, image: b, lifecycle: {stopSignal: SIGWHAT}}]}",
        [f'containers[0].lifecycle.stopSignal: Unsupported value: "SIGWHAT": supported values: {SIGNALS}'],
    ),
    (
        "{os: {name: windows}, containers: [{name: a, image: b, lifecycle: {stopSignal: SIGHUP}}]}",
        ['containers[0].lifecycle.stopSignal: Unsupported value: "SIGHUP": supported values: "SIGKILL", "SIGTERM"'],
    ),
    (
        "{volumes: [{name: v, configMap: {name: c}}], containers: [{name: a, image: b, "
        "env: [{name: a, valueFrom: {fileKeyRef: {key: K, volumeName: v, path: x}}}]}]}",
        [
            'containers[0].env[0].valueFrom.fileKeyRef.volumeName: Invalid value: "v": referenced volume must be of '
            "type emptyDir"
        ],
    ),
    ("ephemeralContainers: [{name: e, image: b}]", ["ephemeralContainers: Forbidden: cannot be set on create"]),
]


@pytest.mark.parametrize(("change", "said"), OTHERS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_containers_together(change: str, said: list[str]) -> None:
    spec = change if change.startswith("{") else f"{{{change}}}"
    assert relative(faults(v1.Pod, POD, f"spec: {spec}"), "spec.") == said
