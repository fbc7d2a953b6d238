"""Service account tokens: signed here, recognized here (KEP-1205; JWT, RFC 7519, with ES256 or RS256).

A token is bound to its service account, and perhaps to a pod, a node or a secret: it ends with any of them.
"""

from __future__ import annotations

import base64
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from steersman.api.clock import SYSTEM, Clock
from steersman.api.errors import StatusError, is_not_found
from steersman.api.scheme import Resource, Scheme
from steersman.api.types.core_v1 import Node, Pod, Secret, ServiceAccount
from steersman.api.user import User
from steersman.apiserver.registry.contract import ResourceHandler
from steersman.apiserver.seams import IssuedToken, TokenClaims

from .x509 import CREDENTIAL_ID

USER_PREFIX = "system:serviceaccount:"
GROUP = "system:serviceaccounts"
_EXTRA = "authentication.kubernetes.io/"

EXTENDED_EXPIRATION = 365 * 24 * 3600
"""What a pod's token of just over an hour lives in truth, while clients learn to read it again (seconds)."""

WARN_ONLY_EXPIRATION = 3607
"""The expiration by which upstream knows the token that its admission puts into every pod (seconds)."""

MOST_REMEMBERED = 2000
LEEWAY = 10
"""Seconds by which clocks may differ."""

DELETION_LEEWAY = 60
"""How long a token still serves what it is bound to after that should have been gone (seconds)."""


class _Reference(msgspec.Struct, frozen=True):
    name: str = ""
    uid: str = ""


class _Private(msgspec.Struct, frozen=True):
    """The claim ``kubernetes.io``."""

    namespace: str = ""
    serviceaccount: _Reference = _Reference()
    pod: _Reference | None = None
    secret: _Reference | None = None
    node: _Reference | None = None
    warnafter: int | None = None


class _Claims(msgspec.Struct, frozen=True):
    iss: str = ""
    sub: str = ""
    aud: list[str] | str = ""
    exp: int = 0
    iat: int = 0
    nbf: int = 0
    jti: str = ""
    private: _Private | None = msgspec.field(name="kubernetes.io", default=None)


class InvalidToken(Exception):
    """A token that claims to be ours and is wrong."""


class ServiceAccountTokens:
    """Issues and recognizes tokens.

    ``signing_key`` and ``public_keys`` are PEM; tokens of any public key are recognized, so that keys can change.
    """

    def __init__(
        self,
        scheme: Scheme,
        handler: Callable[[Resource[Any]], ResourceHandler],
        *,
        signing_key: bytes,
        public_keys: Sequence[bytes],
        issuer: str,
        audiences: Sequence[str] = (),
        clock: Clock = SYSTEM,
    ) -> None:
        self._scheme = scheme
        self._handler = handler
        self._key = _load(signing_key)
        keys = [_load(pem) for pem in public_keys]
        self._keys = KeySet([*keys])
        self._algorithms = sorted({_algorithm(key) for key in keys})
        self.issuer = issuer
        self.audiences = tuple(audiences) or (issuer,)
        self._clock = clock
        self._verified: OrderedDict[str, _Claims] = OrderedDict()

    def issue(self, claims: TokenClaims) -> IssuedToken:
        """Sign a token."""
        now = int(self._clock.now().timestamp())
        audiences = list(claims.audiences) or list(self.audiences)
        lifetime = claims.expiration_seconds
        private: dict[str, Any] = {
            "namespace": claims.namespace,
            "serviceaccount": {"name": claims.service_account, "uid": claims.service_account_uid},
        }
        for kind, name, uid in (
            ("pod", claims.pod, claims.pod_uid),
            ("secret", claims.secret, claims.secret_uid),
            ("node", claims.node, claims.node_uid),
        ):
            if name:
                private[kind] = {"name": name, "uid": uid}
        if claims.pod and lifetime == WARN_ONLY_EXPIRATION and set(audiences) == set(self.audiences):
            private["warnafter"] = now + lifetime
            told, lifetime = lifetime, EXTENDED_EXPIRATION
        else:
            told = lifetime
        payload = {
            "aud": audiences,
            "exp": now + lifetime,
            "iat": now,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": private,
            "nbf": now,
            "sub": f"{USER_PREFIX}{claims.namespace}:{claims.service_account}",
        }
        algorithm = _algorithm(self._key)
        header = {"alg": algorithm, "kid": self._key.kid}
        token = jwt.encode(header, payload, self._key, algorithms=[algorithm], default_type=None)
        return IssuedToken(token, datetime.fromtimestamp(now + told, UTC), audiences)

    async def authenticate_token(self, token: str, audiences: Sequence[str] = ()) -> tuple[User, list[str]] | None:
        """The user of a token and the audiences it is good for; None for a token that is none of ours.

        Raises :class:`InvalidToken` for one of ours that has expired, is for others, or whose objects are gone.
        """
        claims = self._verify(token)
        if claims is None:
            return None
        now = self._clock.now().timestamp()
        if claims.exp + LEEWAY < now:
            raise InvalidToken("service account token has expired")
        if claims.nbf - LEEWAY > now:
            raise InvalidToken("service account token is not valid yet")
        stated = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        good = [audience for audience in audiences or self.audiences if audience in stated]
        if not good:
            raise InvalidToken(f"token audiences {stated} is invalid for the target audiences {list(self.audiences)}")
        return await self._user(claims), good

    @property
    def keys(self) -> dict[str, Any]:
        """The public keys, as a JSON Web Key Set."""
        return {
            "keys": [
                {"use": "sig", "alg": _algorithm(key), **key.as_dict(private=False)}
                for key in self._keys.keys
                if isinstance(key, ECKey | RSAKey)
            ]
        }

    @property
    def algorithms(self) -> list[str]:
        """The signature algorithms of the keys."""
        return self._algorithms

    def _verify(self, token: str) -> _Claims | None:
        if (claims := self._verified.get(token)) is not None:
            self._verified.move_to_end(token)
            return claims
        if not self._is_ours(token):
            return None
        try:
            verified = jwt.decode(token, self._keys, algorithms=self._algorithms)
            claims = msgspec.convert(verified.claims, _Claims)
        except (JoseError, ValueError, msgspec.ValidationError) as error:
            raise InvalidToken("invalid bearer token") from error
        self._verified[token] = claims
        if len(self._verified) > MOST_REMEMBERED:
            self._verified.popitem(last=False)
        return claims

    def _is_ours(self, token: str) -> bool:
        """Whether an unverified token names us as its issuer; others may know those of others."""
        try:
            return bool(_payload(token).get("iss") == self.issuer)
        except (ValueError, msgspec.MsgspecError):
            return False

    async def _user(self, claims: _Claims) -> User:
        private = claims.private
        if private is None:
            raise InvalidToken("service account token lacks the kubernetes.io claim")
        namespace, account = private.namespace, private.serviceaccount
        if claims.sub != f"{USER_PREFIX}{namespace}:{account.name}":
            raise InvalidToken("service account token's subject does not match its claims")
        await self._alive(ServiceAccount, "ServiceAccount", namespace, account)
        extra: dict[str, list[str]] = {}
        if claims.jti:
            extra[CREDENTIAL_ID] = [f"JTI={claims.jti}"]
        if private.secret is not None:
            await self._alive(Secret, "Secret", namespace, private.secret)
        if private.pod is not None:
            await self._alive(Pod, "Pod", namespace, private.pod)
            extra[f"{_EXTRA}pod-name"] = [private.pod.name]
            extra[f"{_EXTRA}pod-uid"] = [private.pod.uid]
        if private.node is not None:
            if private.pod is None:
                await self._alive(Node, "Node", "", private.node)
            extra[f"{_EXTRA}node-name"] = [private.node.name]
            extra[f"{_EXTRA}node-uid"] = [private.node.uid]
        return User(claims.sub, (GROUP, f"{GROUP}:{namespace}"), uid=account.uid, extra=extra)

    async def _alive(self, type_: type[Any], kind: str, namespace: str, reference: _Reference) -> None:
        handler = self._handler(self._scheme.for_type(type_))
        try:
            try:
                entry = await handler.get(namespace, reference.name, resource_version="0")
            except StatusError as error:
                if not is_not_found(error):
                    raise
                # Another server may have made it a moment ago.
                entry = await handler.get(namespace, reference.name)
        except StatusError as error:
            raise InvalidToken(f"{kind.lower()} {reference.name!r} of the token: {error}") from error
        metadata = entry.object.metadata
        if metadata.uid != reference.uid:
            raise InvalidToken(f"The {kind} UID ({metadata.uid}) does not match the UID in token ({reference.uid})")
        deletion = metadata.deletion_timestamp
        if deletion is not None and deletion.timestamp() + DELETION_LEEWAY < self._clock.now().timestamp():
            raise InvalidToken(f"{kind.lower()} {reference.name!r} of the token has been deleted")


def _payload(token: str) -> dict[str, Any]:
    """The claims of a token nobody has verified."""
    _, body, _ = token.split(".")
    result: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=dict)
    return result


def _load(pem: bytes) -> ECKey | RSAKey:
    key: ECKey | RSAKey
    try:
        key = ECKey.import_key(pem)
    except (JoseError, ValueError, TypeError):
        key = RSAKey.import_key(pem)
    key.ensure_kid()
    return key


def _algorithm(key: ECKey | RSAKey) -> str:
    return "ES256" if isinstance(key, ECKey) else "RS256"
