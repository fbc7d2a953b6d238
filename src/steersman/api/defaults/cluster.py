"""The groups that configure the cluster: RBAC, networking, discovery, storage, admission, extensions, flow control."""

from __future__ import annotations

from typing import Any

from steersman.api.types import (
    admissionregistration_v1,
    admissionregistration_v1alpha1,
    admissionregistration_v1beta1,
    apiextensions_v1,
    apiregistration_v1,
    certificates_v1beta1,
    discovery_v1,
    flowcontrol_v1,
    meta_v1,
    networking_v1,
    rbac_v1,
    resource_v1,
    storage_v1,
)

from .visitor import Default

_RBAC = "rbac.authorization.k8s.io"


def role_ref(obj: rbac_v1.RoleRef) -> None:
    obj.api_group = obj.api_group or _RBAC


def subject(obj: rbac_v1.Subject) -> None:
    if obj.kind in ("User", "Group"):
        obj.api_group = obj.api_group or _RBAC


def network_policy(obj: networking_v1.NetworkPolicy) -> None:
    spec = obj.spec
    if not spec.policy_types:
        spec.policy_types = ["Ingress", "Egress"] if spec.egress else ["Ingress"]


def network_policy_port(obj: networking_v1.NetworkPolicyPort) -> None:
    obj.protocol = obj.protocol or "TCP"


def ingress_class_parameters(obj: networking_v1.IngressClassParametersReference) -> None:
    obj.scope = obj.scope or "Cluster"


def endpoint_port(obj: discovery_v1.EndpointPort) -> None:
    obj.protocol = obj.protocol or "TCP"


def storage_class(obj: storage_v1.StorageClass) -> None:
    obj.reclaim_policy = obj.reclaim_policy or "Delete"
    obj.volume_binding_mode = obj.volume_binding_mode or "Immediate"


def csi_driver(obj: storage_v1.CSIDriver) -> None:
    spec = obj.spec
    spec.attach_required = True if spec.attach_required is None else spec.attach_required
    spec.pod_info_on_mount = bool(spec.pod_info_on_mount)
    spec.storage_capacity = bool(spec.storage_capacity)
    spec.fs_group_policy = spec.fs_group_policy or "ReadWriteOnceWithFSType"
    spec.volume_lifecycle_modes = spec.volume_lifecycle_modes or ["Persistent"]
    spec.requires_republish = bool(spec.requires_republish)
    spec.se_linux_mount = bool(spec.se_linux_mount)


def webhook(obj: admissionregistration_v1.MutatingWebhook | admissionregistration_v1.ValidatingWebhook) -> None:
    obj.failure_policy = obj.failure_policy or "Fail"
    obj.match_policy = obj.match_policy or "Equivalent"
    obj.namespace_selector = obj.namespace_selector or meta_v1.LabelSelector()
    obj.object_selector = obj.object_selector or meta_v1.LabelSelector()
    if obj.timeout_seconds is None:
        obj.timeout_seconds = 10
    if isinstance(obj, admissionregistration_v1.MutatingWebhook):
        obj.reinvocation_policy = obj.reinvocation_policy or "Never"


def mutating_policy(
    obj: admissionregistration_v1alpha1.MutatingAdmissionPolicySpec
    | admissionregistration_v1beta1.MutatingAdmissionPolicySpec,
) -> None:
    obj.failure_policy = obj.failure_policy or "Fail"
    obj.reinvocation_policy = obj.reinvocation_policy or "Never"


def param_ref(obj: admissionregistration_v1alpha1.ParamRef) -> None:
    obj.parameter_not_found_action = obj.parameter_not_found_action or "Deny"


def pod_certificate_request(obj: certificates_v1beta1.PodCertificateRequestSpec) -> None:
    if obj.max_expiration_seconds is None:
        obj.max_expiration_seconds = 86_400


def rule(
    obj: admissionregistration_v1.RuleWithOperations
    | admissionregistration_v1.NamedRuleWithOperations
    | admissionregistration_v1alpha1.NamedRuleWithOperations
    | admissionregistration_v1beta1.NamedRuleWithOperations,
) -> None:
    obj.scope = obj.scope or "*"


def admission_policy(obj: admissionregistration_v1.ValidatingAdmissionPolicySpec) -> None:
    obj.failure_policy = obj.failure_policy or "Fail"


def match_resources(
    obj: admissionregistration_v1.MatchResources
    | admissionregistration_v1alpha1.MatchResources
    | admissionregistration_v1beta1.MatchResources,
) -> None:
    obj.match_policy = obj.match_policy or "Equivalent"
    obj.namespace_selector = obj.namespace_selector or meta_v1.LabelSelector()
    obj.object_selector = obj.object_selector or meta_v1.LabelSelector()


def service_port(
    obj: admissionregistration_v1.ServiceReference
    | apiregistration_v1.ServiceReference
    | apiextensions_v1.ServiceReference,
) -> None:
    if obj.port is None:
        obj.port = 443


def custom_resource_definition(obj: apiextensions_v1.CustomResourceDefinition) -> None:
    names = obj.spec.names
    names.singular = names.singular or names.kind.lower()
    names.list_kind = names.list_kind or (f"{names.kind}List" if names.kind else "")
    if obj.spec.conversion is None:
        obj.spec.conversion = apiextensions_v1.CustomResourceConversion(strategy="None")


def flow_schema(obj: flowcontrol_v1.FlowSchemaSpec) -> None:
    obj.matching_precedence = obj.matching_precedence or 1000


def exempt(obj: flowcontrol_v1.ExemptPriorityLevelConfiguration) -> None:
    obj.nominal_concurrency_shares = obj.nominal_concurrency_shares or 0
    obj.lendable_percent = obj.lendable_percent or 0


def limited(obj: flowcontrol_v1.LimitedPriorityLevelConfiguration) -> None:
    if obj.nominal_concurrency_shares is None:
        obj.nominal_concurrency_shares = 30
    obj.lendable_percent = obj.lendable_percent or 0


def queuing(obj: flowcontrol_v1.QueuingConfiguration) -> None:
    obj.hand_size = obj.hand_size or 8
    obj.queues = obj.queues or 64
    obj.queue_length_limit = obj.queue_length_limit or 50


def device_request(obj: resource_v1.ExactDeviceRequest | resource_v1.DeviceSubRequest) -> None:
    obj.allocation_mode = obj.allocation_mode or "ExactCount"
    if obj.allocation_mode == "ExactCount":
        obj.count = obj.count or 1


def device_toleration(obj: resource_v1.DeviceToleration) -> None:
    obj.operator = obj.operator or "Equal"


TABLE: dict[type[Any], Default] = {
    admissionregistration_v1.MatchResources: match_resources,
    admissionregistration_v1.MutatingWebhook: webhook,
    admissionregistration_v1.NamedRuleWithOperations: rule,
    admissionregistration_v1.RuleWithOperations: rule,
    admissionregistration_v1.ServiceReference: service_port,
    admissionregistration_v1.ValidatingAdmissionPolicySpec: admission_policy,
    admissionregistration_v1.ValidatingWebhook: webhook,
    admissionregistration_v1alpha1.MatchResources: match_resources,
    admissionregistration_v1alpha1.MutatingAdmissionPolicySpec: mutating_policy,
    admissionregistration_v1alpha1.NamedRuleWithOperations: rule,
    admissionregistration_v1alpha1.ParamRef: param_ref,
    admissionregistration_v1beta1.MatchResources: match_resources,
    admissionregistration_v1beta1.MutatingAdmissionPolicySpec: mutating_policy,
    admissionregistration_v1beta1.NamedRuleWithOperations: rule,
    apiextensions_v1.CustomResourceDefinition: custom_resource_definition,
    apiextensions_v1.ServiceReference: service_port,
    apiregistration_v1.ServiceReference: service_port,
    certificates_v1beta1.PodCertificateRequestSpec: pod_certificate_request,
    discovery_v1.EndpointPort: endpoint_port,
    flowcontrol_v1.ExemptPriorityLevelConfiguration: exempt,
    flowcontrol_v1.FlowSchemaSpec: flow_schema,
    flowcontrol_v1.LimitedPriorityLevelConfiguration: limited,
    flowcontrol_v1.QueuingConfiguration: queuing,
    networking_v1.IngressClassParametersReference: ingress_class_parameters,
    networking_v1.NetworkPolicy: network_policy,
    networking_v1.NetworkPolicyPort: network_policy_port,
    rbac_v1.RoleRef: role_ref,
    rbac_v1.Subject: subject,
    resource_v1.DeviceSubRequest: device_request,
    resource_v1.DeviceToleration: device_toleration,
    resource_v1.ExactDeviceRequest: device_request,
    storage_v1.CSIDriver: csi_driver,
    storage_v1.StorageClass: storage_class,
}
