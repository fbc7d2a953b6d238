"""What is said of Ingresses."""

from __future__ import annotations

import pytest

from steersman.api.types import networking_v1

from .objects import Faults, Valid

INGRESS = Valid(
    networking_v1.Ingress,
    "spec: {rules: [{host: a.example.com, http: {paths: "
    "[{path: /, pathType: Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]}",
)

INGRESSES: list[tuple[str, Faults]] = [
    ("spec: {rules: null}", ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]),
    (
        "spec: {rules: [{host: '*'}]}",
        [
            (
                "spec.rules[0].host: Invalid value: \"*\": a wildcard DNS-1123 subdomain must start with '*.', "
                "followed by a valid DNS subdomain, which must consist of lower case alphanumeric "
                "characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex "
                "used for validation is "
                "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
    (
        "spec: {rules: [{host: 1.2.3.4}]}",
        ['spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'],
    ),
    (
        "spec: {rules: [{host: A.example.com}]}",
        [
            (
                'spec.rules[0].host: Invalid value: "A.example.com": a lowercase RFC 1123 subdomain must '
                "consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
    (
        "spec: {rules: [{host: '*.a.*'}]}",
        [
            (
                'spec.rules[0].host: Invalid value: "*.a.*": a wildcard DNS-1123 subdomain must start with '
                "'*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric "
                "characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex "
                "used for validation is "
                "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
    ("spec: {rules: [{http: {paths: []}}]}", ["spec.rules[0].http.paths: Required value"]),
    (
        (
            "spec: {rules: [{http: {paths: [{pathType: Exact, path: '', backend: {service: {name: s, "
            "port: {name: p}}}}]}}]}"
        ),
        ['spec.rules[0].http.paths[0].path: Invalid value: "": must be an absolute path'],
    ),
    (
        (
            "spec: {rules: [{http: {paths: [{pathType: Prefix, path: a//b, backend: {service: {name: s, "
            "port: {name: p}}}}]}}]}"
        ),
        [
            'spec.rules[0].http.paths[0].path: Invalid value: "a//b": must be an absolute path',
            "spec.rules[0].http.paths[0].path: Invalid value: \"a//b\": must not contain '//'",
        ],
    ),
    (
        (
            "spec: {rules: [{http: {paths: [{pathType: Exact, path: /a/../b, backend: {service: {name: "
            "s, port: {name: p}}}}]}}]}"
        ),
        ["spec.rules[0].http.paths[0].path: Invalid value: \"/a/../b\": must not contain '/../'"],
    ),
    (
        (
            "spec: {rules: [{http: {paths: [{pathType: Sideways, path: /, backend: {service: {name: s, "
            "port: {name: p}}}}]}}]}"
        ),
        [
            (
                'spec.rules[0].http.paths[0].pathType: Unsupported value: "Sideways": supported values: '
                '"Exact", "ImplementationSpecific", "Prefix"'
            )
        ],
    ),
    (
        ("spec: {rules: [{http: {paths: [{path: /, backend: {service: {name: s, port: {name: p}}}}]}}]}"),
        ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"],
    ),
    ("spec: {defaultBackend: {}}", ['spec.defaultBackend: Invalid value: "": resource or service backend is required']),
    (
        "spec: {defaultBackend: {service: {name: '', port: {number: 80}}}}",
        ["spec.defaultBackend.service.name: Required value"],
    ),
    (
        "spec: {defaultBackend: {service: {name: s}}}",
        ["spec.defaultBackend: Required value: port name or number is required"],
    ),
    (
        "spec: {defaultBackend: {service: {name: s, port: {number: 80, name: p}}}}",
        ['spec.defaultBackend: Invalid value: "": cannot set both port name & port number'],
    ),
    (
        "spec: {defaultBackend: {service: {name: s, port: {number: 70000}}}}",
        [("spec.defaultBackend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive")],
    ),
    (
        "spec: {defaultBackend: {service: {name: s, port: {name: P--}}}}",
        [
            (
                'spec.defaultBackend.service.port.name: Invalid value: "P--": must contain only '
                "alpha-numeric characters (a-z, 0-9), and hyphens (-)"
            ),
            ('spec.defaultBackend.service.port.name: Invalid value: "P--": must contain at least one letter (a-z)'),
            ('spec.defaultBackend.service.port.name: Invalid value: "P--": must not contain consecutive hyphens'),
            ('spec.defaultBackend.service.port.name: Invalid value: "P--": must not begin or end with a hyphen'),
        ],
    ),
    (
        ("spec: {defaultBackend: {service: {name: s, port: {number: 1}}, resource: {kind: K, name: r}}}"),
        ['spec.defaultBackend: Invalid value: "": cannot set both resource and service backends'],
    ),
    (
        "spec: {defaultBackend: {resource: {kind: '', name: ''}}}",
        [
            "spec.defaultBackend.resource.kind: Required value: kind is required",
            "spec.defaultBackend.resource.name: Required value: name is required",
        ],
    ),
    (
        "spec: {tls: [{hosts: ['*', b..c], secretName: S_}]}",
        [
            (
                'spec.tls[0].hosts[0]: Invalid value: "*": a wildcard DNS-1123 subdomain must start with '
                "'*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric "
                "characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex "
                "used for validation is "
                "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ),
            (
                'spec.tls[0].hosts[1]: Invalid value: "b..c": a lowercase RFC 1123 subdomain must consist of '
                "lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
                "character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ),
            (
                'spec.tls[0].secretName: Invalid value: "S_": a lowercase RFC 1123 subdomain must consist of '
                "lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
                "character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ),
        ],
    ),
    (
        "spec: {ingressClassName: A_}",
        [
            (
                'spec.ingressClassName: Invalid value: "A_": a lowercase RFC 1123 subdomain must consist of '
                "lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
                "character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
    (
        "{metadata: {annotations: {kubernetes.io/ingress.class: b}}, spec: {ingressClassName: a}}",
        [
            (
                'annotations.kubernetes.io/ingress.class: Invalid value: "b": must match `ingressClassName` '
                "when both are specified"
            )
        ],
    ),
]


def test_a_valid_one_passes() -> None:
    assert INGRESS.faults() == []


@pytest.mark.parametrize(("patch", "faults"), INGRESSES)
def test_ingresses(patch: str, faults: Faults) -> None:
    assert INGRESS.faults(patch) == faults
