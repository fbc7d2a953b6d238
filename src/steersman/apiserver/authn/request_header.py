"""The front proxy's word: an aggregator names the user in headers, behind its own client certificate."""

from __future__ import annotations

from urllib.parse import unquote

from steersman.api.user import User
from steersman.apiserver.http.messages import Request

from .x509 import CertificateAuthority

_EXTRA = "x-remote-extra-"


class RequestHeaders:
    """Believes ``X-Remote-*`` of callers whose certificate the front-proxy authority issued to an allowed name."""

    def __init__(self, authority: CertificateAuthority, allowed_names: frozenset[str]) -> None:
        self._authority = authority
        self._allowed = allowed_names

    def user(self, request: Request) -> User | None:
        """The user that the proxy names, None where no such proxy speaks."""
        name = request.headers.get("x-remote-user")
        if not name or request.peer_certificate is None:
            return None
        proxy = self._authority.user(request.peer_certificate)
        if proxy is None or (self._allowed and proxy.name not in self._allowed):
            return None
        extra = {
            unquote(header.removeprefix(_EXTRA)): request.header_values(header)
            for header in request.headers
            if header.startswith(_EXTRA)
        }
        return User(
            name,
            tuple(request.header_values("x-remote-group")),
            uid=request.headers.get("x-remote-uid", ""),
            extra=extra,
        )
