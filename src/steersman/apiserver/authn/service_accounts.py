"""Bound service-account tokens: JSON web tokens that name the account and the pod, node or secret they live with.

A token is good while its signature, times and audience are, and as long as what it is bound to exists with
the same uid.  The signature of a token is checked once and remembered; existence is checked every time.
"""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from steersman.api.scheme import Object
from steersman.api.types.core_v1 import Node, Pod, Secret, ServiceAccount
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.registry.seams import IssuedToken, TokenClaims

from .x509 import CREDENTIAL_ID

T = TypeVar("T", bound=Object)

LEEWAY = 60.0
"""How long a deleted object's tokens stay good, in seconds; upstream's."""

_KEPT = 4096
_PREFIX = "authentication.kubernetes.io/"


class Objects(Protocol):
    """Reads the objects tokens are bound to."""

    async def get(self, type_: type[T], name: str, namespace: str = "") -> T | None: ...


class SigningKey:
    """The private key tokens are signed with; ``kid`` is derived from the public key as upstream derives it."""

    def __init__(self, pem: bytes) -> None:
        private = serialization.load_pem_private_key(pem, None)
        self.key: ECKey | RSAKey
        if isinstance(private, ec.EllipticCurvePrivateKey):
            self.algorithm = {256: "ES256", 384: "ES384", 521: "ES512"}[private.curve.key_size]
            self.key = ECKey.import_key(pem)
        elif isinstance(private, rsa.RSAPrivateKey):
            self.algorithm = "RS256"
            self.key = RSAKey.import_key(pem)
        else:
            raise ValueError("the service account key is neither ECDSA nor RSA")
        public = private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.kid = base64.urlsafe_b64encode(hashlib.sha256(public).digest()).rstrip(b"=").decode()

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read ``sa.key``."""
        return cls(path.read_bytes())

    def jwk(self) -> dict[str, Any]:
        """The public key as ``/openid/v1/jwks`` shows it."""
        public: dict[str, Any] = dict(self.key.as_dict(private=False))
        return {"use": "sig", "kty": public["kty"], "kid": self.kid, "alg": self.algorithm, **_members(public)}


def _members(public: Mapping[str, Any]) -> dict[str, Any]:
    return {name: public[name] for name in ("crv", "x", "y", "n", "e") if name in public}


class ServiceAccountTokens:
    """Issues and recognizes tokens; see :class:`steersman.apiserver.registry.seams.TokenIssuer`."""

    def __init__(
        self,
        issuer: str,
        key: SigningKey,
        objects: Callable[[], Objects],
        *,
        audiences: Sequence[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.key = key
        self.audiences = tuple(audiences) or (issuer,)
        self._objects = objects
        self._now = now
        self._verified: dict[str, dict[str, Any]] = {}

    def issue(self, claims: TokenClaims) -> IssuedToken:
        """Sign a token."""
        now = int(self._now())
        audiences = claims.audiences or self.audiences
        private: dict[str, Any] = {"namespace": claims.namespace}
        if claims.node:
            private["node"] = _reference(claims.node, claims.node_uid)
        if claims.pod:
            private["pod"] = _reference(claims.pod, claims.pod_uid)
        if claims.secret:
            private["secret"] = _reference(claims.secret, claims.secret_uid)
        private["serviceaccount"] = _reference(claims.service_account, claims.service_account_uid)
        payload = {
            "aud": list(audiences),
            "exp": now + claims.expiration_seconds,
            "iat": now,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": private,
            "nbf": now,
            "sub": f"system:serviceaccount:{claims.namespace}:{claims.service_account}",
        }
        header = {"alg": self.key.algorithm, "kid": self.key.kid}
        token = jwt.encode(header, payload, self.key.key, algorithms=[self.key.algorithm])
        expires = datetime.fromtimestamp(now, UTC) + timedelta(seconds=claims.expiration_seconds)
        return IssuedToken(token, expires, audiences)

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> tuple[User, list[str]] | None:
        """The user of a token and which of the audiences it is for (none given: the API server's own)."""
        claims = self._claims(token)
        if claims is None:
            return None
        wanted = audiences or self.audiences
        present = claims.get("aud") or []
        matching = [audience for audience in wanted if audience in ([present] if isinstance(present, str) else present)]
        now = self._now()
        if not matching or not _number(claims, "nbf") <= now + 5 or now > _number(claims, "exp") + 5:
            return None
        user = await self._user(claims)
        return (user, matching) if user is not None else None

    def _claims(self, token: str) -> dict[str, Any] | None:
        if (known := self._verified.get(token)) is not None:
            return known
        if token.count(".") != 2 or len(token) > 16 * 1024:
            return None
        try:
            claims = dict(jwt.decode(token, self.key.key, algorithms=[self.key.algorithm]).claims)
        except (JoseError, ValueError, TypeError):
            return None
        if claims.get("iss") != self.issuer or not isinstance(claims.get("kubernetes.io"), dict):
            return None
        if len(self._verified) >= _KEPT:
            self._verified.clear()
        self._verified[token] = claims
        return claims

    async def _user(self, claims: Mapping[str, Any]) -> User | None:
        private = claims["kubernetes.io"]
        namespace = private.get("namespace", "")
        account = private.get("serviceaccount") or {}
        objects = self._objects()
        if not self._alive(await objects.get(ServiceAccount, account.get("name", ""), namespace), account):
            return None
        extra: dict[str, list[str]] = {CREDENTIAL_ID: [f"JTI={claims.get('jti', '')}"]}
        for kind, type_, scope in (("secret", Secret, namespace), ("pod", Pod, namespace)):
            if (reference := private.get(kind)) is None:
                continue
            if not self._alive(await objects.get(type_, reference.get("name", ""), scope), reference):
                return None
            if kind == "pod":
                extra[_PREFIX + "pod-name"] = [reference.get("name", "")]
                extra[_PREFIX + "pod-uid"] = [reference.get("uid", "")]
        if (reference := private.get("node")) is not None:
            # Bound to the node only where it is not bound to a pod; with a pod it is information.
            if "pod" not in private and not self._alive(await objects.get(Node, reference.get("name", "")), reference):
                return None
            extra[_PREFIX + "node-name"] = [reference.get("name", "")]
            extra[_PREFIX + "node-uid"] = [reference.get("uid", "")]
        name = account.get("name", "")
        return User(
            f"system:serviceaccount:{namespace}:{name}",
            ("system:serviceaccounts", f"system:serviceaccounts:{namespace}"),
            uid=account.get("uid", ""),
            extra=extra,
        )

    def _alive(self, obj: Object | None, reference: Mapping[str, Any]) -> bool:
        if obj is None:
            return False
        metadata: ObjectMeta = obj.metadata
        deleted = metadata.deletion_timestamp
        if deleted is not None and deleted.timestamp() < self._now() - LEEWAY:
            return False
        return metadata.uid == reference.get("uid", "")


def _reference(name: str, uid: str) -> dict[str, str]:
    return {"name": name, "uid": uid}


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
