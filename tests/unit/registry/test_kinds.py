"""Kinds with behaviour of their own: evictions, CSRs, tokens, reviews; what nodes may do; what every cluster has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.resources import builtin_scheme
from steersman.api.types import (
    authentication_v1,
    authorization_v1,
    certificates_v1,
    certificates_v1beta1,
    discovery_v1,
    policy_v1,
    rbac_v1,
    scheduling_v1,
)
from steersman.api.types import (
    core_v1 as v1,
)
from steersman.api.types.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta, OwnerReference
from steersman.api.user import User
from steersman.apiserver.admission.plugin import Request
from steersman.apiserver.registry.bootstrap import essentials
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.registry.registry import Registry
from steersman.apiserver.seams import Attributes, Decision, IssuedToken, TokenClaims
from steersman.client.client import Patch
from steersman.client.local import LocalClient

from .conftest import ADMIN, certificate, config_map, context, pkcs10, pod, service

# -- bootstrap -------------------------------------------------------------------------------------------------------


async def test_a_cluster_begins_with(client: LocalClient) -> None:
    namespaces = {each.metadata.name: each for each in (await client.list(v1.Namespace)).items}
    assert set(namespaces) == {"default", "kube-system", "kube-public", "kube-node-lease"}
    assert namespaces["default"].metadata.labels == {"kubernetes.io/metadata.name": "default"}
    assert namespaces["default"].spec.finalizers == ["kubernetes"]
    kubernetes = await client.get(v1.Service, "kubernetes", "default")
    assert kubernetes.spec.cluster_ip == "10.96.0.1"
    endpoints = await client.get(discovery_v1.EndpointSlice, "kubernetes", "default")
    assert endpoints.endpoints[0].addresses == ["192.0.2.1"]
    classes = {each.metadata.name: each.value for each in (await client.list(scheduling_v1.PriorityClass)).items}
    assert classes == {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


async def test_what_every_cluster_has_comes_back(client: LocalClient, registry: Registry) -> None:
    for kind in (v1.Service, v1.Endpoints, discovery_v1.EndpointSlice):
        await client.delete(kind, "kubernetes", "default")
    with pytest.raises(StatusError, match="this is a system priority class and cannot be deleted"):
        await client.delete(scheduling_v1.PriorityClass, "system-node-critical")
    await essentials(registry)
    assert (await client.get(v1.Service, "kubernetes", "default")).spec.cluster_ip == "10.96.0.1"
    slices = await client.get(discovery_v1.EndpointSlice, "kubernetes", "default")
    assert slices.endpoints[0].addresses == ["192.0.2.1"]
    before = registry.store.current_revision
    await essentials(registry)
    assert registry.store.current_revision == before


# -- evictions -------------------------------------------------------------------------------------------------------


async def test_eviction_respects_budgets(client: LocalClient) -> None:
    wanted = pod(node_name="n")
    wanted.metadata.labels = {"app": "x"}
    running = codecs.copy(await client.create(wanted))
    running.status.phase = "Running"
    running.status.conditions = [v1.PodCondition(type="Ready", status="True")]
    await client.update(running, subresource="status")
    budget = policy_v1.PodDisruptionBudget(
        metadata=ObjectMeta(name="b", namespace="default"),
        spec=policy_v1.PodDisruptionBudgetSpec(selector=LabelSelector(match_labels={"app": "x"}), min_available=1),
    )
    stored = codecs.copy(await client.create(budget))
    eviction = policy_v1.Eviction(metadata=ObjectMeta(name="p", namespace="default"))
    with pytest.raises(StatusError) as error:
        await client.create_subresource(v1.Pod, "p", "eviction", eviction, "default")
    assert error.value.code == 429
    stored.status.disruptions_allowed = 1
    stored.status.observed_generation = 1
    await client.update(stored, subresource="status")
    await client.create_subresource(v1.Pod, "p", "eviction", eviction, "default")
    evicted = await client.get(v1.Pod, "p", "default")
    assert evicted.metadata.deletion_timestamp is not None
    assert "DisruptionTarget" in [each.type for each in evicted.status.conditions]
    spent = await client.get(policy_v1.PodDisruptionBudget, "b", "default")
    assert spent.status.disruptions_allowed == 0
    assert list(spent.status.disrupted_pods) == ["p"]


async def test_an_eviction_on_trial_leaves_no_trace(client: LocalClient) -> None:
    created = await client.create(pod(node_name="n"))
    options = DeleteOptions(dry_run=["All"])
    eviction = policy_v1.Eviction(metadata=ObjectMeta(name="p", namespace="default"), delete_options=options)
    await client.create_subresource(v1.Pod, "p", "eviction", eviction, "default")
    assert await client.get(v1.Pod, "p", "default") == created


# -- others ----------------------------------------------------------------------------------------------------------


async def test_signers_have_their_own_verbs(client: LocalClient, registry: Registry) -> None:
    """Approving and signing take the verb on the signer, by its name or by all of its domain."""

    class Signers(AllowReading):
        async def authorize(self, attributes: Attributes) -> Decision:
            assert (attributes.group, attributes.resource) == ("certificates.k8s.io", "signers")
            return Decision((attributes.verb, attributes.name) in allowed)

    allowed: set[tuple[str, str]] = set()
    registry.surroundings.authorizer = Signers()
    spec = certificates_v1.CertificateSigningRequestSpec(
        request=pkcs10(), signer_name="example.com/s", usages=["client auth"]
    )
    request = certificates_v1.CertificateSigningRequest(metadata=ObjectMeta(name="r"), spec=spec)
    present = codecs.copy(await client.create(request))
    condition = certificates_v1.CertificateSigningRequestCondition(type="Approved", status="True", reason="x")
    for subresource, verb, noun in (("approval", "approve", "approve"), ("status", "sign", "sign")):
        if subresource == "approval":
            present.status.conditions = [condition]
        else:
            present.status.certificate = certificate()
        with pytest.raises(StatusError) as error:
            await client.update(codecs.copy(present), subresource=subresource)
        assert error.value.code == 403
        assert error.value.status.message == (
            'certificatesigningrequests.certificates.k8s.io "r" is forbidden: '
            f'user not permitted to {noun} requests with signerName "example.com/s"'
        )
        allowed.add((verb, "example.com/s" if verb == "sign" else "example.com/*"))
        present = codecs.copy(await client.update(present, subresource=subresource))


async def test_speaking_for_a_signer_takes_its_verb(registry: Registry, client: LocalClient) -> None:
    asked: list[tuple[str, str]] = []

    class Nobody(AllowReading):
        async def authorize(self, attributes: Attributes) -> Decision:
            asked.append((attributes.verb, attributes.name))
            return Decision(allowed=False)

    registry.surroundings.authorizer = Nobody()
    request = Request(
        "CREATE",
        builtin_scheme().for_type(certificates_v1beta1.ClusterTrustBundle),
        "",
        "",
        "b",
        certificates_v1beta1.ClusterTrustBundle(
            metadata=ObjectMeta(name="b"), spec=certificates_v1beta1.ClusterTrustBundleSpec(signer_name="example.com/s")
        ),
        None,
        User("u"),
    )
    with pytest.raises(StatusError, match=r'user not permitted to attest for signerName "example\.com/s"'):
        await registry.admission.validate(request)
    assert asked == [("attest", "example.com/s"), ("attest", "example.com/*")]
    request.obj.spec.signer_name = ""
    await registry.admission.validate(request)


@pytest.mark.parametrize(
    ("organization", "expected"),
    [
        ("team", ""),
        (
            "system:masters",
            "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
        ),
    ],
)
async def test_no_certificate_makes_privileged(client: LocalClient, organization: str, expected: str) -> None:
    spec = certificates_v1.CertificateSigningRequestSpec(
        request=pkcs10(organization),
        signer_name="kubernetes.io/kube-apiserver-client",
        usages=["client auth"],
    )
    request = certificates_v1.CertificateSigningRequest(metadata=ObjectMeta(name="r"), spec=spec)
    if not expected:
        await client.create(request)
        return
    with pytest.raises(StatusError, match=expected):
        await client.create(request)


class Issuer:
    def issue(self, claims: TokenClaims) -> IssuedToken:
        self.claims = claims
        return IssuedToken("signed", datetime(2030, 1, 1, tzinfo=UTC), claims.audiences or ("api",))


async def test_tokens_are_bound(client: LocalClient, registry: Registry) -> None:
    issuer = registry.surroundings.token_issuer = Issuer()
    bound = await client.create(pod())
    request = authentication_v1.TokenRequest(
        spec=authentication_v1.TokenRequestSpec(
            bound_object_ref=authentication_v1.BoundObjectReference(
                kind="Pod", api_version="v1", name="p", uid=bound.metadata.uid
            ),
            expiration_seconds=3607,
        )
    )
    answer = await client.create_subresource(v1.ServiceAccount, "default", "token", request, "default")
    assert (answer.status.token, answer.spec.audiences) == ("signed", ["api"])
    assert (issuer.claims.pod, issuer.claims.pod_uid) == ("p", bound.metadata.uid)
    assert issuer.claims.expiration_seconds == 3607


@pytest.mark.parametrize(
    ("meta", "spec", "code", "message"),
    [
        ({"name": "x"}, {}, 422, 'metadata.name: Invalid value: "x": must match the service account name if specified'),
        ({}, {"expiration_seconds": 599}, 422, "may not specify a duration less than 10 minutes"),
        ({}, {"expiration_seconds": (1 << 32) + 1}, 422, "may not specify a duration larger than 2^32 seconds"),
        ({}, {"ref": ("v1", "Pod", "nobody", "")}, 404, 'pods "nobody" not found'),
        ({}, {"ref": ("v1", "Pod", "p", "u")}, 409, "the UID in the bound object reference (u) does not match"),
        (
            {},
            {"ref": ("apps/v1", "Deployment", "d", "")},
            400,
            "cannot bind token for serviceaccount to object type apps/v1, Kind=Deployment",
        ),
        (
            {},
            {"ref": ("v1", "Pod", "other", "")},
            400,
            'cannot bind token for serviceaccount "default" to pod running with different serviceaccount name.',
        ),
    ],
)
async def test_tokens_that_are_refused(
    client: LocalClient, registry: Registry, meta: dict[str, Any], spec: dict[str, Any], code: int, message: str
) -> None:
    registry.surroundings.token_issuer = Issuer()
    await client.create(v1.ServiceAccount(metadata=ObjectMeta(name="sa", namespace="default")))
    await client.create(pod())
    await client.create(pod("other", service_account_name="sa"))
    if "ref" in spec:
        version, kind, name, uid = spec["ref"]
        reference = authentication_v1.BoundObjectReference(api_version=version, kind=kind, name=name, uid=uid)
        spec = {"bound_object_ref": reference}
    request = authentication_v1.TokenRequest(
        metadata=ObjectMeta(**meta), spec=authentication_v1.TokenRequestSpec(**spec)
    )
    with pytest.raises(StatusError) as error:
        await client.create_subresource(v1.ServiceAccount, "default", "token", request, "default")
    assert error.value.code == code
    assert message in error.value.status.message


async def test_a_token_that_would_live_too_long_is_shortened(client: LocalClient, registry: Registry) -> None:
    issuer = registry.surroundings.token_issuer = Issuer()
    registry.config = msgspec.structs.replace(registry.config, max_token_expiration_seconds=4000)
    warned = context()
    request = authentication_v1.TokenRequest(spec=authentication_v1.TokenRequestSpec(expiration_seconds=5000))
    handler = registry.handler_of(v1.ServiceAccount)
    answer = await handler.create_subresource(warned, "default", "default", "token", request)
    assert warned.warnings == ["requested expiration of 5000 seconds shortened to 4000 seconds"]
    assert (answer.spec.expiration_seconds, issuer.claims.expiration_seconds) == (4000, 4000)


class AllowReading:
    async def authorize(self, attributes: Attributes) -> Decision:
        return Decision(attributes.verb == "get", "rule")

    def rules(self, user: User, namespace: str) -> authorization_v1.SubjectRulesReviewStatus:
        return authorization_v1.SubjectRulesReviewStatus()

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> tuple[User, list[str]] | None:
        return (User("u"), list(audiences)) if token == "good" else None


async def test_reviews(client: LocalClient, registry: Registry) -> None:
    registry.surroundings.authorizer = AllowReading()
    registry.surroundings.authenticator = AllowReading()
    who = await client.create(authentication_v1.SelfSubjectReview())
    assert who.status.user_info is not None
    assert who.status.user_info.username == "admin"
    for verb, allowed in (("get", True), ("delete", False)):
        attributes = authorization_v1.ResourceAttributes(verb=verb, resource="pods")
        review = authorization_v1.SelfSubjectAccessReview(
            spec=authorization_v1.SelfSubjectAccessReviewSpec(resource_attributes=attributes)
        )
        assert (await client.create(review)).status.allowed is allowed
    with pytest.raises(StatusError):
        await client.create(authorization_v1.SelfSubjectAccessReview())
    resource = authorization_v1.ResourceAttributes(verb="get", resource="pods", namespace="default")
    path = authorization_v1.NonResourceAttributes(verb="get", path="/x")
    selector = authorization_v1.FieldSelectorAttributes()
    for spec, expected in (
        ({"user": "u"}, "exactly one of nonResourceAttributes or resourceAttributes must be specified"),
        (
            {"user": "u", "resource_attributes": resource, "non_resource_attributes": path},
            "cannot be specified in combination with resourceAttributes",
        ),
        ({"non_resource_attributes": path}, "at least one of user or group must be specified"),
        (
            {"user": "u", "resource_attributes": authorization_v1.ResourceAttributes(field_selector=selector)},
            "when spec.resourceAttributes.fieldSelector is specified, requirements or rawSelector is required",
        ),
    ):
        asked = authorization_v1.SubjectAccessReviewSpec(**spec)  # type: ignore[arg-type]
        with pytest.raises(StatusError, match=expected):
            await client.create(authorization_v1.SubjectAccessReview(spec=asked))
    local = authorization_v1.LocalSubjectAccessReview(metadata=ObjectMeta(namespace="default"))
    local.spec = authorization_v1.SubjectAccessReviewSpec(user="u", resource_attributes=resource)
    answer = await client.create(local)
    assert (answer.status.allowed, answer.metadata.namespace) == (True, "default")
    local.spec.resource_attributes = authorization_v1.ResourceAttributes(verb="get", namespace="elsewhere")
    with pytest.raises(StatusError, match=r"must match metadata\.namespace"):
        await client.create(local)
    for token, good in (("good", True), ("bad", None)):
        token_review = authentication_v1.TokenReview(spec=authentication_v1.TokenReviewSpec(token=token))
        assert (await client.create(token_review)).status.authenticated is good


async def test_every_served_resource_has_a_handler(registry: Registry) -> None:
    for resource in registry.scheme:
        if resource.served:
            handler = registry.handler(resource)
            assert handler.resource is resource
            if "list" in resource.verbs:
                await handler.list("", ListOptions())


async def test_nodes_touch_only_what_is_theirs(registry: Registry) -> None:
    kubelet = LocalClient(registry, User("system:node:n1", ("system:nodes", "system:authenticated")))
    created = await kubelet.create(v1.Node(metadata=ObjectMeta(name="n1")))
    assert [(each.key, each.effect) for each in created.spec.taints] == [("node.kubernetes.io/not-ready", "NoSchedule")]
    for attempt in (
        kubelet.create(v1.Node(metadata=ObjectMeta(name="n2"))),
        kubelet.create(pod()),
        kubelet.patch(
            v1.Node,
            "n1",
            Patch("application/merge-patch+json", b'{"metadata":{"labels":{"node-restriction.kubernetes.io/a":"b"}}}'),
        ),
    ):
        with pytest.raises(StatusError) as error:
            await attempt
        assert error.value.code == 403


async def test_nodes_get_tokens_of_their_own_pods_alone(registry: Registry, client: LocalClient) -> None:
    registry.surroundings.token_issuer = Issuer()
    kubelet = LocalClient(registry, User("system:node:n1", ("system:nodes", "system:authenticated")))
    mine = await client.create(pod("mine", node_name="n1"))
    other = await client.create(pod("other", node_name="n2"))

    async def ask(bound: v1.Pod | None, uid: str = "") -> str:
        reference = authentication_v1.BoundObjectReference(kind="Pod", api_version="v1", uid=uid)
        if bound is not None:
            reference.name = bound.metadata.name
        request = authentication_v1.TokenRequest(
            spec=authentication_v1.TokenRequestSpec(bound_object_ref=reference if bound is not None else None)
        )
        answer = await kubelet.create_subresource(v1.ServiceAccount, "default", "token", request, "default")
        token: str = answer.status.token
        return token

    assert await ask(mine, mine.metadata.uid) == "signed"
    for bound, uid in ((None, ""), (mine, ""), (mine, other.metadata.uid), (other, other.metadata.uid)):
        with pytest.raises(StatusError) as error:
            await ask(bound, uid)
        assert error.value.code == 403


async def test_tokens_live_ten_minutes_at_least(registry: Registry, client: LocalClient) -> None:
    registry.surroundings.token_issuer = Issuer()
    for seconds in (599, (1 << 32) + 1, -1):
        request = authentication_v1.TokenRequest(spec=authentication_v1.TokenRequestSpec(expiration_seconds=seconds))
        with pytest.raises(StatusError) as error:
            await client.create_subresource(v1.ServiceAccount, "default", "token", request, "default")
        assert error.value.code == 422


async def test_nodes_create_mirror_pods_that_reach_for_nothing(registry: Registry) -> None:
    kubelet = LocalClient(registry, User("system:node:n1", ("system:nodes", "system:authenticated")))
    node = await kubelet.create(v1.Node(metadata=ObjectMeta(name="n1")))

    def mirror(name: str) -> v1.Pod:
        wanted = pod(name, node_name="n1")
        wanted.metadata.annotations = {"kubernetes.io/config.mirror": "hash"}
        owner = OwnerReference(api_version="v1", kind="Node", name="n1", uid=node.metadata.uid, controller=True)
        wanted.metadata.owner_references = [owner]
        return wanted

    assert (await kubelet.create(mirror("good"))).metadata.name == "good"
    reaching, ownerless, foreign = mirror("a"), mirror("b"), mirror("c")
    secret = v1.EnvVarSource(secret_key_ref=v1.SecretKeySelector(name="s", key="k"))
    reaching.spec.containers[0].env = [v1.EnvVar(name="X", value_from=secret)]
    ownerless.metadata.owner_references = []
    foreign.metadata.owner_references[0].uid = "other"
    for wanted in (reaching, ownerless, foreign):
        with pytest.raises(StatusError) as error:
            await kubelet.create(wanted)
        assert error.value.code == 403


class Holder(AllowReading):
    """Holds the right to read pods, and to write roles."""

    def rules(self, user: User, namespace: str) -> authorization_v1.SubjectRulesReviewStatus:
        rule = authorization_v1.ResourceRule(verbs=["get", "list"], api_groups=[""], resources=["pods", "*/log"])
        return authorization_v1.SubjectRulesReviewStatus(resource_rules=[rule])


async def test_nobody_grants_what_they_do_not_have(registry: Registry) -> None:
    registry.surroundings.authorizer = Holder()
    user = LocalClient(registry, User("jane", ("system:authenticated",)))

    def role(name: str, verb: str, resource: str) -> rbac_v1.Role:
        rule = rbac_v1.PolicyRule(verbs=[verb], api_groups=[""], resources=[resource])
        return rbac_v1.Role(metadata=ObjectMeta(name=name, namespace="default"), rules=[rule])

    await user.create(role("reader", "get", "pods"))
    await user.create(role("logs", "list", "pods/log"))
    with pytest.raises(StatusError) as error:
        await user.create(role("writer", "delete", "pods"))
    assert error.value.code == 403
    assert error.value.status.message == (
        'roles.rbac.authorization.k8s.io "writer" is forbidden: user "jane" (groups=["system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'
    )
    await LocalClient(registry, ADMIN).create(role("writer", "delete", "pods"))
    binding = rbac_v1.RoleBinding(
        metadata=ObjectMeta(name="b", namespace="default"),
        role_ref=rbac_v1.RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name="writer"),
        subjects=[rbac_v1.Subject(kind="User", name="jane", api_group="rbac.authorization.k8s.io")],
    )
    with pytest.raises(StatusError):
        await user.create(binding)
    binding.role_ref.name = "reader"
    await user.create(binding)


async def test_two_servers_share_a_store(registry: Registry, client: LocalClient) -> None:
    other = Registry(registry.store, builtin_scheme(), registry.config)
    task = asyncio.create_task(other.run())
    try:
        async with asyncio.timeout(10):
            await other.ready.wait()
        clients = (client, LocalClient(other, ADMIN))
        created = await asyncio.gather(*(clients[n % 2].create(service(f"s{n}", type="NodePort")) for n in range(100)))
        assert len({each.spec.cluster_ip for each in created}) == 100
        assert len({each.spec.ports[0].node_port for each in created}) == 100
        await client.create(config_map())
        patch = "application/merge-patch+json"
        await asyncio.gather(
            *(
                clients[n % 2].patch(v1.ConfigMap, "cm", Patch(patch, b'{"data":{"k%d":""}}' % n), "default")
                for n in range(20)
            )
        )
        assert len((await clients[1].get(v1.ConfigMap, "cm", "default")).data) == 20
    finally:
        task.cancel()
        await asyncio.wait([task])
