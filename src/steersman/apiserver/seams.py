"""What the parts of the server ask of each other: authorization, authentication, tokens, time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from steersman.api.types.authorization_v1 import SubjectRulesReviewStatus
from steersman.api.user import User

Now = Callable[[], datetime]
"""The current instant, in UTC, by the clock that the server is given."""

ComponentCheck = Callable[[], Awaitable[str]]
"""Asks a component how it is: ``ok``, or raises with what is wrong."""


class Attributes(msgspec.Struct, frozen=True):
    """What somebody wants to do: a verb on a resource, or on a ``path`` that is no resource."""

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


class Decision(NamedTuple):
    """``denied`` is an explicit refusal; neither allowed nor denied means that nobody had an opinion."""

    allowed: bool
    reason: str = ""
    denied: bool = False
    error: str = ""


class Authorizer(Protocol):
    """Decides who may do what."""

    async def authorize(self, attributes: Attributes) -> Decision: ...

    def decide(self, attributes: Attributes) -> Decision:
        """The same, at once: by what is known now."""
        ...

    def rules(self, user: User, namespace: str) -> SubjectRulesReviewStatus:
        """What a user may do in a namespace, as far as rules can tell."""
        ...


class Authenticator(Protocol):
    """Recognizes bearer tokens."""

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> tuple[User, list[str]] | None:
        """The user, and which of the audiences the token is for; None for a token that nobody vouches for."""
        ...


class TokenClaims(msgspec.Struct, frozen=True):
    """What a service account token shall say.  An empty ``audiences`` means the API server's own."""

    namespace: str
    service_account: str
    service_account_uid: str
    audiences: tuple[str, ...] = ()
    expiration_seconds: int = 3600
    pod: str = ""
    pod_uid: str = ""
    node: str = ""
    node_uid: str = ""
    secret: str = ""
    secret_uid: str = ""


class IssuedToken(NamedTuple):
    """A signed token, and the claims that were filled in."""

    token: str
    expires: datetime
    audiences: Sequence[str]


class TokenIssuer(Protocol):
    """Signs service account tokens."""

    def issue(self, claims: TokenClaims) -> IssuedToken: ...


class Surroundings:
    """The seams in one place.  Each may be set after construction: most need the registry's own caches."""

    def __init__(
        self,
        authorizer: Authorizer | None = None,
        authenticator: Authenticator | None = None,
        token_issuer: TokenIssuer | None = None,
        component_checks: Mapping[str, ComponentCheck] | None = None,
    ) -> None:
        self.authorizer = authorizer
        self.authenticator = authenticator
        self.token_issuer = token_issuer
        self.component_checks: Mapping[str, ComponentCheck] = component_checks or {}
