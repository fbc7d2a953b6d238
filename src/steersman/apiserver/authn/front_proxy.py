"""Users named by an authenticating proxy in headers, believed when its certificate is of the front-proxy authority."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from cryptography import x509

from steersman.api.user import User
from steersman.apiserver.http.messages import Request

from .x509 import CertificateAuthority, common_name

_EXTRA = "x-remote-extra-"


class FrontProxyAuthenticator:
    """``names`` are the common names of trusted proxies; empty means every certificate of the authority."""

    def __init__(self, authority: CertificateAuthority, names: Sequence[str] = ("front-proxy-client",)) -> None:
        self._authority = authority
        self._names = names
        self._trusted: dict[bytes, bool] = {}

    def authenticate(self, request: Request) -> User | None:
        """The user in the headers, None where there is none or the peer is no trusted proxy."""
        name = request.headers.get("x-remote-user", "").strip()
        certificate = request.peer_certificate
        if not name or certificate is None or not self._trusts(certificate):
            return None
        extra = {
            unquote(key[len(_EXTRA) :]): request.header_values(key) for key in request.headers if key.startswith(_EXTRA)
        }
        groups = tuple(request.header_values("x-remote-group"))
        return User(name, groups, uid=request.headers.get("x-remote-uid", ""), extra=extra)

    def _trusts(self, certificate: bytes) -> bool:
        if (known := self._trusted.get(certificate)) is None:
            if len(self._trusted) > 256:
                self._trusted.clear()
            parsed = x509.load_der_x509_certificate(certificate)
            known = self._authority.issued(parsed) and (not self._names or common_name(parsed) in self._names)
            self._trusted[certificate] = known
        return known
