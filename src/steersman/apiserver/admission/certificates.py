"""The certificate plugins: who may decide upon which certificates, and speak for which signer."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

from steersman.api.user import User
from steersman.apiserver.seams import Attributes

from .plugin import Cluster, Plugin, Request, Verb

GROUP = "certificates.k8s.io"
_REQUESTS = frozenset({f"certificatesigningrequests.{GROUP}"})
_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
_PRIVILEGED = "system:masters"


async def may_act_as_signer(cluster: Cluster, user: User, verb: str, signer: str) -> bool:
    """Whether a user has a verb on a signer, by its name or by all names of its domain."""
    authorizer = cluster.surroundings.authorizer
    if authorizer is None:
        return True
    for name in (signer, f"{signer.partition('/')[0]}/*"):
        attributes = Attributes(user, verb, GROUP, "*", "signers", name=name)
        if (await authorizer.authorize(attributes)).allowed:
            return True
    return False


class CertificateApproval(Plugin):
    """Approving takes ``approve`` on the signer."""

    name = "CertificateApproval"
    verbs: frozenset[Verb] = frozenset({"UPDATE"})
    resources = _REQUESTS
    subresources = frozenset({"approval"})

    async def validate(self, request: Request, cluster: Cluster) -> None:
        if request.subresource != "approval":
            return
        signer = request.old.spec.signer_name
        if not await may_act_as_signer(cluster, request.user, "approve", signer):
            raise request.refuse(f'user not permitted to approve requests with signerName "{signer}"')


class CertificateSigning(Plugin):
    """Signing takes ``sign`` on the signer."""

    name = "CertificateSigning"
    verbs: frozenset[Verb] = frozenset({"UPDATE"})
    resources = _REQUESTS
    subresources = frozenset({"status"})

    async def validate(self, request: Request, cluster: Cluster) -> None:
        if request.subresource != "status":
            return
        new, old, signer = request.obj.status, request.old.status, request.old.spec.signer_name
        if new.certificate == old.certificate and new.conditions == old.conditions:
            return
        if not await may_act_as_signer(cluster, request.user, "sign", signer):
            raise request.refuse(f'user not permitted to sign requests with signerName "{signer}"')


class CertificateSubjectRestriction(Plugin):
    """Nobody becomes privileged by a certificate for API clients."""

    name = "CertificateSubjectRestriction"
    resources = _REQUESTS

    async def validate(self, request: Request, cluster: Cluster) -> None:
        spec = request.obj.spec
        if spec.signer_name != _CLIENT_SIGNER:
            return
        try:
            subject = x509.load_pem_x509_csr(spec.request).subject
        except ValueError as error:
            raise request.refuse(f"failed to parse CSR: {error}") from error
        for attribute in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME):
            if attribute.value == _PRIVILEGED:
                raise request.refuse(f"use of {spec.signer_name} signer with {_PRIVILEGED} group is not allowed")


class ClusterTrustBundleAttest(Plugin):
    """Saying whom a signer vouches for takes ``attest`` on the signer."""

    name = "ClusterTrustBundleAttest"
    verbs: frozenset[Verb] = frozenset({"CREATE", "UPDATE"})
    resources = frozenset({f"clustertrustbundles.{GROUP}"})

    async def validate(self, request: Request, cluster: Cluster) -> None:
        spec = request.obj.spec
        if not spec.signer_name or (request.old is not None and request.old.spec == spec):
            return
        if not await may_act_as_signer(cluster, request.user, "attest", spec.signer_name):
            raise request.refuse(f'user not permitted to attest for signerName "{spec.signer_name}"')
