"""What extends the API server, and what it keeps for itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from steersman.api.types import (
    apiregistration_v1,
    apiserverinternal_v1alpha1,
    flowcontrol_v1,
    storagemigration_v1beta1,
)

from .printer import NONE, UNSET, Printer, age, aged, some


def _api_service(obj: apiregistration_v1.APIService) -> list[Any]:
    service = obj.spec.service
    condition = next((each for each in obj.status.conditions if each.type == "Available"), None)
    if condition is None:
        available = "Unknown"
    elif condition.status == "True":
        available = "True"
    else:
        available = f"{condition.status} ({condition.reason})"
    return [f"{service.namespace}/{service.name}" if service else "Local", available]


def _param_kind(kind: Any) -> str:
    return f"{kind.api_version}/{kind.kind}" if kind else UNSET


def _policy_binding(obj: Any) -> list[Any]:
    reference = obj.spec.param_ref
    if reference is None:
        return [obj.spec.policy_name, UNSET]
    name = reference.name or "*"
    return [obj.spec.policy_name, f"{reference.namespace}/{name}" if reference.namespace else name]


def _flow_schema_row(obj: flowcontrol_v1.FlowSchema, now: datetime) -> list[Any]:
    method = obj.spec.distinguisher_method
    dangling = next((each.status for each in obj.status.conditions if each.type == "Dangling"), "?")
    return [
        obj.metadata.name,
        obj.spec.priority_level_configuration.name,
        obj.spec.matching_precedence or 0,
        method.type if method else NONE,
        age(obj, now),
        dangling,
    ]


def _priority_level(obj: flowcontrol_v1.PriorityLevelConfiguration) -> list[Any]:
    shares: Any = NONE
    queues: list[Any] = [NONE, NONE, NONE]
    if obj.spec.limited is not None:
        shares = obj.spec.limited.nominal_concurrency_shares
        response = obj.spec.limited.limit_response
        if response is not None and response.queuing is not None:
            queuing = response.queuing
            queues = [queuing.queues, queuing.hand_size, queuing.queue_length_limit]
    return [obj.spec.type, shares, *queues]


def _storage_version(obj: apiserverinternal_v1alpha1.StorageVersion) -> list[Any]:
    encoded = (f"{each.api_server_id}={each.encoding_version}" for each in obj.status.storage_versions)
    return [obj.status.common_encoding_version or UNSET, some(encoded, empty=UNSET)]


def _migration_row(obj: storagemigration_v1beta1.StorageVersionMigration, now: datetime) -> list[Any]:
    resource = obj.spec.resource
    return [obj.metadata.name, f"{resource.resource}.{resource.group}"]


_WEBHOOKS = aged(("Webhooks:integer",), lambda obj: [len(obj.webhooks)])
_POLICY_BINDING = aged(("PolicyName", "ParamRef"), _policy_binding)


TABLE: dict[tuple[str, str], Printer] = {
    ("apiregistration.k8s.io", "APIService"): aged(("Service", "Available"), _api_service),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): aged(
        ("Validations:integer", "ParamKind"),
        lambda obj: [len(obj.spec.validations), _param_kind(obj.spec.param_kind)],
    ),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): _POLICY_BINDING,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): Printer(
        ("Name", "PriorityLevel", "MatchingPrecedence", "DistinguisherMethod", "Age", "MissingPL"),
        _flow_schema_row,
        order=lambda obj: (obj.spec.matching_precedence or 0, obj.metadata.name),
    ),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): aged(
        ("Type", "NominalConcurrencyShares", "Queues", "HandSize", "QueueLengthLimit"), _priority_level
    ),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): aged(
        ("Mutations:integer", "ParamKind"),
        lambda obj: [len(obj.spec.mutations), _param_kind(obj.spec.param_kind)],
    ),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): _POLICY_BINDING,
    ("internal.apiserver.k8s.io", "StorageVersion"): aged(
        ("CommonEncodingVersion", "StorageVersions"), _storage_version
    ),
    ("storagemigration.k8s.io", "StorageVersionMigration"): Printer(("Name", "Resource"), _migration_row),
}
