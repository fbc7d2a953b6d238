"""One row for each rule of pod specs that is not a container's or a volume's."""

from __future__ import annotations

import pytest

from steersman.api.types import core_v1 as v1

from .grammars import LABEL, LABEL_VALUE, QUALIFIED, SUBDOMAIN
from .samples import POD, faults, relative

IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
ID = "must be between 0 and 2147483647, inclusive"
WINDOWS = "Forbidden: cannot be set for a windows pod"
LONG_SEARCHES = ", ".join(["a" * 63] * 33)
SHOWN_SEARCHES = ",".join(['"' + "a" * 63 + '"'] * 33)

PLAIN = [
    ("restartPolicy: Sometimes", [
        'restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'
    ]),
    ("dnsPolicy: Mine", [
        'dnsPolicy: Unsupported value: "Mine": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", '
        '"None"'
    ]),
    ("preemptionPolicy: Perhaps", [
        'preemptionPolicy: Unsupported value: "Perhaps": supported values: "PreemptLowerPriority", "Never"'
    ]),
    ("nodeSelector: {'': x}", ['nodeSelector: Invalid value: "": name part must be non-empty',
                               f'nodeSelector: Invalid value: "": {QUALIFIED}']),
    ("nodeSelector: {a: '-'}", [f'nodeSelector: Invalid value: "-": {LABEL_VALUE}']),
    *((f"{name}: A", [f'{name}: Invalid value: "A": {SUBDOMAIN}']) for name in (
        "serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName",
    )),
    *((f"{name}: A", [f'{name}: Invalid value: "A": {LABEL}']) for name in ("hostname", "subdomain")),
    ("activeDeadlineSeconds: 0", [
        "activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"
    ]),
    ("activeDeadlineSeconds: 2147483648", [
        "activeDeadlineSeconds: Invalid value: 2147483648: must be between 1 and 2147483647, inclusive"
    ]),
    ("terminationGracePeriodSeconds: -1", []),
    ("hostAliases: [{ip: x, hostnames: [A]}]", [
        f'hostAliases[0].ip: Invalid value: "x": {IP}',
        f'hostAliases[0].hostnames[0]: Invalid value: "A": {SUBDOMAIN}',
    ]),
    ("hostAliases: [{ip: 010.1.1.1, hostnames: [a]}]", []),
    ("readinessGates: [{conditionType: a/b/c}]", [
        'readinessGates[0].conditionType: Invalid value: "a/b/c": a qualified name must consist of alphanumeric '
        "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
        "'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an "
        "optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
    ]),
    ("schedulingGates: [{name: a}, {name: a}]", ['schedulingGates[1]: Duplicate value: "a"']),
    ("schedulingGates: [{name: '-'}]", [f'schedulingGates[0]: Invalid value: "-": {QUALIFIED}']),
    ("{schedulingGates: [{name: a}], nodeName: node}", [
        "nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"
    ]),
    ("{hostNetwork: true, containers: [{name: a, image: b, ports: [{containerPort: 1, hostPort: 2}]}]}", [
        "containers[0].ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true"
    ]),
    ("overhead: {cpu: -1}", [
        'overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0'
    ]),
    ("{serviceAccountName: null, volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}]}", [
        "volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName "
        "is not set"
    ]),
    ("{hostnameOverride: a, setHostnameAsFQDN: true, hostNetwork: true}", [
        "hostnameOverride: Forbidden: may not be specified when setHostnameAsFQDN is true",
        "hostnameOverride: Forbidden: may not be specified when hostNetwork is true",
    ]),
    (f"hostnameOverride: {'a' * 65}", ["hostnameOverride: Too long: may not be more than 64 bytes"]),
    ("hostnameOverride: A", [f'hostnameOverride: Invalid value: "A": {SUBDOMAIN}']),
]  # fmt: skip
DNS = [
    ("dnsPolicy: None", ["dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]),
    ("{dnsPolicy: None, dnsConfig: {searches: [a]}}", [
        "dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None"
    ]),
    ("dnsConfig: {nameservers: [1.1.1.1, 1.1.1.2, 1.1.1.3, x]}", [
        'dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.2","1.1.1.3","x"]: must not have more than 3 nameservers',
        f'dnsConfig.nameservers[3]: Invalid value: "x": {IP}',
    ]),
    (f"dnsConfig: {{searches: [{LONG_SEARCHES}]}}", [
        f"dnsConfig.searches: Invalid value: [{SHOWN_SEARCHES}]: must not have more "
        "than 32 search paths",
        f"dnsConfig.searches: Invalid value: [{SHOWN_SEARCHES}]: must not have more "
        "than 2048 characters (including spaces) in the search list",
    ]),
    ("dnsConfig: {searches: [., a_b.c., _srv.x]}", []),
    ("dnsConfig: {searches: [A]}", [f'dnsConfig.searches[0]: Invalid value: "A": {SUBDOMAIN}']),
    ("dnsConfig: {options: [{value: x}]}", ["dnsConfig.options[0]: Required value: must not be empty"]),
]  # fmt: skip
TOLERATIONS = [
    ("{value: x}", [
        'operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all '
        'keys"'
    ]),
    ("{key: '-'}", [f'key: Invalid value: "-": {QUALIFIED}']),
    ("{key: a, value: '-'}", [f'operator: Invalid value: "-": {LABEL_VALUE}']),
    ("{key: a, operator: Exists, value: x}", [
        "operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'"
    ]),
    ("{key: a, operator: Near}", ['operator: Unsupported value: "Near": supported values: "Equal", "Exists"']),
    ("{key: a, operator: Gt, value: '1'}", [
        'operator: Unsupported value: "Gt": supported values: "Equal", "Exists", "Lt", "Gt"'
    ]),
    ("{key: a, effect: Later}", [
        'effect: Unsupported value: "Later": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"'
    ]),
    ("{key: a, effect: NoSchedule, tolerationSeconds: 1}", [
        "effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when `tolerationSeconds` is set"
    ]),
    ("{operator: Exists}", []),
]  # fmt: skip
NODES = "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
SOFT_NODES = "nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"
AFFINITY = [
    ("nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}", [
        f"{NODES}.nodeSelectorTerms: Required value: must have at least one node selector term"
    ]),
    *((
        "nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: ["
        f"{expression}]}}]}}}}",
        [f"{NODES}.nodeSelectorTerms[0].matchExpressions[0].{fault}"],
    ) for expression, fault in (
        ("{key: a, operator: In}", "values: Required value: must be specified when `operator` is 'In' or 'NotIn'"),
        ("{key: a, operator: Exists, values: [x]}",
         "values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        ("{key: a, operator: Gt, values: ['1', '2']}",
         "values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'"),
        ("{key: a, operator: Near}", 'operator: Invalid value: "Near": not a valid selector operator'),
        ("{key: '-', operator: Exists}", f'key: Invalid value: "-": {QUALIFIED}'),
        ("{key: a, operator: In, values: ['-']}", f'values[0]: Invalid value: "-": {LABEL_VALUE}'),
    )),
    *((
        "nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: ["
        f"{expression}]}}]}}}}",
        [f"{NODES}.nodeSelectorTerms[0].matchFields[0].{fault}"],
    ) for expression, fault in (
        ("{key: metadata.name, operator: In, values: [a, b]}",
         "values: Required value: must be only one value when `operator` is 'In' or 'NotIn' for node field selector"),
        ("{key: metadata.name, operator: Exists}",
         'operator: Invalid value: "Exists": not a valid selector operator'),
        ("{key: spec.x, operator: In, values: [a]}", 'key: Invalid value: "spec.x": not a valid field selector key'),
        ("{key: metadata.name, operator: In, values: [A]}", f'values[0]: Invalid value: "A": {SUBDOMAIN}'),
    )),
    (
        "nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, preference: {matchExpressions: ["
        "{key: a, operator: In, values: ['-']}]}}]}",
        [f"{SOFT_NODES}[0].weight: Invalid value: 0: must be in the range 1-100"],
    ),
    *((
        f"{name}: {{requiredDuringSchedulingIgnoredDuringExecution: [{{topologyKey: '', namespaces: [A], "
        "labelSelector: {matchExpressions: [{key: a, operator: In}]}}]}",
        [f"{name}.requiredDuringSchedulingIgnoredDuringExecution[0].{fault}" for fault in (
            "labelSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or "
            "'NotIn'",
            f'namespace: Invalid value: "A": {LABEL}',
            "topologyKey: Required value: can not be empty",
            'topologyKey: Invalid value: "": name part must be non-empty',
            f'topologyKey: Invalid value: "": {QUALIFIED}',
        )],
    ) for name in ("podAffinity", "podAntiAffinity")),
    (
        "podAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, podAffinityTerm: "
        "{topologyKey: a, matchLabelKeys: [x], mismatchLabelKeys: [z]}}]}",
        [f"podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].{fault}" for fault in (
            "weight: Invalid value: 101: must be in the range 1-100",
            "podAffinityTerm.matchLabelKeys: Forbidden: must not be specified when labelSelector is not set",
            "podAffinityTerm.mismatchLabelKeys: Forbidden: must not be specified when labelSelector is not set",
        )],
    ),
    (
        "podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, matchLabelKeys: [x], "
        "mismatchLabelKeys: [x], labelSelector: {matchLabels: {x: b}, "
        "matchExpressions: [{key: x, operator: Exists}]}}]}",
        [f"podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]{fault}" for fault in (
            '[0]: Invalid value: "x": exists in both matchLabelKeys and labelSelector',
            '.matchLabelKeys[0]: Invalid value: "x": exists in both matchLabelKeys and mismatchLabelKeys',
        )],
    ),
]  # fmt: skip
SPREADING = [
    ("{maxSkew: 0, topologyKey: '', whenUnsatisfiable: Cry}", [
        "maxSkew: Invalid value: 0: must be greater than zero",
        "topologyKey: Required value: can not be empty",
        'whenUnsatisfiable: Unsupported value: "Cry": supported values: "DoNotSchedule", "ScheduleAnyway"',
    ]),
    ("{maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway, minDomains: 0}", [
        "minDomains: Invalid value: 0: must be greater than zero",
        "minDomains: Invalid value: 0: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
    ]),
    ("{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, nodeAffinityPolicy: X, nodeTaintsPolicy: Z}", [
        'nodeAffinityPolicy: Unsupported value: "X": supported values: "Honor", "Ignore"',
        'nodeTaintsPolicy: Unsupported value: "Z": supported values: "Honor", "Ignore"',
    ]),
    ("{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, matchLabelKeys: [x]}", [
        "matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"
    ]),
    ("{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {'-': a}}}", [
        f'labelSelector.matchLabels: Invalid value: "-": {QUALIFIED}'
    ]),
    (
        "{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule}, "
        "{maxSkew: 2, topologyKey: a, whenUnsatisfiable: DoNotSchedule}",
        ['{topologyKey, whenUnsatisfiable}: Duplicate value: "{a, DoNotSchedule}"'],
    ),
]  # fmt: skip
SECURITY = [
    *((f"securityContext: {{{name}: -1}}", [f"securityContext.{name}: Invalid value: -1: {ID}"]) for name in (
        "fsGroup", "runAsUser", "runAsGroup",
    )),
    ("securityContext: {supplementalGroups: [1, 2147483648]}", [
        f"securityContext.supplementalGroups[1]: Invalid value: 2147483648: {ID}"
    ]),
    ("{shareProcessNamespace: true, hostPID: true}", [
        "securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be "
        "enabled"
    ]),
    ("securityContext: {sysctls: [{name: '', value: x}]}", ["securityContext.sysctls[0].name: Required value"]),
    ("securityContext: {sysctls: [{name: a..b, value: x}]}", [
        'securityContext.sysctls[0].name: Invalid value: "a..b": must have at most 253 characters and match regex '
        "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
    ]),
    ("securityContext: {sysctls: [{name: a.b, value: x}, {name: a.b, value: z}]}", [
        'securityContext.sysctls[1].name: Duplicate value: "a.b"'
    ]),
    ("{hostNetwork: true, securityContext: {sysctls: [{name: net/ipv4/ip_forward, value: x}]}}", [
        'securityContext.sysctls[0].name: Invalid value: "net/ipv4/ip_forward": may not be specified when '
        "'hostNetwork' is true"
    ]),
    ("{hostIPC: true, securityContext: {sysctls: [{name: kernel.shmmax, value: x}]}}", [
        "securityContext.sysctls[0].name: Invalid value: \"kernel.shmmax\": may not be specified when 'hostIPC' is true"
    ]),
    ("securityContext: {fsGroupChangePolicy: Now}", [
        'securityContext.fsGroupChangePolicy: Unsupported value: "Now": supported values: "Always", "OnRootMismatch"'
    ]),
    ("securityContext: {supplementalGroupsPolicy: Lax}", [
        'securityContext.supplementalGroupsPolicy: Unsupported value: "Lax": supported values: "Merge", "Strict"'
    ]),
    ("securityContext: {seLinuxChangePolicy: MountOption}", [
        'securityContext.seLinuxChangePolicy: Unsupported value: "MountOption": supported values: "Recursive"'
    ]),
    ("securityContext: {seccompProfile: {}}", [
        "securityContext.seccompProfile.type: Required value: type is required when seccompProfile is set"
    ]),
    ("securityContext: {seccompProfile: {type: Odd}}", [
        'securityContext.seccompProfile.type: Unsupported value: "Odd": supported values: "Localhost", "RuntimeDefault", '
        '"Unconfined"'
    ]),
    ("securityContext: {seccompProfile: {type: Localhost}}", [
        "securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"
    ]),
    ("securityContext: {seccompProfile: {type: Localhost, localhostProfile: /x}}", [
        'securityContext.seccompProfile.localhostProfile: Invalid value: "/x": must be a relative path'
    ]),
    ("securityContext: {seccompProfile: {type: Unconfined, localhostProfile: x}}", [
        'securityContext.seccompProfile.localhostProfile: Invalid value: {"type":"Unconfined","localhostProfile":"x"}: '
        "can only be set when seccomp type is Localhost"
    ]),
    ("securityContext: {appArmorProfile: {}}", [
        "securityContext.appArmorProfile.type: Required value: type is required when appArmorProfile is set"
    ]),
    ("securityContext: {appArmorProfile: {type: Odd}}", [
        'securityContext.appArmorProfile.type: Unsupported value: "Odd": supported values: "Localhost", '
        '"RuntimeDefault", "Unconfined"'
    ]),
    ("securityContext: {appArmorProfile: {type: Localhost}}", [
        "securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost"
    ]),
    ("securityContext: {appArmorProfile: {type: Localhost, localhostProfile: ' x'}}", [
        'securityContext.appArmorProfile.localhostProfile: Invalid value: " x": must not be padded with whitespace'
    ]),
    (f"securityContext: {{appArmorProfile: {{type: Localhost, localhostProfile: {'x' * 4096}}}}}", [
        "securityContext.appArmorProfile.localhostProfile: Too long: may not be more than 4095 bytes"
    ]),
    ("securityContext: {appArmorProfile: {type: RuntimeDefault, localhostProfile: x}}", [
        'securityContext.appArmorProfile.localhostProfile: Invalid value: "x": can only be set when AppArmor type is '
        "Localhost"
    ]),
    ("{hostUsers: false, hostNetwork: true, hostPID: true, hostIPC: true}", [
        "hostNetwork: Forbidden: when `hostUsers` is false",
        "HostPID: Forbidden: when `hostUsers` is false",
        "HostIPC: Forbidden: when `hostUsers` is false",
    ]),
    (
        "{hostUsers: false, volumes: [{name: v, persistentVolumeClaim: {claimName: c}}], "
        "containers: [{name: a, image: b, volumeDevices: [{name: v, devicePath: /d}]}]}",
        ["containers[0].volumeDevices: Forbidden: when `hostUsers` is false"],
    ),
]  # fmt: skip
CONTAINER_SECURITY = [
    ("runAsUser: -1", [f"runAsUser: Invalid value: -1: {ID}"]),
    ("runAsGroup: 4294967296", [f"runAsGroup: Invalid value: 4294967296: {ID}"]),
    ("procMount: Bare", ['procMount: Unsupported value: "Bare": supported values: "Default", "Unmasked"']),
    ("procMount: Unmasked", ['procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`']),
    ("{allowPrivilegeEscalation: false, privileged: true}", [
        ': Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set `allowPrivilegeEscalation` to '
        "false and `privileged` to true"
    ]),
    ("{allowPrivilegeEscalation: false, capabilities: {add: [CAP_SYS_ADMIN]}}", [
        ': Invalid value: {"capabilities":{"add":["CAP_SYS_ADMIN"]},"allowPrivilegeEscalation":false}: cannot set '
        "`allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
    ]),
    ("seccompProfile: {type: Localhost}", [
        "seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"
    ]),
    ("appArmorProfile: {type: Odd}", [
        'appArmorProfile.type: Unsupported value: "Odd": supported values: "Localhost", "RuntimeDefault", "Unconfined"'
    ]),
    ("windowsOptions: {gmsaCredentialSpecName: A}", [
        f'windowsOptions.gmsaCredentialSpecName: Invalid value: "A": {SUBDOMAIN}'
    ]),
    *((f"windowsOptions: {{runAsUserName: '{name}'}}", [
        f'windowsOptions.runAsUserName: Invalid value: "{name.replace(chr(92), chr(92) * 2)}": {fault}'
    ]) for name, fault in (
        ("a\\b\\c", "runAsUserName cannot contain more than one backslash"),
        ("a b/c\\d", "runAsUserName's Domain doesn't match the NetBios nor the DNS format"),
        ("d\\", "runAsUserName's User cannot be empty"),
        ("u" * 105, "runAsUserName's User length must not be longer than 104 characters"),
        (". .", "runAsUserName's User cannot contain only periods or spaces"),
        ("a*b", 'runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]'),
    )),
]  # fmt: skip
SYSTEMS = [
    ("os: {name: ''}", ["os.name: Required value"]),
    ("os: {name: plan9}", ['os: Unsupported value: "plan9": supported values: "linux", "windows"']),
    (
        "{os: {name: linux}, securityContext: {windowsOptions: {hostProcess: false}}, "
        "containers: [{name: a, image: b, securityContext: {windowsOptions: {hostProcess: false}}}]}",
        [
            "securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod",
            "containers[0].securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod",
        ],
    ),
    (
        "{os: {name: windows}, hostUsers: true, hostPID: true, hostIPC: true, shareProcessNamespace: false, "
        "securityContext: {appArmorProfile: {type: Unconfined}, seLinuxOptions: {user: u}, "
        "seccompProfile: {type: Unconfined}, fsGroup: 0, fsGroupChangePolicy: Always, sysctls: [{name: a, value: b}], "
        "runAsUser: 0, runAsGroup: 0, supplementalGroups: [1], supplementalGroupsPolicy: Merge, "
        "seLinuxChangePolicy: Recursive}}",
        [
            *(f"securityContext.{name}: {WINDOWS}" for name in (
                "appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls",
                "runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy",
            )),
            *(f"{name}: {WINDOWS}" for name in ("hostUsers", "shareProcessNamespace", "hostPID", "hostIPC")),
        ],
    ),
    (
        "{os: {name: windows}, containers: [{name: a, image: b, securityContext: {appArmorProfile: {type: Unconfined}, "
        "seLinuxOptions: {user: u}, seccompProfile: {type: Unconfined}, capabilities: {add: [X]}, "
        "readOnlyRootFilesystem: false, privileged: false, allowPrivilegeEscalation: true, procMount: Default, "
        "runAsUser: 0, runAsGroup: 0}}]}",
        [f"containers[0].securityContext.{name}: {WINDOWS}" for name in (
            "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem",
            "privileged", "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
        )],
    ),
    (
        "{hostNetwork: true, securityContext: {windowsOptions: {hostProcess: true}}, "
        "containers: [{name: a, image: b, securityContext: {windowsOptions: {hostProcess: false}}}]}",
        [
            "containers[0].securityContext.windowsOptions.hostProcess: Invalid value: false: pod hostProcess value must "
            "be identical if both are specified, was true"
        ],
    ),
    (
        "{containers: [{name: a, image: b, securityContext: {windowsOptions: {hostProcess: true}}}, "
        "{name: c, image: b}]}",
        [
            ': Invalid value: "": If pod contains any hostProcess containers then all containers must be HostProcess '
            "containers",
            "hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers",
        ],
    ),
    ("{os: {name: windows}, resources: {requests: {cpu: 1}}}", [
        "resources: Forbidden: may not be set for a windows pod"
    ]),
]  # fmt: skip


def _spec(change: str) -> list[str]:
    spec = change if change.startswith("{") else f"{{{change}}}"
    return [fault.removeprefix("spec").removeprefix(".") for fault in faults(v1.Pod, POD, f"spec: {spec}")]


@pytest.mark.parametrize(("change", "said"), [*PLAIN, *DNS, *SECURITY, *SYSTEMS], ids=lambda value: str(value)[:60])
def test_what_is_said_of_a_spec(change: str, said: list[str]) -> None:
    assert _spec(change) == said


@pytest.mark.parametrize(("toleration", "said"), TOLERATIONS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_tolerations(toleration: str, said: list[str]) -> None:
    assert relative(_spec(f"tolerations: [{toleration}]"), "tolerations[0].") == said


@pytest.mark.parametrize(("affinity", "said"), AFFINITY, ids=lambda value: str(value)[:80])
def test_what_is_said_of_affinity(affinity: str, said: list[str]) -> None:
    assert relative(_spec(f"affinity: {{{affinity}}}"), "affinity.") == said


@pytest.mark.parametrize(("constraints", "said"), SPREADING, ids=lambda value: str(value)[:60])
def test_what_is_said_of_spreading(constraints: str, said: list[str]) -> None:
    assert relative(_spec(f"topologySpreadConstraints: [{constraints}]"), "topologySpreadConstraints[0].") == said


@pytest.mark.parametrize(("context", "said"), CONTAINER_SECURITY, ids=lambda value: str(value)[:60])
def test_what_is_said_of_a_containers_security(context: str, said: list[str]) -> None:
    body = context if context.startswith("{") else f"{{{context}}}"
    found = _spec(f"containers: [{{name: a, image: b, securityContext: {body}}}]")
    assert [fault.removeprefix("containers[0].securityContext").removeprefix(".") for fault in found] == said


SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP = "container.seccomp.security.alpha.kubernetes.io/a"
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io"
ANNOTATIONS = [
    ("kubernetes.io/config.mirror: x", "{}", [
        'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod '
        "annotation is set"
    ]),
    ("controller.kubernetes.io/pod-deletion-cost: '+1'", "{}", [
        'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+1": must be a 32bit integer'
    ]),
    ("controller.kubernetes.io/pod-deletion-cost: '2147483648'", "{}", [
        'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "2147483648": must be a 32bit '
        "integer"
    ]),
    ("controller.kubernetes.io/pod-deletion-cost: '-10'", "{}", []),
    ("scheduler.alpha.kubernetes.io/tolerations: '[{'", "{}", [
        'metadata.annotations: Invalid value: "scheduler.alpha.kubernetes.io/tolerations": unexpected end of JSON input'
    ]),
    ("scheduler.alpha.kubernetes.io/tolerations: '[{\"key\": \"a\", \"operator\": \"Near\"}]'", "{}", [
        "metadata.annotations.scheduler.alpha.kubernetes.io/tolerations[0].operator: Unsupported value: \"Near\": "
        'supported values: "Equal", "Exists"'
    ]),
    (f"{SECCOMP_POD}: odd", "{}", [
        f'metadata.annotations.{SECCOMP_POD}: Invalid value: "odd": must be a valid seccomp profile'
    ]),
    (f"{SECCOMP}: localhost//x", "{}", [
        f'metadata.annotations.{SECCOMP}: Invalid value: "/x": must be a relative path'
    ]),
    (f"{SECCOMP_POD}: unconfined", "{securityContext: {seccompProfile: {type: RuntimeDefault}}}", [
        "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match"
    ]),
    (
        f"{SECCOMP}: localhost/x",
        "{containers: [{name: a, image: b, securityContext: {seccompProfile: {type: Localhost, localhostProfile: z}}}]}",
        [
            "spec.containers[0].securityContext.seccompProfile.localhostProfile: Forbidden: seccomp profile in "
            "annotation and field must match"
        ],
    ),
    (f"{APP_ARMOR}/z: unconfined", "{}", [
        f'metadata.annotations[{APP_ARMOR}/z]: Invalid value: "z": container not found'
    ]),
    (f"{APP_ARMOR}/a: odd", "{}", [
        f'metadata.annotations[{APP_ARMOR}/a]: Invalid value: "odd": invalid AppArmor profile name: "odd"'
    ]),
    (f"{APP_ARMOR}/a: unconfined", "{securityContext: {appArmorProfile: {type: RuntimeDefault}}}", [
        "spec.containers[0].securityContext.appArmorProfile.type: Forbidden: apparmor type in annotation and field must "
        "match"
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "spec", "said"), ANNOTATIONS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_annotations(annotation: str, spec: str, said: list[str]) -> None:
    assert faults(v1.Pod, POD, f"{{metadata: {{annotations: {{{annotation}}}}}, spec: {spec}}}") == said
