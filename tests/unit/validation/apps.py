"""What is said of workloads.  Paths and texts are those of upstream's ``pkg/apis/apps/validation``."""

from __future__ import annotations

from steersman.api.types import apps_v1

from .objects import Change, Row, Valid

_PODS = (
    "selector: {matchLabels: {a: b}}, "
    "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i, imagePullPolicy: Always}]}}"
)
KINDS = {
    "Deployment": Valid(apps_v1.Deployment, f"spec: {{{_PODS}}}"),
    "ReplicaSet": Valid(apps_v1.ReplicaSet, f"spec: {{{_PODS}}}"),
    "StatefulSet": Valid(apps_v1.StatefulSet, f"spec: {{{_PODS}, serviceName: s}}"),
    "DaemonSet": Valid(apps_v1.DaemonSet, f"spec: {{{_PODS}}}"),
    "ControllerRevision": Valid(apps_v1.ControllerRevision, "{data: {a: 1}, revision: 1}"),
}
NATURAL = "must be greater than or equal to 0"
PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)
UNMATCHED = 'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`'
OPERATOR = 'spec.selector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator'
RESTART = 'spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"'
ROLLING = "spec.strategy.rollingUpdate"
DAEMONS = "spec.updateStrategy.rollingUpdate"
NEAR = "spec: {selector: {matchExpressions: [{key: a, operator: Near}]}}"
FIXED = (
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
    "forbidden"
)


def _rolling(values: str) -> str:
    return f"spec: {{strategy: {{rollingUpdate: {{{values}}}}}}}"


def _daemons(values: str) -> str:
    return f"spec: {{updateStrategy: {{rollingUpdate: {{{values}}}}}}}"


ROWS: list[Row] = [
    ("Deployment", "spec: {selector: null}", ["spec.selector: Required value", UNMATCHED]),
    ("ReplicaSet", "spec: {selector: null}", ["spec.selector: Required value", UNMATCHED]),
    ("StatefulSet", "spec: {selector: null}", ["spec.selector: Required value", UNMATCHED]),
    ("DaemonSet", "spec: {selector: null}", [UNMATCHED]),
    ("Deployment", "spec: {selector: {matchLabels: {a: c}}}", [UNMATCHED]),
    ("StatefulSet", "spec: {selector: {matchLabels: {a: c}}}", [UNMATCHED]),
    ("Deployment", "spec: {selector: {matchLabels: null}}", [
        "spec.selector: Invalid value: {}: empty selector is invalid for deployment"
    ]),
    ("ReplicaSet", "spec: {selector: {matchLabels: null}}", [
        "spec.selector: Invalid value: {}: empty selector is invalid for deployment"
    ]),
    ("StatefulSet", "spec: {selector: {matchLabels: null}}", [
        "spec.selector: Invalid value: {}: empty selector is invalid for statefulset"
    ]),
    ("DaemonSet", "spec: {selector: {matchLabels: null}}", [
        "spec.selector: Invalid value: {}: empty selector is invalid for daemonset"
    ]),
    ("DaemonSet", NEAR, [OPERATOR]),
    ("Deployment", "spec: {template: {spec: {restartPolicy: OnFailure}}}", [RESTART]),
    ("ReplicaSet", "spec: {template: {spec: {restartPolicy: OnFailure}}}", [RESTART]),
    ("StatefulSet", "spec: {template: {spec: {restartPolicy: OnFailure}}}", [RESTART]),
    ("DaemonSet", "spec: {template: {spec: {restartPolicy: OnFailure}}}", [RESTART]),
    *(
        (kind, "spec: {template: {spec: {activeDeadlineSeconds: 5}}}", [
            "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in "
            f"{'ReplicaSet' if kind == 'Deployment' else kind} is not Supported"
        ])
        for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
    ),
    *(
        (kind, "spec: {replicas: -1, minReadySeconds: -2}", [
            f"spec.replicas: Invalid value: -1: {NATURAL}", f"spec.minReadySeconds: Invalid value: -2: {NATURAL}"
        ])
        for kind in ("Deployment", "ReplicaSet", "StatefulSet")
    ),
    ("DaemonSet", "spec: {minReadySeconds: -2, revisionHistoryLimit: -1}", [
        f"spec.minReadySeconds: Invalid value: -2: {NATURAL}",
        f"spec.revisionHistoryLimit: Invalid value: -1: {NATURAL}"
    ]),
    # Strategies of Deployments.
    ("Deployment", "spec: {strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}}", [
        f"{ROLLING}: Forbidden: may not be specified when strategy `type` is 'Recreate'"
    ]),
    ("Deployment", "spec: {strategy: {type: Slow}}", [
        'spec.strategy: Unsupported value: {"type":"Slow"}: supported values: "Recreate", "RollingUpdate"'
    ]),
    ("Deployment", _rolling("maxSurge: 0, maxUnavailable: 0"), [
        f"{ROLLING}.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"
    ]),
    ("Deployment", _rolling("maxSurge: -1, maxUnavailable: 1"), [f"{ROLLING}.maxSurge: Invalid value: -1: {NATURAL}"]),
    ("Deployment", _rolling("maxSurge: 1, maxUnavailable: 101%"), [
        f'{ROLLING}.maxUnavailable: Invalid value: "101%": must not be greater than 100%'
    ]),
    ("Deployment", _rolling("maxSurge: few, maxUnavailable: 1"), [
        f'{ROLLING}.maxSurge: Invalid value: "few": {PERCENT}'
    ]),
    ("Deployment", _rolling("maxSurge: few, maxUnavailable: 00%"), [
        f'{ROLLING}.maxSurge: Invalid value: "few": {PERCENT}',
        f'{ROLLING}.maxUnavailable: Invalid value: "00%": may not be 0 when `maxSurge` is 0',
    ]),
    ("Deployment", _rolling("maxSurge: 200%, maxUnavailable: 0"), []),
    ("Deployment", "spec: {revisionHistoryLimit: -1}", [f"spec.revisionHistoryLimit: Invalid value: -1: {NATURAL}"]),
    ("Deployment", "spec: {minReadySeconds: 5, progressDeadlineSeconds: 5}", [
        "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"
    ]),
    ("Deployment", "spec: {progressDeadlineSeconds: -5}", [
        f"spec.progressDeadlineSeconds: Invalid value: -5: {NATURAL}",
        "spec.progressDeadlineSeconds: Invalid value: -5: must be greater than minReadySeconds",
    ]),
    # Strategies of DaemonSets.
    ("DaemonSet", "spec: {updateStrategy: {type: Slow}}", [
        'spec.updateStrategy: Unsupported value: {"type":"Slow"}: supported values: "RollingUpdate", "OnDelete"'
    ]),
    ("DaemonSet", _daemons("maxSurge: 1, maxUnavailable: 1"), [
        f"{DAEMONS}.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"
    ]),
    ("DaemonSet", _daemons("maxSurge: 0, maxUnavailable: 0"), [
        f"{DAEMONS}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"
    ]),
    ("DaemonSet", _daemons("maxSurge: 101%, maxUnavailable: 0"), [
        f'{DAEMONS}.maxSurge: Invalid value: "101%": must not be greater than 100%'
    ]),
    # StatefulSets.
    ("StatefulSet", "spec: {podManagementPolicy: Odd}", [
        'spec.podManagementPolicy: Invalid value: "Odd": must be \'OrderedReady\' or \'Parallel\''
    ]),
    ("StatefulSet", "spec: {updateStrategy: {type: Slow}}", [
        'spec.updateStrategy: Invalid value: {"type":"Slow"}: must be \'RollingUpdate\' or \'OnDelete\''
    ]),
    ("StatefulSet", "spec: {updateStrategy: {type: OnDelete, rollingUpdate: {partition: 1}}}", [
        f'{DAEMONS}: Invalid value: {{"partition":1}}: only allowed for updateStrategy \'RollingUpdate\''
    ]),
    ("StatefulSet", _daemons("partition: -1"), [f"{DAEMONS}.partition: Invalid value: -1: {NATURAL}"]),
    ("StatefulSet", _daemons("maxUnavailable: 0"), [f"{DAEMONS}.maxUnavailable: Invalid value: 0: cannot be 0"]),
    ("StatefulSet", _daemons("maxUnavailable: 101%"), [
        f'{DAEMONS}.maxUnavailable: Invalid value: "101%": must not be greater than 100%'
    ]),
    ("StatefulSet", "spec: {persistentVolumeClaimRetentionPolicy: {whenDeleted: Keep, whenScaled: Keep}}", [
        f'spec.persistentVolumeClaimRetentionPolicy.{when}: Unsupported value: "Keep": supported values: "Retain", '
        '"Delete"'
        for when in ("whenDeleted", "whenScaled")
    ]),
    ("StatefulSet", "spec: {ordinals: {start: -1}}", [f"spec.ordinals.start: Invalid value: -1: {NATURAL}"]),
    ("ControllerRevision", "data: null", ["data: Required value: data is mandatory"]),
    ("ControllerRevision", "revision: -1", [f"revision: Invalid value: -1: {NATURAL}"]),
]  # fmt: skip

CHANGES: list[Change] = [
    Change("StatefulSet", "spec: {serviceName: other}", [FIXED]),
    Change("StatefulSet", "spec: {podManagementPolicy: Parallel}", [FIXED]),
    Change("StatefulSet", "spec: {replicas: 3, minReadySeconds: 1, ordinals: {start: 1}}", []),
    Change("StatefulSet", "spec: {revisionHistoryLimit: 1}", []),
    Change("ControllerRevision", "data: {a: 2}", ['data: Invalid value: {"a":2}: field is immutable']),
    Change("StatefulSet", "status: {replicas: 1, readyReplicas: 2, availableReplicas: 3}", [
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than status.readyReplicas",
    ], subresource="status"),
    Change("StatefulSet", "status: {collisionCount: 1}", [
        "status.collisionCount: Invalid value: 1: cannot be decremented"
    ], old="status: {replicas: 0, collisionCount: 2}", subresource="status"),
    Change("DaemonSet", "status: {collisionCount: null, numberReady: -1}", [
        f"status.numberReady: Invalid value: -1: {NATURAL}",
        "status.collisionCount: Invalid value: 0: cannot be decremented",
    ], old="status: {collisionCount: 2}", subresource="status"),
]  # fmt: skip
