"""One row for each rule of persistent volumes and claims."""

from __future__ import annotations

import pytest

from steersman.api import codecs
from steersman.api.types import core_v1 as v1
from steersman.api.validation.persistent_volumes import CLAIM_FORBIDDEN

from .grammars import LABEL, SUBDOMAIN
from .samples import build, faults, relative, update_faults

PV = """
metadata: {name: v}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /x}}
"""
PVC = """
metadata: {name: c, namespace: default}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
MODES = '"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"'
REQUIRED_AFFINITY = "{required: {nodeSelectorTerms: [{matchExpressions: [{key: %s, operator: In, values: [x]}]}]}}"

VOLUMES = [
    ("accessModes: []", ["accessModes: Required value"]),
    ("accessModes: [Sometimes]", [f'accessModes: Unsupported value: "Sometimes": supported values: {MODES}']),
    ("accessModes: [ReadWriteOncePod, ReadWriteOnce]", [
        "accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"
    ]),
    ("capacity: null", [
        "capacity: Required value",
        'capacity: Unsupported value: {}: supported values: "storage"',
    ]),
    ("capacity: {storage: 1, cpu: 1}", [
        'capacity: Unsupported value: {"cpu":"1","storage":"1"}: supported values: "storage"'
    ]),
    ("capacity: {storage: -1}", [
        "capacity[storage]: Invalid value: -1: must be a valid resource quantity",
        'capacity[storage]: Invalid value: "-1": must be greater than zero',
    ]),
    ("persistentVolumeReclaimPolicy: Burn", [
        'persistentVolumeReclaimPolicy: Unsupported value: "Burn": supported values: "Delete", "Recycle", "Retain"'
    ]),
    ("{hostPath: {path: /x/..//}, persistentVolumeReclaimPolicy: Recycle}", [
        "hostPath.path: Invalid value: \"/x/..//\": must not contain '..'",
        "persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
    ]),
    ("volumeMode: Flat", ['volumeMode: Unsupported value: "Flat": supported values: "Block", "Filesystem"']),
    ("storageClassName: A", [f'storageClassName: Invalid value: "A": {SUBDOMAIN}']),
    ("nodeAffinity: {}", ["nodeAffinity.required: Required value: must specify required node constraints"]),
    ("nodeAffinity: {required: {nodeSelectorTerms: []}}", [
        "nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term"
    ]),
    ("hostPath: null", [": Required value: must specify a volume type"]),
    ("nfs: {server: a, path: /b}", ["nfs: Forbidden: may not specify more than 1 volume type"]),
    ("{hostPath: null, local: {path: ''}}", [
        "local.path: Required value",
        "nodeAffinity: Required value: Local volume requires node affinity",
    ]),
    ("{hostPath: null, local: {path: /a/../b}, nodeAffinity: %s}" % (REQUIRED_AFFINITY % "a"), [
        "local.path: Invalid value: \"/a/../b\": must not contain '..'"
    ]),
    ("volumeAttributesClassName: gold", [
        "csi: Required value: has to be specified when using volumeAttributesClassName"
    ]),
    ("{hostPath: null, csi: {driver: '', volumeHandle: '', nodeExpandSecretRef: {}}}", [
        "csi.driver: Required value",
        "csi.volumeHandle: Required value",
        "csi.nodeExpandSecretRef.name: Required value",
        "csi.nodeExpandSecretRef.namespace: Required value",
    ]),
    *((f"{{hostPath: null, csi: {{driver: d.e, volumeHandle: h, {name}: {{name: A, namespace: A}}}}}}", [
        f'csi.{name}.name: Invalid value: "A": {SUBDOMAIN}',
        f'csi.{name}.namespace: Invalid value: "A": {LABEL}',
    ]) for name in (
        "controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef",
    )),
    ("{hostPath: null, iscsi: {targetPortal: a, lun: 0, iqn: foo, secretRef: {name: ''}}}", [
        'iscsi.iqn: Invalid value: "foo": must be valid format',
        "iscsi.secretRef.name: Required value",
    ]),
    (
        f"{{hostPath: null, iscsi: {{targetPortal: {'a' * 64}, lun: 0, iqn: 'iqn.2015-02.example.com:t', "
        "initiatorName: 'iqn.2015-02.example.com:i'}}",
        [
            f'iscsi.targetportal: Invalid value: "{"a" * 64}": Total length of <volume name>:<iscsi.targetPortal> must be '
            "under 64 characters if iscsi.initiatorName is specified."
        ],
    ),
    ("{hostPath: null, cinder: {volumeID: a, secretRef: {name: ''}}}", [
        "cinder.secretRef.name: Required value",
        "cinder.secretRef.namespace: Required value",
    ]),
    ("{hostPath: null, glusterfs: {endpoints: e, path: p, endpointsNamespace: A}}", [
        f'glusterfs.endpointsNamespace: Invalid value: "A": {LABEL}'
    ]),
    ("{hostPath: null, azureFile: {secretName: '', shareName: ''}}", [
        "azureFile.secretName: Required value",
        "azureFile.shareName: Required value",
    ]),
    ("{hostPath: null, storageos: {volumeName: v, secretRef: {}}}", [
        "storageos.secretRef.name: Required value",
        "storageos.secretRef.namespace: Required value",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), VOLUMES, ids=lambda value: str(value)[:60])
def test_what_is_said_of_a_volume(change: str, said: list[str]) -> None:
    body = change if change.startswith("{") else f"{{{change}}}"
    found = faults(v1.PersistentVolume, PV, f"spec: {body}")
    assert [fault.removeprefix("spec").removeprefix(".") for fault in found] == said


CSI = "{hostPath: null, csi: {driver: d.e, volumeHandle: h%s}}"
SOURCE = "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"
VOLUME_UPDATES = [
    ("{}", "{hostPath: {path: /y}}", [SOURCE]),
    ("{}", "{hostPath: null, nfs: {server: a, path: /b}}", [SOURCE]),
    ("{}", "{capacity: {storage: 2Gi}}", []),
    ("{}", "{volumeMode: Block}", ['volumeMode: Invalid value: "Block": field is immutable']),
    (CSI % "", CSI % ", controllerExpandSecretRef: {name: s, namespace: default}", []),
    (CSI % ", controllerExpandSecretRef: {name: s, namespace: default}",
     CSI % ", controllerExpandSecretRef: {name: t, namespace: default}", [SOURCE]),
    ("{}", "{nodeAffinity: %s}" % (REQUIRED_AFFINITY % "a"), []),
    ("{nodeAffinity: %s}" % (REQUIRED_AFFINITY % "beta.kubernetes.io/os"),
     "{nodeAffinity: %s}" % (REQUIRED_AFFINITY % "kubernetes.io/os"), []),
    ("{nodeAffinity: %s}" % (REQUIRED_AFFINITY % "a"), "{nodeAffinity: %s}" % (REQUIRED_AFFINITY % "b"), [
        'nodeAffinity: Invalid value: {"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"b","operator":"In",'
        '"values":["x"]}]}]}}: field is immutable, except for updating from beta label to GA'
    ]),
    ("{hostPath: null, csi: {driver: d.e, volumeHandle: h}, volumeAttributesClassName: gold}",
     "{volumeAttributesClassName: null}", [
         "spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden"
     ]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), VOLUME_UPDATES, ids=lambda value: str(value)[:60])
def test_what_may_change_of_a_volume(before: str, after: str, said: list[str]) -> None:
    base = codecs.encode(build(v1.PersistentVolume, PV, f"spec: {before}")).decode()
    found = update_faults(v1.PersistentVolume, base, f"spec: {after}")
    assert [fault.partition("\n")[0] for fault in found] == said


CLAIMS = [
    ("accessModes: []", ["accessModes: Required value: at least 1 access mode is required"]),
    ("accessModes: [Sometimes]", [f'accessModes: Unsupported value: "Sometimes": supported values: {MODES}']),
    ("accessModes: [ReadWriteOnce, ReadWriteOncePod]", [
        "accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"
    ]),
    ("resources: {requests: {storage: null}}", ["resources[storage]: Required value"]),
    ("resources: {requests: {storage: 0}}", [
        'resources[storage]: Invalid value: "0": must be greater than zero'
    ]),
    ("selector: {matchExpressions: [{key: a, operator: Near}]}", [
        'selector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator'
    ]),
    ("storageClassName: A", [f'storageClassName: Invalid value: "A": {SUBDOMAIN}']),
    ("storageClassName: ''", []),
    ("volumeMode: Flat", ['volumeMode: Unsupported value: "Flat": supported values: "Block", "Filesystem"']),
    ("volumeAttributesClassName: A", [f'volumeAttributesClassName: Invalid value: "A": {SUBDOMAIN}']),
    ("dataSource: {kind: '', name: ''}", [
        "dataSource.name: Required value",
        "dataSource.kind: Required value",
        "dataSource: Invalid value: \"\": must be 'PersistentVolumeClaim' when referencing the default apiGroup",
    ]),
    ("dataSourceRef: {apiGroup: A, kind: K, name: n1, namespace: A}", [
        f'dataSourceRef.apiGroup: Invalid value: "A": {SUBDOMAIN}',
        f'dataSourceRef.namespace: Invalid value: "A": {LABEL}',
    ]),
    (
        "{dataSource: {kind: PersistentVolumeClaim, name: a}, dataSourceRef: {kind: PersistentVolumeClaim, name: b}}",
        [': Invalid value: "spec.dataSource": must match dataSourceRef'],
    ),
    (
        "{dataSource: {kind: PersistentVolumeClaim, name: a}, "
        "dataSourceRef: {kind: PersistentVolumeClaim, name: a, namespace: other}}",
        [': Invalid value: "spec.dataSource": may not be specified when dataSourceRef.namespace is specified'],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), CLAIMS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_a_claim(change: str, said: list[str]) -> None:
    body = change if change.startswith("{") else f"{{{change}}}"
    found = faults(v1.PersistentVolumeClaim, PVC, f"spec: {body}")
    assert [fault.removeprefix("spec").removeprefix(".") for fault in found] == said


BOUND = "status: {phase: Bound, capacity: {storage: 1Gi}%s}"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
SPEC = f"spec: Forbidden: {CLAIM_FORBIDDEN}"
CLAIM_UPDATES = [
    ("{}", "spec: {volumeName: v}", []),
    ("spec: {volumeName: v}", "spec: {volumeName: w}", [SPEC]),
    ("{}", "spec: {storageClassName: fast}", []),
    ("spec: {storageClassName: fast}", "spec: {storageClassName: slow}", [SPEC]),
    (f"metadata: {{annotations: {{{BETA_CLASS}: fast}}}}", "spec: {storageClassName: fast}", []),
    (f"metadata: {{annotations: {{{BETA_CLASS}: fast}}}}", "spec: {storageClassName: slow}", [SPEC]),
    (f"metadata: {{annotations: {{{BETA_CLASS}: fast}}}}", f"metadata: {{annotations: {{{BETA_CLASS}: slow}}}}", [
        f'metadata.annotations.{BETA_CLASS}: Invalid value: "slow": field is immutable'
    ]),
    ("{}", "spec: {accessModes: [ReadWriteMany]}", [SPEC]),
    ("{}", "spec: {resources: {requests: {storage: 2Gi}}}", [SPEC]),
    (BOUND % "", "spec: {resources: {requests: {storage: 2Gi}}}", []),
    (f"{{{BOUND % ''}, spec: {{resources: {{requests: {{storage: 3Gi}}}}}}}}",
     "spec: {resources: {requests: {storage: 2Gi}}}", []),
    (f"{{{BOUND % ''}, spec: {{resources: {{requests: {{storage: 3Gi}}}}}}}}",
     "spec: {resources: {requests: {storage: 1Gi}}}", [
         "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
     ]),
    (BOUND % "", "spec: {volumeMode: Block}", [SPEC, 'volumeMode: Invalid value: "Block": field is immutable']),
    (BOUND % "", "spec: {volumeAttributesClassName: gold}", []),
    (f"{{{BOUND % ', currentVolumeAttributesClassName: gold'}, spec: {{volumeAttributesClassName: gold}}}}",
     "spec: {volumeAttributesClassName: null}", [
         "spec.volumeAttributesClassName: Forbidden: update to nil is forbidden when "
         "status.currentVolumeAttributesClassName is not nil"
     ]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), CLAIM_UPDATES, ids=lambda value: str(value)[:60])
def test_what_may_change_of_a_claim(before: str, after: str, said: list[str]) -> None:
    base = codecs.encode(build(v1.PersistentVolumeClaim, PVC, before)).decode()
    found = update_faults(v1.PersistentVolumeClaim, base, after)
    assert [fault.partition("\n")[0] for fault in found] == said


STATES = (
    '"ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", '
    '"NodeResizePending"'
)
CLAIM_STATUS = [
    ("capacity: {storage: -1}", ["capacity[storage]: Invalid value: -1: must be a valid resource quantity"]),
    ("allocatedResourceStatuses: {storage: Odd}", [
        f'allocatedResourceStatuses: Unsupported value: "storage": supported values: {STATES}'
    ]),
    ("allocatedResourceStatuses: {cpu: NodeResizePending}", [
        'allocatedResourceStatuses: Unsupported value: "cpu": supported values: "storage"'
    ]),
    ("allocatedResources: {cpu: 1}", ['allocatedResources: Unsupported value: "cpu": supported values: "storage"']),
    ("allocatedResources: {storage: -1}", [
        "allocatedResources[storage]: Invalid value: -1: must be a valid resource quantity"
    ]),
    ("allocatedResources: {example.com/x: 1}", []),
]  # fmt: skip


@pytest.mark.parametrize(("status", "said"), CLAIM_STATUS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_a_claims_status(status: str, said: list[str]) -> None:
    found = update_faults(v1.PersistentVolumeClaim, PVC, f"status: {{{status}}}", "status")
    assert relative(found, "status.") == said
