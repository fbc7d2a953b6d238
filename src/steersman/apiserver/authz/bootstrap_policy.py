"""The RBAC objects that every cluster begins with, and how an older cluster's are brought up to date.

Upstream reconciles them at each start unless their annotation says otherwise: missing rules and subjects are
added, what an administrator added stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from steersman.api.types.meta_v1 import LabelSelector, ObjectMeta
from steersman.api.types.rbac_v1 import (
    AggregationRule,
    ClusterRole,
    ClusterRoleBinding,
    PolicyRule,
    Role,
    RoleBinding,
    RoleRef,
    Subject,
)

from .cluster_roles import AGGREGATE_TO, AGGREGATED, CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, SERVICE_ACCOUNT, USER
from .controller_roles import CONTROLLER_ROLES
from .rules import EVENTS, READ, rule

RBACObject = ClusterRole | ClusterRoleBinding | Role | RoleBinding

GROUP_NAME = "rbac.authorization.k8s.io"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"

_LEADER = [
    rule("create get list update watch", "coordination.k8s.io", "leases"),
    rule("create get list update watch", "coordination.k8s.io", "leasecandidates"),
]

ROLES: dict[tuple[str, str], list[PolicyRule]] = {
    ("kube-public", "system:controller:bootstrap-signer"): [
        rule(READ, "", "configmaps"),
        rule("update", "", "configmaps", "cluster-info"),
        EVENTS,
    ],
    ("kube-system", "extension-apiserver-authentication-reader"): [
        rule(READ, "", "configmaps", "extension-apiserver-authentication")
    ],
    ("kube-system", "system::leader-locking-kube-controller-manager"): _LEADER,
    ("kube-system", "system::leader-locking-kube-scheduler"): _LEADER,
    ("kube-system", "system:controller:bootstrap-signer"): [rule(READ, "", "secrets")],
    ("kube-system", "system:controller:cloud-provider"): [rule("create get list watch", "", "configmaps")],
    ("kube-system", "system:controller:token-cleaner"): [rule("delete get list watch", "", "secrets"), EVENTS],
}
"""(namespace, role) → rules."""

ROLE_BINDINGS: dict[tuple[str, str], tuple[str, tuple[tuple[str, str], ...]]] = {
    ("kube-public", "system:controller:bootstrap-signer"): (
        "system:controller:bootstrap-signer",
        ((SERVICE_ACCOUNT, "bootstrap-signer"),),
    ),
    ("kube-system", "system::extension-apiserver-authentication-reader"): (
        "extension-apiserver-authentication-reader",
        ((USER, "system:kube-controller-manager"), (USER, "system:kube-scheduler")),
    ),
    ("kube-system", "system::leader-locking-kube-controller-manager"): (
        "system::leader-locking-kube-controller-manager",
        (
            (USER, "system:kube-controller-manager"),
            (SERVICE_ACCOUNT, "kube-controller-manager"),
            (SERVICE_ACCOUNT, "leader-election-controller"),
        ),
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"): (
        "system::leader-locking-kube-scheduler",
        ((USER, "system:kube-scheduler"), (SERVICE_ACCOUNT, "kube-scheduler")),
    ),
    ("kube-system", "system:controller:bootstrap-signer"): (
        "system:controller:bootstrap-signer",
        ((SERVICE_ACCOUNT, "bootstrap-signer"),),
    ),
    ("kube-system", "system:controller:cloud-provider"): (
        "system:controller:cloud-provider",
        ((SERVICE_ACCOUNT, "cloud-provider"),),
    ),
    ("kube-system", "system:controller:token-cleaner"): (
        "system:controller:token-cleaner",
        ((SERVICE_ACCOUNT, "token-cleaner"),),
    ),
}
"""(namespace, binding) → role, and the subjects; service accounts are those of kube-system."""


def objects() -> list[RBACObject]:
    """Every object of the bootstrap policy, roles before bindings."""
    result: list[RBACObject] = []
    for name, (gathers, *gathered_by) in AGGREGATED.items():
        selector = LabelSelector(match_labels={AGGREGATE + gathers: "true"})
        metadata = _metadata(name, {AGGREGATE + part: "true" for part in gathered_by})
        result.append(
            ClusterRole(metadata=metadata, aggregation_rule=AggregationRule(cluster_role_selectors=[selector]))
        )
    for name, rules in CLUSTER_ROLES.items():
        labels = {AGGREGATE + AGGREGATE_TO[name]: "true"} if name in AGGREGATE_TO else {}
        result.append(ClusterRole(metadata=_metadata(name, labels), rules=rules))
    for controller, rules in CONTROLLER_ROLES.items():
        result.append(ClusterRole(metadata=_metadata(f"system:controller:{controller}"), rules=rules))
    for (namespace, name), rules in ROLES.items():
        result.append(Role(metadata=_metadata(name, namespace=namespace), rules=rules))
    for name, (role, subjects) in CLUSTER_ROLE_BINDINGS.items():
        result.append(_cluster_binding(name, role, subjects))
    for controller in CONTROLLER_ROLES:
        name = f"system:controller:{controller}"
        result.append(_cluster_binding(name, name, ((SERVICE_ACCOUNT, controller),)))
    for (namespace, name), (role, subjects) in ROLE_BINDINGS.items():
        result.append(
            RoleBinding(
                metadata=_metadata(name, namespace=namespace),
                role_ref=RoleRef(api_group=GROUP_NAME, kind="Role", name=role),
                subjects=_subjects(subjects),
            )
        )
    return result


def reconciled(existing: RBACObject, wanted: RBACObject) -> RBACObject | None:
    """What an existing object has to become, None where it may stay; ``existing`` is not changed."""
    if existing.metadata.annotations.get(AUTOUPDATE) == "false":
        return None
    metadata = msgspec.structs.replace(
        existing.metadata,
        labels={**wanted.metadata.labels, **existing.metadata.labels},
        annotations={**wanted.metadata.annotations, **existing.metadata.annotations},
    )
    changes: dict[str, object] = {}
    if isinstance(existing, ClusterRole) and isinstance(wanted, ClusterRole) and wanted.aggregation_rule is not None:
        if existing.aggregation_rule is None:
            changes["aggregation_rule"] = wanted.aggregation_rule
    elif isinstance(existing, ClusterRole | Role) and isinstance(wanted, ClusterRole | Role):
        rules = [rule for rule in wanted.rules if rule not in existing.rules]
        if rules:
            changes["rules"] = [*existing.rules, *rules]
    elif not isinstance(existing, ClusterRole | Role) and not isinstance(wanted, ClusterRole | Role):
        subjects = [subject for subject in wanted.subjects if subject not in existing.subjects]
        if subjects:
            changes["subjects"] = [*existing.subjects, *subjects]
    if metadata != existing.metadata:
        changes["metadata"] = metadata
    return msgspec.structs.replace(existing, **changes) if changes else None


def _metadata(name: str, labels: dict[str, str] | None = None, namespace: str = "") -> ObjectMeta:
    return ObjectMeta(
        name=name,
        namespace=namespace,
        labels={"kubernetes.io/bootstrapping": "rbac-defaults", **(labels or {})},
        annotations={AUTOUPDATE: "true"},
    )


def _cluster_binding(name: str, role: str, subjects: Sequence[tuple[str, str]]) -> ClusterRoleBinding:
    return ClusterRoleBinding(
        metadata=_metadata(name),
        role_ref=RoleRef(api_group=GROUP_NAME, kind="ClusterRole", name=role),
        subjects=_subjects(subjects),
    )


def _subjects(subjects: Sequence[tuple[str, str]]) -> list[Subject]:
    return [
        Subject(kind=kind, name=name, namespace="kube-system")
        if kind == SERVICE_ACCOUNT
        else Subject(kind=kind, name=name, api_group=GROUP_NAME)
        for kind, name in subjects
    ]
