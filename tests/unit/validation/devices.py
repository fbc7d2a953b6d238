"""What is said of devices, claims and slices: upstream's ``pkg/apis/resource/validation``."""

from __future__ import annotations

from steersman.api.types import resource_v1

from .grammars import LABEL, QUALIFIED, SUBDOMAIN
from .objects import Change, Faults, Row, Valid

CLAIM, TEMPLATE, CLASS, SLICE = "ResourceClaim", "ResourceClaimTemplate", "DeviceClass", "ResourceSlice"
_REQUEST = "devices: {requests: [{name: r, exactly: {deviceClassName: c}}]}"
_ALLOCATED = "allocation: {devices: {results: [{request: r, driver: d, pool: p, device: e}]}}"
KINDS = {
    CLAIM: Valid(resource_v1.ResourceClaim, f"spec: {{{_REQUEST}}}"),
    TEMPLATE: Valid(resource_v1.ResourceClaimTemplate, f"spec: {{spec: {{{_REQUEST}}}}}"),
    CLASS: Valid(resource_v1.DeviceClass, "spec: {}", ""),
    SLICE: Valid(
        resource_v1.ResourceSlice,
        "spec: {driver: d, nodeName: node, pool: {name: p, resourceSliceCount: 1, generation: 1}, devices: [{name: e}]}",
        "",
    ),
}
IDENTIFIER = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or "
    "'_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')"
)
REFERENCE = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
EFFECTS = 'supported values: "NoExecute", "NoSchedule", "None"'
DEVICES = "spec.devices"
EXACTLY = f"{DEVICES}.requests[0].exactly"
DEVICE = f"{DEVICES}[0]"
CONSTRAINT = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
NODES = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
APART = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in "
    "the ResourceSlice spec"
)


def _requests(text: str) -> str:
    return f"spec: {{devices: {{requests: [{text}]}}}}"


def _exactly(text: str) -> str:
    return _requests(f"{{name: r, exactly: {{deviceClassName: c, {text}}}}}")


def _claim(text: str) -> str:
    return f"spec: {{devices: {{{text}}}}}"


def _device(text: str) -> str:
    return f"spec: {{devices: [{{name: e, {text}}}]}}"


def _policy(text: str, value: str = "10") -> str:
    capacity = f"{{a: {{value: '{value}', requestPolicy: {{{text}}}}}}}"
    return _device(f"allowMultipleAllocations: true, capacity: {capacity}")


def _many(count: int, text: str) -> str:
    return "[" + ", ".join(text.replace("#", str(number)) for number in range(count)) + "]"


_CLAIMS: list[tuple[str, Faults]] = [
    (_requests("{name: A_, exactly: {deviceClassName: c}}"), [f'{DEVICES}.requests[0].name: Invalid value: "A_": {LABEL}']),
    (_requests("{name: r}"), [
        f"{DEVICES}.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"
    ]),
    (_requests("{name: r, exactly: {deviceClassName: c}, firstAvailable: [{name: s, deviceClassName: c}]}"), [
        f"{DEVICES}.requests[0]: Invalid value: null: exactly one of `exactly` or `firstAvailable` is required, but multiple "
        "fields are set"
    ]),
    (_requests("{name: r, firstAvailable: [{name: s, deviceClassName: c}, {name: s, deviceClassName: ''}]}"), [
        f"{DEVICES}.requests[0].firstAvailable[1].deviceClassName: Required value",
        f'{DEVICES}.requests[0].firstAvailable[1]: Duplicate value: "s"',
    ]),
    (_requests("{name: r, exactly: {deviceClassName: c}}, {name: r, exactly: {deviceClassName: c}}"), [
        f'{DEVICES}.requests[1]: Duplicate value: "r"'
    ]),
    (f"spec: {{devices: {{requests: {_many(33, '{name: r#, exactly: {deviceClassName: c}}')}}}}}", [
        f"{DEVICES}.requests: Too many: 33: must have at most 32 items"
    ]),
    (_requests("{name: r, exactly: {deviceClassName: A_}}"), [f'{EXACTLY}.deviceClassName: Invalid value: "A_": {SUBDOMAIN}']),
    (_exactly("allocationMode: All, count: 1"), [
        f"{EXACTLY}.count: Invalid value: 1: must not be specified when allocationMode is 'All'"
    ]),
    (_exactly("allocationMode: ExactCount, count: -1"), [f"{EXACTLY}.count: Invalid value: -1: must be greater than zero"]),
    (_exactly("allocationMode: Odd"), [
        f'{EXACTLY}.allocationMode: Unsupported value: "Odd": supported values: "All", "ExactCount"'
    ]),
    (_exactly("selectors: [{}]"), [f"{EXACTLY}.selectors[0].cel: Required value"]),
    (_exactly(f"selectors: [{{cel: {{expression: {'a' * 10241}}}}}]"), [
        f"{EXACTLY}.selectors[0].cel.expression: Too long: may not be more than 10240 bytes"
    ]),
    (_exactly("tolerations: [{operator: Exists, value: a}, {operator: Equal, key: '-', value: b, effect: Odd}]"), [
        f'{EXACTLY}.tolerations[0].value: Invalid value: "a": must be empty for operator `Exists`',
        f'{EXACTLY}.tolerations[1].key: Invalid value: "-": {QUALIFIED}',
        f'{EXACTLY}.tolerations[1].effect: Unsupported value: "Odd": {EFFECTS}',
    ]),
    (_exactly("tolerations: [{operator: Near}]"), [
        f'{EXACTLY}.tolerations[0].operator: Unsupported value: "Near": supported values: "Equal", "Exists"'
    ]),
    (_claim("constraints: [{requests: [r, q, r, a/b/c], matchAttribute: d/a}]"), [
        f'{DEVICES}.constraints[0].requests[1]: Invalid value: "q": {REFERENCE}',
        f'{DEVICES}.constraints[0].requests[3]: Invalid value: "a/b/c": {REFERENCE}',
        f'{DEVICES}.constraints[0].requests[2]: Duplicate value: "r"',
    ]),
    (_claim("constraints: [{}]"), [f"{DEVICES}.constraints[0]: Required value: {CONSTRAINT}"]),
    (_claim("constraints: [{matchAttribute: a}]"), [
        f'{DEVICES}.constraints[0].matchAttribute: Invalid value: "a": a fully qualified name must be a domain and a name '
        "separated by a slash"
    ]),
    (_claim("constraints: [{distinctAttribute: d/1}]"), [
        f'{DEVICES}.constraints[0].distinctAttribute: Invalid value: "1": {IDENTIFIER}'
    ]),
    (_claim("constraints: [{matchAttribute: /}]"), [
        f'{DEVICES}.constraints[0].matchAttribute: Invalid value: "": the domain must not be empty',
        f'{DEVICES}.constraints[0].matchAttribute: Invalid value: "": the name must not be empty',
    ]),
    (_claim("config: [{}]"), [f"{DEVICES}.config[0].opaque: Required value"]),
    (_claim("config: [{opaque: {driver: '', parameters: {}}}]"), [
        f"{DEVICES}.config[0].opaque.driver: Required value",
        f'{DEVICES}.config[0].opaque.driver: Invalid value: "": {SUBDOMAIN}',
        f"{DEVICES}.config[0].opaque.parameters: Required value",
    ]),
    (_claim(f"config: [{{opaque: {{driver: d, parameters: {{a: {'b' * 10240}}}}}}}]"), [
        f"{DEVICES}.config[0].opaque.parameters: Too long: may not be more than 10240 bytes"
    ]),
]  # fmt: skip

_SLICES: list[tuple[str, Faults]] = [
    ("spec: {driver: A_}", [f'spec.driver: Invalid value: "A_": {SUBDOMAIN.replace("A_", "a_")}']),
    (f"spec: {{driver: {'d' * 64}}}", ["spec.driver: Too long: may not be more than 63 bytes"]),
    ("spec: {pool: {name: '', resourceSliceCount: 0, generation: -1}}", [
        "spec.pool.name: Required value",
        "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero",
        "spec.pool.generation: Invalid value: -1: must be greater than or equal to zero",
    ]),
    ("spec: {pool: {name: a//b}}", [f'spec.pool.name: Invalid value: "": {SUBDOMAIN}']),
    ("spec: {nodeName: null}", [f"spec: Required value: {NODES}"]),
    ("spec: {allNodes: true}", [
        f'spec: Invalid value: "{{`nodeName`, `allNodes`}}": {NODES}, but multiple fields are set'
    ]),
    ("spec: {allNodes: false}", ["spec.allNodes: Invalid value: false: must be either unset or set to true"]),
    ("spec: {nodeName: A_}", [f'spec.nodeName: Invalid value: "A_": {SUBDOMAIN}']),
    ("spec: {sharedCounters: [{name: s, counters: {a: {value: 1}}}]}", [
        'spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed'
    ]),
    ("spec: {devices: null, sharedCounters: [{name: '', counters: {}}, {name: s, counters: {A_: {value: 1}}}]}", [
        "spec.sharedCounters[0].name: Required value",
        "spec.sharedCounters[0].counters: Required value",
        f'spec.sharedCounters[1].counters[A_]: Invalid value: "A_": {LABEL}',
    ]),
    ("spec: {devices: [{name: e}, {name: e}, {name: A_}]}", [
        f'{DEVICES}[1]: Duplicate value: "e"', f'{DEVICES}[2].name: Invalid value: "A_": {LABEL}'
    ]),
    (f"spec: {{devices: {_many(129, '{name: e#}')}}}", [f"{DEVICES}: Too many: 129: must have at most 128 items"]),
    (f"spec: {{devices: {_many(65, '{name: e#, taints: [{key: a, effect: None}]}')}}}", [
        f"{DEVICES}: Too many: 65: must have at most 64 items"
    ]),
    (_device("attributes: {a: {}}"), [f'{DEVICE}.attributes[a]: Invalid value: "": exactly one value must be specified']),
    (_device("attributes: {a: {bool: true, int: 1}}"), [
        f'{DEVICE}.attributes[a]: Invalid value: {{"int":1,"bool":true}}: exactly one value must be specified'
    ]),
    (_device("attributes: {d/1a: {version: '1.0'}}"), [
        f'{DEVICE}.attributes[d/1a]: Invalid value: "1a": {IDENTIFIER}',
        f'{DEVICE}.attributes[d/1a].version: Invalid value: "1.0": must be a string compatible with semver.org spec 2.0.0',
    ]),
    (_device(f"attributes: {{a: {{string: {'b' * 65}}}}}"), [
        f"{DEVICE}.attributes[a].string: Too long: may not be more than 64 bytes"
    ]),
    (_device("attributes: {" + ", ".join(f"a{n}: {{int: 1}}" for n in range(33)) + "}"), [
        f"{DEVICE}: Invalid value: 33: the total number of attributes and capacities must not exceed 32"
    ]),
    (_device("taints: [{key: '-', value: '-'}]"), [
        f'{DEVICE}.taints[0].key: Invalid value: "-": {QUALIFIED}',
        f'{DEVICE}.taints[0].value: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric '
        "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
        "'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        f"{DEVICE}.taints[0].effect: Required value",
    ]),
    (_device("taints: [{key: a, effect: Odd}]"), [f'{DEVICE}.taints[0].effect: Unsupported value: "Odd": {EFFECTS}']),
    (_device("consumesCounters: [{counterSet: '', counters: {}}]"), [
        f"{DEVICE}.consumesCounters[0].counterSet: Required value", f"{DEVICE}.consumesCounters[0].counters: Required value"
    ]),
    (_device("nodeName: node"), [
        f"{DEVICE}: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if "
        "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
    ]),
    ("spec: {nodeName: null, perDeviceNodeSelection: true}", [f"{DEVICE}: Required value: {APART}"]),
    ("spec: {nodeName: null, perDeviceNodeSelection: true, devices: [{name: e, nodeName: node, allNodes: true}]}", [
        f'{DEVICE}: Invalid value: "{{`nodeName`, `allNodes`}}": {APART}'
    ]),
    (_device("bindingConditions: [a, a], bindingFailureConditions: [a, '-']"), [
        f'{DEVICE}.bindingFailureConditions[1]: Invalid value: "-": {QUALIFIED}',
        f'{DEVICE}.bindingConditions[1]: Duplicate value: "a"',
        f'{DEVICE}.bindingFailureConditions[0]: Invalid value: "a": bindingFailureConditions must not overlap with '
        "bindingConditions",
    ]),
    (_device("bindingConditions: [a]"), [
        f"{DEVICE}.bindingFailureConditions: Invalid value: []: bindingFailureConditions are required to use bindingConditions"
    ]),
    # Shared capacities.
    (_device("capacity: {a: {value: 1, requestPolicy: {default: 1}}}"), [
        f"{DEVICE}.capacity[a].requestPolicy: Forbidden: allowMultipleAllocations must be true"
    ]),
    (_policy("default: 1, validValues: [1, 2]"), []),
    (_policy("validValues: [1]"), [
        f"{DEVICE}.capacity[a].requestPolicy.default: Required value: required when validValues is defined"
    ]),
    (_policy("default: 3, validValues: [2, 1, 20]"), [
        f'{DEVICE}.capacity[a].requestPolicy.validValues[1]: Invalid value: "1": values must be sorted in ascending order',
        f'{DEVICE}.capacity[a].requestPolicy.validValues[2]: Invalid value: "20": option is larger than capacity value: 10',
        f'{DEVICE}.capacity[a].requestPolicy.validValues: Invalid value: "3": default value is not valid according to the '
        "requestPolicy",
    ]),
    (_policy("default: 1, validRange: {}"), [
        f"{DEVICE}.capacity[a].requestPolicy.validRange.min: Required value: required when validRange is defined"
    ]),
    (_policy("default: 1, validRange: {min: 2, max: 12, step: 3}"), [
        f'{DEVICE}.capacity[a].requestPolicy.validRange.min: Invalid value: "1": default is less than min: 2',
        f'{DEVICE}.capacity[a].requestPolicy.validRange.max: Invalid value: "12": max is larger than capacity value: 10',
        f'{DEVICE}.capacity[a].requestPolicy.validRange.step: Invalid value: "1": value is not a multiple of a given step (3) '
        "from (2)",
        f'{DEVICE}.capacity[a].requestPolicy.validRange.step: Invalid value: "12": value is not a multiple of a given step '
        "(3) from (2)",
    ]),
]  # fmt: skip

ROWS: list[Row] = [
    *((CLAIM, patch, faults) for patch, faults in _CLAIMS),
    (TEMPLATE, "spec: {spec: {devices: {requests: [{name: r}]}}}", [
        "spec.spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"
    ]),
    (CLASS, "spec: {selectors: [{}], config: [{}]}", [
        "spec.selectors[0].cel: Required value", "spec.config[0].opaque: Required value"
    ]),
    (CLASS, "spec: {extendedResourceName: example.com/gpu}", []),
    (CLASS, "spec: {extendedResourceName: cpu}", [
        'spec.extendedResourceName: Invalid value: "cpu": must be a valid extended resource name'
    ]),
    *((SLICE, patch, faults) for patch, faults in _SLICES),
]  # fmt: skip


def _reported(text: str) -> str:
    return f"status: {{{_ALLOCATED}, devices: [{{driver: d, pool: p, device: e, {text}}}]}}"


def _known(text: str = "") -> str:
    return f"status: {{{_ALLOCATED}{text}}}"


CHANGES: list[Change] = [
    Change(CLAIM, "metadata: {labels: {a: b}}", []),
    Change(SLICE, "spec: {driver: e, nodeName: m, pool: {name: q}}", [
        'spec.pool.name: Invalid value: "q": field is immutable',
        'spec.driver: Invalid value: "e": field is immutable',
        'spec.nodeName: Invalid value: "m": field is immutable',
    ]),
    Change(CLAIM, _known(), [], subresource="status"),
    Change(CLAIM, "status: {allocation: {devices: {results: [{request: q, driver: d, pool: '', device: E}]}}}", [
        f'status.allocation.devices.results[0].request: Invalid value: "q": {REFERENCE}',
        "status.allocation.devices.results[0].pool: Required value",
        f'status.allocation.devices.results[0].device: Invalid value: "E": {LABEL}',
    ], subresource="status"),
    Change(CLAIM, "status: {allocation: {devices: {config: [{source: Odd, opaque: {driver: d, parameters: {a: 1}}}]}}}", [
        'status.allocation.devices.config[0].source: Unsupported value: "Odd": supported values: "FromClaim", "FromClass"'
    ], subresource="status"),
    Change(CLAIM, "status: {reservedFor: [{resource: pods, name: a, uid: u}]}", [
        "status.reservedFor: Forbidden: may not be specified when `allocated` is not set"
    ], subresource="status"),
    Change(CLAIM, _known(", reservedFor: [{resource: '', name: '', uid: u}, {resource: pods, name: a, uid: u}]"), [
        "status.reservedFor[0].resource: Required value",
        "status.reservedFor[0].name: Required value",
        'status.reservedFor[1]: Duplicate value: "u"',
    ], subresource="status"),
    Change(CLAIM, "status: {reservedFor: [{resource: pods, name: a, uid: u}]}", [
        "status.reservedFor: Forbidden: new entries may not be added while `deallocationRequested` or `deletionTimestamp` are "
        "set"
    ], old=f"{{metadata: {{deletionTimestamp: '2026-01-01T00:00:00Z'}}, {_known()}}}", subresource="status"),
    Change(CLAIM, "status: {devices: [{driver: d, pool: p, device: f}]}", [
        'status.devices[0]: Invalid value: "d/p/f": must be an allocated device in the claim'
    ], old=_known(), subresource="status"),
    Change(CLAIM, _reported("networkData: {ips: [10.9.8.7/24, 10.9.8.7, 10.9.8.07/24], interfaceName: eth0}"), [
        'status.devices[0].networkData.ips[1]: Invalid value: "10.9.8.7": must be a valid address in CIDR form, (e.g. '
        "10.9.8.7/24 or 2001:db8::1/64)",
        'status.devices[0].networkData.ips[2]: Invalid value: "10.9.8.07/24": must be in canonical form ("10.9.8.7/24")',
    ], subresource="status"),
    *(Change(CLAIM, f"status: {{allocation: {{devices: {{results: [{{request: r, driver: d, pool: p, device: e, shareID: '{share}'}}]}}}}}}", [
        f'status.allocation.devices.results[0].shareID: Invalid value: "{share}": {detail}'
    ], subresource="status") for share, detail in (
        ("a", "error validating uid: invalid UUID length: 1"),
        ("x" * 36, "error validating uid: invalid UUID format"),
        ("A" * 8 + "-aaaa-aaaa-aaaa-" + "a" * 12, "uid must be in RFC 4122 normalized form, "
         "`xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters"),
    )),
]  # fmt: skip
