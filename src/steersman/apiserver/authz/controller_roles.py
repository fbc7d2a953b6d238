"""The ClusterRoles of the controllers' service accounts (``system:controller:<name>``), as upstream has them."""

from __future__ import annotations

from steersman.api.types.rbac_v1 import PolicyRule

from .rules import EVENTS, READ, rule, rules

_APPS = ("apps", "extensions")
_CSR = "certificates.k8s.io"
_DRA = "resource.k8s.io"
_LIVE = "create delete get list patch update watch"
_SIGNERS = (
    "kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving"
    " kubernetes.io/legacy-unknown"
)


def _workload(groups: tuple[str, ...], name: str, verbs: str = READ) -> list[PolicyRule]:
    """What a controller needs over the resource it controls."""
    return [
        rules(verbs, groups, name),
        rules("update", groups, f"{name}/status"),
        rules("update", groups, f"{name}/finalizers"),
    ]


CONTROLLER_ROLES: dict[str, list[PolicyRule]] = {
    "attachdetach-controller": [
        rule("list watch", "", "persistentvolumeclaims persistentvolumes"),
        rule(READ, "", "nodes"),
        rule("patch update", "", "nodes/status"),
        rule("list watch", "", "pods"),
        EVENTS,
        rule("create delete get list watch", "storage.k8s.io", "volumeattachments"),
        rule(READ, "storage.k8s.io", "csidrivers"),
        rule(READ, "storage.k8s.io", "csinodes"),
    ],
    "certificate-controller": [
        rule("delete get list watch", _CSR, "certificatesigningrequests"),
        rule("update", _CSR, "certificatesigningrequests/approval certificatesigningrequests/status"),
        rule("approve", _CSR, "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
        rule("sign", _CSR, "signers", _SIGNERS),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
        EVENTS,
    ],
    "clusterrole-aggregation-controller": [
        rule("escalate get list patch update watch", "rbac.authorization.k8s.io", "clusterroles"),
    ],
    "cronjob-controller": [
        rule("get list update watch", "batch", "cronjobs"),
        rule(_LIVE, "batch", "jobs"),
        rule("update", "batch", "cronjobs/status"),
        rule("update", "batch", "cronjobs/finalizers"),
        rule("delete list watch", "", "pods"),
        EVENTS,
    ],
    "daemon-set-controller": [
        *_workload(_APPS, "daemonsets"),
        rule("list watch", "", "nodes"),
        rule("create delete list patch watch", "", "pods"),
        rule("create", "", "pods/binding"),
        rule(_LIVE, "apps", "controllerrevisions"),
        EVENTS,
    ],
    "deployment-controller": [
        *_workload(_APPS, "deployments", "get list update watch"),
        rules(_LIVE, _APPS, "replicasets"),
        rule("get list update watch", "", "pods"),
        EVENTS,
    ],
    "device-taint-eviction-controller": [
        rule("delete get list watch", "", "pods"),
        rule("patch update", "", "pods/status"),
        rule(READ, _DRA, "resourceclaims"),
        rule(READ, _DRA, "resourceslices"),
        rule(READ, _DRA, "deviceclasses"),
        EVENTS,
    ],
    "disruption-controller": [
        rules(READ, _APPS, "deployments"),
        rules(READ, _APPS, "replicasets"),
        rule(READ, "", "replicationcontrollers"),
        rule(READ, "policy", "poddisruptionbudgets"),
        rule(READ, "apps", "statefulsets"),
        rule("update", "policy", "poddisruptionbudgets/status"),
        rule("patch update", "", "pods/status"),
        rule("get", "*", "*/scale"),
        EVENTS,
    ],
    "endpoint-controller": [
        rule(READ, "", "pods services"),
        rule("create delete get list update watch", "", "endpoints"),
        rule("create", "", "endpoints/restricted"),
        EVENTS,
    ],
    "endpointslice-controller": [
        rule(READ, "", "nodes pods services"),
        rule("update", "", "services/finalizers"),
        rule("create delete get list update watch", "discovery.k8s.io", "endpointslices"),
        EVENTS,
    ],
    "endpointslicemirroring-controller": [
        rule(READ, "", "endpoints services"),
        rule("update", "", "services/finalizers"),
        rule("update", "", "endpoints/finalizers"),
        rule("create delete get list update watch", "discovery.k8s.io", "endpointslices"),
        EVENTS,
    ],
    "ephemeral-volume-controller": [
        rule(READ, "", "pods"),
        rule("update", "", "pods/finalizers"),
        rule("create get list watch", "", "persistentvolumeclaims"),
        EVENTS,
    ],
    "expand-controller": [
        rule("get list patch update watch", "", "persistentvolumes"),
        rule("patch update", "", "persistentvolumeclaims/status"),
        rule(READ, "", "persistentvolumeclaims"),
        EVENTS,
    ],
    "generic-garbage-collector": [rule("delete get list patch update watch", "*", "*"), EVENTS],
    "horizontal-pod-autoscaler": [
        rule(READ, "autoscaling", "horizontalpodautoscalers"),
        rule("update", "autoscaling", "horizontalpodautoscalers/status"),
        rule("get update", "*", "*/scale"),
        rule("list watch", "", "pods"),
        rule("list watch", "metrics.k8s.io", "pods"),
        rule(READ, "custom.metrics.k8s.io", "*"),
        rule(READ, "external.metrics.k8s.io", "*"),
        EVENTS,
    ],
    "job-controller": [
        *_workload(("batch",), "jobs", "get list patch update watch"),
        rule("create delete list patch watch", "", "pods"),
        EVENTS,
    ],
    "legacy-service-account-token-cleaner": [
        rule("get", "", "configmaps", "kube-apiserver-legacy-service-account-token-tracking"),
        rule("delete patch", "", "secrets"),
    ],
    "namespace-controller": [
        rule("delete get list watch", "", "namespaces"),
        rule("update", "", "namespaces/finalize namespaces/status"),
        rule("delete deletecollection get list watch", "*", "*"),
    ],
    "node-controller": [
        rule("delete get list patch update watch", "", "nodes"),
        rule("patch update", "", "nodes/status"),
        rule("patch update", "", "pods/status"),
        rule("delete get list watch", "", "pods"),
        EVENTS,
    ],
    "persistent-volume-binder": [
        rule("create delete get list update watch", "", "persistentvolumes"),
        rule("update", "", "persistentvolumes/status"),
        rule("get list update watch", "", "persistentvolumeclaims"),
        rule("update", "", "persistentvolumeclaims/status"),
        rule("create delete get list watch", "", "pods"),
        rule(READ, "storage.k8s.io", "storageclasses"),
        rule("list watch", "", "nodes"),
        EVENTS,
        rule("watch", "", "events"),
    ],
    "pod-garbage-collector": [
        rule("delete list watch", "", "pods"),
        rule(READ, "", "nodes"),
        rule("patch", "", "pods/status"),
    ],
    "pv-protection-controller": [rule("get list update watch", "", "persistentvolumes"), EVENTS],
    "pvc-protection-controller": [
        rule("get list update watch", "", "persistentvolumeclaims"),
        rule("update", "", "persistentvolumeclaims/status"),
        rule(READ, "", "pods"),
        EVENTS,
    ],
    "replicaset-controller": [
        *_workload(_APPS, "replicasets", "get list update watch"),
        rule("create delete list patch watch", "", "pods"),
        EVENTS,
    ],
    "replication-controller": [
        *_workload(("",), "replicationcontrollers", "get list update watch"),
        rule("create delete list patch watch", "", "pods"),
        EVENTS,
    ],
    "resource-claim-controller": [
        rule(READ, "", "pods"),
        rule("update", "", "pods/finalizers"),
        rule("create delete get list watch", _DRA, "resourceclaims"),
        rule("patch update", _DRA, "resourceclaims resourceclaims/status"),
        rule("patch update", "", "pods/status"),
        EVENTS,
        rule("patch update", _DRA, "resourceclaims/binding"),
    ],
    "resourcequota-controller": [
        rule("list watch", "*", "*"),
        rule("update", "", "resourcequotas/status"),
        EVENTS,
    ],
    "root-ca-cert-publisher": [rule("create update", "", "configmaps"), EVENTS],
    "route-controller": [rule("list watch", "", "nodes"), rule("patch", "", "nodes/status"), EVENTS],
    "selinux-warning-controller": [
        EVENTS,
        rule(READ, "", "persistentvolumes"),
        rule(READ, "", "persistentvolumeclaims"),
        rule(READ, "", "pods"),
        rule(READ, "storage.k8s.io", "csidrivers"),
    ],
    "service-account-controller": [rule("create", "", "serviceaccounts"), EVENTS],
    "service-cidrs-controller": [
        rule("get list patch update watch", "networking.k8s.io", "servicecidrs"),
        rule("patch update", "networking.k8s.io", "servicecidrs/finalizers"),
        rule("patch update", "networking.k8s.io", "servicecidrs/status"),
        rule(READ, "networking.k8s.io", "ipaddresses"),
        EVENTS,
    ],
    "service-controller": [
        rule(READ, "", "services"),
        rule("patch update", "", "services/status"),
        rule("list watch", "", "nodes"),
        EVENTS,
    ],
    "statefulset-controller": [
        rule("list watch", "", "pods"),
        *_workload(("apps",), "statefulsets"),
        rule("create delete get patch update", "", "pods"),
        rule(_LIVE, "apps", "controllerrevisions"),
        rule("create get list watch", "", "persistentvolumeclaims"),
        rule("delete update", "", "persistentvolumeclaims"),
        rule("update", "", "pods/finalizers"),
        EVENTS,
    ],
    "ttl-after-finished-controller": [rule("delete get list watch", "batch", "jobs"), EVENTS],
    "ttl-controller": [rule("list patch update watch", "", "nodes"), EVENTS],
    "validatingadmissionpolicy-status-controller": [
        rule(READ, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
        rule("get patch update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"),
        EVENTS,
    ],
    "volumeattributesclass-protection-controller": [
        rule(READ, "", "persistentvolumeclaims"),
        rule(READ, "", "persistentvolumes"),
        rule("get list update watch", "storage.k8s.io", "volumeattributesclasses"),
        EVENTS,
    ],
}
