"""The admission plugins that ask webhooks, in the order in which they come."""

from __future__ import annotations

from collections.abc import Sequence

from steersman.api.types.admissionregistration_v1 import (
    MatchCondition,
    MutatingWebhookConfiguration,
    ValidatingWebhookConfiguration,
)
from steersman.apiserver.admission.plugin import Plugin
from steersman.apiserver.extensions.expressions import compile_conditions
from steersman.apiserver.registry.registry import Registry

from .client import WebhookClient
from .configurations import Condition, Configurations
from .mutating import MutatingWebhooks
from .validating import ValidatingWebhooks


def admission_webhooks(registry: Registry, client: WebhookClient) -> list[Plugin]:
    """They read the configurations from the registry that they are plugins of."""

    def compiled(conditions: Sequence[MatchCondition]) -> Sequence[Condition]:
        return compile_conditions(conditions, registry.surroundings)

    mutating = Configurations(registry, MutatingWebhookConfiguration, compiled)
    validating = Configurations(registry, ValidatingWebhookConfiguration, compiled)
    return [MutatingWebhooks(registry, mutating, client), ValidatingWebhooks(registry, validating, client)]
