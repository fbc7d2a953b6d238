"""The group rbac.authorization.k8s.io."""

from __future__ import annotations

from typing import Any

from steersman.api.types import rbac_v1

from . import meta, names
from .faults import Faults
from .rules import Rules

GROUP = "rbac.authorization.k8s.io"


def role(faults: Faults, obj: rbac_v1.Role) -> None:
    for index, rule in enumerate(obj.rules):
        _rule(faults, rule, f"rules[{index}]", namespaced=True)


def cluster_role(faults: Faults, obj: rbac_v1.ClusterRole) -> None:
    for index, rule in enumerate(obj.rules):
        _rule(faults, rule, f"rules[{index}]", namespaced=False)
    if obj.aggregation_rule is None:
        return
    place = "aggregationRule.clusterRoleSelectors"
    selectors = obj.aggregation_rule.cluster_role_selectors
    faults.required(place, selectors, "at least one clusterRoleSelector required if aggregationRule is non-nil")
    for index, selector in enumerate(selectors):
        meta.label_selector(faults, selector, f"{place}[{index}]")


def _rule(faults: Faults, rule: rbac_v1.PolicyRule, path: str, *, namespaced: bool) -> None:
    faults.required(f"{path}.verbs", rule.verbs, "verbs must contain at least one value")
    urls = rule.non_resource_urls
    if urls:
        if namespaced:
            faults.invalid(f"{path}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs")
        if rule.api_groups or rule.resources or rule.resource_names:
            faults.invalid(
                f"{path}.nonResourceURLs", urls, "rules cannot apply to both regular resources and non-resource URLs"
            )
        return
    faults.required(f"{path}.apiGroups", rule.api_groups, "resource rules must supply at least one api group")
    faults.required(f"{path}.resources", rule.resources, "resource rules must supply at least one resource")


def role_binding(faults: Faults, obj: rbac_v1.RoleBinding) -> None:
    _binding(faults, obj, ("Role", "ClusterRole"), namespaced=True)


def cluster_role_binding(faults: Faults, obj: rbac_v1.ClusterRoleBinding) -> None:
    _binding(faults, obj, ("ClusterRole",), namespaced=False)


def _binding(
    faults: Faults, obj: rbac_v1.RoleBinding | rbac_v1.ClusterRoleBinding, kinds: tuple[str, ...], *, namespaced: bool
) -> None:
    reference = obj.role_ref
    if reference.api_group != GROUP:
        faults.unsupported("roleRef.apiGroup", reference.api_group, (GROUP,))
    if reference.kind not in kinds:
        faults.unsupported("roleRef.kind", reference.kind, kinds)
    faults.name("roleRef.name", reference.name, names.path_segment)
    for index, subject in enumerate(obj.subjects):
        _subject(faults, subject, f"subjects[{index}]", namespaced=namespaced)


def _subject(faults: Faults, subject: rbac_v1.Subject, path: str, *, namespaced: bool) -> None:
    faults.required(f"{path}.name", subject.name)
    if subject.kind == "ServiceAccount":
        if subject.name:
            faults.grammar(f"{path}.name", subject.name, names.dns1123_subdomain)
        if subject.api_group:
            faults.unsupported(f"{path}.apiGroup", subject.api_group, ("",))
        if not namespaced:
            faults.required(f"{path}.namespace", subject.namespace)
    elif subject.kind in ("User", "Group"):
        if not subject.name:
            faults.invalid(f"{path}.name", subject.name, f"{subject.kind.lower()} name cannot be empty")
        if subject.api_group != GROUP:
            faults.unsupported(f"{path}.apiGroup", subject.api_group, (GROUP,))
    else:
        faults.unsupported(f"{path}.kind", subject.kind, ("ServiceAccount", "User", "Group"))


def role_ref_update(faults: Faults, new: Any, old: Any) -> None:
    if new.role_ref != old.role_ref:
        faults.invalid("roleRef", new.role_ref, "cannot change roleRef")


TABLE: dict[type[Any], Rules] = {
    rbac_v1.ClusterRole: Rules(cluster_role, name=names.path_segment),
    rbac_v1.ClusterRoleBinding: Rules(cluster_role_binding, role_ref_update, names.path_segment),
    rbac_v1.Role: Rules(role, name=names.path_segment),
    rbac_v1.RoleBinding: Rules(role_binding, role_ref_update, names.path_segment),
}
