"""What configures admission: expressions that do not compile are refused where they are new."""

from __future__ import annotations

from typing import Any

from steersman.api.errors import FieldError, invalid_value
from steersman.api.types.admissionregistration_v1 import ValidatingAdmissionPolicy
from steersman.apiserver.registry.contract import Context

from .simple import ConditionalCountingStrategy


class ValidatingAdmissionPolicyStrategy(ConditionalCountingStrategy):
    """Compiles its expressions."""

    def validate(self, context: Context, new: ValidatingAdmissionPolicy) -> list[FieldError]:
        return super().validate(context, new) or _policy_faults(new)

    def validate_update(
        self, context: Context, new: ValidatingAdmissionPolicy, old: ValidatingAdmissionPolicy, subresource: str
    ) -> list[FieldError]:
        faults = super().validate_update(context, new, old, subresource)
        return faults if faults or new.spec == old.spec else _policy_faults(new)


class WebhookConfigurationStrategy(ConditionalCountingStrategy):
    """Compiles the match conditions of its webhooks."""

    def validate(self, context: Context, new: Any) -> list[FieldError]:
        return super().validate(context, new) or _webhook_faults(new, None)

    def validate_update(self, context: Context, new: Any, old: Any, subresource: str) -> list[FieldError]:
        return super().validate_update(context, new, old, subresource) or _webhook_faults(new, old)


def _policy_faults(policy: ValidatingAdmissionPolicy) -> list[FieldError]:
    # CEL is much to import, and few servers have policies.
    from steersman.apiserver.extensions.compiled_policies import CompiledPolicy

    return [fault.error() for fault in CompiledPolicy(policy.spec).faults]


def _webhook_faults(new: Any, old: Any | None) -> list[FieldError]:
    known = {each.expression for webhook in old.webhooks for each in webhook.match_conditions} if old else set()
    faults: list[FieldError] = []
    for index, webhook in enumerate(new.webhooks):
        for number, condition in enumerate(webhook.match_conditions):
            if condition.expression in known:
                continue
            from steersman.apiserver.extensions.expressions import compile_conditions

            try:
                compile_conditions([condition])
            except ValueError as error:
                where = f"webhooks[{index}].matchConditions[{number}].expression"
                faults.append(invalid_value(where, condition.expression, str(error)))
    return faults
