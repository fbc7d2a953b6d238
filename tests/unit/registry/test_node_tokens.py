"""For which audiences nodes get tokens of their pods."""

from __future__ import annotations

import pytest

from steersman.api.errors import StatusError
from steersman.api.types import authentication_v1, storage_v1
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.registry.registry import Registry
from steersman.apiserver.seams import Attributes, Decision
from steersman.client.local import LocalClient

from .conftest import pod
from .test_kinds import Issuer


def _projected(audience: str) -> v1.Volume:
    token = v1.ServiceAccountTokenProjection(audience=audience, path="t")
    source = v1.ProjectedVolumeSource(sources=[v1.VolumeProjection(service_account_token=token)])
    return v1.Volume(name="t", projected=source)


def _csi(driver: str) -> v1.Volume:
    return v1.Volume(name="t", csi=v1.CSIVolumeSource(driver=driver))


def _claim(name: str) -> v1.Volume:
    return v1.Volume(name="t", persistent_volume_claim=v1.PersistentVolumeClaimVolumeSource(claim_name=name))


_NOT = "{} not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience"


@pytest.mark.parametrize(
    ("volume", "audiences", "refused"),
    [
        (_projected(""), [], ""),
        (_projected("vault"), ["vault"], ""),
        (_projected("vault"), ["other"], _NOT.format('audience "other"')),
        (_projected("vault"), [], _NOT.format('audience ""')),
        (_projected("vault"), ["vault", "other"], "node may only request 0 or 1 audiences"),
        (_csi("d.example.com"), ["csi"], ""),
        (_csi("d.example.com"), ["other"], _NOT.format('audience "other"')),
        (_csi("x.example.com"), ["csi"],
         'error validating audience "csi": csidriver.storage.k8s.io "x.example.com" not found'),
        (_claim("claim"), ["csi"], ""),
        (_claim("none"), ["csi"], 'error validating audience "csi": persistentvolumeclaim "none" not found'),
        (_projected(""), ["granted"], ""),
    ],
)  # fmt: skip
async def test_audiences(
    registry: Registry, client: LocalClient, volume: v1.Volume, audiences: list[str], refused: str
) -> None:
    class Rights:
        async def authorize(self, wanted: Attributes) -> Decision:
            asked = (wanted.verb, wanted.group, wanted.resource, wanted.namespace, wanted.name)
            return Decision(asked == ("request-serviceaccounts-token-audience", "", "granted", "default", "default"))

    driver = storage_v1.CSIDriver(metadata=ObjectMeta(name="d.example.com"))
    driver.spec.token_requests = [storage_v1.TokenRequest(audience="csi")]
    await client.create(driver)
    bound = v1.PersistentVolume(metadata=ObjectMeta(name="pv"))
    bound.spec.csi = v1.CSIPersistentVolumeSource(driver="d.example.com", volume_handle="h")
    bound.spec.capacity, bound.spec.access_modes = {"storage": "1Gi"}, ["ReadWriteOnce"]
    await client.create(bound)
    claim = v1.PersistentVolumeClaim(metadata=ObjectMeta(name="claim", namespace="default"))
    claim.spec.volume_name, claim.spec.access_modes = "pv", ["ReadWriteOnce"]
    claim.spec.resources = v1.VolumeResourceRequirements(requests={"storage": "1Gi"})
    await client.create(claim)
    registry.surroundings.token_issuer = Issuer()
    mine = await client.create(pod(node_name="n1", volumes=[volume], automount_service_account_token=False))
    registry.surroundings.authorizer = Rights()  # type: ignore[assignment]
    kubelet = LocalClient(registry, User("system:node:n1", ("system:nodes", "system:authenticated")))
    reference = authentication_v1.BoundObjectReference(kind="Pod", api_version="v1", name="p", uid=mine.metadata.uid)
    spec = authentication_v1.TokenRequestSpec(bound_object_ref=reference, audiences=audiences)
    asked = authentication_v1.TokenRequest(spec=spec)
    try:
        answer = await kubelet.create_subresource(v1.ServiceAccount, "default", "token", asked, "default")
        told = ""
        assert answer.status.token == "signed"
    except StatusError as error:
        told = str(error)
    assert told == (refused and f'serviceaccounts "default" is forbidden: {refused}')
