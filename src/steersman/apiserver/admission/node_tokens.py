"""Which tokens of service accounts a node may ask for: those of its pods, for audiences that these name.

An audience is a pod's where one of its volumes projects a token for it, or is of a CSI driver that asks for such
tokens (the feature ``ServiceAccountNodeAudienceRestriction``); any other takes the right to
``request-serviceaccounts-token-audience`` on a resource of the audience's name.
"""

from __future__ import annotations

from steersman.api.errors import go_value, not_found
from steersman.api.types import core_v1 as v1
from steersman.api.types.storage_v1 import CSIDriver
from steersman.apiserver.seams import Attributes

from .plugin import Cluster, Request

_VERB = "request-serviceaccounts-token-audience"


async def check(request: Request, cluster: Cluster, node: str) -> None:
    """Refuse a token for anything but a pod of this very node: any other would let a node act as anybody."""
    reference = request.obj.spec.bound_object_ref
    if reference is None or (reference.api_version, reference.kind) != ("v1", "Pod") or not reference.name:
        raise request.refuse("node requested token not bound to a pod")
    if not reference.uid:
        raise request.refuse("node requested token with a pod binding without a uid")
    pod = await cluster.get(v1.Pod, reference.name, request.namespace)
    if pod is None:
        raise not_found("pods", reference.name)
    if pod.metadata.uid != reference.uid:
        raise request.refuse(
            f"the UID in the bound object reference ({reference.uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
    if pod.spec.node_name != node:
        raise request.refuse("node requested token bound to a pod scheduled on a different node")
    audiences = request.obj.spec.audiences
    if len(audiences) > 1:
        raise request.refuse("node may only request 0 or 1 audiences")
    audience = audiences[0] if audiences else ""
    try:
        if await _names(cluster, pod, audience):
            return
    except _Missing as error:
        raise request.refuse(f"error validating audience {go_value(audience)}: {error}") from None
    if not await _may_have(request, cluster, audience):
        raise request.refuse(
            f"audience {go_value(audience)} not found in pod spec volume, "
            f"{request.user.name} is not authorized to request tokens for this audience"
        )


class _Missing(Exception):
    """What a pod's volume refers to is not there."""


async def _names(cluster: Cluster, pod: v1.Pod, audience: str) -> bool:
    """Whether a volume of the pod wants tokens for an audience."""
    for volume in pod.spec.volumes:
        if volume.projected is not None:
            projected = [each.service_account_token for each in volume.projected.sources]
            if any(each is not None and each.audience == audience for each in projected):
                return True
        if driver := await _driver(cluster, pod, volume):
            declared = await cluster.get(CSIDriver, driver)
            if declared is None:
                raise _Missing(f'csidriver.storage.k8s.io "{driver}" not found')
            if any(each.audience == audience for each in declared.spec.token_requests):
                return True
    return False


async def _driver(cluster: Cluster, pod: v1.Pod, volume: v1.Volume) -> str:
    """The CSI driver of a volume, if it has one."""
    if volume.csi is not None:
        return volume.csi.driver
    if volume.persistent_volume_claim is not None:
        name = volume.persistent_volume_claim.claim_name
    elif volume.ephemeral is not None:
        name = f"{pod.metadata.name}-{volume.name}"
    else:
        return ""
    claim = await cluster.get(v1.PersistentVolumeClaim, name, pod.metadata.namespace)
    if claim is None:
        raise _Missing(f'persistentvolumeclaim "{name}" not found')
    if not claim.spec.volume_name:
        return ""
    bound = await cluster.get(v1.PersistentVolume, claim.spec.volume_name)
    if bound is None:
        raise _Missing(f'persistentvolume "{claim.spec.volume_name}" not found')
    return bound.spec.csi.driver if bound.spec.csi is not None else ""


async def _may_have(request: Request, cluster: Cluster, audience: str) -> bool:
    authorizer = cluster.surroundings.authorizer
    if authorizer is None:
        return False
    wanted = Attributes(
        request.user, _VERB, version="v1", resource=audience, namespace=request.namespace, name=request.name
    )
    return (await authorizer.authorize(wanted)).allowed
