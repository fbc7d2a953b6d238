"""The admission plugins that ask webhooks, in the order in which they come."""

from __future__ import annotations

from steersman.api.types.admissionregistration_v1 import MutatingWebhookConfiguration, ValidatingWebhookConfiguration
from steersman.apiserver.admission.plugin import Plugin
from steersman.apiserver.registry.registry import Registry

from .client import WebhookClient
from .configurations import Configurations
from .mutating import MutatingWebhooks
from .validating import ValidatingWebhooks


def admission_webhooks(registry: Registry, client: WebhookClient) -> list[Plugin]:
    """They read the configurations from the registry that they are plugins of."""
    mutating = Configurations(registry, MutatingWebhookConfiguration)
    validating = Configurations(registry, ValidatingWebhookConfiguration)
    return [MutatingWebhooks(registry, mutating, client), ValidatingWebhooks(registry, validating, client)]
