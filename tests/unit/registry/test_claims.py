"""Which claims of storage may grow, and whose slices of devices a node writes."""

from __future__ import annotations

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import core_v1 as v1
from steersman.api.types import resource_v1, storage_v1
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.registry.registry import Registry
from steersman.client.local import LocalClient

_UNSUPPORTED = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
)


@pytest.mark.parametrize(
    ("storage_class", "wanted", "refused"),
    [
        ("grows", "2Gi", ""),
        ("grows", "1Gi", ""),
        ("stays", "2Gi", _UNSUPPORTED),
        ("", "2Gi", _UNSUPPORTED),
        ("missing", "2Gi", _UNSUPPORTED),
    ],
)
async def test_claims_grow_where_their_class_lets_them(
    client: LocalClient, storage_class: str, wanted: str, refused: str
) -> None:
    for name, expands in (("grows", True), ("stays", None)):
        made = storage_v1.StorageClass(metadata=ObjectMeta(name=name), provisioner="example.com/x")
        made.allow_volume_expansion = expands
        await client.create(made)
    claim = v1.PersistentVolumeClaim(metadata=ObjectMeta(name="c", namespace="default"))
    claim.spec.access_modes, claim.spec.storage_class_name = ["ReadWriteOnce"], storage_class
    claim.spec.resources = v1.VolumeResourceRequirements(requests={"storage": "1Gi"})
    claim = await client.create(claim)
    claim = codecs.copy(claim)
    claim.status.phase = "Bound"
    claim = codecs.copy(await client.update(claim, subresource="status"))
    claim.spec.resources.requests = {"storage": wanted}
    try:
        await client.update(claim)
        told = ""
    except StatusError as error:
        told = str(error)
    assert told == (refused and f'persistentvolumeclaims "c" is forbidden: {refused}')


async def test_nodes_write_slices_of_their_own_devices(registry: Registry, client: LocalClient) -> None:
    kubelet = LocalClient(registry, User("system:node:n1", ("system:nodes", "system:authenticated")))

    def of(node: str) -> resource_v1.ResourceSlice:
        pool = resource_v1.ResourcePool(name="p", generation=1, resource_slice_count=1)
        spec = resource_v1.ResourceSliceSpec(driver="d.example.com", node_name=node, pool=pool)
        return resource_v1.ResourceSlice(metadata=ObjectMeta(name=f"of-{node}"), spec=spec)

    await kubelet.create(of("n1"))
    with pytest.raises(StatusError, match="can only create ResourceSlice with the same NodeName"):
        await kubelet.create(of("n2"))
    await client.create(of("n2"))
    with pytest.raises(StatusError, match="can only delete ResourceSlice with the same NodeName"):
        await kubelet.delete(resource_v1.ResourceSlice, "of-n2")
    await kubelet.delete(resource_v1.ResourceSlice, "of-n1")
