"""RBAC, networking, discovery, coordination, storage and scheduling."""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import (
    coordination_v1,
    discovery_v1,
    networking_v1,
    node_v1,
    rbac_v1,
    scheduling_v1,
    storage_v1,
)

from . import meta, names
from .faults import Faults

_RBAC = "rbac.authorization.k8s.io"


def role(faults: Faults, obj: rbac_v1.Role) -> None:
    for index, rule in enumerate(obj.rules):
        _rule(faults, rule, f"rules[{index}]", namespaced=True)


def cluster_role(faults: Faults, obj: rbac_v1.ClusterRole) -> None:
    for index, rule in enumerate(obj.rules):
        _rule(faults, rule, f"rules[{index}]", namespaced=False)
    if obj.aggregation_rule is not None:
        place = "aggregationRule.clusterRoleSelectors"
        if not obj.aggregation_rule.cluster_role_selectors:
            faults.append(
                errors.required(place, "at least one clusterRoleSelector required if aggregationRule is non-nil")
            )
        for index, selector in enumerate(obj.aggregation_rule.cluster_role_selectors):
            meta.label_selector(faults, selector, f"{place}[{index}]")


def _rule(faults: Faults, rule: rbac_v1.PolicyRule, path: str, *, namespaced: bool) -> None:
    if not rule.verbs:
        faults.append(errors.required(f"{path}.verbs", "verbs must contain at least one value"))
    if rule.non_resource_urls:
        if namespaced:
            faults.invalid(
                f"{path}.nonResourceURLs",
                rule.non_resource_urls,
                "namespaced rules cannot apply to non-resource URLs",
            )
        if rule.api_groups or rule.resources or rule.resource_names:
            faults.invalid(
                f"{path}.nonResourceURLs",
                rule.non_resource_urls,
                "rules cannot apply to both regular resources and non-resource URLs",
            )
        return
    if not rule.api_groups:
        faults.append(errors.required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.resources:
        faults.append(errors.required(f"{path}.resources", "resource rules must supply at least one resource"))


def role_binding(faults: Faults, obj: rbac_v1.RoleBinding | rbac_v1.ClusterRoleBinding) -> None:
    namespaced = isinstance(obj, rbac_v1.RoleBinding)
    reference = obj.role_ref
    faults.one_of("roleRef.apiGroup", reference.api_group, (_RBAC,))
    faults.one_of("roleRef.kind", reference.kind, ("Role", "ClusterRole") if namespaced else ("ClusterRole",))
    faults.name("roleRef.name", reference.name, names.path_segment)
    for index, subject in enumerate(obj.subjects):
        place = f"subjects[{index}]"
        faults.required(f"{place}.name", subject.name)
        if subject.kind == "ServiceAccount":
            if subject.name:
                faults.grammar(f"{place}.name", subject.name, names.dns1123_subdomain)
            if subject.api_group:
                faults.append(errors.not_supported(f"{place}.apiGroup", subject.api_group, ("",)))
            if not namespaced:
                faults.required(f"{place}.namespace", subject.namespace)
        elif subject.kind in ("User", "Group"):
            if subject.api_group != _RBAC:
                faults.append(errors.not_supported(f"{place}.apiGroup", subject.api_group, (_RBAC,)))
        else:
            faults.append(errors.not_supported(f"{place}.kind", subject.kind, ("Group", "ServiceAccount", "User")))


def role_binding_update(faults: Faults, new: Any, old: Any) -> None:
    if new.role_ref != old.role_ref:
        faults.invalid("roleRef", new.role_ref, "cannot change roleRef")


def endpoint_slice(faults: Faults, obj: discovery_v1.EndpointSlice) -> None:
    faults.one_of("addressType", obj.address_type, ("FQDN", "IPv4", "IPv6"))
    if len(obj.endpoints) > 1000:
        faults.append(errors.too_many("endpoints", len(obj.endpoints), 1000))
    for number, endpoint in enumerate(obj.endpoints):
        place = f"endpoints[{number}]"
        if not endpoint.addresses:
            faults.append(errors.required(f"{place}.addresses", "must contain at least 1 address"))
        elif len(endpoint.addresses) > 100:
            faults.append(errors.too_many(f"{place}.addresses", len(endpoint.addresses), 100))
        grammar = names.dns1123_subdomain if obj.address_type == "FQDN" else names.ip
        for index, address in enumerate(endpoint.addresses):
            faults.grammar(f"{place}.addresses[{index}]", address, grammar)
        if endpoint.hostname:
            faults.grammar(f"{place}.hostname", endpoint.hostname, names.dns1123_label)
        if endpoint.node_name:
            faults.grammar(f"{place}.nodeName", endpoint.node_name, names.dns1123_subdomain)
    seen: set[Any] = set()
    for index, port in enumerate(obj.ports):
        place = f"ports[{index}]"
        if port.name:
            faults.grammar(f"{place}.name", port.name, names.dns1123_label)
        faults.unique(f"{place}.name", port.name, seen)
        faults.one_of(f"{place}.protocol", port.protocol, ("TCP", "UDP", "SCTP"))
        faults.port(f"{place}.port", port.port)


def endpoint_slice_update(faults: Faults, new: discovery_v1.EndpointSlice, old: discovery_v1.EndpointSlice) -> None:
    faults.immutable("addressType", new.address_type, old.address_type)


def lease(faults: Faults, obj: coordination_v1.Lease) -> None:
    faults.positive("spec.leaseDurationSeconds", obj.spec.lease_duration_seconds)
    faults.natural("spec.leaseTransitions", obj.spec.lease_transitions)


def ingress(faults: Faults, obj: networking_v1.Ingress) -> None:
    spec = obj.spec
    if not spec.rules and spec.default_backend is None:
        faults.invalid("spec", spec.rules, "either `defaultBackend` or `rules` must be specified")
    if spec.default_backend is not None:
        _backend(faults, spec.default_backend, "spec.defaultBackend")
    for number, rule in enumerate(spec.rules):
        place = f"spec.rules[{number}]"
        if rule.host:
            wildcard = "*" in rule.host
            faults.grammar(
                f"{place}.host", rule.host, names.wildcard_subdomain if wildcard else names.dns1123_subdomain
            )
        if rule.http is None:
            continue
        if not rule.http.paths:
            faults.append(errors.required(f"{place}.http.paths"))
        for index, path in enumerate(rule.http.paths):
            where = f"{place}.http.paths[{index}]"
            if path.path_type in ("Exact", "Prefix"):
                if not path.path.startswith("/"):
                    faults.invalid(f"{where}.path", path.path, "must be an absolute path")
                for part in ("//", "/./", "/../", "%2f", "%2F"):
                    if part in path.path:
                        faults.invalid(f"{where}.path", path.path, f"must not contain '{part}'")
            elif path.path_type == "ImplementationSpecific":
                if path.path and not path.path.startswith("/"):
                    faults.invalid(f"{where}.path", path.path, "must be an absolute path")
            elif not path.path_type:
                faults.append(errors.required(f"{where}.pathType", "pathType must be specified"))
            else:
                kinds = ("Exact", "ImplementationSpecific", "Prefix")
                faults.append(errors.not_supported(f"{where}.pathType", path.path_type, kinds))
            _backend(faults, path.backend, f"{where}.backend")
    if spec.ingress_class_name:
        faults.grammar("spec.ingressClassName", spec.ingress_class_name, names.dns1123_subdomain)


def _backend(faults: Faults, backend: networking_v1.IngressBackend, path: str) -> None:
    if backend.service is None and backend.resource is None:
        faults.append(errors.required(path, "resource or service backend is required"))
    elif backend.service is not None and backend.resource is not None:
        faults.invalid(path, "", "cannot set both resource and service backends")
    elif backend.service is not None:
        faults.name(f"{path}.service.name", backend.service.name, names.dns1035_label)
        port = backend.service.port
        if port is None or (not port.name and not port.number):
            faults.append(errors.required(path, "port name or number is required"))
        elif port.name and port.number:
            faults.invalid(path, "", "cannot set both port name & port number")
        elif port.number:
            faults.port(f"{path}.service.port.number", port.number)
        else:
            faults.grammar(f"{path}.service.port.name", port.name, names.port_name)


def network_policy(faults: Faults, obj: networking_v1.NetworkPolicy) -> None:
    meta.label_selector(faults, obj.spec.pod_selector, "spec.podSelector")
    for number, ingress_rule in enumerate(obj.spec.ingress):
        place = f"spec.ingress[{number}]"
        _policy_ports(faults, ingress_rule.ports, place)
        for index, peer in enumerate(ingress_rule.from_):
            _peer(faults, peer, f"{place}.from[{index}]")
    for number, egress_rule in enumerate(obj.spec.egress):
        place = f"spec.egress[{number}]"
        _policy_ports(faults, egress_rule.ports, place)
        for index, peer in enumerate(egress_rule.to):
            _peer(faults, peer, f"{place}.to[{index}]")
    if len(obj.spec.policy_types) > 2:
        faults.invalid("spec.policyTypes", obj.spec.policy_types, "may not specify more than two policyTypes")
    for index, policy_type in enumerate(obj.spec.policy_types):
        faults.one_of(f"spec.policyTypes[{index}]", policy_type, ("Egress", "Ingress"))


def _policy_ports(faults: Faults, ports: list[networking_v1.NetworkPolicyPort], path: str) -> None:
    for index, port in enumerate(ports):
        place = f"{path}.ports[{index}]"
        faults.one_of(f"{place}.protocol", port.protocol, ("TCP", "UDP", "SCTP"), optional=True)
        faults.port(f"{place}.port", port.port)
        if port.end_port is not None:
            if port.port is None:
                faults.append(errors.required(f"{place}.port", "may not be empty when endPort is specified"))
            elif isinstance(port.port, str):
                faults.invalid(f"{place}.endPort", port.end_port, "may not be specified when `port` is non-numeric")
            elif port.end_port < port.port:
                faults.invalid(f"{place}.endPort", port.end_port, "must be greater than or equal to `port`")


def _peer(faults: Faults, peer: networking_v1.NetworkPolicyPeer, path: str) -> None:
    selecting = peer.pod_selector is not None or peer.namespace_selector is not None
    meta.label_selector(faults, peer.pod_selector, f"{path}.podSelector")
    meta.label_selector(faults, peer.namespace_selector, f"{path}.namespaceSelector")
    if peer.ip_block is not None:
        faults.name(f"{path}.ipBlock.cidr", peer.ip_block.cidr, names.cidr)
        for index, excluded in enumerate(peer.ip_block.except_):
            faults.grammar(f"{path}.ipBlock.except[{index}]", excluded, names.cidr)
        if selecting:
            faults.forbidden(path, "may not specify both ipBlock and another peer")
    elif not selecting:
        faults.append(errors.required(path, "must specify a peer"))


def storage_class(faults: Faults, obj: storage_v1.StorageClass) -> None:
    if faults.required("provisioner", obj.provisioner):
        faults.grammar("provisioner", obj.provisioner.lower(), names.qualified_name)
    faults.one_of("reclaimPolicy", obj.reclaim_policy, ("Delete", "Retain"))
    faults.one_of("volumeBindingMode", obj.volume_binding_mode, ("Immediate", "WaitForFirstConsumer"))


def storage_class_update(faults: Faults, new: storage_v1.StorageClass, old: storage_v1.StorageClass) -> None:
    if new.parameters != old.parameters:
        faults.forbidden("parameters", "updates to parameters are forbidden.")
    if new.provisioner != old.provisioner:
        faults.forbidden("provisioner", "updates to provisioner are forbidden.")
    if new.reclaim_policy != old.reclaim_policy:
        faults.forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden.")
    faults.immutable("volumeBindingMode", new.volume_binding_mode, old.volume_binding_mode)


def priority_class(faults: Faults, obj: scheduling_v1.PriorityClass) -> None:
    if obj.metadata.name.startswith("system-"):
        known = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
        if known.get(obj.metadata.name) != obj.value:
            faults.forbidden(
                "metadata.name",
                "priority class names with 'system-' prefix are reserved for system use only",
            )
    elif obj.value > 1_000_000_000:
        faults.forbidden("value", "maximum allowed value of a user defined priority is 1000000000")
    faults.one_of("preemptionPolicy", obj.preemption_policy, ("Never", "PreemptLowerPriority"), optional=True)


def priority_class_update(faults: Faults, new: scheduling_v1.PriorityClass, old: scheduling_v1.PriorityClass) -> None:
    if new.value != old.value:
        faults.forbidden("value", "may not be changed in an update.")
    faults.immutable("preemptionPolicy", new.preemption_policy, old.preemption_policy)


def runtime_class(faults: Faults, obj: node_v1.RuntimeClass) -> None:
    faults.grammar("handler", obj.handler, names.dns1123_label)


def runtime_class_update(faults: Faults, new: node_v1.RuntimeClass, old: node_v1.RuntimeClass) -> None:
    faults.immutable("handler", new.handler, old.handler)
