"""The admission plugins that people configure, in the order in which they come."""

from __future__ import annotations

from steersman.api.types.admissionregistration_v1 import MutatingWebhookConfiguration, ValidatingWebhookConfiguration
from steersman.apiserver.admission.plugin import Plugin
from steersman.apiserver.registry.registry import Registry

from .policies.validating import ValidatingPolicies
from .webhook_client import WebhookClient
from .webhooks.configurations import Configurations
from .webhooks.mutating import MutatingWebhooks
from .webhooks.validating import ValidatingWebhooks


def configured_plugins(registry: Registry, client: WebhookClient) -> list[Plugin]:
    """They read the configurations from the registry that they are plugins of."""
    mutating = Configurations(registry, MutatingWebhookConfiguration)
    validating = Configurations(registry, ValidatingWebhookConfiguration)
    return [
        MutatingWebhooks(registry, mutating, client),
        ValidatingPolicies(registry),
        ValidatingWebhooks(registry, validating, client),
    ]
