"""The REST table of the built-in resources of Kubernetes v1.35: one row per resource and version.

Checked in tests against the published OpenAPI document.  Versions that upstream serves only when asked to
(alpha and beta) have ``served=False``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .scheme import Resource, Scheme, Subresource

_core_v1 = partial(Resource, "", "v1", module="core_v1")
_admissionregistration_v1 = partial(Resource, "admissionregistration.k8s.io", "v1", module="admissionregistration_v1")
_admissionregistration_v1alpha1 = partial(
    Resource, "admissionregistration.k8s.io", "v1alpha1", module="admissionregistration_v1alpha1", served=False
)
_admissionregistration_v1beta1 = partial(
    Resource, "admissionregistration.k8s.io", "v1beta1", module="admissionregistration_v1beta1", served=False
)
_apiextensions_v1 = partial(Resource, "apiextensions.k8s.io", "v1", module="apiextensions_v1")
_apiregistration_v1 = partial(Resource, "apiregistration.k8s.io", "v1", module="apiregistration_v1")
_apps_v1 = partial(Resource, "apps", "v1", module="apps_v1")
_authentication_v1 = partial(Resource, "authentication.k8s.io", "v1", module="authentication_v1")
_authorization_v1 = partial(Resource, "authorization.k8s.io", "v1", module="authorization_v1")
_autoscaling_v1 = partial(Resource, "autoscaling", "v1", module="autoscaling_v1")
_autoscaling_v2 = partial(Resource, "autoscaling", "v2", module="autoscaling_v2")
_batch_v1 = partial(Resource, "batch", "v1", module="batch_v1")
_certificates_v1 = partial(Resource, "certificates.k8s.io", "v1", module="certificates_v1")
_certificates_v1alpha1 = partial(
    Resource, "certificates.k8s.io", "v1alpha1", module="certificates_v1alpha1", served=False
)
_certificates_v1beta1 = partial(Resource, "certificates.k8s.io", "v1beta1", module="certificates_v1beta1", served=False)
_coordination_v1 = partial(Resource, "coordination.k8s.io", "v1", module="coordination_v1")
_coordination_v1alpha2 = partial(
    Resource, "coordination.k8s.io", "v1alpha2", module="coordination_v1alpha2", served=False
)
_coordination_v1beta1 = partial(Resource, "coordination.k8s.io", "v1beta1", module="coordination_v1beta1", served=False)
_discovery_v1 = partial(Resource, "discovery.k8s.io", "v1", module="discovery_v1")
_events_v1 = partial(Resource, "events.k8s.io", "v1", module="events_v1")
_flowcontrol_v1 = partial(Resource, "flowcontrol.apiserver.k8s.io", "v1", module="flowcontrol_v1")
_internal_v1alpha1 = partial(
    Resource, "internal.apiserver.k8s.io", "v1alpha1", module="apiserverinternal_v1alpha1", served=False
)
_networking_v1 = partial(Resource, "networking.k8s.io", "v1", module="networking_v1")
_networking_v1beta1 = partial(Resource, "networking.k8s.io", "v1beta1", module="networking_v1beta1", served=False)
_node_v1 = partial(Resource, "node.k8s.io", "v1", module="node_v1")
_policy_v1 = partial(Resource, "policy", "v1", module="policy_v1")
_rbac_v1 = partial(Resource, "rbac.authorization.k8s.io", "v1", module="rbac_v1")
_resource_v1 = partial(Resource, "resource.k8s.io", "v1", module="resource_v1")
_resource_v1alpha3 = partial(Resource, "resource.k8s.io", "v1alpha3", module="resource_v1alpha3", served=False)
_resource_v1beta1 = partial(Resource, "resource.k8s.io", "v1beta1", module="resource_v1beta1", served=False)
_resource_v1beta2 = partial(Resource, "resource.k8s.io", "v1beta2", module="resource_v1beta2", served=False)
_scheduling_v1 = partial(Resource, "scheduling.k8s.io", "v1", module="scheduling_v1")
_scheduling_v1alpha1 = partial(Resource, "scheduling.k8s.io", "v1alpha1", module="scheduling_v1alpha1", served=False)
_storage_v1 = partial(Resource, "storage.k8s.io", "v1", module="storage_v1")
_storage_v1beta1 = partial(Resource, "storage.k8s.io", "v1beta1", module="storage_v1beta1", served=False)
_storagemigration_v1beta1 = partial(
    Resource, "storagemigration.k8s.io", "v1beta1", module="storagemigration_v1beta1", served=False
)

_ALL = ("all",)
_EXTENSIONS = ("api-extensions",)
_CREATE = ("create",)
_PROXY = ("create", "delete", "get", "patch", "update")
_STREAM = ("create", "get")
_SCALE = Subresource("scale", kind="Scale", group="autoscaling", version="v1")
_STATUS = Subresource("status")

TABLE: tuple[Resource[Any], ...] = (
    _core_v1("bindings", "Binding", namespaced=True, verbs=_CREATE),
    _core_v1("componentstatuses", "ComponentStatus", verbs=("get", "list"), short_names=("cs",)),
    _core_v1("configmaps", "ConfigMap", namespaced=True, short_names=("cm",)),
    _core_v1("endpoints", "Endpoints", namespaced=True, short_names=("ep",), storage_prefix="services/endpoints"),
    _core_v1("events", "Event", namespaced=True, short_names=("ev",)),
    _core_v1("limitranges", "LimitRange", namespaced=True, short_names=("limits",)),
    _core_v1(
        "namespaces",
        "Namespace",
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        short_names=("ns",),
        subresources=(Subresource("finalize", ("update",)), _STATUS),
    ),
    _core_v1(
        "nodes",
        "Node",
        short_names=("no",),
        storage_prefix="minions",
        subresources=(Subresource("proxy", _PROXY, kind="NodeProxyOptions"), _STATUS),
    ),
    _core_v1(
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        namespaced=True,
        short_names=("pvc",),
        subresources=(_STATUS,),
    ),
    _core_v1("persistentvolumes", "PersistentVolume", short_names=("pv",), subresources=(_STATUS,)),
    _core_v1(
        "pods",
        "Pod",
        namespaced=True,
        short_names=("po",),
        categories=_ALL,
        subresources=(
            Subresource("attach", _STREAM, kind="PodAttachOptions"),
            Subresource("binding", _CREATE, kind="Binding"),
            Subresource("ephemeralcontainers"),
            Subresource(
                "eviction", _CREATE, kind="Eviction", group="policy", version="v1", aliases=("policy/v1beta1",)
            ),
            Subresource("exec", _STREAM, kind="PodExecOptions"),
            Subresource("log", ("get",)),
            Subresource("portforward", _STREAM, kind="PodPortForwardOptions"),
            Subresource("proxy", _PROXY, kind="PodProxyOptions"),
            Subresource("resize"),
            _STATUS,
        ),
    ),
    _core_v1("podtemplates", "PodTemplate", namespaced=True),
    _core_v1(
        "replicationcontrollers",
        "ReplicationController",
        namespaced=True,
        short_names=("rc",),
        categories=_ALL,
        storage_prefix="controllers",
        subresources=(_SCALE, _STATUS),
    ),
    _core_v1("resourcequotas", "ResourceQuota", namespaced=True, short_names=("quota",), subresources=(_STATUS,)),
    _core_v1("secrets", "Secret", namespaced=True),
    _core_v1(
        "serviceaccounts",
        "ServiceAccount",
        namespaced=True,
        short_names=("sa",),
        subresources=(Subresource("token", _CREATE, kind="TokenRequest", group="authentication.k8s.io", version="v1"),),
    ),
    _core_v1(
        "services",
        "Service",
        namespaced=True,
        short_names=("svc",),
        categories=_ALL,
        storage_prefix="services/specs",
        subresources=(Subresource("proxy", _PROXY, kind="ServiceProxyOptions"), _STATUS),
    ),
    _admissionregistration_v1("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", categories=_EXTENSIONS),
    _admissionregistration_v1(
        "validatingadmissionpolicies", "ValidatingAdmissionPolicy", categories=_EXTENSIONS, subresources=(_STATUS,)
    ),
    _admissionregistration_v1(
        "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", categories=_EXTENSIONS
    ),
    _admissionregistration_v1(
        "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", categories=_EXTENSIONS
    ),
    _admissionregistration_v1alpha1(
        "mutatingadmissionpolicies",
        "MutatingAdmissionPolicy",
        categories=_EXTENSIONS,
        storage_version="admissionregistration.k8s.io/v1beta1",
    ),
    _admissionregistration_v1alpha1(
        "mutatingadmissionpolicybindings",
        "MutatingAdmissionPolicyBinding",
        categories=_EXTENSIONS,
        storage_version="admissionregistration.k8s.io/v1beta1",
    ),
    _admissionregistration_v1beta1("mutatingadmissionpolicies", "MutatingAdmissionPolicy", categories=_EXTENSIONS),
    _admissionregistration_v1beta1(
        "mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", categories=_EXTENSIONS
    ),
    _apiextensions_v1(
        "customresourcedefinitions",
        "CustomResourceDefinition",
        short_names=("crd", "crds"),
        categories=_EXTENSIONS,
        storage_prefix="apiextensions.k8s.io/customresourcedefinitions",
        subresources=(_STATUS,),
    ),
    _apiregistration_v1(
        "apiservices",
        "APIService",
        categories=_EXTENSIONS,
        storage_prefix="apiregistration.k8s.io/apiservices",
        subresources=(_STATUS,),
    ),
    _apps_v1("controllerrevisions", "ControllerRevision", namespaced=True),
    _apps_v1("daemonsets", "DaemonSet", namespaced=True, short_names=("ds",), categories=_ALL, subresources=(_STATUS,)),
    _apps_v1(
        "deployments",
        "Deployment",
        namespaced=True,
        short_names=("deploy",),
        categories=_ALL,
        subresources=(_SCALE, _STATUS),
    ),
    _apps_v1(
        "replicasets",
        "ReplicaSet",
        namespaced=True,
        short_names=("rs",),
        categories=_ALL,
        subresources=(_SCALE, _STATUS),
    ),
    _apps_v1(
        "statefulsets",
        "StatefulSet",
        namespaced=True,
        short_names=("sts",),
        categories=_ALL,
        subresources=(_SCALE, _STATUS),
    ),
    _authentication_v1("selfsubjectreviews", "SelfSubjectReview", verbs=_CREATE),
    _authentication_v1("tokenreviews", "TokenReview", verbs=_CREATE),
    _authorization_v1("localsubjectaccessreviews", "LocalSubjectAccessReview", namespaced=True, verbs=_CREATE),
    _authorization_v1("selfsubjectaccessreviews", "SelfSubjectAccessReview", verbs=_CREATE),
    _authorization_v1("selfsubjectrulesreviews", "SelfSubjectRulesReview", verbs=_CREATE),
    _authorization_v1("subjectaccessreviews", "SubjectAccessReview", verbs=_CREATE),
    _autoscaling_v1(
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        namespaced=True,
        short_names=("hpa",),
        categories=_ALL,
        storage_version="autoscaling/v2",
        subresources=(_STATUS,),
    ),
    _autoscaling_v2(
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        namespaced=True,
        short_names=("hpa",),
        categories=_ALL,
        subresources=(_STATUS,),
    ),
    _batch_v1("cronjobs", "CronJob", namespaced=True, short_names=("cj",), categories=_ALL, subresources=(_STATUS,)),
    _batch_v1("jobs", "Job", namespaced=True, categories=_ALL, subresources=(_STATUS,)),
    _certificates_v1(
        "certificatesigningrequests",
        "CertificateSigningRequest",
        short_names=("csr",),
        subresources=(Subresource("approval"), _STATUS),
    ),
    _certificates_v1alpha1("clustertrustbundles", "ClusterTrustBundle"),
    _certificates_v1beta1("clustertrustbundles", "ClusterTrustBundle"),
    _certificates_v1beta1("podcertificaterequests", "PodCertificateRequest", namespaced=True, subresources=(_STATUS,)),
    _coordination_v1("leases", "Lease", namespaced=True),
    _coordination_v1alpha2("leasecandidates", "LeaseCandidate", namespaced=True),
    _coordination_v1beta1("leasecandidates", "LeaseCandidate", namespaced=True),
    _discovery_v1("endpointslices", "EndpointSlice", namespaced=True),
    _events_v1("events", "Event", namespaced=True, short_names=("ev",), storage_version="v1"),
    _flowcontrol_v1("flowschemas", "FlowSchema", subresources=(_STATUS,)),
    _flowcontrol_v1("prioritylevelconfigurations", "PriorityLevelConfiguration", subresources=(_STATUS,)),
    _internal_v1alpha1("storageversions", "StorageVersion", subresources=(_STATUS,)),
    _networking_v1("ingressclasses", "IngressClass"),
    _networking_v1(
        "ingresses", "Ingress", namespaced=True, short_names=("ing",), storage_prefix="ingress", subresources=(_STATUS,)
    ),
    _networking_v1("ipaddresses", "IPAddress", short_names=("ip",)),
    _networking_v1("networkpolicies", "NetworkPolicy", namespaced=True, short_names=("netpol",)),
    _networking_v1("servicecidrs", "ServiceCIDR", subresources=(_STATUS,)),
    _networking_v1beta1("ipaddresses", "IPAddress", short_names=("ip",), storage_version="networking.k8s.io/v1"),
    _networking_v1beta1("servicecidrs", "ServiceCIDR", storage_version="networking.k8s.io/v1", subresources=(_STATUS,)),
    _node_v1("runtimeclasses", "RuntimeClass"),
    _policy_v1(
        "poddisruptionbudgets", "PodDisruptionBudget", namespaced=True, short_names=("pdb",), subresources=(_STATUS,)
    ),
    _rbac_v1("clusterrolebindings", "ClusterRoleBinding"),
    _rbac_v1("clusterroles", "ClusterRole"),
    _rbac_v1("rolebindings", "RoleBinding", namespaced=True),
    _rbac_v1("roles", "Role", namespaced=True),
    _resource_v1("deviceclasses", "DeviceClass"),
    _resource_v1("resourceclaims", "ResourceClaim", namespaced=True, subresources=(_STATUS,)),
    _resource_v1("resourceclaimtemplates", "ResourceClaimTemplate", namespaced=True),
    _resource_v1("resourceslices", "ResourceSlice"),
    _resource_v1alpha3("devicetaintrules", "DeviceTaintRule", subresources=(_STATUS,)),
    _resource_v1beta1("deviceclasses", "DeviceClass", storage_version="resource.k8s.io/v1"),
    _resource_v1beta1(
        "resourceclaims",
        "ResourceClaim",
        namespaced=True,
        storage_version="resource.k8s.io/v1",
        subresources=(_STATUS,),
    ),
    _resource_v1beta1(
        "resourceclaimtemplates", "ResourceClaimTemplate", namespaced=True, storage_version="resource.k8s.io/v1"
    ),
    _resource_v1beta1("resourceslices", "ResourceSlice", storage_version="resource.k8s.io/v1"),
    _resource_v1beta2("deviceclasses", "DeviceClass", storage_version="resource.k8s.io/v1"),
    _resource_v1beta2(
        "resourceclaims",
        "ResourceClaim",
        namespaced=True,
        storage_version="resource.k8s.io/v1",
        subresources=(_STATUS,),
    ),
    _resource_v1beta2(
        "resourceclaimtemplates", "ResourceClaimTemplate", namespaced=True, storage_version="resource.k8s.io/v1"
    ),
    _resource_v1beta2("resourceslices", "ResourceSlice", storage_version="resource.k8s.io/v1"),
    _scheduling_v1("priorityclasses", "PriorityClass", short_names=("pc",)),
    _scheduling_v1alpha1("workloads", "Workload", namespaced=True),
    _storage_v1("csidrivers", "CSIDriver"),
    _storage_v1("csinodes", "CSINode"),
    _storage_v1("csistoragecapacities", "CSIStorageCapacity", namespaced=True),
    _storage_v1("storageclasses", "StorageClass", short_names=("sc",)),
    _storage_v1("volumeattachments", "VolumeAttachment", subresources=(_STATUS,)),
    _storage_v1("volumeattributesclasses", "VolumeAttributesClass", short_names=("vac",)),
    _storage_v1beta1(
        "volumeattributesclasses", "VolumeAttributesClass", short_names=("vac",), storage_version="storage.k8s.io/v1"
    ),
    _storagemigration_v1beta1("storageversionmigrations", "StorageVersionMigration", subresources=(_STATUS,)),
)

RETURNS_DELETED = frozenset(
    (
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "resourcequotas",
        "serviceaccounts",
        "services",
        "deviceclasses.resource.k8s.io",
        "devicetaintrules.resource.k8s.io",
        "resourceclaims.resource.k8s.io",
        "resourceclaimtemplates.resource.k8s.io",
        "resourceslices.resource.k8s.io",
        "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "storageclasses.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
        "volumeattributesclasses.storage.k8s.io",
    )
)
"""Whose deletion is answered with the object even when it is gone at once; that of others, with a Status then."""


def builtin_scheme() -> Scheme:
    """A new scheme that holds every built-in resource."""
    return Scheme(TABLE)
