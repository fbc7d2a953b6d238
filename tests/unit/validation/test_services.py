"""What is wrong with Services, ServiceCIDRs and IPAddresses, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.types import core_v1 as v1
from steersman.api.types import networking_v1
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.validation import addresses, services, validate, validate_update
from steersman.api.yaml import load_yaml


def build(type_: type[Any], text: str) -> Any:
    obj = codecs.from_builtins(type_, load_yaml(text))
    obj.metadata.name = obj.metadata.name or "x"
    obj.metadata.namespace = "default" if type_ is v1.Service else ""
    apply_defaults(obj)
    return obj


def faults(type_: type[Any], text: str) -> list[str]:
    return [str(fault) for fault in validate(build(type_, text))]


PORT = "ports: [{port: 80}]"
LOOPBACK = "may not be in the loopback range (127.0.0.0/8, ::1/128)"


@pytest.mark.parametrize(
    "text",
    [
        f"spec: {{{PORT}}}",
        "spec: {clusterIP: None, clusterIPs: [None]}",
        "spec: {type: ExternalName, externalName: example.com.}",
        f"spec: {{{PORT}, externalIPs: [1.2.3.4, '2001:db8::1'], externalTrafficPolicy: Local}}",
        f"spec: {{{PORT}, type: LoadBalancer, loadBalancerSourceRanges: [' 10.0.0.0/8 '], loadBalancerClass: a.b/c}}",
        f"spec: {{{PORT}, sessionAffinity: ClientIP}}",
        f"spec: {{{PORT}, trafficDistribution: PreferSameNode}}",
        "spec: {ports: [{port: 80, targetPort: http, appProtocol: example.com/x}]}",
        f"spec: {{{PORT}, clusterIP: 010.0.0.1, clusterIPs: [010.0.0.1, '::1'], ipFamilies: [IPv4, IPv6]}}",
    ],
)
def test_good_services(text: str) -> None:
    assert faults(v1.Service, text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spec: {}", ["spec.ports: Required value"]),
        (
            f"spec: {{{PORT}, type: Foo}}",
            ['spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "Load'],
        ),
        (
            "spec: {type: LoadBalancer, ports: [{port: 10250}]}",
            ["spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet"],
        ),
        (
            f"spec: {{type: NodePort, {PORT}, clusterIP: None, clusterIPs: [None]}}",
            ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
        ),
        (
            "spec: {type: ExternalName, clusterIP: 1.2.3.4, clusterIPs: [1.2.3.4], ipFamilies: [IPv4]}",
            [
                "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
                "spec.ipFamilies: Forbidden: may not be set for ExternalName services",
                "spec.externalName: Required value",
            ],
        ),
        (
            "spec: {ports: [{port: 0, name: A_, targetPort: '-'}, {port: 80, protocol: HTTP}]}",
            [
                "spec.ports[0].name: Invalid value",
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value",
                "spec.ports[0].targetPort: Invalid value",
                "spec.ports[1].name: Required value",
                'spec.ports[1].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
            ],
        ),
        (
            "spec: {type: NodePort, ports: [{name: a, port: 80, nodePort: 3000}, {name: b, port: 80, nodePort: 3000}]}",
            ["spec.ports[1].nodePort: Duplicate value: 3000", "spec.ports[1]: Duplicate value"],
        ),
        (
            f"spec: {{{PORT}, sessionAffinity: ClientIP, "
            "sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}}",
            [
                "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0"
                " and less than 86400"
            ],
        ),
        (
            f"spec: {{{PORT}, clusterIP: 1.2.3.4, clusterIPs: [1.2.3.5, 1.2.3.6], ipFamilies: [IPv6, IPv6, IPv5]}}",
            [
                'spec.clusterIPs: Invalid value: ["1.2.3.5","1.2.3.6"]: first value must match `clusterIP`',
                'spec.ipFamilies[1]: Duplicate value: "IPv6"',
                'spec.ipFamilies[2]: Unsupported value: "IPv5"',
                'spec.clusterIPs: Invalid value: ["1.2.3.5","1.2.3.6"]: may specify no more than one IP for each IP',
                'spec.clusterIPs[0]: Invalid value: "1.2.3.5": expected an IPv6 value as indicated by `ipFamilies[0]`',
                'spec.clusterIPs[1]: Invalid value: "1.2.3.6": expected an IPv6 value as indicated by `ipFamilies[1]`',
            ],
        ),
        (
            f"spec: {{{PORT}, clusterIP: None, clusterIPs: [None, x]}}",
            [
                'spec.clusterIPs: Invalid value: ["None","x"]: \'None\' must be the first and only value',
                'spec.clusterIPs[1]: Invalid value: "x": must be a valid IP address',
            ],
        ),
        (
            f"spec: {{{PORT}, externalIPs: [x, 127.0.0.1, 0.0.0.0, 'fe80::1', 224.0.0.9]}}",
            [
                'spec.externalIPs[0]: Invalid value: "x": must be a valid IP address',
                f'spec.externalIPs[1]: Invalid value: "127.0.0.1": {LOOPBACK}',
                'spec.externalIPs[2]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)',
                'spec.externalIPs[3]: Invalid value: "fe80::1": may not be in the link-local range',
                'spec.externalIPs[4]: Invalid value: "224.0.0.9": may not be in the link-local multicast range',
            ],
        ),
        (
            f"spec: {{{PORT}, loadBalancerSourceRanges: [10.0.0.0], allocateLoadBalancerNodePorts: true, "
            "loadBalancerClass: x, externalTrafficPolicy: Local, healthCheckNodePort: 3}",
            [
                "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
                'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a valid CIDR value',
                "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
                "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
                'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible',
                "spec.healthCheckNodePort: Invalid value: 3: may only be set when `type` is 'LoadBalancer' and",
            ],
        ),
        (
            "metadata: {annotations: {service.kubernetes.io/topology-mode: Auto, "
            f"service.kubernetes.io/topology-aware-hints: auto}}}}\nspec: {{{PORT}, trafficDistribution: Far}}",
            [
                'metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "Auto": must match '
                "annotations"
                "[service.kubernetes.io/topology-aware-hints] when both are specified",
                'spec.trafficDistribution: Unsupported value: "Far": supported values: "PreferClose"',
            ],
        ),
    ],
)
def test_faulty_services(text: str, expected: list[str]) -> None:
    found = faults(v1.Service, text)
    assert len(found) == len(expected), found
    for one, beginning in zip(found, expected, strict=True):
        assert one.startswith(beginning)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "clusterIP: 1.1.1.1, clusterIPs: [1.1.1.1, '::1'], ipFamilies: [IPv4, IPv6]",
            "clusterIP: 1.1.1.1, clusterIPs: [1.1.1.1], ipFamilies: [IPv4, IPv6], ipFamilyPolicy: PreferDualStack",
            "spec.ipFamilyPolicy: Invalid value: \"PreferDualStack\": must be set to 'SingleStack' when releasing the "
            "secondary clusterIP",
        ),
        (
            "clusterIP: 1.1.1.1, clusterIPs: [1.1.1.1], ipFamilies: [IPv4]",
            "ipFamilies: [IPv4]",
            "spec.clusterIPs[0]: Invalid value: []: primary clusterIP can not be unset",
        ),
        (
            "clusterIP: None, clusterIPs: [None], ipFamilies: [IPv4]",
            "clusterIP: None, clusterIPs: [None], ipFamilies: [IPv6]",
            "",
        ),
    ],
)
def test_changes_of_services(before: str, after: str, message: str) -> None:
    old, new = (build(v1.Service, f"spec: {{{PORT}, {text}}}") for text in (before, after))
    found = [str(fault) for fault in validate_update(new, old)]
    assert found == ([message] if message else [])


@pytest.mark.parametrize(
    ("ingress", "expected"),
    [
        ("{ip: 1.2.3.4, ipMode: VIP}", ""),
        ("{ip: x, ipMode: VIP}", 'ip: Invalid value: "x": must be a valid IP address'),
        ("{ip: 1.2.3.4, ipMode: Fast}", 'ipMode: Unsupported value: "Fast": supported values: "Proxy", "VIP"'),
        ("{hostname: h, ipMode: VIP}", "ipMode: Forbidden: may not be specified when `ip` is not set"),
        ("{hostname: 1.2.3.4}", 'hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'),
    ],
)
def test_status_of_load_balancers(ingress: str, expected: str) -> None:
    text = f"spec: {{type: LoadBalancer, {PORT}}}\nstatus: {{loadBalancer: {{ingress: [{ingress}]}}}}"
    obj = build(v1.Service, text)
    found = [str(fault) for fault in validate_update(obj, obj, "status")]
    assert len(found) == bool(expected)
    assert all(each.startswith(f"status.loadBalancer.ingress[0].{expected}") for each in found)


def test_warnings() -> None:
    obj = build(
        v1.Service,
        f"spec: {{{PORT}, clusterIP: 05.06.07.08, clusterIPs: [05.06.07.08, '2001:db8:0:0::2'], externalName: x, "
        "externalIPs: ['::ffff:1.2.3.4'], loadBalancerSourceRanges: [192.12.2.8/24, '2001:db8:0:0::/64'], "
        "trafficDistribution: PreferClose}",
    )
    obj.metadata.annotations["service.kubernetes.io/topology-aware-hints"] = "auto"
    future = "will be considered invalid in a future Kubernetes release"
    assert services.warnings(obj) == [
        "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use "
        "service.kubernetes.io/topology-mode instead",
        f'spec.clusterIPs[0]: non-standard IP address "05.06.07.08" {future}: use "5.6.7.8"',
        'spec.clusterIPs[1]: IPv6 address "2001:db8:0:0::2" should be in RFC 5952 canonical format ("2001:db8::2")',
        f'spec.externalIPs[0]: non-standard IP address "::ffff:1.2.3.4" {future}: use "1.2.3.4"',
        'spec.loadBalancerSourceRanges[0]: CIDR value "192.12.2.8/24" is ambiguous in this context (should be '
        '"192.12.2.0/24" or "192.12.2.8/32"?)',
        'spec.loadBalancerSourceRanges[1]: IPv6 CIDR value "2001:db8:0:0::/64" should be in RFC 5952 canonical format '
        '("2001:db8::/64")',
        'spec.externalName is ignored when spec.type is not "ExternalName"',
        'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
    ]


@pytest.mark.parametrize(
    ("text", "usual"),
    [
        ("192.012.2.0/24", "192.12.2.0/24"),
        ("192.12.2.0/024", "192.12.2.0/24"),
        ("::ffff:192.12.2.0/120", "192.12.2.0/24"),
        ("10.0.0.0/33", None),
        ("10.0.0.0", None),
        ("fe80::1%eth0/64", None),
    ],
)
def test_odd_networks(text: str, usual: str | None) -> None:
    parsed = addresses.parse_network(text)
    assert (str(parsed.network) if parsed is not None else None) == usual
    assert bool(list(addresses.canonical_network(text)))


@pytest.mark.parametrize(
    ("cidrs", "expected"),
    [
        ([], "Required value: at least one CIDR required"),
        (["10.0.0.0/24", "fd00::/112"], ""),
        (["10.0.0.0/24", "10.0.1.0/24"], 'Invalid value: {"cidrs":["10.0.0.0/24","10.0.1.0/24"]}: may specify no more'),
        (["10.0.0.0/24", "fd00::/112", "fd01::/112"], "Invalid value: "),
        (["10.0.0.1/24"], '[0]: Invalid value: "10.0.0.1/24": must not have bits set beyond the prefix length'),
        (["FD00::/112"], '[0]: Invalid value: "FD00::/112": must be in canonical form ("fd00::/112")'),
    ],
)
def test_service_cidrs(cidrs: list[str], expected: str) -> None:
    obj = networking_v1.ServiceCIDR(
        metadata=ObjectMeta(name="x"), spec=networking_v1.ServiceCIDRSpec(cidrs=list(cidrs))
    )
    found = [str(fault) for fault in validate(obj)]
    assert len(found) == bool(expected)
    assert all(each.removeprefix("spec.cidrs").removeprefix(": ").startswith(expected) for each in found)


def test_service_cidrs_may_gain_a_family() -> None:
    def change(before: list[str], after: list[str]) -> list[str]:
        new, old = (
            networking_v1.ServiceCIDR(metadata=ObjectMeta(name="x"), spec=networking_v1.ServiceCIDRSpec(cidrs=cidrs))
            for cidrs in (after, before)
        )
        return [str(fault) for fault in validate_update(new, old)]

    four, six = "10.0.0.0/24", "fd00::/112"
    assert change([four], [four, six]) == []
    assert change([four], ["10.0.1.0/24"]) == ['spec.cidrs[0]: Invalid value: "10.0.1.0/24": field is immutable']
    assert change([four, six], [four]) == [f'spec.cidrs: Invalid value: ["{four}"]: field is immutable']


def test_addresses_belong_to_something() -> None:
    text = "metadata: {name: 10.96.0.1}\nspec: {parentRef: {resource: services, namespace: default, name: x}}"
    good = build(networking_v1.IPAddress, text)
    assert validate(good) == []
    found = faults(networking_v1.IPAddress, "metadata: {name: 'FD00::1'}\nspec: {parentRef: {name: a/b}}")
    assert found == [
        'metadata.name: Invalid value: "FD00::1": must be in canonical form ("fd00::1")',
        "spec.parentRef.resource: Required value",
        "spec.parentRef.name: Invalid value: \"a/b\": may not contain '/'",
    ]
    moved = codecs.copy(good)
    moved.spec.parent_ref.name = "y"
    assert next(str(fault) for fault in validate_update(moved, good)).endswith("field is immutable")
