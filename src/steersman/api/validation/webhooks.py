"""Webhook configurations, and what they share with admission policies: rules, selectors, match conditions."""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import admissionregistration_v1 as v1

from . import meta, names
from .faults import Faults
from .forms import fully_qualified_name, webhook_service, webhook_url
from .rules import Rules

Configuration = v1.MutatingWebhookConfiguration | v1.ValidatingWebhookConfiguration
Webhook = v1.MutatingWebhook | v1.ValidatingWebhook

REVIEW_VERSIONS = ("v1", "v1beta1")
"""The versions of AdmissionReview that the server speaks."""

FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
_HARMLESS = ("None", "NoneOnDryRun")
_SIDE_EFFECTS = ("None", "NoneOnDryRun", "Some", "Unknown")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")


def configuration(faults: Faults, obj: Configuration) -> None:
    """A new configuration."""
    _configuration(faults, obj, None)


def configuration_update(faults: Faults, new: Configuration, old: Configuration) -> None:
    """What an older server let through may stay."""
    _configuration(faults, new, old)


def _configuration(faults: Faults, obj: Configuration, old: Configuration | None) -> None:
    before: list[Webhook] = list(old.webhooks) if old is not None else []
    harmless = all(hook.side_effects in _HARMLESS for hook in before)
    spoken = all(
        not hook.admission_review_versions or set(REVIEW_VERSIONS) & set(hook.admission_review_versions)
        for hook in before
    )
    distinct = len({hook.name for hook in before}) == len(before)
    seen: set[str] = set()
    hooks: list[Webhook] = list(obj.webhooks)
    for index, hook in enumerate(hooks):
        place = f"webhooks[{index}]"
        _webhook(faults, hook, place, _HARMLESS if harmless else _SIDE_EFFECTS)
        review_versions(faults, hook.admission_review_versions, f"{place}.admissionReviewVersions", recognized=spoken)
        if distinct and hook.name:
            faults.unique(f"{place}.name", hook.name, seen)


def _webhook(faults: Faults, hook: Webhook, path: str, side_effects: tuple[str, ...]) -> None:
    fully_qualified_name(faults, f"{path}.name", hook.name)
    for index, rule in enumerate(hook.rules):
        operations_rule(faults, rule, f"{path}.rules[{index}]")
    faults.one_of(f"{path}.failurePolicy", hook.failure_policy, FAILURE_POLICIES, optional=True)
    faults.one_of(f"{path}.matchPolicy", hook.match_policy, MATCH_POLICIES, optional=True)
    wanted = f"must specify one of {', '.join(side_effects)}"
    if faults.required(f"{path}.sideEffects", hook.side_effects, wanted) and hook.side_effects not in side_effects:
        faults.unsupported(f"{path}.sideEffects", hook.side_effects, side_effects)
    seconds = hook.timeout_seconds
    if seconds is not None and not 1 <= seconds <= 30:
        faults.invalid(f"{path}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds")
    meta.label_selector(faults, hook.namespace_selector, f"{path}.namespaceSelector")
    meta.label_selector(faults, hook.object_selector, f"{path}.objectSelector")
    if isinstance(hook, v1.MutatingWebhook):
        faults.one_of(f"{path}.reinvocationPolicy", hook.reinvocation_policy, ("IfNeeded", "Never"), optional=True)
    client_config(faults, hook.client_config, f"{path}.clientConfig")
    match_conditions(faults, hook.match_conditions, f"{path}.matchConditions")


def client_config(faults: Faults, config: Any, path: str) -> None:
    """Where a webhook is: by address or by service."""
    service = config.service
    if bool(config.url) == (service is not None):
        faults.append(errors.required(path, "exactly one of url or service is required"))
    elif service is None:
        webhook_url(faults, f"{path}.url", config.url)
    else:
        webhook_service(faults, f"{path}.service", service.name, service.namespace, service.path, service.port)


def review_versions(
    faults: Faults, versions: list[str], path: str, *, recognized: bool, missing: str | None = None
) -> None:
    """``recognized``: whether one of them must be one that the server speaks."""
    if missing is None:
        missing = f"must specify one of {', '.join(REVIEW_VERSIONS)}"
    if not faults.required(path, versions, missing):
        return
    seen: set[str] = set()
    for index, version in enumerate(versions):
        if version in seen:
            faults.invalid(f"{path}[{index}]", version, "duplicate version")
            continue
        seen.add(version)
        faults.grammar(f"{path}[{index}]", version, names.dns1035_label)
    if recognized and not seen & set(REVIEW_VERSIONS):
        faults.invalid(path, versions, f"must include at least one of {', '.join(REVIEW_VERSIONS)}")


def operations_rule(faults: Faults, rule: Any, path: str) -> None:
    """Which requests are meant: operations, groups, versions, resources."""
    operations = rule.operations
    if faults.required(f"{path}.operations", operations) and len(operations) > 1 and "*" in operations:
        faults.invalid(f"{path}.operations", operations, "if '*' is present, must not specify other operations")
    for index, operation in enumerate(operations):
        if operation not in _OPERATIONS:
            faults.unsupported(f"{path}.operations[{index}]", operation, _OPERATIONS)
    for name, what, values in (
        ("apiGroups", "groups", rule.api_groups),
        ("apiVersions", "versions", rule.api_versions),
    ):
        if faults.required(f"{path}.{name}", values) and len(values) > 1 and "*" in values:
            faults.invalid(f"{path}.{name}", values, f"if '*' is present, must not specify other API {what}")
    for index, version in enumerate(rule.api_versions):
        faults.required(f"{path}.apiVersions[{index}]", version)
    _resources(faults, rule.resources, f"{path}.resources")
    faults.one_of(f"{path}.scope", rule.scope, _SCOPES, optional=True)


def _resources(faults: Faults, resources: list[str], path: str) -> None:
    """``pods``, ``pods/log``, ``pods/*``, ``*/scale``, ``*``, ``*/*``: none that another one includes."""
    faults.required(path, resources)
    whole: set[str] = set()
    everywhere: set[str] = set()
    plain = False
    for index, text in enumerate(resources):
        if not faults.required(f"{path}[{index}]", text):
            continue
        resource, slash, sub = text.partition("/")
        if not slash:
            plain = text != "*"  # the last one without a slash tells
            continue
        if resource in whole:
            faults.invalid(f"{path}[{index}]", text, f"if '{resource}/*' is present, must not specify {text}")
        if sub in everywhere:
            faults.invalid(f"{path}[{index}]", text, f"if '*/{sub}' is present, must not specify {text}")
        if sub == "*":
            whole.add(resource)
        if resource == "*":
            everywhere.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        faults.invalid(path, resources, "if '*/*' is present, must not specify other resources")
    if "*" in resources and plain:
        faults.invalid(path, resources, "if '*' is present, must not specify other resources without subresources")


def match_conditions(faults: Faults, values: list[Any], path: str) -> None:
    """Named expressions; whether they are CEL is not looked at here."""
    faults.fewer(path, len(values), 64)
    seen: set[str] = set()
    for index, condition in enumerate(values):
        place = f"{path}[{index}]"
        faults.required(f"{place}.expression", condition.expression.strip())
        faults.name(f"{place}.name", condition.name, names.qualified_name)
        if condition.name:
            faults.unique(f"{place}.name", condition.name, seen)


TABLE: dict[type[Any], Rules] = {
    v1.MutatingWebhookConfiguration: Rules(configuration, configuration_update, recheck=False),
    v1.ValidatingWebhookConfiguration: Rules(configuration, configuration_update, recheck=False),
}
