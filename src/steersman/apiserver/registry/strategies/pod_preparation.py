"""What the server makes of a new pod before it looks at it: profiles in both forms, selectors with the pod's labels."""

from __future__ import annotations

from collections.abc import Iterator

from steersman.api.labels import APP_ARMOR_CONTAINER_PREFIX
from steersman.api.pods import every_container
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import LabelSelector, LabelSelectorRequirement
from steersman.api.validation.faults import Faults
from steersman.api.validation.security import app_armor
from steersman.api.warnings.pods import APP_ARMOR

_PROFILES = {"Unconfined": "unconfined", "RuntimeDefault": "runtime/default"}
_LOCALHOST = "localhost/"


def synchronize_app_armor(pod: v1.Pod) -> Iterator[str]:
    """Write AppArmor profiles into annotations and the other way round (KEP-24); yields what to warn of.

    Old kubelets read the annotations, new ones the fields.
    """
    spec, annotations = pod.spec, pod.metadata.annotations
    if spec.os is not None and spec.os.name == "windows":
        return
    whole = spec.security_context.app_armor_profile if spec.security_context is not None else None
    for container, _ in every_container(spec, "spec"):
        context = container.security_context
        own = context.app_armor_profile if context is not None else None
        key = f"{APP_ARMOR_CONTAINER_PREFIX}{container.name}"
        if key not in annotations:
            profile = own or whole
            if profile is not None and (text := _annotation(profile)):
                annotations[key] = text
        elif own is None:
            profile = _field(annotations[key])
            if profile is not None and profile != whole:
                if container.security_context is None:
                    container.security_context = v1.SecurityContext()
                container.security_context.app_armor_profile = profile
            elif profile is not None:
                continue
            yield f"metadata.annotations[{key}]: {APP_ARMOR}"


def _annotation(profile: v1.AppArmorProfile) -> str:
    if profile.type == "Localhost":
        return f"{_LOCALHOST}{profile.localhost_profile}" if profile.localhost_profile else ""
    return _PROFILES.get(profile.type, "")


def _field(annotation: str) -> v1.AppArmorProfile | None:
    """The profile of an annotation, or None where it makes no valid one."""
    if annotation.startswith(_LOCALHOST):
        profile = v1.AppArmorProfile(type="Localhost", localhost_profile=annotation.removeprefix(_LOCALHOST))
        faults = Faults()
        app_armor(faults, profile, "")
        return None if faults else profile
    for type_, text in _PROFILES.items():
        if annotation == text:
            return v1.AppArmorProfile(type=type_)
    return None


def merge_label_keys(pod: v1.Pod) -> None:
    """Add to selectors the values that the pod itself has of the keys beside them (KEP-3633, KEP-3243)."""
    labels = pod.metadata.labels
    for constraint in pod.spec.topology_spread_constraints:
        _merge(constraint.label_selector, constraint.match_label_keys, "In", labels)
    if pod.spec.affinity is None:
        return
    for pods in (pod.spec.affinity.pod_affinity, pod.spec.affinity.pod_anti_affinity):
        if pods is None:
            continue
        weighted = pods.preferred_during_scheduling_ignored_during_execution
        for term in (
            *(each.pod_affinity_term for each in weighted),
            *pods.required_during_scheduling_ignored_during_execution,
        ):
            _merge(term.label_selector, term.match_label_keys, "In", labels)
            _merge(term.label_selector, term.mismatch_label_keys, "NotIn", labels)


def _merge(selector: LabelSelector | None, keys: list[str], operator: str, labels: dict[str, str]) -> None:
    for key in keys if selector is not None else ():
        if key in labels:
            assert selector is not None
            requirement = LabelSelectorRequirement(key=key, operator=operator, values=[labels[key]])
            selector.match_expressions.append(requirement)
