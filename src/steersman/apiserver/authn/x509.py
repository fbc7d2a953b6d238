"""Client certificates: the common name is the user, the organizations are the groups."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from steersman.api.user import User

MOST_REMEMBERED = 1000
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


class CertificateAuthority:
    """Tells which certificates this authority issued, and for whom.

    TLS has verified a certificate by then, but against every authority it accepts; which one it was is asked here.
    """

    def __init__(self, pem: bytes) -> None:
        self._certificates = x509.load_pem_x509_certificates(pem)
        self._known: OrderedDict[bytes, User | None] = OrderedDict()

    def user(self, certificate: bytes) -> User | None:
        """The user of a certificate in DER form, None where another authority issued it."""
        if certificate in self._known:
            self._known.move_to_end(certificate)
            return self._known[certificate]
        user = self._user(certificate)
        self._known[certificate] = user
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return user

    def _user(self, der: bytes) -> User | None:
        certificate = x509.load_der_x509_certificate(der)
        if not any(_issued(authority, certificate) for authority in self._certificates):
            return None
        names = [str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if not names:
            return None
        groups = [str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        extra = {CREDENTIAL_ID: [f"X509SHA256={hashlib.sha256(der).hexdigest()}"]}
        return User(names[0], tuple(groups), extra=extra)


def _issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True
