"""Pods and pod templates; what may change of a pod is in :mod:`.pod_updates`."""

from __future__ import annotations

import msgspec

from steersman.api import errors
from steersman.api.json_text import syntax_fault
from steersman.api.labels import (
    APP_ARMOR_CONTAINER_PREFIX,
    MIRROR_POD,
    POD_DELETION_COST,
    SECCOMP_CONTAINER_PREFIX,
    SECCOMP_POD,
    TOLERATIONS,
)
from steersman.api.pods import every_container
from steersman.api.types import core_v1 as v1

from . import addresses, environment, meta, names
from .containers import Surroundings, containers, ephemeral_containers, init_containers, trimmed_image
from .faults import Faults, Grammar
from .placement import affinity, spread_constraints, tolerations
from .resources import pod_claims, pod_requirements, requirements
from .security import (
    host_processes,
    operating_system,
    pod_security,
    profile_annotations,
    profiles_agree,
    user_namespace,
)
from .volumes import volumes

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
_NAMESERVERS_LIMIT = 3
_SEARCHES_LIMIT = 32
_SEARCHES_LENGTH_LIMIT = 2048
_HOSTNAME_LIMIT = 64

_NAMES: tuple[tuple[str, str, Grammar], ...] = (
    ("service_account_name", "serviceAccountName", names.dns1123_subdomain),
    ("node_name", "nodeName", names.dns1123_subdomain),
    ("hostname", "hostname", names.dns1123_label),
    ("subdomain", "subdomain", names.dns1123_label),
    ("priority_class_name", "priorityClassName", names.dns1123_subdomain),
    ("runtime_class_name", "runtimeClassName", names.dns1123_subdomain),
)


def pod(faults: Faults, obj: v1.Pod) -> None:
    """What holds of every pod, new or changed."""
    if obj.metadata.annotations:
        _annotations(faults, obj.metadata.annotations, obj.spec, "metadata.annotations")
    static = MIRROR_POD in obj.metadata.annotations
    pod_spec(faults, obj.spec, "spec", obj.metadata.name, static=static, template=False)
    if not obj.spec.service_account_name:
        _no_tokens(faults, obj.spec)
    for member, values in (("containers", obj.spec.containers), ("initContainers", obj.spec.init_containers)):
        for index, container in enumerate(values):
            trimmed_image(faults, container, f"spec.{member}[{index}]")


def new_pod(faults: Faults, obj: v1.Pod) -> None:
    """What holds of new pods beside."""
    if obj.spec.ephemeral_containers:
        faults.forbidden("spec.ephemeralContainers", "cannot be set on create")
    if obj.spec.node_name and obj.spec.scheduling_gates:
        faults.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")
    if obj.metadata.annotations:
        profiles_agree(faults, obj.metadata.annotations, obj.spec, "spec")


def pod_template(faults: Faults, obj: v1.PodTemplate) -> None:
    template(faults, obj.template, "template")


def template(faults: Faults, obj: v1.PodTemplateSpec, path: str) -> None:
    """The template of a workload."""
    annotations = obj.metadata.annotations
    faults.labels(f"{path}.labels", obj.metadata.labels)
    meta.annotation_rules(faults, obj.metadata, f"{path}.annotations")
    if annotations:
        _annotations(faults, annotations, obj.spec, f"{path}.annotations")
    pod_spec(faults, obj.spec, f"{path}.spec")
    if annotations:
        profiles_agree(faults, annotations, obj.spec, f"{path}.spec")
    if obj.spec.ephemeral_containers:
        faults.forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")


def _annotations(faults: Faults, annotations: dict[str, str], spec: v1.PodSpec, path: str) -> None:
    """Annotations that mean something to Kubernetes."""
    if MIRROR_POD in annotations and not spec.node_name:
        detail = "must set spec.nodeName if mirror pod annotation is set"
        faults.invalid(f"{path}[{MIRROR_POD}]", annotations[MIRROR_POD], detail)
    if text := annotations.get(TOLERATIONS):
        try:
            values = msgspec.json.decode(text, type=list[v1.Toleration])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            faults.invalid(path, TOLERATIONS, syntax_fault(text) or str(error))
        else:
            tolerations(faults, values, f"{path}.{TOLERATIONS}")
    if POD_DELETION_COST in annotations and not _deletion_cost(annotations[POD_DELETION_COST]):
        faults.invalid(f"{path}[{POD_DELETION_COST}]", annotations[POD_DELETION_COST], "must be a 32bit integer")
    if SECCOMP_POD in annotations or any(key.startswith(_PROFILE_PREFIXES) for key in annotations):
        profile_annotations(faults, annotations, spec, path)


_PROFILE_PREFIXES = (SECCOMP_CONTAINER_PREFIX, APP_ARMOR_CONTAINER_PREFIX)


def _deletion_cost(text: str) -> bool:
    """A number of 32 bits in one form only: no plus, no leading zeros."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or (text[0] == "0" and text != "0"):
        return False
    return -(2**31) <= int(text) < 2**31


def _no_tokens(faults: Faults, spec: v1.PodSpec) -> None:
    for index, volume in enumerate(spec.volumes):
        for number, source in enumerate(volume.projected.sources if volume.projected is not None else ()):
            if source.service_account_token is not None:
                place = f"spec.volumes[{index}].projected.sources[{number}].serviceAccountToken"
                faults.forbidden(place, "must not be specified when serviceAccountName is not set")


def pod_spec(
    faults: Faults, spec: v1.PodSpec, path: str, pod_name: str = "", *, static: bool = False, template: bool = True
) -> None:
    """What a pod shall run.  ``static`` says that it is the mirror of a static pod."""
    if spec.termination_grace_period_seconds is None:
        faults.append(errors.required(f"{path}.terminationGracePeriodSeconds"))
    known = volumes(faults, spec.volumes, f"{path}.volumes", pod_name)
    claims = frozenset(claim.name for claim in spec.resource_claims if claim.name)
    if spec.resource_claims:
        pod_claims(faults, spec.resource_claims, f"{path}.resourceClaims", static=static)
    around = Surroundings(spec, known, claims)
    containers(faults, around, path)
    init_containers(faults, around, path)
    ephemeral_containers(faults, around, path)
    pod_requirements(faults, spec, f"{path}.resources")
    if spec.host_network:
        _host_network(faults, spec, path, template=template)
    faults.enum(f"{path}.restartPolicy", spec.restart_policy, _RESTART_POLICIES)
    faults.enum(f"{path}.dnsPolicy", spec.dns_policy, _DNS_POLICIES)
    faults.labels(f"{path}.nodeSelector", spec.node_selector)
    pod_security(faults, spec, path)
    if spec.affinity is not None:
        affinity(faults, spec.affinity, f"{path}.affinity")
    if spec.dns_config is not None or spec.dns_policy == "None":
        _dns(faults, spec, f"{path}.dnsConfig")
    for index, gate in enumerate(spec.readiness_gates):
        faults.grammar(f"{path}.readinessGates[{index}].conditionType", gate.condition_type, names.qualified_name)
    if spec.scheduling_gates:
        _scheduling_gates(faults, spec.scheduling_gates, f"{path}.schedulingGates")
    if spec.topology_spread_constraints:
        spread_constraints(faults, spec.topology_spread_constraints, f"{path}.topologySpreadConstraints")
    host_processes(faults, spec, path)
    user_namespace(faults, spec, path)
    if spec.hostname_override:
        _hostname_override(faults, spec, path)
    for attribute, name, grammar in _NAMES:
        if value := getattr(spec, attribute):
            faults.grammar(f"{path}.{name}", value, grammar)
    faults.between(f"{path}.activeDeadlineSeconds", spec.active_deadline_seconds, 1, 2**31 - 1)
    tolerations(faults, spec.tolerations, f"{path}.tolerations")
    for index, alias in enumerate(spec.host_aliases):
        faults.grammar(f"{path}.hostAliases[{index}].ip", alias.ip, addresses.address)
        for number, hostname in enumerate(alias.hostnames):
            place = f"{path}.hostAliases[{index}].hostnames[{number}]"
            faults.grammar(place, hostname, names.dns1123_subdomain)
    if spec.preemption_policy:
        faults.enum(f"{path}.preemptionPolicy", spec.preemption_policy, _PREEMPTION_POLICIES)
    if spec.overhead:
        requirements(faults, v1.ResourceRequirements(limits=spec.overhead), f"{path}.overhead")
    operating_system(faults, spec, path)
    own = {volume.name: volume for volume in spec.volumes}
    for container, place in every_container(spec, path):
        if container.env:
            environment.file_volumes(faults, container, place, own)


def _host_network(faults: Faults, spec: v1.PodSpec, path: str, *, template: bool) -> None:
    """Ports of the pod are ports of the host; templates may leave them to defaulting."""
    for index, container in enumerate(spec.containers):
        for number, port in enumerate(container.ports):
            host_port = port.host_port or 0
            if host_port != port.container_port and (host_port or not template):
                place = f"{path}.containers[{index}].ports[{number}].hostPort"
                faults.invalid(place, host_port, "must match `containerPort` when `hostNetwork` is true")


def _scheduling_gates(faults: Faults, gates: list[v1.PodSchedulingGate], path: str) -> None:
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        faults.grammar(f"{path}[{index}]", gate.name, names.qualified_name)
        faults.unique(f"{path}[{index}]", gate.name, seen)


def _dns(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    config = spec.dns_config
    if config is None:
        faults.append(errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None"))
        return
    place = f"{path}.nameservers"
    if spec.dns_policy == "None" and not config.nameservers:
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        faults.append(errors.required(place, detail))
        return
    if len(config.nameservers) > _NAMESERVERS_LIMIT:
        detail = f"must not have more than {_NAMESERVERS_LIMIT} nameservers"
        faults.invalid(place, config.nameservers, detail)
    for index, server in enumerate(config.nameservers):
        faults.grammar(f"{place}[{index}]", server, addresses.address)
    place = f"{path}.searches"
    if len(config.searches) > _SEARCHES_LIMIT:
        faults.invalid(place, config.searches, f"must not have more than {_SEARCHES_LIMIT} search paths")
    if len(" ".join(config.searches)) > _SEARCHES_LENGTH_LIMIT:
        detail = f"must not have more than {_SEARCHES_LENGTH_LIMIT} characters (including spaces) in the search list"
        faults.invalid(place, config.searches, detail)
    for index, search in enumerate(config.searches):
        if search != ".":
            faults.grammar(f"{place}[{index}]", search.removesuffix("."), names.underscored_subdomain)
    for index, option in enumerate(config.options):
        faults.required(f"{path}.options[{index}]", option.name, "must not be empty")


def _hostname_override(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    place = f"{path}.hostnameOverride"
    if spec.set_hostname_as_fqdn:
        faults.forbidden(place, "may not be specified when setHostnameAsFQDN is true")
    if spec.host_network:
        faults.forbidden(place, "may not be specified when hostNetwork is true")
    if len(spec.hostname_override) > _HOSTNAME_LIMIT:
        faults.append(errors.too_long(place, _HOSTNAME_LIMIT))
    faults.grammar(place, spec.hostname_override, names.dns1123_subdomain)
