"""One row for each rule of nodes, namespaces, limits, quotas, configuration, endpoints, events and bindings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.types import core_v1 as v1
from steersman.api.validation import events
from steersman.api.validation.faults import Faults

from .grammars import LABEL, LABEL_VALUE, QUALIFIED, SUBDOMAIN
from .samples import build, faults, update_faults
from .test_containers import CONFIG_KEY
from .test_pod_spec import IP

PLACED = "metadata: {name: x, namespace: default}"
NODE = "metadata: {name: x}"
FEATURE = (
    "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or "
    "MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
)
NATURAL = "must be greater than or equal to 0"

NODES = [
    ("spec: {taints: [{key: '-', effect: NoSchedule}]}", [f'metadata.taints[0].key: Invalid value: "-": {QUALIFIED}']),
    ("spec: {taints: [{key: a, value: '-', effect: NoSchedule}]}", [
        f'metadata.taints[0].value: Invalid value: "-": {LABEL_VALUE}'
    ]),
    ("spec: {taints: [{key: a, effect: ''}]}", ["metadata.taints[0].effect: Required value"]),
    ("spec: {taints: [{key: a, effect: Later}]}", [
        'metadata.taints[0].effect: Unsupported value: "Later": supported values: "NoSchedule", "PreferNoSchedule", '
        '"NoExecute"'
    ]),
    ("spec: {taints: [{key: a, effect: NoSchedule}, {key: a, effect: NoSchedule, value: b}]}", [
        'metadata.taints[1]: Duplicate value: {"key":"a","value":"b","effect":"NoSchedule"}: taints must be unique by key '
        "and effect pair"
    ]),
    ("spec: {podCIDRs: [x]}", [
        'spec.podCIDRs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'
    ]),
    ("spec: {podCIDRs: [10.0.0.0/24, 10.0.1.0/24]}", [
        'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP family'
    ]),
    ("spec: {podCIDRs: [10.0.0.0/24, 'fd00::/64']}", []),
    ("status: {capacity: {cpu: -1}, allocatable: {pods: 1500m}}", [
        f'status.capacity.cpu: Invalid value: "-1": {NATURAL}',
        'status.allocatable.pods: Invalid value: "1500m": must be an integer',
    ]),
    ("status: {nodeInfo: {swap: {capacity: 0}}}", [
        "metadata.nodeSwapStatus.capacity: Invalid value: 0: must be greater than zero"
    ]),
    ("status: {declaredFeatures: [B, A, A, b]}", [
        'status.declaredFeatures[1]: Invalid value: "A": list must be sorted alphabetically',
        'status.declaredFeatures[2]: Duplicate value: "A"',
        f'status.declaredFeatures[3]: Invalid value: "b": invalid feature name "b": {FEATURE}',
    ]),
    ("metadata: {annotations: {scheduler.alpha.kubernetes.io/taints: 'x'}}", [
        'metadata.annotations: Invalid value: "scheduler.alpha.kubernetes.io/taints": '
        "invalid character 'x' looking for beginning of value"
    ]),
    ("metadata: {annotations: {scheduler.alpha.kubernetes.io/taints: '[{\"key\": \"a\", \"effect\": \"\"}]'}}", [
        "metadata.annotations.scheduler.alpha.kubernetes.io/taints[0].effect: Required value"
    ]),
]  # fmt: skip
NAMESPACES = [
    ("metadata: {name: a.b}", ['metadata.name: Invalid value: "a.b": must not contain dots']),
    ("spec: {finalizers: [odd]}", [
        'spec.finalizers: Invalid value: "odd": name is neither a standard finalizer name nor is it fully qualified'
    ]),
]  # fmt: skip
MIB = "x" * (1 << 20)
CONFIG_MAPS = [
    ("data: {'a b': c}", [f'data[a b]: Invalid value: "a b": {CONFIG_KEY}']),
    ("data: {.: c}", ["data[.]: Invalid value: \".\": must not be '.'"]),
    ("data: {..: c}", ["data[..]: Invalid value: \"..\": must not be '..'"]),
    ("data: {..a: c}", ["data[..a]: Invalid value: \"..a\": must not start with '..'"]),
    ("{data: {a: b}, binaryData: {a: Yg==}}", [
        'data[a]: Invalid value: "a": duplicate of key present in binaryData'
    ]),
    (f"data: {{a: {MIB}x}}", [": Too long: may not be more than 1048576 bytes"]),
]  # fmt: skip
TOKEN = "metadata.annotations[kubernetes.io/service-account.name]: Required value"
SECRETS = [
    ("data: {'a b': Yg==}", [f'data[a b]: Invalid value: "a b": {CONFIG_KEY}']),
    ("type: kubernetes.io/service-account-token", [TOKEN]),
    ("type: kubernetes.io/dockercfg", ["data[.dockercfg]: Required value"]),
    ("type: kubernetes.io/dockerconfigjson", ["data[.dockerconfigjson]: Required value"]),
    ("{type: kubernetes.io/dockerconfigjson, data: {.dockerconfigjson: eQ==}}", [
        "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": "
        "invalid character 'y' looking for beginning of value"
    ]),
    ("type: kubernetes.io/basic-auth", ["data[username]: Required value", "data[password]: Required value"]),
    ("{type: kubernetes.io/basic-auth, data: {password: ''}}", []),
    ("{type: kubernetes.io/ssh-auth, data: {ssh-privatekey: ''}}", ["data[ssh-privatekey]: Required value"]),
    ("type: kubernetes.io/tls", ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
    ("{type: bootstrap.kubernetes.io/token}", []),
]  # fmt: skip
SUBSET = "subsets: [{addresses: [{ip: 10.0.0.1%s}], ports: [%s]}]"
ENDPOINTS = [
    ("subsets: [{}]", ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]),
    ("subsets: [{addresses: [{ip: x}]}]", [
        f'subsets[0].addresses[0].ip: Invalid value: "x": {IP}',
        'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address',
    ]),
    *((f"subsets: [{{notReadyAddresses: [{{ip: '{ip}'}}]}}]", [
        f'subsets[0].notReadyAddresses[0].ip: Invalid value: "{ip}": {fault}'
    ]) for ip, fault in (
        ("0.0.0.0", "may not be unspecified (0.0.0.0)"),
        ("127.0.0.1", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        ("169.254.1.1", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        ("224.0.0.1", "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    )),
    (SUBSET % (", hostname: a.b, nodeName: A", ""), [
        'subsets[0].addresses[0].hostname: Invalid value: "a.b": must not contain dots',
        f'subsets[0].addresses[0].nodeName: Invalid value: "A": {SUBDOMAIN}',
    ]),
    (SUBSET % ("", "{port: 1}, {port: 2, name: b}"), ["subsets[0].ports[0].name: Required value"]),
    (SUBSET % ("", "{port: 0, name: A, protocol: ICMP, appProtocol: '-'}"), [
        f'subsets[0].ports[0].name: Invalid value: "A": {LABEL}',
        "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        'subsets[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
        f'subsets[0].ports[0].appProtocol: Invalid value: "-": {QUALIFIED}',
    ]),
]  # fmt: skip
LIMITS = [
    ("{type: Odd}", ['type: Invalid value: "Odd": must be a standard limit type or fully qualified']),
    ("{type: example.com/Odd}", []),
    ("{type: Pod, default: {cpu: 1}, defaultRequest: {cpu: 1}}", [
        "default: Forbidden: may not be specified when `type` is 'Pod'",
        "defaultRequest: Forbidden: may not be specified when `type` is 'Pod'",
    ]),
    ("{type: PersistentVolumeClaim}", [
        "limits: Required value: either minimum or maximum storage value is required, but neither was provided"
    ]),
    ("{type: Pod, max: {storage: 1}}", [
        'max[storage]: Invalid value: "storage": must be a standard resource for containers'
    ]),
    ("{type: Pod, min: {cpu: 2}, max: {cpu: 1}}", [
        'min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'
    ]),
    ("{type: Container, min: {cpu: 2}, default: {cpu: 3}, defaultRequest: {cpu: 1}}", [
        'defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1'
    ]),
    ("{type: Container, max: {cpu: 1}, default: {cpu: 1}, defaultRequest: {cpu: 2}}", [
        'defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than max value 1',
        'defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than default limit value 1',
    ]),
    ("{type: Container, min: {cpu: 2}, default: {cpu: 1}, defaultRequest: {cpu: 2}}", [
        'defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than default limit value 1',
        'default[cpu]: Invalid value: "2": min value 2 is greater than default value 1',
    ]),
    ("{type: Container, max: {cpu: 1}, default: {cpu: 2}, defaultRequest: {cpu: 1}}", [
        'default[cpu]: Invalid value: "1": default value 2 is greater than max value 1'
    ]),
    ("{type: Pod, maxLimitRequestRatio: {cpu: 900m}}", [
        'maxLimitRequestRatio[cpu]: Invalid value: "900m": ratio 900m is less than 1'
    ]),
    ("{type: Pod, min: {cpu: 1}, max: {cpu: 2}, maxLimitRequestRatio: {cpu: 10}}", [
        'maxLimitRequestRatio[cpu]: Invalid value: "10": ratio 10 is greater than max/min = 2.000000'
    ]),
    ("{type: Container, default: {hugepages-2Mi: 2Mi}, defaultRequest: {hugepages-2Mi: 4Mi}}", [
        'defaultRequest[hugepages-2Mi]: Invalid value: "4Mi": default request value 4Mi is greater than default limit '
        "value 2Mi",
        'defaultRequest[hugepages-2Mi]: Invalid value: "4Mi": default value 2Mi must equal to defaultRequest value 4Mi in '
        "hugepages-2Mi",
    ]),
]  # fmt: skip
EXISTS = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
SELECTOR = "spec.scopeSelector.matchExpressions"
QUOTAS = [
    ("hard: {disk: 1}", [
        'spec.hard[disk]: Invalid value: "disk": must be a standard resource type or fully qualified',
        'spec.hard[disk]: Invalid value: "disk": must be a standard resource for quota',
    ]),
    ("hard: {storage: 1}", ['spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota']),
    ("hard: {pods: 500m, cpu: -1}", [
        'spec.hard[pods]: Invalid value: "500m": must be an integer',
        f'spec.hard[cpu]: Invalid value: "-1": {NATURAL}',
    ]),
    ("hard: {requests.hugepages-2Mi: 4Mi, count/x.y: 1, requests.example.com/gpu: 1}", []),
    ("scopes: [Odd]", ['spec.scopes: Invalid value: ["Odd"]: unsupported scope']),
    ("{hard: {cpu: 1}, scopes: [BestEffort]}", [
        'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'
    ]),
    ("{hard: {services: 1}, scopes: [Terminating]}", [
        'spec.scopes: Invalid value: ["Terminating"]: unsupported scope applied to resource'
    ]),
    ("scopes: [BestEffort, NotBestEffort]", [
        'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'
    ]),
    ("scopeSelector: {matchExpressions: [{scopeName: Odd, operator: Near}]}", [
        f'{SELECTOR}.scopeName: Invalid value: "Odd": unsupported scope',
        f'{SELECTOR}.operator: Invalid value: "Near": not a valid selector operator',
    ]),
    ("scopeSelector: {matchExpressions: [{scopeName: BestEffort, operator: In}]}", [
        f'{SELECTOR}.operator: Invalid value: "In": {EXISTS}',
        f"{SELECTOR}.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope "
        "selector",
    ]),
    ("scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: Exists, values: [a]}]}", [
        f"{SELECTOR}.values: Invalid value: [\"a\"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope "
        "selector"
    ]),
]  # fmt: skip
BINDINGS = [
    ("target: {kind: Shelf, name: x}", [
        'target.kind: Unsupported value: "Shelf": supported values: "Node", "<empty>"'
    ]),
    ("target: {}", ["target.name: Required value"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "base", "change", "said"),
    [
        *((v1.Node, NODE, *row) for row in NODES),
        *((v1.Namespace, NODE, *row) for row in NAMESPACES),
        *((v1.ConfigMap, PLACED, *row) for row in CONFIG_MAPS),
        *((v1.Secret, PLACED, *row) for row in SECRETS),
        *((v1.Endpoints, PLACED, *row) for row in ENDPOINTS),
        *((v1.Binding, PLACED, *row) for row in BINDINGS),
        *((v1.ResourceQuota, PLACED, f"spec: {row[0] if row[0][0] == '{' else f'{{{row[0]}}}'}", row[1]) for row in QUOTAS),
        *(
            (v1.LimitRange, PLACED, f"spec: {{limits: [{item}]}}", [f"spec.limits[0].{fault}" for fault in said])
            for item, said in LIMITS
        ),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_what_is_said(type_: type[Any], base: str, change: str, said: list[str]) -> None:
    assert faults(type_, base, change) == said


def test_a_docker_configuration_is_json_and_is_not_shown() -> None:
    (fault,) = faults(v1.Secret, PLACED, "{type: kubernetes.io/dockercfg, data: {.dockercfg: bm90IGpzb24=}}")
    assert fault.startswith('data[.dockercfg]: Invalid value: "<secret contents redacted>": ')
    assert "not json" not in fault


FROZEN = "field is immutable when `immutable` is set"
CONFIG = "{configMap: {namespace: kube-system, name: c, kubeletConfigKey: k%s}}"
UPDATES = [
    (v1.ConfigMap, PLACED, "{immutable: true, data: {a: b}}", "data: {a: c}", "", [f"data: Forbidden: {FROZEN}"]),
    (v1.ConfigMap, PLACED, "{immutable: true, binaryData: {a: Yg==}}", "{immutable: null, binaryData: null}", "", [
        f"immutable: Forbidden: {FROZEN}", f"binaryData: Forbidden: {FROZEN}",
    ]),
    (v1.Secret, PLACED, "immutable: true", "{immutable: false, data: {a: Yg==}}", "", [
        f"immutable: Forbidden: {FROZEN}", f"data: Forbidden: {FROZEN}",
    ]),
    (v1.Secret, PLACED, "type: a", "type: b", "", ['type: Invalid value: "b": field is immutable']),
    (v1.Node, NODE, "spec: {podCIDRs: [10.0.0.0/24]}", "spec: {podCIDRs: [10.0.1.0/24]}", "", [
        'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'
    ]),
    (v1.Node, NODE, "{}", "spec: {podCIDRs: [10.0.1.0/24], providerID: a}", "", []),
    (v1.Node, NODE, "spec: {providerID: a}", "spec: {providerID: b}", "", [
        'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid'
    ]),
    (v1.Node, NODE, "{}", "spec: {externalID: a}", "", ["spec.externalID: Forbidden: may not be updated"]),
    (v1.Node, NODE, "{}", "spec: {configSource: {}}", "", [
        "spec.configSource: Invalid value: {}: exactly one reference subfield must be non-nil"
    ]),
    (v1.Node, NODE, "{}", f"spec: {{configSource: {CONFIG % ', uid: u'}}}", "", [
        "spec.configSource.configMap.uid: Forbidden: uid must not be set in spec"
    ]),
    (v1.Node, NODE, "{}", f"status: {{config: {{active: {CONFIG % ''}}}}}", "status", [
        "status.config.active.configMap.uid: Required value",
        "status.config.active.configMap.resourceVersion: Required value",
    ]),
    (v1.Node, NODE, "{}", "status: {addresses: [{type: a, address: b}, {type: a, address: b}]}", "status", [
        'status.addresses[1]: Duplicate value: {"type":"a","address":"b"}'
    ]),
    (v1.Namespace, NODE, "{}", "status: {phase: Terminating}", "status", [
        "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
    ]),
    (v1.Namespace, f"{{{NODE.replace('}', ', deletionTimestamp: 2026-01-01T00:00:00Z}')}, status: {{phase: Terminating}}}}",
     "{}", "status: {phase: Active}", "status", [
        "status.Phase: Invalid value: \"Active\": may only be 'Terminating' if `deletionTimestamp` is not empty"
    ]),
    (v1.Namespace, NODE, "{}", "spec: {finalizers: [odd]}", "finalize", [
        'spec.finalizers[0]: Invalid value: "odd": name is neither a standard finalizer name nor is it fully qualified'
    ]),
    (v1.ResourceQuota, PLACED, "spec: {scopes: [Terminating]}", "spec: {scopes: [BestEffort]}", "", [
        'spec.scopes: Invalid value: ["BestEffort"]: field is immutable'
    ]),
    (v1.ResourceQuota, PLACED, "{}", "status: {hard: {disk: 1}, used: {pods: -1}}", "status", [
        'status.hard[disk]: Invalid value: "disk": must be a standard resource type or fully qualified',
        'status.hard[disk]: Invalid value: "disk": must be a standard resource for quota',
        f'status.used[pods]: Invalid value: "-1": {NATURAL}',
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "base", "before", "after", "subresource", "said"), UPDATES, ids=lambda value: str(value)[:60]
)
def test_what_may_change(
    type_: type[Any], base: str, before: str, after: str, subresource: str, said: list[str]
) -> None:
    old = codecs.encode(build(type_, base, before)).decode()
    assert update_faults(type_, old, after, subresource) == said


# -- events ----------------------------------------------------------------------------------------------------------

NEW = "eventTime: 2026-01-01T00:00:00.000000Z, reportingComponent: a, reportingInstance: b, action: c, reason: d"
OTHER = 'involvedObject.namespace: Invalid value: "%s": does not match event.namespace'
EVENTS = [
    ("involvedObject: {namespace: default}", []),
    ("involvedObject: {}", []),
    ("involvedObject: {namespace: other}", [OTHER % "other"]),
    ("metadata: {namespace: other}", [OTHER % ""]),
    (f"{NEW}, involvedObject: {{namespace: other}}", []),
    (f"{NEW}, metadata: {{namespace: other}}", [OTHER % ""]),
    (f"{NEW}, metadata: {{namespace: kube-system}}", []),
    ("eventTime: 2026-01-01T00:00:00.000000Z", [
        f"{name}: Required value" for name in ("reportingController", "reportingInstance", "action", "reason")
    ]),
    (NEW.replace("Component: a", "Component: '-'"), [f'reportingController: Invalid value: "-": {QUALIFIED}']),
    *((NEW.replace(f"{name}: {value}", f"{name}: {'x' * 129}"), [
        f'{name}: Invalid value: "": can have at most 128 characters'
    ]) for name, value in (("reportingInstance", "b"), ("action", "c"), ("reason", "d"))),
    (f"{NEW}, message: {'x' * 1025}", ['message: Invalid value: "": can have at most 1024 characters']),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), EVENTS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_an_event(change: str, said: list[str]) -> None:
    assert faults(v1.Event, PLACED, f"{{{change}}}") == said


def test_new_events_of_the_events_group() -> None:
    found = Faults()
    events.new_event(
        found,
        build(
            v1.Event,
            PLACED,
            "{type: Odd, count: 1, firstTimestamp: 2026-01-01T00:00:00Z, lastTimestamp: 2026-01-01T00:00:00Z, "
            "source: {component: a}, series: {count: 1}}",
        ),
    )
    assert [str(fault) for fault in found] == [
        'series.count: Invalid value: "": should be at least 2',
        "series.lastObservedTime: Required value",
        "eventTime: Required value",
        'type: Invalid value: "": has invalid value: Odd',
        'firstTimestamp: Invalid value: "": needs to be unset',
        'lastTimestamp: Invalid value: "": needs to be unset',
        'count: Invalid value: "": needs to be unset',
        'source: Invalid value: "": needs to be unset',
    ]


def test_only_the_series_of_an_event_goes_on() -> None:
    old = build(v1.Event, PLACED, f"{{{NEW}, type: Normal, involvedObject: {{kind: Pod, name: p}}}}")
    new = codecs.copy(old)
    new.series = v1.EventSeries(count=2, last_observed_time=datetime.now(UTC))
    found = Faults()
    events.changed_event(found, new, old)
    assert found == []
    new.type, new.involved_object.name, new.count = "Warning", "q", 3
    events.changed_event(found, new, old)
    assert [fault.field for fault in found] == ["involvedObject", "count", "type"]
    assert {fault.message.rpartition(": ")[2] for fault in found} == {"field is immutable"}
