"""The default ClusterRoles of Kubernetes v1.35 and whom they are bound to.

Provenance: the roles that upstream's RBAC bootstrap policy creates, as its documentation lists them.
"""

from __future__ import annotations

from steersman.api.types.rbac_v1 import PolicyRule

from .rules import ALL, EVENTS, READ, WRITE, rule, rules, urls

_APPS = "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale"
_APPS_VIEW = (
    "daemonsets daemonsets/status deployments deployments/scale deployments/status"
    " replicasets replicasets/scale replicasets/status"
)
_DRA = "resource.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_CSR = "certificates.k8s.io"
_APPROVER = "system:certificates.k8s.io:"

AGGREGATED = {"admin": ("admin",), "edit": ("edit", "admin"), "view": ("view", "edit")}
"""Roles whose rules are gathered from others: the label they gather by, and the one that others gather them by."""

AGGREGATE_TO = {
    "system:aggregate-to-admin": "admin",
    "system:aggregate-to-edit": "edit",
    "system:aggregate-to-view": "view",
}
"""Roles that are gathered: role → what it is a part of."""

CLUSTER_ROLES: dict[str, list[PolicyRule]] = {
    "cluster-admin": [rule("*", "*", "*"), PolicyRule(verbs=["*"], non_resource_urls=["*"])],
    "system:aggregate-to-admin": [
        rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
        rule(ALL, _RBAC, "rolebindings roles"),
    ],
    "system:aggregate-to-edit": [
        rule(READ, "", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
        rule("impersonate", "", "serviceaccounts"),
        rule(WRITE, "", "pods pods/attach pods/exec pods/portforward pods/proxy"),
        rule("create", "", "pods/eviction"),
        rule(
            WRITE,
            "",
            "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets"
            " serviceaccounts services services/proxy",
        ),
        rule("create", "", "serviceaccounts/token"),
        rule(WRITE, "apps", f"{_APPS} statefulsets statefulsets/scale"),
        rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
        rule(WRITE, "batch", "cronjobs jobs"),
        rule(WRITE, "extensions", f"{_APPS} ingresses networkpolicies replicationcontrollers/scale"),
        rule(WRITE, "policy", "poddisruptionbudgets"),
        rule(WRITE, "networking.k8s.io", "ingresses networkpolicies"),
        rule(ALL, "coordination.k8s.io", "leases"),
        rule(WRITE, _DRA, "resourceclaims resourceclaimtemplates"),
    ],
    "system:aggregate-to-view": [
        rule(
            READ,
            "",
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers"
            " replicationcontrollers/scale serviceaccounts services services/status",
        ),
        rule(
            READ,
            "",
            "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status"
            " resourcequotas resourcequotas/status",
        ),
        rule(READ, "", "namespaces"),
        rule(READ, "discovery.k8s.io", "endpointslices"),
        rule(READ, "apps", f"controllerrevisions {_APPS_VIEW} statefulsets statefulsets/scale statefulsets/status"),
        rule(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
        rule(READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
        rule(
            READ, "extensions", f"{_APPS_VIEW} ingresses ingresses/status networkpolicies replicationcontrollers/scale"
        ),
        rule(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
        rule(READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
        rule(READ, _DRA, "resourceclaims resourceclaims/status resourceclaimtemplates"),
    ],
    "system:auth-delegator": [
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
    ],
    "system:basic-user": [
        rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        rule("create", "authentication.k8s.io", "selfsubjectreviews"),
    ],
    f"{_APPROVER}certificatesigningrequests:nodeclient": [
        rule("create", _CSR, "certificatesigningrequests/nodeclient")
    ],
    f"{_APPROVER}certificatesigningrequests:selfnodeclient": [
        rule("create", _CSR, "certificatesigningrequests/selfnodeclient")
    ],
    **{
        f"{_APPROVER}{signer}-approver": [rule("approve", _CSR, "signers", f"kubernetes.io/{signer}")]
        for signer in ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown")
    },
    "system:discovery": [
        urls("/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"),
    ],
    "system:heapster": [
        rule(READ, "", "events namespaces nodes pods"),
        rule(READ, "extensions", "deployments"),
    ],
    "system:kube-aggregator": [rule(READ, "", "endpoints services")],
    "system:kube-controller-manager": [
        EVENTS,
        rule("create", "coordination.k8s.io", "leases"),
        rule("get update", "coordination.k8s.io", "leases", "kube-controller-manager"),
        rule("create", "", "secrets serviceaccounts"),
        rule("delete", "", "secrets"),
        rule("get", "", "configmaps namespaces secrets serviceaccounts"),
        rule("update", "", "secrets serviceaccounts"),
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
        rule("list watch", "*", "*"),
        rule("create", "", "serviceaccounts/token"),
    ],
    "system:kube-dns": [rule("list watch", "", "endpoints services")],
    "system:kube-scheduler": [
        EVENTS,
        rule("create", "coordination.k8s.io", "leases"),
        rule("get update", "coordination.k8s.io", "leases", "kube-scheduler"),
        rule(READ, "", "nodes"),
        rule("delete get list watch", "", "pods"),
        rule("create", "", "bindings pods/binding"),
        rule("patch update", "", "pods/status"),
        rule(READ, "", "replicationcontrollers services"),
        rules(READ, ("apps", "extensions"), "replicasets"),
        rule(READ, "apps", "statefulsets"),
        rule(READ, "policy", "poddisruptionbudgets"),
        rule(READ, "", "persistentvolumeclaims persistentvolumes"),
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
        rule(READ, "storage.k8s.io", "csinodes"),
        rule(READ, "", "namespaces"),
        rule(READ, "storage.k8s.io", "csidrivers"),
        rule(READ, "storage.k8s.io", "csistoragecapacities"),
        rule(READ, _DRA, "deviceclasses"),
        rule("get list patch update watch", _DRA, "resourceclaims"),
        rule("get list patch update watch", _DRA, "resourceclaims/status"),
        rule(READ, _DRA, "resourceslices"),
    ],
    "system:kubelet-api-admin": [
        rule(READ, "", "nodes"),
        rule("proxy", "", "nodes"),
        rule(
            "*",
            "",
            "nodes/checkpoint nodes/configz nodes/healthz nodes/log nodes/metrics nodes/pods nodes/proxy nodes/stats",
        ),
    ],
    "system:monitoring": [urls("/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*")],
    "system:node": [
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
        rule(READ, "", "services"),
        rule("create get list watch", "", "nodes"),
        rule("patch update", "", "nodes/status"),
        rule("patch update", "", "nodes"),
        rule("create patch update", "", "events"),
        rule(READ, "", "pods"),
        rule("create delete", "", "pods"),
        rule("patch update", "", "pods/status"),
        rule("create", "", "pods/eviction"),
        rule(READ, "", "configmaps secrets"),
        rule("get", "", "persistentvolumeclaims persistentvolumes"),
        rule("get", "", "endpoints"),
        rule("create get list watch", _CSR, "certificatesigningrequests"),
        rule("create delete get patch update", "coordination.k8s.io", "leases"),
        rule("get", "storage.k8s.io", "volumeattachments"),
        rule("create", "", "serviceaccounts/token"),
        rule("get patch update", "", "persistentvolumeclaims/status"),
        rule(READ, "storage.k8s.io", "csidrivers"),
        rule("create delete get patch update", "storage.k8s.io", "csinodes"),
        rule(READ, "node.k8s.io", "runtimeclasses"),
        rule("get", _DRA, "resourceclaims"),
        rule("create delete deletecollection get list patch update watch", _DRA, "resourceslices"),
    ],
    "system:node-bootstrapper": [rule("create get list watch", _CSR, "certificatesigningrequests")],
    "system:node-problem-detector": [
        rule("get", "", "nodes"),
        rule("patch", "", "nodes/status"),
        EVENTS,
    ],
    "system:node-proxier": [
        rule("list watch", "", "endpoints services"),
        rule(READ, "", "nodes"),
        EVENTS,
        rule("list watch", "discovery.k8s.io", "endpointslices"),
        rule("list watch", "networking.k8s.io", "servicecidrs"),
    ],
    "system:persistent-volume-provisioner": [
        rule("create delete get list watch", "", "persistentvolumes"),
        rule("get list update watch", "", "persistentvolumeclaims"),
        rule(READ, "storage.k8s.io", "storageclasses"),
        rule("watch", "", "events"),
        EVENTS,
    ],
    "system:public-info-viewer": [urls("/healthz /livez /readyz /version /version/")],
    "system:service-account-issuer-discovery": [urls("/.well-known/openid-configuration /openid/v1/jwks")],
    "system:volume-scheduler": [
        rule("get list patch update watch", "", "persistentvolumes"),
        rule(READ, "storage.k8s.io", "storageclasses"),
        rule("get list patch update watch", "", "persistentvolumeclaims"),
    ],
}

GROUP, USER, SERVICE_ACCOUNT = "Group", "User", "ServiceAccount"

CLUSTER_ROLE_BINDINGS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "cluster-admin": ("cluster-admin", ((GROUP, "system:masters"),)),
    "system:monitoring": ("system:monitoring", ((GROUP, "system:monitoring"),)),
    "system:discovery": ("system:discovery", ((GROUP, "system:authenticated"),)),
    "system:basic-user": ("system:basic-user", ((GROUP, "system:authenticated"),)),
    "system:public-info-viewer": (
        "system:public-info-viewer",
        ((GROUP, "system:authenticated"), (GROUP, "system:unauthenticated")),
    ),
    "system:node-proxier": ("system:node-proxier", ((USER, "system:kube-proxy"),)),
    "system:kube-controller-manager": ("system:kube-controller-manager", ((USER, "system:kube-controller-manager"),)),
    "system:kube-dns": ("system:kube-dns", ((SERVICE_ACCOUNT, "kube-dns"),)),
    "system:kube-scheduler": ("system:kube-scheduler", ((USER, "system:kube-scheduler"),)),
    "system:volume-scheduler": ("system:volume-scheduler", ((USER, "system:kube-scheduler"),)),
    "system:node": ("system:node", ()),
    "system:service-account-issuer-discovery": (
        "system:service-account-issuer-discovery",
        ((GROUP, "system:serviceaccounts"),),
    ),
}
"""Binding → role, and the subjects; service accounts are those of kube-system."""
