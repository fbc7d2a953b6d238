"""What each of upstream's ``defaults.go`` adds to the least that can be said, by kind."""

from __future__ import annotations

from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.normalize import normalize
from steersman.api.quantity import QuantityError
from steersman.api.types import (
    admissionregistration_v1,
    admissionregistration_v1beta1,
    apiextensions_v1,
    apiregistration_v1,
    apps_v1,
    autoscaling_v2,
    batch_v1,
    certificates_v1beta1,
    core_v1,
    discovery_v1,
    flowcontrol_v1,
    networking_v1,
    rbac_v1,
    resource_v1,
    scheduling_v1,
    storage_v1,
)
from steersman.api.yaml import load_yaml

GROUP = "rbac.authorization.k8s.io"
WEBHOOK = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "timeoutSeconds": 10,
}
LEAVES: list[tuple[type[Any], str, dict[str, Any]]] = [
    (admissionregistration_v1.ValidatingWebhook, "{}", WEBHOOK),
    (admissionregistration_v1.MutatingWebhook, "{}", WEBHOOK | {"reinvocationPolicy": "Never"}),
    (admissionregistration_v1.RuleWithOperations, "{}", {"scope": "*"}),
    (admissionregistration_v1.ServiceReference, "{}", {"port": 443}),
    (admissionregistration_v1.ValidatingAdmissionPolicySpec, "{}", {"failurePolicy": "Fail"}),
    (
        admissionregistration_v1.MatchResources,
        "{}",
        {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}},
    ),
    (
        admissionregistration_v1beta1.MutatingAdmissionPolicySpec,
        "{reinvocationPolicy: IfNeeded}",
        {"failurePolicy": "Fail"},
    ),
    (apiextensions_v1.ServiceReference, "{}", {"port": 443}),
    (apiregistration_v1.ServiceReference, "{}", {"port": 443}),
    (
        apps_v1.Deployment,
        "spec: {}",
        {
            "spec.replicas": 1,
            "spec.strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "spec.revisionHistoryLimit": 10,
            "spec.progressDeadlineSeconds": 600,
        },
    ),
    (apps_v1.Deployment, "spec: {strategy: {type: Recreate}}", {"spec.replicas": 1}),
    (apps_v1.ReplicaSet, "spec: {}", {"spec.replicas": 1}),
    (
        apps_v1.DaemonSet,
        "spec: {}",
        {
            "spec.revisionHistoryLimit": 10,
            "spec.updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
            },
        },
    ),
    (
        apps_v1.StatefulSet,
        "spec: {}",
        {
            "spec.replicas": 1,
            "spec.podManagementPolicy": "OrderedReady",
            "spec.revisionHistoryLimit": 10,
            "spec.persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        },
    ),
    (autoscaling_v2.HorizontalPodAutoscaler, "spec: {maxReplicas: 3}", {"spec.minReplicas": 1}),
    (
        batch_v1.CronJob,
        "spec: {schedule: '* * * * *'}",
        {
            "spec.concurrencyPolicy": "Allow",
            "spec.suspend": False,
            "spec.successfulJobsHistoryLimit": 3,
            "spec.failedJobsHistoryLimit": 1,
        },
    ),
    (
        batch_v1.Job,
        "spec: {}",
        {
            "spec.completions": 1,
            "spec.parallelism": 1,
            "spec.backoffLimit": 6,
            "spec.completionMode": "NonIndexed",
            "spec.suspend": False,
            "spec.podReplacementPolicy": "TerminatingOrFailed",
        },
    ),
    (certificates_v1beta1.PodCertificateRequestSpec, "{}", {"maxExpirationSeconds": 86_400}),
    (core_v1.Namespace, "{metadata: {name: a}}", {"metadata.labels": {"kubernetes.io/metadata.name": "a"}}),
    (core_v1.Secret, "{}", {"type": "Opaque"}),
    (discovery_v1.EndpointPort, "{}", {"name": "", "protocol": "TCP"}),
    (flowcontrol_v1.FlowSchemaSpec, "{}", {"matchingPrecedence": 1000}),
    (flowcontrol_v1.ExemptPriorityLevelConfiguration, "{}", {"nominalConcurrencyShares": 0, "lendablePercent": 0}),
    (flowcontrol_v1.LimitedPriorityLevelConfiguration, "{}", {"nominalConcurrencyShares": 30, "lendablePercent": 0}),
    (flowcontrol_v1.QueuingConfiguration, "{}", {"handSize": 8, "queues": 64, "queueLengthLimit": 50}),
    (networking_v1.NetworkPolicyPort, "{}", {"protocol": "TCP"}),
    (networking_v1.NetworkPolicy, "spec: {podSelector: {}}", {"spec.policyTypes": ["Ingress"]}),
    (networking_v1.NetworkPolicy, "spec: {egress: [{}]}", {"spec.policyTypes": ["Ingress", "Egress"]}),
    (networking_v1.IngressClassParametersReference, "{}", {"scope": "Cluster"}),
    (rbac_v1.RoleRef, "{}", {"apiGroup": GROUP}),
    (rbac_v1.Subject, "{kind: User}", {"apiGroup": GROUP}),
    (rbac_v1.Subject, "{kind: Group}", {"apiGroup": GROUP}),
    (resource_v1.ExactDeviceRequest, "{}", {"allocationMode": "ExactCount", "count": 1}),
    (resource_v1.DeviceSubRequest, "{}", {"allocationMode": "ExactCount", "count": 1}),
    (scheduling_v1.PriorityClass, "{}", {"preemptionPolicy": "PreemptLowerPriority"}),
    (storage_v1.StorageClass, "{}", {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}),
    (
        storage_v1.CSIDriver,
        "spec: {}",
        {
            "spec.attachRequired": True,
            "spec.podInfoOnMount": False,
            "spec.storageCapacity": False,
            "spec.fsGroupPolicy": "ReadWriteOnceWithFSType",
            "spec.volumeLifecycleModes": ["Persistent"],
            "spec.requiresRepublish": False,
            "spec.seLinuxMount": False,
        },
    ),
]


@pytest.mark.parametrize(("type_", "text", "leaves"), LEAVES)
def test_leaves(type_: type[Any], text: str, leaves: dict[str, Any]) -> None:
    obj = codecs.from_builtins(type_, load_yaml(text))
    apply_defaults(obj)
    tree = codecs.to_builtins(obj)
    for path, value in leaves.items():
        found = tree
        for step in path.split("."):
            found = found[step]
        assert found == value, path


@pytest.mark.parametrize(("type_", "text"), [
    (rbac_v1.Subject, "{kind: ServiceAccount, name: s}"),
    (resource_v1.ExactDeviceRequest, "{deviceClassName: c, allocationMode: All}"),
])  # fmt: skip
def test_nothing_is_added(type_: type[Any], text: str) -> None:
    obj = codecs.from_builtins(type_, load_yaml(text))
    apply_defaults(obj)
    assert codecs.to_builtins(obj) == load_yaml(text)


def test_an_empty_quantity_among_others_is_malformed() -> None:
    claim = codecs.from_builtins(
        core_v1.PersistentVolumeClaim, load_yaml("spec: {resources: {requests: {storage: ''}}}")
    )
    with pytest.raises(QuantityError):
        normalize(claim)
