"""What field selectors may select by: one row per kind, in the table below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .errors import bad_request
from .scheme import Resource
from .selectors import FieldSelector, parse_fields

Extractor = Callable[[Any], str]


def _truth(value: bool | None) -> str:
    return "true" if value else "false"


_REFERENCE = {
    "kind": "kind",
    "namespace": "namespace",
    "name": "name",
    "uid": "uid",
    "apiVersion": "api_version",
    "resourceVersion": "resource_version",
    "fieldPath": "field_path",
}


def _reference(attribute: str, prefix: str) -> dict[str, Extractor]:
    def member(name: str) -> Extractor:
        def extract(obj: Any) -> str:
            reference = getattr(obj, attribute)
            return getattr(reference, name) if reference is not None else ""

        return extract

    return {f"{prefix}.{name}": member(python) for name, python in _REFERENCE.items()}


_FIELDS: dict[tuple[str, str], dict[str, Extractor]] = {
    ("", "Pod"): {
        "spec.nodeName": lambda pod: pod.spec.node_name,
        "spec.restartPolicy": lambda pod: pod.spec.restart_policy,
        "spec.schedulerName": lambda pod: pod.spec.scheduler_name,
        "spec.serviceAccountName": lambda pod: pod.spec.service_account_name,
        "spec.hostNetwork": lambda pod: _truth(pod.spec.host_network),
        "status.phase": lambda pod: pod.status.phase,
        "status.podIP": lambda pod: pod.status.pod_ip,
        "status.podIPs": lambda pod: "",  # upstream takes the label and knows no value for it
        "status.nominatedNodeName": lambda pod: pod.status.nominated_node_name,
    },
    ("", "Node"): {"spec.unschedulable": lambda node: _truth(node.spec.unschedulable)},
    ("", "Namespace"): {"status.phase": lambda namespace: namespace.status.phase},
    ("", "Secret"): {"type": lambda secret: secret.type},
    ("", "Service"): {
        "spec.clusterIP": lambda service: service.spec.cluster_ip,
        "spec.type": lambda service: service.spec.type,
    },
    ("", "ReplicationController"): {"status.replicas": lambda controller: str(controller.status.replicas)},
    ("", "Event"): {
        **_reference("involved_object", "involvedObject"),
        "reason": lambda event: event.reason,
        "reportingComponent": lambda event: event.reporting_component,
        "source": lambda event: event.source.component or event.reporting_component,
        "type": lambda event: event.type,
    },
    ("events.k8s.io", "Event"): {
        **_reference("regarding", "regarding"),
        "reason": lambda event: event.reason,
        "reportingController": lambda event: event.reporting_controller,
        "type": lambda event: event.type,
    },
    ("apps", "ReplicaSet"): {"status.replicas": lambda replica_set: str(replica_set.status.replicas)},
    ("batch", "Job"): {"status.successful": lambda job: str(job.status.succeeded or 0)},
    ("batch", "CronJob"): {"status.successful": lambda job: ""},
    ("certificates.k8s.io", "CertificateSigningRequest"): {"spec.signerName": lambda request: request.spec.signer_name},
    ("certificates.k8s.io", "ClusterTrustBundle"): {"spec.signerName": lambda bundle: bundle.spec.signer_name},
    ("certificates.k8s.io", "PodCertificateRequest"): {
        "spec.signerName": lambda request: request.spec.signer_name,
        "spec.podName": lambda request: request.spec.pod_name,
        "spec.nodeName": lambda request: request.spec.node_name,
    },
    ("resource.k8s.io", "ResourceSlice"): {
        "spec.nodeName": lambda resource_slice: resource_slice.spec.node_name,
        "spec.driver": lambda resource_slice: resource_slice.spec.driver,
    },
}


def _extractors(resource: Resource[Any]) -> Mapping[str, Extractor]:
    return resource.selectable or _FIELDS.get((resource.group, resource.kind), {})


def selectable_fields(resource: Resource[Any], obj: Any) -> dict[str, str]:
    """The fields of an object that selectors see."""
    fields = {"metadata.name": obj.metadata.name}
    if resource.namespaced:
        fields["metadata.namespace"] = obj.metadata.namespace
    for name, extract in _extractors(resource).items():
        fields[name] = extract(obj)
    return fields


def matches_fields(selector: FieldSelector, resource: Resource[Any], obj: Any) -> bool:
    """Whether an object satisfies a selector; looks only at the fields that are asked for."""
    extractors = _extractors(resource)
    for requirement in selector.requirements:
        if requirement.field == "metadata.name":
            value = obj.metadata.name
        elif requirement.field == "metadata.namespace":
            value = obj.metadata.namespace
        elif extract := extractors.get(requirement.field):
            value = extract(obj)
        else:
            value = ""
        if (value == requirement.value) != (requirement.operator == "="):
            return False
    return True


_WITHOUT_NAMESPACE = frozenset(
    {
        ("", "Namespace"),
        ("", "Node"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("certificates.k8s.io", "PodCertificateRequest"),
        ("resource.k8s.io", "ResourceSlice"),
    }
)
"""Kinds with fields of their own that do not offer ``metadata.namespace``."""

_STORED = {
    **{f"regarding.{name}": f"involvedObject.{name}" for name in _REFERENCE},
    "reportingController": "reportingComponent",
}
"""What the fields of an ``events.k8s.io`` Event are called where it is stored."""


def parse_selector(resource: Resource[Any], text: str) -> FieldSelector:
    """Read a field selector for a resource; raises a 400 for a field that it does not offer."""
    kind = (resource.group, resource.kind)
    extra = _extractors(resource)

    def transform(field: str, value: str) -> tuple[str, str]:
        if field == "spec.host" and kind == ("", "Pod"):
            return "spec.nodeName", value
        if resource.custom:
            if field == "metadata.name" or field in extra or (resource.namespaced and field == "metadata.namespace"):
                return field, value
            raise bad_request(f"field label not supported: {field}")
        if field == "metadata.name" or (field == "metadata.namespace" and kind not in _WITHOUT_NAMESPACE):
            return field, value
        if not extra:
            raise bad_request(f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"')
        if field in extra:
            return field, value
        if resource.group == "batch":
            raise bad_request(f'field label "{field}" not supported for "{resource.kind}"')
        if resource.kind == "ResourceSlice":
            described = f"{resource.group}/{resource.version}, Kind={resource.kind}"
            raise bad_request(f"field label not supported for {described}: {field}")
        raise bad_request(f"field label not supported: {field}")

    return parse_fields(text, transform)


def stored_selector(resource: Resource[Any], text: str) -> str:
    """A selector for a resource in the names of the version that it is stored under."""
    requirements = parse_selector(resource, text).requirements
    return str(
        FieldSelector(
            tuple(msgspec.structs.replace(each, field=_STORED.get(each.field, each.field)) for each in requirements)
        )
    )
