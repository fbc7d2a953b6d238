import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from steersman.api.errors import StatusError, not_found
from steersman.api.resources import builtin_scheme
from steersman.api.types.core_v1 import Pod, ServiceAccount
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import ANONYMOUS, User
from steersman.apiserver.authn.bearer import bearer_token
from steersman.apiserver.authn.chain import Authentication
from steersman.apiserver.authn.impersonation import impersonated
from steersman.apiserver.authn.request_header import RequestHeaders
from steersman.apiserver.authn.service_account import WARN_ONLY_EXPIRATION, InvalidToken, ServiceAccountTokens
from steersman.apiserver.authn.x509 import CertificateAuthority
from steersman.apiserver.http.messages import Request
from steersman.apiserver.seams import Attributes, Decision, TokenClaims
from steersman.pki.certificates import Subject, issue, new_authority, new_key, private_pem, public_pem
from steersman.testing.turnable_clock import TurnableClock

ISSUER = "https://kubernetes.default.svc.cluster.local"


class World:
    """The objects that tokens are bound to, read as from the registry."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Any] = {}
        self.unheard: set[str] = set()
        """The kinds of which the cache has not heard yet."""

    def put(self, obj: Any) -> None:
        self.objects[obj.kind, obj.metadata.namespace, obj.metadata.name] = obj

    def handler(self, resource: Any) -> Any:
        world = self

        class Handler:
            async def get(self, namespace: str, name: str, *, resource_version: str = "") -> Any:
                obj = world.objects.get((resource.kind, namespace, name))
                if obj is None or (resource_version == "0" and resource.kind in world.unheard):
                    raise not_found(resource.name, name)
                return type("Entry", (), {"object": obj})

        return Handler()


@pytest.fixture
def world() -> World:
    result = World()
    result.put(ServiceAccount(metadata=ObjectMeta(namespace="ns", name="sa", uid="u1")))
    result.put(Pod(metadata=ObjectMeta(namespace="ns", name="p", uid="p1")))
    return result


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock(datetime(2027, 1, 15, tzinfo=UTC), frozen=True)


@pytest.fixture
def tokens(world: World, clock: TurnableClock) -> ServiceAccountTokens:
    key = new_key()
    return ServiceAccountTokens(
        builtin_scheme(),
        world.handler,
        signing_key=private_pem(key),
        public_keys=[public_pem(key.public_key())],
        issuer=ISSUER,
        clock=clock,
    )


CLAIMS = TokenClaims("ns", "sa", "u1", expiration_seconds=600, pod="p", pod_uid="p1", node="n", node_uid="n1")


async def test_a_token_names_its_account_and_what_it_is_bound_to(tokens: ServiceAccountTokens) -> None:
    found = await tokens.authenticate_token(tokens.issue(CLAIMS).token)
    assert found is not None
    user, audiences = found
    assert (user.name, user.uid, audiences) == ("system:serviceaccount:ns:sa", "u1", [ISSUER])
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:ns")
    assert user.extra["authentication.kubernetes.io/pod-name"] == ["p"]
    assert user.extra["authentication.kubernetes.io/node-uid"] == ["n1"]
    assert user.extra["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")


async def test_a_token_ends_with_what_it_is_bound_to(tokens: ServiceAccountTokens, world: World) -> None:
    token = tokens.issue(CLAIMS).token
    assert await tokens.authenticate_token(token)
    world.put(Pod(metadata=ObjectMeta(namespace="ns", name="p", uid="another")))
    with pytest.raises(InvalidToken, match="does not match the UID in token"):
        await tokens.authenticate_token(token)
    del world.objects["Pod", "ns", "p"]
    with pytest.raises(InvalidToken, match="not found"):
        await tokens.authenticate_token(token)


async def test_a_token_serves_where_another_server_made_what_it_is_bound_to(
    tokens: ServiceAccountTokens, world: World
) -> None:
    world.unheard |= {"ServiceAccount", "Pod"}
    assert await tokens.authenticate_token(tokens.issue(CLAIMS).token)


async def test_a_token_ends_a_minute_after_what_it_is_bound_to_should_have(
    tokens: ServiceAccountTokens, world: World, clock: TurnableClock
) -> None:
    token = tokens.issue(CLAIMS).token
    deletion = clock.now()
    world.put(Pod(metadata=ObjectMeta(namespace="ns", name="p", uid="p1", deletion_timestamp=deletion)))
    await clock.advance(50)
    assert await tokens.authenticate_token(token)
    await clock.advance(20)
    with pytest.raises(InvalidToken, match="has been deleted"):
        await tokens.authenticate_token(token)


async def test_a_token_expires_and_is_for_its_audience_alone(
    tokens: ServiceAccountTokens, clock: TurnableClock
) -> None:
    issued = tokens.issue(TokenClaims("ns", "sa", "u1", audiences=("vault",), expiration_seconds=600))
    with pytest.raises(InvalidToken, match="audiences"):
        await tokens.authenticate_token(issued.token)
    assert await tokens.authenticate_token(issued.token, ["vault", "other"])
    await clock.advance(700)
    with pytest.raises(InvalidToken, match="expired"):
        await tokens.authenticate_token(issued.token, ["vault"])


async def test_the_token_that_every_pod_gets_lives_longer_than_it_says(
    tokens: ServiceAccountTokens, clock: TurnableClock
) -> None:
    issued = tokens.issue(TokenClaims("ns", "sa", "u1", pod="p", pod_uid="p1", expiration_seconds=WARN_ONLY_EXPIRATION))
    assert issued.expires.timestamp() == clock.now().timestamp() + WARN_ONLY_EXPIRATION
    await clock.advance(24 * 3600)
    assert await tokens.authenticate_token(issued.token)


async def test_foreign_and_forged_tokens(tokens: ServiceAccountTokens, world: World) -> None:
    assert await tokens.authenticate_token("garbage") is None
    assert await tokens.authenticate_token("a.b.c") is None
    other = new_key()
    forger = ServiceAccountTokens(
        builtin_scheme(),
        world.handler,
        signing_key=private_pem(other),
        public_keys=[public_pem(other.public_key())],
        issuer=ISSUER,
    )
    with pytest.raises(InvalidToken, match="invalid bearer token"):
        await tokens.authenticate_token(forger.issue(CLAIMS).token)


def request(headers: Mapping[str, str] | None = None, certificate: bytes | None = None, path: str = "/api") -> Request:
    return Request("GET", path, path, "", headers or {}, peer_certificate=certificate)


class Authorities:
    def __init__(self) -> None:
        self.ca, self.proxy_ca = new_authority("kubernetes"), new_authority("front-proxy-ca")
        self.chain = Authentication(
            authority=CertificateAuthority(self.ca.certificate_pem),
            front_proxy=RequestHeaders(
                CertificateAuthority(self.proxy_ca.certificate_pem), frozenset({"front-proxy-client"})
            ),
        )

    def certificate(self, name: str, *groups: str, proxy: bool = False) -> bytes:
        authority = self.proxy_ca if proxy else self.ca
        return issue(authority, Subject(name, groups, client=True)).certificate.public_bytes(Encoding.DER)


async def test_certificates_and_the_front_proxy() -> None:
    authorities = Authorities()
    user = await authorities.chain.authenticate(request(certificate=authorities.certificate("anne", "writers")))
    assert (user.name, user.groups) == ("anne", ("writers", "system:authenticated"))
    headers = {"x-remote-user": "bob", "x-remote-group": "g"}
    proxy = authorities.certificate("front-proxy-client", proxy=True)
    assert (await authorities.chain.authenticate(request(headers, proxy))).name == "bob"
    # An ordinary client may not speak for others, nor is the front proxy's certificate a user's.
    assert (await authorities.chain.authenticate(request(headers, authorities.certificate("anne")))).name == "anne"
    for stranger in (authorities.certificate("mallory", proxy=True), None):
        with pytest.raises(StatusError, match="Unauthorized"):
            await authorities.chain.authenticate(request(headers, stranger))


def test_a_certificate_ends_even_where_its_connection_does_not() -> None:
    authorities, now = Authorities(), [time.time()]
    known = CertificateAuthority(authorities.ca.certificate_pem, clock=lambda: now[0])
    certificate = authorities.certificate("anne")
    user = known.user(certificate)
    assert user is not None
    assert user.name == "anne"
    now[0] += 100 * 365 * 24 * 3600
    assert known.user(certificate) is None


async def test_nobody_is_let_through_to_health_alone_and_never_with_a_wrong_token() -> None:
    chain = Authorities().chain
    assert await chain.authenticate(request(path="/readyz")) is ANONYMOUS
    assert await chain.authenticate(request(path="/livez/ping")) is ANONYMOUS
    for path in ("/api", "/readyzz", "/version"):
        with pytest.raises(StatusError) as caught:
            await chain.authenticate(request(path=path))
        assert caught.value.code == 401
    with pytest.raises(StatusError):
        await chain.authenticate(request({"authorization": "Bearer nonsense"}, path="/readyz"))


class Allow:
    def __init__(self, *allowed: tuple[str, str]) -> None:
        self.allowed = allowed

    async def authorize(self, attributes: Attributes) -> Decision:
        return Decision((attributes.resource, attributes.name) in self.allowed)

    def rules(self, user: User, namespace: str) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("protocols", "token"),
    [
        ("base64url.bearer.authorization.k8s.io.c2VjcmV0, v4.channel.k8s.io", "secret"),
        ("v4.channel.k8s.io, base64url.bearer.authorization.k8s.io._w", None),
        ("v4.channel.k8s.io", ""),
        ("base64url.bearer.authorization.k8s.io.c2VjcmV0", None),
        ("base64url.bearer.authorization.k8s.io.c2Vjcg==, v4.channel.k8s.io", None),
        ("base64url.bearer.authorization.k8s.io.c2, base64url.bearer.authorization.k8s.io.c2, x", None),
    ],
)
def test_tokens_among_the_protocols_of_a_websocket(protocols: str, token: str | None) -> None:
    headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-protocol": protocols}
    if token is None:
        with pytest.raises(StatusError, match="Unauthorized"):
            bearer_token(request(headers))
    else:
        assert bearer_token(request(headers)) == token
    assert bearer_token(request({"sec-websocket-protocol": protocols})) == ""


async def test_impersonation_needs_every_permission() -> None:
    caller = User("anne", ("system:authenticated",))
    asked = request({"impersonate-user": "bob", "impersonate-group": "g"})
    user = await impersonated(asked, caller, Allow(("users", "bob"), ("groups", "g")))
    assert (user.name, user.groups) == ("bob", ("g", "system:authenticated"))
    with pytest.raises(StatusError, match='User "anne" cannot impersonate resource "groups"'):
        await impersonated(asked, caller, Allow(("users", "bob")))
    with pytest.raises(StatusError, match="without impersonating a user"):
        await impersonated(request({"impersonate-group": "g"}), caller, Allow())
    assert await impersonated(request(), caller, Allow()) is caller


async def test_an_impersonated_service_account_has_its_groups() -> None:
    name = "system:serviceaccount:ns:sa"
    user = await impersonated(request({"impersonate-user": name}), User("anne"), Allow(("serviceaccounts", "sa")))
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated")


def test_keys_are_published_without_their_private_part(tokens: ServiceAccountTokens, tmp_path: Path) -> None:
    (key,) = tokens.keys["keys"]
    assert key["alg"] == "ES256"
    assert key["kid"]
    assert "d" not in key
