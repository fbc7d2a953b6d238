"""What is said of classes of priority and of runtimes, workloads, budgets, leases and priority levels."""

from __future__ import annotations

from steersman.api.types import (
    coordination_v1,
    flowcontrol_v1,
    node_v1,
    policy_v1,
    scheduling_v1,
    scheduling_v1alpha1,
)

from .grammars import LABEL
from .objects import Change, Row, Valid

PRIORITY, RUNTIME, WORKLOAD = "PriorityClass", "RuntimeClass", "Workload"
BUDGET, LEASE, LEVEL = "PodDisruptionBudget", "Lease", "PriorityLevelConfiguration"
KINDS = {
    PRIORITY: Valid(scheduling_v1.PriorityClass, "value: 5", ""),
    RUNTIME: Valid(node_v1.RuntimeClass, "handler: h", ""),
    WORKLOAD: Valid(scheduling_v1alpha1.Workload, "spec: {podGroups: [{name: g, policy: {basic: {}}}]}"),
    BUDGET: Valid(policy_v1.PodDisruptionBudget, "spec: {minAvailable: 1}"),
    LEASE: Valid(coordination_v1.Lease, "spec: {}"),
    LEVEL: Valid(
        flowcontrol_v1.PriorityLevelConfiguration, "spec: {type: Limited, limited: {limitResponse: {type: Reject}}}", ""
    ),
}
SYSTEM = "priority class names with 'system-' prefix are reserved for system use only. error: "
NATURAL = "must be greater than or equal to 0"
GROUP = "spec.podGroups[0]"
PERCENT = "must be between 0 and 100, inclusive"


def _group(text: str) -> str:
    return f"spec: {{podGroups: [{{name: g, policy: {{{text}}}}}]}}"


def _system(name: str, text: str, reason: str) -> Row:
    return PRIORITY, f"{{metadata: {{name: {name}}}, {text}}}", [f"metadata.name: Forbidden: {SYSTEM}{reason}"]


_NODE = "system-node-critical"

ROWS: list[Row] = [
    _system("system-mine", "value: 5", "system-mine is not a known system priority class"),
    _system(_NODE, "value: 5", f"value of {_NODE} PriorityClass must be 2000001000"),
    _system(_NODE, "value: 2000001000, globalDefault: true", f"globalDefault of {_NODE} PriorityClass must be false"),
    (PRIORITY, f"{{metadata: {{name: {_NODE}}}, value: 2000001000}}", []),
    (PRIORITY, "value: -5", []),
    (PRIORITY, "preemptionPolicy: Odd", [
        'preemptionPolicy: Unsupported value: "Odd": supported values: "Never", "PreemptLowerPriority"'
    ]),
    (RUNTIME, "handler: A_", [f'handler: Invalid value: "A_": {LABEL}']),
    (RUNTIME, "handler: ''", [f'handler: Invalid value: "": {LABEL}']),
    (RUNTIME, "overhead: {podFixed: {cpu: 1}}", []),
    (RUNTIME, "scheduling: {nodeSelector: {a: '-'}}", [
        'scheduling.nodeSelector: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric '
        "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
        "'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    ]),
    (RUNTIME, "scheduling: {tolerations: [{key: a, operator: Exists}, {key: a, operator: Exists}]}", [
        'scheduling.tolerations[1]: Duplicate value: {"key":"a","operator":"Exists"}'
    ]),
    (WORKLOAD, "spec: {podGroups: []}", ["spec.podGroups: Required value: must have at least one item"]),
    (WORKLOAD, "spec: {podGroups: [" + ", ".join(f"{{name: g{n}, policy: {{basic: {{}}}}}}" for n in range(9)) + "]}", [
        "spec.podGroups: Too many: 9: must have at most 8 items"
    ]),
    (WORKLOAD, "spec: {controllerRef: {kind: a/b, name: ''}}", [
        "spec.controllerRef.kind: Invalid value: \"a/b\": may not contain '/'", "spec.controllerRef.name: Required value"
    ]),
    (WORKLOAD, _group(""), [f"{GROUP}.policy: Invalid value: must specify one of: `basic`, `gang`"]),
    (WORKLOAD, _group("basic: {}, gang: {minCount: 1}"), [
        f"{GROUP}.policy: Invalid value: must specify exactly one of: `basic`, `gang`"
    ]),
    (WORKLOAD, _group("gang: {minCount: 0}"), [f"{GROUP}.policy.gang.minCount: Invalid value: 0: must be greater than 0"]),
    (BUDGET, "spec: {maxUnavailable: 1}", [
        'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set'
    ]),
    (BUDGET, "spec: {minAvailable: few}", [
        'spec.minAvailable: Invalid value: "few": a valid percent string must be a numeric string followed by an ending '
        "'%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
    ]),
    (BUDGET, "spec: {unhealthyPodEvictionPolicy: Odd}", [
        'spec.unhealthyPodEvictionPolicy: Unsupported value: "Odd": supported values: "AlwaysAllow", "IfHealthyBudget"'
    ]),
    (BUDGET, "spec: {selector: {matchExpressions: [{key: a, operator: In}]}}", [
        "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
    ]),
    (LEASE, "spec: {strategy: OldestEmulationVersion, preferredHolder: a}", []),
    (LEVEL, "spec: {limited: {nominalConcurrencyShares: -1, lendablePercent: 101, borrowingLimitPercent: -1}}", [
        "spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer",
        f"spec.limited.lendablePercent: Invalid value: 101: {PERCENT}",
        "spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer",
    ]),
    (LEVEL, "spec: {limited: {nominalConcurrencyShares: 0, borrowingLimitPercent: 200}}", []),
    (LEVEL, "spec: {exempt: {lendablePercent: -1}}", [
        f"spec.exempt.lendablePercent: Invalid value: -1: {PERCENT}",
        "spec.exempt: Forbidden: must be nil if the type is Limited",
    ]),
    (LEVEL, "{metadata: {name: exempt}, spec: {type: Exempt, limited: null, exempt: {nominalConcurrencyShares: 10}}}", []),
    (LEVEL, "{metadata: {name: exempt}, spec: {type: Exempt, exempt: {}}}", [
        "spec.limited: Forbidden: must be nil if the type is not Limited",
        'spec: Invalid value: {"type":"Exempt","limited":{"nominalConcurrencyShares":30,"limitResponse":{"type":"Reject"},'
        '"lendablePercent":0},"exempt":{"nominalConcurrencyShares":0,"lendablePercent":0}}: spec of \'exempt\' except the '
        "'spec.exempt' field must equal the fixed value",
    ]),
]  # fmt: skip

CHANGES: list[Change] = [
    Change(WORKLOAD, "spec: {podGroups: [{name: h, policy: {basic: {}}}]}", [
        'spec.podGroups: Invalid value: [{"name":"h","policy":{"basic":{}}}]: field is immutable'
    ]),
    Change(WORKLOAD, "spec: {controllerRef: {kind: Job, name: a}}", []),
    Change(BUDGET, "spec: {minAvailable: 2}", []),
    Change(BUDGET, "status: {disruptionsAllowed: -1, currentHealthy: -1, desiredHealthy: -1, expectedPods: -1}", [
        f"status.{name}: Invalid value: -1: {NATURAL}"
        for name in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    ], subresource="status"),
]  # fmt: skip
