"""Where pods want to be: tolerations, node selectors, affinity, spreading."""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import core_v1 as v1

from . import meta, names
from .faults import Faults

_NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


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
        if toleration.operator in ("", "Equal"):
            faults.grammar(f"{place}.operator", toleration.value, names.label_value)
        elif toleration.operator == "Exists":
            if toleration.value:
                faults.invalid(f"{place}.operator", toleration, "value must be empty when `operator` is 'Exists'")
        else:
            faults.append(errors.not_supported(f"{place}.operator", toleration.operator, ("Equal", "Exists")))
        faults.one_of(
            f"{place}.effect", toleration.effect, ("NoSchedule", "PreferNoSchedule", "NoExecute"), optional=True
        )


def node_selector_term(faults: Faults, term: v1.NodeSelectorTerm, path: str) -> None:
    """One alternative of a node selector."""
    for index, expression in enumerate(term.match_expressions):
        place = f"{path}.matchExpressions[{index}]"
        faults.grammar(f"{place}.key", expression.key, names.qualified_name)
        if expression.operator not in _NODE_OPERATORS:
            faults.invalid(f"{place}.operator", expression.operator, "not a valid selector operator")
        elif expression.operator in ("In", "NotIn"):
            faults.required(
                f"{place}.values", expression.values, "must be specified when `operator` is 'In' or 'NotIn'"
            )
        elif expression.operator in ("Exists", "DoesNotExist"):
            if expression.values:
                faults.forbidden(
                    f"{place}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                )
        elif len(expression.values) != 1:
            faults.append(
                errors.required(f"{place}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
            )
    for index, expression in enumerate(term.match_fields):
        place = f"{path}.matchFields[{index}]"
        if expression.operator not in ("In", "NotIn"):
            faults.invalid(f"{place}.operator", expression.operator, "not a valid selector operator")
        elif len(expression.values) != 1:
            faults.append(
                errors.required(
                    f"{place}.values",
                    "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
                )
            )
        if expression.key != "metadata.name":
            faults.invalid(f"{place}.key", expression.key, "not a valid field selector key")


def node_selector(faults: Faults, selector: v1.NodeSelector, path: str) -> None:
    """Alternatives, of which one must match."""
    place = f"{path}.nodeSelectorTerms"
    if not selector.node_selector_terms:
        faults.append(errors.required(place, "must have at least one node selector term"))
    for index, term in enumerate(selector.node_selector_terms):
        node_selector_term(faults, term, f"{place}[{index}]")


def affinity(faults: Faults, value: v1.Affinity, path: str) -> None:
    """Where a pod wants to be, of nodes and of other pods."""
    if value.node_affinity is not None:
        place = f"{path}.nodeAffinity"
        hard = value.node_affinity.required_during_scheduling_ignored_during_execution
        if hard is not None:
            node_selector(faults, hard, f"{place}.requiredDuringSchedulingIgnoredDuringExecution")
        for index, soft in enumerate(value.node_affinity.preferred_during_scheduling_ignored_during_execution):
            where = f"{place}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
            if not 1 <= soft.weight <= 100:
                faults.invalid(f"{where}.weight", soft.weight, "must be in the range 1-100")
            node_selector_term(faults, soft.preference, f"{where}.preference")
    for name, pods in (("podAffinity", value.pod_affinity), ("podAntiAffinity", value.pod_anti_affinity)):
        if pods is None:
            continue
        for index, term in enumerate(pods.required_during_scheduling_ignored_during_execution):
            _affinity_term(faults, term, f"{path}.{name}.requiredDuringSchedulingIgnoredDuringExecution[{index}]")
        for index, weighted in enumerate(pods.preferred_during_scheduling_ignored_during_execution):
            where = f"{path}.{name}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
            if not 1 <= weighted.weight <= 100:
                faults.invalid(f"{where}.weight", weighted.weight, "must be in the range 1-100")
            _affinity_term(faults, weighted.pod_affinity_term, f"{where}.podAffinityTerm")


def _affinity_term(faults: Faults, term: v1.PodAffinityTerm, path: str) -> None:
    meta.label_selector(faults, term.label_selector, f"{path}.labelSelector")
    meta.label_selector(faults, term.namespace_selector, f"{path}.namespaceSelector")
    for name in term.namespaces:
        faults.grammar(f"{path}.namespace", name, names.dns1123_label)
    faults.name(f"{path}.topologyKey", term.topology_key, names.qualified_name, "can not be empty")


def spread_constraints(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    pairs: set[Any] = set()
    for index, constraint in enumerate(spec.topology_spread_constraints):
        place = f"{path}[{index}]"
        faults.positive(f"{place}.maxSkew", constraint.max_skew)
        faults.name(f"{place}.topologyKey", constraint.topology_key, names.qualified_name, "can not be empty")
        faults.one_of(f"{place}.whenUnsatisfiable", constraint.when_unsatisfiable, ("DoNotSchedule", "ScheduleAnyway"))
        pair = (constraint.topology_key, constraint.when_unsatisfiable)
        shown = f"{{{constraint.topology_key}, {constraint.when_unsatisfiable}}}"
        faults.unique(f"{place}.{{topologyKey, whenUnsatisfiable}}", pair, pairs, shown)
        if constraint.min_domains is not None:
            faults.positive(f"{place}.minDomains", constraint.min_domains)
            if constraint.when_unsatisfiable != "DoNotSchedule":
                faults.invalid(
                    f"{place}.minDomains",
                    constraint.min_domains,
                    f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {constraint.when_unsatisfiable}",
                )
        for name, policy in (
            ("nodeAffinityPolicy", constraint.node_affinity_policy),
            ("nodeTaintsPolicy", constraint.node_taints_policy),
        ):
            faults.one_of(f"{place}.{name}", policy, ("Honor", "Ignore"), optional=True)
        meta.label_selector(faults, constraint.label_selector, f"{place}.labelSelector")
