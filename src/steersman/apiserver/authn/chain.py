"""All authenticators in their order, and what becomes of a request that none of them knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from steersman.api.errors import unauthorized
from steersman.api.user import ANONYMOUS, User
from steersman.apiserver.http.messages import Request

from .bearer import bearer_token
from .request_header import RequestHeaders
from .service_account import InvalidToken
from .x509 import CertificateAuthority

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"

ANONYMOUS_PATHS = ("/healthz", "/livez", "/readyz")
"""Where callers without credentials are let through, to be authorized as ``system:anonymous``."""


class TokenAuthenticator(Protocol):
    """Recognizes bearer tokens."""

    async def authenticate_token(self, token: str, audiences: Sequence[str] = ()) -> tuple[User, list[str]] | None: ...


class Authentication:
    """Who makes a request: front proxy, certificate, token, or nobody."""

    def __init__(
        self,
        *,
        authority: CertificateAuthority,
        front_proxy: RequestHeaders | None = None,
        tokens: Sequence[TokenAuthenticator] = (),
        anonymous_paths: Sequence[str] = ANONYMOUS_PATHS,
    ) -> None:
        self._authority = authority
        self._front_proxy = front_proxy
        self._tokens = tokens
        self._anonymous_paths = tuple(anonymous_paths)

    async def authenticate(self, request: Request) -> User:
        """The user of a request; raises a 401."""
        user = await self._known(request)
        if user is not None:
            return _with_group(user, AUTHENTICATED)
        path = request.path
        if any(path == allowed or path.startswith(f"{allowed}/") for allowed in self._anonymous_paths):
            return ANONYMOUS
        raise unauthorized()

    async def authenticate_token(self, token: str, audiences: Sequence[str] = ()) -> tuple[User, list[str]] | None:
        """The user of a token, for TokenReview; None where nobody vouches for it."""
        try:
            for authenticator in self._tokens:
                if (found := await authenticator.authenticate_token(token, audiences)) is not None:
                    user, good = found
                    return _with_group(user, AUTHENTICATED), good
        except InvalidToken:
            return None
        return None

    async def _known(self, request: Request) -> User | None:
        if self._front_proxy is not None and (user := self._front_proxy.user(request)) is not None:
            return user
        if (
            request.peer_certificate is not None
            and (user := self._authority.user(request.peer_certificate)) is not None
        ):
            return user
        if token := bearer_token(request):
            try:
                for authenticator in self._tokens:
                    if (found := await authenticator.authenticate_token(token)) is not None:
                        return found[0]
            except InvalidToken as error:
                raise unauthorized() from error
            raise unauthorized()
        return None


def _with_group(user: User, group: str) -> User:
    if group in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return User(user.name, (*user.groups, group), uid=user.uid, extra=user.extra)
