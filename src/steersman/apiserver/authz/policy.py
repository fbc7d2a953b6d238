"""The RBAC policy as an index: from a subject to what its bindings let it do.  Pure; :mod:`.rbac` feeds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from steersman.api.types.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject
from steersman.api.user import User
from steersman.apiserver.seams import Attributes, Decision

MOST_DECISIONS = 10_000
"""How many decisions are remembered; one more and all are forgotten."""

LONGEST_REMEMBERED = 512
"""Characters of what whoever asks makes up, of decisions that are remembered."""

SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"

RoleKey = tuple[str, str]
"""Namespace (empty for a ClusterRole) and name."""

SubjectKey = tuple[str, str]
"""Kind and name; a ServiceAccount's name is that of its user."""


class Grant(NamedTuple):
    """One binding as one of its subjects sees it: where it applies, and which role it grants."""

    binding_kind: str
    binding: str
    namespace: str
    role_kind: str
    role: RoleKey
    subject: str

    def reason(self) -> str:
        """Why a request is allowed, in upstream's words."""
        binding = f"{self.namespace}/{self.binding}" if self.namespace else self.binding
        return (
            f'RBAC: allowed by {self.binding_kind} "{binding}" of {self.role_kind} "{self.role[1]}" to {self.subject}'
        )


class Policy:
    """Roles and bindings, and the decisions they lead to, remembered until one of them changes."""

    def __init__(self) -> None:
        self._roles: dict[RoleKey, list[PolicyRule]] = {}
        self._bindings: dict[tuple[str, RoleKey], list[tuple[SubjectKey, Grant]]] = {}
        self._grants: dict[SubjectKey, list[Grant]] = {}
        self._decisions: dict[tuple[object, ...], Decision] = {}

    def set_role(self, role: ClusterRole | Role) -> None:
        """A role was created or changed."""
        self._roles[_role_key(role)] = role.rules
        self._decisions.clear()

    def remove_role(self, role: ClusterRole | Role) -> None:
        """A role was deleted."""
        self._roles.pop(_role_key(role), None)
        self._decisions.clear()

    def set_binding(self, binding: ClusterRoleBinding | RoleBinding) -> None:
        """A binding was created or changed."""
        self.remove_binding(binding)
        grants = [(_subject_key(subject, binding), _grant(subject, binding)) for subject in binding.subjects]
        self._bindings[_binding_key(binding)] = grants
        for key, grant in grants:
            self._grants.setdefault(key, []).append(grant)

    def remove_binding(self, binding: ClusterRoleBinding | RoleBinding) -> None:
        """A binding was deleted."""
        for key, grant in self._bindings.pop(_binding_key(binding), ()):
            grants = self._grants[key]
            grants.remove(grant)
            if not grants:
                del self._grants[key]
        self._decisions.clear()

    def decide(self, attributes: Attributes) -> Decision:
        """Whether the policy allows a request; it never denies explicitly."""
        key = (
            attributes.user.name,
            attributes.user.groups,
            attributes.verb,
            attributes.group,
            attributes.resource,
            attributes.subresource,
            attributes.namespace,
            attributes.name,
            attributes.path,
        )
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._decide(attributes)
            if len(attributes.path) + len(attributes.name) + len(attributes.namespace) <= LONGEST_REMEMBERED:
                if len(self._decisions) >= MOST_DECISIONS:
                    self._decisions.clear()
                self._decisions[key] = decision
        return decision

    def _decide(self, attributes: Attributes) -> Decision:
        missing = []
        for grant in self.grants(attributes.user, attributes.namespace):
            rules = self._roles.get(grant.role)
            if rules is None:
                missing.append(f'{grant.role_kind.lower()}.rbac.authorization.k8s.io "{grant.role[1]}" not found')
            elif any(allows(rule, attributes) for rule in rules):
                return Decision(allowed=True, reason=grant.reason())
        problem = missing[0] if len(missing) == 1 else f"[{', '.join(missing)}]"
        return Decision(allowed=False, reason=f"RBAC: {problem}" if missing else "", error=problem if missing else "")

    def grants(self, user: User, namespace: str) -> Iterator[Grant]:
        """The bindings that concern a user in a namespace, cluster-wide ones first."""
        keys = [("User", user.name), *(("Group", group) for group in user.groups)]
        found = [grant for key in keys for grant in self._grants.get(key, ())]
        yield from (grant for grant in found if not grant.namespace)
        if namespace:
            yield from (grant for grant in found if grant.namespace == namespace)

    def rules(self, user: User, namespace: str) -> Iterator[PolicyRule]:
        """Every rule that applies to a user in a namespace."""
        for grant in self.grants(user, namespace):
            yield from self._roles.get(grant.role, ())


def allows(rule: PolicyRule, attributes: Attributes) -> bool:
    """Whether one rule covers a request."""
    if not _matches(rule.verbs, attributes.verb):
        return False
    if attributes.path:
        return any(_path_matches(pattern, attributes.path) for pattern in rule.non_resource_urls)
    if not _matches(rule.api_groups, attributes.group):
        return False
    if rule.resource_names and attributes.name not in rule.resource_names:
        return False
    resources = rule.resources
    if "*" in resources:
        return True
    if attributes.subresource:
        return (
            f"{attributes.resource}/{attributes.subresource}" in resources or f"*/{attributes.subresource}" in resources
        )
    return attributes.resource in resources


def _matches(allowed: Iterable[str], value: str) -> bool:
    return value in allowed or "*" in allowed


def _path_matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return pattern == path


def _role_key(role: ClusterRole | Role) -> RoleKey:
    return (role.metadata.namespace, role.metadata.name)


def _binding_key(binding: ClusterRoleBinding | RoleBinding) -> tuple[str, RoleKey]:
    return (binding.kind, (binding.metadata.namespace, binding.metadata.name))


def _subject_key(subject: Subject, binding: ClusterRoleBinding | RoleBinding) -> SubjectKey:
    if subject.kind == "ServiceAccount":
        namespace = subject.namespace or binding.metadata.namespace
        return ("User", f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{subject.name}")
    return (subject.kind, subject.name)


def _grant(subject: Subject, binding: ClusterRoleBinding | RoleBinding) -> Grant:
    reference = binding.role_ref
    namespace = binding.metadata.namespace
    name = f"{subject.name}/{subject.namespace}" if subject.namespace else subject.name
    return Grant(
        binding_kind=binding.kind,
        binding=binding.metadata.name,
        namespace=namespace,
        role_kind=reference.kind,
        role=(namespace if reference.kind == "Role" else "", reference.name),
        subject=f'{subject.kind} "{name}"',
    )
