"""Every field of every kind: written, and there when the object is read; or lost, and here is why.

Objects are filled from their types, which another test holds to the published schema.  No such object is valid, for it
has all members of each union: validation and what is reserved are left out.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from steersman.api import codecs
from steersman.api.shapes import Shape, struct_shape
from steersman.apiserver.registry.registry import Registry

from .conftest import context
from .minimal import TABLE, build
from .test_every_kind import STORED

DEPTH = 2
"""How often a type occurs below itself: schemas of schemas, and their like."""

TEXTS = {"ipFamilies": "IPv4", "ipFamilyPolicy": "SingleStack", "clusterIP": "10.96.0.9", "clusterIPs": "10.96.0.9"}
"""What must mean something even without validation."""

LOOKED_UP = ("priorityClassName", "priority", "preemptionPolicy", "runtimeClassName", "overhead")
"""Of pods, what admission looks up."""

_TEMPLATE = {
    "containers[].lifecycle.stopSignal": "ContainerStopSignals",
    "initContainers[].lifecycle.stopSignal": "ContainerStopSignals",
    "ephemeralContainers[].lifecycle.stopSignal": "ContainerStopSignals",
    "volumes[].projected.sources[].clusterTrustBundle": "ClusterTrustBundleProjection",
    "volumes[].projected.sources[].podCertificate": "PodCertificateRequest",
    "workloadRef": "GenericWorkload",
}
_CLAIM = {
    "devices.constraints[].distinctAttribute": "DRAConsumableCapacity",
    "devices.requests[].exactly.capacity": "DRAConsumableCapacity",
    "devices.requests[].firstAvailable[].capacity": "DRAConsumableCapacity",
}
_SECRET = "of a reference, only the name is kept"
_REQUESTER = "the server says who asks"


def _below(path: str, reasons: dict[str, str]) -> dict[str, str]:
    return {f"{path}.{name}": reason for name, reason in reasons.items()}


LOST: dict[str, dict[str, str]] = {
    "v1/pods": _below("spec", _TEMPLATE),
    "v1/podtemplates": _below("template.spec", _TEMPLATE),
    "batch/v1/cronjobs": _below("spec.jobTemplate.spec.template.spec", _TEMPLATE),
    **{
        key: _below("spec.template.spec", _TEMPLATE)
        for key in ("apps/v1/daemonsets", "apps/v1/deployments", "apps/v1/replicasets", "apps/v1/statefulsets",
                    "batch/v1/jobs", "v1/replicationcontrollers")
    },
    "certificates.k8s.io/v1/certificatesigningrequests": _below(
        "spec", dict.fromkeys(("extra", "groups[]", "uid", "username"), _REQUESTER)
    ),
    "coordination.k8s.io/v1/leases": _below(
        "spec", dict.fromkeys(("preferredHolder", "strategy"), "CoordinatedLeaderElection")
    ),
    "discovery.k8s.io/v1/endpointslices": {"endpoints[].deprecatedTopology": "version 1 does not take it"},
    "resource.k8s.io/v1/deviceclasses": {"spec.extendedResourceName": "DRAExtendedResource"},
    "resource.k8s.io/v1/resourceclaims": _below("spec", _CLAIM),
    "resource.k8s.io/v1/resourceclaimtemplates": _below("spec.spec", _CLAIM),
    "resource.k8s.io/v1/resourceslices": _below("spec", {
        **dict.fromkeys(("perDeviceNodeSelection", "sharedCounters"), "DRAPartitionableDevices"),
        **{f"devices[].{name}": "DRAPartitionableDevices"
           for name in ("allNodes", "consumesCounters", "nodeName", "nodeSelector")},
        **{f"devices[].{name}": "DRADeviceBindingConditions"
           for name in ("bindingConditions", "bindingFailureConditions", "bindsToNode")},
        **{f"devices[].{name}": "DRAConsumableCapacity"
           for name in ("allowMultipleAllocations", "capacity.k.requestPolicy")},
        "devices[].taints": "DRADeviceTaints",
    }),
    "v1/nodes": {
        "spec.configSource": "dynamic configuration of kubelets is no more",
        "status.config": "dynamic configuration of kubelets is no more",
        "status.declaredFeatures": "NodeDeclaredFeatures",
        "status.nodeInfo.kubeProxyVersion": "DisableNodeKubeProxyVersion",
    },
    "v1/persistentvolumeclaims": {
        "spec.dataSource": "of no kind that is known",
        "spec.dataSourceRef": "CrossNamespaceVolumeDataSource",
    },
    "v1/secrets": {"data.k": "stringData says otherwise", "stringData": "is written to data"},
    "v1/serviceaccounts": _below("secrets[]", dict.fromkeys(
        ("apiVersion", "fieldPath", "kind", "namespace", "resourceVersion", "uid"), _SECRET
    )),
}  # fmt: skip
"""By kind: what is dropped of a new object, and the reason, or the feature gate that v1.35 has off by default."""

STATUS_LOST: dict[str, dict[str, str]] = {
    "resource.k8s.io/v1/resourceclaims": {
        **_below(
            "allocation.devices.results[]", dict.fromkeys(("consumedCapacity", "shareID"), "DRAConsumableCapacity")
        ),
        **_below(
            "allocation.devices.results[]",
            dict.fromkeys(("bindingConditions", "bindingFailureConditions"), "DRADeviceBindingConditions"),
        ),
        "devices[].shareID": "DRAConsumableCapacity",
    },
    "v1/nodes": {
        "config": "dynamic configuration of kubelets is no more",
        "declaredFeatures": "NodeDeclaredFeatures",
        "nodeInfo.kubeProxyVersion": "DisableNodeKubeProxyVersion",
    },
    "v1/pods": {
        **dict.fromkeys(("allocatedResources", "resources"), "InPlacePodLevelResourcesVerticalScaling"),
        "extendedResourceClaimStatus": "DRAExtendedResource",
        **{
            f"{kind}[].allocatedResourcesStatus": "ResourceHealthStatus"
            for kind in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
        },
    },
}
"""The same for what is written to ``/status``."""


def filled(shape: Shape, above: tuple[type[Any], ...] = (), name: str = "") -> Any:
    """JSON with every member of a type."""
    match shape.kind:
        case "struct":
            assert shape.struct is not None
            if above.count(shape.struct) >= DEPTH:
                return None
            found = {
                member.name: filled(member.shape, (*above, shape.struct), member.name)
                for member in struct_shape(shape.struct).members.values()
            }
            return {key: value for key, value in found.items() if value is not None}
        case "list":
            assert shape.item is not None
            value = filled(shape.item, above, name)
            return None if value is None else [value]
        case "map":
            assert shape.item is not None
            value = filled(shape.item, above, name)
            return None if value is None else {"k": value}
        case "integer" | "int-or-string":
            return 7
        case "number":
            return 7.5
        case "boolean":
            return True
        case "bytes":
            return "Ynl0ZXM="
        case "time":
            return "2026-01-02T03:04:05.000006Z" if shape.format == "micro-time" else "2026-01-02T03:04:05Z"
        case "quantity":
            return "7"
        case "any":
            return {"a": 1}
        case _:
            return TEXTS.get(name, "text")


def lost(sent: Any, kept: Any, path: str = "") -> set[str]:
    """The paths of what was sent and is not there; elements of lists are all of one path."""
    if isinstance(sent, dict):
        if not isinstance(kept, dict):
            return {path}
        return {
            each for key, value in sent.items() for each in lost(value, kept.get(key), f"{path}.{key}" if path else key)
        }
    if isinstance(sent, list):
        if not isinstance(kept, list) or not kept:
            return {path}
        return lost(sent[0], kept[0], f"{path}[]")
    return set() if sent == kept else {path}


async def _nothing(*_: Any) -> None:
    return None


def _lenient(handler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("validate", "validate_update"):
        monkeypatch.setattr(handler.strategy, name, lambda *_: [])
    monkeypatch.setattr(handler.strategy, "reserve", _nothing)


def _decoded(type_: type[Any], tree: dict[str, Any]) -> Any:
    return codecs.decode_body(type_, msgspec.json.encode(tree), "application/json", "Strict")[0]


@pytest.mark.parametrize("key", sorted(TABLE))
async def test_new_objects(registry: Registry, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resource, row = STORED[key], TABLE[key]
    handler = registry.handler(resource)
    _lenient(handler, monkeypatch)
    tree = filled(Shape("struct", struct=resource.type))
    kept = {name: tree["metadata"][name] for name in ("labels", "annotations", "finalizers", "ownerReferences")}
    tree["metadata"] = kept | {"name": row.name} | ({"namespace": "default"} if resource.namespaced else {})
    tree.update(kind=resource.kind, apiVersion=resource.group_version)
    if resource.kind == "Pod":
        tree["spec"] |= {"serviceAccountName": "default", "serviceAccount": "default"}
        for name in LOOKED_UP:
            del tree["spec"][name]
    if row.status and resource.kind != "Node":
        del tree["status"]
    entry = await handler.create(context(), tree["metadata"].get("namespace", ""), _decoded(resource.type, tree))
    assert lost(tree, msgspec.json.decode(entry.raw)) == set(LOST.get(key, {}))


@pytest.mark.parametrize("key", sorted(key for key, row in TABLE.items() if row.status))
async def test_statuses(registry: Registry, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resource, row = STORED[key], TABLE[key]
    handler = registry.handler(resource)
    namespace = "default" if resource.namespaced else ""
    made = await handler.create(context(), namespace, build(resource, row, row.text))
    _lenient(handler, monkeypatch)
    tree = msgspec.json.decode(made.raw)
    tree["status"] = filled(Shape("struct", struct=type(resource.type().status)))
    entry, _ = await handler.update(context(), namespace, row.name, _decoded(resource.type, tree), subresource="status")
    assert lost(tree["status"], msgspec.json.decode(entry.raw)["status"]) == set(STATUS_LOST.get(key, {}))
