"""Users by client certificate: the common name is the user, the organizations are the groups.

TLS verified the chain already; here it is established *which* authority signed, because the front proxy's may
not name users directly.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from steersman.api.user import User

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_KEPT = 4096


class CertificateAuthority:
    """Certificates of one authority file, which may hold several."""

    def __init__(self, path: Path) -> None:
        self._authorities = x509.load_pem_x509_certificates(path.read_bytes())

    def issued(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate carries this authority's signature."""
        for authority in self._authorities:
            try:
                certificate.verify_directly_issued_by(authority)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return True
        return False


class X509Authenticator:
    """The users of certificates, remembered per certificate; validity in time is TLS's to check at the handshake."""

    def __init__(self, authority: CertificateAuthority) -> None:
        self._authority = authority
        self._known: dict[bytes, User | None] = {}

    def authenticate(self, certificate: bytes) -> User | None:
        """The user of a verified DER certificate; None where it is not of this authority or names nobody."""
        if certificate in self._known:
            return self._known[certificate]
        if len(self._known) >= _KEPT:
            self._known.clear()
        user = self._known[certificate] = self._read(certificate)
        return user

    def _read(self, certificate: bytes) -> User | None:
        parsed = x509.load_der_x509_certificate(certificate)
        if not self._authority.issued(parsed):
            return None
        name = common_name(parsed)
        if not name:
            return None
        groups = [
            str(attribute.value) for attribute in parsed.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        ]
        fingerprint = f"X509SHA256={hashlib.sha256(certificate).hexdigest()}"
        return User(name, tuple(groups), extra={CREDENTIAL_ID: [fingerprint]})


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name, empty where there is none."""
    attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attributes[0].value) if attributes else ""
