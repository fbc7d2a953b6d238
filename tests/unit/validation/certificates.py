"""What is said of certificate requests and trust bundles: upstream's ``pkg/apis/certificates/validation``."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from steersman.api.types import certificates_v1, certificates_v1beta1

from .grammars import LABEL
from .objects import Change, Faults, Row, Valid

_KEY = ec.generate_private_key(ec.SECP256R1())
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
_PEM = serialization.Encoding.PEM


def _certificate(*, authority: bool) -> str:
    built = (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
        .public_key(_KEY.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(_KEY, hashes.SHA256())
    )
    return built.public_bytes(_PEM).decode()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _lines(text: str) -> str:
    """A text of several lines as YAML's flow style writes it."""
    return '"' + text.replace("\n", "\\n") + '"'


_CSR = (
    x509.CertificateSigningRequestBuilder().subject_name(_NAME).sign(_KEY, hashes.SHA256()).public_bytes(_PEM).decode()
)
_LEAF, _ROOT = _certificate(authority=False), _certificate(authority=True)
_HEADED = _LEAF.replace("-----\n", "-----\nA: b\n\n", 1)

CSR, BUNDLE = "CertificateSigningRequest", "ClusterTrustBundle"
KINDS = {
    CSR: Valid(
        certificates_v1.CertificateSigningRequest,
        f"spec: {{request: {_base64(_CSR)}, signerName: example.com/s, usages: [client auth]}}",
        "",
    ),
    BUNDLE: Valid(certificates_v1beta1.ClusterTrustBundle, f"spec: {{trustBundle: {_lines(_ROOT)}}}", ""),
}
USAGES = (
    '"any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher '
    'only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", '
    '"key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", '
    '"signing", "timestamping"'
)
SIGNER = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
CONDITIONS = "status.conditions"
EXCLUSIVE = "Approved and Denied conditions are mutually exclusive"


def _when(*types: str) -> str:
    listed = ", ".join(f"{{type: {each}, status: 'True'}}" for each in types)
    return f"status: {{conditions: [{listed}]}}"


def _issued(text: str) -> str:
    return f"status: {{certificate: {_base64(text)}}}"


def _refused(detail: str) -> Faults:
    return [f'status.certificate: Invalid value: "<certificate data>": {detail}']


def _anchors(text: str) -> str:
    return f"spec: {{trustBundle: {_lines(text)}}}"


def _distrusted(detail: str) -> Faults:
    return [f'spec.trustBundle: Invalid value: "<value omitted>": {detail}']


ROWS: list[Row] = [
    (CSR, "metadata: {name: 'a:B_c'}", []),
    (CSR, f"spec: {{request: {_base64(_LEAF)}}}", [
        f'spec.request: Invalid value: "{_base64(_LEAF)}": PEM block type must be CERTIFICATE REQUEST'
    ]),
    (CSR, "spec: {request: YQ==}", ['spec.request: Invalid value: "YQ==": PEM block type must be CERTIFICATE REQUEST']),
    (CSR, "spec: {usages: []}", ["spec.usages: Required value"]),
    (CSR, "spec: {usages: [any, odd, any]}", [
        f'spec.usages[1]: Unsupported value: "odd": supported values: {USAGES}', 'spec.usages[2]: Duplicate value: "any"'
    ]),
    (CSR, "spec: {signerName: null}", ["spec.signerName: Required value"]),
    (CSR, "spec: {signerName: kubernetes.io/legacy-unknown}", [
        'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API '
        "version"
    ]),
    (CSR, "spec: {signerName: example.com}", [f'spec.signerName: Invalid value: "example.com": {SIGNER}']),
    (CSR, "spec: {signerName: a/b/c}", [f'spec.signerName: Invalid value: "a/b/c": {SIGNER}']),
    (CSR, "spec: {signerName: example/s}", [
        'spec.signerName: Invalid value: "example": should be a domain with at least two segments separated by dots'
    ]),
    (CSR, "spec: {signerName: A_.b/s}", [f'spec.signerName: Invalid value: "A_.b": validating label "A_": {LABEL}']),
    (CSR, f"spec: {{signerName: {'a.' * 127}aa/s}}", ["spec.signerName: Too long: may not be more than 253 bytes"]),
    (CSR, "spec: {expirationSeconds: 599}", [
        "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)"
    ]),
    (CSR, "spec: {expirationSeconds: 600}", []),
    # Conditions.
    (CSR, _when("Approved", "Odd", "Failed"), []),
    (CSR, "status: {conditions: [{type: '', status: ''}]}", [
        f"{CONDITIONS}[0].type: Required value", f"{CONDITIONS}[0].status: Required value"
    ]),
    (CSR, "status: {conditions: [{type: Approved, status: 'False'}, {type: Odd, status: Maybe}]}", [
        f'{CONDITIONS}[0].status: Unsupported value: "False": supported values: "True"',
        f'{CONDITIONS}[1].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"',
    ]),
    (CSR, _when("Approved", "Denied"), [f'{CONDITIONS}[1].type: Invalid value: "Denied": {EXCLUSIVE}']),
    (CSR, _when("Denied", "Approved"), [f'{CONDITIONS}[1].type: Invalid value: "Approved": {EXCLUSIVE}']),
    (CSR, _when("Odd", "Odd"), [f'{CONDITIONS}[1].type: Duplicate value: "Odd"']),
    # Certificates.
    (CSR, _issued(_LEAF + _ROOT), []),
    (CSR, _issued("a"), _refused("must contain at least one CERTIFICATE PEM block")),
    (CSR, _issued(_CSR), _refused('only CERTIFICATE PEM blocks are allowed, found "CERTIFICATE REQUEST"')),
    (CSR, _issued(_HEADED), _refused("no PEM block headers are permitted")),
    # Bundles.
    (BUNDLE, "spec: {trustBundle: ''}", _distrusted("at least one trust anchor must be provided")),
    (BUNDLE, _anchors(_CSR), _distrusted("entry 0 has bad block type: CERTIFICATE REQUEST")),
    (BUNDLE, _anchors(_ROOT + _HEADED), _distrusted("entry 1 has PEM block headers")),
    (BUNDLE, _anchors(_LEAF), _distrusted("entry 0 does not have the CA bit set")),
    (BUNDLE, _anchors("-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"), _distrusted(
        "entry 0 does not parse as X.509"
    )),
    (BUNDLE, _anchors(_ROOT * 2), _distrusted("duplicate trust anchor (indices [0 1])")),
    (BUNDLE, f"spec: {{trustBundle: {'a' * (1024 * 1024 + 1)}}}", [
        "spec.trustBundle: Too long: may not be more than 1048576 bytes"
    ]),
    (BUNDLE, "metadata: {name: 'example.com:s:x'}", [
        'metadata.name: Invalid value: "example.com:s:x": ClusterTrustBundle without signer name must not have ":" in its name'
    ]),
    (BUNDLE, "spec: {signerName: example.com/s}", [
        'metadata.name: Invalid value: "x": ClusterTrustBundle for signerName example.com/s must be named with prefix '
        "example.com:s:"
    ]),
    (BUNDLE, "{metadata: {name: 'example.com:s:x'}, spec: {signerName: example.com/s}}", []),
]  # fmt: skip

CHANGES: list[Change] = [
    Change(CSR, "metadata: {labels: {a: b}}", []),
    Change(CSR, _when("Approved"), [f'{CONDITIONS}: Forbidden: updates may not add a condition of type "Approved"']),
    Change(CSR, _when("Denied"), [f'{CONDITIONS}: Forbidden: updates may not add a condition of type "Denied"'],
           subresource="status"),
    Change(CSR, _when("Denied"), [], subresource="approval"),
    Change(CSR, _when("Failed", "Approved"), [], old=_when("Approved"), subresource="status"),
    Change(CSR, "status: {conditions: []}", [
        f'{CONDITIONS}: Forbidden: updates may not remove a condition of type "Approved"'
    ], old=_when("Approved"), subresource="approval"),
    Change(CSR, "status: {conditions: []}", [
        f'{CONDITIONS}: Forbidden: updates may not remove a condition of type "Failed"'
    ], old=_when("Failed"), subresource="status"),
    Change(CSR, _issued(_LEAF), ["status.certificate: Forbidden: updates may not set certificate content"]),
    Change(CSR, _issued(_LEAF), ["status.certificate: Forbidden: updates may not set certificate content"],
           subresource="approval"),
    Change(CSR, _issued(_LEAF), [], subresource="status"),
    Change(CSR, _issued(_ROOT), ["status.certificate: Forbidden: updates may not modify existing certificate content"],
           old=_issued(_LEAF), subresource="status"),
    Change(CSR, "spec: {usages: [odd, any]}", [], old="spec: {usages: [odd]}"),
    Change(CSR, _when("Odd", "Odd"), [], old=_when("Odd", "Odd")),
    Change(CSR, _when("Approved", "Denied"), [], old=_when("Approved", "Denied")),
    Change(BUNDLE, _anchors(_LEAF), _distrusted("entry 0 does not have the CA bit set")),
    Change(BUNDLE, "metadata: {labels: {a: b}}", [], old=_anchors(_LEAF)),
]  # fmt: skip
