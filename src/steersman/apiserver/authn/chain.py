"""Who makes a request: front proxy, client certificate, bearer token, or nobody where nobody may ask."""

from __future__ import annotations

from collections.abc import Sequence

from steersman.api.errors import unauthorized
from steersman.api.user import ANONYMOUS, User
from steersman.apiserver.http.messages import Request
from steersman.apiserver.registry.seams import Authenticator

from .front_proxy import FrontProxyAuthenticator
from .x509 import X509Authenticator

AUTHENTICATED = "system:authenticated"

ANONYMOUS_PATHS = frozenset(
    {"/healthz", "/livez", "/readyz", "/version", "/version/", "/api/v1/namespaces/kube-public/configmaps/cluster-info"}
)
_ANONYMOUS_PREFIXES = ("/healthz/", "/livez/", "/readyz/")


class AuthenticatorChain:
    """Asks each way in turn; ``tokens`` are the authenticators of bearer tokens.

    Anonymous requests are accepted on ``ANONYMOUS_PATHS`` alone (KEP-4633), and authorized like all others.
    """

    def __init__(
        self,
        *,
        x509: X509Authenticator | None = None,
        front_proxy: FrontProxyAuthenticator | None = None,
        tokens: Sequence[Authenticator] = (),
    ) -> None:
        self._x509 = x509
        self._front_proxy = front_proxy
        self._tokens = tokens
        self._complete: dict[int, tuple[User, User]] = {}

    async def authenticate(self, request: Request) -> User:
        """The user; raises 401."""
        certificate = request.peer_certificate
        if certificate is not None:
            if self._front_proxy is not None and "x-remote-user" in request.headers:
                user = self._front_proxy.authenticate(request)
                if user is not None:
                    return self._authenticated(user)
            if self._x509 is not None and (user := self._x509.authenticate(certificate)) is not None:
                return self._authenticated(user)
        authorization = request.headers.get("authorization", "")
        if authorization:
            if (user := await self._bearer(authorization)) is not None:
                return self._authenticated(user)
            raise unauthorized()
        if request.path in ANONYMOUS_PATHS or request.path.startswith(_ANONYMOUS_PREFIXES):
            return ANONYMOUS
        raise unauthorized()

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> tuple[User, list[str]] | None:
        """The user of a bearer token, for token reviews."""
        for authenticator in self._tokens:
            if (found := await authenticator.authenticate_token(token, audiences)) is not None:
                return self._authenticated(found[0]), found[1]
        return None

    async def _bearer(self, authorization: str) -> User | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return None
        found = await self.authenticate_token(token.strip(), ())
        return found[0] if found is not None else None

    def _authenticated(self, user: User) -> User:
        if AUTHENTICATED in user.groups:
            return user
        known = self._complete.get(id(user))
        if known is not None and known[0] is user:
            return known[1]
        complete = User(user.name, (*user.groups, AUTHENTICATED), user.uid, user.extra)
        if len(self._complete) > 1024:
            self._complete.clear()
        self._complete[id(user)] = (user, complete)
        return complete
