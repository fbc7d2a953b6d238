"""What configures admission: expressions that do not compile are refused, and so is reading by way of a policy.

Who writes a policy with a ``paramKind``, or a binding with a ``paramRef``, makes the server show what the expressions
make of the parameters: that takes the right to read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from steersman.api.errors import FieldError, forbidden_field
from steersman.api.types.admissionregistration_v1 import ParamKind, ValidatingAdmissionPolicy
from steersman.api.types.admissionregistration_v1beta1 import MutatingAdmissionPolicy
from steersman.api.user import User
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.seams import Attributes

from .simple import ConditionalCountingStrategy

_PRIVILEGED = "system:masters"


class _CompilingStrategy(ConditionalCountingStrategy):
    """Compiles expressions, which takes longer than the loop may wait."""

    @property
    def is_laborious(self) -> bool:
        return True


# -- webhooks --------------------------------------------------------------------------------------------------------


class WebhookConfigurationStrategy(_CompilingStrategy):
    """Compiles the match conditions of its webhooks, where they are new."""

    def validate(self, context: Context, new: Any) -> list[FieldError]:
        return _in_order(super().validate(context, new), _webhook_faults(new, None))

    def validate_update(self, context: Context, new: Any, old: Any, subresource: str) -> list[FieldError]:
        faults = super().validate_update(context, new, old, subresource)
        return _in_order(faults, _webhook_faults(new, old))


def _webhook_faults(new: Any, old: Any | None) -> Iterator[FieldError]:
    known = {each.expression for webhook in old.webhooks for each in webhook.match_conditions} if old else set()
    for number, webhook in enumerate(new.webhooks):
        if any(each.expression not in known for each in webhook.match_conditions):
            # CEL is much to import, and few servers have conditions.
            from steersman.apiserver.extensions.expressions import condition_faults

            for fault in condition_faults(webhook.match_conditions, f"webhooks[{number}].matchConditions"):
                if fault.expression not in known:
                    yield fault.error()


# -- policies --------------------------------------------------------------------------------------------------------


class PolicyStrategy(_CompilingStrategy):
    """Policies of both sorts."""

    def validate(self, context: Context, new: Any) -> list[FieldError]:
        return _in_order(super().validate(context, new), _policy_faults(new))

    def validate_update(self, context: Context, new: Any, old: Any, subresource: str) -> list[FieldError]:
        faults = super().validate_update(context, new, old, subresource)
        return faults if new.spec == old.spec else _in_order(faults, _policy_faults(new))

    async def examine(self, context: Context, new: Any, old: Any | None) -> list[FieldError]:
        kind: ParamKind | None = new.spec.param_kind
        authorizer = self.cluster.surroundings.authorizer
        if kind is None or authorizer is None or _PRIVILEGED in context.user.groups:
            return []
        if old is not None and old.spec.param_kind == kind:
            return []
        found = _resource(self.cluster.scheme, kind)
        wanted = Attributes(context.user, "get", found.group, found.version, found.resource, namespace="*", name="*")
        if (await authorizer.authorize(wanted)).allowed:
            return []
        text = (
            f'user {_shown(context.user)} must have "get" permission on all objects of the referenced paramKind '
            f"(kind={kind.kind}, apiVersion={kind.api_version})"
        )
        return [forbidden_field("spec.paramKind", text)]


def _policy_faults(policy: Any) -> Iterator[FieldError]:
    from steersman.apiserver.extensions.compiled_policies.mutating import MutatingPolicy
    from steersman.apiserver.extensions.compiled_policies.validating import ValidatingPolicy

    compiled = ValidatingPolicy if isinstance(policy, ValidatingAdmissionPolicy) else MutatingPolicy
    for fault in compiled(policy.spec).faults():
        yield fault.error()


class BindingStrategy(ConditionalCountingStrategy):
    """Bindings of policies of both sorts."""

    async def examine(self, context: Context, new: Any, old: Any | None) -> list[FieldError]:
        reference = new.spec.param_ref
        authorizer = self.cluster.surroundings.authorizer
        if reference is None or authorizer is None or _PRIVILEGED in context.user.groups:
            return []
        if old is not None and (old.spec.param_ref, old.spec.policy_name) == (reference, new.spec.policy_name):
            return []
        bound: Any = ValidatingAdmissionPolicy if new.kind.startswith("Validating") else MutatingAdmissionPolicy
        policy = await self.cluster.get(bound, new.spec.policy_name)
        kind = policy.spec.param_kind if policy is not None else None
        found = _resource(self.cluster.scheme, kind)
        verb = "get" if reference.name else "list"
        wanted = Attributes(
            context.user,
            verb,
            found.group,
            found.version,
            found.resource,
            namespace=reference.namespace,
            name=reference.name,
        )
        if (await authorizer.authorize(wanted)).allowed:
            return []
        lacks = f'user {_shown(context.user)} does not have "{verb}" permission'
        if policy is None:
            why = f"unable to get policy {new.spec.policy_name}"
        elif kind is not None and found.resource == "*":
            why = f"unable to resolve paramKind &{{{kind.api_version} {kind.kind}}}"
        else:
            return [forbidden_field("spec.paramRef", f"{lacks} on the object referenced by paramRef")]
        text = f"{why} to determine minimum required permissions and {lacks} for all groups, versions and resources"
        return [forbidden_field("spec.paramRef", text)]


class _Resource(NamedTuple):
    """``*`` where that is not known: the right to all is asked for."""

    group: str = "*"
    version: str = "*"
    resource: str = "*"


def _resource(scheme: Any, kind: ParamKind | None) -> _Resource:
    if kind is None:
        return _Resource()
    group, _, version = kind.api_version.rpartition("/")
    found = scheme.by_kind(kind.api_version, kind.kind)
    return _Resource(group, version, found.name if found is not None else "*")


def _shown(user: User) -> str:
    """As Go prints a user."""
    extra = " ".join(f"{name}:[{' '.join(values)}]" for name, values in sorted(user.extra.items()))
    return f"&{{{user.name} {user.uid} [{' '.join(user.groups)}] map[{extra}]}}"


# -- the order of faults ---------------------------------------------------------------------------------------------

_SECTIONS = ("metadata", "failurePolicy", "paramKind", "matchConstraints", "matchConditions", "variables",
             "validations", "auditAnnotations", "mutations", "reinvocationPolicy")  # fmt: skip
_HOOK_SECTIONS = ("matchConditions", "admissionReviewVersions")
"""What of a webhook is looked at last."""
_MEMBERS = {
    "matchConditions": ("expression", "name"),
    "variables": ("name", "expression"),
    "validations": ("expression", "messageExpression", "message", "reason"),
    "auditAnnotations": ("key", "valueExpression"),
}
_PLACE = re.compile(r"(?:spec\.|webhooks\[(?P<hook>\d+)\]\.)?(?P<section>\w+)(?:\[(?P<index>\d+)\]\.?(?P<member>\w*))?")


def _in_order(faults: list[FieldError], compiled: Iterator[FieldError]) -> list[FieldError]:
    """Both together, as upstream, which compiles where it validates, tells them."""
    found = list(compiled)
    return sorted((*faults, *found), key=_rank) if faults and found else faults or found


def _rank(fault: FieldError) -> tuple[int, int, int, int]:
    place = _PLACE.match(fault.field)
    if place is None:
        return (-1, 0, 0, 0)
    section, hook = place["section"], int(place["hook"] or -1)
    sections, members = _HOOK_SECTIONS if hook >= 0 else _SECTIONS, _MEMBERS.get(section, ())
    if section not in sections:
        return (hook, -1, 0, 0)
    member = members.index(place["member"]) if place["member"] in members else 0
    return (hook, sections.index(section), int(place["index"] or -1), member)
