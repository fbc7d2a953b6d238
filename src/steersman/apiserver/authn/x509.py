"""Client certificates: the common name is the user, the organizations are the groups."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from steersman.api.user import User

MOST_REMEMBERED = 1000
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


class CertificateAuthority:
    """Tells which certificates this authority issued, and for whom.

    TLS has verified a certificate by then, but against every authority it accepts, and when the connection began; which
    authority it was, and whether the certificate is still valid, is asked here with every request.
    """

    def __init__(self, pem: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self._certificates = x509.load_pem_x509_certificates(pem)
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[User | None, float]] = OrderedDict()

    def user(self, certificate: bytes) -> User | None:
        """The user of a certificate in DER form, None where another authority issued it, or it has expired."""
        if (known := self._known.get(certificate)) is not None:
            self._known.move_to_end(certificate)
        else:
            parsed = x509.load_der_x509_certificate(certificate)
            known = self._user(certificate, parsed), parsed.not_valid_after_utc.timestamp()
            self._known[certificate] = known
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        user, expiry = known
        return user if self._clock() <= expiry else None

    def _user(self, der: bytes, certificate: x509.Certificate) -> User | None:
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
