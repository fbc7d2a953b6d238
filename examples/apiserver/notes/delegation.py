"""Who asks, and whether they may: both are the cluster's to say.

A request comes through the cluster's API server, which proves itself by the certificate of a front proxy and names the
user in headers; or directly, with a client certificate of the cluster's, or a bearer token, about which the cluster is
asked (TokenReview).  Whether the user may is asked, too (SubjectAccessReview).  Which authorities to believe stands in
``kube-system/extension-apiserver-authentication``, and is followed there as it changes.
"""

import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec
from aiohttp import web
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from steersman.api.errors import forbidden, unauthorized
from steersman.api.types.authentication_v1 import TokenReview, TokenReviewSpec
from steersman.api.types.authorization_v1 import (
    NonResourceAttributes,
    ResourceAttributes,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
)
from steersman.api.types.core_v1 import ConfigMap
from steersman.client import HTTPClient, Informer, Selectors

from .kind import GROUP, RESOURCE, VERSION

REMEMBERED = 10.0
"""Seconds for which an answer of the cluster's is good."""

_MOST = 4096
_OPEN = ("/healthz", "/livez", "/readyz")


class User(NamedTuple):
    """Who makes a request."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Asked(NamedTuple):
    """What is to be done: a verb on notes, or on a path."""

    verb: str
    namespace: str = ""
    name: str = ""
    path: str = ""


class Delegation:
    """``context`` is that of the server's listener: it learns whose client certificates to ask for."""

    def __init__(self, client: HTTPClient, context: ssl.SSLContext) -> None:
        self._client = client
        self._context = context
        self._data: dict[str, str] = {}
        self._known: dict[Any, tuple[float, Any]] = {}
        only = Selectors(fields="metadata.name=extension-apiserver-authentication")
        self.config: Informer[ConfigMap] = Informer(client, ConfigMap, "kube-system", selectors=only)
        self.config.add_handler(on_add=self._believe, on_update=lambda _, new: self._believe(new))

    def _believe(self, config: ConfigMap) -> None:
        self._data = dict(config.data)
        for key in ("client-ca-file", "requestheader-client-ca-file"):
            if bundle := self._data.get(key):
                self._context.load_verify_locations(cadata=bundle)
        self._context.verify_mode = ssl.CERT_OPTIONAL

    # -- who ---------------------------------------------------------------------------------------------------------

    async def user(self, request: web.Request) -> User:
        """Who makes a request; raises 401."""
        socket = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
        if socket is not None and (der := socket.getpeercert(True)):
            certificate = x509.load_der_x509_certificate(der)
            if self._issued(certificate, "requestheader-client-ca-file") and (
                user := self._named(request, certificate)
            ):
                return user
            if self._issued(certificate, "client-ca-file"):
                groups = _values(certificate, NameOID.ORGANIZATION_NAME)
                return User(_values(certificate, NameOID.COMMON_NAME)[0], (*groups, "system:authenticated"))
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (token := token.strip()):
            return await self._reviewed(token)
        raise unauthorized()

    def _issued(self, certificate: x509.Certificate, key: str) -> bool:
        """Whether an authority of a bundle issued a certificate; TLS has seen that it is good, but not by which."""
        bundle = self._data.get(key, "")
        for authority in x509.load_pem_x509_certificates(bundle.encode()) if bundle else ():
            try:
                certificate.verify_directly_issued_by(authority)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return True
        return False

    def _named(self, request: web.Request, proxy: x509.Certificate) -> User | None:
        """The user that a front proxy names."""
        allowed = self._list("requestheader-allowed-names")
        if allowed and not set(allowed) & set(_values(proxy, NameOID.COMMON_NAME)):
            return None

        def first(key: str) -> str:
            return next((value for name in self._list(key) if (value := request.headers.get(name, ""))), "")

        if not (name := first("requestheader-username-headers")):
            return None
        groups = [
            value for key in self._list("requestheader-group-headers") for value in request.headers.getall(key, [])
        ]
        extra: dict[str, list[str]] = {}
        for prefix in self._list("requestheader-extra-headers-prefix"):
            for header, value in request.headers.items():
                if header.lower().startswith(prefix.lower()):
                    extra.setdefault(unquote(header[len(prefix) :]).lower(), []).append(value)
        return User(name, tuple(groups), first("requestheader-uid-headers"), _frozen(extra))

    def _list(self, key: str) -> list[str]:
        return msgspec.json.decode(self._data.get(key) or "[]", type=list[str])

    async def _reviewed(self, token: str) -> User:
        known: User | None = self._recall(token)
        if known is None:
            review = await self._client.create(TokenReview(spec=TokenReviewSpec(token=token)))
            user = review.status.user
            if not review.status.authenticated or user is None:
                raise unauthorized()
            known = User(user.username, tuple(user.groups), user.uid, _frozen(user.extra))
            self._remember(token, known)
        return known

    # -- whether -----------------------------------------------------------------------------------------------------

    async def demand(self, user: User, asked: Asked) -> None:
        """Raises 403 where a user may not do something."""
        if asked.path in _OPEN or "system:masters" in user.groups:
            return
        if (answer := self._recall((user, asked))) is None:
            status = (await self._client.create(SubjectAccessReview(spec=_question(user, asked)))).status
            answer = (status.allowed and not status.denied, status.reason)
            self._remember((user, asked), answer)
        allowed, reason = answer
        if not allowed:
            what = f'cannot {asked.verb} path "{asked.path}"'
            if not asked.path:
                where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
                what = f'cannot {asked.verb} resource "{RESOURCE}" in API group "{GROUP}" {where}'
            detail = f'User "{user.name}" {what}{f": {reason}" if reason else ""}'
            raise forbidden("" if asked.path else RESOURCE, asked.name, detail, "" if asked.path else GROUP)

    def _recall(self, key: Any) -> Any:
        until, value = self._known.get(key, (0.0, None))
        return value if until > time.monotonic() else None

    def _remember(self, key: Any, value: Any) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = time.monotonic() + REMEMBERED, value


def _question(user: User, asked: Asked) -> SubjectAccessReviewSpec:
    spec = SubjectAccessReviewSpec(
        user=user.name,
        uid=user.uid,
        groups=list(user.groups),
        extra={key: list(values) for key, values in user.extra},
    )
    if asked.path:
        spec.non_resource_attributes = NonResourceAttributes(path=asked.path, verb=asked.verb)
    else:
        spec.resource_attributes = ResourceAttributes(
            group=GROUP, version=VERSION, resource=RESOURCE, verb=asked.verb, namespace=asked.namespace, name=asked.name
        )
    return spec


def _values(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(oid)]


def _frozen(extra: dict[str, list[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((key, tuple(values)) for key, values in sorted(extra.items()))
