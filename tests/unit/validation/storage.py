"""What is said of classes, drivers and attachments: upstream's ``pkg/apis/storage/validation``."""

from __future__ import annotations

from steersman.api.types import storage_v1

from .grammars import QUALIFIED, SUBDOMAIN
from .objects import Change, Row, Valid

KINDS = {
    "StorageClass": Valid(storage_v1.StorageClass, "{provisioner: a/b, parameters: {a: b}}", ""),
    "VolumeAttributesClass": Valid(storage_v1.VolumeAttributesClass, "{driverName: a, parameters: {a: b}}", ""),
    "CSIDriver": Valid(storage_v1.CSIDriver, "spec: {}", ""),
    "CSINode": Valid(storage_v1.CSINode, "spec: {drivers: [{name: d, nodeID: i}]}", ""),
    "CSIStorageCapacity": Valid(storage_v1.CSIStorageCapacity, "{storageClassName: a, capacity: 1Gi}"),
    "VolumeAttachment": Valid(
        storage_v1.VolumeAttachment, "spec: {attacher: d, nodeName: i, source: {persistentVolumeName: p}}", ""
    ),
}
EXACTLY_ONE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
LONG = "d" * 64

ROWS: list[Row] = [
    ("StorageClass", "provisioner: null", ["provisioner: Required value"]),
    ("StorageClass", "provisioner: A_", [f'provisioner: Invalid value: "a_": {QUALIFIED}']),
    ("StorageClass", "parameters: {'': b}", ['parameters: Invalid value: "": field can not be empty.']),
    ("StorageClass", f"parameters: {{a: {'x' * (1 << 18)}}}", [
        "parameters: Too long: may not be more than 262144 bytes"
    ]),
    ("StorageClass", "parameters: {" + ", ".join(f"k{n}: v" for n in range(512)) + "}", [
        "parameters: Too long: may not be more than 512 bytes"
    ]),
    ("StorageClass", "reclaimPolicy: Recycle", [
        'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'
    ]),
    ("StorageClass", "volumeBindingMode: Later", [
        'volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"'
    ]),
    ("VolumeAttributesClass", "driverName: null", ["driverName: Required value"]),
    ("VolumeAttributesClass", "parameters: null", [
        "parameters: Required value: must contain at least one key/value pair"
    ]),
    ("CSIDriver", "spec: {fsGroupPolicy: Odd}", [
        'spec.fsGroupPolicy: Unsupported value: "Odd": supported values: "File", "None", "ReadWriteOnceWithFSType"'
    ]),
    ("CSIDriver", "spec: {volumeLifecycleModes: [Persistent, Odd]}", [
        'spec.volumeLifecycleModes: Unsupported value: "Odd": supported values: "Persistent", "Ephemeral"'
    ]),
    ("CSIDriver", "spec: {nodeAllocatableUpdatePeriodSeconds: 9}", [
        "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds"
    ]),
    ("CSIDriver", "spec: {tokenRequests: [{audience: a}, {audience: a}]}", [
        'spec.tokenRequests[1].audience: Duplicate value: "a"'
    ]),
    ("CSIDriver", "spec: {tokenRequests: [{audience: a, expirationSeconds: 599}]}", [
        "spec.tokenRequests[0].expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes"
    ]),
    ("CSIDriver", "spec: {tokenRequests: [{audience: a, expirationSeconds: 4294967297}]}", [
        "spec.tokenRequests[0].expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than "
        "2^32 seconds"
    ]),
    ("CSINode", "spec: {drivers: [{name: '', nodeID: ''}]}", [
        "spec.drivers[0].name: Required value",
        f'spec.drivers[0].name: Invalid value: "": {SUBDOMAIN}',
        "spec.drivers[0].nodeID: Required value",
    ]),
    ("CSINode", "spec: {drivers: [{name: A_, nodeID: i}]}", [
        f'spec.drivers[0].name: Invalid value: "A_": {SUBDOMAIN}'
    ]),
    ("CSINode", f"spec: {{drivers: [{{name: {LONG}, nodeID: i}}]}}", [
        "spec.drivers[0].name: Too long: may not be more than 63 bytes"
    ]),
    ("CSINode", f"spec: {{drivers: [{{name: d, nodeID: {'n' * 257}}}]}}", [
        f'spec.drivers[0].nodeID: Invalid value: "{"n" * 257}": must be 256 characters or less'
    ]),
    ("CSINode", "spec: {drivers: [{name: d, nodeID: i}, {name: d, nodeID: i}]}", [
        'spec.drivers[1].name: Duplicate value: "d"'
    ]),
    ("CSINode", "spec: {drivers: [{name: d, nodeID: i, topologyKeys: [a, a]}]}", [
        'spec.drivers[0]: Duplicate value: "a"'
    ]),
    ("CSINode", "spec: {drivers: [{name: d, nodeID: i, allocatable: {count: -1}}]}", [
        "spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0"
    ]),
    ("CSIStorageCapacity", "storageClassName: A_", [f'storageClassName: Invalid value: "A_": {SUBDOMAIN}']),
    ("CSIStorageCapacity", "capacity: -1Gi", [
        'capacity: Invalid value: "-1Gi": must be greater than or equal to 0'
    ]),
    ("VolumeAttachment", "spec: {source: {persistentVolumeName: null}}", [
        f"spec.source: Required value: {EXACTLY_ONE}"
    ]),
    ("VolumeAttachment", "spec: {source: {inlineVolumeSpec: {csi: {driver: d, volumeHandle: v}}}}", [
        f"spec.source: Forbidden: {EXACTLY_ONE}"
    ]),
    ("VolumeAttachment", "spec: {nodeName: A_}", [f'spec.nodeName: Invalid value: "A_": {SUBDOMAIN}']),
    ("VolumeAttachment", "spec: {source: {persistentVolumeName: A_}}", [
        f'spec.source.persistentVolumeName: Invalid value: "A_": {SUBDOMAIN}'
    ]),
    ("VolumeAttachment", f"status: {{attachError: {{message: {'x' * 1025}}}}}", [
        "status.attachError.message: Too long: may not be more than 262144 bytes"
    ]),
    ("VolumeAttachment", "status: {detachError: {errorCode: -1}}", [
        "status.detachError.errorCode: Invalid value: -1: must be between 0 and 2147483647, inclusive"
    ]),
]  # fmt: skip

CHANGES: list[Change] = [
    Change("StorageClass", "{parameters: {a: c}, provisioner: c, reclaimPolicy: Retain}", [
        f"{name}: Forbidden: updates to {name} are forbidden."
        for name in ("parameters", "provisioner", "reclaimPolicy")
    ]),
    Change("StorageClass", "volumeBindingMode: WaitForFirstConsumer", [
        'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable'
    ]),
    Change("VolumeAttributesClass", "{driverName: c, parameters: {a: c}}", [
        f"{name}: Forbidden: updates to {name} are forbidden." for name in ("driverName", "parameters")
    ]),
    Change("CSIDriver", "spec: {attachRequired: false}", ["spec.attachedRequired: Invalid value: false: field is immutable"]),
    Change("CSIDriver", "spec: {volumeLifecycleModes: [Ephemeral]}", [
        'spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable'
    ]),
    Change("CSINode", "spec: {drivers: [{name: d, nodeID: i, allocatable: {count: 5}}]}", []),
    Change("CSINode", "spec: {drivers: []}", []),
    Change("CSIStorageCapacity", "storageClassName: b", ['storageClassName: Invalid value: "b": field is immutable']),
]  # fmt: skip
