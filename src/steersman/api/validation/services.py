"""Services, and the ranges and addresses that their cluster IPs come from."""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import core_v1 as v1
from steersman.api.types import networking_v1

from . import addresses, names
from .faults import IMMUTABLE, Faults

HEADLESS = "None"
KUBELET_PORT = 10250
LONGEST_AFFINITY = 86400
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints"
TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"
SET_ONCE = "may not change once set"

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_FAMILIES = ("IPv4", "IPv6")
_POLICIES = ("SingleStack", "PreferDualStack", "RequireDualStack")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_IP_MODES = ("VIP", "Proxy")


def headless(spec: v1.ServiceSpec) -> bool:
    """Whether a Service has no address on purpose."""
    return spec.cluster_ips == [HEADLESS]


def externally_accessible(spec: v1.ServiceSpec) -> bool:
    """Whether traffic from outside of the cluster can come in."""
    return spec.type in ("NodePort", "LoadBalancer") or (spec.type == "ClusterIP" and bool(spec.external_ips))


def needs_health_check(spec: v1.ServiceSpec) -> bool:
    """Whether load balancers ask each node if it has an endpoint."""
    return spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"


def service(faults: Faults, obj: v1.Service) -> None:
    """A Service.  The health check's node port may be missing: it is chosen in the commit that writes the object."""
    spec = obj.spec
    _topology(faults, obj.metadata.annotations)
    if not spec.ports and not headless(spec) and spec.type != "ExternalName":
        faults.append(errors.required("spec.ports"))
    _by_type(faults, spec)
    _ports(faults, spec)
    faults.labels("spec.selector", spec.selector)
    _affinity(faults, spec)
    cluster_addresses(faults, spec)
    for index, address in enumerate(spec.external_ips):
        place, before = f"spec.externalIPs[{index}]", len(faults)
        faults.grammar(place, address, addresses.address)
        if len(faults) == before:
            faults.grammar(place, address, addresses.special)
    faults.one_of("spec.type", spec.type, _TYPES)
    _node_ports(faults, spec)
    _source_ranges(faults, obj)
    if spec.allocate_load_balancer_node_ports is not None and spec.type != "LoadBalancer":
        faults.forbidden("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'")
    _load_balancer_class(faults, spec)
    _external_traffic(faults, spec)
    faults.one_of(
        "spec.internalTrafficPolicy",
        spec.internal_traffic_policy,
        ("Cluster", "Local"),
        optional=spec.type not in ("ClusterIP", "NodePort", "LoadBalancer"),
    )
    faults.one_of("spec.trafficDistribution", spec.traffic_distribution, _DISTRIBUTIONS, optional=True)


def _topology(faults: Faults, annotations: dict[str, str]) -> None:
    mode, hints = annotations.get(TOPOLOGY_MODE), annotations.get(TOPOLOGY_HINTS)
    if mode is not None and hints is not None and mode != hints:
        faults.invalid(
            f"metadata.annotations[{TOPOLOGY_MODE}]",
            mode,
            f"must match annotations[{TOPOLOGY_HINTS}] when both are specified",
        )


def _by_type(faults: Faults, spec: v1.ServiceSpec) -> None:
    if spec.type == "LoadBalancer":
        for index, port in enumerate(spec.ports):
            if port.port == KUBELET_PORT:
                detail = f"may not expose port {KUBELET_PORT} externally since it is used by kubelet"
                faults.invalid(f"spec.ports[{index}]", port.port, detail)
    if spec.type in ("LoadBalancer", "NodePort"):
        if headless(spec):
            detail = f"may not be set to 'None' for {spec.type} services"
            faults.invalid("spec.clusterIPs[0]", spec.cluster_ips[0], detail)
    elif spec.type == "ExternalName":
        for name, value in (
            ("clusterIPs", spec.cluster_ips),
            ("ipFamilies", spec.ip_families),
            ("ipFamilyPolicy", spec.ip_family_policy),
        ):
            if value:
                faults.forbidden(f"spec.{name}", "may not be set for ExternalName services")
        name = spec.external_name.removesuffix(".")
        faults.name("spec.externalName", name, names.dns1123_subdomain)


def _ports(faults: Faults, spec: v1.ServiceSpec) -> None:
    seen: set[Any] = set()
    for index, port in enumerate(spec.ports):
        place = f"spec.ports[{index}]"
        if port.name:
            faults.grammar(f"{place}.name", port.name, names.dns1123_label)
            faults.unique(f"{place}.name", port.name, seen)
        elif len(spec.ports) > 1:
            faults.append(errors.required(f"{place}.name"))
        faults.port(f"{place}.port", port.port)
        faults.one_of(f"{place}.protocol", port.protocol, _PROTOCOLS)
        faults.port(f"{place}.targetPort", port.target_port)
        if port.app_protocol:
            faults.grammar(f"{place}.appProtocol", port.app_protocol, names.qualified_name)


def _node_ports(faults: Faults, spec: v1.ServiceSpec) -> None:
    if spec.type == "ClusterIP":
        for index, port in enumerate(spec.ports):
            if port.node_port:
                faults.forbidden(f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'")
    seen: set[Any] = set()
    for index, port in enumerate(spec.ports):
        if port.node_port:
            faults.unique(f"spec.ports[{index}].nodePort", (port.protocol, port.node_port), seen, port.node_port)
    seen = set()
    for index, port in enumerate(spec.ports):
        shown = {"port": port.port, "protocol": port.protocol}
        faults.unique(f"spec.ports[{index}]", (port.protocol, port.port), seen, shown)


def _affinity(faults: Faults, spec: v1.ServiceSpec) -> None:
    faults.one_of("spec.sessionAffinity", spec.session_affinity, ("ClientIP", "None"))
    place, config = "spec.sessionAffinityConfig", spec.session_affinity_config
    if spec.session_affinity == "None" and config is not None:
        faults.forbidden(place, "must not be set when session affinity is None")
    elif spec.session_affinity == "ClientIP":
        client = config.client_ip if config is not None else None
        seconds = client.timeout_seconds if client is not None else None
        if seconds is None:
            missing = place if config is None else f"{place}.clientIP{'' if client is None else '.timeoutSeconds'}"
            faults.append(errors.required(missing, "when session affinity type is ClientIP"))
        elif not 0 < seconds <= LONGEST_AFFINITY:
            detail = f"must be greater than 0 and less than {LONGEST_AFFINITY}"
            faults.invalid(f"{place}.clientIP.timeoutSeconds", seconds, detail)


def cluster_addresses(faults: Faults, spec: v1.ServiceSpec) -> None:
    """``clusterIP``, ``clusterIPs``, ``ipFamilies`` and ``ipFamilyPolicy`` must agree where they are set."""
    if spec.type == "ExternalName":
        return
    given, place = spec.cluster_ips, "spec.clusterIPs"
    if spec.cluster_ip and not given:
        faults.append(errors.required(place))
    elif spec.cluster_ip and given[0] != spec.cluster_ip:
        faults.invalid(place, given, "first value must match `clusterIP`")
    elif not spec.cluster_ip and given:
        faults.invalid(place, given, "must be empty when `clusterIP` is not specified")
    seen: set[Any] = set()
    for index, family in enumerate(spec.ip_families):
        faults.one_of(f"spec.ipFamilies[{index}]", family, _FAMILIES)
        faults.unique(f"spec.ipFamilies[{index}]", family, seen)
    faults.one_of("spec.ipFamilyPolicy", spec.ip_family_policy, _POLICIES, optional=True)
    before = len(faults)
    for index, text in enumerate(given):
        if index == 0 and text == HEADLESS:
            if len(given) > 1:
                faults.invalid(place, given, "'None' must be the first and only value")
            continue
        faults.grammar(f"{place}[{index}]", text, addresses.address)
    malformed = len(faults) > before
    if len(given) > 2:
        faults.invalid(place, given, "may only hold up to 2 values")
    if malformed:
        return
    families = [family_of(text) for text in given]
    if len(given) > 1 and (len(given) != 2 or families[0] == families[1]):
        faults.invalid(place, given, "may specify no more than one IP for each IP family")
    if not headless(spec):
        for index, (wanted, actual) in enumerate(zip(spec.ip_families, families, strict=False)):
            if wanted in _FAMILIES and wanted != actual:
                detail = f"expected an {wanted} value as indicated by `ipFamilies[{index}]`"
                faults.invalid(f"{place}[{index}]", given[index], detail)


def family_of(text: str) -> str:
    """``IPv4`` or ``IPv6``; what is no address counts as the former."""
    parsed = addresses.parse_address(text)
    return "IPv6" if parsed is not None and parsed.version == 6 else "IPv4"


def _source_ranges(faults: Faults, obj: v1.Service) -> None:
    spec = obj.spec
    annotation = obj.metadata.annotations.get(SOURCE_RANGES)
    if spec.load_balancer_source_ranges:
        place = "spec.LoadBalancerSourceRanges"
        ranges = [(f"{place}[{index}]", text) for index, text in enumerate(spec.load_balancer_source_ranges)]
    elif annotation is not None:
        place = f"metadata.annotations[{SOURCE_RANGES}]"
        ranges = [(place, text) for text in annotation.split(",")] if annotation.strip() else []
    else:
        return
    if spec.type != "LoadBalancer":
        faults.forbidden(place, "may only be used when `type` is 'LoadBalancer'")
    for where, text in ranges:
        faults.grammar(where, text.strip(), addresses.network)


def _load_balancer_class(faults: Faults, spec: v1.ServiceSpec) -> None:
    if spec.load_balancer_class:
        if spec.type == "LoadBalancer":
            faults.grammar("spec.loadBalancerClass", spec.load_balancer_class, names.qualified_name)
        else:
            faults.forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'")


def _external_traffic(faults: Faults, spec: v1.ServiceSpec) -> None:
    policy, port = spec.external_traffic_policy, spec.health_check_node_port
    if externally_accessible(spec):
        faults.one_of("spec.externalTrafficPolicy", policy, ("Cluster", "Local"))
    elif policy:
        faults.invalid("spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services")
    if needs_health_check(spec):
        faults.port("spec.healthCheckNodePort", port or None)
    elif port:
        faults.invalid(
            "spec.healthCheckNodePort",
            port,
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        )


def service_update(faults: Faults, new: v1.Service, old: v1.Service) -> None:
    """Primary address and family stay; a secondary one comes and goes with the policy."""
    spec, before = new.spec, old.spec
    if spec.type != "ExternalName" and before.type != "ExternalName":
        if not (headless(spec) and headless(before)):
            _addresses_update(faults, spec, before)
        if not headless(spec) and not headless(before):
            _families_update(faults, spec, before)
    if spec.type == before.type == "LoadBalancer" and spec.load_balancer_class != before.load_balancer_class:
        faults.invalid("spec.loadBalancerClass", spec.load_balancer_class or None, SET_ONCE)
    if needs_health_check(spec) and needs_health_check(before):
        wanted, held = spec.health_check_node_port or 0, before.health_check_node_port or 0
        if wanted != held:
            faults.forbidden("spec.healthCheckNodePort", IMMUTABLE)


def _addresses_update(faults: Faults, spec: v1.ServiceSpec, before: v1.ServiceSpec) -> None:
    wanted, held = spec.cluster_ips, before.cluster_ips
    if len(wanted) == len(held):
        for index, (one, other) in enumerate(zip(wanted, held, strict=True)):
            if one != other:
                faults.invalid(f"spec.clusterIPs[{index}]", wanted, SET_ONCE)
        return
    if not wanted:
        faults.invalid("spec.clusterIPs[0]", wanted, "primary clusterIP can not be unset")
    elif held and wanted[0] != held[0]:
        faults.invalid("spec.clusterIPs[0]", wanted, SET_ONCE)
    if len(held) > len(wanted) == 1 and spec.ip_family_policy != "SingleStack":
        detail = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        faults.invalid("spec.ipFamilyPolicy", spec.ip_family_policy or None, detail)


def _families_update(faults: Faults, spec: v1.ServiceSpec, before: v1.ServiceSpec) -> None:
    wanted, held = spec.ip_families, before.ip_families
    if len(wanted) == len(held):
        for one, other in zip(wanted, held, strict=True):
            if one != other:
                faults.invalid("spec.ipFamilies[0]", wanted, SET_ONCE)
        return
    if len(held) > len(wanted) and not spec.cluster_ips:
        faults.invalid("spec.ipFamilies[0]", wanted, "primary ipFamily can not be unset")
    if wanted and held and wanted[0] != held[0]:
        faults.invalid("spec.ipFamilies[0]", spec.cluster_ips, SET_ONCE)
    if len(held) > len(wanted) == 1 and spec.ip_family_policy != "SingleStack":
        detail = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        faults.invalid("spec.ipFamilyPolicy", spec.ip_family_policy or None, detail)


def service_status_update(faults: Faults, new: v1.Service, old: v1.Service) -> None:
    """What a load balancer's controller says."""
    place, ingress = "status.loadBalancer.ingress", new.status.load_balancer.ingress
    if ingress and new.spec.type != "LoadBalancer":
        faults.forbidden(place, "may only be used when `spec.type` is 'LoadBalancer'")
    for index, each in enumerate(ingress):
        where = f"{place}[{index}]"
        if each.ip:
            faults.grammar(f"{where}.ip", each.ip, addresses.address)
            if not each.ip_mode:
                faults.append(errors.required(f"{where}.ipMode", "must be specified when `ip` is set"))
        elif each.ip_mode:
            faults.forbidden(f"{where}.ipMode", "may not be specified when `ip` is not set")
        if each.ip and each.ip_mode:
            faults.one_of(f"{where}.ipMode", each.ip_mode, _IP_MODES)
        if each.hostname:
            faults.grammar(f"{where}.hostname", each.hostname, names.dns1123_subdomain)
            if addresses.parse_address(each.hostname) is not None:
                faults.invalid(f"{where}.hostname", each.hostname, "must be a DNS name, not an IP address")


def warnings(obj: v1.Service) -> list[str]:
    """What to tell people of a Service that was accepted."""
    found: list[str] = []
    spec = obj.spec
    if TOPOLOGY_HINTS in obj.metadata.annotations:
        found.append(f"annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead")
    if spec.cluster_ip not in ("", HEADLESS):
        for index, text in enumerate(spec.cluster_ips):
            found += addresses.address_warnings(f"spec.clusterIPs[{index}]", text)
    if spec.type == "ClusterIP" and spec.cluster_ip == HEADLESS:
        if spec.load_balancer_ip:
            found.append("spec.loadBalancerIP is ignored for headless services")
        if spec.external_ips:
            found.append("spec.externalIPs is ignored for headless services")
        if spec.session_affinity != "None":
            found.append("spec.SessionAffinity is ignored for headless services")
    for index, text in enumerate(spec.external_ips):
        found += addresses.address_warnings(f"spec.externalIPs[{index}]", text)
    if spec.load_balancer_ip:
        found += addresses.address_warnings("spec.loadBalancerIP", spec.load_balancer_ip)
    for index, text in enumerate(spec.load_balancer_source_ranges):
        found += addresses.network_warnings(f"spec.loadBalancerSourceRanges[{index}]", text.strip())
    if spec.type == "ExternalName":
        if spec.external_ips:
            found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    elif spec.external_name:
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.traffic_distribution == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return found


def service_cidr(faults: Faults, obj: networking_v1.ServiceCIDR) -> None:
    """One network, or one of each family."""
    place, cidrs = "spec.cidrs", obj.spec.cidrs
    if not faults.required(place, cidrs, "at least one CIDR required"):
        return
    if len(cidrs) > 2:
        faults.invalid(place, obj.spec, "may only hold up to 2 values")
        return
    parsed = [addresses.parse_network(text) for text in cidrs]
    if len(cidrs) == 2 and len({each.network.version for each in parsed if each is not None}) != 2:
        detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        faults.invalid(place, obj.spec, detail)
        return
    for index, text in enumerate(cidrs):
        faults.grammar(f"{place}[{index}]", text, addresses.canonical_network)


def service_cidr_update(faults: Faults, new: networking_v1.ServiceCIDR, old: networking_v1.ServiceCIDR) -> None:
    """Networks stay, but a second family may be added."""
    wanted, held = new.spec.cidrs, old.spec.cidrs
    if len(wanted) < len(held) or len(wanted) > 2:
        faults.invalid("spec.cidrs", wanted, IMMUTABLE)
        return
    for index, (one, other) in enumerate(zip(wanted, held, strict=False)):
        if one != other:
            faults.invalid(f"spec.cidrs[{index}]", one, IMMUTABLE)


def ip_address(faults: Faults, obj: networking_v1.IPAddress) -> None:
    """What an address belongs to."""
    parent, place = obj.spec.parent_ref, "spec.parentRef"
    if parent.group:
        faults.grammar(f"{place}.group", parent.group, names.dns1123_subdomain)
    faults.name(f"{place}.resource", parent.resource, names.path_segment)
    faults.name(f"{place}.name", parent.name, names.path_segment)
    if parent.namespace:
        faults.grammar(f"{place}.namespace", parent.namespace, names.path_segment)


def ip_address_update(faults: Faults, new: networking_v1.IPAddress, old: networking_v1.IPAddress) -> None:
    """An address never changes hands: it is deleted and made anew."""
    faults.immutable("spec.parentRef", new.spec.parent_ref, old.spec.parent_ref)
