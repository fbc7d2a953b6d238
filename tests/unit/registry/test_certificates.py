"""CertificateSigningRequests: who asked, who approves, who signs."""

from __future__ import annotations

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types.certificates_v1 import (
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
    CertificateSigningRequestSpec,
)
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.local import LocalClient

from .conftest import ADMIN, certificate, pkcs10


def wanted() -> CertificateSigningRequest:
    return CertificateSigningRequest(
        metadata=ObjectMeta(name="r"),
        spec=CertificateSigningRequestSpec(
            request=pkcs10(), signer_name="example.com/s", usages=["client auth"], username="somebody else"
        ),
    )


def condition(kind: str, status: str = "True") -> CertificateSigningRequestCondition:
    return CertificateSigningRequestCondition(type=kind, status=status, reason="x", message="y")


async def refused(client: LocalClient, obj: CertificateSigningRequest, subresource: str) -> list[str]:
    with pytest.raises(StatusError) as error:
        await client.update(obj, subresource=subresource)
    details = error.value.status.details
    assert details is not None
    return [f"{cause.field}: {cause.message}" for cause in details.causes]


async def test_the_server_says_who_asked(client: LocalClient) -> None:
    created = await client.create(wanted())
    assert (created.spec.username, created.spec.groups) == ("admin", list(ADMIN.groups))
    changed = codecs.copy(created)
    changed.spec.username = "jane"
    assert (await client.update(changed)).spec == created.spec


async def test_approval_has_a_place_of_its_own(client: LocalClient) -> None:
    created = codecs.copy(await client.create(wanted()))
    created.status.conditions = [condition("Approved")]
    assert await refused(client, codecs.copy(created), "status") == [
        'status.conditions: Forbidden: updates may not add a condition of type "Approved"'
    ]
    approved = await client.update(created, subresource="approval")
    assert approved.status.conditions[0].last_update_time is not None
    assert approved.status.conditions[0].last_transition_time is not None
    for conditions, fault in (
        ([], 'status.conditions: Forbidden: updates may not remove a condition of type "Approved"'),
        (
            [condition("Approved"), condition("Denied")],
            'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
        ),
        (
            [condition("Approved", "False")],
            'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
        ),
        (
            [condition("Approved"), condition("Approved")],
            'status.conditions[1].type: Duplicate value: "Approved"',
        ),
    ):
        changed = codecs.copy(approved)
        changed.status.conditions = conditions
        assert fault in await refused(client, changed, "approval")


async def test_who_signs_does_not_change_the_approval(client: LocalClient) -> None:
    created = codecs.copy(await client.create(wanted()))
    created.status.conditions = [condition("Approved")]
    approved = codecs.copy(await client.update(created, subresource="approval"))
    approved.status.certificate = certificate()
    approved.status.conditions[0].reason = "another"
    signed = await client.update(approved, subresource="status")
    assert (signed.status.certificate, signed.status.conditions[0].reason) == (approved.status.certificate, "x")


async def test_a_certificate_is_set_once(client: LocalClient) -> None:
    created = codecs.copy(await client.create(wanted()))
    created.status.certificate = b"nothing"
    assert await refused(client, codecs.copy(created), "status") == [
        'status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block'
    ]
    created.status.certificate = pkcs10()
    assert await refused(client, codecs.copy(created), "status") == [
        'status.certificate: Invalid value: "<certificate data>": only CERTIFICATE PEM blocks are allowed, found '
        '"CERTIFICATE REQUEST"'
    ]
    created.status.certificate = certificate()
    signed = codecs.copy(await client.update(created, subresource="status"))
    signed.status.certificate = certificate(2)
    assert await refused(client, codecs.copy(signed), "status") == [
        "status.certificate: Forbidden: updates may not modify existing certificate content"
    ]
    assert await refused(client, signed, "approval") == [
        "status.certificate: Forbidden: updates may not set certificate content"
    ]
