"""The group networking.k8s.io: Ingresses and their classes; policies are in :mod:`.network_policies`."""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import core_v1, networking_v1

from . import addresses, names, services
from .faults import Faults, verdict
from .forms import domain_prefixed_path
from .network_policies import network_policy
from .rules import Rules

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
"""How Ingresses named their class before there was a member for it."""

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_PATH_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_PATH_ENDS = ("/..", "/.")


# -- Ingress ---------------------------------------------------------------------------------------------------------


def ingress(faults: Faults, obj: networking_v1.Ingress) -> None:
    """A new Ingress."""
    _ingress(faults, obj.spec)
    named, annotated = obj.spec.ingress_class_name, obj.metadata.annotations.get(CLASS_ANNOTATION)
    if annotated is not None and named and annotated != named:
        detail = "must match `ingressClassName` when both are specified"
        faults.invalid(f"annotations.{CLASS_ANNOTATION}", annotated, detail)


def ingress_update(faults: Faults, new: networking_v1.Ingress, old: networking_v1.Ingress) -> None:
    """What was let through once, before it was checked, may stay."""
    _ingress(
        faults,
        new.spec,
        secrets=not any(tls.secret_name and verdict(names.dns1123_subdomain, tls.secret_name) for tls in old.spec.tls),
        wildcards=not any("*" in rule.host and _faulty(rule) for rule in old.spec.rules),
    )


def _faulty(rule: networking_v1.IngressRule) -> bool:
    probe = Faults()
    _http(probe, rule, "")
    return bool(probe)


def _ingress(faults: Faults, spec: networking_v1.IngressSpec, *, secrets: bool = True, wildcards: bool = True) -> None:
    """``secrets`` and ``wildcards``: whether names of secrets, and paths of wildcard hosts, are checked."""
    if not spec.rules and spec.default_backend is None:
        faults.invalid("spec", spec.rules or None, "either `defaultBackend` or `rules` must be specified")
    if spec.default_backend is not None:
        _backend(faults, spec.default_backend, "spec.defaultBackend")
    for number, rule in enumerate(spec.rules):
        place = f"spec.rules[{number}]"
        if rule.host:
            if addresses.parse_address(rule.host) is not None:
                faults.invalid(f"{place}.host", rule.host, "must be a DNS name, not an IP address")
            _host(faults, rule.host, f"{place}.host")
        if wildcards or "*" not in rule.host:
            _http(faults, rule, place)
    for number, tls in enumerate(spec.tls):
        for index, host in enumerate(tls.hosts):
            _host(faults, host, f"spec.tls[{number}].hosts[{index}]")
        if secrets and tls.secret_name:
            faults.grammar(f"spec.tls[{number}].secretName", tls.secret_name, names.dns1123_subdomain)
    if spec.ingress_class_name:
        faults.grammar("spec.ingressClassName", spec.ingress_class_name, names.dns1123_subdomain)


def _host(faults: Faults, host: str, path: str) -> None:
    faults.grammar(path, host, names.wildcard_subdomain if "*" in host else names.dns1123_subdomain)


def _http(faults: Faults, rule: networking_v1.IngressRule, path: str) -> None:
    if rule.http is None:
        return
    if not rule.http.paths:
        faults.append(errors.required(f"{path}.http.paths"))
    for index, each in enumerate(rule.http.paths):
        _path(faults, each, f"{path}.http.paths[{index}]")


def _path(faults: Faults, path: networking_v1.HTTPIngressPath, place: str) -> None:
    text = path.path
    if not path.path_type:
        faults.append(errors.required(f"{place}.pathType", "pathType must be specified"))
        return
    if path.path_type not in _PATH_TYPES:
        faults.unsupported(f"{place}.pathType", path.path_type, _PATH_TYPES)
    elif path.path_type == "ImplementationSpecific":
        if text and not text.startswith("/"):
            faults.invalid(f"{place}.path", text, "must be an absolute path")
    else:
        if not text.startswith("/"):
            faults.invalid(f"{place}.path", text, "must be an absolute path")
        for part in _PATH_SEQUENCES:
            if part in text:
                faults.invalid(f"{place}.path", text, f"must not contain '{part}'")
        for part in _PATH_ENDS:
            if text.endswith(part):
                faults.invalid(f"{place}.path", text, f"cannot end with '{part}'")
    _backend(faults, path.backend, f"{place}.backend")


def _backend(faults: Faults, backend: networking_v1.IngressBackend, path: str) -> None:
    service, resource = backend.service, backend.resource
    if service is not None and resource is not None:
        faults.invalid(path, "", "cannot set both resource and service backends")
    elif resource is not None:
        _local_reference(faults, resource, f"{path}.resource")
    elif service is None:
        faults.invalid(path, "", "resource or service backend is required")
    else:
        faults.name(f"{path}.service.name", service.name, names.dns1035_label)
        port = service.port or networking_v1.ServiceBackendPort()
        if port.name and port.number:
            faults.invalid(path, "", "cannot set both port name & port number")
        elif port.name:
            faults.grammar(f"{path}.service.port.name", port.name, names.port_name)
        elif port.number:
            faults.port(f"{path}.service.port.number", port.number)
        else:
            faults.append(errors.required(path, "port name or number is required"))


def _local_reference(
    faults: Faults,
    reference: core_v1.TypedLocalObjectReference | networking_v1.IngressClassParametersReference,
    path: str,
) -> None:
    if reference.api_group:
        faults.grammar(f"{path}.apiGroup", reference.api_group, names.dns1123_subdomain)
    faults.name(f"{path}.kind", reference.kind, names.path_segment, "kind is required")
    faults.name(f"{path}.name", reference.name, names.path_segment, "name is required")


def ingress_status(faults: Faults, new: networking_v1.Ingress, old: networking_v1.Ingress) -> None:
    balancer = new.status.load_balancer
    for index, point in enumerate(balancer.ingress if balancer is not None else ()):
        place = f"status.loadBalancer.ingress[{index}]"
        if point.ip:
            faults.grammar(f"{place}.ip", point.ip, addresses.address)
        if point.hostname:
            faults.grammar(f"{place}.hostname", point.hostname, names.dns1123_subdomain)
            if addresses.parse_address(point.hostname) is not None:
                faults.invalid(f"{place}.hostname", point.hostname, "must be a DNS name, not an IP address")


# -- IngressClass ----------------------------------------------------------------------------------------------------


def ingress_class(faults: Faults, obj: networking_v1.IngressClass) -> None:
    faults.shorter("spec.controller", obj.spec.controller, 250)
    domain_prefixed_path(faults, "spec.controller", obj.spec.controller)
    parameters = obj.spec.parameters
    if parameters is None:
        return
    place = "spec.parameters"
    _local_reference(faults, parameters, place)
    if not parameters.scope:
        faults.append(errors.required(f"{place}.scope"))
    elif parameters.scope not in ("Cluster", "Namespace"):
        faults.unsupported(f"{place}.scope", parameters.scope, ("Cluster", "Namespace"))
    elif parameters.scope == "Namespace":
        detail = "`parameters.scope` is set to 'Namespace'"
        faults.name(f"{place}.namespace", parameters.namespace, names.dns1123_label, detail)
    elif parameters.namespace:
        faults.forbidden(f"{place}.namespace", "`parameters.scope` is set to 'Cluster'")


def ingress_class_update(faults: Faults, new: networking_v1.IngressClass, old: networking_v1.IngressClass) -> None:
    faults.immutable("spec.controller", new.spec.controller, old.spec.controller)


TABLE: dict[type[Any], Rules] = {
    networking_v1.Ingress: Rules(ingress, ingress_update, subresources={"status": ingress_status}, recheck=False),
    networking_v1.IngressClass: Rules(ingress_class, ingress_class_update),
    networking_v1.IPAddress: Rules(services.ip_address, services.ip_address_update, addresses.canonical_address),
    networking_v1.NetworkPolicy: Rules(network_policy),
    networking_v1.ServiceCIDR: Rules(services.service_cidr, services.service_cidr_update),
}
