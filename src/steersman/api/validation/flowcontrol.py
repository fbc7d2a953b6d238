"""The group flowcontrol.apiserver.k8s.io (KEP-1040)."""

from __future__ import annotations

import math
from typing import Any

from steersman.api import errors
from steersman.api.types import flowcontrol_v1 as v1

from . import names
from .faults import Faults
from .rules import Rules

MAX_PRECEDENCE = 10_000
MAX_QUEUES = 10_000_000
HASH_BITS = 60
"""The bits of a hash that choose a flow's queues."""

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_SUBJECTS = {"Group": "group", "ServiceAccount": "service_account", "User": "user"}
_NAMESPACE = "each member of this list must be '*' or a DNS-1123 label; "

MANDATORY_SCHEMAS = {
    "exempt": v1.FlowSchemaSpec(
        priority_level_configuration=v1.PriorityLevelConfigurationReference(name="exempt"),
        matching_precedence=1,
        rules=[
            v1.PolicyRulesWithSubjects(
                subjects=[v1.Subject(kind="Group", group=v1.GroupSubject(name="system:masters"))],
                resource_rules=[
                    v1.ResourcePolicyRule(
                        verbs=["*"], api_groups=["*"], resources=["*"], namespaces=["*"], cluster_scope=True
                    )
                ],
                non_resource_rules=[v1.NonResourcePolicyRule(verbs=["*"], non_resource_urls=["*"])],
            )
        ],
    ),
    "catch-all": v1.FlowSchemaSpec(
        priority_level_configuration=v1.PriorityLevelConfigurationReference(name="catch-all"),
        matching_precedence=MAX_PRECEDENCE,
        distinguisher_method=v1.FlowDistinguisherMethod(type="ByUser"),
        rules=[
            v1.PolicyRulesWithSubjects(
                subjects=[
                    v1.Subject(kind="Group", group=v1.GroupSubject(name="system:unauthenticated")),
                    v1.Subject(kind="Group", group=v1.GroupSubject(name="system:authenticated")),
                ],
                resource_rules=[
                    v1.ResourcePolicyRule(
                        verbs=["*"], api_groups=["*"], resources=["*"], namespaces=["*"], cluster_scope=True
                    )
                ],
                non_resource_rules=[v1.NonResourcePolicyRule(verbs=["*"], non_resource_urls=["*"])],
            )
        ],
    ),
}
"""What a cluster cannot be without, and nobody may change."""

MANDATORY_LEVELS = {
    "exempt": v1.PriorityLevelConfigurationSpec(
        type="Exempt", exempt=v1.ExemptPriorityLevelConfiguration(nominal_concurrency_shares=0, lendable_percent=0)
    ),
    "catch-all": v1.PriorityLevelConfigurationSpec(
        type="Limited",
        limited=v1.LimitedPriorityLevelConfiguration(
            nominal_concurrency_shares=5, lendable_percent=0, limit_response=v1.LimitResponse(type="Reject")
        ),
    ),
}


# -- FlowSchema ------------------------------------------------------------------------------------------------------


def flow_schema(faults: Faults, obj: v1.FlowSchema) -> None:
    spec, name = obj.spec, obj.metadata.name
    precedence = spec.matching_precedence or 0
    place = "spec.matchingPrecedence"
    if precedence <= 0:
        faults.invalid(place, precedence, "must be a positive value")
    if precedence > MAX_PRECEDENCE:
        faults.invalid(place, precedence, f"must not be greater than {MAX_PRECEDENCE}")
    if precedence == 1 and name != "exempt":
        faults.invalid(place, precedence, "only the schema named 'exempt' may have matchingPrecedence 1")
    method = spec.distinguisher_method
    if method is not None and method.type not in ("ByNamespace", "ByUser"):
        faults.unsupported("spec.distinguisherMethod.type", method, ("ByNamespace", "ByUser"))
    faults.name(
        "spec.priorityLevelConfiguration.name",
        spec.priority_level_configuration.name,
        names.dns1123_subdomain,
        "must reference a priority level",
    )
    for index, rule in enumerate(spec.rules):
        _rule(faults, rule, f"spec.rules[{index}]")
    if name in MANDATORY_SCHEMAS and spec != MANDATORY_SCHEMAS[name]:
        faults.invalid("spec", spec, f"spec of '{name}' must equal the fixed value")


def _rule(faults: Faults, rule: v1.PolicyRulesWithSubjects, path: str) -> None:
    faults.required(f"{path}.subjects", rule.subjects, "subjects must contain at least one value")
    for index, subject in enumerate(rule.subjects):
        _subject(faults, subject, f"{path}.subjects[{index}]")
    if not rule.resource_rules and not rule.non_resource_rules:
        faults.append(errors.required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
    for index, resources in enumerate(rule.resource_rules):
        _resource_rule(faults, resources, f"{path}.resourceRules[{index}]")
    for index, urls in enumerate(rule.non_resource_rules):
        _url_rule(faults, urls, f"{path}.nonResourceRules[{index}]")


def _subject(faults: Faults, subject: v1.Subject, path: str) -> None:
    if subject.kind not in _SUBJECTS:
        faults.unsupported(f"{path}.kind", subject.kind, _SUBJECTS)
        return
    if subject.kind == "ServiceAccount":
        _account(faults, subject.service_account, f"{path}.serviceAccount")
    else:
        member = subject.kind.lower()
        named = subject.user if subject.kind == "User" else subject.group
        if named is None:
            faults.append(
                errors.required(f"{path}.{member}", f"{member} is required when subject kind is '{subject.kind}'")
            )
        else:
            faults.required(f"{path}.{member}.name", named.name)
    for kind in ("ServiceAccount", "User", "Group"):
        name = kind[0].lower() + kind[1:]
        if kind != subject.kind and getattr(subject, _SUBJECTS[kind]) is not None:
            faults.forbidden(f"{path}.{name}", f"{name} is forbidden when subject kind is not '{kind}'")


def _account(faults: Faults, account: v1.ServiceAccountSubject | None, path: str) -> None:
    if account is None:
        faults.append(errors.required(path, "serviceAccount is required when subject kind is 'ServiceAccount'"))
        return
    if faults.required(f"{path}.name", account.name) and account.name != "*":
        faults.grammar(f"{path}.name", account.name, names.dns1123_subdomain)
    faults.name(
        f"{path}.namespace", account.namespace, names.dns1123_label, "must specify namespace for service account"
    )


def _alone(faults: Faults, values: list[str], path: str, others: str, missing: str) -> bool:
    """``*`` stands for itself alone; says whether there are values other than it."""
    if not faults.required(path, values, missing):
        return False
    if "*" in values:
        if len(values) > 1:
            faults.invalid(path, values, f"if '*' is present, must not specify other {others}")
        return False
    return True


def _verbs(faults: Faults, verbs: list[str], path: str) -> None:
    plain = _alone(faults, verbs, f"{path}.verbs", "verbs", "verbs must contain at least one value")
    if plain and not set(verbs) <= set(_VERBS):
        faults.unsupported(f"{path}.verbs", verbs, _VERBS)


def _resource_rule(faults: Faults, rule: v1.ResourcePolicyRule, path: str) -> None:
    _verbs(faults, rule.verbs, path)
    _alone(
        faults,
        rule.api_groups,
        f"{path}.apiGroups",
        "api groups",
        "resource rules must supply at least one api group",
    )
    _alone(faults, rule.resources, f"{path}.resources", "resources", "resource rules must supply at least one resource")
    place = f"{path}.namespaces"
    if not rule.namespaces and rule.cluster_scope:
        return
    missing = "resource rules that are not cluster scoped must supply at least one namespace"
    if _alone(faults, rule.namespaces, place, "namespaces", missing):
        for index, namespace in enumerate(rule.namespaces):
            for fault in names.dns1123_label(namespace):
                faults.invalid(f"{place}[{index}]", namespace, _NAMESPACE + fault)


def _url_rule(faults: Faults, rule: v1.NonResourcePolicyRule, path: str) -> None:
    _verbs(faults, rule.verbs, path)
    place = f"{path}.nonResourceURLs"
    missing = "nonResourceURLs must contain at least one value"
    if _alone(faults, rule.non_resource_urls, place, "non-resource URLs", missing):
        for index, url in enumerate(rule.non_resource_urls):
            if fault := _url_fault(url):
                faults.invalid(f"{place}[{index}]", url, fault)


def _url_fault(url: str) -> str:
    if not url:
        return "must not be empty"
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    if url.count("*") > 1 or ("*" in url and not url.endswith("/*")):
        return "wildcard can only do suffix matching"
    return ""


def status(faults: Faults, new: Any, old: Any) -> None:
    """The conditions of both kinds."""
    seen: set[str] = set()
    for index, condition in enumerate(new.status.conditions):
        place = f"status.conditions[{index}].type"
        faults.unique(place, condition.type, seen)
        faults.required(place, condition.type, "must not be empty")


# -- PriorityLevelConfiguration --------------------------------------------------------------------------------------


def priority_level(faults: Faults, obj: v1.PriorityLevelConfiguration) -> None:
    spec, name = obj.spec, obj.metadata.name
    if (name == "exempt") != (spec.type == "Exempt"):
        faults.invalid("spec.type", spec.type, "type must be 'Exempt' if and only if name is 'exempt'")
    if spec.exempt is not None:
        _shares(faults, spec.exempt, "spec.exempt")
    if spec.type == "Exempt":
        if spec.limited is not None:
            faults.forbidden("spec.limited", "must be nil if the type is not Limited")
    elif spec.type == "Limited":
        if spec.exempt is not None:
            faults.forbidden("spec.exempt", "must be nil if the type is Limited")
        if spec.limited is None:
            faults.append(errors.required("spec.limited", "must not be empty when type is Limited"))
        else:
            _limited(faults, spec.limited, "spec.limited")
    else:
        faults.unsupported("spec.type", spec.type, ("Exempt", "Limited"))
    if name == "exempt" and (spec.type, spec.limited) != ("Exempt", None):
        detail = "spec of 'exempt' except the 'spec.exempt' field must equal the fixed value"
        faults.invalid("spec", spec, detail)
    if name == "catch-all" and spec != MANDATORY_LEVELS[name]:
        faults.invalid("spec", spec, f"spec of '{name}' must equal the fixed value")


def _shares(
    faults: Faults, level: v1.ExemptPriorityLevelConfiguration | v1.LimitedPriorityLevelConfiguration, path: str
) -> None:
    shares = level.nominal_concurrency_shares
    if shares is not None and shares < 0:
        faults.invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer")
    faults.between(f"{path}.lendablePercent", level.lendable_percent, 0, 100)


def _limited(faults: Faults, limited: v1.LimitedPriorityLevelConfiguration, path: str) -> None:
    _shares(faults, limited, path)
    limit = limited.borrowing_limit_percent
    if limit is not None and limit < 0:
        faults.invalid(f"{path}.borrowingLimitPercent", limit, "if specified, must be a non-negative integer")
    response = limited.limit_response
    place = f"{path}.limitResponse"
    if response.type == "Reject":
        if response.queuing is not None:
            faults.forbidden(f"{place}.queuing", "must be nil if limited.limitResponse.type is not Limited")
    elif response.type == "Queue":
        if response.queuing is None:
            detail = "must not be empty if limited.limitResponse.type is Limited"
            faults.append(errors.required(f"{place}.queuing", detail))
        else:
            _queuing(faults, response.queuing, f"{place}.queuing")
    else:
        faults.unsupported(f"{place}.type", response.type, ("Queue", "Reject"))


def _queuing(faults: Faults, queuing: v1.QueuingConfiguration, path: str) -> None:
    length, queues, hand = queuing.queue_length_limit or 0, queuing.queues or 0, queuing.hand_size or 0
    if length <= 0:
        faults.invalid(f"{path}.queueLengthLimit", length, "must be positive")
    if queues <= 0:
        faults.invalid(f"{path}.queues", queues, "must be positive")
    elif queues > MAX_QUEUES:
        faults.invalid(f"{path}.queues", queues, f"must not be greater than {MAX_QUEUES}")
    if hand <= 0:
        faults.invalid(f"{path}.handSize", hand, "must be positive")
    elif hand > queues:
        faults.invalid(f"{path}.handSize", hand, f"should not be greater than queues ({queues})")
    elif math.ceil(math.log2(queues) * hand) > HASH_BITS:
        faults.invalid(
            f"{path}.handSize",
            hand,
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {HASH_BITS}",
        )


TABLE: dict[type[Any], Rules] = {
    v1.FlowSchema: Rules(flow_schema, subresources={"status": status}),
    v1.PriorityLevelConfiguration: Rules(priority_level, subresources={"status": status}),
}
