"""Nobody grants what they do not have: what writing RBAC roles and bindings demands of the writer.

A role may be written by who holds all of its rules, or may ``escalate`` it; a binding by who holds all the rules of
the role it binds, or may ``bind`` that role.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from steersman.api.errors import StatusError, forbidden, go_value
from steersman.api.types.rbac_v1 import ClusterRole, PolicyRule, Role
from steersman.api.user import User
from steersman.apiserver.admission.plugin import Cluster
from steersman.apiserver.seams import Attributes, Authorizer

_GROUP = "rbac.authorization.k8s.io"
_PRIVILEGED = "system:masters"
_PLURALS = {"Role": "roles", "ClusterRole": "clusterroles"}
_BINDINGS = {"RoleBinding": "rolebindings", "ClusterRoleBinding": "clusterrolebindings"}


async def check(authorizer: Authorizer, cluster: Cluster, user: User, new: Any, old: Any | None) -> None:
    """Raise 403 where writing a role or a binding would hand out more than the writer has."""
    if _PRIVILEGED in user.groups:
        return
    namespace = new.metadata.namespace
    if new.kind in _PLURALS:
        aggregates = getattr(new, "aggregation_rule", None)
        if old is not None and old.rules == new.rules and getattr(old, "aggregation_rule", None) == aggregates:
            return
        resource, verb, name, place = _PLURALS[new.kind], "escalate", new.metadata.name, namespace
        rules = list(new.rules)
        if aggregates is not None:
            # What it will gather cannot be known: only who may do everything may ask for it.
            rules.append(PolicyRule(verbs=["*"], api_groups=["*"], resources=["*"]))
        target, named = _PLURALS[new.kind], new.metadata.name
    else:
        reference = new.role_ref
        if old is not None and old.role_ref == reference and old.subjects == new.subjects:
            return
        resource, verb, name = _PLURALS.get(reference.kind, ""), "bind", reference.name
        place = namespace
        rules = await _rules_of(cluster, reference.kind, reference.name, namespace)
        target, named = _BINDINGS[new.kind], new.metadata.name
    attributes = Attributes(user, verb, _GROUP, "v1", resource, namespace=place, name=name)
    if (await authorizer.authorize(attributes)).allowed:
        return
    held = authorizer.rules(user, namespace)
    missing = [each for each in _atoms(rules) if not _covered(each, held.resource_rules, held.non_resource_rules)]
    if missing:
        raise _refusal(target, named, user, missing)


async def _rules_of(cluster: Cluster, kind: str, name: str, namespace: str) -> list[PolicyRule]:
    role: Role | ClusterRole | None
    if kind == "Role":
        role = await cluster.get(Role, name, namespace)
    else:
        role = await cluster.get(ClusterRole, name)
    if role is None:
        raise forbidden(
            _PLURALS.get(kind, kind), name, f'{_PLURALS.get(kind, kind)}.{_GROUP} "{name}" not found', _GROUP
        )
    return role.rules


class _Atom(NamedTuple):
    """One verb on one resource (of one name) or on one path."""

    verb: str
    group: str = ""
    resource: str = ""
    name: str = ""
    path: str = ""


def _atoms(rules: Sequence[PolicyRule]) -> Iterator[_Atom]:
    for rule in rules:
        for verb in rule.verbs:
            for group in rule.api_groups:
                for resource in rule.resources:
                    for name in rule.resource_names or [""]:
                        yield _Atom(verb, group, resource, name)
            for path in rule.non_resource_urls:
                yield _Atom(verb, path=path)


def _covered(atom: _Atom, resources: Sequence[Any], paths: Sequence[Any]) -> bool:
    if atom.path:
        return any(_has(rule.verbs, atom.verb) and _has_path(rule.non_resource_urls, atom.path) for rule in paths)
    return any(
        _has(rule.verbs, atom.verb)
        and _has(rule.api_groups, atom.group)
        and _has_resource(rule.resources, atom.resource)
        and (not rule.resource_names or atom.name in rule.resource_names)
        for rule in resources
    )


def _has(values: Sequence[str], value: str) -> bool:
    return "*" in values or value in values


def _has_resource(values: Sequence[str], value: str) -> bool:
    return _has(values, value) or ("/" in value and f"*/{value.partition('/')[2]}" in values)


def _has_path(values: Sequence[str], value: str) -> bool:
    return any(each in ("*", value) or (each.endswith("*") and value.startswith(each[:-1])) for each in values)


def _refusal(resource: str, name: str, user: User, missing: Sequence[_Atom]) -> StatusError:
    lines = []
    for atom in missing:
        parts = {"NonResourceURLs": atom.path} if atom.path else {"APIGroups": atom.group, "Resources": atom.resource}
        if atom.name:
            parts["ResourceNames"] = atom.name
        parts["Verbs"] = atom.verb
        lines.append("{" + ", ".join(f"{key}:[{go_value(value)}]" for key, value in parts.items()) + "}")
    groups = " ".join(go_value(group) for group in user.groups)
    detail = (
        f"user {go_value(user.name)} (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n"
        + "\n".join(lines)
    )
    return forbidden(resource, name, detail, _GROUP)
