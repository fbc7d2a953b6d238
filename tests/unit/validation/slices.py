"""What is said of EndpointSlices: upstream's ``pkg/apis/discovery/validation``."""

from __future__ import annotations

from steersman.api.types import discovery_v1

from .grammars import LABEL, LABEL_VALUE, QUALIFIED, SUBDOMAIN
from .objects import Change, Faults, Row, Valid

SLICE = "EndpointSlice"
KINDS = {
    SLICE: Valid(
        discovery_v1.EndpointSlice,
        "{addressType: IPv4, endpoints: [{addresses: [10.9.8.7]}], ports: [{name: a, protocol: TCP, port: 80}]}",
    )
}
FIRST = "endpoints[0]"
ADDRESS = f"{FIRST}.addresses[0]"


def _endpoint(text: str) -> str:
    return f"endpoints: [{{addresses: [10.9.8.7], {text}}}]"


def _addresses(kind: str, address: str) -> str:
    return f"{{addressType: {kind}, endpoints: [{{addresses: ['{address}']}}]}}"


_TABLE: list[tuple[str, Faults]] = [
    ("addressType: null", ["addressType: Required value"]),
    ("addressType: IP", ['addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"']),
    ("endpoints: [{addresses: []}]", [f"{FIRST}.addresses: Required value: must contain at least 1 address"]),
    (f"endpoints: [{{addresses: [{', '.join(f'10.0.0.{n}' for n in range(101))}]}}]", [
        f"{FIRST}.addresses: Too many: 101: must have at most 100 items"
    ]),
    (f"endpoints: [{', '.join('{addresses: [10.0.0.1]}' for _ in range(1001))}]", [
        "endpoints: Too many: 1001: must have at most 1000 items"
    ]),
    (_addresses("IPv4", "2001:db8::1"), [f'{ADDRESS}: Invalid value: "2001:db8::1": must be a valid IPv4 address']),
    (_addresses("IPv6", "10.9.8.7"), [f'{ADDRESS}: Invalid value: "10.9.8.7": must be a valid IPv6 address']),
    (_addresses("IPv6", "2001:db8::1"), []),
    (_addresses("IPv4", "127.0.0.1"), [
        f'{ADDRESS}: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'
    ]),
    (_addresses("IPv4", "169.254.1.1"), [
        f'{ADDRESS}: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)'
    ]),
    (_addresses("IPv4", "224.0.0.1"), [
        f'{ADDRESS}: Invalid value: "224.0.0.1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'
    ]),
    (_addresses("IPv6", "::"), [f'{ADDRESS}: Invalid value: "::": may not be unspecified (::)']),
    (_addresses("FQDN", "example.com."), []),
    (_addresses("FQDN", "example"), [
        f'{ADDRESS}: Invalid value: "example": should be a domain with at least two segments separated by dots'
    ]),
    (_addresses("FQDN", "A_.b"), [f'{ADDRESS}: Invalid value: "A_.b": {SUBDOMAIN}']),
    (_endpoint("nodeName: A_"), [f'{FIRST}.nodeName: Invalid value: "A_": {SUBDOMAIN}']),
    (_endpoint("hostname: A_"), [f'{FIRST}.hostname: Invalid value: "A_": {LABEL}']),
    (_endpoint("deprecatedTopology: {'-': a}"), [f'{FIRST}.deprecatedTopology: Invalid value: "-": {QUALIFIED}']),
    (_endpoint("deprecatedTopology: {" + ", ".join(f"a{n}: b" for n in range(17)) + "}"), [
        f"{FIRST}.deprecatedTopology: Too many: 17: must have at most 16 items"
    ]),
    (_endpoint("hints: {forZones: [{name: a}, {name: a}, {name: '-'}]}"), [
        f'{FIRST}.hints.forZones[1].name: Duplicate value: "a"',
        f'{FIRST}.hints.forZones[2].name: Invalid value: "-": {LABEL_VALUE}',
    ]),
    (_endpoint("hints: {forNodes: [{name: a}, {name: a}, {name: A_}]}"), [
        f'{FIRST}.hints.forNodes[1].name: Duplicate value: "a"',
        f'{FIRST}.hints.forNodes[2].name: Invalid value: "A_": {SUBDOMAIN}',
    ]),
    (_endpoint(f"hints: {{forZones: [{', '.join(f'{{name: a{n}}}' for n in range(9))}]}}"), [
        f"{FIRST}.hints.forZones: Too many: 9: must have at most 8 items"
    ]),
    ("ports: [{name: A_}]", [f'ports[0].name: Invalid value: "A_": {LABEL}']),
    ("ports: [{name: ''}, {name: ''}]", ['ports[1].name: Duplicate value: ""']),
    ("ports: [{protocol: HTTP}]", ['ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"']),
    ("ports: [{appProtocol: '-'}]", [f'ports[0].appProtocol: Invalid value: "-": {QUALIFIED}']),
    ("ports: [{port: null, appProtocol: kubernetes.io/h2c}]", []),
]  # fmt: skip

ROWS: list[Row] = [(SLICE, patch, faults) for patch, faults in _TABLE]

CHANGES: list[Change] = [
    Change(SLICE, "{addressType: FQDN, endpoints: []}", ['addressType: Invalid value: "FQDN": field is immutable']),
    Change(SLICE, "{endpoints: [], ports: []}", []),
]  # fmt: skip
