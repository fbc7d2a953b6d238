"""Where pods want to be: tolerations, node selectors, affinity, spreading."""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import core_v1 as v1
from steersman.api.types import meta_v1

from . import meta, names
from .faults import Faults, verdict

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_EMPTY_TOPOLOGY = "can not be empty"


def tolerations(faults: Faults, values: list[v1.Toleration], path: str) -> None:
    """Which taints a pod tolerates."""
    for index, toleration in enumerate(values):
        place = f"{path}[{index}]"
        if toleration.key:
            faults.grammar(f"{place}.key", toleration.key, names.qualified_name)
        elif toleration.operator != "Exists":
            faults.invalid(
                f"{place}.operator",
                toleration.operator,
                'operator must be Exists when `key` is empty, which means "match all values and all keys"',
            )
        if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
            faults.invalid(
                f"{place}.effect", toleration.effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"
            )
        match toleration.operator:
            case "" | "Equal":
                if found := verdict(names.label_value, toleration.value):
                    faults.invalid(f"{place}.operator", toleration.value, ";".join(found))
            case "Exists":
                if toleration.value:
                    detail = "value must be empty when `operator` is 'Exists'"
                    faults.invalid(f"{place}.operator", toleration.value, detail)
            case "Lt" | "Gt":
                # Behind TaintTolerationComparisonOperators, which is off: named, but refused.
                known = ("Equal", "Exists", "Lt", "Gt")
                faults.append(errors.not_supported(f"{place}.operator", toleration.operator, known))
            case _:
                faults.append(errors.not_supported(f"{place}.operator", toleration.operator, ("Equal", "Exists")))
        if toleration.effect and toleration.effect not in TAINT_EFFECTS:
            faults.append(errors.not_supported(f"{place}.effect", toleration.effect, TAINT_EFFECTS))


# -- nodes -----------------------------------------------------------------------------------------------------------


def node_selector_term(faults: Faults, term: v1.NodeSelectorTerm, path: str, *, soft: bool = False) -> None:
    """One alternative of a node selector; what is only preferred may name values that no label can have."""
    for index, expression in enumerate(term.match_expressions):
        _node_expression(faults, expression, f"{path}.matchExpressions[{index}]", soft=soft)
    for index, expression in enumerate(term.match_fields):
        place = f"{path}.matchFields[{index}]"
        if expression.operator not in ("In", "NotIn"):
            faults.invalid(f"{place}.operator", expression.operator, "not a valid selector operator")
        elif len(expression.values) != 1:
            detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            faults.append(errors.required(f"{place}.values", detail))
        if expression.key != "metadata.name":
            faults.invalid(f"{place}.key", expression.key, "not a valid field selector key")
            continue
        for number, value in enumerate(expression.values):
            faults.grammar(f"{place}.values[{number}]", value, names.dns1123_subdomain)


def _node_expression(faults: Faults, expression: v1.NodeSelectorRequirement, path: str, *, soft: bool) -> None:
    match expression.operator:
        case "In" | "NotIn":
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            faults.required(f"{path}.values", expression.values, detail)
        case "Exists" | "DoesNotExist":
            if expression.values:
                detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                faults.forbidden(f"{path}.values", detail)
        case "Gt" | "Lt":
            if len(expression.values) != 1:
                detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                faults.append(errors.required(f"{path}.values", detail))
        case _:
            faults.invalid(f"{path}.operator", expression.operator, "not a valid selector operator")
    faults.grammar(f"{path}.key", expression.key, names.qualified_name)
    if not soft:
        for number, value in enumerate(expression.values):
            faults.grammar(f"{path}.values[{number}]", value, names.label_value)


def node_selector(faults: Faults, selector: v1.NodeSelector, path: str) -> None:
    """Alternatives, of which one must match."""
    place = f"{path}.nodeSelectorTerms"
    faults.required(place, selector.node_selector_terms, "must have at least one node selector term")
    for index, term in enumerate(selector.node_selector_terms):
        node_selector_term(faults, term, f"{place}[{index}]")


# -- affinity --------------------------------------------------------------------------------------------------------

HARD = "requiredDuringSchedulingIgnoredDuringExecution"
SOFT = "preferredDuringSchedulingIgnoredDuringExecution"


def affinity(faults: Faults, value: v1.Affinity, path: str) -> None:
    """Where a pod wants to be, of nodes and of other pods."""
    if (nodes := value.node_affinity) is not None:
        place = f"{path}.nodeAffinity"
        if (hard := nodes.required_during_scheduling_ignored_during_execution) is not None:
            node_selector(faults, hard, f"{place}.{HARD}")
        for index, preferred in enumerate(nodes.preferred_during_scheduling_ignored_during_execution):
            where = f"{place}.{SOFT}[{index}]"
            _weight(faults, preferred.weight, where)
            node_selector_term(faults, preferred.preference, f"{where}.preference", soft=True)
    for name, pods in (("podAffinity", value.pod_affinity), ("podAntiAffinity", value.pod_anti_affinity)):
        if pods is None:
            continue
        for index, term in enumerate(pods.required_during_scheduling_ignored_during_execution):
            _affinity_term(faults, term, f"{path}.{name}.{HARD}[{index}]")
        for index, weighted in enumerate(pods.preferred_during_scheduling_ignored_during_execution):
            where = f"{path}.{name}.{SOFT}[{index}]"
            _weight(faults, weighted.weight, where)
            _affinity_term(faults, weighted.pod_affinity_term, f"{where}.podAffinityTerm")


def _weight(faults: Faults, weight: int, path: str) -> None:
    if not 1 <= weight <= 100:
        faults.invalid(f"{path}.weight", weight, "must be in the range 1-100")


def _affinity_term(faults: Faults, term: v1.PodAffinityTerm, path: str) -> None:
    meta.label_selector(faults, term.label_selector, f"{path}.labelSelector")
    meta.label_selector(faults, term.namespace_selector, f"{path}.namespaceSelector")
    for name in term.namespaces:
        faults.grammar(f"{path}.namespace", name, names.dns1123_label)
    _label_keys(faults, term.match_label_keys, term.mismatch_label_keys, term.label_selector, path)
    faults.required(f"{path}.topologyKey", term.topology_key, _EMPTY_TOPOLOGY)
    faults.grammar(f"{path}.topologyKey", term.topology_key, names.qualified_name)


def _label_keys(
    faults: Faults, match: list[str], mismatch: list[str], selector: meta_v1.LabelSelector | None, path: str
) -> None:
    """Keys whose values of the pod itself become part of a selector (KEP-3633).

    They are there already when this is asked: what names a key twice names it beside the key.
    """
    for name, keys in (("matchLabelKeys", match), ("mismatchLabelKeys", mismatch)):
        if keys and selector is None:
            faults.forbidden(f"{path}.{name}", "must not be specified when labelSelector is not set")
            continue
        for index, key in enumerate(keys):
            faults.grammar(f"{path}.{name}[{index}]", key, names.qualified_name)
    if match and selector is not None:
        places = {key: index for index, key in enumerate(match)}
        selected = set(selector.match_labels)
        for expression in selector.match_expressions:
            if expression.key in places and expression.key in selected:
                detail = "exists in both matchLabelKeys and labelSelector"
                faults.invalid(f"{path}[{places[expression.key]}]", expression.key, detail)
            selected.add(expression.key)
    for index, key in enumerate(match):
        if key in mismatch:
            detail = "exists in both matchLabelKeys and mismatchLabelKeys"
            faults.invalid(f"{path}.matchLabelKeys[{index}]", key, detail)


# -- spreading -------------------------------------------------------------------------------------------------------

_UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")


def spread_constraints(faults: Faults, values: list[v1.TopologySpreadConstraint], path: str) -> None:
    """How evenly pods are spread over domains."""
    pairs: list[Any] = [(constraint.topology_key, constraint.when_unsatisfiable) for constraint in values]
    for index, constraint in enumerate(values):
        place = f"{path}[{index}]"
        _positive(faults, constraint.max_skew, f"{place}.maxSkew")
        faults.required(f"{place}.topologyKey", constraint.topology_key, _EMPTY_TOPOLOGY)
        unsatisfiable = constraint.when_unsatisfiable
        if unsatisfiable not in _UNSATISFIABLE:
            faults.append(errors.not_supported(f"{place}.whenUnsatisfiable", unsatisfiable, _UNSATISFIABLE))
        if pairs[index] in pairs[index + 1 :]:
            shown = f"{{{constraint.topology_key}, {unsatisfiable}}}"
            faults.append(errors.duplicate(f"{place}.{{topologyKey, whenUnsatisfiable}}", shown))
        if constraint.min_domains is not None:
            _positive(faults, constraint.min_domains, f"{place}.minDomains")
            if unsatisfiable != "DoNotSchedule":
                detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {unsatisfiable}"
                faults.invalid(f"{place}.minDomains", constraint.min_domains, detail)
        for name, policy in (
            ("nodeAffinityPolicy", constraint.node_affinity_policy),
            ("nodeTaintsPolicy", constraint.node_taints_policy),
        ):
            faults.one_of(f"{place}.{name}", policy, ("Honor", "Ignore"), optional=True)
        _label_keys(faults, constraint.match_label_keys, [], constraint.label_selector, place)
        meta.label_selector(faults, constraint.label_selector, f"{place}.labelSelector")


def _positive(faults: Faults, value: int, path: str) -> None:
    if value <= 0:
        faults.invalid(path, value, "must be greater than zero")
