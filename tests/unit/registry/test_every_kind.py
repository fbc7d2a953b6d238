"""Every kind that is stored: created, read, its status written, changed, deleted; and refused at the right path."""

from __future__ import annotations

from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.resources import TABLE as RESOURCES
from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.registry.registry import Registry
from steersman.client.local import LocalClient

from .conftest import context
from .minimal import TABLE, Row, build, status

STORED = {
    f"{resource.group_version}/{resource.name}": resource
    for resource in RESOURCES
    if resource.verbs != ("create",)
    and resource.storage_version == resource.group_version
    # Nothing is stored of these: they are asked of the components.
    and resource.name != "componentstatuses"
}

COUNTED = {
    "PodTemplate",
    "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet", "ReplicationController", "CronJob", "Job", "Pod",
    "PodDisruptionBudget", "Ingress", "IngressClass", "NetworkPolicy", "EndpointSlice", "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "CustomResourceDefinition", "FlowSchema",
    "PriorityLevelConfiguration", "PriorityClass", "DeviceClass", "DeviceTaintRule", "ResourceSlice", "Workload",
}  # fmt: skip
"""Kinds that have a generation from the first, as upstream's ``PrepareForCreate`` says."""

SEPARATE = {
    "CustomResourceDefinition", "APIService", "FlowSchema", "PriorityLevelConfiguration", "ResourceClaim",
    "VolumeAttachment", "PodCertificateRequest", "StorageVersion", "StorageVersionMigration", "DeviceTaintRule",
}  # fmt: skip
"""Kinds of which a write of ``/status`` does not change metadata, as upstream's status strategies say."""

OWN_STATUS = {"Node", "Namespace", "Pod", "PersistentVolumeClaim", "PersistentVolume", "APIService",
              "CustomResourceDefinition", "ReplicationController", "CertificateSigningRequest"}  # fmt: skip
"""Kinds whose new objects have a status that the server, or a kubelet, gave them."""


def test_the_table_is_whole() -> None:
    assert sorted(TABLE) == sorted(STORED)
    assert [key for key, row in TABLE.items() if bool(row.status) != ("status" in STORED[key].subresources)] == []


@pytest.mark.parametrize("key", sorted(TABLE))
async def test_a_life(registry: Registry, client: LocalClient, key: str) -> None:
    resource, row = STORED[key], TABLE[key]
    handler = registry.handler(resource)
    namespace = "default" if resource.namespaced else ""
    wanted = build(resource, row, row.text)
    if row.status and resource.kind != "Node":
        wanted.status = status(resource, row)
    created = (await handler.create(context(), namespace, wanted)).object
    assert created.metadata.generation == (1 if resource.kind in COUNTED else None)
    if row.status and resource.kind not in OWN_STATUS:
        assert created.status == resource.type().status
    assert (await handler.get(namespace, row.name)).object == created
    if row.status:
        await _write_status(handler, resource, row, created)
    changed = codecs.copy((await handler.get(namespace, row.name)).object)
    before = codecs.copy(changed)
    changed.metadata.annotations["example.com/a"] = "b"
    if row.status:
        changed.status = resource.type().status
    updated = (await handler.update(context(), namespace, row.name, changed))[0].object
    assert updated.metadata.annotations["example.com/a"] == "b"
    if row.status and resource.kind != "Node":
        assert updated.status == before.status
    # An annotation is no change of what is wanted, but with Deployments, whose revisions carry them.
    bumped = 1 if resource.kind == "Deployment" else 0
    assert (updated.metadata.generation or 0) == (before.metadata.generation or 0) + bumped
    await _delete(client, registry, resource, namespace, row.name)


async def _write_status(handler: Any, resource: Resource[Any], row: Row, created: Any) -> None:
    changed = codecs.copy(created)
    changed.status = status(resource, row)
    changed.metadata.labels = {"l": "m"}
    for name in ("spec", "template", "webhooks"):
        if hasattr(changed, name):
            setattr(changed, name, getattr(resource.type(), name))
    meta = created.metadata
    written = (await handler.update(context(), meta.namespace, row.name, changed, subresource="status"))[0].object
    assert written.status != created.status
    assert (written.spec, written.metadata.generation) == (created.spec, meta.generation)
    kept = resource.kind in SEPARATE or resource.kind == "Deployment"
    assert written.metadata.labels.get("l") == (None if kept else "m")


async def _delete(client: LocalClient, registry: Registry, resource: Resource[Any], namespace: str, name: str) -> None:
    handler = registry.handler(resource)
    options = DeleteOptions(grace_period_seconds=0, propagation_policy="Background")
    await handler.delete(context(), namespace, name, options)
    left = [entry.object.metadata for entry in (await handler.list(namespace, ListOptions())).entries]
    assert all(meta.deletion_timestamp is not None for meta in left if meta.name == name)


@pytest.mark.parametrize("key", sorted(TABLE))
async def test_what_is_refused(registry: Registry, key: str) -> None:
    resource, row = STORED[key], TABLE[key]
    handler = registry.handler(resource)
    namespace = "default" if resource.namespaced else ""
    wrong = build(resource, row, row.wrong)
    with pytest.raises(StatusError) as error:
        await handler.create(context(), namespace, codecs.copy(wrong))
    assert error.value.code == 422
    assert error.value.status.details is not None
    assert row.path in [cause.field for cause in error.value.status.details.causes]


@pytest.mark.parametrize("key", sorted(TABLE))
async def test_who_must_say_what_they_replace(registry: Registry, key: str) -> None:
    resource, row = STORED[key], TABLE[key]
    handler = registry.handler(resource)
    namespace = "default" if resource.namespaced else ""
    created = codecs.copy((await handler.create(context(), namespace, build(resource, row, row.text))).object)
    created.metadata.resource_version = ""
    if resource.kind not in CONDITIONAL:
        await handler.update(context(), namespace, row.name, created)
        return
    with pytest.raises(StatusError) as error:
        await handler.update(context(), namespace, row.name, created)
    assert error.value.status.details is not None
    (cause,) = error.value.status.details.causes
    assert f"{cause.field}: {cause.message}" == (
        "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    )


CONDITIONAL = {
    "PodDisruptionBudget", "Lease", "LeaseCandidate", "CSIDriver", "CSINode", "CSIStorageCapacity", "VolumeAttachment",
    "RuntimeClass", "ClusterTrustBundle", "PodCertificateRequest", "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "CustomResourceDefinition", "APIService",
    "StorageVersion", "StorageVersionMigration",
}  # fmt: skip
"""Kinds whose updates must name a version: upstream's ``AllowUnconditionalUpdate`` is false."""


@pytest.mark.parametrize(
    ("key", "warned"),
    [
        ("apps/v1/deployments", True),
        ("apps/v1/replicasets", True),
        ("apps/v1/daemonsets", False),
        ("batch/v1/cronjobs", True),
        ("batch/v1/jobs", True),
        ("v1/replicationcontrollers", True),
    ],
)
async def test_names_that_pods_get(registry: Registry, key: str, warned: bool) -> None:
    resource, row = STORED[key], TABLE[key]._replace(name="a.b")
    said = context()
    await registry.handler(resource).create(said, "default", build(resource, row, row.text))
    text = (
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label "
        "is recommended: [must not contain dots]"
    )
    assert said.warnings == [text] * warned
