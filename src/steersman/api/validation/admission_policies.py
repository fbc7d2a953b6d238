"""Validating and mutating admission policies and their bindings (KEP-3488, KEP-3962), all but their CEL."""

from __future__ import annotations

import re
from typing import Any

from steersman.api import errors
from steersman.api.types import (
    admissionregistration_v1,
    admissionregistration_v1alpha1,
    admissionregistration_v1beta1,
)

from . import meta, names
from .faults import Faults, verdict
from .forms import conditions
from .rules import Rules
from .webhooks import FAILURE_POLICIES, MATCH_POLICIES, match_conditions, operations_rule

MAX_AUDIT_ANNOTATIONS = 20
MAX_VALUE_EXPRESSION = 5 * 1024
_ACTIONS = ("Audit", "Deny", "Warn")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_IDENTIFIER = re.compile("[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
_RESERVED = re.compile(
    "true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while"
)


# -- policies --------------------------------------------------------------------------------------------------------


def validating_policy(faults: Faults, obj: admissionregistration_v1.ValidatingAdmissionPolicy) -> None:
    spec = obj.spec
    _policy(faults, spec)
    if not spec.validations and not spec.audit_annotations:
        detail = "validations or auditAnnotations must contain at least one item"
        faults.append(errors.required("spec.validations", detail))
        faults.append(errors.required("spec.auditAnnotations", detail))
        return
    for index, validation in enumerate(spec.validations):
        _validation(faults, validation, f"spec.validations[{index}]")
    if len(spec.audit_annotations) > MAX_AUDIT_ANNOTATIONS:
        faults.invalid(
            "spec.auditAnnotations",
            spec.audit_annotations,
            f"must not have more than {MAX_AUDIT_ANNOTATIONS} auditAnnotations",
        )
    seen: set[str] = set()
    for index, annotation in enumerate(spec.audit_annotations):
        place = f"spec.auditAnnotations[{index}]"
        qualified = f"{obj.metadata.name}/{annotation.key}"
        faults.grammar(f"{place}.key", qualified, names.qualified_name)
        expression = annotation.value_expression.strip()
        faults.required(f"{place}.valueExpression", expression, "valueExpression is not specified")
        if len(expression.encode()) > MAX_VALUE_EXPRESSION:
            detail = f"must not exceed {MAX_VALUE_EXPRESSION} bytes in length"
            faults.append(errors.required(f"{place}.valueExpression", detail))
        faults.unique(f"{place}.key", annotation.key, seen)


def _policy(faults: Faults, spec: Any) -> None:
    faults.one_of("spec.failurePolicy", spec.failure_policy, FAILURE_POLICIES)
    if spec.param_kind is not None:
        _param_kind(faults, spec.param_kind, "spec.paramKind")
    if spec.match_constraints is None:
        faults.append(errors.required("spec.matchConstraints"))
    else:
        _match_resources(faults, spec.match_constraints, "spec.matchConstraints")
        faults.required("spec.matchConstraints.resourceRules", spec.match_constraints.resource_rules)
    match_conditions(faults, spec.match_conditions, "spec.matchConditions")
    for index, variable in enumerate(spec.variables):
        place = f"spec.variables[{index}]"
        named = faults.required(f"{place}.name", variable.name.strip(), "name is not specified")
        if named and (not _IDENTIFIER.fullmatch(variable.name) or _RESERVED.fullmatch(variable.name)):
            faults.invalid(f"{place}.name", variable.name, "name is not a valid CEL identifier")
        faults.required(f"{place}.expression", variable.expression.strip(), "expression is not specified")


def _param_kind(faults: Faults, kind: Any, path: str) -> None:
    version_path = f"{path}.apiVersion"
    if faults.required(version_path, kind.api_version):
        group, _, version = kind.api_version.rpartition("/")
        if kind.api_version.count("/") > 1:
            detail = f"unexpected GroupVersion string: {kind.api_version}"
            faults.invalid(version_path, kind.api_version, detail)
        else:
            if group:
                faults.joined(version_path, group, names.dns1123_subdomain)
            if version:
                faults.joined(version_path, version, names.dns1035_label)
            else:
                faults.invalid(version_path, kind.api_version, "version must be specified")
    if faults.required(f"{path}.kind", kind.kind):
        intro = "may have mixed case, but should otherwise match: "
        faults.joined(f"{path}.kind", kind.kind.lower(), names.dns1035_label, intro, kind.kind)


def _match_resources(faults: Faults, match: Any, path: str) -> None:
    faults.one_of(f"{path}.matchPolicy", match.match_policy, MATCH_POLICIES)
    for name, selector in (
        ("namespaceSelector", match.namespace_selector),
        ("objectSelector", match.object_selector),
    ):
        if selector is None:
            faults.append(errors.required(f"{path}.{name}"))
        meta.label_selector(faults, selector, f"{path}.{name}")
    for name, rules in (
        ("resourceRules", match.resource_rules),
        ("excludeResourceRules", match.exclude_resource_rules),
    ):
        for number, rule in enumerate(rules):
            place = f"{path}.{name}[{number}]"
            seen: set[str] = set()
            for index, resource in enumerate(rule.resource_names):
                faults.grammar(f"{place}.resourceNames[{index}]", resource, names.path_segment)
                faults.unique(f"{place}.resourceNames[{index}]", resource, seen)
            operations_rule(faults, rule, place)


def _validation(faults: Faults, validation: admissionregistration_v1.Validation, path: str) -> None:
    faults.required(f"{path}.expression", validation.expression.strip(), "expression is not specified")
    if validation.message_expression and not validation.message_expression.strip():
        faults.invalid(f"{path}.messageExpression", validation.message_expression, "must be non-empty if specified")
    message = validation.message.strip()
    if validation.message and not message:
        faults.invalid(f"{path}.message", validation.message, "message must be non-empty if specified")
    elif "\n" in message or "\r" in message:
        faults.invalid(f"{path}.message", validation.message, "message must not contain line breaks")
    faults.one_of(f"{path}.reason", validation.reason, _REASONS, optional=True)


def validating_policy_status(
    faults: Faults,
    new: admissionregistration_v1.ValidatingAdmissionPolicy,
    old: admissionregistration_v1.ValidatingAdmissionPolicy,
) -> None:
    checking = new.status.type_checking
    for index, warning in enumerate(checking.expression_warnings if checking is not None else ()):
        place = f"status.typeChecking.expressionWarnings[{index}]"
        faults.required(f"{place}.warning", warning.warning)
        faults.required(f"{place}.fieldRef", warning.field_ref.strip())
    conditions(faults, new.status.conditions, "status.conditions")


def mutating_policy(faults: Faults, obj: Any) -> None:
    spec = obj.spec
    _policy(faults, spec)
    faults.required("spec.mutations", spec.mutations, "mutations must contain at least one item")
    for index, mutation in enumerate(spec.mutations):
        _mutation(faults, mutation, f"spec.mutations[{index}]")
    faults.one_of("spec.reinvocationPolicy", spec.reinvocation_policy, ("IfNeeded", "Never"))


def _mutation(faults: Faults, mutation: Any, path: str) -> None:
    forms = {
        "ApplyConfiguration": ("applyConfiguration", mutation.apply_configuration),
        "JSONPatch": ("jsonPatch", mutation.json_patch),
    }
    if not faults.required(f"{path}.patchType", mutation.patch_type):
        return
    if mutation.patch_type not in forms:
        faults.unsupported(f"{path}.patchType", mutation.patch_type, forms)
        return
    for kind, (name, form) in forms.items():
        if kind != mutation.patch_type:
            if form is not None:
                faults.invalid(
                    f"{path}.{name}", "{...}", f"must not be specified when patchType is {mutation.patch_type}"
                )
        elif form is None:
            faults.append(errors.required(f"{path}.{name}", f"must be specified when patchType is {kind}"))
        else:
            faults.required(f"{path}.{name}.expression", form.expression.strip(), "expression is not specified")


# -- bindings --------------------------------------------------------------------------------------------------------


def validating_binding(faults: Faults, obj: admissionregistration_v1.ValidatingAdmissionPolicyBinding) -> None:
    _binding(faults, obj.spec)
    actions = obj.spec.validation_actions
    seen: set[str] = set()
    place = "spec.validationActions"
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            faults.unsupported(f"{place}[{index}]", action, _ACTIONS)
        faults.unique(f"{place}[{index}]", action, seen)
    if {"Deny", "Warn"} <= seen:
        faults.invalid(
            place,
            actions,
            "must not contain both Deny and Warn (repeating the same validation failure information in the API "
            "response and headers serves no purpose)",
        )
    faults.required(place, actions, "at least one validation action is required")


def mutating_binding(faults: Faults, obj: Any) -> None:
    _binding(faults, obj.spec)


def _binding(faults: Faults, spec: Any) -> None:
    faults.name("spec.policyName", spec.policy_name, names.dns1123_subdomain)
    if spec.param_ref is not None:
        _param_ref(faults, spec.param_ref, "spec.paramRef")
    if spec.match_resources is not None:
        _match_resources(faults, spec.match_resources, "spec.matchResources")


def _param_ref(faults: Faults, reference: Any, path: str) -> None:
    both = "name and selector are mutually exclusive"
    if reference.name:
        for fault in verdict(names.path_segment, reference.name):
            faults.invalid(f"{path}.name", reference.name, fault)
        if reference.selector is not None:
            faults.forbidden(f"{path}.name", both)
    meta.label_selector(faults, reference.selector, f"{path}.selector")
    if reference.selector is not None and reference.name:
        faults.forbidden(f"{path}.selector", both)
    if not reference.name and reference.selector is None:
        faults.append(errors.required(path, "one of name or selector must be specified"))
    action = reference.parameter_not_found_action
    if faults.required(f"{path}.parameterNotFoundAction", action) and action not in ("Deny", "Allow"):
        faults.unsupported(f"{path}.parameterNotFoundAction", action, ("Deny", "Allow"))


TABLE: dict[type[Any], Rules] = {
    admissionregistration_v1.ValidatingAdmissionPolicy: Rules(
        validating_policy, subresources={"status": validating_policy_status}
    ),
    admissionregistration_v1.ValidatingAdmissionPolicyBinding: Rules(validating_binding),
    admissionregistration_v1alpha1.MutatingAdmissionPolicy: Rules(mutating_policy),
    admissionregistration_v1alpha1.MutatingAdmissionPolicyBinding: Rules(mutating_binding),
    admissionregistration_v1beta1.MutatingAdmissionPolicy: Rules(mutating_policy),
    admissionregistration_v1beta1.MutatingAdmissionPolicyBinding: Rules(mutating_binding),
}
