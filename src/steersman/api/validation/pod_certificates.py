"""PodCertificateRequests (KEP-4317): a kubelet proves that it holds a key, a signer answers once."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from steersman.api import errors
from steersman.api.types.certificates_v1beta1 import (
    PodCertificateRequest,
    PodCertificateRequestSpec,
    PodCertificateRequestStatus,
)

from . import names, pem
from .faults import Faults
from .forms import conditions
from .meta import user_annotations
from .signers import kubernetes_signer, signer_name

MIN_SECONDS = 3600
MAX_SECONDS = 91 * 86_400
MAX_KUBERNETES_SECONDS = 86_400
MAX_KEY = 10 * 1024
MAX_PROOF = 10 * 1024
MAX_CHAIN = 100 * 1024
_KINDS = ("Issued", "Denied", "Failed")
_KEY = "spec.pkixPublicKey"
_CHAIN = "status.certificateChain"
_MARGIN = timedelta(minutes=10)


def request(faults: Faults, obj: PodCertificateRequest) -> None:
    spec = obj.spec
    signer_name(faults, spec.signer_name, "spec.signerName")
    user_annotations(faults, spec.unverified_user_annotations, "spec.unverifiedUserAnnotations")
    for name, uid, member, text in (
        ("podName", "podUID", spec.pod_uid, spec.pod_name),
        ("serviceAccountName", "serviceAccountUID", spec.service_account_uid, spec.service_account_name),
        ("nodeName", "nodeUID", spec.node_uid, spec.node_name),
    ):
        faults.grammar(f"spec.{name}", text, names.dns1123_subdomain)
        if not member:
            faults.invalid(f"spec.{uid}", member, "must not be empty")
        faults.shorter(f"spec.{uid}", member, 128)
    seconds = spec.max_expiration_seconds
    if seconds is None:
        faults.append(errors.required("spec.maxExpirationSeconds", "must be set"))
        return
    limit = MAX_KUBERNETES_SECONDS if kubernetes_signer(spec.signer_name) else MAX_SECONDS
    if not MIN_SECONDS <= seconds <= limit:
        faults.invalid("spec.maxExpirationSeconds", seconds, f"must be in the range [{MIN_SECONDS}, {limit}]")
    for name, value, most in (
        ("pkixPublicKey", spec.pkix_public_key, MAX_KEY),
        ("proofOfPossession", spec.proof_of_possession, MAX_PROOF),
    ):
        if len(value) > most:
            faults.append(errors.too_long(f"spec.{name}", most))
            return
    _possession(faults, spec)


def _public_key(content: bytes) -> PublicKeyTypes | None:
    try:
        return serialization.load_der_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _possession(faults: Faults, spec: PodCertificateRequestSpec) -> None:
    key = _public_key(spec.pkix_public_key)
    message, proof = spec.pod_uid.encode(), spec.proof_of_possession
    try:
        if key is None:
            faults.invalid(_KEY, spec.pkix_public_key, "must be a valid PKIX-serialized public key")
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(proof, message)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if not isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1):
                shown = f"curve {key.curve.name}"
                faults.invalid(_KEY, shown, "elliptic public keys must use curve P256 or P384")
                return
            key.verify(proof, message, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            if key.key_size not in (3072, 4096):
                shown = f"{key.key_size}-bit modulus"
                faults.invalid(_KEY, shown, "RSA keys must have modulus size 3072 or 4096")
                return
            salted = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
            key.verify(proof, message, salted, hashes.SHA256())
        else:
            detail = "unknown public key type; supported types are Ed25519, ECDSA, and RSA"
            faults.invalid(_KEY, spec.pkix_public_key, detail)
    except InvalidSignature:
        faults.broken("spec.proofOfPossession", "could not verify proof-of-possession signature")


def request_update(faults: Faults, new: PodCertificateRequest, old: PodCertificateRequest) -> None:
    faults.immutable("spec", new.spec, old.spec)


def request_status(faults: Faults, new: PodCertificateRequest, old: PodCertificateRequest) -> None:
    """A status goes from nothing to its end in one step, and then stays."""
    before = len(faults)
    known = 0
    for index, condition in enumerate(new.status.conditions):
        place = f"status.conditions.[{index}]"
        if condition.type not in _KINDS:
            faults.unsupported(f"{place}.type", condition.type, _KINDS)
            continue
        known += 1
        if known > 1:
            detail = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
            faults.invalid(f"{place}.type", condition.type, detail)
        if condition.status != "True":
            faults.unsupported(f"{place}.status", condition.status, ("True",))
    conditions(faults, new.status.conditions, "status.conditions")
    if len(faults) > before:
        return
    now = next((each.type for each in new.status.conditions), "")
    if any(each.status == "True" for each in old.status.conditions):
        if new.status != old.status:
            faults.broken("status", "immutable after PodCertificateRequest is issued, denied, or failed")
    elif now == "Issued":
        _issued(faults, new.status, new.spec)
    elif now:
        if new.status != PodCertificateRequestStatus(conditions=new.status.conditions):
            faults.broken(
                "status",
                "non-condition status fields must be empty when denying or failing the PodCertificateRequest",
            )
    elif new.status != old.status:
        detail = 'status is immutable unless transitioning to "Issued", "Denied", or "Failed"'
        faults.broken("status", detail)


def _issued(faults: Faults, status: PodCertificateRequestStatus, spec: PodCertificateRequestSpec) -> None:
    chain = status.certificate_chain
    if len(chain.encode()) > MAX_CHAIN:
        faults.append(errors.too_long(_CHAIN, MAX_CHAIN))
        return
    found = list(pem.blocks(chain.encode()))
    if not found:
        faults.invalid(_CHAIN, chain, "issued certificate chain must contain at least one certificate")
        return
    certificates: list[x509.Certificate] = []
    for index, block in enumerate(found):
        if block.label != "CERTIFICATE":
            detail = "issued certificate chain must consist entirely of CERTIFICATE PEM blocks"
            faults.invalid(_CHAIN, chain, detail)
            return
        try:
            certificates.append(x509.load_der_x509_certificate(block.content))
        except ValueError:
            which = "intermediate" if index else "leaf"
            faults.invalid(_CHAIN, chain, f"{which} certificate does not parse as valid X.509")
            return
    leaf = certificates[0]
    if leaf.public_key() != _public_key(spec.pkix_public_key):
        faults.invalid(_CHAIN, chain, "leaf certificate was not issued to the requested public key")
        return
    _instants(faults, status, spec, leaf)


def _instants(
    faults: Faults, status: PodCertificateRequestStatus, spec: PodCertificateRequestSpec, leaf: x509.Certificate
) -> None:
    start, end, refresh = status.not_before, status.not_after, status.begin_refresh_at
    consistent = "must be present and consistent with the issued certificate"
    for name, value, detail in (
        ("notBefore", start, consistent),
        ("notAfter", end, consistent),
        ("beginRefreshAt", refresh, "must be present and in the range [notbefore+10min, notafter-10min]"),
    ):
        if value is None:
            faults.append(errors.required(f"status.{name}", detail))
    if start is None or end is None or refresh is None:
        return
    if start != leaf.not_valid_before_utc:
        detail = "must be set to the NotBefore time encoded in the leaf certificate"
        faults.invalid("status.notBefore", start, detail)
    elif end != leaf.not_valid_after_utc:
        faults.invalid("status.notAfter", end, "must be set to the NotAfter time encoded in the leaf certificate")
    elif end - start < timedelta(hours=1):
        faults.broken(_CHAIN, "leaf certificate lifetime must be >= 1 hour")
    elif end - start > timedelta(seconds=spec.max_expiration_seconds or 0):
        limit = spec.max_expiration_seconds
        faults.broken(_CHAIN, f"leaf certificate lifetime must be <= spec.maxExpirationSeconds ({limit})")
    elif refresh < start + _MARGIN:
        faults.invalid("status.beginRefreshAt", refresh, "must be at least 10 minutes after status.notBefore")
    elif refresh > end - _MARGIN:
        faults.invalid("status.beginRefreshAt", refresh, "must be at least 10 minutes before status.notAfter")
