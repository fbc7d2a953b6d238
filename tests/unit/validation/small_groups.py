"""What is said of roles, budgets, leases and classes of priority: a row for each of upstream's rules."""

from __future__ import annotations

from steersman.api.types import coordination_v1 as leases
from steersman.api.types import coordination_v1beta1, networking_v1, node_v1, policy_v1, rbac_v1, scheduling_v1

from .objects import Change, Row, Valid

_SUBJECT = "subjects: [{kind: ServiceAccount, name: s, namespace: d}]"
KINDS = {
    "Role": Valid(rbac_v1.Role, "rules: [{verbs: [get], apiGroups: [''], resources: [pods]}]"),
    "ClusterRole": Valid(rbac_v1.ClusterRole, "rules: [{verbs: [get], nonResourceURLs: [/]}]", ""),
    "RoleBinding": Valid(rbac_v1.RoleBinding, f"{{roleRef: {{kind: Role, name: r}}, {_SUBJECT}}}"),
    "ClusterRoleBinding": Valid(
        rbac_v1.ClusterRoleBinding, f"{{roleRef: {{kind: ClusterRole, name: r}}, {_SUBJECT}}}", ""
    ),
    "PodDisruptionBudget": Valid(policy_v1.PodDisruptionBudget, "spec: {minAvailable: 1}"),
    "Lease": Valid(leases.Lease, "spec: {leaseDurationSeconds: 1}"),
    "LeaseCandidate": Valid(
        coordination_v1beta1.LeaseCandidate,
        "spec: {leaseName: l, binaryVersion: 1.35.0, emulationVersion: 1.34.0, strategy: OldestEmulationVersion}",
    ),
    "PriorityClass": Valid(scheduling_v1.PriorityClass, "value: 5", ""),
    "RuntimeClass": Valid(node_v1.RuntimeClass, "handler: h", ""),
    "NetworkPolicy": Valid(networking_v1.NetworkPolicy, "spec: {podSelector: {}}"),
}
GROUP = "rbac.authorization.k8s.io"
SEMANTIC = "must be a valid semantic version"
NATURAL = "must be greater than or equal to 0"

ROWS: list[Row] = [
    ("Role", "rules: [{}]", [
        "rules[0].verbs: Required value: verbs must contain at least one value",
        "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
        "rules[0].resources: Required value: resource rules must supply at least one resource",
    ]),
    ("Role", "rules: [{verbs: [get], nonResourceURLs: [/]}]", [
        'rules[0].nonResourceURLs: Invalid value: ["/"]: namespaced rules cannot apply to non-resource URLs'
    ]),
    ("ClusterRole", "rules: [{verbs: [get], nonResourceURLs: [/], resources: [pods]}]", [
        'rules[0].nonResourceURLs: Invalid value: ["/"]: rules cannot apply to both regular resources and '
        'non-resource URLs'
    ]),
    ("ClusterRole", "aggregationRule: {}", [
        "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if "
        "aggregationRule is non-nil"
    ]),
    ("RoleBinding", "roleRef: {apiGroup: a, kind: User, name: ''}", [
        f'roleRef.apiGroup: Unsupported value: "a": supported values: "{GROUP}"',
        'roleRef.kind: Unsupported value: "User": supported values: "Role", "ClusterRole"',
        "roleRef.name: Required value",
    ]),
    ("RoleBinding", "roleRef: {name: a/b}", ["roleRef.name: Invalid value: \"a/b\": may not contain '/'"]),
    ("ClusterRoleBinding", "roleRef: {kind: Role}", [
        'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'
    ]),
    ("ClusterRoleBinding", "subjects: [{kind: ServiceAccount, name: s}]", ["subjects[0].namespace: Required value"]),
    ("RoleBinding", "subjects: [{kind: ServiceAccount, name: s}]", []),
    ("RoleBinding", "subjects: [{kind: ServiceAccount, name: s, apiGroup: a}]", [
        'subjects[0].apiGroup: Unsupported value: "a": supported values: ""'
    ]),
    ("RoleBinding", "subjects: [{kind: User, name: ''}]", [
        "subjects[0].name: Required value", 'subjects[0].name: Invalid value: "": user name cannot be empty'
    ]),
    ("RoleBinding", "subjects: [{kind: Group, name: ''}]", [
        "subjects[0].name: Required value", 'subjects[0].name: Invalid value: "": group name cannot be empty'
    ]),
    ("RoleBinding", "subjects: [{kind: Robot, name: r}]", [
        'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"'
    ]),
    ("PodDisruptionBudget", "spec: {minAvailable: -1}", [f"spec.minAvailable: Invalid value: -1: {NATURAL}"]),
    ("PodDisruptionBudget", "spec: {minAvailable: 101%}", [
        'spec.minAvailable: Invalid value: "101%": must not be greater than 100%'
    ]),
    ("PodDisruptionBudget", "spec: {minAvailable: null, maxUnavailable: 101%}", [
        'spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%'
    ]),
    ("Lease", "spec: {leaseDurationSeconds: 0}", [
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"
    ]),
    ("Lease", "spec: {leaseTransitions: -1}", [f"spec.leaseTransitions: Invalid value: -1: {NATURAL}"]),
    ("Lease", "spec: {preferredHolder: a}", [
        "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined"
    ]),
    ("Lease", "spec: {strategy: Odd}", [
        'spec.strategy.strategy: Unsupported value: "Odd": supported values: "OldestEmulationVersion"'
    ]),
    ("LeaseCandidate", "spec: {leaseName: null}", ["spec.leaseName: Required value"]),
    ("LeaseCandidate", "spec: {strategy: null}", ["spec.strategy: Required value"]),
    ("LeaseCandidate", "spec: {binaryVersion: null}", ["spec.binaryVersion: Required value"]),
    ("LeaseCandidate", "spec: {emulationVersion: null}", [
        "spec.emulationVersion: Required value: must be specified when `strategy` is 'OldestEmulationVersion'"
    ]),
    ("LeaseCandidate", "spec: {binaryVersion: 1.33.0}", [
        'spec.binaryVersion: Invalid value: "1.33.0": must be greater than or equal to `emulationVersion`'
    ]),
    ("LeaseCandidate", "spec: {binaryVersion: '1'}", [
        f'spec.binaryVersion: Invalid value: "1": {SEMANTIC}',
        'spec.binaryVersion: Invalid value: "1": must be greater than or equal to `emulationVersion`',
    ]),
    ("PriorityClass", "value: 1000000001", [
        "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"
    ]),
    ("NetworkPolicy", "spec: {policyTypes: [Ingress, Egress, Ingress]}", [
        'spec.policyTypes: Invalid value: ["Ingress","Egress","Ingress"]: may not specify more than two policyTypes'
    ]),
    ("NetworkPolicy", "spec: {ingress: [{ports: [{protocol: ICMP}]}]}", [
        'spec.ingress[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"'
    ]),
    ("NetworkPolicy", "spec: {ingress: [{ports: [{port: 0}]}]}", [
        "spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"
    ]),
    ("NetworkPolicy", "spec: {egress: [{to: [{}]}]}", ["spec.egress[0].to[0]: Required value: must specify a peer"]),
]  # fmt: skip

CHANGES: list[Change] = [
    Change("LeaseCandidate", "spec: {leaseName: m}", ['spec.leaseName: Invalid value: "m": field is immutable']),
    Change("PriorityClass", "value: 6", ["value: Forbidden: may not be changed in an update."]),
    Change("PriorityClass", "preemptionPolicy: Never", [
        'preemptionPolicy: Invalid value: "Never": field is immutable'
    ]),
    Change("RuntimeClass", "handler: i", ['handler: Invalid value: "i": field is immutable']),
]  # fmt: skip
