"""What is said of policies and classes of networks, and of IPAddresses: upstream's ``pkg/apis/networking/validation``."""

from __future__ import annotations

from steersman.api.types import networking_v1

from .grammars import LABEL, SUBDOMAIN
from .objects import Change, Faults, Row, Valid

POLICY, CLASS, ADDRESS, RANGE = "NetworkPolicy", "IngressClass", "IPAddress", "ServiceCIDR"
KINDS = {
    POLICY: Valid(networking_v1.NetworkPolicy, "spec: {podSelector: {}}"),
    CLASS: Valid(networking_v1.IngressClass, "spec: {controller: example.com/c}", ""),
    ADDRESS: Valid(
        networking_v1.IPAddress,
        "{metadata: {name: 10.9.8.7}, spec: {parentRef: {resource: services, name: s, namespace: default}}}",
        "",
    ),
    RANGE: Valid(networking_v1.ServiceCIDR, "spec: {cidrs: [10.9.8.0/24]}", ""),
}
RANGE_OF_PORTS = "must be between 1 and 65535, inclusive"
CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
PORT = "spec.ingress[0].ports[0]"
PEER = "spec.egress[0].to[0]"
PARAMETERS = "spec.parameters"


def _port(text: str) -> str:
    return f"spec: {{ingress: [{{ports: [{{{text}}}]}}]}}"


def _peer(text: str) -> str:
    return f"spec: {{egress: [{{to: [{{{text}}}]}}]}}"


def _parameters(text: str) -> str:
    return f"spec: {{parameters: {{kind: K, name: k, {text}}}}}"


_POLICIES: list[tuple[str, Faults]] = [
    ("spec: {podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}", [
        "spec.podSelector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or "
        "'DoesNotExist'"
    ]),
    ("spec: {policyTypes: [Both]}", [
        'spec.policyTypes[0]: Unsupported value: "Both": supported values: "Ingress", "Egress"'
    ]),
    (_port("port: 80, endPort: 90"), []),
    (_port("port: 65536"), [f"{PORT}.port: Invalid value: 65536: {RANGE_OF_PORTS}"]),
    (_port("port: 80, endPort: 79"), [
        f"{PORT}.endPort: Invalid value: 80: must be greater than or equal to `port`"
    ]),
    (_port("port: 80, endPort: 65536"), [f"{PORT}.endPort: Invalid value: 65536: {RANGE_OF_PORTS}"]),
    (_port("port: http, endPort: 80"), [
        f"{PORT}.endPort: Invalid value: 80: may not be specified when `port` is non-numeric"
    ]),
    (_port("endPort: 80"), [f"{PORT}.endPort: Invalid value: 80: may not be specified when `port` is not specified"]),
    (_port("port: '12'"), [f'{PORT}.port: Invalid value: "12": must contain at least one letter (a-z)']),
    (_peer("podSelector: {}, namespaceSelector: {}"), []),
    (_peer("namespaceSelector: {matchLabels: {'-': a}}"), [
        f'{PEER}.namespaceSelector.matchLabels: Invalid value: "-": name part must consist of alphanumeric characters, '
        "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
        "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    ]),
    (_peer("ipBlock: {cidr: ''}"), [f"{PEER}.ipBlock.cidr: Required value"]),
    (_peer("ipBlock: {cidr: 10.9.8.7}"), [f'{PEER}.ipBlock.cidr: Invalid value: "10.9.8.7": {CIDR}']),
    (_peer("ipBlock: {cidr: 10.9.0.0/16, except: [10.9.8.0/24]}"), []),
    (_peer("ipBlock: {cidr: 10.9.0.0/16, except: [a, 10.8.0.0/24, 10.9.0.0/16]}"), [
        f'{PEER}.ipBlock.except[0]: Invalid value: "a": {CIDR}',
        f'{PEER}.ipBlock.except[1]: Invalid value: "10.8.0.0/24": must be a strict subset of `cidr`',
        f'{PEER}.ipBlock.except[2]: Invalid value: "10.9.0.0/16": must be a strict subset of `cidr`',
    ]),
    (_peer("podSelector: {}, ipBlock: {cidr: 10.9.0.0/16}"), [
        f"{PEER}: Forbidden: may not specify both ipBlock and another peer"
    ]),
]  # fmt: skip

_CLASSES: list[tuple[str, Faults]] = [
    ("spec: {controller: ''}", ["spec.controller: Required value"]),
    ("spec: {controller: example.com}", [
        'spec.controller: Invalid value: "example.com": must be a domain-prefixed path (such as "acme.io/foo")'
    ]),
    ("spec: {controller: A_/c}", [f'spec.controller: Invalid value: "A_": {SUBDOMAIN}']),
    (f"spec: {{controller: example.com/{'c' * 240}}}", ["spec.controller: Too long: may not be more than 250 bytes"]),
    (_parameters("scope: Cluster"), []),
    (_parameters("apiGroup: A_"), [f'{PARAMETERS}.apiGroup: Invalid value: "A_": {SUBDOMAIN}']),
    ("spec: {parameters: {}}", [
        f"{PARAMETERS}.kind: Required value: kind is required", f"{PARAMETERS}.name: Required value: name is required"
    ]),
    ("spec: {parameters: {kind: a/b, name: '..'}}", [
        f"{PARAMETERS}.kind: Invalid value: \"a/b\": may not contain '/'",
        f"{PARAMETERS}.name: Invalid value: \"..\": may not be '..'",
    ]),
    (_parameters("scope: Odd"), [f'{PARAMETERS}.scope: Unsupported value: "Odd": supported values: "Cluster", "Namespace"']),
    (_parameters("scope: Namespace"), [
        f"{PARAMETERS}.namespace: Required value: `parameters.scope` is set to 'Namespace'"
    ]),
    (_parameters("scope: Namespace, namespace: A_"), [f'{PARAMETERS}.namespace: Invalid value: "A_": {LABEL}']),
    (_parameters("scope: Cluster, namespace: default"), [
        f"{PARAMETERS}.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"
    ]),
]  # fmt: skip

ROWS: list[Row] = [
    *((POLICY, patch, faults) for patch, faults in _POLICIES),
    *((CLASS, patch, faults) for patch, faults in _CLASSES),
    (ADDRESS, "metadata: {name: 2001:DB8::1}", [
        'metadata.name: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")'
    ]),
    (ADDRESS, "metadata: {name: 10.9.8.07}", ['metadata.name: Invalid value: "10.9.8.07": must not have leading 0s']),
    (ADDRESS, "metadata: {name: '::ffff:1.2.3.4'}", [
        'metadata.name: Invalid value: "::ffff:1.2.3.4": must not be an IPv4-mapped IPv6 address'
    ]),
    (ADDRESS, "spec: {parentRef: null}", [
        "spec.parentRef.resource: Required value", "spec.parentRef.name: Required value"
    ]),
    (ADDRESS, "spec: {parentRef: {group: A_, resource: '', name: a/b, namespace: '..'}}", [
        f'spec.parentRef.group: Invalid value: "A_": {SUBDOMAIN}',
        "spec.parentRef.resource: Required value",
        "spec.parentRef.name: Invalid value: \"a/b\": may not contain '/'",
        "spec.parentRef.namespace: Invalid value: \"..\": may not be '..'",
    ]),
    (RANGE, "spec: {cidrs: []}", ["spec.cidrs: Required value: at least one CIDR required"]),
    (RANGE, "spec: {cidrs: [10.9.8.0/24, '2001:db8::/64']}", []),
    (RANGE, "spec: {cidrs: [10.9.8.7]}", [f'spec.cidrs[0]: Invalid value: "10.9.8.7": {CIDR}']),
    (RANGE, "spec: {cidrs: [10.9.8.0/24, 10.9.9.0/24]}", [
        'spec.cidrs: Invalid value: {"cidrs":["10.9.8.0/24","10.9.9.0/24"]}: may specify no more than one IP for each IP '
        "family, i.e 192.168.0.0/24 and 2001:db8::/64"
    ]),
    (RANGE, "spec: {cidrs: [10.9.8.0/24, 10.9.9.0/24, 10.9.7.0/24]}", [
        'spec.cidrs: Invalid value: {"cidrs":["10.9.8.0/24","10.9.9.0/24","10.9.7.0/24"]}: may only hold up to 2 values'
    ]),
]  # fmt: skip

CHANGES: list[Change] = [
    Change(CLASS, "spec: {controller: example.com/d}", [
        'spec.controller: Invalid value: "example.com/d": field is immutable'
    ]),
    Change(ADDRESS, "spec: {parentRef: {name: t}}", [
        'spec.parentRef: Invalid value: {"resource":"services","namespace":"default","name":"t"}: field is immutable'
    ]),
    Change(POLICY, _peer(""), [f"{PEER}: Required value: must specify a peer"]),
]  # fmt: skip
