"""Pods and pod templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from steersman.api.labels import APP_ARMOR_CONTAINER_PREFIX, SECCOMP_CONTAINER_PREFIX, SECCOMP_POD
from steersman.api.pods import Container, every_container
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.validation import addresses, names
from steersman.api.validation.faults import verdict
from steersman.api.validation.placement import HARD, SOFT

from .nodes import DEPRECATED_LABELS, selector_term_warnings
from .volumes import DEPRECATED_SOURCES, claim_warnings, fractional

_DEPRECATED_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": (
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    ),
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_DEPRECATED_SOURCES = {
    **DEPRECATED_SOURCES,
    "git_repo": ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    "flocker": ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    "quobyte": ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
}
_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
APP_ARMOR = 'deprecated since v1.30; use the "appArmorProfile" field instead'
_NULL_SELECTOR = "a null labelSelector results in matching no pod"
_BYTES = ("memory", "ephemeral-storage")


def name_warnings(name: str, used: str) -> Iterator[str]:
    """Names that become part of a hostname; ``used`` says of what."""
    if found := verdict(names.dns1123_label, name):
        yield (
            f"metadata.name: this is used in {used}, which can result in surprising behavior; a DNS label is "
            f"recommended: [{' '.join(found)}]"
        )


def pod_name_warnings(obj: v1.Pod) -> Iterator[str]:
    """Those of a new pod's name alone."""
    return name_warnings(obj.metadata.name, "the Pod's hostname")


def pod_warnings(obj: v1.Pod) -> Iterator[str]:
    """A new pod's."""
    yield from pod_name_warnings(obj)
    yield from _warnings(obj.spec, obj.metadata, "")


def template_warnings(obj: v1.PodTemplateSpec, path: str) -> Iterator[str]:
    """Those of a template at a path such as ``spec.template``."""
    yield from _warnings(obj.spec, obj.metadata, f"{path}.")
    for container, _ in every_container(obj.spec, "spec"):
        key = f"{APP_ARMOR_CONTAINER_PREFIX}{container.name}"
        if key in obj.metadata.annotations and not _has_app_armor(obj.spec, container):
            yield f"{path}.metadata.annotations[{key}]: {APP_ARMOR}"


def _has_app_armor(spec: v1.PodSpec, container: Container) -> bool:
    contexts = (spec.security_context, container.security_context)
    return any(context is not None and context.app_armor_profile is not None for context in contexts)


def _warnings(spec: v1.PodSpec, meta: ObjectMeta, path: str) -> Iterator[str]:
    root = f"{path}spec"
    yield from _places(spec, root)
    if meta.annotations:
        yield from _annotations(spec, meta.annotations, f"{path}metadata.annotations")
    yield from _volumes(spec, root)
    yield from _addresses(spec, root)
    if spec.image_pull_secrets:
        secrets = [secret.name for secret in spec.image_pull_secrets]
        yield from _repeated(secrets, f"{root}.imagePullSecrets", "name")
        for index, name in enumerate(secrets):
            if not name:
                yield f'{root}.imagePullSecrets[{index}].name: invalid empty name ""'
    if spec.overhead:
        yield from fractional(f"{root}.overhead", spec.overhead, *_BYTES)
    for container, place in every_container(spec, root):
        resources = container.resources
        if resources.limits:
            yield from fractional(f"{place}.resources.limits", resources.limits, *_BYTES)
        if resources.requests:
            yield from fractional(f"{place}.resources.requests", resources.requests, *_BYTES)
        if len(container.env) > 1:
            yield from _hidden_variables(container.env, f"{place}.env")
    yield from _ports(spec, root)
    if (spec.termination_grace_period_seconds or 0) < 0:
        place = f"{root}.terminationGracePeriodSeconds"
        yield f"{place}: must be >= 0; negative values are invalid and will be treated as 1"


def _repeated(values: Iterable[str], path: str, member: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield f'{path}[{index}].{member}: duplicate {member} "{value}"'
        seen.add(value)


def _places(spec: v1.PodSpec, root: str) -> Iterator[str]:
    """Labels by which nodes are chosen, and selectors that choose nothing."""
    for key in spec.node_selector:
        if (detail := DEPRECATED_LABELS.get(key)) is not None:
            yield f"{root}.nodeSelector[{key}]: {detail}"
    for index, constraint in enumerate(spec.topology_spread_constraints):
        place = f"{root}.topologySpreadConstraints[{index}]"
        if (detail := DEPRECATED_LABELS.get(constraint.topology_key)) is not None:
            yield f"{place}.topologyKey: {constraint.topology_key} is {detail}"
        if constraint.label_selector is None:
            yield f"{place}.labelSelector: {_NULL_SELECTOR}"
    if spec.affinity is None:
        return
    if (nodes := spec.affinity.node_affinity) is not None:
        place = f"{root}.affinity.nodeAffinity"
        hard = nodes.required_during_scheduling_ignored_during_execution
        for index, term in enumerate(hard.node_selector_terms if hard is not None else ()):
            yield from selector_term_warnings(term, f"{place}.{HARD}.nodeSelectorTerms[{index}]")
        for index, preferred in enumerate(nodes.preferred_during_scheduling_ignored_during_execution):
            where = f"{place}.{SOFT}[{index}].preference"
            yield from selector_term_warnings(preferred.preference, where, soft=True)
    for name, pods in (
        ("podAffinity", spec.affinity.pod_affinity),
        ("podAntiAffinity", spec.affinity.pod_anti_affinity),
    ):
        if pods is None:
            continue
        place = f"{root}.affinity.{name}"
        for index, required in enumerate(pods.required_during_scheduling_ignored_during_execution):
            if required.label_selector is None:
                yield f"{place}.{HARD}[{index}].labelSelector: {_NULL_SELECTOR}"
        for index, weighted in enumerate(pods.preferred_during_scheduling_ignored_during_execution):
            if weighted.pod_affinity_term.label_selector is None:
                yield f"{place}.{SOFT}[{index}].podAffinityTerm.labelSelector: {_NULL_SELECTOR}"


def _annotations(spec: v1.PodSpec, annotations: dict[str, str], path: str) -> Iterator[str]:
    for key, detail in _DEPRECATED_ANNOTATIONS.items():
        if key in annotations:
            yield f"{path}[{key}]: {detail}"
    context = spec.security_context
    if SECCOMP_POD in annotations and (context is None or context.seccomp_profile is None):
        yield f"{path}[{SECCOMP_POD}]: {_SECCOMP}"
    for container, _ in every_container(spec, "spec"):
        own = container.security_context
        key = f"{SECCOMP_CONTAINER_PREFIX}{container.name}"
        if key in annotations and (own is None or own.seccomp_profile is None):
            yield f"{path}[{key}]: {_SECCOMP}"


def _addresses(spec: v1.PodSpec, root: str) -> Iterator[str]:
    if spec.dns_config is not None:
        for index, server in enumerate(spec.dns_config.nameservers):
            yield from addresses.address_warnings(f"{root}.dnsConfig.nameservers[{index}]", server)
    if spec.host_aliases:
        yield from _repeated([alias.ip for alias in spec.host_aliases], f"{root}.hostAliases", "ip")
        for index, alias in enumerate(spec.host_aliases):
            yield from addresses.address_warnings(f"{root}.hostAliases[{index}].ip", alias.ip)


# -- containers ------------------------------------------------------------------------------------------------------


def _hidden_variables(variables: list[v1.EnvVar], path: str) -> Iterator[str]:
    """Variables that are given twice, unless the second makes use of the first."""
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        if variable.name not in seen:
            seen.add(variable.name)
            continue
        reference = f"$({variable.name})"
        extends = reference in variable.value and variable.value != reference and variable.value_from is None
        if not extends:
            yield (
                f'{path}[{index}]: hides previous definition of "{variable.name}", which may be dropped when using '
                "apply"
            )


def _ports(spec: v1.PodSpec, root: str) -> Iterator[str]:
    """Ports that more than one container, or one container twice, claims to serve."""
    known: dict[tuple[int, str], list[tuple[str, v1.ContainerPort]]] = {}
    for container, place in every_container(spec, root):
        for index, port in enumerate(container.ports):
            here = f"{place}.ports[{index}]"
            if port.host_ip and not port.host_port:
                shown = (
                    f"{{Name:{port.name} HostPort:0 ContainerPort:{port.container_port} Protocol:{port.protocol} "
                    f"HostIP:{port.host_ip}}}"
                )
                yield f"{here}: hostIP set without hostPort: {shown}"
            others = known.setdefault((port.container_port, port.protocol), [])
            for there, other in others:
                if (clash := _clash(port, other)) is not None:
                    yield f"{here}: {clash} port definition with {there}"
            others.append((here, port))


def _clash(port: v1.ContainerPort, other: v1.ContainerPort) -> str | None:
    mine, theirs = port.host_port or 0, other.host_port or 0
    if mine == theirs and port.host_ip == other.host_ip:
        return "duplicate"
    if not mine or not theirs:
        return "overlapping"
    if mine == theirs and bool(port.host_ip) != bool(other.host_ip):
        return "dangerously ambiguous"
    return None


# -- volumes ---------------------------------------------------------------------------------------------------------


def _volumes(spec: v1.PodSpec, root: str) -> Iterator[str]:
    for index, volume in enumerate(spec.volumes):
        # The usual ones first: none of them is deprecated.
        if volume.projected is None and volume.config_map is None and volume.secret is None:
            for attribute, (name, detail) in _DEPRECATED_SOURCES.items():
                if getattr(volume, attribute) is not None:
                    yield f"{root}.volumes[{index}].{name}: {detail}"
        if volume.ephemeral is not None and (template := volume.ephemeral.volume_claim_template) is not None:
            yield from claim_warnings(template.spec, f"{root}.volumes[{index}].ephemeral.volumeClaimTemplate.spec")
    for volume in spec.volumes:
        yield from _overlaps(volume)


def _overlaps(volume: v1.Volume) -> Iterator[str]:
    """Files of a volume that are also directories of it, or each other."""
    title = f'volume "{volume.name}"'
    if (config_map := volume.config_map) is not None and config_map.items:
        paths = [item.path for item in config_map.items]
        yield from _collisions(paths, f'{title} (ConfigMap "{config_map.name}"): overlapping paths')
    if (secret := volume.secret) is not None and secret.items:
        paths = [item.path for item in secret.items]
        yield from _collisions(paths, f'{title} (Secret "{secret.secret_name}"): overlapping paths')
    if volume.downward_api is not None and volume.downward_api.items:
        paths = [item.path for item in volume.downward_api.items]
        yield from _collisions(paths, f"{title} (DownwardAPI): overlapping paths")
    if volume.projected is None:
        return
    before: set[str] = set()
    for source in volume.projected.sources:
        paths, what = _projected_paths(source)
        if what is None:
            yield f"{title} (Projected) has no sources provided"
            continue
        if not paths:
            continue
        text = f"{title} (Projected {what}): overlapping paths"
        yield from _collisions(paths, text)
        if before:
            yield from _collisions(sorted((*set(paths), *before)), text)
        before.update(paths)


def _projected_paths(source: v1.VolumeProjection) -> tuple[list[str], str | None]:
    """The files of a source, and what it is called; None where it is nothing."""
    if source.config_map is not None:
        return [item.path for item in source.config_map.items], f'ConfigMap "{source.config_map.name}"'
    if source.secret is not None:
        return [item.path for item in source.secret.items], f'Secret "{source.secret.name}"'
    if source.downward_api is not None:
        return [item.path for item in source.downward_api.items], "DownwardAPI"
    if source.service_account_token is not None:
        return [source.service_account_token.path], "ServiceAccountToken"
    if (bundle := source.cluster_trust_bundle) is not None:
        return [bundle.path], f'ClusterTrustBundle "{bundle.name or bundle.signer_name}"'
    if (certificate := source.pod_certificate) is not None:
        files = (certificate.credential_bundle_path, certificate.key_path, certificate.certificate_chain_path)
        return [path for path in files if path], f'PodCertificate "{certificate.signer_name}"'
    return [], None


def _collisions(paths: Iterable[str], text: str) -> Iterator[str]:
    known: list[str] = []
    for each in paths:
        path = each.rstrip("/")
        for other in known if path else ():
            if other and (f"{other}/".startswith(f"{path}/") or f"{path}/".startswith(f"{other}/")):
                yield f'{text}: "{path}" with "{other}"'
                break
        if path not in known:
            known.append(path)
