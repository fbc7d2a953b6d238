"""Managed fields of every write, and server-side apply, through the registry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import apps_v1, autoscaling_v1, autoscaling_v2
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import ManagedFieldsEntry
from steersman.apiserver.registry.registry import Registry
from steersman.client.client import Patch
from steersman.client.local import LocalClient

from .conftest import ADMIN, config_map, context, pod

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i:1", "ports": [{"containerPort": 80}]}]},
        },
    },
}


def owned(obj: Any) -> list[tuple[str, str, str, str]]:
    """Manager, operation, subresource and fields of each entry."""
    return [
        (each.manager, each.operation, each.subresource, bytes(each.fields_v1).decode())
        for each in obj.metadata.managed_fields
    ]


def at(manager: str, registry: Registry) -> LocalClient:
    return LocalClient(registry, ADMIN, field_manager=manager)


def changed(tree: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**tree, "spec": {**tree["spec"], **spec}}


async def test_who_creates_owns_what_it_sent_and_what_was_defaulted(registry: Registry) -> None:
    created = await at("kubectl-create", registry).create(pod("p"))
    ((manager, operation, _, fields),) = owned(created)
    assert (manager, operation) == ("kubectl-create", "Update")
    assert fields == (
        '{"f:spec":{"f:containers":{"k:{\\"name\\":\\"c\\"}":{".":{},"f:image":{},"f:imagePullPolicy":{},"f:name":{},'
        '"f:resources":{},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{}}},"f:dnsPolicy":{},'
        '"f:enableServiceLinks":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},'
        '"f:terminationGracePeriodSeconds":{}}}'
    )
    entry = created.metadata.managed_fields[0]
    assert entry.api_version == "v1"
    assert entry.fields_type == "FieldsV1"
    assert entry.time is not None
    assert entry.time.microsecond == 0


async def test_writes_of_the_status_own_status_alone(registry: Registry) -> None:
    created = await at("u", registry).create(pod("p"))
    body = b'{"metadata":{"labels":{"x":"y"}},"spec":{"nodeName":"n"},"status":{"phase":"Running"}}'
    patched = await at("kubelet", registry).patch(v1.Pod, "p", Patch(MERGE, body), "default", subresource="status")
    assert owned(patched) == [
        ("kubelet", "Update", "status", '{"f:metadata":{"f:labels":{".":{},"f:x":{}}},"f:status":{"f:phase":{}}}'),
        *owned(created),
    ]
    body = b'{"metadata":{"labels":{"a":"b"}},"status":{"phase":"Failed"}}'
    patched = await at("u", registry).patch(v1.Pod, "p", Patch(MERGE, body), "default")
    assert owned(patched)[1][3].startswith('{"f:metadata":{"f:labels":{"f:a":{}}},"f:spec"')
    assert "f:status" not in owned(patched)[1][3]


async def test_applying_creates_then_changes_then_does_nothing(registry: Registry, client: LocalClient) -> None:
    made = await client.apply(apps_v1.Deployment, DEPLOYMENT, field_manager="me")
    assert made.spec.strategy.type == "RollingUpdate"
    fields = (
        '{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:metadata":'
        '{"f:labels":{"f:app":{}}},"f:spec":{"f:containers":{"k:{\\"name\\":\\"c\\"}":{".":{},"f:image":{},"f:name":{},'
        '"f:ports":{"k:{\\"containerPort\\":80,\\"protocol\\":\\"TCP\\"}":{".":{},"f:containerPort":{}}}}}}}}}'
    )
    assert owned(made) == [("me", "Apply", "", fields)]
    again = await client.apply(apps_v1.Deployment, DEPLOYMENT, field_manager="me")
    assert again.metadata.resource_version == made.metadata.resource_version
    scaled = await client.apply(apps_v1.Deployment, changed(DEPLOYMENT, replicas=5), field_manager="me")
    assert scaled.spec.replicas == 5
    assert scaled.metadata.generation == 2
    assert scaled.metadata.resource_version != made.metadata.resource_version


async def test_conflicts_name_the_owner_and_force_takes(registry: Registry, client: LocalClient) -> None:
    await client.apply(apps_v1.Deployment, DEPLOYMENT, field_manager="me")
    body = b'{"spec":{"replicas":7}}'
    await at("autoscaler", registry).patch(apps_v1.Deployment, "web", Patch(MERGE, body), "default")
    with pytest.raises(StatusError) as caught:
        await client.apply(apps_v1.Deployment, DEPLOYMENT, field_manager="me")
    status = caught.value.status
    assert (status.code, status.reason) == (409, "Conflict")
    assert status.message == ('Apply failed with 1 conflict: conflict with "autoscaler" using apps/v1: .spec.replicas')
    forced = await client.apply(apps_v1.Deployment, DEPLOYMENT, field_manager="me", force=True)
    assert forced.spec.replicas == 3
    assert [each[0] for each in owned(forced)] == ["me"]


async def test_what_is_no_longer_said_goes_or_is_defaulted(client: LocalClient) -> None:
    await client.apply(apps_v1.Deployment, changed(DEPLOYMENT, minReadySeconds=9), field_manager="me")
    spec = {name: value for name, value in DEPLOYMENT["spec"].items() if name != "replicas"}
    less = {**DEPLOYMENT, "spec": spec, "metadata": {"name": "web", "namespace": "default"}}
    applied = await client.apply(apps_v1.Deployment, less, field_manager="me")
    assert applied.spec.replicas == 1
    assert applied.spec.min_ready_seconds is None
    assert applied.metadata.labels == {}


async def test_what_is_wrong_with_a_configuration_is_told_as_upstream_does(client: LocalClient) -> None:
    metadata = {"name": "web", "namespace": "default"}
    cases: list[tuple[dict[str, Any], int, str]] = [
        (changed(DEPLOYMENT, replica=1), 500,
         "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): "
         ".spec.replica: field not declared in schema"),
        ({**DEPLOYMENT, "apiVersion": "apps/v1beta1"}, 400, "invalid object type: apps/v1beta1, Kind=Deployment"),
        ({**DEPLOYMENT, "metadata": {**metadata, "managedFields": []}}, 400, "metadata.managedFields must be nil"),
        ({**DEPLOYMENT, "metadata": {**metadata, "uid": "u"}}, 409,
         'Operation cannot be fulfilled on deployments.apps "web": uid mismatch: the provided object specified uid u, '
         "and no existing object was found"),
    ]  # fmt: skip
    for configuration, code, message in cases:
        with pytest.raises(StatusError) as caught:
            await client.apply(apps_v1.Deployment, configuration, field_manager="me")
        assert (caught.value.code, caught.value.status.message) == (code, message)
    for body, message in (
        (b"a: [", "error decoding YAML: "),
        (b"- a", "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array"),
    ):
        with pytest.raises(StatusError, match=message):
            await client.patch(apps_v1.Deployment, "web", Patch(APPLY, body, field_manager="me"), "default")
    await client.apply(apps_v1.Deployment, DEPLOYMENT, field_manager="me")
    for metadata, message in (
        ({"uid": "u"}, "Precondition failed: UID in precondition: u"),
        ({"resourceVersion": "1"}, "the object has been modified"),
    ):
        configuration = {**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], **metadata}}
        with pytest.raises(StatusError, match=message):
            await client.apply(apps_v1.Deployment, configuration, field_manager="me")


async def test_before_the_first_application_all_belongs_to_nobody_in_particular(registry: Registry) -> None:
    client = at("old", registry)
    await client.create(config_map("cm", a="1", b="2"))
    reset = Patch(MERGE, b'{"metadata":{"managedFields":[{}]}}')
    forgotten = await client.patch(v1.ConfigMap, "cm", reset, "default")
    assert forgotten.metadata.managed_fields == []
    untracked = await client.patch(v1.ConfigMap, "cm", Patch(MERGE, b'{"data":{"c":"3"}}'), "default")
    assert untracked.metadata.managed_fields == []
    metadata = {"name": "cm", "namespace": "default"}
    configuration = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1", "d": "4"}}
    applied = await client.apply(v1.ConfigMap, configuration, field_manager="me")
    assert owned(applied) == [
        ("me", "Apply", "", '{"f:data":{"f:a":{},"f:d":{}}}'),
        ("before-first-apply", "Update", "", '{"f:data":{".":{},"f:a":{},"f:b":{},"f:c":{}}}'),
    ]


async def test_managers_may_be_written_and_nonsense_is_ignored(registry: Registry) -> None:
    client = at("u", registry)
    created = await client.create(config_map("cm", a="1"))
    entry = created.metadata.managed_fields[0]
    renamed = msgspec.structs.replace(entry, manager="other")
    copied = msgspec.structs.replace(
        created, metadata=msgspec.structs.replace(created.metadata, managed_fields=[renamed])
    )
    assert owned(await client.update(copied)) == [("other", "Update", "", '{"f:data":{".":{},"f:a":{}}}')]
    for bad in (
        msgspec.structs.replace(entry, operation="Delete"),
        msgspec.structs.replace(entry, fields_type=""),
        msgspec.structs.replace(entry, api_version=""),
        msgspec.structs.replace(entry, fields_v1=msgspec.Raw(b"[]")),
    ):
        metadata = msgspec.structs.replace(created.metadata, managed_fields=[bad], resource_version="")
        kept = await client.update(msgspec.structs.replace(created, metadata=metadata))
        assert [each[0] for each in owned(kept)] == ["other"]
    for body in (b'{"metadata":{"managedFields":[]}}', b'{"metadata":{"managedFields":[{}]}}'):
        assert (await client.patch(v1.ConfigMap, "cm", Patch(MERGE, body), "default")).metadata.managed_fields == []


async def test_scale_owns_replicas_of_its_parent(registry: Registry, client: LocalClient) -> None:
    await client.apply(apps_v1.Deployment, DEPLOYMENT, field_manager="me")
    handler = registry.handler_of(apps_v1.Deployment)

    def to_five(scale: autoscaling_v1.Scale) -> autoscaling_v1.Scale:
        return autoscaling_v1.Scale(metadata=scale.metadata, spec=autoscaling_v1.ScaleSpec(replicas=5))

    await handler.update_subresource(context(field_manager="hpa"), "default", "web", "scale", to_five)
    scaled = await client.get(apps_v1.Deployment, "web", "default")
    assert ("hpa", "Update", "scale", '{"f:spec":{"f:replicas":{}}}') in owned(scaled)
    assert scaled.metadata.managed_fields[1].api_version == "apps/v1"
    assert "f:replicas" not in owned(scaled)[0][3]
    with pytest.raises(StatusError) as caught:
        await client.apply(apps_v1.Deployment, DEPLOYMENT, field_manager="me")
    assert caught.value.status.message == (
        'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1: .spec.replicas'
    )
    metadata = {"name": "web", "namespace": "default"}
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": {"replicas": 6}}
    patch = Patch(APPLY, msgspec.json.encode(body), field_manager="her")
    with pytest.raises(StatusError, match=r'conflict with "hpa" with subresource "scale" using autoscaling/v1'):
        await handler.patch_subresource(context(), "default", "web", "scale", patch)
    forced = msgspec.structs.replace(patch, force=True)
    assert (await handler.patch_subresource(context(), "default", "web", "scale", forced)).spec.replicas == 6
    scaled = await client.get(apps_v1.Deployment, "web", "default")
    assert ("her", "Apply", "scale", '{"f:spec":{"f:replicas":{}}}') in owned(scaled)
    assert "hpa" not in [each[0] for each in owned(scaled)]


async def test_managers_keep_the_version_they_speak(registry: Registry, client: LocalClient) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    metadata = {"name": "h", "namespace": "default"}
    old = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {"maxReplicas": 3, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 50},
    }
    resource = registry.scheme.by_kind("autoscaling/v1", "HorizontalPodAutoscaler")
    assert resource is not None
    made = await client.apply(resource, old, field_manager="me")
    assert made.metadata.managed_fields[0].api_version == "autoscaling/v1"
    assert "f:targetCPUUtilizationPercentage" in owned(made)[0][3]
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    new = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": target,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }
    with pytest.raises(StatusError) as caught:
        await client.apply(autoscaling_v2.HorizontalPodAutoscaler, new, field_manager="her")
    assert ".spec.targetCPUUtilizationPercentage" in caught.value.status.message
    forced = await client.apply(autoscaling_v2.HorizontalPodAutoscaler, new, field_manager="her", force=True)
    assert {(each.manager, each.api_version) for each in forced.metadata.managed_fields} == {
        ("her", "autoscaling/v2"), ("me", "autoscaling/v1"),
    }  # fmt: skip
    less = {**new, "spec": {"maxReplicas": 3, "scaleTargetRef": target}}
    assert (
        await client.apply(resource, old, field_manager="me", force=True)
    ).spec.target_cpu_utilization_percentage == 50
    again = await client.apply(autoscaling_v2.HorizontalPodAutoscaler, less, field_manager="her")
    assert again.spec.metrics[0].resource.target.average_utilization == 50


async def test_who_writes_a_condition_owns_the_instants_it_does_not_have(client: LocalClient) -> None:
    """As upstream: ``lastProbeTime: null`` is a field like others."""
    made = codecs.copy(await client.create(pod("p")))
    made.status.conditions = [v1.PodCondition(type="example.com/a", status="True")]
    (fields,) = [each[3] for each in owned(await client.update(made, subresource="status")) if each[2] == "status"]
    condition = msgspec.json.decode(fields)["f:status"]["f:conditions"]['k:{"type":"example.com/a"}']
    assert {"f:lastProbeTime", "f:lastTransitionTime", "f:status", "f:type"} <= condition.keys()


async def test_kubectl_takes_over_what_it_applied_itself(client: LocalClient, registry: Registry) -> None:
    last = (
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm","namespace":"default"},"data":{"a":"1","b":"2"}}'
    )
    before = config_map("cm", a="1", b="changed")
    before.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"] = last
    await at("kubectl-client-side-apply", registry).create(before)
    metadata = {"name": "cm", "namespace": "default"}
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "new", "b": "new"}}
    with pytest.raises(StatusError) as caught:
        await client.apply(v1.ConfigMap, wanted, field_manager="kubectl")
    assert caught.value.status.message == (
        'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .data.b'
    )
    wanted["data"] = {"a": "new"}
    applied = await client.apply(v1.ConfigMap, wanted, field_manager="kubectl")
    assert applied.data["a"] == "new"
    noted = msgspec.json.decode(applied.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"])
    assert noted["data"] == {"a": "new"}


async def test_times_change_only_with_what_they_are_about(registry: Registry, client: LocalClient) -> None:
    made = await client.apply(apps_v1.Deployment, DEPLOYMENT, field_manager="me")
    later = registry.now() + timedelta(hours=1)
    registry.handler_of(apps_v1.Deployment)._fields._instant = lambda: later
    cpu = {"name": "c", "image": "i:1", "ports": [{"containerPort": 80}]}
    same = await client.apply(apps_v1.Deployment, DEPLOYMENT, field_manager="me")
    assert same.metadata.managed_fields == made.metadata.managed_fields
    template = {**DEPLOYMENT["spec"]["template"], "spec": {"containers": [{**cpu, "image": "i:2"}]}}
    new = await client.apply(apps_v1.Deployment, changed(DEPLOYMENT, template=template), field_manager="me")
    assert new.metadata.managed_fields[0].time == later.replace(microsecond=0)


def test_an_empty_entry_is_a_reset() -> None:
    assert msgspec.json.encode(ManagedFieldsEntry()) == b"{}"
