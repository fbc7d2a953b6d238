"""The group certificates.k8s.io: requests, trust bundles, and pods' requests (in :mod:`.pod_certificates`)."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from steersman.api import errors
from steersman.api.types import certificates_v1, certificates_v1alpha1, certificates_v1beta1

from . import names, pem, pod_certificates
from .faults import Faults, verdict
from .rules import Rules
from .signers import signer_name

Request = certificates_v1.CertificateSigningRequest
Bundle = certificates_v1alpha1.ClusterTrustBundle | certificates_v1beta1.ClusterTrustBundle

MAX_BUNDLE = 1024 * 1024
LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
_DECIDING = ("Approved", "Denied")
_TRUE_ONLY = (*_DECIDING, "Failed")
_STATUSES = ("False", "True", "Unknown")

USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)


# -- CertificateSigningRequest ---------------------------------------------------------------------------------------


def signing_request(faults: Faults, obj: Request) -> None:
    """A new request."""
    _signing_request(faults, obj, None)


def _signing_request(faults: Faults, obj: Request, old: Request | None) -> None:
    """What an older server let through may stay."""
    spec = obj.spec
    if fault := _request_fault(spec.request):
        faults.invalid("spec.request", spec.request, fault)
    faults.required("spec.usages", spec.usages)
    if old is None or set(old.spec.usages) <= set(USAGES):
        for index, usage in enumerate(spec.usages):
            if usage not in USAGES:
                faults.unsupported(f"spec.usages[{index}]", usage, USAGES)
    if old is None or len(set(old.spec.usages)) == len(old.spec.usages):
        seen: set[str] = set()
        for index, usage in enumerate(spec.usages):
            faults.unique(f"spec.usages[{index}]", usage, seen)
    if spec.signer_name == LEGACY_SIGNER and (old is None or old.spec.signer_name != LEGACY_SIGNER):
        detail = "the legacy signerName is not allowed via this API version"
        faults.invalid("spec.signerName", spec.signer_name, detail)
    else:
        signer_name(faults, spec.signer_name, "spec.signerName")
    if spec.expiration_seconds is not None and spec.expiration_seconds < 600:
        faults.invalid(
            "spec.expirationSeconds",
            spec.expiration_seconds,
            "may not specify a duration less than 600 seconds (10 minutes)",
        )
    _conditions(faults, obj, old)
    certificate = obj.status.certificate or b""
    before = (old.status.certificate or b"") if old is not None else None
    tolerated = certificate == before or (before and _certificate_fault(before))
    if not tolerated and (fault := _certificate_fault(certificate)):
        faults.invalid("status.certificate", "<certificate data>", fault)


def _request_fault(request: bytes) -> str:
    block = next(pem.blocks(request), None)
    if block is None or block.label != "CERTIFICATE REQUEST":
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        if x509.load_der_x509_csr(block.content).is_signature_valid:
            return ""
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        return f"x509: {error}"
    return "x509: the signature of the request does not verify"


def _certificate_fault(certificate: bytes) -> str:
    if not certificate:
        return ""
    found = False
    for block in pem.blocks(certificate):
        if block.label != "CERTIFICATE":
            return f"only CERTIFICATE PEM blocks are allowed, found {errors.go_value(block.label)}"
        if block.headers:
            return "no PEM block headers are permitted"
        if not block.content:
            return "found CERTIFICATE PEM block containing 0 certificates"
        try:
            x509.load_der_x509_certificate(block.content)
        except ValueError as error:
            return f"x509: {error}"
        found = True
    return "" if found else "must contain at least one CERTIFICATE PEM block"


def _conditions(faults: Faults, obj: Request, old: Request | None) -> None:
    before = [each.type for each in old.status.conditions] if old is not None else []
    both = all(kind in before for kind in _DECIDING)
    repeated = len(set(before)) < len(before)
    seen: set[str] = set()
    for index, condition in enumerate(obj.status.conditions):
        place = f"status.conditions[{index}]"
        if "" not in before:
            faults.required(f"{place}.type", condition.type)
        allowed = ("True",) if condition.type in _TRUE_ONLY else _STATUSES
        if faults.required(f"{place}.status", condition.status) and condition.status not in allowed:
            faults.unsupported(f"{place}.status", condition.status, allowed)
        if not both and condition.type in _DECIDING and seen & {*_DECIDING} - {condition.type}:
            detail = "Approved and Denied conditions are mutually exclusive"
            faults.invalid(f"{place}.type", condition.type, detail)
        if repeated:
            seen.add(condition.type)
        else:
            faults.unique(f"{place}.type", condition.type, seen)


def _change(faults: Faults, new: Request, old: Request, *, certificate: bool = False, approval: bool = False) -> None:
    """A change, by who may set the certificate or the approval."""
    _signing_request(faults, new, old)

    def of(obj: Request, kind: str) -> list[certificates_v1.CertificateSigningRequestCondition]:
        return [each for each in obj.status.conditions if each.type == kind]

    place = "status.conditions"
    for kind in _TRUE_ONLY:
        mine, theirs = of(new, kind), of(old, kind)
        shown = errors.go_value(kind)
        if len(mine) < len(theirs):
            faults.forbidden(place, f"updates may not remove a condition of type {shown}")
        elif approval or kind == "Failed":
            continue
        elif len(mine) > len(theirs):
            faults.forbidden(place, f"updates may not add a condition of type {shown}")
        elif mine != theirs:
            faults.forbidden(place, f"updates may not modify a condition of type {shown}")
    if (new.status.certificate or b"") != (old.status.certificate or b""):
        if not certificate:
            faults.forbidden("status.certificate", "updates may not set certificate content")
        elif old.status.certificate:
            faults.forbidden("status.certificate", "updates may not modify existing certificate content")


def signing_request_update(faults: Faults, new: Request, old: Request) -> None:
    _change(faults, new, old)


def signing_request_status(faults: Faults, new: Request, old: Request) -> None:
    _change(faults, new, old, certificate=True)


def signing_request_approval(faults: Faults, new: Request, old: Request) -> None:
    _change(faults, new, old, approval=True)


# -- ClusterTrustBundle ----------------------------------------------------------------------------------------------


def trust_bundle(faults: Faults, obj: Bundle) -> None:
    _named_bundle(faults, obj)
    _anchors(faults, obj.spec.trust_bundle)


def _named_bundle(faults: Faults, obj: Bundle) -> None:
    name, signer = obj.metadata.name, obj.spec.signer_name
    prefix = signer.replace("/", ":") + ":" if signer else ""
    if not signer and ":" in name:
        faults.invalid("metadata.name", name, 'ClusterTrustBundle without signer name must not have ":" in its name')
    elif not name.startswith(prefix):
        detail = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
        faults.invalid("metadata.name", name, detail)
    else:
        for fault in verdict(names.dns1123_subdomain, name.removeprefix(prefix)):
            faults.invalid("metadata.name", name, fault)
    if signer:
        signer_name(faults, signer, "spec.signerName")


def _anchors(faults: Faults, text: str) -> None:
    """CA certificates alone, each once, and one at least."""
    place = "spec.trustBundle"
    if len(text.encode()) > MAX_BUNDLE:
        faults.append(errors.too_long(place, MAX_BUNDLE))
        return
    before = len(faults)
    found: dict[bytes, list[int]] = {}
    for index, block in enumerate(pem.blocks(text.encode())):
        if fault := _anchor_fault(block):
            faults.invalid(place, "<value omitted>", f"entry {index} {fault}")
        else:
            found.setdefault(block.content, []).append(index)
    if len(faults) > before:
        return
    if not found:
        faults.invalid(place, "<value omitted>", "at least one trust anchor must be provided")
    for indices in found.values():
        if len(indices) > 1:
            shown = " ".join(str(index) for index in indices)
            faults.invalid(place, "<value omitted>", f"duplicate trust anchor (indices [{shown}])")


def _anchor_fault(block: pem.Block) -> str:
    if block.label != "CERTIFICATE":
        return f"has bad block type: {block.label}"
    if block.headers:
        return "has PEM block headers"
    try:
        constraints = x509.load_der_x509_certificate(block.content).extensions.get_extension_for_class(
            x509.BasicConstraints
        )
    except x509.ExtensionNotFound:
        return "does not have the CA bit set"
    except ValueError:
        return "does not parse as X.509"
    return "" if constraints.value.ca else "does not have the CA bit set"


def trust_bundle_update(faults: Faults, new: Bundle, old: Bundle) -> None:
    _named_bundle(faults, new)
    if new.spec.trust_bundle != old.spec.trust_bundle:
        _anchors(faults, new.spec.trust_bundle)
    faults.immutable("spec.signerName", new.spec.signer_name, old.spec.signer_name)


_BUNDLE = Rules(trust_bundle, trust_bundle_update, names.path_segment, recheck=False)

TABLE: dict[type[Any], Rules] = {
    Request: Rules(
        signing_request,
        signing_request_update,
        names.path_segment,
        {"status": signing_request_status, "approval": signing_request_approval},
        recheck=False,
    ),
    certificates_v1alpha1.ClusterTrustBundle: _BUNDLE,
    certificates_v1beta1.ClusterTrustBundle: _BUNDLE,
    certificates_v1beta1.PodCertificateRequest: Rules(
        pod_certificates.request,
        pod_certificates.request_update,
        subresources={"status": pod_certificates.request_status},
        recheck=False,
    ),
}
